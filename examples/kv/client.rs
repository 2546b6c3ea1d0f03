//! A client of the store.

use std::time::Duration;

use res::service::connect;
use res::{Backend, Env, Fault, Sender, Slot, Spsc, Tx, message};

use super::store::{Key, STORE, StoreClient, Value};

/// What a client is endowed with.
pub(crate) const TASK: Slot<res::Value<Task>> = Slot::new("task");
pub(crate) const FIGURES: Slot<Tx<Spsc, Figures>> = Slot::new("figures");

/// What it is to do.
#[message("task", version = 1)]
pub(crate) struct Task {
    pub(crate) name: Key,
    pub(crate) likes: Value,
    /// How often it visits.
    pub(crate) visits: u64,
}

/// How it went.
#[message("figures", version = 1)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) nanos: u64,
}

/// What all clients count together.
pub(crate) const VISITS: &str = "visits";

/// A connection to the store that gives up in the end.
pub(crate) fn to_store<B: Backend>(b: &B) -> Result<StoreClient<B>, Fault> {
    let patience = Duration::from_secs(10);
    let mut store = StoreClient::from(connect(b, STORE, b.within(patience))?);
    store.set_timeout(patience);
    Ok(store)
}

/// The component: says what it likes, and visits.
pub(crate) fn client<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let (task, mut figures) = (env.take(TASK)?, env.take(FIGURES)?);
    let mut store = to_store(&*env)?;
    store.put(task.name, task.likes)?;
    let visits = Key::new(VISITS)?;
    let start = env.now();
    for _ in 0..task.visits {
        store.add(visits, 1)?;
    }
    let nanos = (env.now() - start).as_nanos() as u64;
    Ok(figures.send(Figures { calls: task.visits, nanos })?)
}
