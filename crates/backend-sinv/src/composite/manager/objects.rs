//! Memory objects: who has them, and who is on which side of the words in them.

use core::sync::atomic::Ordering::{Relaxed, Release};

use backend_local::distant::{QUEUE_NUMBERS, QUEUE_WORDS};
use backend_local::outside::{HEADER, WordId};
use res_api::{ErrorKind, Gone, Side};
use res_kernel::KernelMemory;
use res_kernel::composite::CompositeMemory;
use res_kernel::composite::interface::memmgr::{BufferId, PAGE};
use res_kernel::composite::interface::sched::{BlockpointId, sched_blkpt_alloc};
use res_sync::event::EPOCH_SHIFT;
use res_sync::model::{Core, MemoryModel};

use super::clients::Token;
use super::{CLIENTS, Counts, Open, Result};
use crate::composite::page::SOURCES;
use crate::ends::{ComponentId, Ends, Parting, TRANSIT, is_place, may_give};

/// Objects of a system.
const OBJECTS: usize = 128;
/// Objects that one component has made and that are still there.
const OF_ONE: usize = 48;
/// Components that can ever have had an object: the memory manager maps it five times, and once here.
const MAPPINGS: u32 = 4;
/// How far no word moves in the life of an object.
const LIVELY: u64 = 1 << 40;
/// Places for words in an object.
const PLACES: usize = HEADER / 16;

type U64 = <Core as MemoryModel>::U64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is nobody's. Its pages, if it has any, are used again.
    Free,
    /// Somebody is about to get it.
    Reserved,
    Used,
}

/// A memory object.
struct Object {
    stage: Stage,
    /// How often it was used: part of its number.
    generation: u64,
    buffer: BufferId,
    memory: Option<CompositeMemory>,
    maker: ComponentId,
    /// How often each component has been given it.
    grants: [u32; CLIENTS],
    /// Who has ever had its pages, a bit for each.
    mapped: u32,
    /// How often it is needed by what is on its way, or is about to be told.
    needed: u32,
    /// Whether there is something to be told at one of its places.
    told: bool,
    places: [Place; PLACES],
}

/// A place for a word.
struct Place {
    /// 0 until somebody needed it.
    point: BlockpointId,
    /// What epoch the scheduler may have recorded, in the lives of the object before this one.
    last: u64,
    /// Of a word of which an end has travelled.
    ends: Option<Ends<Counts>>,
    watch: Option<Watch>,
    /// What is to be told.
    news: News,
}

/// A group that watches a word.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    pub(super) by: ComponentId,
    pub(super) bit: u32,
}

/// What is to be told at a word.
#[derive(Clone, Copy, Default)]
pub(super) struct News {
    /// Why the others are gone, to those who wait and those who signal.
    pub(super) gone: [Option<Gone>; 2],
    /// That its bell is rung.
    pub(super) rung: bool,
    /// That something has changed.
    pub(super) changed: bool,
}

/// What is to be told, where.
pub(super) struct Notice {
    pub(super) object: usize,
    pub(super) word: &'static U64,
    pub(super) point: BlockpointId,
    pub(super) news: News,
    pub(super) watch: Option<Watch>,
}

impl Place {
    const EMPTY: Self = Self {
        point: 0,
        last: 0,
        ends: None,
        watch: None,
        news: News { gone: [None; 2], rung: false, changed: false },
    };

    /// Nobody has it any more; its word was as it says. Whoever had it may have written anything there:
    /// with what nobody can have counted up to, the blockpoint is not used again.
    fn recycle(&mut self, word: u64) {
        let last = self.last.max(word >> EPOCH_SHIFT);
        *self = if last - self.last < LIVELY {
            Self { point: self.point, last, ..Self::EMPTY }
        } else {
            Self::EMPTY
        };
    }
}

impl Object {
    const EMPTY: Self = Self {
        stage: Stage::Free,
        generation: 0,
        buffer: 0,
        memory: None,
        maker: TRANSIT,
        grants: [0; CLIENTS],
        mapped: 0,
        needed: 0,
        told: false,
        places: [const { Place::EMPTY }; PLACES],
    };

