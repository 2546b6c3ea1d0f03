//! The way of a thread through components: where it is, and where its invocations return to.

use std::cell::RefCell;

use crate::compose::{APPLICATION, ComponentId, Invocation};
use crate::halt::halt;

/// Invocations that a thread can be in the middle of.
const MOST: usize = 15;

/// Where an invocation returns to.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    component: ComponentId,
    pub(crate) at: u64,
    pub(crate) stack: u64,
}

struct Path {
    component: ComponentId,
    clients: Vec<Client>,
}

thread_local! {
    static PATH: RefCell<Path> =
        const { RefCell::new(Path { component: APPLICATION, clients: Vec::new() }) };
}

/// The component that the calling thread is in.
pub(crate) fn component() -> ComponentId {
    PATH.with_borrow(|path| path.component)
}

/// The calling thread is a new one, of that component.
pub(crate) fn begin(component: ComponentId) {
    PATH.with_borrow_mut(|path| path.component = component);
}

/// The thread goes into another component, and returns to there.
pub(crate) fn enter(invocation: Invocation, at: u64, stack: u64) {
    PATH.with_borrow_mut(|path| {
        if path.clients.len() == MOST {
            halt("the kernel's stack of invocations runs into what is behind it");
        }
        path.clients.push(Client { component: path.component, at, stack });
        path.component = invocation.server;
        if path.clients.iter().any(|client| client.component == path.component) {
            halt("an invocation comes back, and begins at the top of a stack that is in use");
        }
    });
}

/// The thread returns.
pub(crate) fn leave() -> Option<Client> {
    PATH.with_borrow_mut(|path| {
        let client = path.clients.pop()?;
        path.component = client.component;
        Some(client)
    })
}
