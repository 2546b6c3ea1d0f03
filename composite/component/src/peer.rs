//! What the component imports of two others, which are the same program: `peer`, and `third`.
//!
//! Names are numbers here, to fit into an invocation.

use core::ptr::addr_of;

use res_api::{ErrorKind, Fault, Name};
use res_kernel::composite::syscall::{Answer, Invocation, Stub};

unsafe extern "C" {
    static __cosrt_ucap_peer_echo: Stub;
    static __cosrt_ucap_peer_offer: Stub;
    static __cosrt_ucap_peer_lend: Stub;
    static __cosrt_ucap_peer_serve: Stub;
    static __cosrt_ucap_peer_host: Stub;
    static __cosrt_ucap_peer_collect: Stub;
    static __cosrt_ucap_peer_supply: Stub;
    static __cosrt_ucap_peer_pass: Stub;
    static __cosrt_ucap_peer_hold: Stub;
    static __cosrt_ucap_peer_write: Stub;
    static __cosrt_ucap_peer_ask: Stub;
    static __cosrt_ucap_third_echo: Stub;
    static __cosrt_ucap_third_forge: Stub;
    static __cosrt_ucap_third_ask: Stub;
    static __cosrt_ucap_sinv_ask: Stub;
}

/// A function of another component.
#[derive(Clone, Copy)]
pub(crate) struct Peer(*const Stub);

impl Peer {
    /// Numbers that come by the first go back by the second.
    pub(crate) const ECHO: Self = Self(addr_of!(__cosrt_ucap_peer_echo));
    /// A channel: its name, its capacity, and how many numbers are sent.
    pub(crate) const OFFER: Self = Self(addr_of!(__cosrt_ucap_peer_offer));
    /// The same with pages.
    pub(crate) const LEND: Self = Self(addr_of!(__cosrt_ucap_peer_lend));
    /// Answers calls.
    pub(crate) const SERVE: Self = Self(addr_of!(__cosrt_ucap_peer_serve));
    /// The same, as a service of that name, for so many clients.
    pub(crate) const HOST: Self = Self(addr_of!(__cosrt_ucap_peer_host));
    /// The sum of what comes first by each end that comes.
    pub(crate) const COLLECT: Self = Self(addr_of!(__cosrt_ucap_peer_collect));
    /// Sends so many ends.
    pub(crate) const SUPPLY: Self = Self(addr_of!(__cosrt_ucap_peer_supply));
    /// From one name to another.
    pub(crate) const PASS: Self = Self(addr_of!(__cosrt_ucap_peer_pass));
    /// Keeps what is under the name, and lets go of what it kept before; 0 is no name.
    pub(crate) const HOLD: Self = Self(addr_of!(__cosrt_ucap_peer_hold));
    /// The name of a memory, an offset, a word.
    pub(crate) const WRITE: Self = Self(addr_of!(__cosrt_ucap_peer_write));
    /// What the words say, to the manager.
    pub(crate) const ASK: Self = Self(addr_of!(__cosrt_ucap_peer_ask));
    /// The same as `ECHO`, in the third component.
    pub(crate) const THIRD_ECHO: Self = Self(addr_of!(__cosrt_ucap_third_echo));
    /// The third component tries to publish what is not its own, under a name of what is.
    pub(crate) const THIRD_FORGES: Self = Self(addr_of!(__cosrt_ucap_third_forge));
    /// What the words say, to the manager, in the third component.
    pub(crate) const THIRD_ASKS: Self = Self(addr_of!(__cosrt_ucap_third_ask));

    /// What the words say, to the manager, by this component.
    pub(crate) const OWN_ASKS: Self = Self(addr_of!(__cosrt_ucap_sinv_ask));

    /// Calls it with some words.
    pub(crate) fn call(self, words: [u64; 4]) -> Answer {
        // SAFETY: a symbol of the composer's.
        let function: Invocation = unsafe { Stub::read(self.0) }.invocation();
        // SAFETY: numbers, and no addresses; this component is invoked by nobody, and does not call
        // `sched_thd_wakeup`.
        unsafe { function.call(words) }
    }

    /// The same for what answers with a number, or the code of what went wrong.
    pub(crate) fn get(self, words: [u64; 4]) -> Result<u64, Fault> {
        let result = self.call(words).result;
        u64::try_from(result).map_err(|_| {
            let kind = u32::try_from(-result).ok().and_then(ErrorKind::from_code);
            Fault::new(kind.unwrap_or(ErrorKind::Other), "another component")
        })
    }
}

/// The name of that number.
pub(crate) fn name(number: u64) -> Result<Name, Fault> {
    Ok(Name::numbered("end", number as u32)?)
}