    fn pages(&self) -> u64 {
        self.memory.as_ref().map_or(0, |memory| memory.len() / PAGE as u64)
    }

    /// The word of a place.
    fn word(&self, place: usize) -> Option<&'static U64> {
        let memory = self.memory.as_ref()?;
        // SAFETY: within the first page, which is mapped for ever; everybody uses it by atomics.
        (place < PLACES).then(|| unsafe { memory.base().add(place * 16).cast().as_ref() })
    }

    fn has(&self, who: ComponentId) -> bool {
        self.grants.get(who as usize).is_some_and(|count| *count != 0)
    }

    /// Whether that component has its pages mapped, or could have.
    fn is_for(&self, who: ComponentId) -> bool {
        self.mapped & 1 << who != 0 || self.mapped.count_ones() < MAPPINGS
    }

    fn give(&mut self, who: ComponentId) {
        if let Some(count) = self.grants.get_mut(who as usize) {
            *count += 1;
            self.mapped |= 1 << who;
        }
    }

    fn place(&mut self, offset: u32) -> Result<&mut Place> {
        if !is_place(offset) {
            return Err(ErrorKind::Invalid);
        }
        self.places.get_mut(offset as usize / 16).ok_or(ErrorKind::Invalid)
    }

    fn tell(&mut self, place: usize, change: impl FnOnce(&mut News)) {
        change(&mut self.places[place].news);
        self.told = true;
    }

    fn tell_gone(&mut self, place: usize, side: Side, why: Gone) {
        self.tell(place, |news| {
            let told = &mut news.gone[usize::from(side == Side::Signallers)];
            // The stronger reason stays.
            *told = (*told).max(Some(why));
        });
    }

    /// The component has nothing of it any more. Where it has ended, its ends leave.
    fn take_away(&mut self, who: ComponentId, why: Option<Gone>) {
        if let Some(count) = self.grants.get_mut(who as usize) {
            *count = 0;
        }
        for index in 0..PLACES {
            let place = &mut self.places[index];
            place.watch.take_if(|watch| watch.by == who);
            for side in [Side::Waiters, Side::Signallers] {
                let ends = &mut self.places[index].ends;
                let last = ends.as_mut().is_some_and(|ends| ends.leave(side, who));
                if let Some(why) = why.filter(|_| last) {
                    self.tell_gone(index, side.other(), why);
                }
            }
        }
        self.sweep();
    }

    /// Free when nobody has it, and nothing that is under way or to be told needs it.
    fn sweep(&mut self) {
        let idle = self.grants.iter().all(|count| *count == 0) && self.needed == 0 && !self.told;
        if self.stage != Stage::Used || !idle {
            return;
        }
        for place in 0..PLACES {
            // Relaxed: whoever had it has let go, by an invocation.
            let word = self.word(place).map_or(0, |word| word.load(Relaxed));
            self.places[place].recycle(word);
        }
        self.stage = Stage::Free;
    }
}

/// Those of a system.
pub(super) struct Objects {
    all: [Object; OBJECTS],
    /// Whether there is something to be told at any of them.
    news: bool,
}

impl Objects {
    pub(super) const fn new() -> Self {
        Self { all: [const { Object::EMPTY }; OBJECTS], news: false }
    }

    fn number(&self, index: usize) -> u64 {
        self.all[index].generation << 16 | (index as u64 + 1)
    }

    fn index(&self, number: u64) -> Result<usize> {
        let index = (number as u16 as usize).checked_sub(1).ok_or(ErrorKind::Stale)?;
        let object = self.all.get(index).ok_or(ErrorKind::Stale)?;
        let is_it = object.stage == Stage::Used && self.number(index) == number;
        if is_it { Ok(index) } else { Err(ErrorKind::Stale) }
    }

    fn find(&mut self, number: u64) -> Result<&mut Object> {
        let index = self.index(number)?;
        Ok(&mut self.all[index])
    }

    /// An object that the component has.
    fn own(&mut self, who: ComponentId, number: u64) -> Result<&mut Object> {
        let object = self.find(number)?;
        if object.has(who) { Ok(object) } else { Err(ErrorKind::Denied) }
    }

