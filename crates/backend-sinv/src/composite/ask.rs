//! What a component asks of the manager, in the four words of an invocation, and what it answers in the
//! result and three words.
//!
//! [`Sinv`](super::Sinv) does all of this. It is public for who wants to know, and for whoever speaks
//! to a manager without that.
//!
//! | ask | answer |
//! |---|---|
//! | attach | the number of the page's buffer |
//! | memory | the object, the number of its buffer |
//! | place | the blockpoint of the word, and what epoch the scheduler may have recorded for it |
//! | publish | nothing; in the page: a name, behind it the capability |
//! | lookup | how many objects and bytes; in the page before: the name, and then these |
//! | queue | the queue, its object, the number of the buffer of that |
//! | send | 1, or 0 where there is no room |
//! | receive | as lookup, and who sent it, counted from 1; or 0 where there is nothing |
//! | all others | nothing |
//!
//! A result of 0 is all right; a negative one is the code of an [`ErrorKind`].

use backend_local::outside::WordId;
use res_api::{ErrorKind, Gone, Role, Side};
use res_kernel::composite::syscall::Answer;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To be a component of the system, once at a time.
    Attach,
    /// A memory object of so many bytes.
    Memory(u64),
    /// What one needs to sleep at a word of an object that one has.
    Place(WordId),
    /// What has come once, or was made, is not used any more.
    Forget(u64),
    /// The last end of that side that the component had has left.
    Left(WordId, Side, Gone),
    /// Puts the capability in the page under the name in the page; so many bytes of it.
    Publish(u32),
    /// What was published under the name in the page.
    Lookup,
    /// A queue of capabilities.
    Queue(u32),
    /// Puts the capability in the page, behind where a name would be, into that queue; so many bytes.
    Send(u64, u32),
    /// What is next in that queue.
    Receive(u64),
    /// An end of that queue has left.
    LeftQueue(u64, Role, Gone),
    /// A group watches that word, and hears of it by that bit of its page.
    Watch(WordId, u32),
    /// No more.
    Unwatch(WordId),
    /// Rings the bell of whoever watches the word.
    Ring(WordId),
    /// The component has nothing any more.
    End,
}

const fn side_code(side: Side) -> u32 {
    match side {
        Side::Waiters => 0,
        Side::Signallers => 1,
    }
}

const fn side_of(code: u32) -> Option<Side> {
    Some(match code {
        0 => Side::Waiters,
        1 => Side::Signallers,
        _ => return None,
    })
}

impl Ask {
    /// As words of an invocation.
    ///
    /// ```
    /// use backend_sinv::composite::ask::Ask;
    ///
    /// assert_eq!(Ask::from_words(Ask::Memory(4096).to_words()), Some(Ask::Memory(4096)));
    /// assert_eq!(Ask::from_words([u64::MAX; 4]), None);
    /// ```
    pub const fn to_words(self) -> [u64; 4] {
        const fn of(code: u32, small: u32, word: WordId, last: u64) -> [u64; 4] {
            [(small as u64) << 32 | code as u64, word.object, word.offset as u64, last]
        }
        const NONE: WordId = WordId { object: 0, offset: 0 };
        const fn number(object: u64) -> WordId {
            WordId { object, offset: 0 }
        }
        match self {
            Self::Attach => of(1, 0, NONE, 0),
            Self::Memory(bytes) => of(2, 0, number(bytes), 0),
            Self::Place(word) => of(3, 0, word, 0),
            Self::Forget(object) => of(4, 0, number(object), 0),
            Self::Left(word, side, why) => of(5, side_code(side), word, why.code() as u64),
            Self::Publish(bytes) => of(6, bytes, NONE, 0),
            Self::Lookup => of(7, 0, NONE, 0),
            Self::Watch(word, bit) => of(8, bit, word, 0),
            Self::Unwatch(word) => of(9, 0, word, 0),
            Self::Ring(word) => of(10, 0, word, 0),
            Self::End => of(11, 0, NONE, 0),
            Self::Queue(capacity) => of(12, capacity, NONE, 0),
            Self::Send(queue, bytes) => of(13, bytes, number(queue), 0),
            Self::Receive(queue) => of(14, 0, number(queue), 0),
            Self::LeftQueue(queue, role, why) => {
                of(15, role as u32, number(queue), why.code() as u64)
            }
        }
    }

    /// From such words; none where they say nothing, or more than that.
    pub fn from_words(words: [u64; 4]) -> Option<Self> {
        let [first, object, offset, last] = words;
        let word = WordId { object, offset: u32::try_from(offset).ok()? };
        let small = (first >> 32) as u32;
        let ask = match first as u32 {
            1 => Self::Attach,
            2 => Self::Memory(object),
            3 => Self::Place(word),
            4 => Self::Forget(object),
            5 => {
                let why = u32::try_from(last).ok().and_then(Gone::from_code)?;
                Self::Left(word, side_of(small)?, why)
            }
            6 => Self::Publish(small),
            7 => Self::Lookup,
            8 => Self::Watch(word, small),
            9 => Self::Unwatch(word),
            10 => Self::Ring(word),
            11 => Self::End,
            12 => Self::Queue(small),
            13 => Self::Send(object, small),
            14 => Self::Receive(object),
            15 => {
                let why = u32::try_from(last).ok().and_then(Gone::from_code)?;
                Self::LeftQueue(object, Role::from_code(small)?, why)
            }
            _ => return None,
        };
        (ask.to_words() == words).then_some(ask)
    }
}

/// What is answered, as an invocation returns it.
pub(super) fn answer(answered: Result<[u64; 3], ErrorKind>) -> Answer {
    match answered {
        Ok(extra) => Answer { result: 0, extra },
        Err(kind) => Answer::of(-i64::from(kind.code())),
    }
}

/// The same, as the component understands it.
///
/// # Errors
///
/// What the manager refuses; `Misbehaved` for what no manager says.
pub fn answered(answer: Answer) -> Result<[u64; 3], ErrorKind> {
    if answer.result == 0 {
        return Ok(answer.extra);
    }
    let code = answer.result.checked_neg().and_then(|code| u32::try_from(code).ok());
    Err(code.and_then(ErrorKind::from_code).unwrap_or(ErrorKind::Misbehaved))
}
