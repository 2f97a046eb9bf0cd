/* Runs one sample of a network document: run_network FILE.network < frames > logits
   Frames are float32 as the document's input_shape says (with a timestep axis before it in mode
   "sequence"); what the numbers in the messages are, docs/engine_abi.md says. */
#include <snn_engine.h>
#include <stdio.h>
#include <string.h>

static uint8_t request[1 << 24] = "\x82\xa2op\xa4load\xa7network";

/* What follows `key` of the reply, behind the byte that tells its type; else the reply is told. */
static const uint8_t *ask(void *engine, size_t length, const char *key) {
  const uint8_t *reply, *at;
  if (snn_call(engine, request, length, &reply, &length) != SNN_OK) return NULL;
  for (at = reply; at + strlen(key) + 9 <= reply + length; at++)
    if (!memcmp(at, key, strlen(key))) return at + strlen(key) + 1;
  fwrite(reply, 1, length, stderr); /* the engine says why, in its own words */
  return NULL;
}

int main(int count, char **arguments) {
  static const char run[] =
      "\x85\xa2op\xa3run\xa7samples\x01\xa7threads\x01\xa6spikes\xc2\xa6" "frames\xc6";
  const size_t load = strlen((char *)request), head = sizeof run + 3;
  const uint8_t *logits;
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  void *engine;
  if (!file || snn_abi_version() != SNN_ABI_VERSION || snn_open(&engine) != SNN_OK) return 1;
  size_t size = fread(request + load, 1, sizeof request - load, file);
  if (!ask(engine, load + size, "frame_bytes")) return 2; /* there, if the network is loaded */
  memcpy(request, run, sizeof run - 1);
  size = fread(request + head, 1, sizeof request - head, stdin);
  for (int i = 1; i <= 4; i++) request[head - i] = (uint8_t)(size >> 8 * (i - 1)); /* big-endian */
  if (!(logits = ask(engine, head + size, "logits"))) return 2;
  fwrite(logits + 4, 1, (size_t)logits[2] << 8 | logits[3], stdout);
  snn_close(engine);
  return 0;
}
