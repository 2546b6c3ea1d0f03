//! Numbers that come from another component by a channel, and go back, one greater, by a second
//! one. The ends here are used on a thread of the client.

use core::cell::UnsafeCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use backend_local::{Bridge, Local, Region, Static};
use chan_impls::Spsc;
use res_api::{Deadline, ErrorKind, Fault, Kind, Receiver, Sender};
use res_kernel::Composite;
use res_kernel::composite::SharedName;
use res_kernel::composite::syscall::{Answer, Client};

type System = Local<Static, Composite>;

static REGION: Region<{ 32 * 1024 }> = Region::new();

const CAPACITY: u32 = 4;

/// Middling, as the priority of clients is.
const PRIORITY: u32 = 16;

/// Nobody has opened it.
const CLOSED: u32 = 0;
/// Somebody is about to, or could not.
const OPENING: u32 = 1;
/// The ends are there.
const OPEN: u32 = 2;
/// Somebody has taken them.
const SERVED: u32 = 3;

struct Echo {
    stage: AtomicU32,
    /// Written in stage `OPENING` and constant then.
    opened: UnsafeCell<Option<Opened>>,
    /// Written in stage `OPENING`, moved out by whoever moves the stage to `SERVED`.
    ends: UnsafeCell<Option<Ends>>,
}

// SAFETY: one thread at a time uses what the cells hold, see there; the stages change hands by
// AcqRel, and what is shared is constant then. Ends may be moved to another thread.
unsafe impl Sync for Echo {}

/// Who has opened it, and by what he finds the channels.
struct Opened {
    client: Client,
    names: [SharedName; 2],
}

struct Ends {
    numbers: <Spsc as Kind<System>>::Rcv<u64>,
    answers: <Spsc as Kind<System>>::Snd<u64>,
}

static ECHO: Echo = Echo {
    stage: AtomicU32::new(CLOSED),
    opened: UnsafeCell::new(None),
    ends: UnsafeCell::new(None),
};

const REFUSED: Answer = Answer::of(-1);

/// The capacity, and the name of the channel to here (0) or from here (1); -1 for others than the
/// first client.
pub(crate) fn open(client: Client, [which, ..]: [u64; 4]) -> Answer {
    if ECHO.moves(CLOSED, OPENING) {
        let Ok((names, ends)) = channels() else { return REFUSED };
        // SAFETY: nobody else has got to `OPENING`, and nobody looks before `OPEN`.
        unsafe {
            *ECHO.opened.get() = Some(Opened { client, names });
            *ECHO.ends.get() = Some(ends);
        }
        ECHO.stage.store(OPEN, Release);
    }
    let name = ECHO.opened_by(client).and_then(|opened| opened.names.get(which as usize));
    name.map_or(REFUSED, |name| Answer { result: CAPACITY.into(), extra: name.to_words() })
}

/// Serves until the client leaves; how many numbers came. -1 for others than the one who has opened
/// it, and the second time.
pub(crate) fn serve(client: Client, _: [u64; 4]) -> Answer {
    if ECHO.opened_by(client).is_none() || !ECHO.moves(OPEN, SERVED) {
        return REFUSED;
    }
    // SAFETY: only one caller gets here.
    let ends = unsafe { (*ECHO.ends.get()).take() };
    ends.map_or(REFUSED, |ends| Answer::of(ends.echo()))
}

impl Echo {
    fn moves(&self, from: u32, to: u32) -> bool {
        self.stage.compare_exchange(from, to, AcqRel, Acquire).is_ok()
    }

    fn opened_by(&self, client: Client) -> Option<&Opened> {
        if self.stage.load(Acquire) < OPEN {
            return None;
        }
        // SAFETY: constant from stage `OPEN` on.
        let opened = unsafe { (*self.opened.get()).as_ref() };
        opened.filter(|opened| opened.client == client)
    }
}

impl Ends {
    fn echo(mut self) -> i64 {
        let mut count = 0;
        while let Ok(number) = self.numbers.recv() {
            count += 1;
            if self.answers.send(number + 1).is_err() {
                break;
            }
        }
        count
    }
}

/// Two channels, of which this component has an end each.
fn channels() -> Result<([SharedName; 2], Ends), Fault> {
    let machine = Composite::boot(0, PRIORITY)?;
    let system = System::over_with(machine, &REGION, 0, Deadline::PASSED)?;
    let ((to, to_name), (from, from_name)) = (bridge(machine)?, bridge(machine)?);
    let ends =
        Ends { numbers: system.rcv_over(to, CAPACITY)?, answers: system.snd_over(from, CAPACITY)? };
    Ok(([to_name, from_name], ends))
}

fn bridge(machine: Composite) -> Result<(Bridge<Composite>, SharedName), Fault> {
    let bytes = Bridge::<Composite>::bytes::<u64>(CAPACITY);
    let bytes = bytes.ok_or(Fault::new(ErrorKind::Invalid, "a channel of that capacity"))?;
    let (shared, name) = machine.share(bytes)?;
    // SAFETY: nobody knows the name yet.
    let bridge = unsafe { Bridge::new::<u64>(&machine, shared.memory, shared.points) };
    Ok((bridge, name))
}
