# What a component's C part has that serves others: its stacks, one for each thread of the system.
    .bss
    .balign 8192
    .globl cos_static_stack
cos_static_stack:
    .skip 32 * 8192
    .section .note.GNU-stack, "", @progbits
