//! Where operations are tried: one component after the other does the same, and dies one step later
//! than the one before, until one lives.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    Backend, Comp, Deadline, Entry, Env, Exit, Fault, Gone, Kind, Name, Receiver, RecvError, Rx,
    SendError, Sender, Slot, Tx, Value,
};
use res_kernel::Linux;

use crate::counted::{arm, disarm};
use crate::holdings::Holdings;
use crate::mortal::Mortal;

pub(crate) type System = Sinv<Mortal>;
pub(crate) type Outcome = Result<(), Fault>;

/// What is sent here: four times the same, so half of one would be seen.
pub(crate) type Message = [u64; 4];

pub(crate) const fn message(n: u64) -> Message {
    [n; 4]
}

const NTH: Slot<Value<u64>> = Slot::new("nth");
const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");

/// More steps than any operation here has.
const MOST: u64 = 5_000;

/// The step that is tried behind that one: the next, or in a plain run one as much further away as there
/// are more of them.
fn next(nth: u64) -> u64 {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    nth + 1 + if long { 0 } else { nth / 8 }
}

/// From now on this component dies at the step that it was told.
pub(crate) fn be_mortal(env: &Env<System>) -> Outcome {
    arm(env.take(NTH)?);
    Ok(())
}

/// Does something, and dies at the step that this component was told.
pub(crate) fn mortally<R>(env: &Env<System>, body: impl FnOnce() -> R) -> Result<R, Fault> {
    be_mortal(env)?;
    let result = body();
    disarm();
    Ok(result)
}

/// Answers numbers.
fn echo(env: Env<System>) -> Outcome {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    while let Ok(number) = from.recv() {
        to.send(number)?;
    }
    Ok(())
}

/// One of those that die.
pub(crate) struct Trial<'a> {
    pub(crate) system: &'a System,
    /// Nobody waits longer.
    pub(crate) late: Deadline,
    nth: u64,
}

impl Trial<'_> {
    /// A component that is told when to die.
    pub(crate) fn component<E: Entry<System>>(&self, entry: E) -> Comp<System> {
        let component = self.system.component(const { Name::new("mortal") }, entry);
        let component = component.expect("a component");
        component.endow(NTH, self.nth).expect("endowed");
        component
    }

    /// How it ended.
    pub(crate) fn end_of(&self, component: &Comp<System>) -> Exit {
        component.wait(self.late).expect("it ends")
    }

    /// Starts one that does nothing but hold an end, and waits for both to end.
    pub(crate) fn held(&self, held: Slot<Tx<Spsc, Message>>, component: Comp<System>) -> Exit {
        let (tx, mut rx) = self.system.chan::<Spsc, Message>(1).expect("a channel");
        component.endow(held, tx).expect("endowed");
        component.start().expect("started");
        let (count, gone) = self.all_of(&mut rx);
        let exit = self.end_of(&component);
        assert_eq!((count, gone), (0, told(exit)));
        exit
    }

    /// What comes, until there will be no more: messages from 0 on, none that was not sent.
    pub(crate) fn all_of(&self, rx: &mut impl Receiver<Msg = Message>) -> (u64, Gone) {
        let mut expected = 0;
        loop {
            match rx.recv_until(self.late) {
                Ok(found) => assert_eq!(found, message(expected)),
                Err(RecvError::Gone(gone)) => return (expected, gone),
                Err(why) => panic!("nobody says that it is gone: {why}, {}", self.seen()),
            }
            expected += 1;
        }
    }

    /// Sends messages from `n` on until nobody is there to receive them.
    pub(crate) fn send_all(&self, tx: &mut impl Sender<Msg = Message>, mut n: u64) -> Gone {
        loop {
            match tx.send_until(message(n), self.late) {
                Ok(()) => n += 1,
                Err(SendError::Gone(_, gone)) => return gone,
                Err(error) => panic!("nobody says that it is gone: {error:?}, {}", self.seen()),
            }
        }
    }

    /// What lives, for who has to find out why.
    fn seen(&self) -> String {
        let seen = self.system.inspect().expect("the manager is here");
        let processes = seen.components.iter().filter_map(|it| it.process);
        let waits = processes.flat_map(|it| std::fs::read_dir(format!("/proc/{it}/task")).ok());
        let waits = waits.flatten().filter_map(|it| {
            let path = it.ok()?.path();
            let call = std::fs::read_to_string(path.join("syscall")).ok()?;
            Some(format!("{} {}", path.display(), call.trim()))
        });
        format!("step {}, {seen}{}", self.nth, waits.collect::<Vec<_>>().join("\n"))
    }
}

/// What the others are told of a component that ended so.
pub(crate) fn told(exit: Exit) -> Gone {
    if exit == Exit::Died { Gone::PeerGone } else { Gone::Closed }
}

type Snd = <Spsc as Kind<System>>::Snd<u64>;
type Rcv = <Spsc as Kind<System>>::Rcv<u64>;

/// A system in which components die, and two who have nothing to do with that.
pub(crate) struct Ground {
    pub(crate) system: System,
    to_bystander: Snd,
    from_bystander: Rcv,
    bystander: Comp<System>,
    said: u64,
    _alone: MutexGuard<'static, ()>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let system = Sinv::on(Mortal(Linux::new()), Limits::default()).expect("a system");
        let (tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
        let (to, rx) = system.chan::<Spsc, u64>(4).expect("a channel");
        let bystander = system.component(const { Name::new("bystander") }, echo);
        let bystander = bystander.expect("a component");
        bystander.endow(FROM, from).expect("endowed");
        bystander.endow(TO, to).expect("endowed");
        bystander.start().expect("started");
        Self { system, to_bystander: tx, from_bystander: rx, bystander, said: 0, _alone: alone }
    }

    /// Tries an operation: `scene` makes a component that does it, is its peer, and says how it ended.
    pub(crate) fn try_each(&mut self, name: &str, scene: impl Fn(&Trial<'_>) -> Exit) {
        assert!(self.trial(MOST, &scene), "{name}: it dies before it can");
        let before = Holdings::stable();
        let (mut nth, mut deaths) = (1, 0);
        while nth < MOST {
            if self.trial(nth, &scene) {
                println!("{name}: it lives at step {nth}, behind {deaths} deaths");
                before.settle();
                return;
            }
            (nth, deaths) = (next(nth), deaths + 1);
        }
        panic!("{name}: it dies for ever");
    }

    /// Whether it lived.
    fn trial(&mut self, nth: u64, scene: &impl Fn(&Trial<'_>) -> Exit) -> bool {
        let late = self.system.within(Duration::from_secs(20));
        let exit = scene(&Trial { system: &self.system, late, nth });
        assert!([Exit::Died, Exit::Success].contains(&exit), "at step {nth}: {exit:?}");
        // Who wakes at the deadline looks once more, and may find something.
        assert!(!late.passed(self.system.now()), "at step {nth} a wake-up was lost");
        self.ask_bystander(late);
        exit == Exit::Success
    }

    /// Others go on.
    fn ask_bystander(&mut self, late: Deadline) {
        self.said += 1;
        self.to_bystander.send(self.said).expect("it lives");
        assert_eq!(self.from_bystander.recv_until(late), Ok(self.said));
        let seen = self.system.inspect().expect("the manager is here");
        assert_eq!(seen.components.len(), 2, "{seen}");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.bystander.stop();
            let late = self.system.within(Duration::from_secs(20));
            assert_eq!(self.bystander.wait(late), Ok(Exit::Success));
        }
    }
}
