//! Request-response.

use std::fmt::Debug;
use std::hint::{black_box, spin_loop};

use iceoryx2::prelude::{PortFactory as _, ZeroCopySend, ipc};
use iceoryx2::service::port_factory::request_response::PortFactory;
use res_benches::{Candidate, time};

use super::{Place, SERVES};
use crate::TRIPS;

type Service<T> = PortFactory<ipc::Service, T, (), T, ()>;

/// As long as a message of the other candidates of table P12.
type Line = [u64; 8];

fn service<T: Debug + ZeroCopySend>(place: &Place) -> Service<T> {
    let name = "call".try_into().expect("a name");
    place.node().service_builder(&name).request_response::<T, T>().open_or_create().expect("one")
}

/// Answers each request with the same.
pub(super) fn serve(place: &Place, size: usize) {
    if size == size_of::<Line>() { answer::<Line>(place) } else { answer::<u64>(place) }
}

fn answer<T: Debug + ZeroCopySend + Copy + 'static>(place: &Place) {
    let server = service::<T>(place).server_builder().create().expect("a server");
    loop {
        match server.receive().expect("it is there") {
            Some(request) => request.send_copy(*request).expect("sent"),
            None => spin_loop(),
        }
    }
}

fn trips<T: Debug + ZeroCopySend + Copy + Default + 'static>() -> f64 {
    let place = Place::new();
    let service = service::<T>(&place);
    let client = service.client_builder().create().expect("a client");
    let is_there = || service.dynamic_config().number_of_servers() == 1;
    let _other = place.other(SERVES, size_of::<T>(), is_there);
    let ask = || {
        let pending = client.send_copy(black_box(T::default())).expect("sent");
        while pending.receive().expect("it is there").is_none() {
            spin_loop();
        }
    };
    ask();
    time(TRIPS, || (0..TRIPS).for_each(|_| ask()))
}

/// 8 bytes, for table P6.
pub(crate) fn request_response() -> Candidate<'static> {
    Candidate::peer("iceoryx2, request-response", trips::<u64>)
}

/// A line, for table P12.
pub(crate) fn invocation() -> Candidate<'static> {
    Candidate::peer("iceoryx2, request-response, polling", trips::<Line>)
}
