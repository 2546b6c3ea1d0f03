# What the composer makes of a system of two components, of which the first imports `tally` of the
# second: for each function a symbol that says in which slot the capability is, and the capability.
    .macro invocation function, slot
    .section .ucap, "aw", @progbits
    .balign 4
    .globl __cosrt_ucap_tally_\function
__cosrt_ucap_tally_\function:
    .quad 0, \slot, 0
    .section .invocations, "aw", @progbits
    .quad 1, \slot, 2, __cosrt_s_tally_\function
    .endm

    .section .invocations, "aw", @progbits
    .globl invocations
invocations:
    invocation sum, 68
    invocation who, 72
    invocation more, 76
    invocation wait, 80
    .section .invocations, "aw", @progbits
    .quad 0, 0, 0, 0
    .section .note.GNU-stack, "", @progbits
