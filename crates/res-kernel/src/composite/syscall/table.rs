//! Capability tables: making, copying and taking away capabilities.

use super::call::{Answer, invoke};
use super::code::Errno;
use super::slot::handle;

handle! {
    /// A capability table, or a part of one.
    CapTable
}

/// A thread to be made.
#[derive(Clone, Copy, Debug)]
pub struct Thd {
    /// Where its capability goes.
    pub slot: u32,
    /// What it is told to begin with.
    pub init: u32,
    /// The page table that the kernel's memory is in.
    pub pages: u32,
    /// The component that it runs in.
    pub component: u32,
    /// A page of the kernel for it.
    pub memory: u64,
    /// Where its user-level kernel page is.
    pub ulk: u32,
    /// Its id.
    pub id: u16,
}

impl Thd {
    const fn words(&self) -> [u64; 4] {
        [
            pair(self.init, self.slot),
            pair(self.pages, self.component),
            self.memory,
            pair(self.ulk, self.id as u32),
        ]
    }
}

/// A component to be made.
#[derive(Clone, Copy, Debug)]
pub struct Comp {
    /// Where its capability goes.
    pub slot: u32,
    /// Its capability table.
    pub capabilities: u32,
    /// Its page table.
    pub pages: u32,
    /// Where the kernel sees that it lives.
    pub liveness: u32,
    /// Its protection domain.
    pub domain: u32,
    /// Where threads enter it.
    pub entry: u64,
}

impl Comp {
    const fn words(&self) -> [u64; 4] {
        [
            self.slot as u64,
            pair(self.capabilities, self.pages),
            (self.liveness as u64) << 32 | self.domain as u64,
            self.entry,
        ]
    }
}

/// An invocation to be made.
#[derive(Clone, Copy, Debug)]
pub struct Sinv {
    /// Where its capability goes.
    pub slot: u32,
    /// The component that serves.
    pub server: u32,
    /// Where it is entered.
    pub entry: u64,
    /// What the server is told of the client.
    pub token: u64,
}

impl Sinv {
    const fn words(&self) -> [u64; 4] {
        [self.slot as u64, self.server as u64, self.entry, self.token]
    }
}

/// A receive end to be made.
#[derive(Clone, Copy, Debug)]
pub struct Arcv {
    /// Where its capability goes.
    pub slot: u32,
    /// The thread that receives.
    pub thread: u32,
    /// The time that it runs in.
    pub time: u32,
    /// Its component.
    pub component: u32,
    /// The receive end of its scheduler.
    pub parent: u32,
}

impl Arcv {
    const fn words(&self) -> [u64; 4] {
        [self.slot as u64, pair(self.thread, self.time), self.component as u64, self.parent as u64]
    }
}

/// Two numbers in a word, as the kernel packs them.
const fn pair(high: u32, low: u32) -> u64 {
    (high as u64) << 16 | low as u64
}

const _: () = assert!(pair(3, 5) == 0x3_0005);
const _: () = {
    let thread = Thd { slot: 7, init: 1, pages: 2, component: 3, memory: 0x4000, ulk: 5, id: 6 };
    let [one, two, three, four] = thread.words();
    assert!(one == 0x1_0007 && two == 0x2_0003 && three == 0x4000 && four == 0x5_0006);
};

const _: () = {
    let component =
        Comp { slot: 1, capabilities: 2, pages: 3, liveness: 4, domain: 5, entry: 0x40_0000 };
    let [one, two, three, four] = component.words();
    assert!(one == 1 && two == 0x2_0003 && three == 0x4_0000_0005 && four == 0x40_0000);
};
const _: () = {
    let receive = Arcv { slot: 1, thread: 2, time: 3, component: 4, parent: 5 };
    let [one, two, three, four] = receive.words();
    assert!(one == 1 && two == 0x2_0003 && three == 4 && four == 5);
};

