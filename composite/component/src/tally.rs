//! What the component imports of another one, by invocation: `tally`.

use core::ptr::addr_of;

use res_kernel::composite::syscall::{Answer, Invocation, Stub};

unsafe extern "C" {
    static __cosrt_ucap_tally_sum: Stub;
    static __cosrt_ucap_tally_who: Stub;
    static __cosrt_ucap_tally_more: Stub;
    static __cosrt_ucap_tally_wait: Stub;
}

/// The functions of the server.
pub(crate) struct Tally {
    sum: Invocation,
    who: Invocation,
    more: Invocation,
    wait: Invocation,
}

impl Tally {
    /// By the composer's symbols.
    pub(crate) fn imported() -> Self {
        // SAFETY: they are the composer's symbols.
        let read = |place| unsafe { Stub::read(place) }.invocation();
        Self {
            sum: read(addr_of!(__cosrt_ucap_tally_sum)),
            who: read(addr_of!(__cosrt_ucap_tally_who)),
            more: read(addr_of!(__cosrt_ucap_tally_more)),
            wait: read(addr_of!(__cosrt_ucap_tally_wait)),
        }
    }

    /// The sum of the words, each as often as its place says; the least, the greatest, and how many are odd.
    pub(crate) fn sum(&self, words: [u64; 4]) -> Answer {
        // SAFETY: any words will do, and no addresses are among them; this component is invoked by
        // nobody.
        unsafe { self.sum.call(words) }
    }

    /// Which component the server sees; the thread, and once more the component.
    pub(crate) fn who(&self) -> Answer {
        // SAFETY: as above.
        unsafe { self.who.call([0; 4]) }
    }

    /// One more; how many there are.
    pub(crate) fn more(&self) -> i64 {
        // SAFETY: as above.
        unsafe { self.more.call([0; 4]) }.result
    }

    /// Waits until there are more than that; how many.
    pub(crate) fn wait(&self, seen: i64) -> i64 {
        // SAFETY: as above. Nothing in this component calls `sched_thd_wakeup`.
        unsafe { self.wait.call([seen as u64, 0, 0, 0]) }.result
    }
}
