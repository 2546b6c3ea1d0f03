//! The table of all cases: requirement, name, threads and size that it needs, text.

use crate::{Case, Harness};

/// Calls a macro of this crate with its arguments and a group of cases.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    (channel: $with:ident $args:tt) => {
        $crate::$with! { $args
            channel {
                "R13" r13_bounded_takes_exactly_capacity(0, MEDIUM):
                    "each capacity is taken exactly, all slots of it, again after each emptying";
                "R13" r13_one_out_makes_room_for_one(0, SMALL):
                    "after a message is taken out of a full channel exactly one fits";
                "R13" r13_order_is_kept_across_wraps(0, MEDIUM):
                    "messages arrive in the order of sending, each once, however often the ring "
                    "wraps";
                "R14" r14_batches_keep_the_order_between_them(0, MEDIUM):
                    "batches of any size, taken one by one and by drain in turn, keep the order "
                    "between them";
                "R14" r14_slices_keep_the_order_and_the_bound(0, SMALL):
                    "slices go in and out as far as they fit, in one order with single messages";
                "R18" r18_slices_see_the_close(0, SMALL):
                    "a slice sent to nobody says so, one that waits to be received is received "
                    "before the close";
                "R13" r13_capacity_zero_is_refused(0, SMALL):
                    "capacity 0 is refused with a defined error";
                "R13" r13_sizes_that_overflow_are_refused(0, SMALL):
                    "sizes that overflow are refused, not wrapped around";
                "R13" r13_messages_of_no_bytes_are_counted(0, SMALL):
                    "tokens, messages of no bytes, are counted like any other";
                "R13" r13_messages_of_any_size_arrive_whole(0, SMALL):
                    "messages of any size and alignment arrive whole";
                "R14" r14_try_reports_full_and_empty(0, SMALL):
                    "operations that do not wait report full and empty";
                "R14" r14_a_passed_deadline_does_not_wait(1, SMALL):
                    "with a deadline that has passed, sending and receiving look once; the "
                    "message comes back. The other side is another thread, so that a deadline "
                    "that is ignored is noticed";
                "R14" r14_a_deadline_ends_a_wait(1, SMALL):
                    "a deadline in the future ends a wait, not before it has passed";
                "R14" r14_a_passed_deadline_does_not_hinder(0, SMALL):
                    "an operation that can succeed does, whatever its deadline";
                "R14" r14_drain_takes_all_and_tells_the_end(0, SMALL):
                    "drain takes all that is there, in order, and says whether more will come";
                "R13" r13_len_and_capacity_agree(0, MEDIUM):
                    "both ends agree on capacity and on how many are queued";
                "R13" r13_stats_count_messages(0, SMALL):
                    "what an end has seen is counted: messages through it";
                "R18" r18_close_is_seen_by_the_other_end(0, SMALL):
                    "each end learns that the other has closed; sending gives the message back";
                "R18" r18_what_was_sent_before_the_close_is_received(0, MEDIUM):
                    "what was sent before the close is received first, then the close";
                "R18" r18_closed_is_stronger_than_full(0, SMALL):
                    "a full channel whose receiver leaves says closed, not full";
                "R18" r18_close_wakes_a_sleeping_receiver(1, MEDIUM):
                    "a receiver asleep wakes when the sender leaves";
                "R18" r18_close_wakes_a_sleeping_sender(1, MEDIUM):
                    "a sender asleep wakes when the receiver leaves, and has its message back";
                "H22" h22_closed_gives_back_what_nobody_received(1, MEDIUM):
                    "a message that comes back with Closed has certainly not been received, and "
                    "all before it were taken by the channel";
                "R8" r8_no_wakeup_is_lost_between_two_ends(1, SMALL):
                    "with one slot and two threads each message and each answer needs a "
                    "wake-up; none is lost";
                "R15" r15_two_threads_keep_order(1, MEDIUM):
                    "two threads at full speed: nothing is lost, doubled or overtaken, and full "
                    "and empty wake";
                "R15" r15_large_messages_are_never_torn(1, SMALL):
                    "a large message written by one thread is read whole by another, never half";
                "R21" r21_a_moved_end_keeps_its_place(0, SMALL):
                    "an end that becomes a capability and an end again, in the middle of "
                    "things, keeps its place: nothing is lost or doubled";
                "R21" r21_wrong_casts_give_the_capability_back(0, SMALL):
                    "an end cast to the other end, to another message, to an end of "
                    "capabilities or to memory comes back unharmed, with the reason";
                "R21" r21_a_cast_looks_at_every_field(0, SMALL):
                    "a cast looks at direction and kind, and at name, version, size, alignment "
                    "and layout of the message";
                "R21" r21_a_cast_checks_the_parts(0, SMALL):
                    "a capability that says the right thing of itself but has no parts is "
                    "refused, unharmed";
                "R21" r21_a_capability_describes_its_end(0, SMALL):
                    "a capability tells kind, direction, message and capacity of its end";
                "R32" r32_ends_need_their_rights(0, SMALL):
                    "without the right to send or to receive an end cannot be used, and rights "
                    "do not return";
                "R23" r23_memory_of_the_caller(0, SMALL):
                    "a channel is made in memory that the caller brings; too little memory "
                    "comes back";
                "R18" r18_ends_leave_in_any_order(0, SMALL):
                    "ends that leave in any order, with messages queued or not, harm nobody";
            }
            trace {
                "R13" r13_boundary_traces_do_what_the_model_does(0, MEDIUM):
                    "traces of operations at the boundaries do what the reference model does";
            }
        }
    };
    (backend: $with:ident $args:tt) => {
        $crate::$with! { $args
            chanchan {
                "R21" r21_an_end_travels(0, SMALL):
                    "an end travels over a channel and works there, in its place; so does what "
                    "is in it";
                "R21" r21_an_end_travels_while_the_other_is_in_use(1, SMALL):
                    "an end changes hands while the other end is in use by another thread";
                "R21" r21_what_is_made_for_a_channel_goes_over_it(0, SMALL):
                    "what is made for a channel goes over it, over and over, in order with all "
                    "else that does, and wherever else it is sent";
                "H10" h10_what_is_made_for_a_channel_is_lost_with_it(0, SMALL):
                    "what is made for a channel and never received closes its channel, as any "
                    "other";
                "R13" r13_capabilities_are_bounded_and_in_order(0, SMALL):
                    "a channel of capabilities is bounded exactly, keeps the order, and gives "
                    "back what does not fit";
                "R13" r13_a_chanchan_of_capacity_zero_is_refused(0, SMALL): "capacity 0 is refused";
                "H10" h10_no_end_travels_over_its_own_channel(0, SMALL):
                    "an end cannot travel over its own channel, in either direction; it comes "
                    "back unharmed";
                "H10" h10_lost_in_transit_closes_its_channel(0, SMALL):
                    "a capability in transit that is never received closes its channel: when "
                    "the receiver leaves, whatever left first";
                "H10" h10_lost_in_transit_closes_what_is_inside(0, SMALL):
                    "the same through two channels: an end in a channel whose end is itself in "
                    "transit";
                "H10" h10_lost_in_transit_wakes_a_sleeper(1, SMALL):
                    "a capability in transit that is lost wakes who sleeps at the other end";
                "R18" r18_capabilities_sent_before_the_close_arrive(0, SMALL):
                    "what was sent before the sender left is received, then the close; a "
                    "receiver asleep wakes";
                "R18" r18_a_capability_comes_back_from_a_closed_channel(0, SMALL):
                    "a capability that comes back because the receiver has left is usable";
                "R5" r5_what_may_not_be_handed_on_is_refused(0, SMALL):
                    "what may not be handed on is refused, comes back, and the channel lives";
                "R32" r32_rights_only_shrink_on_a_journey(0, SMALL):
                    "rights only shrink on a journey";
                "R21" r21_memory_travels(0, SMALL): "memory travels, and is the same memory there";
                "R21" r21_wrong_casts_of_what_arrives(0, SMALL):
                    "wrong casts of what arrives give it back: direction, data or capabilities, "
                    "kind, message";
                "R21" r21_an_end_of_capabilities_keeps_its_place(0, SMALL):
                    "the end of a channel of capabilities keeps its place when it travels";
                "R13" r13_a_full_chanchan_wakes_its_sender(1, SMALL):
                    "a sender of capabilities asleep for room wakes when there is some, and "
                    "when the receiver leaves";
            }
            blockpoint {
                "R8" r8_a_trigger_after_the_checkpoint_is_seen(0, SMALL):
                    "a trigger between checkpoint and wait is not lost, whichever way it wakes";
                "R8" r8_an_old_trigger_ends_no_wait(0, SMALL):
                    "without a trigger the wait goes on to its deadline; an old trigger does "
                    "not end it";
                "R8" r8_a_trigger_reaches_every_checkpoint(0, SMALL):
                    "one trigger is seen by every checkpoint that was taken before it";
                "H2" h2_it_looks_again_after_arming(0, SMALL):
                    "wait_until looks again after it has armed: what comes between the first "
                    "look and the arming is found, and not only at the deadline";
                "R14" r14_wait_until_a_passed_deadline_looks(0, SMALL):
                    "wait_until with a passed deadline looks, and does not wait";
                "R9" r9_armed_says_who_subscribed(0, SMALL):
                    "armed says whether a trigger would reach somebody; a trigger disarms";
                "R18" r18_telling_ends_waits_and_stays(0, SMALL):
                    "who is told that the other side is gone stops waiting, now and later; each "
                    "side is told its own, and the stronger reason stays";
                "R8" r8_a_clone_is_the_same(0, SMALL): "a clone is the same blockpoint";
                "Q1" q1_a_blockpoint_is_a_source(0, SMALL): "a blockpoint is a source";
                "R8" r8_no_wakeup_is_lost(1, SMALL):
                    "two threads in turn, each step a change and a trigger: no wake-up is lost";
                "R8" r8_all_waiters_are_reached(2, MEDIUM):
                    "several wait on one blockpoint; a trigger for all reaches each of them, in "
                    "each round";
                "H1" h1_waking_one_of_several_loses_nothing(2, SMALL):
                    "one of several is woken for each permit, whoever it is; no permit is left "
                    "while somebody sleeps, because who wakes takes one and a trigger that woke "
                    "nobody is not forgotten";
                "R18" r18_telling_wakes_sleepers(1, MEDIUM): "telling wakes those who sleep";
                "H23" h23_idle_answers_what_was_told(0, SMALL):
                    "a snapshot shows what waiters were told, and idle repeats it";
            }
            evtgrp {
                "R26" r26_group_reports_each_source(1, SMALL):
                    "receivers, senders, blockpoints, timers and threads in one group: each is "
                    "reported with its kind and the datum that the client chose";
                "R26" r26_none_of_several_at_once_is_lost(0, MEDIUM):
                    "several sources that become ready at once are all reported, each once";
                "R29" r29_edge_coalesces_without_loss(0, SMALL):
                    "several triggers of an edge-triggered source before a wait are one event; "
                    "a later one is another";
                "R29" r29_level_reports_until_idle(0, SMALL):
                    "a level-triggered source is reported at each wait until its end finds "
                    "nothing";
                "R29" r29_level_senders_report_room(0, SMALL):
                    "a sender is level-triggered on room";
                "H23" h23_idle_loses_no_event(1, SMALL):
                    "going idle at the very moment when something comes does not lose it: "
                    "level-triggered, two threads";
                "H23" h23_an_old_snapshot_takes_nothing_away(0, SMALL):
                    "who goes idle with an old snapshot does not take away what came since";
                "R8" r8_no_wakeup_is_lost_through_a_group(2, SMALL):
                    "two threads send, edge-triggered; who waits on the group and drains misses "
                    "nothing";
                "R26" r26_added_when_ready_is_pending(0, SMALL):
                    "a source that is ready when it is added is pending at once";
                "R18" r18_a_group_reports_the_close(0, SMALL):
                    "the close of a channel is an event at either end, and stays one for a "
                    "level-triggered end";
                "R26" r26_a_removed_source_is_silent(0, MEDIUM):
                    "a source taken out is not reported any more, pending or not; its place is "
                    "free, and it can go into another group";
                "R26" r26_a_full_group_has_no_slots(0, SMALL):
                    "a full group says NoSlots; a place given back is used again";
                "R26" r26_a_source_is_watched_once(0, SMALL):
                    "a source that a group watches already is refused, by this group and by "
                    "another";
                "R26" r26_a_group_of_capacity_zero_is_refused(0, SMALL):
                    "a group of no places is refused";
                "R26" r26_a_closed_group_says_so(0, SMALL):
                    "a closed group says so to everybody who waits or adds, now and later, "
                    "whatever is pending";
                "R26" r26_dropped_in_any_order(0, SMALL):
                    "source, group and registration may be dropped in any order";
                "R26" r26_no_source_starves(0, MEDIUM):
                    "a source that is ready all the time does not starve the others";
                "R14" r14_a_group_wait_keeps_its_deadline(0, SMALL):
                    "a wait with a deadline that has passed looks, and comes back";
                "R26" r26_hundreds_of_sources(0, LARGE):
                    "hundreds of sources in one group, on no helper thread; the right one is "
                    "found";
                "R26" r26_ends_say_whether_they_are_ready(0, SMALL):
                    "ends of channels say what they are and whether they are ready";
            }
            timer {
                "R7" r7_a_timer_expires_once_and_not_before(0, SMALL):
                    "a timer expires once at its time, not before, and is then quiet";
                "R7" r7_a_timer_of_the_past_and_one_of_the_future(0, SMALL):
                    "a timer that is due already reports at once; one that is not, not at all";
                "R7" r7_a_periodic_timer_counts(0, SMALL):
                    "a periodic timer expires again and again, and counts what was missed";
                "R7" r7_set_anew_and_cancelled(0, SMALL):
                    "setting a timer anew forgets what has expired; cancelling stops it";
                "R7" r7_a_period_of_zero_is_refused(0, SMALL): "a period of 0 is refused";
                "R7" r7_a_waiter_follows_a_timer_set_earlier(1, SMALL):
                    "whoever waits for a timer learns that it is set to an earlier time";
                "R7" r7_sleep_lasts_until_then(0, SMALL):
                    "sleeping lasts until its time, not less; sleeping until the past does not "
                    "sleep";
            }
            thread {
                "R6" r6_a_thread_runs_when_it_is_started(1, SMALL):
                    "making a thread does not run it; starting it does, once; joining returns "
                    "after its end";
                "R6" r6_a_second_start_is_invalid(1, SMALL):
                    "a second start is Invalid, while it runs and after";
                "R7" r7_a_thread_knows_its_id(1, SMALL):
                    "a thread knows who it is; the id is not 0 and not that of another living "
                    "thread";
                "R6" r6_dropped_before_the_start_it_never_runs(1, SMALL):
                    "dropped before the start, a thread never runs, and what its body owns is "
                    "dropped";
                "R6" r6_dropped_after_the_start_it_runs_on(1, SMALL):
                    "dropped after the start, a thread runs on; at its end what it owned is "
                    "dropped";
                "R23" r23_a_body_that_does_not_fit_comes_back(1, SMALL):
                    "a body that does not fit the memory that was brought is refused; both come "
                    "back";
                "R7" r7_many_threads_one_after_the_other(1, MEDIUM):
                    "threads one after the other, many more than there are at one time";
                "R6" r6_one_thread_too_many_is_no_slots(1, SMALL):
                    "where the number of threads is stated, one more is NoSlots, and the body "
                    "comes back";
                "R7" r7_senseless_parameters_are_refused(1, SMALL):
                    "a parameter that makes no sense is refused, never ignored";
                "R26" r26_a_thread_is_a_source(1, SMALL): "a thread is a source: ready at its end";
                "R7" r7_yield_comes_back(1, SMALL):
                    "yielding, to anybody or to a named thread, comes back";
            }
            mem {
                "R31" r31_new_memory_is_zero_and_aligned(0, MEDIUM):
                    "new memory is at least as large as asked for, zero, and begins at a "
                    "multiple of 64";
                "R31" r31_impossible_sizes_are_refused(0, SMALL):
                    "no bytes are Invalid, more than there can be are NoMemory";
                "R31" r31_an_alias_sees_what_is_written(0, SMALL):
                    "what private memory held is seen after sharing; an alias sees what another "
                    "handle writes";
                "R31" r31_a_view_outlives_the_handles(0, SMALL): "a view outlives the handles";
                "R31" r31_bounds_are_checked(0, SMALL):
                    "every access outside of the bounds is refused, also where the offset "
                    "overflows";
                "R32" r32_rights_of_memory_are_kept(0, SMALL):
                    "who may not write cannot; who may not map with more cannot";
                "R32" r32_memory_keeps_its_rights_as_a_capability(0, SMALL):
                    "memory as a capability says how large it is, and rights taken away do not "
                    "return";
                "H18" h18_unshared_only_when_alone(0, SMALL):
                    "memory becomes private again only for the one who is alone with it";
                "R31" r31_neighbours_are_not_disturbed(1, MEDIUM):
                    "bytes beside those that one thread writes are not disturbed by another "
                    "that writes these";
                "R31" r31_words_are_atomic(1, SMALL):
                    "words are atomics: two threads that count on one lose nothing";
            }
            component {
                "R34" r34_a_component_runs_and_ends(1, SMALL):
                    "a component takes what it was endowed with and works; its end is seen, and "
                    "closes what it held";
                "R34" r34_a_second_start_is_invalid(1, SMALL):
                    "a second start is Invalid, while it runs and after its end";
                "R34" r34_a_fault_is_seen_by_the_creator(1, SMALL):
                    "the fault that a component returns is what its creator sees";
                "R3" r3_endowments_are_found_by_name(1, SMALL):
                    "a component finds everything that it was endowed with, by name and by "
                    "type, once: ends of data and of capabilities, memory, values";
                "R3" r3_a_wrong_take_leaves_it_there(1, SMALL):
                    "taken with a wrong type, an endowment stays";
                "R34" r34_endowments_that_are_refused_come_back(1, SMALL):
                    "endowing under a taken name is Exists, after the start Invalid, without "
                    "the right to hand on Denied; the capability comes back usable";
                "R34" r34_dropped_before_the_start_it_closes(0, SMALL):
                    "dropped before the start, a component never runs, and what it was endowed "
                    "with closes";
                "R34" r34_dropped_after_the_start_it_runs_on(1, SMALL):
                    "dropped after the start, a component runs on";
                "R34" r34_what_it_did_not_take_closes(1, SMALL):
                    "what a component was endowed with and did not take closes at its end";
                "H14" h14_a_panic_is_a_death_that_peers_see(1, SMALL):
                    "a component that panics has died: what it sent is received first, then "
                    "PeerGone, on each of its ends, and whoever sleeps there wakes";
                "R26" r26_a_component_is_a_source(2, SMALL):
                    "a component is a source: ready at its end, also at its death";
                "R34" r34_stop_wakes_a_receiver(1, SMALL):
                    "stopping wakes a component that waits for a message";
                "R34" r34_stop_wakes_a_sender(1, SMALL):
                    "stopping wakes a component that waits for room";
                "R34" r34_stop_wakes_a_group(1, SMALL):
                    "stopping wakes a component that waits on a group";
                "R34" r34_stop_wakes_a_timer(1, SMALL):
                    "stopping wakes a component that waits for a timer";
                "R34" r34_stop_wakes_a_receiver_of_capabilities(1, SMALL):
                    "stopping wakes a component that waits for a capability";
                "R34" r34_stop_reaches_what_is_taken_later(1, SMALL):
                    "what a component takes only after it was stopped is closed too";
                "R34" r34_stop_reaches_what_is_received_later(1, SMALL):
                    "what a component receives only after it was stopped is closed too";
                "R34" r34_stopped_before_the_start_it_never_runs(0, SMALL):
                    "a component that was stopped before it was started does not start";
                "R36" r36_a_delegated_end_outlives_its_maker(1, SMALL):
                    "an end that a component made and gave away outlives it; what it kept "
                    "closes";
                "H10" h10_death_closes_what_is_in_transit(1, SMALL):
                    "a component dies with an end in transit to nobody: its peers see that too";
                "R21" r21_ends_are_made_for_each_request(1, SMALL):
                    "ends that are made for a channel go over it to another component, come "
                    "back, are used and dropped, over and over";
                "R3" r3_slots_check_descriptions(0, SMALL):
                    "a description tells a slot whether it holds what it says";
            }
            names {
                "R3" r3_published_memory_is_shared(0, SMALL):
                    "memory that is published is shared with everybody who asks";
                "R3" r3_a_published_end_goes_to_the_first(0, SMALL):
                    "an end that is published goes to the first who asks, in its place";
                "R3" r3_a_published_sender_of_capabilities_is_shared(0, SMALL):
                    "the sending end of a channel of capabilities that is published is shared";
                "R3" r3_an_unknown_name_is_not_found(0, SMALL):
                    "a name that nobody published is NotFound";
                "R3" r3_a_name_is_published_once(0, SMALL):
                    "a name that is taken is Exists; the capability comes back, and the first "
                    "stays";
                "R5" r5_what_may_not_be_handed_on_is_not_published(0, SMALL):
                    "what may not be handed on may not be published";
                "R32" r32_looking_up_widens_no_rights(0, SMALL):
                    "what is looked up has no more rights than what was published";
                "R3" r3_a_name_dies_with_its_component(1, SMALL):
                    "another component finds what one has published; names die with who "
                    "published them";
            }
        }
    };
    (shared: $with:ident $args:tt) => {
        $crate::$with! { $args
            shared {
                "R26" r26_closing_wakes_who_waits(2, MEDIUM):
                    "closing a group wakes everybody who waits on it";
                "R26" r26_an_event_goes_to_one_of_several(2, SMALL):
                    "each event goes to one of several that wait, none to two and none to "
                    "nobody";
            }
        }
    };
    (any: $with:ident $args:tt) => {
        $crate::$with! { $args
            any {
                "H18" h18_a_received_value_is_dropped_once(0, SMALL):
                    "a value that is received is dropped once, by who received it";
                "H18" h18_queued_values_are_dropped_once(0, SMALL):
                    "values that are queued when the ends leave, in either order, are dropped "
                    "once";
                "H22" h22_a_value_that_comes_back_is_dropped_once(0, SMALL):
                    "a value that comes back because the channel is full or closed is dropped "
                    "once";
                "R15" r15_text_travels_between_threads(1, SMALL):
                    "text goes from thread to thread whole";
                "H22" h22_no_value_is_lost_or_doubled_by_a_close(1, MEDIUM):
                    "the sender's values are all accounted for when the receiver leaves at any "
                    "moment";
            }
        }
    };
    (model: $with:ident $args:tt) => {
        $crate::$with! { $args
            model {
                "R13" r13_a_channel_does_what_its_model_does(0, MEDIUM):
                    "a channel does what its model does: order, bound, deadlines, close in "
                    "every order, ends that move";
                "R26" r26_a_group_does_what_its_model_does(0, MEDIUM):
                    "a group does what its model does: coalescing without loss, level until "
                    "idle, removal, full and closed groups";
                "R8" r8_a_blockpoint_does_what_its_model_does(0, MEDIUM):
                    "a blockpoint does what its model does: which waits a trigger ends, and who "
                    "is told what";
                "R31" r31_memory_does_what_its_model_does(0, MEDIUM):
                    "memory does what an array does, through any view with the rights, within "
                    "its bounds";
                "R21" r21_casts_do_what_their_model_does(0, MEDIUM):
                    "a cast accepts a description only if every field is right; whatever it "
                    "refuses comes back with its description and with rights that only ever "
                    "shrank";
            }
        }
    };
}
/// How much a case of that size needs.
#[doc(hidden)]
#[macro_export]
macro_rules! __needs {
    ($threads:literal, SMALL) => {
        $crate::Budget { threads: $threads, objects: 100, bytes: 32 << 10 }
    };
    ($threads:literal, MEDIUM) => {
        $crate::Budget { threads: $threads, objects: 600, bytes: 128 << 10 }
    };
    ($threads:literal, LARGE) => {
        $crate::Budget { threads: $threads, objects: 1500, bytes: 512 << 10 }
    };
}