/// The operations whose words this crate does not pack: the number and what it is called.
macro_rules! plain_operations {
    ($($(#[$doc:meta])* $name:ident = $number:expr;)*) => {
        impl CapTable {
            $(
                $(#[$doc])*
                ///
                /// # Safety
                ///
                /// The words are what this kernel expects; nothing that is in use goes away.
                ///
                /// # Errors
                ///
                /// What the kernel says.
                pub unsafe fn $name(self, arguments: [u64; 4]) -> Result<(), Errno> {
                    // SAFETY: the caller's promise.
                    unsafe { invoke(self.slot(), $number, arguments) }.done()
                }
            )*
        }
    };
}

plain_operations! {
    /// Operation 0: copies a capability into another table.
    copy = 0;
    /// Operation 1: makes a table part of another.
    cons = 1;
    /// Operation 2: takes it out again.
    decons = 2;
    /// Operation 5: takes a thread's capability away.
    deactivate_thread = 5;
    /// Operation 6: sets a thread's thread-local storage.
    set_thread_storage = 6;
    /// Operation 14: takes a component's capability away.
    deactivate_component = 14;
    /// Operation 16: takes an invocation away.
    deactivate_invocation = 16;
    /// Operation 18: takes a way back away.
    deactivate_return = 18;
    /// Operation 20: takes a send end away.
    deactivate_notify = 20;
    /// Operation 22: takes a receive end away.
    deactivate_receive = 22;
    /// Operation 28: makes a page table.
    activate_page_table = 28;
    /// Operation 29: takes it away.
    deactivate_page_table = 29;
    /// Operation 30: makes a capability table.
    activate_table = 30;
    /// Operation 31: takes it away.
    deactivate_table = 31;
    /// Operation 38: makes a time capability.
    activate_time = 38;
    /// Operation 43: makes a hardware capability.
    activate_hardware = 43;
}

const CHECK: u16 = 3;
const THREAD: u16 = 4;
const COMPONENT: u16 = 13;
const INVOCATION: u16 = 15;
const NOTIFY: u16 = 19;
const RECEIVE: u16 = 21;
const INTROSPECT: u16 = 37;

impl CapTable {
    /// Operation 3: what the kernel says of the capability in `slot`.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn check(self, slot: u32) -> Result<Answer, Errno> {
        // SAFETY: reads only.
        unsafe { invoke(self.slot(), CHECK, [slot.into(), 0, 0, 0]) }.checked()
    }

    /// Makes a thread.
    ///
    /// # Safety
    ///
    /// The kernel's memory that it is made in is nobody's; the slot is empty.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn activate_thread(self, thread: Thd) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), THREAD, thread.words()) }.done()
    }

    /// Makes a component.
    ///
    /// # Safety
    ///
    /// The tables are for it alone; the slot is empty.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn activate_component(self, component: Comp) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), COMPONENT, component.words()) }.done()
    }

    /// Makes an invocation.
    ///
    /// # Safety
    ///
    /// At the entry is code of the server that takes invocations; the slot is empty.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn activate_invocation(self, invocation: Sinv) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), INVOCATION, invocation.words()) }.done()
    }

    /// Makes a send end for the receive end in slot `receive` of the table `of`.
    ///
    /// # Safety
    ///
    /// The slot is empty.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn activate_notify(self, slot: u32, of: Self, receive: u32) -> Result<(), Errno> {
        let words = [slot.into(), of.slot().into(), receive.into(), 0];
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), NOTIFY, words) }.done()
    }

    /// Makes a receive end.
    ///
    /// # Safety
    ///
    /// The thread is the component's; the slot is empty.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn activate_receive(self, receive: Arcv) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), RECEIVE, receive.words()) }.done()
    }

    /// Operation 37: what the kernel knows of the capability in `slot`.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn introspect(self, slot: u32) -> Result<Answer, Errno> {
        // SAFETY: reads only.
        unsafe { invoke(self.slot(), INTROSPECT, [slot.into(), 0, 0, 0]) }.checked()
    }
}
