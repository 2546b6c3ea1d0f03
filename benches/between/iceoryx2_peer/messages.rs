//! Publish-subscribe.

use std::hint::{black_box, spin_loop};

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{PortFactory as _, UnableToDeliverStrategy, ipc};
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use res_benches::{Candidate, time};

use super::events::{Bells, is_heard};
use super::{POLLS, Place, SINK, SLEEPS};
use crate::peers::Other;
use crate::{MESSAGES, TRIPS};

type Service = PortFactory<ipc::Service, [u8], ()>;

/// Nothing is lost: who has no room waits.
fn service(place: &Place, name: &str, capacity: usize) -> Service {
    let name = name.try_into().expect("a name");
    let builder = place.node().service_builder(&name).publish_subscribe::<[u8]>();
    let builder = builder.subscriber_max_buffer_size(capacity).enable_safe_overflow(false);
    builder.history_size(0).open_or_create().expect("a service")
}

/// What is published on one side comes to the other.
struct Ends {
    services: [Service; 2],
    to: Publisher<ipc::Service, [u8], ()>,
    from: Subscriber<ipc::Service, [u8], ()>,
    /// What to sleep on.
    bells: Option<Bells>,
}

impl Ends {
    /// Publishes `to`, and takes `from`: messages of `size` bytes at most, so many at a time.
    fn new(place: &Place, names: [&str; 2], [size, capacity]: [usize; 2]) -> Self {
        let services = names.map(|name| service(place, name, capacity));
        let from = services[1].subscriber_builder().create().expect("a subscriber");
        let publisher = services[0].publisher_builder().initial_max_slice_len(size);
        let publisher = publisher.unable_to_deliver_strategy(UnableToDeliverStrategy::Block);
        Self { to: publisher.create().expect("a publisher"), from, services, bells: None }
    }

    fn sleeping(self, place: &Place, names: [&str; 2]) -> Self {
        Self { bells: Some(Bells::new(place, names)), ..self }
    }

    /// Whether the other side is there.
    fn is_connected(&self) -> bool {
        let [to, from] = &self.services;
        to.dynamic_config().number_of_subscribers() == 1
            && from.dynamic_config().number_of_publishers() == 1
    }

    fn send(&self, bytes: &[u8]) {
        let sample = self.to.loan_slice_uninit(bytes.len()).expect("there is room");
        sample.write_from_slice(bytes).send().expect("sent");
        self.bells.iter().for_each(Bells::ring);
    }

    /// Sends memory that nobody looks at.
    fn hand_over(&self, size: usize) {
        let sample = self.to.loan_slice_uninit(size).expect("there is room");
        // SAFETY: bytes of memory that was zero when it was made.
        unsafe { sample.assume_init() }.send().expect("sent");
    }

    /// Waits for a message, and looks at it.
    fn receive(&self, look: impl FnOnce(&[u8])) {
        loop {
            match (self.from.receive().expect("it is there"), &self.bells) {
                (Some(sample), _) => return look(&sample),
                (None, Some(bells)) => bells.hear(),
                (None, None) => spin_loop(),
            }
        }
    }
}

/// Samples of a round trip: one there, one back, none waits.
const FEW: usize = 2;

/// Answers each message with the same.
pub(super) fn echo(place: &Place, size: usize, sleeps: bool) {
    let names = ["answer", "ask"];
    // Before it is connected: who sends then rings.
    let bells = sleeps.then(|| Bells::new(place, names));
    let ends = Ends { bells, ..Ends::new(place, names, [size, FEW]) };
    let mut seen = vec![0; size];
    loop {
        ends.receive(|bytes| seen.copy_from_slice(bytes));
        ends.send(&seen);
    }
}

/// In this order it ends.
struct Partner {
    _other: Other,
    ends: Ends,
    _place: Place,
}

impl Partner {
    fn new(size: usize, sleeps: bool) -> Self {
        let (place, names) = (Place::new(), ["ask", "answer"]);
        let mut ends = Ends::new(&place, names, [size, FEW]);
        if sleeps {
            ends = ends.sleeping(&place, names);
        }
        let is_there = || ends.is_connected() && (!sleeps || is_heard(&place, "ask"));
        let other = place.other(if sleeps { SLEEPS } else { POLLS }, size, is_there);
        Self { _other: other, ends, _place: place }
    }

    fn trips(&self, size: usize, trips: u64) -> f64 {
        let mut bytes = vec![7; size];
        let mut trip = || {
            self.ends.send(black_box(&bytes));
            self.ends.receive(|answer| bytes.copy_from_slice(answer));
        };
        trip();
        time(trips, || (0..trips).for_each(|_| trip()))
    }
}

/// 8 bytes, for table P6.
pub(crate) fn polling() -> Candidate<'static> {
    Candidate::peer("iceoryx2, publish-subscribe", || Partner::new(8, false).trips(8, TRIPS))
}

/// Payloads, written and read by both sides.
pub(crate) fn payloads(size: usize, trips: u64) -> Vec<Candidate<'static>> {
    let mut partner = None;
    let sleeping = Candidate::peer("iceoryx2, publish-subscribe and events", move || {
        partner.get_or_insert_with(|| Partner::new(size, true)).trips(size, trips)
    });
    let polling = Candidate::peer("iceoryx2, publish-subscribe, polling", move || {
        Partner::new(size, false).trips(size, trips)
    });
    vec![sleeping, polling]
}

/// Messages that go one way: bytes of each, how many there is room for, how many make a round.
struct Stream {
    size: usize,
    capacity: usize,
    messages: u64,
}

impl Stream {
    fn of(size: usize) -> Self {
        if size <= 64 {
            Self { size, capacity: 1024, messages: MESSAGES }
        } else {
            Self { size, capacity: 64, messages: 20_000 }
        }
    }

    fn ends(&self, place: &Place, names: [&str; 2]) -> Ends {
        Ends::new(place, names, [self.size, self.capacity])
    }

    fn round(&self, send: impl Fn(&Ends)) -> f64 {
        let place = Place::new();
        let ends = self.ends(&place, ["ask", "answer"]);
        let _other = place.other(SINK, self.size, || ends.is_connected());
        time(self.messages, || {
            (0..self.messages).for_each(|_| send(&ends));
            ends.receive(|_| ());
        })
    }
}

/// Takes what comes, and answers when so many have come.
pub(super) fn sink(place: &Place, size: usize) {
    let stream = Stream::of(size);
    let ends = stream.ends(place, ["answer", "ask"]);
    loop {
        for _ in 0..stream.messages {
            // A small message is looked at.
            ends.receive(|bytes| {
                if bytes.len() <= 64 {
                    black_box(<[u8; 64]>::try_from(bytes).expect("64 bytes"));
                }
            });
        }
        ends.send(&[1]);
    }
}

/// One way, 64 bytes.
pub(crate) fn one_way() -> Candidate<'static> {
    Candidate::peer("iceoryx2, publish-subscribe of 1024", || {
        Stream::of(64).round(|ends| ends.send(black_box(&[7; 64])))
    })
}

/// One way, handed over untouched.
pub(crate) fn loans(size: usize) -> Candidate<'static> {
    Candidate::peer("iceoryx2, publish-subscribe, loans", move || {
        Stream::of(size).round(|ends| ends.hand_over(size))
    })
}
