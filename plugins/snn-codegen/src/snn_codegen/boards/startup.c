/* What both families do first: memory as C expects it, and a painted stack. */
#include "board.h"

__attribute__((noreturn)) void board_run(void)
{
    /* The frame of this function stands at the top of the stack: paint only below it. */
    uint32_t *here = (uint32_t *)((uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)3) - 16;
    for (uint32_t *word = board_stack_low; word < here; word++) {
        *word = BOARD_PAINT;
    }
    const uint32_t *load = board_data_load;
    for (uint32_t *word = board_data_low; word < board_data_high; word++) {
        *word = *load++;
    }
    for (uint32_t *word = board_bss_low; word < board_bss_high; word++) {
        *word = 0;
    }
    (void)main();
    for (;;) {
    }
}
