//! Kinds and queues that are broken on purpose, over the honest ring.

use std::marker::PhantomData;
use std::ptr::NonNull;

use chan_impls::endpoint::{self, QueueRcv, QueueSnd};
use chan_impls::queue::{
    Fate, Half, InMemory, Misbehaved, PopError, PopQueue, PushError, PushQueue,
};
use chan_impls::{Spsc, SpscPop, SpscPush};
use res_api::{
    AnyCap, Backend, CastError, CastReason, ChanAttr, Deadline, Desc, EndsIn, FromCap, Gone,
    IntoCap, Kind, KindId, Message, Receiver, RecvError, SendError, Sender, Source, SourceKind,
    Stats, Trust, TryRecvError, TrySendError,
};

/// What is broken.
pub(crate) trait Mutation: Send + 'static {
    /// Full with one slot left.
    const FULL_EARLY: bool = false;
    /// Each time round the ring the item before is given out once more.
    const DUPLICATED_ON_WRAP: bool = false;
    /// At the border of two batches of four two items change places.
    const ORDER_BROKEN: bool = false;
    /// A cast does not look at the alignment of the message.
    const ALIGNMENT_IGNORED: bool = false;
}

/// The kind.
pub(crate) struct Broken<M>(PhantomData<M>);

/// Its pushing half.
pub(crate) struct Push<Q, M>(Q, PhantomData<M>);

/// Its popping half.
pub(crate) struct Pop<Q: PopQueue, M> {
    inner: Q,
    next: Option<Q::Item>,
    again: Option<Q::Item>,
    of: PhantomData<M>,
}

fn copy<T: Message>(of: &T) -> Option<T> {
    T::try_read_from_bytes(of.as_bytes()).ok()
}

impl<Q: Half, M> Half for Push<Q, M> {
    fn capacity(&self) -> u32 {
        self.0.capacity()
    }

    fn len(&self) -> u32 {
        self.0.len()
    }

    fn position(&self) -> u64 {
        self.0.position()
    }

    fn high_water(&self) -> u32 {
        self.0.high_water()
    }
}

impl<Q: PopQueue, M> Half for Pop<Q, M> {
    fn capacity(&self) -> u32 {
        self.inner.capacity()
    }

    fn len(&self) -> u32 {
        self.inner.len() + u32::from(self.next.is_some())
    }

    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn high_water(&self) -> u32 {
        self.inner.high_water()
    }
}

impl<Q: PushQueue, M: Mutation> Push<Q, M> {
    fn refuses(&self) -> bool {
        M::FULL_EARLY && self.len() + 1 >= self.capacity()
    }
}

// SAFETY: what the inner half says of its items is handed on.
unsafe impl<Q: PushQueue, M: Mutation> PushQueue for Push<Q, M> {
    type Item = Q::Item;

    fn has_room(&mut self) -> Result<bool, Misbehaved> {
        Ok(!self.refuses() && self.0.has_room()?)
    }

    fn try_push(&mut self, item: Q::Item) -> Result<(), (Q::Item, PushError)> {
        if self.refuses() { Err((item, PushError::Full)) } else { self.0.try_push(item) }
    }

    fn retract(&mut self, count: u32, gone: Gone) -> Fate {
        self.0.retract(count, gone)
    }
}

impl<Q: PopQueue<Item: Message>, M: Mutation> PopQueue for Pop<Q, M> {
    type Item = Q::Item;

    fn has_item(&mut self) -> Result<bool, Misbehaved> {
        Ok(self.next.is_some() || self.inner.has_item()?)
    }

    fn try_pop(&mut self) -> Result<Option<Q::Item>, PopError> {
        if let Some(item) = self.next.take().or_else(|| self.again.take()) {
            return Ok(Some(item));
        }
        let Some(item) = self.inner.try_pop()? else { return Ok(None) };
        if M::DUPLICATED_ON_WRAP && self.position().is_multiple_of(self.capacity().into()) {
            self.again = copy(&item);
        }
        if M::ORDER_BROKEN
            && self.position().is_multiple_of(4)
            && let Some(overtaking) = self.inner.try_pop()?
        {
            self.next = Some(item);
            return Ok(Some(overtaking));
        }
        Ok(Some(item))
    }
}

// SAFETY: the inner half's memory and its rules.
unsafe impl<Q: InMemory, M: Mutation> InMemory for Push<Q, M> {
    const KIND: KindId = Q::KIND;
    const TRUST: Trust = Q::TRUST;

    fn bytes(capacity: u32) -> Option<u64> {
        Q::bytes(capacity)
    }

    unsafe fn init(memory: NonNull<u8>, capacity: u32) {
        // SAFETY: the caller's promise, handed on.
        unsafe { Q::init(memory, capacity) };
    }

    unsafe fn attach(memory: NonNull<u8>, capacity: u32, position: u64) -> Self {
        // SAFETY: the caller's promise, handed on.
        Self(unsafe { Q::attach(memory, capacity, position) }, PhantomData)
    }
}

