//! A system that is interrupted stops in order: this program once more, and a signal to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{Backend, Comp, Deadline, Env, Exit, Fault, Name, Receiver, Rx, Sender, Slot, Tx};

/// Says to this program, executed once more, how much time its components have.
const GRACE: &str = "RES_TEST_GRACE";
const WORDS: Slot<Rx<Spsc, u64>> = Slot::new("words");
const BEGUN: Slot<Tx<Spsc, u64>> = Slot::new("begun");

/// Waits for what never comes, until it is told to stop.
fn obedient(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut words, mut begun) = (env.take(WORDS)?, env.take(BEGUN)?);
    begun.send(1)?;
    let refused = words.recv().is_err();
    assert!(refused, "nobody sends");
    Ok(())
}

/// Does not listen.
fn stubborn(env: Env<Sinv>) -> Result<(), Fault> {
    let mut begun = env.take(BEGUN)?;
    begun.send(1)?;
    loop {
        std::hint::spin_loop();
    }
}

/// A component that has begun.
fn begun(system: &Sinv, component: Comp<Sinv>) -> Comp<Sinv> {
    let (tx, mut rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    component.endow(BEGUN, tx).expect("it has not begun");
    component.start().expect("it starts");
    assert_eq!(rx.recv(), Ok(1));
    component
}

/// Not a test: what the others start, and interrupt.
#[test]
fn system_that_is_interrupted() {
    let Ok(grace) = std::env::var(GRACE) else { return };
    let grace = Duration::from_millis(grace.parse().expect("a number"));
    let system = Sinv::new().expect("a system");
    let _interrupt = system.stop_on_interrupt(grace).expect("it listens");
    let (_words, rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    let waits = system.component(const { Name::new("obedient") }, obedient).expect("made");
    waits.endow(WORDS, rx).expect("it has not begun");
    let waits = begun(&system, waits);
    let spins = system.component(const { Name::new("stubborn") }, stubborn).expect("made");
    let spins = begun(&system, spins);
    assert!(!system.is_stopping());
    println!("ready {}", processes(&system));
    println!("obedient {:?}", waits.wait(Deadline::NEVER));
    println!("stubborn {:?}", spins.wait(Deadline::NEVER));
    assert!(system.is_stopping());
    let late = system.component(const { Name::new("late") }, |_: Env<Sinv>| {}).expect("made");
    println!("late {:?}", late.start().map_err(|error| res_api::BackendError::kind(&error)));
}

/// The numbers of the components' processes.
fn processes(system: &Sinv) -> String {
    let seen = system.inspect().expect("the manager is here");
    let numbers = seen.components.iter().filter_map(|it| it.process).map(|it| it.to_string());
    numbers.collect::<Vec<_>>().join(" ")
}

/// A system whose components run, and their processes.
fn system(grace: u64) -> (Child, BufReader<impl Read>, Vec<i32>) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "system_that_is_interrupted", "--nocapture"]);
    command.env(GRACE, grace.to_string()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("this program again");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let processes = loop {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).expect("text"), 0, "it gets ready");
        if let Some((_, processes)) = line.split_once("ready ") {
            break processes.split_whitespace().map(|it| it.parse().expect("a number")).collect();
        }
    };
    (child, output, processes)
}

fn ask(child: &Child, signal: i32) {
    // SAFETY: sends a signal to a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

fn is_alive(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

fn assert_gone(processes: &[i32]) {
    assert_eq!(processes.len(), 2);
    for process in processes {
        for _ in 0..1000 {
            if !is_alive(*process) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!is_alive(*process), "{process} is left");
    }
}

#[test]
fn who_listens_ends_and_who_does_not_is_killed() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let (mut child, mut output, processes) = system(100);
        ask(&child, signal);
        let mut said = String::new();
        output.read_to_string(&mut said).expect("text");
        assert!(child.wait().expect("it ends").success(), "{said}");
        assert!(said.contains(&format!("obedient {:?}", Ok::<_, ()>(Exit::Success))), "{said}");
        assert!(said.contains(&format!("stubborn {:?}", Ok::<_, ()>(Exit::Died))), "{said}");
        assert!(said.contains("late Err(Closed)"), "{said}");
        assert_gone(&processes);
    }
}

/// Nobody has to wait for who does not listen.
#[test]
fn who_asks_twice_ends_it_at_once() {
    use std::os::unix::process::ExitStatusExt;
    let (mut child, mut output, processes) = system(3_600_000);
    ask(&child, libc::SIGINT);
    let mut line = String::new();
    output.read_line(&mut line).expect("text");
    assert!(line.contains("obedient"), "it stops: {line}");
    ask(&child, libc::SIGINT);
    assert_eq!(child.wait().expect("it ends").signal(), Some(libc::SIGINT));
    assert_gone(&processes);
}
