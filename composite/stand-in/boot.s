# What the machine begins with: the stand-in is told who can invoke whom, if anybody can, where the
# stacks of those are that are invoked, and where the component's entry is.
    .weak invocations
    .weak served
    .globl main
    .type main, @function
main:
    subq $8, %rsp
    movq $invocations, %rdi
    call stand_in_connect@PLT
    movq $served, %rdi
    call stand_in_served@PLT
    addq $8, %rsp
    leaq rust_main(%rip), %rdi
    jmp stand_in_run@PLT
    .section .note.GNU-stack, "", @progbits
