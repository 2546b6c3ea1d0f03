# What the composer makes of a system of four components. The first one, which has an entry of its own,
# imports functions of two that are the same program: `tally` and `peer` of the second, and `third`,
# which is `peer` of the third. All three import `sinv` of the fourth, the manager. For each function that
# the first one imports there is a symbol that says in which slot the capability is; the others have
# theirs in `server.s`. For each that anybody imports there is the capability. The stand-in is told where
# the others have their stacks.
    .macro capability client, slot, server, entry
    .section .invocations, "aw", @progbits
    .quad \client, \slot, \server, \entry
    .endm

    .macro invocation function, slot, server
    .section .ucap, "aw", @progbits
    .balign 4
    .globl __cosrt_ucap_\function
__cosrt_ucap_\function:
    .quad 0, \slot, 0
    capability 1, \slot, \server, __cosrt_s_\function
    .endm

    .section .invocations, "aw", @progbits
    .globl invocations
invocations:
    invocation tally_sum, 68, 2
    invocation tally_who, 72, 2
    invocation tally_more, 76, 2
    invocation tally_wait, 80, 2
    invocation peer_echo, 84, 2
    invocation peer_offer, 88, 2
    invocation peer_lend, 92, 2
    invocation peer_pass, 96, 2
    invocation peer_hold, 100, 2
    invocation peer_write, 104, 2
    invocation peer_ask, 108, 2
    invocation third_echo, 112, 3
    invocation third_forge, 116, 3
    invocation third_ask, 120, 3
    invocation peer_serve, 128, 2
    invocation peer_collect, 132, 2
    invocation peer_supply, 136, 2
    invocation peer_host, 140, 2
    invocation sinv_ask, 124, 4
    capability 2, 68, 4, __cosrt_s_sinv_ask
    capability 3, 68, 4, __cosrt_s_sinv_ask
    .section .invocations, "aw", @progbits
    .quad 0, 0, 0, 0

    .section .served, "aw", @progbits
    .globl served
served:
    .quad 2, second_stacks
    .quad 3, third_stacks
    .quad 4, manager_stacks
    .quad 0, 0
    .section .note.GNU-stack, "", @progbits
