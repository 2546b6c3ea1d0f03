//! What a component asks of the manager, what it answers, and what it says by itself.

use std::sync::Arc;
use std::vec::Vec;

use backend_local::outside::WordId;
use backend_local::parcel::Parcel;
use res_api::{Desc, ErrorKind, Exit, Gone, Name, Role, Side};
use res_kernel::{Access, Isolation};

use crate::wire::{Bytes, Wire, records, variants};

pub(crate) use crate::ends::ComponentId;

/// Where a capability is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To a component that has not begun, under a name.
    Endowment(ComponentId, Name),
    /// Into a queue.
    Queue(u64),
    /// To whoever asks for the name.
    Name(Name),
}

/// What a component asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A memory object of so many bytes.
    Memory(u64),
    /// A memory object of so many bytes, for what is to go over that queue.
    Lend(u64, u64),
    /// What is made in that object goes over that queue as well.
    Admit(u64, u64),
    /// The object, which something that came over that queue is made in.
    Fetch(u64, u64),
    /// What has come once, or was made, is not used any more. No answer.
    Forget(u64),
    /// The object once more, of something that has come without it.
    Again(u64),
    /// The last end of that side that the component had has left. No answer.
    Left(WordId, Side, Gone),
    /// An end of a queue has left. No answer.
    LeftQueue(u64, Role, Gone),
    /// Takes a capability somewhere.
    Export(Destination, Parcel),
    /// What is under that name, of what the component was endowed with.
    Take(Name),
    /// What of that is called how, from the so-manieth on.
    Endowments(u32),
    /// What was published under that name.
    Lookup(Name),
    /// A queue of capabilities.
    Queue(u32),
    /// What is next in a queue.
    Receive(u64),
    /// From now on nothing of that queue comes ahead of being asked for, until somebody else
    /// receives from it.
    Recall(u64),
    /// What came ahead of being asked for, and was not received: it is the next again. No answer.
    Return(u64, Parcel),
    /// A component that begins at that entry.
    Component(Name, u64),
    /// Lets it run.
    Start(ComponentId),
    /// Asks it to end. No answer.
    Stop(ComponentId),
    /// Nobody will start it any more. No answer.
    Abandon(ComponentId),
    /// A group watches that word.
    Watch(WordId),
    /// No more. Answered, so that the word's memory is not used by others for something that they watch
    /// before that.
    Unwatch(WordId),
    /// The arena of that number, in which whoever watches the word wants to be told; none to listen
    /// to it oneself.
    Arena(u64, Option<WordId>),
    /// Rings the bell of whoever watches the word.
    Ring(WordId),
    /// The board, where the manager says from now on that it has something to say.
    Board(),
    /// What has happened since the last time.
    Notices(),
    /// The component ends. No answer, and nothing that comes behind it is heard.
    Ends(Exit),
}

impl Request {
    /// Whether somebody waits for an answer.
    pub(crate) fn is_answered(&self) -> bool {
        !matches!(
            self,
            Self::Forget(_)
                | Self::Left(..)
                | Self::LeftQueue(..)
                | Self::Return(..)
                | Self::Stop(_)
                | Self::Abandon(_)
                | Self::Ends(_)
        )
    }
}

/// A memory object or a file that goes with an answer.
pub(crate) enum Item<K: Isolation> {
    Memory(u64, Arc<K::Memory>, Access),
    File(u64, Arc<K::File>),
    /// It is not needed: the component uses it already.
    Known(u64),
    /// It came, and there is no memory here to map it.
    Missing(u64),
}

/// What the manager answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is done.
    Done(),
    /// It cannot be done now: the queue is full, or empty.
    NotNow(),
    /// The number of what was made, or of what comes with it.
    Number(u64),
    /// A capability; what it is made of comes with it. And who sent it; 0 where nobody did.
    Parcel(Parcel, ComponentId),
    /// The next of that queue, and who sent it, ahead of being asked for: no answer to anything.
    Ahead(u64, Parcel, ComponentId),
    /// What the component was endowed with.
    Endowments(Vec<(Name, Desc)>),
    /// What has happened.
    Notices(Vec<Notice>),
    /// It is refused.
    Refused(ErrorKind),
}

/// An answer, and what goes with it.
pub(crate) struct Answer<K: Isolation> {
    pub(crate) said: Said,
    pub(crate) items: Vec<Item<K>>,
}

