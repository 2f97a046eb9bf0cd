/* snn-engine: runs spiking-network documents. The messages are described in docs/engine_abi.md. */
#ifndef SNN_ENGINE_H
#define SNN_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a function or a message changes its meaning. */
#define SNN_ABI_VERSION 1

/* What a function returns; whether a request was granted stands in the reply. */
enum snn_result {
  SNN_OK = 0,
  SNN_OUT_OF_MEMORY = 1,
  SNN_BAD_ARGUMENT = 2, /* a null pointer */
  SNN_BUSY = 3          /* another thread is inside a call with this handle */
};

/* The version that the library implements: to be compared with SNN_ABI_VERSION. */
uint32_t snn_abi_version(void);

/* A new engine, without a network, in *handle. */
int32_t snn_open(void **handle);

/* Answer one request, a msgpack map, with one reply, another. The reply's memory belongs to the
   handle and is valid until its next call or snn_close. */
int32_t snn_call(void *handle, const uint8_t *request, size_t length, const uint8_t **reply,
                 size_t *reply_length);

/* As snn_call, of a request in which "frames" is nil: they lie beside it, and must not change while
   the call lasts. */
int32_t snn_call_with_frames(void *handle, const uint8_t *request, size_t length,
                             const void *frames, size_t frames_length, const uint8_t **reply,
                             size_t *reply_length);

/* Give everything back. Null is allowed; a handle is closed once. */
void snn_close(void *handle);

#ifdef __cplusplus
}
#endif
#endif
