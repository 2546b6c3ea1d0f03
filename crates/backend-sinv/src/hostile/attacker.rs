//! What hostile components do, in a process that is forked or in a program that was built by itself
//! (`tests/program`): so this stands on nothing but what components say to the manager.

#[path = "attacker/bits.rs"]
pub(crate) mod bits;
#[path = "../../../chan-impls/tests/common/random.rs"]
pub(crate) mod random;
#[path = "attacker/raw.rs"]
pub(crate) mod raw;
#[path = "attacker/requests.rs"]
pub(crate) mod requests;
#[path = "attacker/sender.rs"]
pub(crate) mod sender;

use res_api::{Slot, Value};
use res_kernel::Linux;
use res_kernel::linux::LinuxSocket;

use raw::{Begun, begin, value};

/// Which of them one does.
pub(crate) const ATTACK: Slot<Value<u64>> = Slot::new("attack");

/// What a component does that has been told who it is.
type Does = fn(Begun, &LinuxSocket);

/// All of them, by their names.
const ATTACKS: [(&str, Does); 12] = [
    ("forges", requests::forges),
    ("watches", requests::watches),
    ("closes a circle", requests::closes_a_circle),
    ("babbles", requests::babbles),
    ("breaks off", requests::breaks_off),
    ("lives on", requests::lives_on),
    ("repeats", requests::repeats),
    ("wants a name", requests::wants_a_name),
    ("does not listen", requests::does_not_listen),
    ("every bit", bits::everywhere),
    ("leaves last", sender::leaves_last),
    ("sends all the time", sender::sends_all_the_time),
];

/// The number of the attack of that name.
pub(crate) fn number(name: &str) -> Option<u64> {
    ATTACKS.iter().position(|(known, _)| *known == name).map(|at| at as u64)
}

/// The life of a hostile component.
pub(crate) fn attacks(_: Linux, socket: LinuxSocket) {
    let begun = begin(&socket);
    let (_, does) = ATTACKS[value(&socket, ATTACK) as usize];
    does(begun, &socket);
}
