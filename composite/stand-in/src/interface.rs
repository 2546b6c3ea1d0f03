//! The functions of the managers, as C symbols and as what the host does for them.

pub mod capmgr;
pub mod chanmgr;
pub mod evt;
pub mod init;
pub mod memmgr;
pub mod print;
pub mod sched;
pub mod syncipc;
