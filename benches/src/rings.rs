//! Single-producer single-consumer rings, ours and the peers', behind one interface, and the work
//! that they are measured at.

use std::marker::PhantomData;
use std::ptr::NonNull;

use chan_impls::queue::InMemory;
use chan_impls::standalone;
use chan_impls::{PopQueue, PushQueue, SpscPop, SpscPush};
use res_api::Message;
use res_sync::model::Core;

use crate::on_two_cores;

/// What travels: made from a number, and recognised by it.
pub trait Item: Message + Copy + Default {
    /// One with that number.
    fn numbered(number: u64) -> Self;
    /// Its number.
    fn number(&self) -> u64;
}

impl Item for u64 {
    fn numbered(number: u64) -> Self {
        number
    }
    fn number(&self) -> u64 {
        *self
    }
}

/// 64 bytes.
impl Item for [u64; 8] {
    fn numbered(number: u64) -> Self {
        [number; 8]
    }
    fn number(&self) -> u64 {
        // All of it is looked at, as a receiver would.
        self.iter().fold(0, |sum, word| sum | word)
    }
}

/// The pushing end.
pub trait Push<T: Item>: Send {
    /// Pushes; false if it is full.
    fn push(&mut self, item: T) -> bool;

    /// Pushes as many as fit.
    fn push_slice(&mut self, items: &[T]) -> usize {
        items.iter().take_while(|item| self.push(**item)).count()
    }
}

/// The popping end.
pub trait Pop<T: Item>: Send {
    /// Pops; none if it is empty.
    fn pop(&mut self) -> Option<T>;

    /// Pops as many as there are and fit.
    fn pop_slice(&mut self, items: &mut [T]) -> usize {
        let there = std::iter::from_fn(|| self.pop());
        items.iter_mut().zip(there).map(|(place, item)| *place = item).count()
    }

    /// Pops until it is empty; false if it was. Overridden where one at a time is not the peer's
    /// own way.
    #[inline(always)]
    fn drain(&mut self, mut each: impl FnMut(T)) -> bool {
        let mut any = false;
        while let Some(item) = self.pop() {
            each(item);
            any = true;
        }
        any
    }
}

/// A kind of ring.
pub trait Ring<T: Item> {
    /// How the tables call it.
    const NAME: &'static str;

    /// Does the work on a new ring of that capacity.
    fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out;
}

/// Work for the ends of a ring.
pub trait Work<T: Item> {
    /// What it comes to.
    type Out;
    /// Does it.
    fn on(self, tx: impl Push<T>, rx: impl Pop<T>) -> Self::Out;
}

/// Nanoseconds for each of so many items, from core to core.
#[derive(Clone, Copy, Debug)]
pub struct Throughput(pub u64);

impl<T: Item> Work<T> for Throughput {
    type Out = f64;

    fn on(self, mut tx: impl Push<T>, mut rx: impl Pop<T>) -> f64 {
        let Self(items) = self;
        let push = move || {
            for k in 0..items {
                until(|| tx.push(T::numbered(k)).then_some(()));
            }
            tx
        };
        let pop = move || {
            let mut next = 0;
            while next < items {
                let any = rx.drain(|item| {
                    expect(item.number(), next);
                    next += 1;
                });
                if !any {
                    std::hint::spin_loop();
                }
            }
            rx
        };
        on_two_cores(push, pop) / items as f64
    }
}

/// How many the batches hold.
const BATCH: usize = 64;

/// Nanoseconds for each of so many items (a multiple of 64), pushed and popped in slices of 64.
#[derive(Clone, Copy, Debug)]
pub struct Batches(pub u64);

impl<T: Item> Work<T> for Batches {
    type Out = f64;

    fn on(self, mut tx: impl Push<T>, mut rx: impl Pop<T>) -> f64 {
        let Self(items) = self;
        let push = move || {
            for batch in 0..items / BATCH as u64 {
                let batch: [T; BATCH] =
                    std::array::from_fn(|k| T::numbered(batch * BATCH as u64 + k as u64));
                let mut rest = &batch[..];
                while !rest.is_empty() {
                    rest = &rest[tx.push_slice(rest)..];
                }
            }
            tx
        };
        let pop = move || {
            let mut batch = [T::default(); BATCH];
            let mut next = 0;
            while next < items {
                let count = rx.pop_slice(&mut batch);
                for item in &batch[..count] {
                    expect(item.number(), next);
                    next += 1;
                }
            }
            rx
        };
        on_two_cores(push, pop) / items as f64
    }
}

