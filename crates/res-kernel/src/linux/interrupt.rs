//! Being asked to end, by a terminal or by whoever looks after services.

use core::fmt;
use std::boxed::Box;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::vec::Vec;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::Linux;
use super::error::refused;
use crate::KernelError;

/// What is done when this program is asked to end, as long as this value lives.
#[must_use = "dropped, it does nothing any more"]
pub struct Interrupt {
    number: u64,
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interrupt({})", self.number)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        listeners().list.retain(|(number, _)| *number != self.number);
    }
}

impl Linux {
    /// Runs `then`, in a thread of its own, when this program is asked to end: by Ctrl-C, or by
    /// `SIGTERM`; once. Where nobody listens, also because all have been told already, the program
    /// ends as it would have without this: so who asks twice ends it at once.
    ///
    /// Domains are not asked: what a terminal says is for their composer.
    ///
    /// ```
    /// let _interrupt = res_kernel::Linux::new().on_interrupt(|| println!("in a moment"))?;
    /// # Ok::<(), res_kernel::KernelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NoSlots`; what the machine refuses.
    pub fn on_interrupt(
        &self,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<Interrupt, KernelError> {
        let mut listeners = listeners();
        if !listeners.heard {
            hear().map_err(refused("listen to signals"))?;
            listeners.heard = true;
        }
        listeners.last += 1;
        let number = listeners.last;
        listeners.list.push((number, Box::new(then)));
        Ok(Interrupt { number })
    }
}

/// Those who want to know.
struct Listeners {
    /// Whether signals come here; from then on they always do.
    heard: bool,
    last: u64,
    list: Vec<(u64, Box<dyn FnOnce() + Send>)>,
}

fn listeners() -> MutexGuard<'static, Listeners> {
    static LISTENERS: Mutex<Listeners> =
        Mutex::new(Listeners { heard: false, last: 0, list: Vec::new() });
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the signals from now on, in a thread that lives as long as the program.
fn hear() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let hears = move || signals.forever().for_each(tell);
    thread::Builder::new().name("interrupts".into()).spawn(hears).map(drop)
}

fn tell(signal: i32) {
    let told = core::mem::take(&mut listeners().list);
    if told.is_empty() {
        // It ends the program, or fails, and there is nobody to tell.
        let _ = emulate_default_handler(signal);
    }
    for (_, then) in told {
        // Where there is no thread for it, the next one who asks ends the program.
        let _ = thread::Builder::new().name("interrupt".into()).spawn(then);
    }
}
