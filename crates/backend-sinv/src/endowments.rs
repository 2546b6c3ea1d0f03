//! What a component was endowed with and has not taken, as far as it knows.
//!
//! Nobody endows one that has begun, and nobody else takes: so it is told once, with its greeting,
//! and keeps count itself.

use std::vec::Vec;

use res_api::{Desc, ErrorKind, Name};
use res_kernel::{Isolation, KernelError};
use res_sync::Mutex;

use crate::link::Link;
use crate::request::{Hello, Request, Said};

pub(crate) struct Endowments<K: Isolation> {
    known: Mutex<K, Known>,
}

struct Known {
    list: Vec<(Name, Desc)>,
    /// Whether there are no others.
    all: bool,
}

impl<K: Isolation> Endowments<K> {
    /// Of a component that was told of these with its greeting.
    pub(crate) fn new(kernel: &K, list: Vec<(Name, Desc)>) -> Result<Self, KernelError> {
        let all = list.len() < Hello::ENDOWMENTS;
        let known = Known { list, all };
        let known = Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), known);
        Ok(Self { known })
    }

    /// All that have not been taken.
    pub(crate) fn list(&self, link: &Link<K>) -> Vec<(Name, Desc)> {
        let mut known = self.known.lock();
        if !known.all
            && let Ok(list) = ask(link)
        {
            *known = Known { list, all: true };
        }
        known.list.clone()
    }

    /// Takes one, by `take`, while nobody else takes or asks for the list: its pages would not fit
    /// each other.
    pub(crate) fn take<R, E>(
        &self,
        name: Name,
        take: impl FnOnce() -> Result<R, E>,
    ) -> Result<R, E> {
        let mut known = self.known.lock();
        let taken = take();
        match &taken {
            Ok(_) => known.list.retain(|(known, _)| *known != name),
            // Whether it is still there, the manager knows.
            Err(_) => known.all = false,
        }
        taken
    }
}

/// As the manager says.
fn ask<K: Isolation>(link: &Link<K>) -> Result<Vec<(Name, Desc)>, ErrorKind> {
    let mut list = Vec::new();
    loop {
        match link.ask(Request::Endowments(list.len() as u32))? {
            Said::Endowments(some) if some.is_empty() => return Ok(list),
            Said::Endowments(some) => list.extend(some),
            _ => return Err(ErrorKind::Misbehaved),
        }
    }
}