    /// One of so many pages that is about to be the component's: one that was used before, or a bare
    /// one, or a larger one.
    fn reserve(&mut self, who: ComponentId, pages: u64) -> Result<usize> {
        let made = self.all.iter().filter(|it| it.stage != Stage::Free && it.maker == who).count();
        if made >= OF_ONE {
            return Err(ErrorKind::NoSlots);
        }
        let find = |fits: &dyn Fn(&Object) -> bool| {
            self.all.iter().position(|object| object.stage == Stage::Free && fits(object))
        };
        let again = find(&|it| it.pages() == pages && it.mapped == 1 << who)
            .or_else(|| find(&|it| it.pages() == pages && it.is_for(who)));
        let index = again
            .or_else(|| find(&|it| it.buffer == 0))
            .or_else(|| find(&|it| it.pages() > pages && it.is_for(who)))
            .ok_or(ErrorKind::NoSlots)?;
        let object = &mut self.all[index];
        (object.stage, object.maker) = (Stage::Reserved, who);
        Ok(index)
    }

    /// Whether a component that asks may know of a word, or has such an end of it to give.
    pub(super) fn holds(&mut self, who: ComponentId, id: WordId, side: Option<Side>) -> Result<()> {
        let object = self.own(who, id.object)?;
        let is_maker = object.maker == who;
        let ends = object.place(id.offset)?.ends.as_ref();
        if may_give(ends, side, who, is_maker) { Ok(()) } else { Err(ErrorKind::Denied) }
    }

    /// Whether the component has the object.
    pub(super) fn has(&mut self, who: ComponentId, number: u64) -> Result<()> {
        self.own(who, number).map(drop)
    }

    /// Whether the component could have it, too.
    pub(super) fn is_for(&mut self, who: ComponentId, number: u64) -> Result<()> {
        if self.find(number)?.is_for(who) { Ok(()) } else { Err(ErrorKind::NoSlots) }
    }

    /// A component gets it; the number of its buffer.
    pub(super) fn give(&mut self, who: ComponentId, number: u64) -> Result<BufferId> {
        let object = self.find(number)?;
        object.give(who);
        Ok(object.buffer)
    }

    pub(super) fn forget(&mut self, who: ComponentId, number: u64) -> Result<()> {
        let object = self.own(who, number)?;
        object.grants[who as usize] -= 1;
        if !object.has(who) {
            object.take_away(who, None);
        }
        Ok(())
    }

    /// The last end of that side that the component had has left. Where it was not the last of all,
    /// it has not told those on the other side; where it was, telling them again changes nothing.
    pub(super) fn left(
        &mut self,
        who: ComponentId,
        id: WordId,
        side: Side,
        why: Gone,
    ) -> Result<()> {
        let object = self.own(who, id.object)?;
        let ends = &mut object.place(id.offset)?.ends;
        if ends.as_mut().is_some_and(|ends| ends.leave(side, who)) {
            object.tell_gone(id.offset as usize / 16, side.other(), why);
            self.news = true;
        }
        Ok(())
    }

    /// An end goes on its way. Somebody has looked whether it is the component's.
    pub(super) fn depart(&mut self, who: ComponentId, id: WordId, parting: Parting) {
        let Ok(place) = self.find(id.object).and_then(|object| object.place(id.offset)) else {
            return;
        };
        match &mut place.ends {
            Some(ends) => ends.depart(who, parting),
            None => place.ends.insert(Ends::default()).depart_first(who, parting),
        }
    }

    /// What is known of a word of which an end is on its way.
    pub(super) fn ends(&mut self, id: WordId) -> Option<&mut Ends<Counts>> {
        self.find(id.object).ok()?.place(id.offset).ok()?.ends.as_mut()
    }

    /// An end that was on its way is lost.
    pub(super) fn lose(&mut self, id: WordId, side: Side, why: Gone) {
        if self.ends(id).is_some_and(|ends| ends.take_off(side, TRANSIT))
            && let Ok(object) = self.find(id.object)
        {
            object.tell_gone(id.offset as usize / 16, side.other(), why);
            self.news = true;
        }
    }

