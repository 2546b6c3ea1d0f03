# What the composer makes for a component that imports `sinv`: by what symbol it finds the capability.
    .section .ucap, "aw", @progbits
    .balign 4
    .globl __cosrt_ucap_sinv_ask
__cosrt_ucap_sinv_ask:
    .quad 0, 68, 0
    .section .note.GNU-stack, "", @progbits
