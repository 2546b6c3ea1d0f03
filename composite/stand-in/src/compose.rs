//! Who can invoke whom: what the composer of a system arranges.

use std::sync::{Mutex, PoisonError};

/// Names a component; never 0.
pub type ComponentId = u64;

/// The component whose entry the machine runs.
pub const APPLICATION: ComponentId = 1;

/// A capability to invoke another component by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Invocation {
    /// Whose capability it is, and what the server is told of the client.
    pub client: ComponentId,
    /// Its slot in the client's capability table.
    pub slot: u64,
    /// Who is invoked.
    pub server: ComponentId,
    /// Where threads enter the server.
    pub entry: u64,
}

static INVOCATIONS: Mutex<Vec<Invocation>> = Mutex::new(Vec::new());

/// Makes capabilities.
pub fn connect(invocations: &[Invocation]) {
    INVOCATIONS.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(invocations);
}

/// What is in a slot of a component's table.
pub(crate) fn find(client: ComponentId, slot: u64) -> Option<Invocation> {
    let invocations = INVOCATIONS.lock().unwrap_or_else(PoisonError::into_inner);
    invocations.iter().find(|made| (made.client, made.slot) == (client, slot)).copied()
}

/// The same as [`connect`] for a table that ends with a client 0, or that is not there.
///
/// # Safety
///
/// There is such a table, or the address is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stand_in_connect(mut table: *const Invocation) {
    if table.is_null() {
        return;
    }
    // SAFETY: up to the one that ends it, the caller says that they are there.
    while let Some(invocation) = unsafe { table.as_ref() }.filter(|made| made.client != 0) {
        connect(&[*invocation]);
        // SAFETY: it was not the last one.
        table = unsafe { table.add(1) };
    }
}