    /// Both sides of the word are the component's, from the beginning on.
    pub(super) fn begin(&mut self, who: ComponentId, id: WordId) {
        if let Ok(place) = self.find(id.object).and_then(|object| object.place(id.offset)) {
            place.ends.get_or_insert_default().begin(who);
        }
    }

    /// A side of a word is told why the others are gone.
    pub(super) fn tell(&mut self, id: WordId, side: Side, why: Gone) {
        if let Ok(object) = self.find(id.object) {
            object.tell_gone(id.offset as usize / 16, side, why);
            self.news = true;
        }
    }

    /// Writes how many capabilities were pushed into the object of a queue, and triggers the word that
    /// goes with it. How many were popped the receiver says.
    pub(super) fn announce(&mut self, number: u64, pushed: u64) {
        let Ok(object) = self.find(number) else { return };
        if let Some(memory) = &object.memory {
            // SAFETY: the object has `QUEUE_BYTES`, and is mapped for ever; everybody uses it by atomics.
            let word: &U64 =
                unsafe { memory.base().add(QUEUE_NUMBERS[0] as usize).cast().as_ref() };
            // Release: partners the Acquire of an end that looks.
            word.store(pushed, Release);
        }
        object.tell(QUEUE_WORDS[0] as usize / 16, |news| news.changed = true);
        self.news = true;
    }

    /// Something on its way needs the object.
    pub(super) fn need(&mut self, number: u64) {
        if let Ok(object) = self.find(number) {
            object.needed += 1;
        }
    }

    /// It does not any more.
    pub(super) fn release(&mut self, number: u64) {
        if let Ok(object) = self.find(number) {
            object.needed = object.needed.saturating_sub(1);
            object.sweep();
        }
    }

    /// A group of the component watches the word.
    pub(super) fn watch(&mut self, who: ComponentId, id: WordId, bit: u32) -> Result<()> {
        if bit >= SOURCES {
            return Err(ErrorKind::Invalid);
        }
        self.holds(who, id, Some(Side::Waiters))?;
        let place = self.find(id.object)?.place(id.offset)?;
        if place.watch.is_some() {
            return Err(ErrorKind::Exists);
        }
        place.watch = Some(Watch { by: who, bit });
        Ok(())
    }

    /// No more; the bit that it was heard by.
    pub(super) fn unwatch(&mut self, who: ComponentId, id: WordId) -> Result<u32> {
        let place = self.own(who, id.object)?.place(id.offset)?;
        let watch = place.watch.take_if(|watch| watch.by == who);
        watch.map(|watch| watch.bit).ok_or(ErrorKind::NotFound)
    }

    pub(super) fn ring(&mut self, who: ComponentId, id: WordId) -> Result<()> {
        self.holds(who, id, None)?;
        let object = self.find(id.object)?;
        if object.place(id.offset)?.watch.is_some() {
            object.tell(id.offset as usize / 16, |news| news.rung = true);
            self.news = true;
        }
        Ok(())
    }

    /// The component has ended.
    pub(super) fn bury(&mut self, who: ComponentId, why: Gone) {
        let has = |object: &&mut Object| object.stage == Stage::Used && object.has(who);
        self.all.iter_mut().filter(has).for_each(|object| object.take_away(who, Some(why)));
        self.news = true;
    }

    /// Whether there may be something to be told.
    pub(super) fn has_news(&self) -> bool {
        self.news
    }

    /// Something that is to be told; the object is needed until it [was](Self::was_told).
    pub(super) fn next_notice(&mut self) -> Option<Notice> {
        loop {
            let told = self.all.iter().position(|object| object.told);
            self.news = told.is_some();
            let index = told?;
            let object = &mut self.all[index];
            let has_news = |place: &Place| {
                let News { gone, rung, changed } = place.news;
                rung || changed || gone != [None; 2]
            };
            let Some(at) = object.places.iter().position(has_news) else {
                object.told = false;
                object.sweep();
                continue;
            };
            let place = &mut object.places[at];
            let (news, point, watch) = (core::mem::take(&mut place.news), place.point, place.watch);
            // Without a blockpoint nobody has ever been able to sleep there.
            if let Some(word) = object.word(at).filter(|_| point != 0) {
                object.needed += 1;
                return Some(Notice { object: index, word, point, news, watch });
            }
        }
    }

