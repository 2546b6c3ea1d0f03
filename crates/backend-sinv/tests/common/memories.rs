//! What an end lies in.

use backend_sinv::Sinv;
use res_api::{AnyCap, Backend, Fault, Rights, SharedMem};

pub(crate) type Cap = <Sinv as Backend>::Cap;

/// All memory that an end lies in, that of its inner ends first, to scribble over.
pub(crate) fn memories(cap: &Cap) -> Result<Vec<<Sinv as Backend>::Map>, Fault> {
    let inner = (0..2).filter_map(|index| cap.end(index));
    // SAFETY: not kept at all, which is the point: words alone are used, and whoever writes what it
    // must not is a process of its own.
    let memory = |cap: &Cap| unsafe { cap.mem(0) };
    let all = inner.filter_map(|end| memory(&end)).chain(memory(cap));
    all.map(|memory| Ok(memory.map(Rights::READ | Rights::WRITE)?)).collect()
}
