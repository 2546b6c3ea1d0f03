//! Sockets: two queues of messages between two domains.

use std::collections::VecDeque;
use std::vec::Vec;

use res_api::ErrorKind;
use res_sync::Deadline;

use super::machine::{Machine, State};
use super::outcome::Place;
use super::run::inside;
use super::trace::Step;
use super::{SimFile, SimMemory};
use crate::{KernelError, Passed, Received, Socket};

const SEND: &str = "send to another domain";
const RECEIVE: &str = "receive from another domain";
const WAIT: &str = "wait for another domain";

/// Messages that wait at an end at most. Few, so that it happens.
const MOST_WAITING: usize = 8;

type Object = Passed<SimMemory, SimFile>;

/// A message on its way.
struct Message {
    /// Its number in the run.
    number: u32,
    bytes: Vec<u8>,
    objects: Vec<Object>,
}

/// An end of a socket, as the machine knows it.
struct End {
    domain: u32,
    open: bool,
    /// What has come for it.
    queue: VecDeque<Message>,
}

/// All sockets of a run.
#[derive(Default)]
pub(super) struct Pipes {
    /// In the order of their numbers, which begin at 0; two neighbours are connected.
    ends: Vec<End>,
    /// How many messages have been sent.
    sent: u32,
    undelivered: Undelivered,
}

/// Messages that nobody receives. Dropping them unmaps what is in them.
#[derive(Default)]
pub(super) struct Undelivered(Vec<Message>);

impl Undelivered {
    pub(super) fn has_objects(&self) -> bool {
        self.0.iter().any(|message| !message.objects.is_empty())
    }
}

const fn other(end: u32) -> u32 {
    end ^ 1
}

impl Pipes {
    /// Two ends that are connected, of those domains.
    pub(super) fn add(&mut self, here: u32, there: u32) -> (u32, u32) {
        let first = self.ends.len() as u32;
        for domain in [here, there] {
            self.ends.push(End { domain, open: true, queue: VecDeque::new() });
        }
        (first, first + 1)
    }

    fn end(&mut self, end: u32) -> &mut End {
        &mut self.ends[end as usize]
    }

    /// The ends that a domain has open.
    pub(super) fn ends_of(&self, domain: u32) -> Vec<u32> {
        let has = |end: &End| end.domain == domain && end.open;
        (0..).zip(&self.ends).filter(|(_, end)| has(end)).map(|(number, _)| number).collect()
    }

    pub(super) fn take_undelivered(&mut self) -> Undelivered {
        core::mem::take(&mut self.undelivered)
    }
}

impl State {
    /// Nobody listens there any more, and nobody speaks. What had come is undelivered.
    pub(super) fn close(&mut self, end: u32) {
        let pipes = &mut self.domains.pipes;
        let closed = pipes.end(end);
        closed.open = false;
        let queue = core::mem::take(&mut closed.queue);
        pipes.undelivered.0.extend(queue);
        self.wake_all(Place::Socket(other(end)));
        self.wake_all(Place::Room(other(end)));
    }

    fn send(&mut self, end: u32, mut message: Message) -> Result<(), (Message, ErrorKind)> {
        let pipes = &mut self.domains.pipes;
        message.number = pipes.sent + 1;
        let to = pipes.end(other(end));
        if !to.open {
            return Err((message, ErrorKind::PeerGone));
        }
        if to.queue.len() >= MOST_WAITING {
            return Err((message, ErrorKind::NoSlots));
        }
        to.queue.push_back(message);
        pipes.sent += 1;
        self.note(self.running, Step::Sent(self.domains.pipes.sent));
        self.wake_all(Place::Socket(other(end)));
        Ok(())
    }

    /// Whether a message would be queued, or never will.
    fn takes(&mut self, end: u32) -> bool {
        let to = self.domains.pipes.end(other(end));
        !to.open || to.queue.len() < MOST_WAITING
    }

    /// The next message; none yet, or never.
    fn receive(&mut self, end: u32) -> Result<Option<Message>, ErrorKind> {
        let pipes = &mut self.domains.pipes;
        let next = pipes.end(end).queue.pop_front();
        let over = !pipes.end(other(end)).open;
        match &next {
            None if over => return Err(ErrorKind::PeerGone),
            None => {}
            Some(message) => {
                self.note(self.running, Step::Received(message.number));
                self.wake_all(Place::Room(other(end)));
            }
        }
        Ok(next)
    }
}

