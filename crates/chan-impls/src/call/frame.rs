//! The protocol of a call: a line for the request, a line for the answer, and a number in each.
//!
//! A request has the number after that of the last answer; an answer has the number of its request.
//! Each side believes only its private copy of the number. A caller that gave up waiting may not use
//! the frame before the late answer is there, which it throws away (H13): until then the callee may
//! be reading the request, or writing the answer and the payload.
//!
//! | access | order | partner |
//! |---|---|---|
//! | caller stores the number of the request | Release | callee's Acquire load of it: it sees the words, and the payload |
//! | callee stores the number of the answer | Release | caller's Acquire load of it: it sees the words and the payload, and the callee is done with those of the request |

use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use res_api::{Deadline, ErrorKind, Instant};
use res_sync::MemoryModel;
use res_sync::model::Atomic;

use crate::queue::Misbehaved;

/// Words of a request that are the caller's own.
pub const WORDS_IN: usize = 4;
/// Words of an answer.
pub const WORDS_OUT: usize = 3;

/// Bytes from one line to the next: a pair of cache lines, because processors fetch neighbours too.
const LINE: usize = 128;
const REQUEST_REST: usize = LINE - (3 + WORDS_IN) * size_of::<u64>();
const REPLY_REST: usize = LINE - (2 + WORDS_OUT) * size_of::<u64>();

/// What both sides share.
///
/// ```
/// use chan_impls::call::frame::{Asking, Answering, Frame, Question};
/// use res_api::Deadline;
/// use res_sync::model::Core;
///
/// let frame = Frame::<Core>::new();
/// let (mut caller, mut callee) = (Asking::default(), Answering::default());
/// caller.ask(&frame, &Question { entry: 1, deadline: Deadline::NEVER, words: [20, 22, 0, 0] });
/// let question = callee.look(&frame).unwrap()?;
/// callee.answer(&frame, Ok([question.words[0] + question.words[1], 0, 0]));
/// assert_eq!(caller.look(&frame), Some(Ok(Ok([42, 0, 0]))));
/// # Ok::<(), chan_impls::Misbehaved>(())
/// ```
#[repr(C)]
pub struct Frame<M: MemoryModel> {
    request: Request<M>,
    reply: Reply<M>,
}

/// Written by the caller.
#[repr(C)]
struct Request<M: MemoryModel> {
    number: M::U64,
    entry: M::U64,
    deadline: M::U64,
    words: [M::U64; WORDS_IN],
    _rest: [u8; REQUEST_REST],
}

/// Written by the callee.
#[repr(C)]
struct Reply<M: MemoryModel> {
    number: M::U64,
    /// 0, or the code of an [`ErrorKind`].
    status: M::U64,
    words: [M::U64; WORDS_OUT],
    _rest: [u8; REPLY_REST],
}

/// Bytes of a frame in mapped memory.
pub(super) const FRAME: u64 = 2 * LINE as u64;

impl<M: MemoryModel> Frame<M> {
    /// A frame before the first request.
    pub fn new() -> Self {
        let zero = || Atomic::new(0);
        Self {
            request: Request {
                number: zero(),
                entry: zero(),
                deadline: zero(),
                words: core::array::from_fn(|_| zero()),
                _rest: [0; REQUEST_REST],
            },
            reply: Reply {
                number: zero(),
                status: zero(),
                words: core::array::from_fn(|_| zero()),
                _rest: [0; REPLY_REST],
            },
        }
    }
}

impl<M: MemoryModel> Default for Frame<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: MemoryModel> fmt::Debug for Frame<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frame")
    }
}

/// What is asked for, apart from the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which of the entries of the interface.
    pub entry: u32,
    /// When the caller gives up.
    pub deadline: Deadline,
    /// The rest is between the two.
    pub words: [u64; WORDS_IN],
}

/// What is answered, apart from the payload: words, or why there are none.
pub type Answer = Result<[u64; WORDS_OUT], ErrorKind>;

const BROKEN: u64 = 1 << 0;
const BUSY: u64 = 1 << 1;
const NUMBER_SHIFT: u32 = 2;

/// What one side knows by itself; it travels with the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Private {
    /// Of the last request that was sent, or taken.
    number: u64,
    /// It has no answer yet.
    busy: bool,
    /// The other side broke the protocol, once and for all.
    broken: bool,
}

impl Private {
    fn of_state(state: u64) -> Self {
        let number = state >> NUMBER_SHIFT;
        Self { number, busy: state & BUSY != 0, broken: state & BROKEN != 0 }
    }

    fn state(self) -> u64 {
        let flag = |set, bit| if set { bit } else { 0 };
        self.number << NUMBER_SHIFT | flag(self.busy, BUSY) | flag(self.broken, BROKEN)
    }

    fn breaks<T>(&mut self) -> Option<Result<T, Misbehaved>> {
        self.broken = true;
        Some(Err(Misbehaved))
    }
}

macro_rules! side {
    ($side:ident) => {
        impl $side {
            /// The side as it was when it said [`state`](Self::state).
            pub fn of_state(state: u64) -> Self {
                Self(Private::of_state(state))
            }

            /// All that it knows.
            pub fn state(&self) -> u64 {
                self.0.state()
            }

            /// From now on nothing that the other side writes is believed.
            pub fn distrust(&mut self) {
                self.0.broken = true;
            }
        }
    };
}

