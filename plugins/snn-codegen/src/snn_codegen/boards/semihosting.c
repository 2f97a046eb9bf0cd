#include "semihosting.h"

#include "board.h"

enum {
    SYS_OPEN = 0x01,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20,
    APPLICATION_EXIT = 0x20026,
};

intptr_t host_open(const char *name, uintptr_t how)
{
    uintptr_t length = 0;
    while (name[length] != 0) {
        length++;
    }
    const uintptr_t arguments[3] = {(uintptr_t)name, how, length};
    const intptr_t file = board_request(SYS_OPEN, arguments);
    if (file == -1) {
        host_print("cannot open ");
        host_print(name);
        host_print("\n");
        host_exit(1);
    }
    return file;
}

bool host_read(intptr_t file, void *into, uint32_t bytes)
{
    const uintptr_t arguments[3] = {(uintptr_t)file, (uintptr_t)into, bytes};
    return board_request(SYS_READ, arguments) == 0; /* the answer is how many are missing */
}

void host_write(intptr_t file, const void *from, uint32_t bytes)
{
    const uintptr_t arguments[3] = {(uintptr_t)file, (uintptr_t)from, bytes};
    if (board_request(SYS_WRITE, arguments) != 0) {
        host_print("the host's disk is full\n");
        host_exit(1);
    }
}

void host_print(const char *text)
{
    (void)board_request(SYS_WRITE0, text);
}

void host_print_register(const char *name, uint32_t value)
{
    char text[12] = " 0x00000000";
    for (int digit = 10; digit > 2; digit--) {
        text[digit] = "0123456789abcdef"[value & 15u];
        value >>= 4;
    }
    host_print(" ");
    host_print(name);
    host_print(text);
}

__attribute__((noreturn)) void host_exit(int status)
{
    const uintptr_t arguments[2] = {APPLICATION_EXIT, (uintptr_t)status};
    (void)board_request(SYS_EXIT_EXTENDED, arguments);
    for (;;) {
    }
}
