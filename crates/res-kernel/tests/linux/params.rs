//! Parameters: what Linux holds after it said yes, and everything it says no to.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use res_api::{ErrorKind, ThreadParam};
use res_kernel::linux::LinuxThread;
use res_kernel::{Kernel, KernelError, KernelThread, Linux};

use crate::body;

const PERIOD: Duration = Duration::from_millis(100);
const BUDGET: Duration = Duration::from_millis(1);

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    Ordinary,
    Fifo(u32),
    Deadline { budget: u64, deadline: u64, period: u64 },
    Another(u32),
}

/// What Linux says of the calling thread.
fn policy() -> Policy {
    if cfg!(miri) {
        return Policy::Ordinary;
    }
    // SAFETY: a structure of integers, for which all bytes 0 are a value.
    let mut found: libc::sched_attr = unsafe { std::mem::zeroed() };
    let (calling_thread, size, no_flags) = (0, size_of_val(&found) as u32, 0_u32);
    // SAFETY: the pointer is to a structure of our own, and `size` is its size.
    let result = unsafe {
        libc::syscall(libc::SYS_sched_getattr, calling_thread, &raw mut found, size, no_flags)
    };
    assert_eq!(result, 0, "any thread may ask how it is scheduled");
    match found.sched_policy as i32 {
        libc::SCHED_OTHER => Policy::Ordinary,
        libc::SCHED_FIFO => Policy::Fifo(found.sched_priority),
        libc::SCHED_DEADLINE => Policy::Deadline {
            budget: found.sched_runtime,
            deadline: found.sched_deadline,
            period: found.sched_period,
        },
        _ => Policy::Another(found.sched_policy),
    }
}

/// Linux's numbers of the cores that the calling thread may use.
fn cores() -> Vec<usize> {
    let set = rustix::thread::sched_getaffinity(None).expect("any thread may ask for its cores");
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// A thread that says what it sees, each time it is asked.
struct Witness<T> {
    thread: LinuxThread,
    ask: Sender<()>,
    answers: Receiver<T>,
}

impl<T: Send + 'static> Witness<T> {
    fn new(look: fn() -> T) -> Self {
        let (ask, asked) = channel();
        let (answer, answers) = channel();
        let thread =
            body::thread(move || while asked.recv().is_ok() && answer.send(look()).is_ok() {});
        Self { thread, ask, answers }
    }

    fn sees(&self) -> T {
        self.ask.send(()).expect("it runs");
        self.answers.recv().expect("it answers")
    }
}

