//! Components that end themselves before their n-th step, for every n of each short operation, as real
//! processes: their peer has what was sent before, and then is told; nothing else suffers, and nothing
//! is left (H14).
//!
//! A step is an access to a word, a sleep, a waking, a message to or from the manager. In a plain run
//! some of them are tried, `RES_LONG=1` tries all.

mod calls;
mod caps;
mod channels;
mod counted;
mod ground;
mod groups;
#[path = "../common/holdings.rs"]
mod holdings;
mod loans;
mod making;
mod mortal;
