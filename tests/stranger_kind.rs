//! A third party's kind of channel, written against the facade, and the suite on it.

#[path = "stranger_kind/pigeonholes.rs"]
mod pigeonholes;

use pigeonholes::Pigeonholes;
use res::Local;
use res_conformance::{Budget, Harness, conformance};

#[derive(Default)]
struct OnLocal;

impl Harness for OnLocal {
    type Backend = Local;
    type Kind = Pigeonholes;
    const NAME: &'static str = "Pigeonholes on Local";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Local {
        Local::new().expect("a system")
    }
}

conformance!(pigeonholes_on_local, OnLocal);
