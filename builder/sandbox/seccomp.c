#include "builder/sandbox/seccomp.h"

__asm__(".section .rodata\n"
        ".balign 8\n"
        ".globl seccomp_begin, seccomp_end\n"
        "seccomp_begin: .incbin \"" FILTER "\"\n"
        "seccomp_end:\n"
        ".previous\n");
