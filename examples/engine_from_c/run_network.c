/* Runs one sample of a network document: run_network FILE.network < frames > logits
   Frames are float32 as the document's input_shape says (with a timestep axis before it in mode
   "sequence"); what the numbers in the messages are, docs/engine_abi.md says. */
#include <snn_engine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOAD "\x82\xa2op\xa4load\xa7network"
#define RUN "\x85\xa2op\xa3run\xa7samples\x01\xa7threads\x01\xa6spikes\xc2\xa6" "frames\xc6"

static uint8_t request[1 << 24], frames[1 << 24];

/* What follows a key of a reply, behind the one byte that tells its type. */
static const uint8_t *find(const uint8_t *reply, size_t length, const char *key) {
  for (const uint8_t *at = reply; at + strlen(key) + 9 <= reply + length; at++)
    if (!memcmp(at, key, strlen(key))) return at + strlen(key) + 1;
  fwrite(reply, 1, length, stderr); /* the engine says why, in its own words */
  exit(2);
}

int main(int count, char **arguments) {
  void *engine;
  const uint8_t *reply;
  size_t length = sizeof LOAD - 1;
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  if (!file || snn_abi_version() != SNN_ABI_VERSION || snn_open(&engine) != SNN_OK) return 1;
  memcpy(request, LOAD, length);
  length += fread(request + length, 1, sizeof request - length, file);
  if (snn_call(engine, request, length, &reply, &length) != SNN_OK) return 2;
  find(reply, length, "frame_bytes"); /* there, if the network is loaded */

  uint32_t size = (uint32_t)fread(frames, 1, sizeof frames - 4 - sizeof RUN, stdin);
  uint8_t head[4] = {size >> 24, size >> 16, size >> 8, size}; /* msgpack counts big-endian */
  memcpy(request, RUN, sizeof RUN - 1);
  memcpy(request + sizeof RUN - 1, head, 4);
  memcpy(request + sizeof RUN + 3, frames, size);
  if (snn_call(engine, request, sizeof RUN + 3 + size, &reply, &length) != SNN_OK) return 2;
  const uint8_t *logits = find(reply, length, "logits");
  fwrite(logits + 4, 1, (size_t)logits[2] << 8 | logits[3], stdout);
  snn_close(engine);
  return 0;
}
