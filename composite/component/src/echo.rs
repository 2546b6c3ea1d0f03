//! What the component imports of another one, by channels: `echo`.

use core::ptr::addr_of;

use backend_local::Bridge;
use res_api::{ErrorKind, Fault};
use res_kernel::Composite;
use res_kernel::composite::SharedName;
use res_kernel::composite::syscall::{Invocation, Stub};

unsafe extern "C" {
    static __cosrt_ucap_echo_open: Stub;
    static __cosrt_ucap_echo_serve: Stub;
}

/// The functions of the server.
pub(crate) struct Echo {
    open: Invocation,
    serve: Invocation,
}

impl Echo {
    /// By the composer's symbols.
    pub(crate) fn imported() -> Self {
        // SAFETY: they are the composer's symbols.
        let read = |place| unsafe { Stub::read(place) }.invocation();
        Self {
            open: read(addr_of!(__cosrt_ucap_echo_open)),
            serve: read(addr_of!(__cosrt_ucap_echo_serve)),
        }
    }

    /// Where the channel to there is, and the one from there; and their capacity.
    pub(crate) fn open(&self, machine: Composite) -> Result<([Bridge<Composite>; 2], u32), Fault> {
        let refused = Fault::new(ErrorKind::Denied, "open the echo");
        let one = |which| {
            // SAFETY: a number, and no address; this component is invoked by nobody.
            let answer = unsafe { self.open.call([which, 0, 0, 0]) };
            let capacity = u32::try_from(answer.result).map_err(|_| refused)?;
            // SAFETY: the server's word, which is believed; each is opened once.
            let shared = unsafe { machine.open(SharedName::from_words(answer.extra))? };
            Ok::<_, Fault>((Bridge::found(shared.memory, shared.points), capacity))
        };
        let ((to, capacity), (from, _)) = (one(0)?, one(1)?);
        Ok(([to, from], capacity))
    }

    /// Serves on this thread until the other end of the channel to there has left; how many numbers
    /// came.
    pub(crate) fn serve(&self) -> i64 {
        // SAFETY: no addresses; this component is invoked by nobody, and does not call
        // `sched_thd_wakeup`.
        unsafe { self.serve.call([0; 4]) }.result
    }
}
