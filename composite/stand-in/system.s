# What the composer makes of a system of two components, of which the first imports `tally` and
# `echo` of the second: for each function a symbol that says in which slot the capability is, and the capability.
    .macro invocation function, slot
    .section .ucap, "aw", @progbits
    .balign 4
    .globl __cosrt_ucap_\function
__cosrt_ucap_\function:
    .quad 0, \slot, 0
    .section .invocations, "aw", @progbits
    .quad 1, \slot, 2, __cosrt_s_\function
    .endm

    .section .invocations, "aw", @progbits
    .globl invocations
invocations:
    invocation tally_sum, 68
    invocation tally_who, 72
    invocation tally_more, 76
    invocation tally_wait, 80
    invocation echo_open, 84
    invocation echo_serve, 88
    .section .invocations, "aw", @progbits
    .quad 0, 0, 0, 0
    .section .note.GNU-stack, "", @progbits
