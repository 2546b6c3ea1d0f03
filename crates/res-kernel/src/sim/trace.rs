//! What happened: as a number, and as a list where somebody wants to read it.

use core::fmt;
use std::vec::Vec;

use res_sync::Instant;

use super::outcome::Place;

/// Something that a thread did, or that was done to it: a place where another one could have run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Read a word.
    Load,
    /// Wrote a word.
    Store,
    /// Read and wrote a word in one.
    Modify,
    /// Made visible what it had stored.
    Fence,
    /// Made visible what anybody had stored.
    Barrier,
    /// Looked at the clock.
    Clock,
    /// Was about to sleep at that point; it did, unless the word had moved.
    Park(u32),
    /// Was about to wake somebody at that point.
    Wake(u32),
    /// Fell asleep.
    Sleep(Place),
    /// Woke that thread; thread 0 is the clock.
    Woke(u32),
    /// Let others run.
    Yield,
    /// Looked again in a spin loop.
    Spin,
    /// Started that thread.
    Start(u32),
    /// Waited for the end of that thread.
    Join(u32),
    /// Returned from its body.
    Return,
    /// Ended.
    End,
    /// A store of it became visible.
    Flush,
    /// Started that domain.
    Begin(u32),
    /// Was about to kill that domain.
    Kill(u32),
    /// Was about to wait for the end of that domain.
    Await(u32),
    /// Ended where it was, with its domain.
    Stop,
    /// Was about to send at that end of a socket.
    Send(u32),
    /// Was about to receive there.
    Receive(u32),
    /// Was about to close it.
    Close(u32),
    /// Sent that message; messages are numbered as they are sent.
    Sent(u32),
    /// Received that message.
    Received(u32),
    /// Sleeps until so many nanoseconds after the beginning at most, for no reason.
    Nap(u64),
    /// Woke that thread, which hears of it later.
    Late(u32),
    /// Was refused what it asked for.
    Refused,
    /// The clock jumped (thread 0) to so many nanoseconds after the beginning.
    Jump(u64),
    /// Nobody could run (thread 0), and it was so many nanoseconds after the beginning.
    Time(u64),
}

impl Step {
    /// Whether it was done to the thread, which need not have run.
    pub(super) const fn is_suffered(self) -> bool {
        matches!(self, Self::Flush | Self::Stop)
    }

    /// Numbers for the hash, for ever the same.
    const fn parts(self) -> (u64, u64) {
        match self {
            Self::Load => (1, 0),
            Self::Store => (2, 0),
            Self::Modify => (3, 0),
            Self::Fence => (4, 0),
            Self::Barrier => (5, 0),
            Self::Clock => (6, 0),
            Self::Park(point) => (7, point as u64),
            Self::Wake(point) => (8, point as u64),
            Self::Woke(thread) => (9, thread as u64),
            Self::Yield => (10, 0),
            Self::Spin => (11, 0),
            Self::Start(thread) => (12, thread as u64),
            Self::Join(thread) => (13, thread as u64),
            Self::Return => (14, 0),
            Self::End => (15, 0),
            Self::Flush => (16, 0),
            Self::Time(nanos) => (17, nanos),
            Self::Begin(domain) => (18, domain as u64),
            Self::Kill(domain) => (19, domain as u64),
            Self::Await(domain) => (20, domain as u64),
            Self::Stop => (21, 0),
            Self::Send(end) => (22, end as u64),
            Self::Receive(end) => (23, end as u64),
            Self::Close(end) => (24, end as u64),
            Self::Sent(message) => (25, message as u64),
            Self::Received(message) => (26, message as u64),
            Self::Sleep(Place::Point(point)) => (27, point as u64),
            Self::Sleep(Place::EndOf(thread)) => (28, thread as u64),
            Self::Sleep(Place::Socket(end)) => (29, end as u64),
            Self::Sleep(Place::EndOfDomain(domain)) => (30, domain as u64),
            Self::Nap(nanos) => (31, nanos),
            Self::Late(thread) => (32, thread as u64),
            Self::Refused => (33, 0),
            Self::Jump(nanos) => (34, nanos),
            Self::Sleep(Place::Room(end)) => (35, end as u64),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load => f.write_str("load"),
            Self::Store => f.write_str("store"),
            Self::Modify => f.write_str("modify"),
            Self::Fence => f.write_str("fence"),
            Self::Barrier => f.write_str("heavy barrier"),
            Self::Clock => f.write_str("clock"),
            Self::Park(point) => write!(f, "park at {point}"),
            Self::Wake(point) => write!(f, "wake at {point}"),
            Self::Sleep(place) => write!(f, "{place}"),
            Self::Woke(thread) => write!(f, "wakes {thread}"),
            Self::Yield => f.write_str("yield"),
            Self::Spin => f.write_str("spin"),
            Self::Start(thread) => write!(f, "start {thread}"),
            Self::Join(thread) => write!(f, "join {thread}"),
            Self::Return => f.write_str("return"),
            Self::End => f.write_str("end"),
            Self::Flush => f.write_str("(a store of it is seen)"),
            Self::Begin(domain) => write!(f, "begin domain {domain}"),
            Self::Kill(domain) => write!(f, "kill domain {domain}"),
            Self::Await(domain) => write!(f, "await domain {domain}"),
            Self::Stop => f.write_str("killed"),
            Self::Send(end) => write!(f, "send at {end}"),
            Self::Receive(end) => write!(f, "receive at {end}"),
            Self::Close(end) => write!(f, "close {end}"),
            Self::Sent(message) => write!(f, "sends message {message}"),
            Self::Received(message) => write!(f, "receives message {message}"),
            Self::Nap(nanos) => write!(f, "until {nanos} ns at most"),
            Self::Late(thread) => write!(f, "wakes {thread}, late"),
            Self::Refused => f.write_str("(refused)"),
            Self::Jump(nanos) => write!(f, "the clock jumps to {nanos} ns"),
            Self::Time(nanos) => write!(f, "it is {nanos} ns"),
        }
    }
}

