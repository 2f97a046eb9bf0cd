/* Runs one sample of a network document: run_network FILE.network < frames > logits
   Frames are float32 as the document's input_shape says (with a timestep axis before it in mode
   "sequence"), which the engine puts on its input_format; what the numbers in the messages are,
   docs/engine_abi.md says. */
#include <snn_engine.h>
#include <stdio.h>
#include <string.h>

static uint8_t load[1 << 24] = "\x82\xa2op\xa4load\xa7network";
static const char run[] =
    "\x86\xa2op\xa3run\xa7samples\x01\xa7threads\x01\xa6spikes\xc2\xa3raw\xc3\xa6" "frames\xc0";
static float frames[1 << 22];

/* What follows `key` of the reply, behind the byte that tells its type; else the reply is told. */
static const uint8_t *ask(void *engine, const void *request, size_t length, size_t shown,
                          const char *key) {
  const uint8_t *reply, *at;
  if (shown ? snn_call_with_frames(engine, request, length, frames, shown, &reply, &length)
            : snn_call(engine, request, length, &reply, &length)) return NULL;
  for (at = reply; at + strlen(key) + 9 <= reply + length; at++)
    if (!memcmp(at, key, strlen(key))) return at + strlen(key) + 1;
  fwrite(reply, 1, length, stderr); /* the engine says why, in its own words */
  return NULL;
}

int main(int count, char **arguments) {
  const uint8_t *logits;
  const size_t head = strlen((char *)load), shown = fread(frames, 1, sizeof frames, stdin);
  FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
  void *engine;
  if (!file || snn_abi_version() != SNN_ABI_VERSION || snn_open(&engine) != SNN_OK) return 1;
  size_t size = head + fread(load + head, 1, sizeof load - head, file);
  if (!ask(engine, load, size, 0, "frame_bytes")) return 2; /* there, if the network is loaded */
  if (!(logits = ask(engine, run, sizeof run - 1, shown, "logits"))) return 2;
  size = (size_t)logits[0] << 24 | logits[1] << 16 | logits[2] << 8 | logits[3]; /* big-endian */
  fwrite(logits + 4, 1, size, stdout);
  snn_close(engine);
  return 0;
}