/// One case, as a value.
#[doc(hidden)]
#[macro_export]
macro_rules! __case {
    ($module:ident $requirement:literal $name:ident ($threads:literal, $size:ident) $($text:literal)+) => {
        $crate::Case {
            name: stringify!($name),
            requirement: $requirement,
            text: concat!($($text),+),
            needs: $crate::__needs!($threads, $size),
            run: $crate::$module::$name,
        }
    };
}

/// The cases of a group as an array.
#[doc(hidden)]
#[macro_export]
macro_rules! __array {
    (() $($module:ident {
        $($requirement:literal $name:ident($threads:literal, $size:ident): $($text:literal)+;)*
    })*) => {
        [$($($crate::__case!($module $requirement $name ($threads, $size) $($text)+),)*)*]
    };
}

/// The cases of a group as tests over a harness.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (($harness:ty) $($module:ident {
        $($requirement:literal $name:ident($threads:literal, $size:ident): $($text:literal)+;)*
    })*) => {
        $crate::__tests! { @each ($harness) $($(
            ($module $requirement $name ($threads, $size) $($text)+)
        )*)* }
    };
    (@each $harness:tt $($case:tt)*) => {
        $($crate::__tests! { @one $harness $case })*
    };
    (@one ($harness:ty) ($module:ident $requirement:literal $name:ident $needs:tt $($text:literal)+)) => {
        #[doc = concat!($($text),+)]
        #[test]
        fn $name() {
            $crate::run_as_test::<$harness>(
                &$crate::__case!($module $requirement $name $needs $($text)+),
            );
        }
    };
}

