//! A component without a runtime: what it says to the manager, and what it gets.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::vec::Vec;

use backend_local::outside::HEADER;
use res_api::{Deadline, ErrorKind, Slot, Value};
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_kernel::{KernelMemory, Passed, Place, Socket};

use crate::request::{Hello, Request, Said, Told};
use crate::wire::Wire;

/// What a component is told first.
pub(crate) struct Begun {
    pub(crate) hello: Hello,
    pub(crate) board: Option<LinuxMemory>,
}

/// Who it is, and its board.
pub(crate) fn begin(socket: &LinuxSocket) -> Begun {
    let (mut bytes, mut places) = ([0; Hello::BYTES], [None]);
    let received = socket.recv(&mut bytes, &mut places, Deadline::NEVER).expect("a greeting");
    let [board] = places;
    let hello = Hello::decoded(&bytes[..received.bytes]).expect("a greeting");
    Begun { hello, board: board.and_then(Passed::into_memory) }
}

/// Asks, and waits for the answer and the memory that comes with it; none once the manager has had
/// enough.
pub(crate) fn ask_for(socket: &LinuxSocket, request: &Request) -> Option<(Said, Vec<LinuxMemory>)> {
    while let Err(error) = socket.send(&request.encoded(), &[]) {
        if error.kind != ErrorKind::NoSlots {
            return None;
        }
        std::thread::yield_now();
    }
    if !request.is_answered() {
        return Some((Said::Done(), Vec::new()));
    }
    loop {
        let mut bytes = [0; LinuxSocket::MOST_BYTES];
        let mut places: [Place<LinuxSocket>; LinuxSocket::MOST_OBJECTS] = [const { None }; _];
        let received = socket.recv(&mut bytes, &mut places, Deadline::NEVER).ok()?;
        let Told { said, .. } = Told::decoded(&bytes[..received.bytes])?;
        // What comes ahead of being asked for is no answer.
        if !matches!(said, Said::Ahead(..)) {
            let memories = places.into_iter().flatten().filter_map(Passed::into_memory);
            return Some((said, memories.collect()));
        }
    }
}

/// Asks, and waits for the answer.
pub(crate) fn ask(socket: &LinuxSocket, request: &Request) -> Option<Said> {
    ask_for(socket, request).map(|(said, _)| said)
}

/// All words of an object.
pub(crate) fn words(memory: &LinuxMemory) -> &[AtomicU64] {
    // SAFETY: all of it is mapped for writing as long as it is borrowed.
    unsafe { core::slice::from_raw_parts(memory.base().as_ptr().cast(), memory.len() as usize / 8) }
}

/// The value that it was endowed with. (What it knows of its environment is nothing.)
pub(crate) fn value(socket: &LinuxSocket, slot: Slot<Value<u64>>) -> u64 {
    let (_, given) = ask_for(socket, &Request::Take(slot.name())).expect("the manager lives");
    words(&given[0])[HEADER / 8].load(SeqCst)
}
