//! A domain that tries all attacks, whichever program it executes.

use std::time::Duration;

use res_kernel::linux::LinuxSocket;
use res_kernel::{KernelMemory, Linux, Passed, Socket};
use res_sync::{Deadline, Park};

use super::attacks::{self, Attack, Control, Scene, outcome};

/// All attacks for this processor.
pub(crate) fn all_attacks() -> Vec<&'static Attack> {
    let attacks = attacks::ATTACKS.iter();
    #[cfg(target_arch = "x86_64")]
    let attacks = attacks.chain(attacks::x86::ATTACKS);
    attacks.collect()
}

/// Tries them all, and says what became of each.
pub(crate) fn attacks_all(machine: Linux, socket: LinuxSocket) {
    let late = Deadline::at(machine.now() + Duration::from_secs(60));
    let (mut words, mut place) = ([[0; 8]; 3], [None]);
    socket.recv(words.as_flattened_mut(), &mut place, late).expect("the other side sends");
    let object = place[0].take().and_then(Passed::into_memory).expect("an object came");
    // SAFETY: asks for the seals of whatever is there.
    let sealed = |descriptor: &i32| unsafe { libc::fcntl(*descriptor, libc::F_GET_SEALS) } > 0;
    let [victim, address, confined] = words.map(u64::from_ne_bytes);
    let scene = Scene {
        victim: victim as i32,
        address,
        object: object.base().as_ptr(),
        descriptor: (3..64).find(sealed).expect("the object has one"),
    };
    for attack in all_attacks() {
        let tried = confined == 1 || attack.control != Control::Harms;
        let outcome = if tried { outcome(attack, &scene) } else { 0 };
        socket.send(&outcome.to_ne_bytes(), &[]).expect("the other side counts");
    }
    let _ = socket.recv(&mut [], &mut [], Deadline::NEVER);
}