/// A step, by whom and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// When, in virtual time.
    pub at: Instant,
    /// Of which domain; 0 is the composer.
    pub domain: u32,
    /// Which thread; 0 is none of them.
    pub thread: u32,
    /// What.
    pub step: Step,
}

/// A hash over threads, steps and counts; never over addresses, which differ from run to run. And
/// the steps themselves, where they are wanted.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    events: Option<Vec<Event>>,
}

impl Trace {
    pub(super) fn new(record: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, events: record.then(Vec::new) }
    }

    pub(super) fn note(&mut self, event: Event) {
        let (code, number) = event.step.parts();
        for part in [u64::from(event.thread) << 8 | code, number] {
            self.hash = (self.hash ^ part).wrapping_mul(0x9fb2_1c65_1e98_df25).rotate_left(29);
        }
        if let Some(events) = &mut self.events {
            events.push(event);
        }
    }

    pub(super) fn finish(self) -> (u64, Vec<Event>) {
        (self.hash, self.events.unwrap_or_default())
    }
}

/// Steps of one thread in a line, if there are not more of them.
const MOST: usize = 24;

/// Events as text: a line for each time that a thread runs, equal steps together, of long lines
/// the beginning and the end.
///
/// ```
/// use res_kernel::sim::{Simulation, Transcript};
///
/// let outcome = Simulation::new(1).record().run(|sim| {
///     for _ in 0..3 {
///         res_kernel::Kernel::yield_to(&sim, None);
///     }
/// });
/// let text = Transcript(&outcome.events).to_string();
/// assert_eq!(text, "\n  thread 1: yield x3, return, end");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Transcript<'a>(pub &'a [Event]);

impl fmt::Display for Transcript<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for span in self.0.chunk_by(|one, next| one.thread == next.thread) {
            let mut separator = ": ";
            match span[0].thread {
                0 => separator = "\n  ",
                thread => write!(f, "\n  thread {thread}")?,
            }
            let groups = || span.chunk_by(|one, next| one.step == next.step);
            let count = groups().count();
            for (index, equal) in groups().enumerate() {
                if count > MOST && index == MOST / 2 {
                    f.write_str(", ...")?;
                } else if count <= MOST || index < MOST / 2 || index + MOST / 2 > count {
                    write!(f, "{separator}{}", equal[0].step)?;
                    if equal.len() > 1 {
                        write!(f, " x{}", equal.len())?;
                    }
                }
                separator = ", ";
            }
        }
        Ok(())
    }
}
