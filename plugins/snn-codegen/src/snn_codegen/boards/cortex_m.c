/* Cortex-M: vectors, the floating-point unit, faults, and SysTick as a counter of instructions.
 *
 * The emulator lets 128 ns of its clock pass for each instruction (-icount shift=7). SysTick counts
 * that clock at the board's rate, BOARD_NUMERATOR/2^BOARD_SHIFT instructions to a tick and more than
 * two ticks to an instruction, so that differences round to the exact number. Every 2^24 ticks it
 * raises an exception, whose few instructions are known and taken off again.
 */
#include "board.h"
#include "semihosting.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYSTICK_CONTROL REGISTER(0xE000E010u)
#define SYSTICK_RELOAD REGISTER(0xE000E014u)
#define SYSTICK_VALUE REGISTER(0xE000E018u)
#define CONFIGURATION REGISTER(0xE000ED14u)
#define CONFIGURABLE_FAULT_STATUS REGISTER(0xE000ED28u)
#define HARD_FAULT_STATUS REGISTER(0xE000ED2Cu)
#define BUS_FAULT_ADDRESS REGISTER(0xE000ED38u)
#define COPROCESSOR_ACCESS REGISTER(0xE000ED88u)

#define TICKS_TO_A_WRAP 24
#define INSTRUCTIONS_OF_A_WRAP 5u /* those of on_systick */

volatile uint32_t board_wraps;

__attribute__((noreturn)) void board_reset(void);
static void on_fault(void);
static void on_systick(void);
void board_fault(const uint32_t *frame);

typedef union {
    void (*call)(void);
    const uint32_t *stack;
} vector;

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    {.stack = board_stack_high},
    {board_reset},
    {on_fault}, /* NMI */
    {on_fault}, /* HardFault; the others of the mainline architecture escalate to it */
    {on_fault}, {on_fault}, {on_fault}, {on_fault}, {0}, {0}, {0},
    {on_fault}, /* SVCall */
    {on_fault},
    {0},
    {on_fault}, /* PendSV */
    {on_systick},
};

intptr_t board_request(uintptr_t operation, const void *arguments)
{
    register intptr_t answer __asm__("r0") = (intptr_t)operation;
    register const void *given __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(answer) : "r"(given) : "memory");
    return answer;
}

__attribute__((noreturn)) void board_reset(void)
{
#ifdef __ARM_FP
    COPROCESSOR_ACCESS |= 0xFu << 20; /* CP10 and CP11: floats, and the vectors of M55 */
    __asm__ volatile("dsb\n isb");
#endif
#if __ARM_ARCH == 6
    CONFIGURATION |= 1u << 3; /* ARMv6-M faults on unaligned words: have a larger core do so too */
#endif
    SYSTICK_RELOAD = (1u << TICKS_TO_A_WRAP) - 1u;
    SYSTICK_VALUE = 0;
    SYSTICK_CONTROL = 7; /* the core's clock, an exception at 0, on */
    board_run();
}

__attribute__((naked)) static void on_systick(void)
{
    __asm__ volatile(
        ".syntax unified\n"
        "ldr r0, =board_wraps\n"
        "ldr r1, [r0]\n"
        "adds r1, #1\n"
        "str r1, [r0]\n"
        "bx lr\n"
        ".ltorg\n");
}

uint64_t board_now(void)
{
    uint32_t wraps, value;
    do {
        wraps = board_wraps;
        value = SYSTICK_VALUE;
    } while (wraps != board_wraps);
    const uint32_t ticks = (1u << TICKS_TO_A_WRAP) - 1u - value;
    return ((uint64_t)wraps << TICKS_TO_A_WRAP) | ticks;
}

uint32_t board_instructions(uint64_t from, uint64_t to)
{
    const uint64_t scaled = (to - from) * BOARD_NUMERATOR + (1u << (BOARD_SHIFT - 1));
    const uint32_t wraps = (uint32_t)((to >> TICKS_TO_A_WRAP) - (from >> TICKS_TO_A_WRAP));
    return (uint32_t)(scaled >> BOARD_SHIFT) - wraps * INSTRUCTIONS_OF_A_WRAP;
}

/* With a stack of its own, over the network's state: the program's may be what overflowed. */
__attribute__((naked)) static void on_fault(void)
{
    __asm__ volatile(
        ".syntax unified\n"
        "mrs r0, msp\n"
        "ldr r1, =board_bss_high\n"
        "mov sp, r1\n"
        "ldr r1, =board_fault\n"
        "bx r1\n"
        ".ltorg\n");
}

__attribute__((used)) void board_fault(const uint32_t *frame)
{
    static const char *const names[8] = {"r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr"};
    const uint32_t at = (uint32_t)(uintptr_t)frame;
    if (frame < board_stack_low + 1) {
        host_print("stack overflow:");
    } else {
        host_print("hard fault:");
        for (int i = 0; i < 8 && frame + i < board_stack_high; i++) {
            host_print_register(names[i], frame[i]);
        }
    }
    host_print_register("sp", at);
#if __ARM_ARCH != 6
    host_print_register("cfsr", CONFIGURABLE_FAULT_STATUS);
    host_print_register("hfsr", HARD_FAULT_STATUS);
    host_print_register("bfar", BUS_FAULT_ADDRESS);
#endif
    host_print("\n");
    host_exit(2);
}
