/* RV32: the first instruction, traps, and `instret`, which counts instructions exactly. */
#include "board.h"
#include "semihosting.h"

void board_trap(void);
void board_fault(uint32_t cause, uint32_t at, uint32_t value, uint32_t stack);

__attribute__((naked, section(".vectors"), used)) void board_reset(void)
{
    __asm__ volatile(
        ".option push\n"
        ".option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "la sp, board_stack_high\n"
        "la t0, board_trap\n"
        "csrw mtvec, t0\n"
        /* What lies below the stack (64 KiB, a locked NAPOT region) is nobody's: PMP guards it. */
        "la t0, board_stack_low\n"
        "li t1, 0x10000\n"
        "sub t0, t0, t1\n"
        "srli t0, t0, 2\n"
        "li t1, 0x1fff\n"
        "or t0, t0, t1\n"
        "csrw pmpaddr0, t0\n"
        "li t0, 0x98\n"
        "csrw pmpcfg0, t0\n"
#ifdef __riscv_flen
        "li t0, 0x2000\n" /* mstatus.FS: floats */
        "csrs mstatus, t0\n"
#endif
        "j board_run\n");
}

/* The sequence that the emulator knows a request by: uncompressed, within one page. */
__attribute__((naked, noinline, aligned(16))) intptr_t board_request(
    uintptr_t operation, const void *arguments)
{
    __asm__ volatile(
        ".option push\n"
        ".option norvc\n"
        "slli x0, x0, 0x1f\n"
        "ebreak\n"
        "srai x0, x0, 7\n"
        "ret\n"
        ".option pop\n");
}

uint64_t board_now(void)
{
    uint32_t high, low, again;
    do {
        __asm__ volatile("rdinstreth %0" : "=r"(high));
        __asm__ volatile("rdinstret %0" : "=r"(low));
        __asm__ volatile("rdinstreth %0" : "=r"(again));
    } while (high != again);
    return ((uint64_t)high << 32) | low;
}

uint32_t board_instructions(uint64_t from, uint64_t to)
{
    return (uint32_t)(to - from);
}

/* With a stack of its own, over the network's state: the program's may be what overflowed. */
__attribute__((naked, used, aligned(4))) void board_trap(void)
{
    __asm__ volatile(
        "csrr a0, mcause\n"
        "csrr a1, mepc\n"
        "csrr a2, mtval\n"
        "mv a3, sp\n"
        "la sp, board_bss_high\n"
        "j board_fault\n");
}

__attribute__((used)) void board_fault(
    uint32_t cause, uint32_t at, uint32_t value, uint32_t stack)
{
    host_print(stack < (uint32_t)(uintptr_t)board_stack_low ? "stack overflow:" : "trap:");
    host_print_register("mcause", cause);
    host_print_register("mepc", at);
    host_print_register("mtval", value);
    host_print_register("sp", stack);
    host_print("\n");
    host_exit(2);
}
