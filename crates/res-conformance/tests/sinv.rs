//! The suite on `Sinv`: its components are processes.

use backend_sinv::Sinv;
use chan_impls::{Spsc, ZeroCopy};
use res_conformance::{Budget, Harness, conformance};

/// Rings.
#[derive(Default)]
struct Rings;

impl Harness for Rings {
    type Backend = Sinv;
    type Kind = Spsc;
    const NAME: &'static str = "Sinv";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Sinv {
        Sinv::new().expect("a system")
    }
}

/// Pools of slots.
#[derive(Default)]
struct Pools;

impl Harness for Pools {
    type Backend = Sinv;
    type Kind = ZeroCopy;
    const NAME: &'static str = "Sinv, zero-copy";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Sinv {
        Rings.fresh()
    }
}

conformance!(rings, Rings);
conformance!(pools, Pools);
