/* What the harness needs of a board, and the two families of start-up code give it. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Set by the linker script. The stack lies below the data, where nothing else can be hit. */
extern uint32_t board_stack_low[], board_stack_high[];
extern uint32_t board_data_load[], board_data_low[], board_data_high[];
extern uint32_t board_bss_low[], board_bss_high[];

#define BOARD_PAINT 0xC5C5C5C5u

/* One semihosting request: what the host answers. */
intptr_t board_request(uintptr_t operation, const void *arguments);

/* A moment, of which only differences count, and the instructions executed between two moments. */
uint64_t board_now(void);
uint32_t board_instructions(uint64_t from, uint64_t to);

/* How the start-up code, identical for both families, goes on. */
__attribute__((noreturn)) void board_run(void);

/* Data copied from ROM and zeroed; after it, the harness, which never returns. */
int main(void);

#endif
