/* A generated network over a stream of samples: frames on the standard input, and for each sample, on
   the standard output, the spikes of every timestep and then the logits; at the end, where there is a
   clock, on the standard error the seconds of processor time that the network took. */
#include SNN_HEADER

#include <stdint.h>
#include <stdio.h>
#ifndef __wasi__
#include <time.h>
#endif

static snn_state state;
static snn_input_t frames[SNN_FRAMES][SNN_INPUTS];
static snn_logit_t logits[SNN_OUTPUTS];

#ifdef __wasi__
static double seconds(void)
{
    return 0.0;
}
#else
static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}
#endif

void snn_trace(uint32_t layer, const void *values, uint32_t bytes)
{
    if (SNN_SPIKES(layer)) {
        (void)fwrite(values, 1u, bytes, stdout);
    }
}

int main(void)
{
    double taken = 0.0;
    while (fread(frames, sizeof frames, 1u, stdin) == 1u) {
        const double start = seconds();
        snn_reset(&state);
        for (uint32_t t = 0u; t < SNN_TIMESTEPS; t++) {
            snn_step(&state, frames[SNN_FRAMES == 1u ? 0u : t]);
        }
        taken += seconds() - start;
        snn_logits(&state, logits);
        (void)fwrite(logits, sizeof logits, 1u, stdout);
    }
    (void)fprintf(stderr, "%.9f\n", taken);
    return ferror(stdin) != 0 || fflush(stdout) != 0 || ferror(stdout) != 0;
}
