#include "builder/sandbox/helper.h"

__asm__(".section .rodata\n"
        ".balign 16\n"
        ".globl helper_begin, helper_end\n"
        "helper_begin: .incbin \"" HELPER "\"\n"
        "helper_end:\n"
        ".previous\n");
