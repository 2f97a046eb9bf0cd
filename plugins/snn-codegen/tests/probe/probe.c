#include "probe.h"

enum { SUM, LOOP, UNDEFINED, HANG, DEEP, UNALIGNED };

/* Twice `count` instructions, and the return. */
#ifdef __riscv
__attribute__((naked, noinline)) static void loop(int32_t count)
{
    __asm__ volatile("1: addi a0, a0, -1\n bnez a0, 1b\n ret\n");
}
static void undefined(void)
{
    __asm__ volatile("unimp");
}
#else
__attribute__((naked, noinline)) static void loop(int32_t count)
{
    __asm__ volatile(".syntax unified\n 1: subs r0, #1\n bne 1b\n bx lr\n");
}
static void undefined(void)
{
    __asm__ volatile("udf #0");
}
#endif

static const int32_t weight[2] = {3, -5};
static int32_t started = 7; /* initialised data, which the start-up code copies */

__attribute__((noinline)) static int32_t deep(volatile int32_t *above, int32_t count)
{
    volatile int32_t block[64];
    block[0] = above[0] + count;
    return count == 0 ? block[0] : deep(block, count - 1) + block[0];
}

void probe_reset(probe_state *state)
{
    state->steps = 0;
    state->sum = started;
}

void probe_step(probe_state *state, const probe_input_t frame[PROBE_INPUTS])
{
    static const char bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    int32_t one = 1;
    state->steps++;
    switch (frame[0]) {
        case LOOP:
            loop(frame[1]);
            break;
        case UNDEFINED:
            undefined();
            break;
        case HANG:
            for (volatile int32_t i = 0;; i++) {
            }
        case DEEP:
            state->sum += deep(&one, frame[1]);
            break;
        case UNALIGNED:
            state->sum += *(const volatile int32_t *)(const void *)(bytes + frame[1]);
            break;
        default:
            state->sum += weight[0] * frame[0] + weight[1] * frame[1];
            break;
    }
#ifdef PROBE_TRACE
    probe_trace(0, &state->steps, sizeof state->steps);
    probe_trace(1, &state->sum, sizeof state->sum);
#endif
}

void probe_logits(const probe_state *state, probe_logit_t logits[PROBE_OUTPUTS])
{
    logits[0] = state->steps;
    logits[1] = state->sum;
}

uint32_t probe_argmax(const probe_state *state)
{
    return state->sum > state->steps;
}
