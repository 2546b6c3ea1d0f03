//! What the library backend, which does the work within a component, asks of the others.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

use backend_local::outside::{Outside, Received, WordId};
use backend_local::parcel::Unpacker;
use backend_local::{Blockpoint, Cap, LocalError};
use res_api::{BackendError, ErrorKind, Exit, Gone, Role, Side, WaitError};
use res_kernel::composite::interface::memmgr::BufferId;
use res_kernel::composite::{CompositeMemory, CompositePoint};
use res_kernel::{Composite, Kernel};
use res_sync::event::EPOCH_SHIFT;
use res_sync::{Deadline, Event, Park};

use super::ask::Ask;
use super::link::{Inbox, Link};
use super::page::{SLEEPERS, Sleeper};

impl Outside<Composite> for Link {
    fn widen(&self, point: &CompositePoint, word: WordId) -> Result<(), LocalError> {
        let [blockpoint, last, _] = self.ask(Ask::Place(word))?;
        Ok(point.share_as(blockpoint as u32, last)?)
    }

    fn memory(&self, bytes: u64, _: u64) -> Result<(u64, CompositeMemory), LocalError> {
        let [object, buffer, _] = self.ask(Ask::Memory(bytes))?;
        let memory = self.open(buffer as BufferId).inspect_err(|_| self.forget(object))?;
        Ok((object, memory))
    }

    fn forget(&self, object: u64) {
        self.say(Ask::Forget(object));
    }

    fn left(&self, word: WordId, side: Side, why: Gone) {
        self.say(Ask::Left(word, side, why));
    }

    fn left_queue(&self, queue: u64, role: Role, why: Gone) {
        self.say(Ask::LeftQueue(queue, role, why));
    }

    fn send(&self, queue: u64, cap: &Cap<Composite>) -> Result<bool, ErrorKind> {
        Link::send(self, queue, cap)
    }

    fn receive(
        &self,
        queue: u64,
        unpacker: &Unpacker<'_, Composite>,
    ) -> Result<Received<Composite>, ErrorKind> {
        // First of all: where there is no memory for it, it stays where it is.
        let mut inbox = Inbox::of(unpacker).map_err(|error| error.kind())?;
        let Some(sender) = Link::receive(self, queue, &mut inbox)? else {
            return Ok(Received::Nothing);
        };
        let parcel = inbox.parcel().ok_or(ErrorKind::Misbehaved)?;
        let mut cap = unpacker.unpack(&parcel, inbox.contents(self));
        if let Ok(cap) = &mut cap {
            cap.set_sender(sender);
        }
        Ok(Received::One(cap))
    }

    /// The bit is taken first: whoever rings from then on is heard.
    fn watch(&self, word: WordId, point: &Blockpoint<Composite>) -> Result<u64, LocalError> {
        let bit = {
            let mut sources = self.sources.lock();
            let free = sources.iter().position(Option::is_none).ok_or(ErrorKind::NoSlots)?;
            sources[free] = Some(point.clone());
            free as u32
        };
        if let Err(kind) = self.ask(Ask::Watch(word, bit)) {
            self.release(bit);
            return Err(kind.into());
        }
        // Not 0, which is no bell.
        Ok(u64::from(bit) + 1)
    }

    fn unwatch(&self, word: WordId) {
        if let Ok([bit, ..]) = self.ask(Ask::Unwatch(word)) {
            self.release(bit as u32);
        }
    }

    fn ring(&self, word: WordId, bell: u64) {
        // The manager knows whose bell it is.
        if bell != 0 {
            self.say(Ask::Ring(word));
        }
    }

    fn wait(
        &self,
        event: Event<'_, Composite>,
        deadline: Deadline,
        look: &mut dyn FnMut() -> bool,
    ) -> Result<(), WaitError> {
        loop {
            self.hear();
            if look() {
                return Ok(());
            }
            let armed = event.subscribe();
            event.park.heavy_barrier(event.barrier);
            // One that has moved: look again.
            let Some(seen) = event.still(armed) else { continue };
            let asleep = Asleep::until_rung(self, event, seen);
            self.hear();
            if look() {
                return Ok(());
            }
            if let Some(gone) = event.told(Side::Waiters) {
                return Err(WaitError::Gone(gone));
            }
            if deadline.passed(event.park.now()) {
                return Err(WaitError::TimedOut);
            }
            match &asleep {
                Some(_) => drop(event.park.park(event.point, event.word, seen, deadline)),
                // More than the system has threads: somebody has written that there.
                None => self.machine.yield_to(None),
            }
            if event.still(armed).is_some() {
                // A bell has told the scheduler the next epoch, with which one would not sleep.
                event.rouse();
            }
        }
    }

    fn ended(&self, _: Exit) {
        self.say(Ask::End);
    }
}

impl Link {
    /// Marks the sources whose bells were rung.
    fn hear(&self) {
        // Relaxed: a look; the swap is what counts. AcqRel: partners the manager's `fetch_or`, behind
        // which the word of the source is what it is to be seen as.
        if self.page.bits().load(Relaxed) == 0 {
            return;
        }
        let mut rung = self.page.bits().swap(0, AcqRel);
        while rung != 0 {
            let bit = rung.trailing_zeros();
            rung &= rung - 1;
            let source = self.sources.lock()[bit as usize].clone();
            // Not under the lock: the group wakes others.
            if let Some(source) = source {
                source.mark();
            }
        }
    }

    /// The bit is nobody's.
    fn release(&self, bit: u32) {
        let source = self.sources.lock().get_mut(bit as usize).and_then(Option::take);
        // Not under the lock: it may be the last.
        drop(source);
    }
}

/// As long as it is there, the manager wakes the thread when it rings a bell of this component.
struct Asleep<'a>(Sleeper<'a>);

impl<'a> Asleep<'a> {
    /// None where too many sleep already.
    fn until_rung(link: &'a Link, event: Event<'_, Composite>, seen: u64) -> Option<Self> {
        // Behind what the thread sleeps with, so that it does not fall asleep behind the ringing. When
        // it is awake it moves the word, whose epoch is as great then.
        let epoch = (seen >> EPOCH_SHIFT) + 1;
        event.point.may_record(epoch);
        let sleepers = (0..SLEEPERS).map(|number| link.page.sleeper(number));
        for sleeper in sleepers {
            // Acquire: partners the Release below, behind which nobody uses the epoch any more.
            let taken = sleeper.point.compare_exchange(0, TAKEN, Acquire, Relaxed);
            if taken.is_ok() {
                sleeper.epoch.store(epoch, Relaxed);
                // SeqCst: in front of the look at the bits; partners the manager's, which sets a bit
                // and then looks who sleeps.
                sleeper.point.store(event.point.id().into(), SeqCst);
                return Some(Self(sleeper));
            }
        }
        None
    }
}

/// A place that somebody is about to use; no blockpoint.
const TAKEN: u64 = u64::MAX;

impl Drop for Asleep<'_> {
    fn drop(&mut self) {
        self.0.point.store(0, Release);
    }
}
