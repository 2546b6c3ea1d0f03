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

    /// It has been taken.
    pub(crate) fn taken(&self, name: Name) {
        self.known.lock().list.retain(|(known, _)| *known != name);
    }

    /// It could not be taken: whether it is still there, the manager knows.
    pub(crate) fn forget(&self) {
        self.known.lock().all = false;
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
