/* Runs every sample of the file `frames` through the network and writes what it answers.
 *
 * The host's files, in the folder where the emulator runs, numbers as the board stores them
 * (little-endian):
 *   frames   read: samples of SNN_FRAMES × SNN_INPUTS numbers
 *   answers  written: SNN_OUTPUTS logits for each sample; where the program is traced
 *            (-DSNN_TRACED), before them the spikes of each timestep, as snn_trace gets them
 *   counts   written: uint32, the instructions of each sample; traced, those of each layer of it
 *   stack    written at the end: uint32, the bytes of stack that were ever in use
 */
#include "board.h"
#include "semihosting.h"

#include SNN_HEADER

static snn_state state;
static snn_input_t frame[SNN_INPUTS];
static snn_logit_t logits[SNN_OUTPUTS];
static intptr_t answers;

#ifdef SNN_TRACED
static uint32_t counts[SNN_LAYERS];
static uint64_t before;
static uint32_t interval; /* between the last two calls */
static uint32_t overhead; /* the interval where a call follows another at once */

__attribute__((noinline)) void snn_trace(uint32_t layer, const void *values, uint32_t bytes)
{
    interval = board_instructions(before, board_now());
    counts[layer] += interval > overhead ? interval - overhead : 0;
    if (values != 0 && SNN_SPIKES(layer)) {
        host_write(answers, values, bytes);
    }
    before = board_now();
}

static void calibrate(void)
{
    snn_trace(0, 0, 0);
    snn_trace(0, 0, 0);
    overhead = interval;
}
#else
static uint32_t counts[1];
static uint32_t overhead; /* of asking for the time twice */

/* Called only by a network that was generated with the hook. */
void snn_trace(uint32_t layer, const void *values, uint32_t bytes)
{
    (void)layer;
    (void)values;
    (void)bytes;
}

static void calibrate(void)
{
    const uint64_t first = board_now();
    overhead = board_instructions(first, board_now());
}
#endif

static void step(void)
{
#ifdef SNN_TRACED
    before = board_now();
    snn_step(&state, frame);
#else
    const uint64_t start = board_now();
    snn_step(&state, frame);
    counts[0] += board_instructions(start, board_now()) - overhead;
#endif
}

/* Whether there was another sample. */
static bool sample(intptr_t frames)
{
    snn_reset(&state);
    for (uint32_t t = 0; t < SNN_TIMESTEPS; t++) {
        if (t < SNN_FRAMES && !host_read(frames, frame, sizeof frame)) {
            return false;
        }
        step();
    }
    snn_logits(&state, logits);
    return true;
}

static uint32_t stack_used(void)
{
    const uint32_t *word = board_stack_low;
    while (word < board_stack_high && *word == BOARD_PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)board_stack_high - (uintptr_t)word);
}

int main(void)
{
    const intptr_t frames = host_open("frames", HOST_READ);
    const intptr_t counted = host_open("counts", HOST_WRITE);
    answers = host_open("answers", HOST_WRITE);
    calibrate();
    for (;;) {
        for (uint32_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            counts[i] = 0;
        }
        if (!sample(frames)) {
            break;
        }
        host_write(answers, logits, sizeof logits);
        host_write(counted, counts, sizeof counts);
    }
    const uint32_t used = stack_used();
    if (used >= (uint32_t)((uintptr_t)board_stack_high - (uintptr_t)board_stack_low)) {
        host_print("stack overflow: the painted stack is used up\n");
        host_exit(2);
    }
    host_write(host_open("stack", HOST_WRITE), &used, sizeof used);
    host_exit(0);
}
