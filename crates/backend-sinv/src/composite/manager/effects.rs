//! What is told once the lock is free.

use core::sync::atomic::Ordering::SeqCst;

use res_api::{Barrier, Side};
use res_kernel::composite::CompositePoint;
use res_kernel::composite::interface::sched::{BlockpointId, sched_blkpt_trigger};
use res_sync::{Event, Wake};

use super::objects::{Notice, Watch};
use super::{Open, Page};
use crate::composite::page::SLEEPERS;

impl Open {
    /// Tells all that is to be told, whoever has noted it.
    pub(super) fn tell_all(&self) {
        loop {
            let Some(notice) = self.state.lock().objects.next_notice() else { return };
            self.tell(&notice);
            self.state.lock().objects.was_told(notice.object);
        }
    }

    fn tell(&self, notice: &Notice) {
        let Notice { word, point, news, watch, .. } = notice;
        // There are more places than threads, and nothing else here takes any.
        if let Ok(point) = CompositePoint::shared(*point) {
            let event = Event { park: &self.machine, point: &point, word: *word, barrier: BARRIER };
            for (side, gone) in [Side::Waiters, Side::Signallers].into_iter().zip(news.gone) {
                if let Some(gone) = gone {
                    event.tell(side, gone);
                }
            }
            if news.changed {
                let _ = event.trigger(Wake::All);
            }
        }
        // Whether or not the word says that somebody watches: its peer can write it.
        if let Some(watch) = watch {
            self.ring(*watch);
        }
    }

    fn ring(&self, Watch { by, bit }: Watch) {
        let page = self.state.lock().clients.page(by);
        if let Some(page) = page {
            ring(page, bit);
        }
    }
}

const BARRIER: Barrier = Barrier::Fence;

/// Rings a bell of the component of that page, and wakes who waits for bells there. What it says of
/// those is what that component could do itself: any component may trigger any blockpoint.
fn ring(page: Page, bit: u32) {
    // SeqCst, here and below: partners `Asleep::until_rung`, where a thread that goes to sleep says so,
    // and then looks at the bits.
    page.bits().fetch_or(1 << bit, SeqCst);
    for sleeper in (0..SLEEPERS).map(|number| page.sleeper(number)) {
        let (point, epoch) = (sleeper.point.load(SeqCst), sleeper.epoch.load(SeqCst));
        if let Some(point) = BlockpointId::try_from(point).ok().filter(|point| *point != 0) {
            // SAFETY: the scheduler knows the number, or says that it does not.
            unsafe { sched_blkpt_trigger(point, epoch, 0) };
        }
    }
}
