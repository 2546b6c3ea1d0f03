//! What is told once the lock is free.

use std::sync::Arc;

use backend_local::outside::WordId;
use res_api::{Barrier, Gone, Side, Wake};
use res_kernel::Isolation;
use res_sync::Event;

use super::{Manager, State};
use crate::bell::{Bell, word_at};
use crate::board;
use crate::ends::is_place;
use crate::request::Notice;

/// Something to be told.
pub(super) enum Effect<K: Isolation> {
    /// A word has to be told, or triggered.
    Word {
        memory: Arc<K::Memory>,
        offset: u32,
        barrier: Barrier,
        what: What,
        bell: Option<Rung<K>>,
    },
    /// A party of an arena is dead, and may have moved a word in it without waking anybody (H14).
    Rouse(Arc<K::Memory>),
    /// There is something new for a component.
    Board(Arc<K::Memory>),
    /// The component that composes the system, which is here, is told that.
    Main(Notice),
}

/// What a word is told.
#[derive(Clone, Copy)]
pub(super) enum What {
    Tell(Side, Gone),
    Trigger,
    /// That all is over, on both sides, as with [`Rouse`](Self::Rouse).
    Over(Gone),
    /// That somebody who had it is dead, and may have moved it without waking anybody (H14).
    Rouse,
    /// Nothing: only its bell is rung.
    Ring,
}

/// The bell of a group that watches a word.
pub(super) struct Rung<K: Isolation> {
    arena: Arc<K::Memory>,
    half: u32,
    bit: u32,
}

impl<K: Isolation> Effect<K> {
    pub(super) fn run(self, manager: &Manager<K>) {
        let Manager { kernel, point, main, .. } = manager;
        match self {
            Self::Board(board) => board::post(kernel, point, &board),
            Self::Main(notice) => {
                if let Some(tell) = main.get() {
                    tell(notice);
                }
            }
            Self::Rouse(arena) => {
                for half in 0..2 {
                    // SAFETY: the arena lives as long as this, and is mapped for writing.
                    if let Ok(Some(bell)) = unsafe { Bell::new(kernel, &arena, half) } {
                        bell.event().rouse();
                    }
                }
            }
            Self::Word { memory, offset, barrier, what, bell } => {
                // SAFETY: whoever made the effect has compared the offset with the object.
                let word = unsafe { word_at::<K>(&memory, offset.into()) };
                let event = Event { park: kernel, point, word, barrier };
                match what {
                    What::Tell(side, gone) => {
                        event.tell(side, gone);
                    }
                    What::Trigger => {
                        let _ = event.trigger(Wake::All);
                    }
                    What::Over(gone) => {
                        event.tell(Side::Waiters, gone);
                        event.tell(Side::Signallers, gone);
                        event.rouse();
                    }
                    What::Rouse => event.rouse(),
                    What::Ring => {}
                }
                // Whether or not the word says that somebody watches: its peer can write it.
                if let Some(bell) = bell {
                    bell.ring(kernel);
                }
            }
        }
    }
}

impl<K: Isolation> Rung<K> {
    fn ring(&self, kernel: &K) {
        // SAFETY: the arena lives as long as this, and is mapped for writing.
        if let Ok(Some(bell)) = unsafe { Bell::new(kernel, &self.arena, self.half) } {
            bell.ring(self.bit);
        }
    }
}

impl<K: Isolation> State<K> {
    /// Tells a word something, and whoever watches it.
    pub(super) fn tell(&mut self, id: WordId, what: What) {
        let Some(object) = self.objects.get(&id.object) else { return };
        let (Some(memory), word) = (object.memory(), object.word(id.offset)) else { return };
        if word.is_none() && object.lent.is_none() || !is_place(id.offset) {
            return;
        }
        let bell = word.and_then(|word| word.watch).and_then(|watch| {
            let arena = self.objects.get(&watch.arena)?.memory()?.clone();
            let half = self.arenas.get(&watch.arena)?.half_of(watch.by);
            Some(Rung { arena, half, bit: watch.bit })
        });
        // With a fence it is right whatever they have agreed on (H3).
        let barrier = word.map_or(Barrier::Fence, |word| word.barrier);
        let memory = memory.clone();
        self.effects.push(Effect::Word { memory, offset: id.offset, barrier, what, bell });
    }
}
