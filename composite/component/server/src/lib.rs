//! A Composite component that others invoke, by the interfaces `tally` and `peer`. Its functions run
//! on the threads of its clients; it has none of its own.
#![no_std]

mod count;
mod hostile;
mod peer;

use core::fmt::Write;
use core::panic::PanicInfo;

use res_kernel::Composite;
use res_kernel::composite::syscall::{Answer, Client, Console};

res_kernel::composite_entries! {
    __cosrt_s_tally_sum = sum;
    __cosrt_s_tally_who = who;
    __cosrt_s_tally_more = count::more;
    __cosrt_s_tally_wait = count::wait;
    __cosrt_s_peer_echo = peer::echo;
    __cosrt_s_peer_offer = peer::offer;
    __cosrt_s_peer_lend = peer::lend;
    __cosrt_s_peer_serve = peer::serve;
    __cosrt_s_peer_host = peer::host;
    __cosrt_s_peer_collect = peer::collect;
    __cosrt_s_peer_supply = peer::supply;
    __cosrt_s_peer_pass = peer::pass;
    __cosrt_s_peer_hold = peer::hold;
    __cosrt_s_peer_write = peer::write;
    __cosrt_s_peer_ask = hostile::ask;
    __cosrt_s_peer_forge = hostile::forge;
}

/// The sum of four words, each as often as its place says; the least, the greatest, and how many are
/// odd.
fn sum(_: Client, words: [u64; 4]) -> Answer {
    let weighed = (1..).zip(words).map(|(place, word): (u64, u64)| word.wrapping_mul(place));
    let sum = weighed.fold(0, u64::wrapping_add);
    let [least, greatest] = [words.into_iter().min(), words.into_iter().max()];
    let odd = words.into_iter().filter(|word| word % 2 == 1).count();
    let extra = [least.unwrap_or(0), greatest.unwrap_or(0), odd as u64];
    Answer { result: sum as i64, extra }
}

/// Which component asks; on which thread, and by what the stack says of the component.
fn who(client: Client, _: [u64; 4]) -> Answer {
    let Caller { thread, client: noted } = Caller::of_this_stack();
    Answer { result: client.id() as i64, extra: [thread, noted, 0] }
}

/// What is at the end of the stack.
struct Caller {
    thread: u64,
    client: u64,
}

impl Caller {
    fn of_this_stack() -> Self {
        let here = 0_u8;
        let end = ((&raw const here).addr() | 8191) + 1;
        // SAFETY: a stack is 8 KiB at a multiple of that; the entry has put these words there.
        let [client, thread] =
            unsafe { core::ptr::with_exposed_provenance::<[u64; 2]>(end - 24).read() };
        Self { thread, client }
    }
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "FAIL the server: {info}");
    Composite::abandon_thread()
}
