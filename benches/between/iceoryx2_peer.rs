//! iceoryx2, which reaches the other process by shared memory, too.
//!
//! Who looks all the time would take the core from other candidates, so it is started anew for each
//! round; who sleeps stays. All that a candidate made is gone when it is ([`Place`]).

#[path = "iceoryx2_peer/calls.rs"]
mod calls;
#[path = "iceoryx2_peer/events.rs"]
mod events;
#[path = "iceoryx2_peer/messages.rs"]
mod messages;
#[path = "iceoryx2_peer/place.rs"]
mod place;

pub(crate) use calls::{invocation, request_response};
pub(crate) use events::{events, events_paused};
pub(crate) use messages::{loans, one_way, payloads, polling};
use place::Place;

/// Plays the other process, which is told the name of the place and a size.
pub(crate) fn play(role: &str, detail: &str) {
    let (name, size) = detail.split_once(' ').expect("a name and a size");
    let (place, size) = (Place::of(name), size.parse().expect("a size"));
    match role {
        POLLS => messages::echo(&place, size, false),
        SLEEPS => messages::echo(&place, size, true),
        SINK => messages::sink(&place, size),
        SERVES => calls::serve(&place, size),
        HEARS => events::echo(&place),
        _ => panic!("nobody is called {role}"),
    }
}

/// Roles: answers messages, and looks all the time.
const POLLS: &str = "iceoryx2 polls";
/// Answers messages, and sleeps until it hears of one.
const SLEEPS: &str = "iceoryx2 sleeps";
/// Takes messages.
const SINK: &str = "iceoryx2 sink";
/// Answers requests.
const SERVES: &str = "iceoryx2 serves";
/// Answers events.
const HEARS: &str = "iceoryx2 hears";
