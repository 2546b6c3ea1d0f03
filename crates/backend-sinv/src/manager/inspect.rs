//! What the manager knows, for people.

use core::sync::atomic::Ordering::Relaxed;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::string::ToString;
use std::sync::Once;
use std::vec::Vec;

use backend_local::distant::QUEUE_NUMBERS;
use backend_local::outside::HEADER;
use chan_impls::Spsc;
use chan_impls::queue::InMemory;
use res_api::{Desc, Role, Side};
use res_kernel::{Access, Domain, Isolation, KernelMemory};
use res_sync::Event;
use res_sync::model::Atomic;

use super::components::Stage;
use super::lent::ring;
use super::objects::{Object, Word};
use super::{MANAGER, Manager, State};
use crate::bell::word_at;
use crate::ends::TRANSIT;
use crate::inspection::{Channel, Inspection, Member, Memory};
use crate::request::ComponentId;

impl<K: Isolation> Manager<K> {
    /// Says, once in a program, where components are not isolated from each other. If nobody
    /// listens, nobody is told.
    pub(crate) fn warn(&self) {
        static SAID: Once = Once::new();
        if !self.confinement.isolates() {
            SAID.call_once(|| {
                let _ = writeln!(std::io::stderr(), "components are {}", self.confinement);
            });
        }
    }

    /// A look at everything, at one moment.
    pub(crate) fn inspect(&self) -> Inspection {
        let found = self.within(|state| state.inspect(&self.point));
        Inspection { isolation: self.confinement.to_string(), ..found }
    }
}

impl<K: Isolation> State<K> {
    fn inspect(&self, point: &K::Point) -> Inspection {
        let components = self.components.iter().map(|(id, client)| Member {
            id: *id,
            name: client.name,
            creator: client.creator,
            process: client.runs.as_ref().map(|running| running.domain.id()),
            limits: client.limits,
            started: client.stage != Stage::Made,
            own_program: client.executes_its_own(),
            objects: client.objects.len() as u32,
            files: client.objects.iter().filter(|id| self.is_file(id)).count() as u32,
            bytes: client.bytes,
            requests: client.requests,
            untaken: client.endowments.iter().filter(|(_, parcel)| parcel.is_some()).count() as u32,
        });
        let doors: BTreeSet<_> = self.doors.values().map(|door| door.object).collect();
        let queues: BTreeMap<_, _> = self.queues.iter().map(|(id, it)| (it.object, *id)).collect();
        let ends = self.objects.iter().filter(|(id, _)| !doors.contains(id));
        let channels = ends.filter_map(|(id, object)| {
            let desc = object.end?;
            let is_channel =
                matches!(desc.role, Role::Snd | Role::Rcv | Role::CapSnd | Role::CapRcv);
            is_channel.then(|| {
                let mut channel = self.channel(*id, desc, object, point);
                if let Some(queue) = queues.get(id) {
                    self.add_doors(*queue, &mut channel, point);
                }
                channel
            })
        });
        let shared = self.objects.iter().filter(|(_, object)| {
            let of_several = object.holders().count() > 1;
            of_several && object.end.is_none() && object.memory().is_some()
        });
        let memory = shared.map(|(id, object)| {
            let with = |wanted| {
                let having = object.holders().filter(move |(_, access)| *access == wanted);
                having.map(|(client, _)| client).collect()
            };
            let (readers, writers) = (with(Access::Read), with(Access::ReadWrite));
            Memory { object: *id, bytes: object.bytes(), readers, writers }
        });
        Inspection {
            components: components.collect(),
            channels: channels.collect(),
            memory: memory.filter(|memory| !self.arenas.contains_key(&memory.object)).collect(),
            ..Inspection::default()
        }
    }

    fn is_file(&self, id: &u64) -> bool {
        self.objects.get(id).is_some_and(|object| object.memory().is_none())
    }

    fn channel(&self, id: u64, desc: Desc, object: &Object<K>, point: &K::Point) -> Channel {
        let (mut senders, mut receivers, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        // What the end signals comes first: a sender signals data, a receiver signals room.
        let sends = matches!(desc.role, Role::Snd | Role::CapSnd);
        for (place, (offset, word)) in object.words().enumerate() {
            let is_data = place == 0 || !sends && object.words().count() == 1;
            let (from, to) = if is_data {
                (Side::Signallers, Side::Waiters)
            } else {
                (Side::Waiters, Side::Signallers)
            };
            add(&mut senders, word.ends.side(from));
            add(&mut receivers, word.ends.side(to));
            if self.sleeps(object, offset, word, point) {
                add(&mut waiting, word.ends.side(Side::Waiters));
            }
        }
        Channel {
            object: id,
            desc,
            queued: queued::<K>(&desc, object),
            senders,
            receivers,
            waiting,
        }
    }

    /// Who has doors of the queue is a sender, too.
    fn add_doors(&self, queue: u64, channel: &mut Channel, point: &K::Point) {
        for door in self.doors_of(queue) {
            let holder = [door.holder];
            add(&mut channel.senders, &holder);
            let sleeps = self.objects.get(&door.object).is_some_and(|object| {
                object.words().any(|(offset, word)| self.sleeps(object, offset, word, point))
            });
            if sleeps {
                add(&mut channel.waiting, &holder);
            }
        }
    }

    /// Whether somebody sleeps on the word, or is about to.
    fn sleeps(&self, object: &Object<K>, offset: u32, word: &Word, point: &K::Point) -> bool {
        object.memory().is_some_and(|memory| {
            // SAFETY: a word that the manager knows of lies in a place of its object.
            let at = unsafe { word_at::<K>(memory, offset.into()) };
            let park = &self.kernel;
            Event { park, point, word: at, barrier: word.barrier }.is_armed()
        })
    }
}

fn add(to: &mut Vec<ComponentId>, holders: &[ComponentId]) {
    for holder in holders {
        if *holder != TRANSIT && *holder != MANAGER && !to.contains(holder) {
            to.push(*holder);
        }
    }
}

/// How many messages are in the channel, where the kind says so.
fn queued<K: Isolation>(desc: &Desc, object: &Object<K>) -> Option<u32> {
    type Ring<K> = chan_impls::SpscPush<<K as res_sync::Park>::Model, u8>;
    let memory = object.memory()?;
    let capacity = u32::try_from(desc.capacity).ok()?;
    match desc.role {
        Role::Snd | Role::Rcv if desc.kind == <Ring<K> as InMemory>::KIND => {
            let needed = <Ring<K> as InMemory>::bytes(1)?;
            let fits = memory.len() >= HEADER as u64 + needed;
            // SAFETY: the header of a ring fits, at a multiple of 64.
            fits.then(|| unsafe { Spsc::queued::<K::Model>(memory.base().add(HEADER), capacity) })
        }
        Role::CapSnd | Role::CapRcv => {
            // SAFETY: the memory of a queue has its numbers.
            let [pushed, popped] =
                QUEUE_NUMBERS.map(|at| unsafe { word_at::<K>(memory, at) }.load(Relaxed));
            // SAFETY: it is that of a queue, and borrowed meanwhile.
            let direct = unsafe { ring::<K>(memory) }.map_or(0, |ring| ring.len());
            let queued = pushed.wrapping_sub(popped).saturating_add(direct);
            Some(queued.min(capacity.into()) as u32)
        }
        _ => None,
    }
}
