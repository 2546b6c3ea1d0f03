//! Two domains that take turns, by event counts in an object that both have mapped.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_kernel::{Isolation, Kernel, KernelMemory, Linux, Passed, Socket};
use res_sync::{Barrier, Deadline, Event, Park, WaitError, Wake};

const MACHINE: Linux = Linux::new();

fn late() -> Deadline {
    Deadline::at(MACHINE.now() + Duration::from_secs(60))
}

pub(crate) fn words(memory: &LinuxMemory) -> &[AtomicU64; 2] {
    // SAFETY: a page at least, zeroed at first, mapped for writing as long as the memory lives; both
    // sides use it by atomics only.
    unsafe { memory.base().cast().as_ref() }
}

/// Half of the rounds with each barrier.
fn play(memory: &LinuxMemory, mine: u64, rounds: u64) -> Result<(), WaitError> {
    play_with(Barrier::Fence, memory, mine, rounds / 2)?;
    play_with(MACHINE.barrier(), memory, rounds / 2 + mine, rounds)
}

pub(crate) fn play_with(
    barrier: Barrier,
    memory: &LinuxMemory,
    mine: u64,
    rounds: u64,
) -> Result<(), WaitError> {
    let (point, [turn, word]) = (MACHINE.point().expect("a place"), words(memory));
    MACHINE.between(&point);
    let event = Event { park: &MACHINE, point: &point, word, barrier };
    for mine in (mine..rounds).step_by(2) {
        event.wait_until(late(), || (turn.load(SeqCst) == mine).then_some(()))?;
        turn.store(mine + 1, SeqCst);
        event.trigger(Wake::All);
    }
    Ok(())
}

fn rounds() -> u64 {
    if std::env::var_os("RES_LONG").is_some_and(|value| value == "1") { 400_000 } else { 20_000 }
}

/// Takes turns with who has the other end, and runs [`second`].
pub(crate) fn first(socket: &LinuxSocket) {
    let (memory, rounds) = (MACHINE.memory(1).expect("memory"), rounds());
    socket.send(&rounds.to_ne_bytes(), &[Passed::Memory(&memory)]).expect("it listens");
    play(&memory, 0, rounds).expect("no wake-up is lost");
    // The last turn is the other one's.
    let over = socket.recv(&mut [], &mut [], late());
    assert!(over.is_err_and(|error| error.kind == res_api::ErrorKind::PeerGone));
    assert_eq!(words(&memory)[0].load(SeqCst), rounds);
}

pub(crate) fn second(_: Linux, socket: LinuxSocket) {
    let (mut rounds, mut place) = ([0; 8], [None]);
    socket.recv(&mut rounds, &mut place, late()).expect("the other side sends");
    let memory = place[0].take().and_then(Passed::into_memory).expect("an object came");
    play(&memory, 1, u64::from_ne_bytes(rounds)).expect("no wake-up is lost");
}
