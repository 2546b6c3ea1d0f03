//! What every case begins with: a fresh backend, and how patient to be.

use core::ops::Deref;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use core::time::Duration;

use res_api::{Backend, Deadline, Ends, ErrorKind, Exit, Map, Mem, Rights, SharedMem, Thread};
use res_sync::model::Atomic;

use crate::{Failure, Harness};

/// A fresh backend. Derefs to it.
#[derive(Clone)]
pub(crate) struct Stage<B> {
    backend: B,
    patience: Duration,
    rounds: fn(u64) -> u64,
    rounds_of_making: fn(u64) -> u64,
}

impl<B> Deref for Stage<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.backend
    }
}

pub(crate) fn stage<H: Harness>(h: &H) -> Stage<H::Backend> {
    Stage {
        backend: h.fresh(),
        patience: h.patience(),
        rounds: H::rounds,
        rounds_of_making: H::rounds_of_making,
    }
}

/// A channel of the kind and with the attributes under test.
pub(crate) fn chan<H: Harness, T: res_api::Message>(
    h: &H,
    b: &H::Backend,
    capacity: u32,
) -> Result<Ends<H::Backend, H::Kind, T>, Failure> {
    Ok(b.chan_with::<H::Kind, T>(capacity, &h.attr())?)
}

/// The same, made for a channel of capabilities.
pub(crate) fn chan_for<H: Harness, T: res_api::Message>(
    h: &H,
    b: &H::Backend,
    over: &<H::Backend as Backend>::CapSnd,
    capacity: u32,
) -> Result<Ends<H::Backend, H::Kind, T>, Failure> {
    chan::<H, T>(h, &b.making_for(over), capacity)
}

impl<B: Backend> Stage<B> {
    /// When a wait of this suite gives up.
    pub(crate) fn soon(&self) -> Deadline {
        self.within(self.patience)
    }

    /// How many rounds there are where that many are usual.
    pub(crate) fn rounds(&self, count: u64) -> u64 {
        (self.rounds)(count)
    }

    /// The same of rounds in each of which something is made.
    pub(crate) fn rounds_of_making(&self, count: u64) -> u64 {
        (self.rounds_of_making)(count)
    }

    /// A thread that runs `body`; its failure is the case's at the [`join`](Self::join).
    pub(crate) fn spawn(
        &self,
        body: impl FnOnce() -> Result<(), Failure> + Send + 'static,
    ) -> Result<B::Thread, Failure> {
        let thread = self.thread(move || {
            if let Err(failure) = body() {
                panic!("{failure:?}");
            }
        })?;
        thread.start()?;
        Ok(thread)
    }

    /// Waits for the end of a thread that must not have failed.
    pub(crate) fn join(&self, thread: &B::Thread) -> Result<(), Failure> {
        let exit = thread.join(self.soon())?;
        check_eq!(exit, Exit::Success, "the end of the other thread");
        Ok(())
    }

    /// Looks again and again, without waiting for anything of the backend; fails when patience is
    /// at its end. For what must be noticed even where waiting itself is broken.
    pub(crate) fn poll(&self, what: &str, mut look: impl FnMut() -> bool) -> Result<(), Failure> {
        let by = self.soon();
        while !look() {
            check!(!by.passed(self.now()), "{what}: not until the deadline");
            self.yield_now();
        }
        Ok(())
    }

    /// Whether a wait ended by itself: what is noticed only at the deadline has been lost.
    pub(crate) fn before(&self, by: Deadline, what: &str) -> Result<(), Failure> {
        check!(!by.passed(self.now()), "{what}: noticed only at the deadline");
        Ok(())
    }
}

/// A few words that threads share.
#[derive(Clone)]
pub(crate) struct Words<B: Backend>(B::Map);

impl<B: Backend> Words<B> {
    pub(crate) fn new(b: &B) -> Result<Self, Failure> {
        Ok(Self(b.mem(64)?.share().map(Rights::READ | Rights::WRITE)?))
    }

    fn word(&self, index: u64) -> &<B::Model as res_api::MemoryModel>::U64 {
        self.0.word(index * 8).unwrap_or_else(|kind: ErrorKind| panic!("a word: {kind}"))
    }

    pub(crate) fn get(&self, index: u64) -> u64 {
        self.word(index).load(Acquire)
    }

    pub(crate) fn set(&self, index: u64, value: u64) {
        self.word(index).store(value, Release);
    }

    pub(crate) fn add(&self, index: u64, value: u64) -> u64 {
        self.word(index).fetch_add(value, AcqRel)
    }

    /// Takes one off the word, unless it is 0.
    pub(crate) fn take(&self, index: u64) -> bool {
        let mut seen = self.get(index);
        while seen != 0 {
            match self.word(index).compare_exchange(seen, seen - 1, AcqRel, Acquire) {
                Ok(_) => return true,
                Err(found) => seen = found,
            }
        }
        false
    }
}
