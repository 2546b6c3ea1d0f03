//! The capability manager: threads and receive ends as capabilities. For schedulers and managers;
//! an application asks the scheduler for threads.

use core::ffi::{c_int, c_void};

use super::{Address, ThreadId};

/// The slot of a capability in this component's table; 0 is none.
pub type Slot = u64;

unsafe extern "C" {
    /// A thread that will call `function` with `data`, in no scheduler's queue: its capability, and
    /// its id.
    ///
    /// # Safety
    ///
    /// `function(data)` is sound in another thread and does not return; `id` may be written to.
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
    /// As [`capmgr_thd_create`]; all addresses may be written to.
    pub fn capmgr_rcv_alloc(
        function: extern "C" fn(*mut c_void),
        data: *mut c_void,
        flags: c_int,
        send: *mut Slot,
        thread: *mut Slot,
        id: *mut ThreadId,
    ) -> Slot;

    /// A capability to send to that receive end.
    ///
    /// # Safety
    ///
    /// The slot is a receive end's.
    pub fn capmgr_asnd_rcv_create(receive: Slot) -> Slot;

    /// A page shared with the kernel: its capability, and where it is.
    ///
    /// # Safety
    ///
    /// `at` may be written to.
    pub fn capmgr_shared_kernel_page_create(at: *mut Address) -> Address;
}