/// Every case of the suite, for a harness: the checklist, and what a machine without a test runner
/// runs.
///
/// ```
/// use res_conformance::{Harness, Verdict, cases};
///
/// fn run_all<H: Harness>(h: &H, mut report: impl FnMut(&str, Verdict)) {
///     for case in cases::<H>() {
///         report(case.name, case.check(h));
///     }
/// }
/// ```
pub fn cases<H: Harness>() -> impl Iterator<Item = Case<H>> {
    Table::<H>::ALL.iter().flat_map(|group| group.iter()).copied()
}

/// The cases for a harness: constants, which take no room on a stack.
struct Table<H>(core::marker::PhantomData<H>);

impl<H: Harness> Table<H> {
    const ALL: &[&[Case<H>]] = &[
        &__cases!(channel: __array ()),
        &__cases!(backend: __array ()),
        #[cfg(feature = "std")]
        &__cases!(shared: __array ()),
        #[cfg(feature = "proptest")]
        &__cases!(model: __array ()),
    ];
}

/// Instantiates every case for a [`Harness`], each as a `#[test]` named for what it checks.
///
/// `conformance!(name, Harness)` makes a module `name` with all of them; `conformance!(channel
/// name, Harness)` those of channels alone, for another kind or other attributes;
/// `conformance!(any name, Harness)` those of channels of any type, for a harness that is
/// [`AnyChan`](crate::any::AnyChan).
///
/// ```
/// # use backend_local::Local;
/// # use chan_impls::Spsc;
/// # use res_conformance::{Budget, Harness};
/// #[derive(Default)]
/// struct Mine;
///
/// impl Harness for Mine {
///     // ...
/// #     type Backend = Local;
/// #     type Kind = Spsc;
/// #     const NAME: &'static str = "Local";
/// #     fn budget() -> Budget { Budget::UNLIMITED }
/// #     fn fresh(&self) -> Local { Local::new().expect("a system") }
/// }
///
/// res_conformance::conformance!(mine, Mine);
/// ```
#[cfg(feature = "std")]
#[macro_export]
macro_rules! conformance {
    ($name:ident, $harness:ty) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::__cases! { channel: __tests ($harness) }
            $crate::__cases! { backend: __tests ($harness) }
            $crate::__cases! { shared: __tests ($harness) }
            $crate::__model_tests! { $harness }
        }
    };
    (channel $name:ident, $harness:ty) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::__cases! { channel: __tests ($harness) }
        }
    };
    (any $name:ident, $harness:ty) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $crate::__cases! { any: __tests ($harness) }
        }
    };
}

/// The state machines, where the suite has them.
#[cfg(feature = "proptest")]
#[doc(hidden)]
#[macro_export]
macro_rules! __model_tests {
    ($harness:ty) => {
        $crate::__cases! { model: __tests ($harness) }
    };
}

/// The state machines, where the suite has them.
#[cfg(not(feature = "proptest"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __model_tests {
    ($harness:ty) => {};
}
