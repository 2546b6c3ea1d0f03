//! What Linux refuses, as a [`KernelError`].

use std::io;

use res_api::ErrorKind;

use crate::KernelError;

/// Makes the error of `operation` out of an error of the system: for `map_err`.
pub(super) fn refused<E: Into<io::Error>>(
    operation: &'static str,
) -> impl FnOnce(E) -> KernelError {
    move |error| {
        let code = error.into().raw_os_error().unwrap_or(0);
        KernelError { operation, kind: kind(code), code }
    }
}

/// The class of an error number. `EBUSY` is how the scheduler refuses a share of the processor
/// that it does not have left; `EFAULT` is a page that could not be supplied.
const fn kind(code: i32) -> ErrorKind {
    match code {
        libc::EPERM | libc::EACCES | libc::EBUSY => ErrorKind::Denied,
        libc::ENOMEM | libc::EFBIG | libc::EOVERFLOW | libc::EFAULT => ErrorKind::NoMemory,
        libc::EAGAIN | libc::EMFILE | libc::ENFILE | libc::ENOSPC => ErrorKind::NoSlots,
        libc::EINVAL => ErrorKind::Invalid,
        libc::ESRCH => ErrorKind::Stale,
        _ => ErrorKind::Other,
    }
}
