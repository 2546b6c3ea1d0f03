//! iceoryx2, which reaches the other process by shared memory, too.

use std::hint::black_box;
use std::process::Stdio;

use iceoryx2::prelude::*;
use res_benches::{Candidate, time};

use super::TRIPS;
use super::peers::other;

/// Answers a pair of names of services: each number that comes with the same.
pub(crate) fn echo(name: &str) {
    let node = NodeBuilder::new().create::<ipc_threadsafe::Service>().expect("a node");
    let (ask, answer) = services(&node, name);
    let from = ask.subscriber_builder().create().expect("a subscriber");
    let to = answer.publisher_builder().create().expect("a publisher");
    loop {
        match from.receive().expect("it is there") {
            Some(sample) => {
                to.send_copy(*sample).expect("sent");
            }
            None => std::hint::spin_loop(),
        }
    }
}

type Port = iceoryx2::service::port_factory::publish_subscribe::PortFactory<
    ipc_threadsafe::Service,
    u64,
    (),
>;

fn services(node: &Node<ipc_threadsafe::Service>, name: &str) -> (Port, Port) {
    let service = |direction: &str| {
        let name = format!("{name}/{direction}");
        let name = name.as_str().try_into().expect("a name");
        node.service_builder(&name).publish_subscribe::<u64>().open_or_create().expect("a service")
    };
    (service("ask"), service("answer"))
}

pub(crate) fn polling() -> Candidate<'static> {
    Candidate::peer("iceoryx2, publish-subscribe", move || {
        let name = format!("res-bench-{}", std::process::id());
        let node = NodeBuilder::new().create::<ipc_threadsafe::Service>().expect("a node");
        let (ask, answer) = services(&node, &name);
        let to = ask.publisher_builder().create().expect("a publisher");
        let from = answer.subscriber_builder().create().expect("a subscriber");
        let _other = other("iceoryx2", &name, Stdio::null());
        // Until it listens.
        while from.receive().expect("it is there").is_none() {
            to.send_copy(0).expect("sent");
            std::thread::yield_now();
        }
        while from.receive().expect("it is there").is_some() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        time(TRIPS, || {
            for n in 0..TRIPS {
                to.send_copy(black_box(n)).expect("sent");
                while from.receive().expect("it is there").is_none() {
                    std::hint::spin_loop();
                }
            }
        })
    })
}