/// One end of a socket of a simulation, which takes eight messages that nobody receives.
///
/// ```
/// use res_kernel::sim::SimSocket;
/// use res_kernel::{Isolation, Sim, Socket};
/// use res_sync::Deadline;
///
/// fn hail(_: Sim, socket: SimSocket) {
///     socket.send(b"hail", &[]).expect("the other side lives");
/// }
///
/// let outcome = Sim::run(1, |sim| {
///     let (_domain, socket) = sim.domain(hail).expect("a domain");
///     let mut word = [0; 4];
///     assert_eq!(socket.recv(&mut word, &mut [], Deadline::NEVER).map(|it| it.bytes), Ok(4));
///     assert_eq!(&word, b"hail");
/// });
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct SimSocket {
    pub(super) run: u64,
    pub(super) end: u32,
}

impl SimSocket {
    /// Calls `f` in a thread of the same run.
    fn within<R>(&self, f: impl FnOnce(&Machine) -> R) -> Option<R> {
        inside(|machine| (machine.run == self.run).then(|| f(machine))).flatten()
    }

    /// What `look` finds, as soon as it finds something; it looks again when what waits there is woken.
    fn wait<R>(
        &self,
        (step, place): (Step, Place),
        deadline: Deadline,
        look: impl Fn(&mut State) -> Result<Option<R>, ErrorKind>,
    ) -> Result<R, KernelError> {
        let found = self.within(|machine| {
            machine.turn(step);
            machine.drain();
            loop {
                let (found, now) = {
                    let mut state = machine.state.borrow_mut();
                    (look(&mut state), state.now)
                };
                if let Some(found) = found.map_err(|kind| KernelError::new(WAIT, kind))? {
                    return Ok(found);
                }
                if deadline.passed(now) {
                    return Err(KernelError::new(WAIT, ErrorKind::TimedOut));
                }
                machine.sleep(place, 0, deadline);
            }
        });
        found.unwrap_or(Err(KernelError::new(WAIT, ErrorKind::Stale)))
    }

    /// The next message, as soon as there is one.
    fn next(&self, deadline: Deadline) -> Result<Message, KernelError> {
        let there = (Step::Receive(self.end), Place::Socket(self.end));
        self.wait(there, deadline, |state| state.receive(self.end))
    }
}

impl Socket for SimSocket {
    type Memory = SimMemory;
    type File = SimFile;

    const MOST_BYTES: usize = 16 * 1024;
    const MOST_OBJECTS: usize = 16;

    fn send(
        &self,
        bytes: &[u8],
        objects: &[Passed<&SimMemory, &SimFile>],
    ) -> Result<(), KernelError> {
        let refused = |kind| KernelError::new(SEND, kind);
        if bytes.len() > Self::MOST_BYTES || objects.len() > Self::MOST_OBJECTS {
            return Err(refused(ErrorKind::Invalid));
        }
        let pass = |object: &Passed<&SimMemory, &SimFile>| match object {
            Passed::Memory(memory) => Passed::Memory(memory.to_send()),
            Passed::File(file) => Passed::File((*file).clone()),
        };
        let objects = objects.iter().map(pass).collect();
        let message = Message { number: 0, bytes: bytes.to_vec(), objects };
        let sent = self.within(|machine| {
            machine.turn(Step::Send(self.end));
            machine.drain();
            machine.state.borrow_mut().send(self.end, message)
        });
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err((_message, kind))) => Err(refused(kind)),
            None => Err(refused(ErrorKind::Stale)),
        }
    }

    fn room(&self, deadline: Deadline) -> Result<(), KernelError> {
        let there = (Step::Send(self.end), Place::Room(self.end));
        self.wait(there, deadline, |state| Ok(state.takes(self.end).then_some(())))
    }

    fn recv(
        &self,
        bytes: &mut [u8],
        objects: &mut [Option<Object>],
        deadline: Deadline,
    ) -> Result<Received, KernelError> {
        let message = self.next(deadline)?;
        let (length, count) = (message.bytes.len(), message.objects.len());
        let (Some(bytes), Some(places)) = (bytes.get_mut(..length), objects.get_mut(..count))
        else {
            objects.iter_mut().take(count).for_each(|place| *place = None);
            return Err(KernelError::new(RECEIVE, ErrorKind::Misbehaved));
        };
        bytes.copy_from_slice(&message.bytes);
        for (place, object) in places.iter_mut().zip(message.objects) {
            *place = match object {
                Passed::Memory(memory) => memory.map().ok().map(Passed::Memory),
                file @ Passed::File(_) => Some(file),
            };
        }
        Ok(Received { bytes: length, objects: count })
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let undelivered = self.within(|machine| {
            machine.turn(Step::Close(self.end));
            machine.drain();
            let mut state = machine.state.borrow_mut();
            state.close(self.end);
            state.undelivered()
        });
        drop(undelivered);
    }
}
