/* Files of the host, through semihosting (Arm's "Semihosting for AArch32 and AArch64", 2.0). */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdbool.h>
#include <stdint.h>

enum { HOST_READ = 1, HOST_WRITE = 5 }; /* fopen's "rb" and "wb" */

/* A handle; a file that cannot be opened ends the program with a line that says so. */
intptr_t host_open(const char *name, uintptr_t how);

/* Whether all of `bytes` were read; false at the end of the file. */
bool host_read(intptr_t file, void *into, uint32_t bytes);
void host_write(intptr_t file, const void *from, uint32_t bytes);

/* On the host's standard error. */
void host_print(const char *text);
void host_print_register(const char *name, uint32_t value);

__attribute__((noreturn)) void host_exit(int status);

#endif