/// What is said of an answer: it goes beside the objects themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) said: Said,
    /// The numbers of the objects, and behind them of those that could not be sent.
    pub(crate) sent: Vec<u64>,
    /// Those that the component uses already.
    pub(crate) known: Vec<u64>,
}

impl<K: Isolation> From<Said> for Answer<K> {
    fn from(said: Said) -> Self {
        Self { said, items: Vec::new() }
    }
}

/// What the manager says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// End.
    Stop(),
    /// A component that you made has ended.
    Ended(ComponentId, Exit),
    /// The peer of that arena is gone.
    ArenaGone(u64),
}

/// What a component is told before anything else; its board comes with it where it was endowed with
/// anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Which one the manager speaks; it stays the first for ever.
    pub(crate) protocol: u64,
    pub(crate) id: ComponentId,
    pub(crate) name: Name,
    /// The first of what it was endowed with; all, if there are fewer than
    /// [`ENDOWMENTS`](Self::ENDOWMENTS).
    pub(crate) endowments: Vec<(Name, Desc)>,
}

impl Hello {
    pub(crate) const ENDOWMENTS: usize = 8;
    /// None is longer.
    pub(crate) const BYTES: usize = 2048;
}

impl<K: Isolation> Item<K> {
    pub(crate) fn number(&self) -> u64 {
        match self {
            Self::Memory(number, ..)
            | Self::File(number, _)
            | Self::Known(number)
            | Self::Missing(number) => *number,
        }
    }
}

records! {
    Hello { protocol, id, name, endowments }
    Told { said, sent, known }
}

variants! {
    Destination {
        0 => Endowment(component, name),
        1 => Queue(queue),
        2 => Name(name),
    }
    Request {
        0 => Memory(bytes),
        1 => Forget(object),
        2 => Left(word, side, why),
        3 => LeftQueue(queue, role, why),
        4 => Export(to, parcel),
        5 => Take(name),
        6 => Endowments(start),
        7 => Lookup(name),
        8 => Queue(capacity),
        9 => Receive(queue),
        10 => Component(name, entry),
        11 => Start(component),
        12 => Stop(component),
        13 => Abandon(component),
        14 => Watch(word),
        15 => Unwatch(word),
        16 => Arena(arena, word),
        17 => Ring(word),
        18 => Notices(),
        19 => Ends(exit),
        20 => Again(object),
        21 => Recall(queue),
        22 => Return(queue, parcel),
        23 => Lend(queue, bytes),
        24 => Admit(queue, object),
        25 => Fetch(queue, object),
        26 => Board(),
    }
    Said {
        0 => Done(),
        1 => NotNow(),
        2 => Number(number),
        3 => Parcel(parcel, sender),
        4 => Endowments(list),
        5 => Notices(notices),
        6 => Refused(kind),
        7 => Ahead(queue, parcel, sender),
    }
    Notice {
        0 => Stop(),
        1 => Ended(component, exit),
        2 => ArenaGone(arena),
    }
}

#[cfg(test)]
mod tests {
    use backend_local::parcel::{Head, Piece};
    use res_api::{Barrier, Fault, KindId, Rights, Tag, Trust};

    use super::*;

    fn parcel() -> Parcel {
        let desc = Desc {
            kind: KindId::new(*b"spsc", 1),
            msg: Tag { name: Name::new("u64"), version: 1, size: 8, align: 8, layout: 7 },
            trust: Trust::StableAfterSend,
            ..Desc::plain(Role::Snd, 64)
        };
        let word = WordId { object: 7, offset: 16 };
        let pieces = Vec::from([
            Piece::Memory { object: 7, bytes: 640, rights: Rights::READ | Rights::WRITE },
            Piece::Word {
                word,
                side: Some(Side::Signallers),
                barrier: Barrier::Asymmetric,
                kept: true,
                peer_here: false,
            },
            Piece::Word { word, side: None, barrier: Barrier::Fence, kept: false, peer_here: true },
            Piece::Queue(9),
            Piece::File(10),
        ]);
        let head = Head { desc, rights: Rights::all(), state: 5, pieces: pieces.len() as u32 };
        within(Parcel { head, pieces })
    }

    /// An end that has nothing but that one.
    fn within(inner: Parcel) -> Parcel {
        let pieces = core::iter::once(Piece::End(inner.head)).chain(inner.pieces).collect();
        Parcel { head: Head { pieces: 1, ..inner.head }, pieces }
    }