// SAFETY: the inner half's memory and its rules.
unsafe impl<Q: InMemory + PopQueue<Item: Send>, M: Mutation> InMemory for Pop<Q, M> {
    const KIND: KindId = Q::KIND;
    const TRUST: Trust = Q::TRUST;

    fn bytes(capacity: u32) -> Option<u64> {
        Q::bytes(capacity)
    }

    unsafe fn init(_: NonNull<u8>, _: u32) {}

    unsafe fn attach(memory: NonNull<u8>, capacity: u32, position: u64) -> Self {
        // SAFETY: the caller's promise, handed on.
        let inner = unsafe { Q::attach(memory, capacity, position) };
        Self { inner, next: None, again: None, of: PhantomData }
    }
}

type HonestSnd<B, T, M> = QueueSnd<B, Push<SpscPush<<B as Backend>::Model, T>, M>>;
type HonestRcv<B, T, M> = QueueRcv<B, Pop<SpscPop<<B as Backend>::Model, T>, M>>;

/// An end whose cast may be blind for the alignment.
pub(crate) struct Cast<E, M>(E, PhantomData<M>);

impl<B: Backend, M: Mutation> Kind<B> for Broken<M> {
    const ID: KindId = <Spsc as Kind<B>>::ID;
    const TRUST: Trust = <Spsc as Kind<B>>::TRUST;
    type Attr = ChanAttr;
    type Snd<T: Message> = Cast<HonestSnd<B, T, M>, M>;
    type Rcv<T: Message> = HonestRcv<B, T, M>;

    fn bytes<T: Message>(capacity: u32, attr: &ChanAttr) -> Option<u64> {
        <Spsc as Kind<B>>::bytes::<T>(capacity, attr)
    }

    fn create_in<T: Message>(
        b: &B,
        memory: B::Mem,
        capacity: u32,
        attr: &ChanAttr,
    ) -> EndsIn<B, Self, T> {
        let (tx, rx) = endpoint::create_in(b, memory, capacity, attr)?;
        Ok((Cast(tx, PhantomData), rx))
    }
}

impl<E: Sender, M> Sender for Cast<E, M> {
    type Msg = E::Msg;

    fn try_send(&mut self, message: E::Msg) -> Result<(), TrySendError<E::Msg>> {
        self.0.try_send(message)
    }

    fn send_until(&mut self, message: E::Msg, by: Deadline) -> Result<(), SendError<E::Msg>> {
        self.0.send_until(message, by)
    }

    fn capacity(&self) -> u32 {
        self.0.capacity()
    }

    fn len(&self) -> u32 {
        self.0.len()
    }

    fn gone(&self) -> Option<Gone> {
        self.0.gone()
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}

impl<P, E: Source<P>, M> Source<P> for Cast<E, M> {
    fn source_kind(&self) -> SourceKind {
        self.0.source_kind()
    }

    fn blockpoint(&self) -> &P {
        self.0.blockpoint()
    }

    fn ready(&self) -> bool {
        self.0.ready()
    }
}

impl<C, E: IntoCap<C>, M> IntoCap<C> for Cast<E, M> {
    fn into_cap(self) -> C {
        self.0.into_cap()
    }
}

impl<C: AnyCap, E: FromCap<C> + Sender<Msg: Message>, M: Mutation> FromCap<C> for Cast<E, M> {
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        let mut desc = *desc;
        if M::ALIGNMENT_IGNORED {
            desc.msg.align = <E::Msg as Message>::TAG.align;
        }
        E::accepts(&desc)
    }

    fn attach(cap: C) -> Result<Self, CastError<C>> {
        Ok(Self(E::attach(cap)?, PhantomData))
    }
}

/// A receiver of any `T` that drops what it gives out. Only for values that survive that.
pub(crate) struct Twice<R, const TWICE: bool>(pub(crate) R);

impl<R: Receiver, const TWICE: bool> Twice<R, TWICE> {
    fn dropped_too(value: R::Msg) -> R::Msg {
        if TWICE {
            // SAFETY: the cases that this is for count the drops of a value that owns nothing.
            drop(unsafe { std::ptr::read(&raw const value) });
        }
        value
    }
}

impl<R: Receiver, const TWICE: bool> Receiver for Twice<R, TWICE> {
    type Msg = R::Msg;

    fn try_recv(&mut self) -> Result<R::Msg, TryRecvError> {
        self.0.try_recv().map(Self::dropped_too)
    }

    fn recv_until(&mut self, deadline: Deadline) -> Result<R::Msg, RecvError> {
        self.0.recv_until(deadline).map(Self::dropped_too)
    }

    fn capacity(&self) -> u32 {
        self.0.capacity()
    }

    fn len(&self) -> u32 {
        self.0.len()
    }

    fn gone(&self) -> Option<Gone> {
        self.0.gone()
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}
