//! Which bells have woken a wait, and which of them it does not listen to for a while (H12).

use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use res_api::Barrier;
use res_kernel::Isolation;
use res_sync::event::Snapshot;
use res_sync::{Deadline, Event, Instant, MemoryModel, Park, Waiting};

use super::arena::Arena;

/// What one wait has heard of the bells, in their order. Nothing at all until one has woken it.
#[derive(Default)]
pub(super) struct Heard(Vec<Rung>);

/// What it has heard of one of them.
#[derive(Clone, Copy, Default)]
struct Rung {
    /// It has woken the wait, which has not looked since.
    woke: bool,
    /// How many sources had been marked when it last woke for nothing.
    marked: Option<u64>,
    /// Until when it is not listened to.
    deaf: Option<Instant>,
}

impl Heard {
    /// A look has found nothing.
    pub(super) fn judge<K: Isolation>(&mut self, arenas: &[Arc<Arena<K>>], now: Instant) {
        for (rung, arena) in self.0.iter_mut().zip(arenas) {
            rung.deaf = rung.deaf.filter(|until| *until > now);
            // Who shares an arena with one that rings for nothing is heard all the same.
            if core::mem::take(&mut rung.woke) && !arena.is_shared {
                let mut sources = arena.sources.lock();
                rung.deaf = sources.woke_for_nothing(&mut rung.marked, now);
            }
        }
    }

    /// Whether that one is not listened to.
    fn is_deaf(&self, at: usize) -> bool {
        self.0.get(at).is_some_and(|rung| rung.deaf.is_some())
    }

    /// When one is listened to again that is not.
    pub(super) fn deaf_until(&self) -> Deadline {
        self.0.iter().filter_map(|rung| rung.deaf).min().map_or(Deadline::NEVER, Deadline::at)
    }

    /// Has slept, or has not for one that moved; the machine may know which word woke it. A peer can
    /// wake without moving its word.
    pub(super) fn note<K: Isolation>(&mut self, bells: &[Armed<'_, K>], woken: Option<&Word<K>>) {
        for (at, (bell, armed)) in bells.iter().enumerate() {
            let it_is = woken.is_some_and(|word| core::ptr::eq(word, bell.word));
            let slept_on = !self.is_deaf(at) && armed.gone().is_none();
            if !slept_on || !it_is && bell.still(*armed).is_some() {
                continue;
            }
            if self.0.is_empty() {
                self.0 = vec![Rung::default(); bells.len()];
            }
            self.0[at].woke = true;
        }
    }
}

/// A word that is slept on.
type Word<K> = <<K as Park>::Model as MemoryModel>::U64;

/// A word, as it was when it was armed.
pub(super) type Armed<'a, K> = (Event<'a, K>, Snapshot);

/// The one barrier that does for all of them: the asymmetric one is a fence, too.
pub(super) fn strongest<K: Isolation>(event: Event<'_, K>, bells: &[Armed<'_, K>]) -> Barrier {
    let asymmetric = bells.iter().any(|(bell, _)| bell.barrier == Barrier::Asymmetric);
    if asymmetric { Barrier::Asymmetric } else { event.barrier }
}

/// What to sleep on; none where one of them has moved since.
///
/// A bell whose listeners are told that nobody rings it any more is left out: only a peer that
/// breaks the rules writes that, and it would keep us awake for ever. So is one that rang for nothing
/// too often.
pub(super) fn sleep_on<'a, K: Isolation>(
    own: Armed<'a, K>,
    bells: &[Armed<'a, K>],
    heard: &Heard,
) -> Option<Vec<Waiting<'a, K>>> {
    let numbered = bells.iter().enumerate().filter(|(at, _)| !heard.is_deaf(*at));
    let bells = numbered.map(|(_, bell)| bell).filter(|(_, armed)| armed.gone().is_none());
    let wait = |(event, armed): &Armed<'a, K>| {
        let seen = event.still(*armed)?;
        Some(Waiting { point: event.point, word: event.word, seen })
    };
    core::iter::once(&own).chain(bells).map(wait).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use res_api::Gone;
    use res_kernel::Kernel;
    use res_kernel::linux::Linux;
    use res_sync::{Side, Wake};

    use super::*;

    /// A word of this component's own, and those of two bells.
    fn with_three(test: impl FnOnce([Event<'_, Linux>; 3])) {
        let (kernel, words) = (Linux::new(), [const { AtomicU64::new(0) }; 3]);
        let point = kernel.point().expect("a point");
        let event = |word| Event { park: &kernel, point: &point, word, barrier: Barrier::Fence };
        test(words.each_ref().map(event));
    }

    #[test]
    fn a_bell_that_is_said_to_be_dead_keeps_nobody_awake() {
        with_three(|[own, good, bad]| {
            let arm = |event: Event<'_, Linux>| {
                let mut all = [own, good, bad].map(|it| (it, it.subscribe()));
                all.rotate_left(1);
                let _ = event.trigger(Wake::All);
                let [good, bad, own] = all;
                sleep_on(own, &[good, bad], &Heard::default()).map(|waits| waits.len())
            };
            assert_eq!([own, good, bad].map(arm), [None; 3], "each is heard");
            bad.tell(Side::Waiters, Gone::PeerGone);
            // What it told is behind us; the others are slept on, and heard.
            let armed = [own, good, bad].map(|it| (it, it.subscribe()));
            let waits = sleep_on(armed[0], &armed[1..], &Heard::default());
            assert_eq!(waits.map(|waits| waits.len()), Some(2));
            assert_eq!([own, good].map(arm), [None; 2]);
        });
    }

    /// It wakes without moving its word, and it alone is known to have woken.
    #[test]
    fn who_has_woken_is_known_if_the_machine_says_so() {
        with_three(|[own, good, bad]| {
            let armed = [own, good, bad].map(|it| (it, it.subscribe()));
            let woke = |heard: &Heard| heard.0.iter().map(|rung| rung.woke).collect::<Vec<_>>();
            let mut heard = Heard::default();
            heard.note(&armed[1..], None);
            heard.note(&armed[1..], Some(own.word));
            assert_eq!(woke(&heard), []);
            heard.note(&armed[1..], Some(bad.word));
            assert_eq!(woke(&heard), [false, true]);
            let _ = good.trigger(Wake::All);
            heard.note(&armed[1..], None);
            assert_eq!(woke(&heard), [true, true]);
            // One that is not listened to is not slept on.
            heard.0[1].deaf = Some(Instant::from_nanos(1));
            assert_eq!(heard.deaf_until(), Deadline::at(Instant::from_nanos(1)));
            let armed = [own, good, bad].map(|it| (it, it.subscribe()));
            let waits = sleep_on(armed[0], &armed[1..], &heard).expect("none has moved");
            assert!(waits.iter().all(|wait| !core::ptr::eq(wait.word, bad.word)));
        });
    }
}