    /// Names and descriptions are of one length each.
    #[test]
    fn the_longest_greeting_is_not_cut_off() {
        let one = (Name::new("endowment"), parcel().head.desc);
        let endowments = core::iter::repeat_n(one, Hello::ENDOWMENTS).collect();
        let hello = Hello { protocol: u64::MAX, id: 7, name: Name::new("longest"), endowments };
        assert!(hello.encoded().len() <= Hello::BYTES, "{}", hello.encoded().len());
        assert_eq!(Hello::decoded(&hello.encoded()), Some(hello));
    }

    fn requests() -> Vec<Request> {
        let (word, name) = (WordId { object: 1, offset: 32 }, Name::new("name"));
        Vec::from([
            Request::Memory(u64::MAX),
            Request::Forget(1),
            Request::Again(1),
            Request::Left(word, Side::Waiters, Gone::PeerGone),
            Request::LeftQueue(1, Role::CapRcv, Gone::Closed),
            Request::Export(Destination::Endowment(3, name), parcel()),
            Request::Export(Destination::Queue(4), parcel()),
            Request::Export(Destination::Name(name), parcel()),
            Request::Take(name),
            Request::Endowments(64),
            Request::Lookup(name),
            Request::Queue(3),
            Request::Receive(5),
            Request::Recall(5),
            Request::Return(5, parcel()),
            Request::Lend(5, 4096),
            Request::Admit(5, 6),
            Request::Fetch(5, 6),
            Request::Component(name, 0xdead),
            Request::Start(2),
            Request::Stop(2),
            Request::Abandon(2),
            Request::Watch(word),
            Request::Unwatch(word),
            Request::Arena(6, Some(word)),
            Request::Arena(6, None),
            Request::Ring(word),
            Request::Board(),
            Request::Notices(),
            Request::Ends(Exit::Success),
            Request::Ends(Exit::Died),
        ])
    }

    #[test]
    fn what_travels_arrives() {
        for request in requests() {
            assert_eq!(Request::decoded(&request.encoded()), Some(request));
        }
        let said = Said::Notices(Vec::from([Notice::Stop(), Notice::ArenaGone(4)]));
        assert_eq!(Said::decoded(&said.encoded()), Some(said));
        let (said, sent, known) = (Said::Ahead(7, parcel(), 8), Vec::from([1, 2]), Vec::from([3]));
        let told = Told { said, sent, known };
        assert_eq!(Told::decoded(&told.encoded()), Some(told));
        let said = Said::Endowments(Vec::from([(Name::new("one"), parcel().head.desc)]));
        assert_eq!(Said::decoded(&said.encoded()), Some(said));
        let failed = Exit::Failed(Fault::new(ErrorKind::Denied, "what it says"));
        let Some(Exit::Failed(fault)) = Exit::decoded(&failed.encoded()) else {
            panic!("a fault came");
        };
        assert_eq!((fault.kind(), fault.text()), (ErrorKind::Denied, "what it says"));
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        for request in requests() {
            let bytes = request.encoded();
            for len in 0..bytes.len() {
                assert_eq!(Request::decoded(&bytes[..len]), None, "{request:?} after {len} bytes");
            }
            assert_eq!(Request::decoded(&[&bytes[..], &[0]].concat()), None);
        }
    }

    /// Every byte, changed in several ways: it decodes to something or not, and no more happens.
    #[test]
    fn what_is_changed_does_no_harm() {
        for request in requests() {
            let bytes = request.encoded();
            for at in 0..bytes.len() {
                for value in [0, 1, 2, 0x7f, 0x80, 0xff, bytes[at].wrapping_add(1)] {
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    if let Some(decoded) = Request::decoded(&changed) {
                        assert_eq!(decoded.encoded(), changed, "one way to say it");
                    }
                }
            }
        }
    }

    #[test]
    fn ends_within_ends_have_an_end() {
        let mut deep = parcel();
        for _ in 0..100 {
            deep = within(deep);
        }
        assert_eq!(Parcel::decoded(&deep.encoded()), None);
        for (count, is_refused) in [(64, false), (65, true)] {
            let head = Head { pieces: count, ..parcel().head };
            let many = Parcel { head, pieces: std::vec![Piece::Queue(1); count as usize] };
            assert_eq!(Parcel::decoded(&many.encoded()).is_none(), is_refused, "{count}");
        }
    }
}
