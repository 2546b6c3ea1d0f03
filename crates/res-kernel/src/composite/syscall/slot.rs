//! Slots of the capability table, and what can be in them.

/// What a capability is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Nothing is there.
    Free = 0,
    /// A function of another component.
    Invocation = 1,
    /// The way back from an invocation.
    Return = 2,
    /// Sends notifications.
    Notify = 3,
    /// Receives them.
    Receive = 4,
    /// A thread.
    Thread = 5,
    /// A component.
    Component = 6,
    /// A capability table.
    CapTable = 7,
    /// A page table.
    PageTable = 8,
    /// A frame of memory.
    Frame = 9,
    /// A virtual machine.
    VirtualMachine = 10,
    /// What waits until nobody uses a page of the kernel any more.
    Quiescence = 11,
    /// Time to run in.
    Time = 12,
    /// The hardware.
    Hardware = 13,
}

/// A capability handle: the number of a slot.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(transparent)]
        pub struct $name(u32);

        impl $name {
            /// The capability in that slot. Nothing checks that there is one.
            pub const fn at(slot: u32) -> Self {
                Self(slot)
            }

            /// The number of the slot.
            pub const fn slot(self) -> u32 {
                self.0
            }
        }
    };
}
pub(super) use handle;

/// What the booter finds in its table (on one core). Other components have none of it, but what
/// they were given to print with.
pub mod boot {
    use super::super::{CapTable, Hardware, PageTable, Printer, Receive, ThreadCap, TimeCap};

    /// The way back from an invocation.
    pub const RETURN: u32 = 0;
    /// Prints.
    pub const PRINT: Printer = Printer::at(2);
    /// The booter's own capability table.
    pub const CAPABILITIES: CapTable = CapTable::at(4);
    /// The booter's own page table.
    pub const PAGES: PageTable = PageTable::at(8);
    /// The booter, as a component.
    pub const COMPONENT: u32 = 12;
    /// Memory that the booter was loaded with.
    pub const BOOT_MEMORY: PageTable = PageTable::at(16);
    /// Memory that is neither the kernel's nor anybody else's yet.
    pub const UNTYPED_MEMORY: PageTable = PageTable::at(20);
    /// All physical memory.
    pub const PHYSICAL_MEMORY: PageTable = PageTable::at(24);
    /// Memory of the kernel.
    pub const KERNEL_MEMORY: PageTable = PageTable::at(28);
    /// The first invocation.
    pub const INVOCATION: u32 = 32;
    /// The hardware.
    pub const HARDWARE: Hardware = Hardware::at(36);
    /// The thread that boots.
    pub const THREAD: ThreadCap = ThreadCap::at(40);
    /// Its time.
    pub const TIME: TimeCap = TimeCap::at(44);
    /// Where it is told of the threads that it schedules.
    pub const RECEIVE: Receive = Receive::at(48);
    /// From here on the table is empty.
    pub const FIRST_FREE: u32 = 52;
}