/// The calling side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asking(Private);

side!(Asking);

impl Asking {
    /// Whether nobody else uses the frame: every request has been answered.
    pub fn is_free(&self) -> bool {
        !self.0.busy
    }

    /// Sends a request. Only while the frame [is free](Self::is_free); tell the other side then.
    pub fn ask<M: MemoryModel>(&mut self, frame: &Frame<M>, question: &Question) {
        debug_assert!(self.is_free(), "the last request has no answer yet");
        let Request { number, entry, deadline, words, .. } = &frame.request;
        for (word, value) in words.iter().zip(question.words) {
            word.store(value, Relaxed);
        }
        entry.store(question.entry.into(), Relaxed);
        deadline.store(question.deadline.instant().map_or(u64::MAX, Instant::as_nanos), Relaxed);
        self.0.number += 1;
        self.0.busy = true;
        // Release: partners the Acquire in `Answering::look`.
        number.store(self.0.number, Release);
    }

    /// The answer to the request that was sent last, once it is there.
    #[inline]
    pub fn look<M: MemoryModel>(&mut self, frame: &Frame<M>) -> Option<Result<Answer, Misbehaved>> {
        let Reply { number, status, words, .. } = &frame.reply;
        if self.0.broken {
            return Some(Err(Misbehaved));
        }
        // Acquire: partners the Release in `Answering::answer`.
        let found = number.load(Acquire);
        if found != self.0.number {
            let before = self.0.number.wrapping_sub(1);
            return if self.0.busy && found == before { None } else { self.0.breaks() };
        }
        if !self.0.busy {
            return None;
        }
        let status = status.load(Relaxed);
        let words = words.each_ref().map(|word| word.load(Relaxed));
        let refused = u32::try_from(status).ok().and_then(ErrorKind::from_code);
        self.0.busy = false;
        match (status, refused) {
            (0, _) => Some(Ok(Ok(words))),
            (_, Some(kind)) => Some(Ok(Err(kind))),
            (_, None) => self.0.breaks(),
        }
    }

    /// Whether [`look`](Self::look) would find something.
    pub fn is_answered<M: MemoryModel>(&self, frame: &Frame<M>) -> bool {
        let mut twin = *self;
        twin.look(frame).is_some()
    }
}

/// The answering side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answering(Private);

side!(Answering);

impl Answering {
    /// Whether a request was taken that has no answer yet, and is to have one.
    pub fn owes(&self) -> bool {
        self.0.busy && !self.0.broken
    }

    /// The next request, once it is there. Only when the last one has been answered.
    #[inline]
    pub fn look<M: MemoryModel>(
        &mut self,
        frame: &Frame<M>,
    ) -> Option<Result<Question, Misbehaved>> {
        debug_assert!(!self.owes(), "the last request has no answer yet");
        let Request { number, entry, deadline, words, .. } = &frame.request;
        if self.0.broken {
            return Some(Err(Misbehaved));
        }
        // Acquire: partners the Release in `Asking::ask`.
        let found = number.load(Acquire);
        if found == self.0.number {
            return None;
        }
        let next = self.0.number + 1;
        if found != next {
            return self.0.breaks();
        }
        let Ok(entry) = u32::try_from(entry.load(Relaxed)) else { return self.0.breaks() };
        self.0.number = next;
        self.0.busy = true;
        let deadline = Deadline::at(Instant::from_nanos(deadline.load(Relaxed)));
        let words = words.each_ref().map(|word| word.load(Relaxed));
        Some(Ok(Question { entry, deadline, words }))
    }

    /// Whether [`look`](Self::look) would find something.
    pub fn is_asked<M: MemoryModel>(&self, frame: &Frame<M>) -> bool {
        let mut twin = *self;
        twin.0.busy = false;
        twin.look(frame).is_some()
    }

    /// Answers the request that was taken last; tell the other side then.
    pub fn answer<M: MemoryModel>(&mut self, frame: &Frame<M>, answer: Answer) {
        debug_assert!(self.owes(), "there is no request to answer");
        let Reply { number, status, words, .. } = &frame.reply;
        status.store(answer.err().map_or(0, |kind| kind.code().into()), Relaxed);
        for (word, value) in words.iter().zip(answer.unwrap_or_default()) {
            word.store(value, Relaxed);
        }
        self.0.busy = false;
        // Release: partners the Acquire in `Asking::look`.
        number.store(self.0.number, Release);
    }
}

#[cfg(test)]
mod tests {
    use res_sync::model::Core;

    use super::*;

    #[test]
    fn a_frame_is_two_lines_of_words() {
        assert_eq!(size_of::<Frame<Core>>() as u64, FRAME);
        assert_eq!(core::mem::offset_of!(Frame<Core>, reply), LINE);
        // What is written for each request, and each answer, is on one cache line.
        assert!(core::mem::offset_of!(Request<Core>, _rest) <= 64);
        assert!(core::mem::offset_of!(Reply<Core>, _rest) <= 64);
    }

    #[test]
    fn what_a_side_knows_travels() {
        for (number, busy, broken) in [(0, false, false), (7, true, false), (1 << 61, true, true)] {
            let private = Private { number, busy, broken };
            assert_eq!(Private::of_state(private.state()), private);
        }
    }
}