/// Nanoseconds for each of so many round trips, over two rings, both sides spinning.
#[derive(Debug)]
pub struct RoundTrips<R>(u32, u64, PhantomData<R>);

impl<R> RoundTrips<R> {
    /// Over rings of that capacity, so many.
    pub fn new(capacity: u32, trips: u64) -> Self {
        Self(capacity, trips, PhantomData)
    }
}

impl<T: Item, R: Ring<T>> Work<T> for RoundTrips<R> {
    type Out = f64;

    fn on(self, there: impl Push<T>, at_server: impl Pop<T>) -> f64 {
        let Self(capacity, trips, _) = self;
        R::with(capacity, Back { there, at_server, trips })
    }
}

/// The second of two rings.
struct Back<A, B> {
    there: A,
    at_server: B,
    trips: u64,
}

impl<T: Item, A: Push<T>, B: Pop<T>> Work<T> for Back<A, B> {
    type Out = f64;

    fn on(self, mut back: impl Push<T>, mut at_client: impl Pop<T>) -> f64 {
        let Self { mut there, mut at_server, trips } = self;
        let client = move || {
            for k in 0..trips {
                until(|| there.push(T::numbered(k)).then_some(()));
                expect(until(|| at_client.pop()).number(), k);
            }
            (there, at_client)
        };
        let server = move || {
            for _ in 0..trips {
                let item = until(|| at_server.pop());
                until(|| back.push(item).then_some(()));
            }
            (back, at_server)
        };
        on_two_cores(client, server) / trips as f64
    }
}

/// Nanoseconds for each of so many pushes, each followed by a pop on the same thread.
#[derive(Clone, Copy, Debug)]
pub struct OneThread(pub u64);

impl<T: Item> Work<T> for OneThread {
    type Out = f64;

    fn on(self, mut tx: impl Push<T>, mut rx: impl Pop<T>) -> f64 {
        let Self(items) = self;
        crate::pin(0);
        crate::time(items, move || {
            for k in 0..items {
                until(|| tx.push(T::numbered(k)).then_some(()));
                expect(until(|| rx.pop()).number(), k);
            }
            (tx, rx)
        })
    }
}

/// An assertion that stores nothing on its way.
#[inline(always)]
fn expect(number: u64, wanted: u64) {
    #[cold]
    #[inline(never)]
    fn wrong(number: u64, wanted: u64) -> ! {
        panic!("item {number} came instead of {wanted}")
    }
    if number != wanted {
        wrong(number, wanted);
    }
}

/// Asks until there is an answer.
#[inline(always)]
fn until<R>(mut ask: impl FnMut() -> Option<R>) -> R {
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        std::hint::spin_loop();
    }
}

/// Our ring for one address space.
#[derive(Clone, Copy, Debug)]
pub struct Standalone;

impl<T: Item> Ring<T> for Standalone {
    const NAME: &'static str = "res standalone";

    fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out {
        let (tx, rx) = standalone::ring::<T>(capacity).expect("a capacity that exists");
        work.on(tx, rx)
    }
}

impl<T: Item> Push<T> for standalone::Producer<'_, T> {
    #[inline(always)]
    fn push(&mut self, item: T) -> bool {
        self.push(item).is_ok()
    }
    #[inline(always)]
    fn push_slice(&mut self, items: &[T]) -> usize {
        self.push_slice(items)
    }
}

impl<T: Item> Pop<T> for standalone::Consumer<'_, T> {
    #[inline(always)]
    fn pop(&mut self) -> Option<T> {
        self.pop()
    }
    #[inline(always)]
    fn pop_slice(&mut self, items: &mut [T]) -> usize {
        self.pop_slice(items)
    }
}

/// Our ring for messages, which believes nothing that the other side wrote.
#[derive(Clone, Copy, Debug)]
pub struct Messages;

impl<T: Item> Ring<T> for Messages {
    const NAME: &'static str = "res messages";

    fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out {
        let memory = Memory::new(SpscPush::<Core, T>::bytes(capacity).expect("it fits"));
        // SAFETY: new memory, large and aligned enough, which outlives both halves; each is
        // attached once.
        let (tx, rx) = unsafe {
            SpscPush::<Core, T>::init(memory.at, capacity);
            (
                SpscPush::<Core, T>::attach(memory.at, capacity, 0),
                SpscPop::<Core, T>::attach(memory.at, capacity, 0),
            )
        };
        work.on(tx, rx)
    }
}

/// Memory such as a mapping: whole pages, at a page.
struct Memory {
    at: NonNull<u8>,
    layout: std::alloc::Layout,
}

impl Memory {
    fn new(bytes: u64) -> Self {
        let layout = std::alloc::Layout::from_size_align(bytes as usize, 4096)
            .expect("it fits")
            .pad_to_align();
        // SAFETY: not of size 0, since a ring has a header.
        let at = unsafe { std::alloc::alloc_zeroed(layout) };
        Self { at: NonNull::new(at).expect("there is memory"), layout }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with that layout.
        unsafe { std::alloc::dealloc(self.at.as_ptr(), self.layout) };
    }
}

impl<T: Item> Push<T> for SpscPush<Core, T> {
    #[inline(always)]
    fn push(&mut self, item: T) -> bool {
        self.try_push(item).is_ok()
    }
    #[inline(always)]
    fn push_slice(&mut self, items: &[T]) -> usize {
        self.try_push_slice(items).unwrap_or(0)
    }
}

impl<T: Item> Pop<T> for SpscPop<Core, T> {
    #[inline(always)]
    fn pop(&mut self) -> Option<T> {
        self.try_pop().expect("the other half is honest")
    }
    #[inline(always)]
    fn pop_slice(&mut self, items: &mut [T]) -> usize {
        self.try_pop_slice(items).expect("the other half is honest")
    }
}

#[cfg(feature = "peers")]
pub use peers::{ArrayQueue, Disruptor, Heapless, Ringbuf, Rtrb};

#[cfg(feature = "peers")]
mod peers {
    use std::sync::Arc;

    use super::{Item, Pop, Push, Ring, Work};

    /// The crate rtrb.
    #[derive(Clone, Copy, Debug)]
    pub struct Rtrb;

    impl<T: Item> Ring<T> for Rtrb {
        const NAME: &'static str = "rtrb";

        fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out {
            let (tx, rx) = rtrb::RingBuffer::new(capacity as usize);
            work.on(tx, rx)
        }
    }

    impl<T: Item> Push<T> for rtrb::Producer<T> {
        #[inline(always)]
        fn push(&mut self, item: T) -> bool {
            self.push(item).is_ok()
        }
        #[inline(always)]
        fn push_slice(&mut self, items: &[T]) -> usize {
            self.push_partial_slice(items).0.len()
        }
    }

    impl<T: Item> Pop<T> for rtrb::Consumer<T> {
        #[inline(always)]
        fn pop(&mut self) -> Option<T> {
            self.pop().ok()
        }
        #[inline(always)]
        fn pop_slice(&mut self, items: &mut [T]) -> usize {
            self.pop_partial_slice(items).0.len()
        }
    }

    /// The crate ringbuf, with its indices cached.
    #[derive(Clone, Copy, Debug)]
    pub struct Ringbuf;

    impl<T: Item> Ring<T> for Ringbuf {
        const NAME: &'static str = "ringbuf";

        fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out {
            use ringbuf::traits::Split;

            let (tx, rx) = ringbuf::HeapRb::<T>::new(capacity as usize).split();
            work.on(tx, rx)
        }
    }

    impl<T: Item> Push<T> for ringbuf::HeapProd<T> {
        #[inline(always)]
        fn push(&mut self, item: T) -> bool {
            ringbuf::traits::Producer::try_push(self, item).is_ok()
        }
        #[inline(always)]
        fn push_slice(&mut self, items: &[T]) -> usize {
            ringbuf::traits::Producer::push_slice(self, items)
        }
    }

    impl<T: Item> Pop<T> for ringbuf::HeapCons<T> {
        #[inline(always)]
        fn pop(&mut self) -> Option<T> {
            ringbuf::traits::Consumer::try_pop(self)
        }
        #[inline(always)]
        fn pop_slice(&mut self, items: &mut [T]) -> usize {
            ringbuf::traits::Consumer::pop_slice(self, items)
        }
    }

