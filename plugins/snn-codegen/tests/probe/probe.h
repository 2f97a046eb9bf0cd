/* A "network" that does what its input says: the harness and the boards are tested with it. */
#ifndef PROBE_H
#define PROBE_H

#include <stdint.h>

#define PROBE_INPUTS 2
#define PROBE_OUTPUTS 2
#define PROBE_TIMESTEPS 3
#define PROBE_FRAMES 1
#define PROBE_LAYERS 2
#define PROBE_SPIKES(layer) ((layer) == 0)

typedef int32_t probe_input_t;
typedef int32_t probe_logit_t;
typedef struct {
    int32_t steps;
    int32_t sum;
} probe_state;

void probe_reset(probe_state *state);
void probe_step(probe_state *state, const probe_input_t frame[PROBE_INPUTS]);
void probe_logits(const probe_state *state, probe_logit_t logits[PROBE_OUTPUTS]);
uint32_t probe_argmax(const probe_state *state);
#ifdef PROBE_TRACE
void probe_trace(uint32_t layer, const void *values, uint32_t bytes);
#endif

#ifdef SNN_GENERIC
#define snn_state probe_state
#define snn_reset probe_reset
#define snn_step probe_step
#define snn_logits probe_logits
#define snn_argmax probe_argmax
#define snn_trace probe_trace
#define snn_input_t probe_input_t
#define snn_logit_t probe_logit_t
#define SNN_INPUTS PROBE_INPUTS
#define SNN_OUTPUTS PROBE_OUTPUTS
#define SNN_TIMESTEPS PROBE_TIMESTEPS
#define SNN_FRAMES PROBE_FRAMES
#define SNN_LAYERS PROBE_LAYERS
#define SNN_SPIKES PROBE_SPIKES
#define SNN_NAME "probe"
#endif

#endif
