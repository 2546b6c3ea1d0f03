//! Which bells have woken a wait, and which of them it does not listen to for a while (H12).

use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use res_api::Barrier;
use res_kernel::Isolation;
use res_sync::event::Snapshot;
use res_sync::{Event, Instant, MemoryModel, Park, Waiting};

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
}

impl Heard {
    /// A look has found nothing.
    pub(super) fn judge<K: Isolation>(&mut self, arenas: &[Arc<Arena<K>>], now: Instant) {
        for (rung, arena) in self.0.iter_mut().zip(arenas) {
            if core::mem::take(&mut rung.woke) {
                arena.woke_for_nothing(&mut rung.marked, now);
            }
        }
    }

    /// Has slept, or has not for one that moved; the machine may know which word woke it. A peer can
    /// wake without moving its word.
    pub(super) fn note<K: Isolation>(
        &mut self,
        bells: &[Listened<'_, K>],
        woken: Option<&Word<K>>,
    ) {
        for (at, bell) in bells.iter().enumerate() {
            let (event, armed) = bell.armed;
            let it_is = woken.is_some_and(|word| core::ptr::eq(word, event.word));
            if !bell.is_slept_on() || !it_is && event.still(armed).is_some() {
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

/// A bell that was armed.
pub(super) struct Listened<'a, K: Park> {
    armed: Armed<'a, K>,
    /// It has rung for nothing too often.
    pub(super) deaf: bool,
}

impl<'a, K: Park> Listened<'a, K> {
    /// Arms it.
    pub(super) fn to(bell: Event<'a, K>) -> Self {
        Self { armed: (bell, bell.subscribe()), deaf: false }
    }

    /// A bell whose listeners are told that nobody rings it any more is not: only a peer that breaks
    /// the rules writes that, and it would keep us awake for ever.
    fn is_slept_on(&self) -> bool {
        !self.deaf && self.armed.1.gone().is_none()
    }
}

/// The one barrier that does for all of them: the asymmetric one is a fence, too.
pub(super) fn strongest<K: Isolation>(event: Event<'_, K>, bells: &[Listened<'_, K>]) -> Barrier {
    let asymmetric = bells.iter().any(|bell| bell.armed.0.barrier == Barrier::Asymmetric);
    if asymmetric { Barrier::Asymmetric } else { event.barrier }
}

/// What to sleep on; none where one of them has moved since.
pub(super) fn sleep_on<'a, K: Isolation>(
    own: Armed<'a, K>,
    bells: &[Listened<'a, K>],
) -> Option<Vec<Waiting<'a, K>>> {
    let bells = bells.iter().filter(|bell| bell.is_slept_on()).map(|bell| bell.armed);
    let wait = |(event, armed): Armed<'a, K>| {
        let seen = event.still(armed)?;
        Some(Waiting { point: event.point, word: event.word, seen })
    };
    core::iter::once(own).chain(bells).map(wait).collect()
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
            let armed = || ((own, own.subscribe()), [good, bad].map(Listened::to));
            let waits = |(own, bells): (_, [_; 2])| sleep_on(own, &bells).map(|waits| waits.len());
            let moved = |event: Event<'_, Linux>| {
                let armed = armed();
                let _ = event.trigger(Wake::All);
                waits(armed)
            };
            assert_eq!([own, good, bad].map(moved), [None; 3], "each is heard");
            bad.tell(Side::Waiters, Gone::PeerGone);
            // What it told is behind us; the others are slept on, and heard.
            assert_eq!(waits(armed()), Some(2));
            assert_eq!([own, good].map(moved), [None; 2]);
        });
    }

    /// It wakes without moving its word, and it alone is known to have woken.
    #[test]
    fn who_has_woken_is_known_if_the_machine_says_so() {
        with_three(|[own, good, bad]| {
            let bells = [good, bad].map(Listened::to);
            let woke = |heard: &Heard| heard.0.iter().map(|rung| rung.woke).collect::<Vec<_>>();
            let mut heard = Heard::default();
            heard.note(&bells, None);
            heard.note(&bells, Some(own.word));
            assert_eq!(woke(&heard), []);
            heard.note(&bells, Some(bad.word));
            assert_eq!(woke(&heard), [false, true]);
            let _ = good.trigger(Wake::All);
            heard.note(&bells, None);
            assert_eq!(woke(&heard), [true, true]);
            // One that is not listened to is not slept on.
            let mut bells = [good, bad].map(Listened::to);
            bells[1].deaf = true;
            let waits = sleep_on((own, own.subscribe()), &bells).expect("none has moved");
            assert!(waits.iter().all(|wait| !core::ptr::eq(wait.word, bad.word)));
        });
    }
}