    /// The crate heapless, at the sizes 64 and 1024 (of which it uses one less).
    #[derive(Clone, Copy, Debug)]
    pub struct Heapless;

    impl<T: Item> Ring<T> for Heapless {
        const NAME: &'static str = "heapless";

        fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out {
            fn sized<T: Item, W: Work<T>, const N: usize>(work: W) -> W::Out {
                let mut queue = Box::new(heapless::spsc::Queue::<T, N>::new());
                let (tx, rx) = queue.split();
                work.on(tx, rx)
            }
            match capacity {
                64 => sized::<T, W, 64>(work),
                1024 => sized::<T, W, 1024>(work),
                _ => unimplemented!("no bench has that capacity"),
            }
        }
    }

    impl<T: Item> Push<T> for heapless::spsc::Producer<'_, T> {
        #[inline(always)]
        fn push(&mut self, item: T) -> bool {
            self.enqueue(item).is_ok()
        }
    }

    impl<T: Item> Pop<T> for heapless::spsc::Consumer<'_, T> {
        #[inline(always)]
        fn pop(&mut self) -> Option<T> {
            self.dequeue()
        }
    }

    /// The bounded queue of crossbeam, which takes any number of producers and consumers.
    #[derive(Clone, Copy, Debug)]
    pub struct ArrayQueue;

    impl<T: Item> Ring<T> for ArrayQueue {
        const NAME: &'static str = "crossbeam ArrayQueue";

        fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out {
            let queue = Arc::new(crossbeam_queue::ArrayQueue::new(capacity as usize));
            work.on(queue.clone(), queue)
        }
    }

    impl<T: Item> Push<T> for Arc<crossbeam_queue::ArrayQueue<T>> {
        #[inline(always)]
        fn push(&mut self, item: T) -> bool {
            (**self).push(item).is_ok()
        }
    }

    impl<T: Item> Pop<T> for Arc<crossbeam_queue::ArrayQueue<T>> {
        #[inline(always)]
        fn pop(&mut self) -> Option<T> {
            (**self).pop()
        }
    }

    /// The crate disruptor, polled.
    #[derive(Clone, Copy, Debug)]
    pub struct Disruptor;

    impl<T: Item + Sync> Ring<T> for Disruptor {
        const NAME: &'static str = "disruptor";

        fn with<W: Work<T>>(capacity: u32, work: W) -> W::Out {
            let builder = disruptor::build_single_producer(
                capacity as usize,
                T::default,
                disruptor::BusySpin,
            );
            let (rx, builder) = builder.new_event_poller();
            work.on(DisruptorTx(builder.build()), DisruptorRx(rx))
        }
    }

    struct DisruptorTx<P>(P);

    impl<T: Item, P: disruptor::Producer<T> + Send> Push<T> for DisruptorTx<P> {
        #[inline(always)]
        fn push(&mut self, item: T) -> bool {
            self.0.try_publish(|place| *place = item).is_ok()
        }
        #[inline(always)]
        fn push_slice(&mut self, items: &[T]) -> usize {
            let all = self.0.try_batch_publish(items.len(), |places| {
                places.zip(items).for_each(|(place, item)| *place = *item);
            });
            if all.is_ok() { items.len() } else { 0 }
        }
    }

    struct DisruptorRx<T>(disruptor::EventPoller<T, disruptor::SingleProducerBarrier>);

    impl<T: Item + Sync> Pop<T> for DisruptorRx<T> {
        #[inline(always)]
        fn pop(&mut self) -> Option<T> {
            self.0.take(1).ok().and_then(|mut guard| (&mut guard).next().copied())
        }
        #[inline(always)]
        fn pop_slice(&mut self, items: &mut [T]) -> usize {
            self.0.take(items.len() as u64).map_or(0, |mut guard| {
                items.iter_mut().zip(&mut guard).map(|(place, item)| *place = *item).count()
            })
        }
        #[inline(always)]
        fn drain(&mut self, each: impl FnMut(T)) -> bool {
            self.0.poll().map(|mut guard| (&mut guard).copied().for_each(each)).is_ok()
        }
    }
}
