//! The channel manager: a box for one number in the memory of a channel.

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::SeqCst;

use res_api::{ErrorKind, Fault};
use res_kernel::Composite;
use res_kernel::composite::interface::chanmgr::{
    ChannelId, NO_RESOURCE, chanmgr_create, chanmgr_evt_get, chanmgr_evt_set,
    chanmgr_mem_resources, chanmgr_sync_resources,
};
use res_kernel::composite::interface::evt::{__evt_add, __evt_alloc, __evt_get, __evt_trigger};
use res_kernel::composite::interface::sched::{
    BlockpointId, sched_blkpt_block, sched_blkpt_trigger,
};

use super::beside::started;
use crate::report::check;

/// What is in the memory: how many were put, how many were taken, and the last one.
struct Shared {
    puts: AtomicU64,
    takes: AtomicU64,
    number: AtomicU64,
}

/// One mapping of it, and where one waits.
struct Mailbox {
    shared: &'static Shared,
    full: BlockpointId,
    empty: BlockpointId,
}

impl Mailbox {
    /// By the number of the channel alone.
    fn open(channel: ChannelId) -> Result<Self, Fault> {
        let (mut full, mut empty, mut buffer) = (0, 0, 0);
        let mut memory = null_mut::<c_void>();
        // SAFETY: all places are ours; nobody opens a channel more often than it can be mapped.
        let results = unsafe {
            [
                chanmgr_sync_resources(channel, &raw mut full, &raw mut empty),
                chanmgr_mem_resources(channel, &raw mut buffer, &raw mut memory),
            ]
        };
        if results != [0, 0] {
            return Err(Fault::new(ErrorKind::NotFound, "the channel"));
        }
        // SAFETY: a page of atomic words, which is never unmapped; all 0 at first.
        Ok(Self { shared: unsafe { &*memory.cast::<Shared>() }, full, empty })
    }

    /// Puts the `n`-th number, counted from 1, when the one before was taken.
    fn put(&self, n: u64, number: u64) {
        while self.shared.takes.load(SeqCst) < n - 1 {
            // SAFETY: a blockpoint of the channel; nobody calls `sched_thd_wakeup`. The epoch is
            // the number of takes.
            unsafe { sched_blkpt_block(self.full, n - 2, 0) };
        }
        self.shared.number.store(number, SeqCst);
        self.shared.puts.store(n, SeqCst);
        // SAFETY: a blockpoint of the channel.
        unsafe { sched_blkpt_trigger(self.empty, n, 0) };
    }

    /// Takes the `n`-th.
    fn take(&self, n: u64) -> u64 {
        while self.shared.puts.load(SeqCst) < n {
            // SAFETY: as above. The epoch is the number of puts.
            unsafe { sched_blkpt_block(self.empty, n - 1, 0) };
        }
        let number = self.shared.number.load(SeqCst);
        self.shared.takes.store(n, SeqCst);
        // SAFETY: a blockpoint of the channel.
        unsafe { sched_blkpt_trigger(self.full, n, 0) };
        number
    }
}

/// A channel for one item.
fn channel() -> Result<ChannelId, Fault> {
    match chanmgr_create(size_of::<Shared>() as u32, 1, 0) {
        0 => Err(Fault::new(ErrorKind::NoSlots, "a channel")),
        channel => Ok(channel),
    }
}

/// Another thread has nothing but the number of the channel, and sends numbers back.
pub(super) fn numbers(machine: Composite) -> Result<(), Fault> {
    let (there, back) = (channel()?, channel()?);
    check!(there != back);
    let mut echoed = Ok(());
    let mut body = || echoed = echo(there, back);
    let other = started(machine, &mut body)?;
    let (out, home) = (Mailbox::open(there)?, Mailbox::open(back)?);
    for n in 1..=200 {
        out.put(n, n * n);
        check!(home.take(n) == n * n + 1);
    }
    drop(other);
    echoed
}

fn echo(from: ChannelId, to: ChannelId) -> Result<(), Fault> {
    let (from, to) = (Mailbox::open(from)?, Mailbox::open(to)?);
    for n in 1..=200 {
        let number = from.take(n);
        to.put(n, number + 1);
    }
    Ok(())
}

/// Each opening is a mapping of its own, of the same memory.
pub(super) fn mappings(_: Composite) -> Result<(), Fault> {
    let channel = channel()?;
    let (one, two) = (Mailbox::open(channel)?, Mailbox::open(channel)?);
    check!(!core::ptr::eq(one.shared, two.shared));
    check!((one.full, one.empty) == (two.full, two.empty));
    one.put(1, 42);
    check!(two.take(1) == 42);
    check!(Mailbox::open(99).is_err());
    Ok(())
}

/// Who sends asks for the resource, and triggers it.
pub(super) fn events(_: Composite) -> Result<(), Fault> {
    let channel = channel()?;
    let mailbox = Mailbox::open(channel)?;
    check!(chanmgr_evt_get(channel, 0) == NO_RESOURCE);
    check!(chanmgr_evt_get(channel, 1) == 0);
    let group = __evt_alloc(1);
    let resource = __evt_add(group, 1, channel);
    check!(resource != 0);
    check!(chanmgr_evt_set(channel, resource, 1) == 0);
    for n in 1..=3 {
        mailbox.put(n, n);
        check!(__evt_trigger(chanmgr_evt_get(channel, 1)) == 0);
        let (mut source, mut data) = (0, 0);
        // SAFETY: both places are ours.
        check!(unsafe { __evt_get(group, 0, &raw mut source, &raw mut data) } == 0);
        check!((source, data) == (1, channel));
        check!(mailbox.take(n) == n);
    }
    Ok(())
}
