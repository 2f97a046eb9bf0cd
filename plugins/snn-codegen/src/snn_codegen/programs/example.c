/* Runs the network on samples of its test set, and says whether it finds the classes that were found
   when it was trained. */
#include "@name@.h"

#include <stdio.h>

#define SAMPLES @samples@

static const @name@_input_t frames[SAMPLES * @upper@_FRAMES * @upper@_INPUTS] = {
    @frames@
};

static const uint32_t classes[SAMPLES] = { @classes@ };

static @name@_state state;

#ifdef @upper@_TRACE
/* What each layer has put out, in its own type, is yours to look at. */
void @name@_trace(uint32_t layer, const void *values, uint32_t bytes)
{
    (void)values;
    printf("layer %u: %u bytes\n", (unsigned)layer, (unsigned)bytes);
}
#endif

int main(void)
{
    int wrong = 0;
    for (uint32_t i = 0u; i < SAMPLES; i++) {
        const @name@_input_t *sample = frames + i * @upper@_FRAMES * @upper@_INPUTS;
        @name@_reset(&state);
        for (uint32_t t = 0u; t < @upper@_TIMESTEPS; t++) {
            @name@_step(&state, sample + (@upper@_FRAMES == 1u ? 0u : t) * @upper@_INPUTS);
        }
        const uint32_t found = @name@_argmax(&state);
        printf("sample %u: class %u, expected %u\n", (unsigned)i, (unsigned)found, (unsigned)classes[i]);
        wrong += found != classes[i];
    }
    return wrong != 0;
}
