# What the machine begins with: the stand-in is told where the component's entry is.
    .globl main
    .type main, @function
main:
    leaq rust_main(%rip), %rdi
    jmp stand_in_run@PLT
    .section .note.GNU-stack, "", @progbits
