//! The store: its interface, and the component that serves it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use res::{Backend, Env, ErrorKind, Fault, Name, Service, interface, message};

/// Where clients find it.
pub(crate) const STORE: Name = Name::new("store");

/// More clients than these at a time are turned away.
const CLIENTS: u32 = 16;

/// What both sides know. A call of `add` fits into the words of a frame; what is longer goes through
/// its payload.
#[interface("store", version = 1)]
pub(crate) trait Store {
    /// What is under a key.
    fn get(&mut self, key: Key) -> Found;
    /// Puts something there; what was there before.
    fn put(&mut self, key: Key, value: Value) -> Found;
    /// Adds to the number there, which is 0 at first; the sum.
    fn add(&mut self, key: Key, number: u64) -> u64;
    /// How many keys there are.
    fn count(&mut self) -> u64;
}

#[message("key", version = 1)]
pub(crate) struct Key {
    text: [u8; 23],
    len: u8,
}

#[message("value", version = 1)]
pub(crate) struct Value {
    text: [u8; 63],
    len: u8,
}

#[message("found", version = 1)]
pub(crate) struct Found {
    value: Value,
    there: bool,
}

impl Key {
    pub(crate) fn new(text: &str) -> Result<Self, Fault> {
        let (text, len) = packed(text)?;
        Ok(Self { text, len })
    }

    fn text(&self) -> String {
        unpacked(&self.text, self.len)
    }
}

impl Value {
    const EMPTY: Self = Self { text: [0; 63], len: 0 };

    pub(crate) fn new(text: &str) -> Result<Self, Fault> {
        let (text, len) = packed(text)?;
        Ok(Self { text, len })
    }
}

impl Found {
    fn new(text: Option<&String>) -> Self {
        let value = text.and_then(|text| Value::new(text).ok());
        let there = value.is_some();
        Self { value: value.unwrap_or(Value::EMPTY), there }
    }

    /// The text, if there is one.
    pub(crate) fn text(&self) -> Option<String> {
        self.there.then(|| unpacked(&self.value.text, self.value.len))
    }
}

fn packed<const N: usize>(text: &str) -> Result<([u8; N], u8), Fault> {
    let mut bytes = [0; N];
    let place = bytes.get_mut(..text.len());
    let place = place.ok_or_else(|| Fault::new(ErrorKind::Invalid, "too long a text"))?;
    place.copy_from_slice(text.as_bytes());
    Ok((bytes, text.len() as u8))
}

/// What others sent may be anything.
fn unpacked(text: &[u8], len: u8) -> String {
    String::from_utf8_lossy(&text[..text.len().min(len.into())]).into_owned()
}

/// What is common to all clients; each has a thread of its own here.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<BTreeMap<String, String>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Shared {
    fn get(&mut self, key: Key) -> Found {
        Found::new(self.lock().get(&key.text()))
    }

    fn put(&mut self, key: Key, value: Value) -> Found {
        let value = unpacked(&value.text, value.len);
        Found::new(self.lock().insert(key.text(), value).as_ref())
    }

    fn add(&mut self, key: Key, number: u64) -> u64 {
        let mut all = self.lock();
        let text = all.entry(key.text()).or_default();
        let sum = text.parse().unwrap_or(0_u64).wrapping_add(number);
        *text = sum.to_string();
        sum
    }

    fn count(&mut self) -> u64 {
        self.lock().len() as u64
    }
}

/// The component. It runs until it is asked to stop.
pub(crate) fn store<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let mut service = Service::<B, dyn Store>::publish(&env, STORE, CLIENTS)?;
    let shared = Shared::default();
    service.serve(move |mut client| _ = client.serve_with(&mut shared.clone()));
    Ok(())
}
