//! The capability manager: threads and receive ends as capabilities. For schedulers and managers;
//! an application asks the scheduler for threads.

use core::ffi::{c_int, c_void};

use super::{Address, ThreadId};

/// The slot of a capability in this component's table; 0 is none.
pub type Slot = u64;

unsafe extern "C" {
    /// A thread that will call `function` with `data`: its capability, and its id. It counts among
    /// the threads of the system, and no scheduler knows it: it runs when the holder of the
    /// capability switches to it.
    ///
    /// # Safety
    ///
    /// `function(data)` is sound in another thread and does not return; `id` may be written to.
    /// There are threads left: one too many halts the machine.
    pub fn capmgr_thd_create(
        function: extern "C" fn(*mut c_void),
        data: *mut c_void,
        id: *mut ThreadId,
    ) -> Slot;

    /// A thread with a receive end: the receive end's capability, one to send to it, the thread's,
    /// and its id.
    ///
    /// # Safety
    ///
    /// As [`capmgr_thd_create`]; all addresses may be written to; the caller is a scheduler.
    pub fn capmgr_rcv_alloc(
        function: extern "C" fn(*mut c_void),
        data: *mut c_void,
        flags: c_int,
        send: *mut Slot,
        thread: *mut Slot,
        id: *mut ThreadId,
    ) -> Slot;

    /// A capability to send to a receive end, some day: today it halts the machine.
    ///
    /// # Safety
    ///
    /// This system's manager can do it.
    pub fn capmgr_asnd_rcv_create(receive: Slot) -> Slot;

    /// A page of the kernel that is mapped here, too: where, and what the manager calls it.
    ///
    /// # Safety
    ///
    /// `resource` may be written to.
    pub fn capmgr_shared_kernel_page_create(resource: *mut Address) -> Address;
}