fn kind(result: Result<(), KernelError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

#[test]
fn a_core_that_was_set_before_the_start_holds_inside() {
    let usable = cores();
    for core in 0..Linux::new().cores() {
        let witness = Witness::new(cores);
        let set = witness.thread.set(ThreadParam::Core(core));
        set.expect("the process may use it");
        witness.thread.start().expect("a thread");
        assert_eq!(witness.sees(), [usable[core as usize]]);
    }
}

#[test]
fn a_core_that_is_set_later_holds_from_then_on() {
    let witness = Witness::new(cores);
    witness.thread.start().expect("a thread");
    let usable = witness.sees();
    for core in 0..Linux::new().cores() {
        let set = witness.thread.set(ThreadParam::Core(core));
        set.expect("the process may use it");
        assert_eq!(witness.sees(), [usable[core as usize]]);
    }
}

/// Those that make no sense on any machine, alone.
fn nonsense() -> [ThreadParam; 8] {
    [
        ThreadParam::Core(Linux::new().cores()),
        ThreadParam::Core(u32::MAX),
        ThreadParam::Priority(0),
        ThreadParam::Priority(32),
        ThreadParam::Priority(u32::MAX),
        ThreadParam::Period(Duration::ZERO),
        ThreadParam::Budget(Duration::ZERO),
        ThreadParam::Period(Duration::MAX),
    ]
}

#[test]
fn nonsense_is_refused_and_forgotten_before_the_start() {
    let witness = Witness::new(policy);
    for param in nonsense() {
        let set = witness.thread.set(param);
        assert_eq!(kind(set), Some(ErrorKind::Invalid), "{param:?}");
    }
    witness.thread.start().expect("nothing is left of it");
    witness.sees();
}

#[test]
fn nonsense_is_refused_and_changes_nothing_after_the_start() {
    let witness = Witness::new(|| (policy(), cores()));
    witness.thread.start().expect("a thread");
    let before = witness.sees();
    for param in nonsense() {
        let set = witness.thread.set(param);
        assert_eq!(kind(set), Some(ErrorKind::Invalid), "{param:?}");
    }
    assert_eq!(witness.sees(), before);
}

#[test]
fn a_budget_above_the_period_is_refused_whichever_comes_last() {
    let (more, less) = (PERIOD, BUDGET);
    let pairs = [
        [ThreadParam::Period(less), ThreadParam::Budget(more)],
        [ThreadParam::Budget(more), ThreadParam::Period(less)],
    ];
    for [first, last] in pairs {
        let thread = body::thread(|| {});
        thread.set(first).expect("alone it makes sense");
        assert_eq!(kind(thread.set(last)), Some(ErrorKind::Invalid));
        assert_eq!(kind(thread.start()), Some(ErrorKind::Invalid), "the first is alone still");
    }
}

#[test]
fn a_period_or_a_budget_alone_does_not_start() {
    for half in [ThreadParam::Period(PERIOD), ThreadParam::Budget(BUDGET)] {
        let (told, heard) = channel::<()>();
        let thread = body::thread(move || told.send(()).expect("the test listens"));
        thread.set(half).expect("the other may follow");
        assert_eq!(kind(thread.start()), Some(ErrorKind::Invalid));
        thread.set(ThreadParam::Core(0)).expect("it has not ended");
        assert!(heard.try_recv().is_err(), "it has not run");
    }
}

#[test]
fn a_priority_takes_the_place_of_half_a_pair() {
    let thread = body::thread(|| {});
    thread.set(ThreadParam::Period(PERIOD)).expect("half");
    thread.set(ThreadParam::Priority(1)).expect("in range");
    assert_ne!(kind(thread.start()), Some(ErrorKind::Invalid));
}

#[test]
fn half_a_pair_changes_nothing_in_a_running_thread() {
    let witness = Witness::new(policy);
    witness.thread.start().expect("a thread");
    let before = witness.sees();
    let set = witness.thread.set(ThreadParam::Period(PERIOD));
    set.expect("the budget may follow");
    assert_eq!(witness.sees(), before);
}

/// Checks a policy that takes privileges, set before the start: either Linux has it, or it said
/// no and the thread did not run.
fn before_the_start(params: &[ThreadParam], expected: Policy) {
    let witness = Witness::new(policy);
    for param in params {
        witness.thread.set(*param).expect("it makes sense");
    }
    match kind(witness.thread.start()) {
        None => assert_eq!(witness.sees(), expected),
        Some(refused) => {
            assert_eq!(refused, ErrorKind::Denied);
            witness.ask.send(()).expect("nobody took the other end");
            assert!(witness.answers.try_recv().is_err(), "it has not run");
        }
    }
}

/// The same, set on a running thread: where Linux said no, everything is as it was.
fn after_the_start(params: &[ThreadParam], expected: Policy) {
    let witness = Witness::new(policy);
    witness.thread.start().expect("a thread");
    let before = witness.sees();
    let (last, first) = params.split_last().expect("one at least");
    for param in first {
        witness.thread.set(*param).expect("it takes effect later");
    }
    match kind(witness.thread.set(*last)) {
        None => assert_eq!(witness.sees(), expected),
        Some(refused) => {
            assert_eq!(refused, ErrorKind::Denied);
            assert_eq!(witness.sees(), before);
        }
    }
}

#[test]
fn a_priority_is_a_fixed_one() {
    for priority in [1, 31] {
        let params = [ThreadParam::Priority(priority)];
        let expected = Policy::Fifo(priority);
        before_the_start(&params, expected);
        after_the_start(&params, expected);
    }
}

#[test]
fn a_period_with_a_budget_is_a_deadline() {
    let [period, budget] = [ThreadParam::Period(PERIOD), ThreadParam::Budget(BUDGET)];
    let expected =
        Policy::Deadline { budget: 1_000_000, deadline: 100_000_000, period: 100_000_000 };
    for params in [[period, budget], [budget, period]] {
        before_the_start(&params, expected);
        after_the_start(&params, expected);
    }
}

#[test]
fn what_linux_says_no_to_is_not_ignored() {
    // Less than Linux can account for.
    let tiny = Duration::from_nanos(1);
    let (told, heard) = channel::<()>();
    let thread = body::thread(move || told.send(()).expect("the test listens"));
    for param in [ThreadParam::Budget(tiny), ThreadParam::Period(tiny)] {
        thread.set(param).expect("it makes sense to us");
    }
    let refused = thread.start().expect_err("it cannot be done");
    assert!(matches!(refused.kind, ErrorKind::Invalid | ErrorKind::Denied));
    assert_ne!(refused.code, 0, "Linux said so");
    let ran = heard.recv_timeout(Duration::from_millis(20));
    assert_eq!(ran, Err(RecvTimeoutError::Timeout), "it has not run, and is not about to");
}

#[test]
fn a_core_after_a_period_holds_or_changes_nothing() {
    let witness = Witness::new(|| (policy(), cores()));
    witness.thread.start().expect("a thread");
    let [period, budget] = [ThreadParam::Period(PERIOD), ThreadParam::Budget(BUDGET)];
    witness.thread.set(period).expect("the budget follows");
    let _denied = witness.thread.set(budget);
    let (policy, usable) = witness.sees();
    match kind(witness.thread.set(ThreadParam::Core(0))) {
        None => assert_eq!(witness.sees(), (policy, vec![usable[0]])),
        Some(refused) => {
            assert_eq!(refused, ErrorKind::Denied);
            assert_eq!(witness.sees(), (policy, usable));
        }
    }
}

#[test]
fn a_thread_with_a_period_can_start_another() {
    let (told, heard) = channel();
    let outer = body::thread(move || {
        let inside = told.clone();
        let inner = body::thread(move || inside.send(Ok(policy())).expect("the test listens"));
        if let Err(refused) = inner.start() {
            told.send(Err(refused)).expect("the test listens");
        }
    });
    for param in [ThreadParam::Period(PERIOD), ThreadParam::Budget(BUDGET)] {
        outer.set(param).expect("it makes sense");
    }
    match kind(outer.start()) {
        None => assert_eq!(heard.recv(), Ok(Ok(Policy::Ordinary))),
        Some(refused) => assert_eq!(refused, ErrorKind::Denied),
    }
}