    pub(super) fn was_told(&mut self, object: usize) {
        if let Some(object) = self.all.get_mut(object) {
            object.needed = object.needed.saturating_sub(1);
            object.sweep();
        }
    }
}

impl Open {
    /// A memory object for a component.
    pub(super) fn make_memory(&self, token: Token, bytes: u64) -> Result<[u64; 3]> {
        if bytes == 0 {
            return Err(ErrorKind::Invalid);
        }
        let pages = bytes.div_ceil(PAGE as u64);
        let (who, index, new) = {
            let mut state = self.state.lock();
            let (who, _) = state.clients.attached(token)?;
            let index = state.objects.reserve(who, pages)?;
            (who, index, state.objects.all[index].buffer == 0)
        };
        // Not under the lock; nobody else has the object.
        let made = if new { self.machine.share(bytes).map(Some) } else { Ok(None) };
        if !new {
            self.clear(index);
        }
        let mut state = self.state.lock();
        let is_there = state.clients.attached(token).is_ok();
        let object = &mut state.objects.all[index];
        let made = made.map_err(|error| error.kind);
        match made.and_then(|made| if is_there { Ok(made) } else { Err(ErrorKind::Stale) }) {
            Ok(made) => {
                if let Some((memory, buffer)) = made {
                    (object.memory, object.buffer) = (Some(memory), buffer);
                }
                object.stage = Stage::Used;
                object.generation += 1;
                object.give(who);
                let buffer = object.buffer.into();
                Ok([state.objects.number(index), buffer, 0])
            }
            Err(kind) => {
                object.stage = Stage::Free;
                Err(kind)
            }
        }
    }

    /// Writes zeroes over what was there, and the words of places as they begin.
    fn clear(&self, index: usize) {
        let (mapped, last) = {
            let object = &self.state.lock().objects.all[index];
            let mapped = object.memory.as_ref().map(|memory| {
                let words = memory.len() as usize / size_of::<U64>();
                (memory.base().cast::<U64>(), words)
            });
            (mapped, object.places.each_ref().map(|place| place.last))
        };
        let Some((base, words)) = mapped else { return };
        for word in 0..words {
            // SAFETY: within the pages, which are mapped for ever; who had them may write meanwhile,
            // so it is done by atomics.
            unsafe { base.add(word).as_ref() }.store(0, Relaxed);
        }
        for (place, last) in last.into_iter().enumerate() {
            // Behind what the scheduler may have recorded (H4).
            // SAFETY: within the first page; as above.
            unsafe { base.add(2 * place).as_ref() }.store((last + 1) << EPOCH_SHIFT, Relaxed);
        }
    }

    /// What a component that has the object needs to sleep at a word of it.
    pub(super) fn place(&self, token: Token, id: WordId) -> Result<[u64; 3]> {
        let known = self.look_at_place(token, id, 0)?;
        if let Some(known) = known {
            return Ok(known);
        }
        // Not under the lock. If another one is faster, this is one more than was needed.
        match sched_blkpt_alloc() {
            0 => Err(ErrorKind::NoSlots),
            new => self.look_at_place(token, id, new)?.ok_or(ErrorKind::NoSlots),
        }
    }

    /// The blockpoint of a place, and what epoch may be recorded for it. One that has none gets `new`,
    /// unless that is 0.
    fn look_at_place(
        &self,
        token: Token,
        id: WordId,
        new: BlockpointId,
    ) -> Result<Option<[u64; 3]>> {
        let mut state = self.state.lock();
        let (who, _) = state.clients.attached(token)?;
        let place = state.objects.own(who, id.object)?.place(id.offset)?;
        if place.point == 0 {
            place.point = new;
        }
        Ok((place.point != 0).then_some([place.point.into(), place.last, 0]))
    }
}
