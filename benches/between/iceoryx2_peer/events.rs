//! Events: one to hear, one to say.

use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::prelude::{PortFactory as _, ipc};
use iceoryx2::service::port_factory::event::PortFactory;
use res_benches::{Candidate, time};

use super::{HEARS, Place};
use crate::TRIPS;
use crate::pause::paused;
use crate::peers::Other;

type Service = PortFactory<ipc::Service>;

/// What is said on one side is heard on the other.
#[derive(Debug)]
pub(super) struct Bells {
    notifier: Notifier<ipc::Service>,
    listener: Listener<ipc::Service>,
}

fn service(place: &Place, name: &str) -> Service {
    let name = name.try_into().expect("a name");
    place.node().service_builder(&name).event().open_or_create().expect("a service")
}

impl Bells {
    /// Says `to`, and hears `from`.
    pub(super) fn new(place: &Place, [to, from]: [&str; 2]) -> Self {
        let listener = service(place, from).listener_builder().create().expect("a listener");
        let notifier = service(place, to).notifier_builder().create().expect("a notifier");
        Self { notifier, listener }
    }

    pub(super) fn ring(&self) {
        self.notifier.notify().expect("it is there");
    }

    /// Sleeps until somebody rings.
    pub(super) fn hear(&self) {
        while self.listener.blocking_wait_one().expect("it is there").is_none() {}
    }
}

/// Whether somebody hears what is said there.
pub(super) fn is_heard(place: &Place, name: &str) -> bool {
    service(place, name).dynamic_config().number_of_listeners() == 1
}

/// Answers each event with one.
pub(super) fn echo(place: &Place) {
    let bells = Bells::new(place, ["answer", "ask"]);
    loop {
        bells.hear();
        bells.ring();
    }
}

/// In this order it ends.
struct Partner {
    _other: Other,
    bells: Bells,
    _place: Place,
}

impl Partner {
    fn new() -> Self {
        let place = Place::new();
        let bells = Bells::new(&place, ["ask", "answer"]);
        let other = place.other(HEARS, 0, || is_heard(&place, "ask"));
        Self { _other: other, bells, _place: place }
    }

    fn trip(&self) {
        self.bells.ring();
        self.bells.hear();
    }
}

/// Round trips of an event, which carries a number.
pub(crate) fn events() -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("iceoryx2, two events", move || {
        let partner = partner.get_or_insert_with(Partner::new);
        time(TRIPS, || (0..TRIPS).for_each(|_| partner.trip()))
    })
}

/// To somebody who sleeps.
pub(crate) fn events_paused() -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("iceoryx2, two events", move || {
        let partner = partner.get_or_insert_with(Partner::new);
        paused(|| partner.trip())
    })
}
