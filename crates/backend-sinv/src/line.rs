//! The socket between a component and the manager, as the component has it.
//!
//! The manager answers what it is asked, one after the other. What is pushed into a queue of
//! capabilities it sends ahead of being asked for, so that whoever receives need not wait for an
//! answer: that comes between the answers, and is kept here until it is received.

use core::iter::repeat_with;
use std::collections::VecDeque;
use std::sync::Arc;
use std::vec::Vec;

use backend_local::parcel::Parcel;
use res_api::{Deadline, ErrorKind};
use res_kernel::{Isolation, KernelMemory, Passed, Place, Socket};

use crate::board;
use crate::ends::ComponentId;
use crate::request::{Answer, Item, Request, Said, Told};
use crate::wire::Wire;

pub(crate) struct Line<K: Isolation> {
    socket: K::Socket,
    /// Room for a message, once one has been awaited.
    bytes: Vec<u8>,
    /// Where it says how much it has taken, if anything can come.
    board: Option<K::Memory>,
    /// What came ahead, in that order.
    ahead: VecDeque<Ahead<K>>,
    /// How much of that has been taken.
    taken: u64,
}

/// What has come of a queue ahead of being asked for.
pub(crate) struct Ahead<K: Isolation> {
    queue: u64,
    pub(crate) parcel: Parcel,
    pub(crate) items: Vec<Item<K>>,
    pub(crate) sender: ComponentId,
}

impl<K: Isolation> Line<K> {
    pub(crate) fn new(socket: K::Socket) -> Self {
        Self { socket, bytes: Vec::new(), board: None, ahead: VecDeque::new(), taken: 0 }
    }

    /// From now on something may come ahead of being asked for.
    pub(crate) fn expect(&mut self, board: K::Memory) {
        self.board = Some(board);
    }

    pub(crate) fn send(&self, request: &Request) -> Result<(), ErrorKind> {
        let bytes = request.encoded();
        loop {
            match self.socket.send(&bytes, &[]).map_err(|error| error.kind) {
                // The manager takes them one after the other.
                Err(ErrorKind::NoSlots) => {
                    self.socket.room(Deadline::NEVER).map_err(|error| error.kind)?;
                }
                sent => return sent,
            }
        }
    }

    /// The answer to what was sent last.
    pub(crate) fn answer(&mut self) -> Result<Answer<K>, ErrorKind> {
        loop {
            if let Some(answer) = self.receive(Deadline::NEVER)? {
                return Ok(answer);
            }
        }
    }

    /// What is next of a queue, as far as it has come.
    pub(crate) fn next_of(&mut self, queue: u64) -> Result<Option<Ahead<K>>, ErrorKind> {
        loop {
            if let Some(at) = self.ahead.iter().position(|ahead| ahead.queue == queue) {
                return Ok(self.take(at));
            }
            match self.receive(Deadline::PASSED) {
                Ok(None) => {}
                Ok(Some(_)) => return Err(ErrorKind::Misbehaved),
                Err(ErrorKind::TimedOut) => return Ok(None),
                Err(kind) => return Err(kind),
            }
        }
    }

    /// What is the last of a queue, of what has been seen to come.
    pub(crate) fn last_of(&mut self, queue: u64) -> Option<Ahead<K>> {
        let at = self.ahead.iter().rposition(|ahead| ahead.queue == queue)?;
        self.take(at)
    }

    fn take(&mut self, at: usize) -> Option<Ahead<K>> {
        let ahead = self.ahead.remove(at)?;
        self.taken += 1;
        if let Some(board) = &self.board {
            board::take::<K>(board, self.taken);
        }
        Some(ahead)
    }

    /// The next message: an answer; none where it came ahead of being asked for, and is kept.
    fn receive(&mut self, deadline: Deadline) -> Result<Option<Answer<K>>, ErrorKind> {
        let mut places: Vec<Place<K::Socket>> =
            (0..K::Socket::MOST_OBJECTS).map(|_| None).collect();
        self.bytes.resize(K::Socket::MOST_BYTES, 0);
        let received = self.socket.recv(&mut self.bytes, &mut places, deadline);
        let received = received.map_err(|error| error.kind)?;
        let told = Told::decoded(&self.bytes[..received.bytes]);
        let Told { said, sent, known } = told.ok_or(ErrorKind::Misbehaved)?;
        // Those that could not be sent are named behind the others.
        let objects = places.into_iter().take(received.objects).chain(repeat_with(|| None));
        let items = sent.into_iter().zip(objects);
        let items = items.map(|(number, object)| match object {
            Some(Passed::Memory(memory)) => {
                let access = memory.access();
                Item::Memory(number, Arc::new(memory), access)
            }
            Some(Passed::File(file)) => Item::File(number, Arc::new(file)),
            None => Item::Missing(number),
        });
        let items = items.chain(known.into_iter().map(Item::Known)).collect();
        Ok(match said {
            Said::Ahead(queue, parcel, sender) => {
                self.ahead.push_back(Ahead { queue, parcel, items, sender });
                None
            }
            said => Some(Answer { said, items }),
        })
    }
}
