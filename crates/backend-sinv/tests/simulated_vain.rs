//! A component that wakes another one as often as it can: that one lets it, a few times in a period,
//! and then looks by itself (H12). In the simulator, whose time is what the threads make it.

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, Blockpoint, ChanAttr, Comp, Deadline, Entry, Env, Exit, Fault, IntoCap, Kind,
    Name, Notify, Receiver, Sender, Slot, Source, Tx, Wake,
};
use res_kernel::Sim;
use res_kernel::sim::{Event, Outcome, Pct, Random, Scheduler, Simulation, Step};

type System = Sinv<Sim>;
type Snd = <Spsc as Kind<System>>::Snd<u64>;
type Ends = (Snd, <Spsc as Kind<System>>::Rcv<u64>);

const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
const MILLISECOND: Duration = Duration::from_millis(1);
/// That of `Rate::VAIN`.
const PERIOD: Duration = Duration::from_millis(10);
const MOST: usize = 64;
/// The thread that receives.
const VICTIM: u32 = 1;

/// Its end, and what the other one sleeps on.
fn raw(env: &Env<System>) -> Result<(Snd, <System as Backend>::Blockpoint), Fault> {
    let cap = env.take(TO)?.into_cap();
    let word = cap.blockpoint(0).expect("an end has two");
    Ok((cap.cast::<Snd>().map_err(|error| error.reason)?, word))
}

/// Sends nothing but the time, and that thrice; triggers all the time.
fn pesters(env: Env<System>) -> Result<(), Fault> {
    let (mut to, word) = raw(&env)?;
    for _ in 0..3 {
        let soon = env.now() + 25 * MILLISECOND;
        while env.now() < soon {
            let _ = word.trigger(Wake::All);
            env.yield_now();
        }
        to.send(env.now().as_nanos())?;
    }
    Ok(())
}

/// Sends the time again and again, and triggers each time, whatever was agreed on.
fn exceeds(env: Env<System>) -> Result<(), Fault> {
    let (mut to, word) = raw(&env)?;
    for _ in 0..500 {
        to.send(env.now().as_nanos())?;
        let soon = env.now() + Duration::from_micros(100);
        while env.now() < soon {
            let _ = word.trigger(Wake::All);
            env.yield_now();
        }
    }
    Ok(())
}

/// How often the victim was woken by another thread.
fn woken(events: &[Event]) -> usize {
    let is = |event: &&Event| event.step == Step::Woke(VICTIM) && event.thread != 0;
    events.iter().filter(is).count()
}

/// The most wake-ups in any `span` of the run; not each step is tried as its beginning.
fn most_in(outcome: &Outcome, span: Duration) -> usize {
    let events = &outcome.events;
    let ends = (0..events.len()).map(|first| {
        let end = events[first].at + span;
        first..first + events[first..].partition_point(|event| event.at < end)
    });
    ends.step_by(500).map(|range| woken(&events[range])).max().unwrap_or(0)
}

/// Who receives, and from whom.
struct Victim {
    hostile: Comp<System>,
    from: <Spsc as Kind<System>>::Rcv<u64>,
}

fn started(system: &System, ends: Ends, entry: impl Entry<System>) -> Victim {
    let (to, from) = ends;
    let hostile = system.component(const { Name::new("hostile") }, entry).expect("made");
    hostile.endow(TO, to).expect("endowed");
    hostile.start().expect("started");
    Victim { hostile, from }
}

/// Runs it by several schedulers.
fn each(body: fn(Sim), check: impl Fn(&Outcome)) {
    for seed in 0..6 {
        run(seed, Random::new(seed), body, &check);
        run(seed, Pct::new(seed, 3), body, &check);
    }
}

fn run(seed: u64, by: impl Scheduler + 'static, body: fn(Sim), check: &impl Fn(&Outcome)) {
    let outcome = Simulation::new(seed).scheduler(by).record().run(body);
    assert_eq!(outcome.failure, None, "seed {seed}");
    check(&outcome);
}

/// Receives what is the time, until the other one ends; nothing comes later than that.
fn receive_all(system: &System, mut victim: Victim, count: u64, delay: Duration) {
    let late = system.within(Duration::from_secs(60));
    for n in 0..count {
        let sent = victim.from.recv_until(late).expect("it is sent");
        let took = Duration::from_nanos(system.now().as_nanos() - sent);
        assert!(took <= delay, "the message {n} took {took:?}");
    }
    assert_eq!(victim.hostile.wait(late), Ok(Exit::Success));
}

#[test]
fn a_peer_that_triggers_all_the_time_is_heard_a_few_times_in_a_period() {
    let body = |sim: Sim| {
        let system = System::on(sim, Limits::default()).expect("a system");
        let victim = started(&system, system.chan::<Spsc, u64>(4).expect("ends"), pesters);
        receive_all(&system, victim, 3, PERIOD + MILLISECOND);
    };
    // Two of its periods may lie in one here, and there are the messages.
    each(body, |outcome| {
        let most = most_in(outcome, PERIOD);
        assert!(most <= 2 * MOST + 20, "{most} wake-ups");
    });
}

/// Each wait costs it a wake-up or two more than that.
#[test]
fn waits_that_end_soon_begin_with_what_is_left() {
    let body = |sim: Sim| {
        let system = System::on(sim, Limits::default()).expect("a system");
        let victim = started(&system, system.chan::<Spsc, u64>(4).expect("ends"), pesters);
        let (point, mut looks, mut waits) = (victim.from.blockpoint().clone(), 0, 0);
        let begin = system.now();
        while system.now() < begin + 2 * PERIOD {
            let soon = Deadline::at(system.now() + MILLISECOND);
            let _ = point.wait_until(soon, || {
                looks += 1;
                None::<()>
            });
            waits += 1;
        }
        assert!(looks <= 3 * MOST + 10 * waits, "{looks} looks in {waits} waits");
        receive_all(&system, victim, 3, 80 * MILLISECOND);
    };
    each(body, |_| {});
}

#[test]
fn a_limit_that_the_sender_does_not_keep_is_kept_where_it_is_received() {
    const POLL: Duration = Duration::from_millis(2);
    const EVENTS: u32 = 3;
    let body = |sim: Sim| {
        let system = System::on(sim, Limits::default()).expect("a system");
        let notify = Notify::Limited { events: EVENTS, period: PERIOD, poll: POLL };
        let attr = ChanAttr { notify, ..ChanAttr::default() };
        let ends = system.chan_with::<Spsc, u64>(128, &attr).expect("ends");
        receive_all(&system, started(&system, ends, exceeds), 500, POLL + MILLISECOND / 2);
    };
    each(body, |outcome| {
        let most = most_in(outcome, PERIOD);
        // As above; the others are by its questions to the manager.
        assert!(most <= 2 * EVENTS as usize + 10, "{most} wake-ups");
    });
}

#[test]
fn who_notifies_where_it_is_never_to_wakes_once_in_a_period() {
    let body = |sim: Sim| {
        let system = System::on(sim, Limits::default()).expect("a system");
        let notify = Notify::Never { poll: 5 * MILLISECOND };
        let attr = ChanAttr { notify, ..ChanAttr::default() };
        let ends = system.chan_with::<Spsc, u64>(128, &attr).expect("ends");
        receive_all(&system, started(&system, ends, exceeds), 500, 6 * MILLISECOND);
    };
    each(body, |outcome| {
        let most = most_in(outcome, PERIOD);
        assert!(most <= 3 + 10, "{most} wake-ups");
    });
}
