//! Domains on Linux are confined: what they try is refused, what they need is not, and what the
//! machine lacks is said.
#![cfg(not(miri))]

#[path = "confinement/attacker.rs"]
mod attacker;
#[path = "confinement/attacks.rs"]
mod attacks;
#[path = "confinement/composer.rs"]
mod composer;
#[path = "confinement/needs.rs"]
mod needs;
#[path = "common/program.rs"]
mod program;

use std::fs;
use std::time::Duration;

use res_kernel::linux::{LinuxDomain, LinuxSocket};
use res_kernel::{
    Access, Domain, DomainEnd, Isolation, Kernel, KernelMemory, Linux, Passed, Restriction, Socket,
};
use res_sync::{Deadline, Park};

use attacker::{all_attacks, attacks_all};
use attacks::{Attack, Control};

const MACHINE: Linux = Linux::new();

fn late() -> Deadline {
    Deadline::at(MACHINE.now() + Duration::from_secs(60))
}

fn stays(_: Linux, socket: LinuxSocket) {
    let _ = socket.recv(&mut [], &mut [], Deadline::NEVER);
}

/// What there is to be written by others, at the same place in all domains and in no composer.
static VICTIM: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(7);

fn says_where(_: Linux, socket: LinuxSocket) {
    socket.send(&VICTIM.as_ptr().addr().to_ne_bytes(), &[]).expect("the other side listens");
    stays(MACHINE, socket);
}

/// Whom a domain attacks.
#[derive(Clone, Copy, PartialEq)]
enum Victim {
    Composer,
    Sibling,
}

/// Who attacks.
#[derive(Clone, Copy, PartialEq)]
enum Attacker {
    /// A domain of this program.
    Forked,
    /// One that executes a program of its own.
    Program,
}

impl Attacker {
    fn begin(self) -> (LinuxDomain, LinuxSocket) {
        match self {
            Self::Forked => MACHINE.domain(attacks_all).expect("a domain"),
            Self::Program => program::domain("attack"),
        }
    }
}

/// All attacks of one domain, with what became of them, and of the other domain.
fn attack(attacker: Attacker, victim: Victim) -> (Vec<(&'static Attack, i32)>, Option<DomainEnd>) {
    let (domain, socket) = attacker.begin();
    let (sibling, other) = MACHINE.domain(says_where).expect("a domain");
    let mut address = [0; 8];
    other.recv(&mut address, &mut [], late()).expect("it says where");
    let (victim, address) = match victim {
        Victim::Composer => (std::process::id().into(), VICTIM.as_ptr().addr() as u64),
        Victim::Sibling => (sibling.id(), u64::from_ne_bytes(address)),
    };
    let confined = MACHINE.confinement().expect("a machine with domains").isolates();
    let words = [victim, address, confined.into()];
    let object = MACHINE.memory(1).expect("memory");
    let for_reading = object.alias(Access::Read).expect("a mapping");
    socket
        .send(words.map(u64::to_ne_bytes).as_flattened(), &[Passed::Memory(&for_reading)])
        .expect("it listens");
    let outcomes = all_attacks().into_iter().map(|attack| {
        let mut error = [0; 4];
        let heard = socket.recv(&mut error, &mut [], late());
        heard.unwrap_or_else(|error| panic!("{}: {error}, {domain:?}", attack.name));
        (attack, i32::from_ne_bytes(error))
    });
    let outcomes = outcomes.collect();
    assert_eq!(domain.wait(Deadline::PASSED), None, "it lives on");
    // SAFETY: mapped, and nobody can have written to it.
    assert_eq!(unsafe { object.base().read() }, 0, "nobody did");
    let end = sibling.wait(Deadline::PASSED);
    // Where it could begin to trace the other one, nobody else learns of that one's end before its.
    drop(domain);
    (outcomes, end)
}

fn assert_refused(attacker: Attacker, victim: Victim) {
    let (outcomes, end) = attack(attacker, victim);
    assert_eq!(end, None, "the other one lives");
    let wrong: Vec<_> = outcomes
        .into_iter()
        .filter(|(attack, error)| *error != attack.error)
        .map(|(attack, error)| (attack.name, error))
        .collect();
    assert!(wrong.is_empty(), "not refused, or otherwise: {wrong:?}");
}

#[test]
fn a_domain_does_nothing_to_its_composer() {
    assert_refused(Attacker::Forked, Victim::Composer);
}

#[test]
fn a_domain_does_nothing_to_another_one() {
    assert_refused(Attacker::Forked, Victim::Sibling);
}

#[test]
fn a_program_does_nothing_to_its_composer() {
    assert_refused(Attacker::Program, Victim::Composer);
}

#[test]
fn a_program_does_nothing_to_another_domain() {
    assert_refused(Attacker::Program, Victim::Sibling);
}

/// The same attacks where the machine lacks all lines: they would be noticed.
#[test]
fn what_is_refused_would_work_elsewhere() {
    composer::run("composer_of_unconfined_domains");
}

#[test]
fn composer_of_unconfined_domains() {
    if !composer::is_one() {
        return;
    }
    let lines = [libc::SYS_seccomp, libc::SYS_landlock_create_ruleset];
    composer::without(&lines);
    let confinement = MACHINE.confinement().expect("a machine with domains");
    assert!(!confinement.isolates());
    let missing = "not isolated: not kept from calls of the machine, other processes, files, the \
                   network, signals";
    assert_eq!(confinement.to_string(), missing);
    let traces = composer::processes_may_trace_each_other();
    let mut counts = [0; 2];
    for (attack, error) in attack(Attacker::Forked, Victim::Sibling).0 {
        let matters =
            attack.control == Control::Differs || attack.control == Control::Traces && traces;
        assert!(!matters || error != attack.error, "{}: error {error} here too", attack.name);
        counts[usize::from(matters)] += 1;
    }
    println!("{} attacks would be noticed, of {} it is not known", counts[1], counts[0]);
    assert!(counts[1] > 50);
}

/// Where somebody else decides already what processes may do.
#[test]
fn below_another_warden_domains_seal_themselves() {
    composer::run("composer_below_another_warden");
}

#[test]
fn composer_below_another_warden() {
    if !composer::is_one() {
        return;
    }
    let _warden = composer::with_warden();
    assert!(MACHINE.confinement().expect("a machine with domains").isolates());
    for victim in [Victim::Composer, Victim::Sibling] {
        assert_refused(Attacker::Forked, victim);
    }
    needs::assert_met(MACHINE.domain(needs::needs).expect("a domain"));
    needs::assert_met(program::domain("need"));
    let (domain, _socket) = MACHINE.domain(stays).expect("a domain");
    let server = status(domain.id(), "PPid").parse().expect("a number");
    // Says which way it went: the composer's, the server's, the seal.
    assert_eq!(status(server, "Seccomp_filters"), "2");
    composer::eventually(|| status(domain.id(), "Seccomp_filters") == "3");
}

/// What Linux says of a process.
fn status(process: u64, what: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {what}")).trim().into()
}

#[test]
fn what_linux_has_is_in_force() {
    let confinement = MACHINE.confinement().expect("a machine with domains");
    let landlock = composer::landlock();
    for (restriction, there) in [
        (Restriction::Calls, composer::has_filters()),
        (Restriction::Processes, composer::has_filters()),
        (Restriction::Privileges, true),
        (Restriction::Limits, true),
        (Restriction::Files, landlock >= 3),
        (Restriction::Network, landlock >= 4),
        (Restriction::Signals, landlock >= 6),
    ] {
        assert_eq!(confinement.has(restriction), there, "{restriction}: {confinement}");
    }
    let (domain, _socket) = MACHINE.domain(stays).expect("a domain");
    let server = status(domain.id(), "PPid").parse().expect("a number");
    for process in [domain.id(), server] {
        assert_eq!(status(process, "NoNewPrivs"), "1");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status(process, set), "0".repeat(16), "{set}");
        }
        assert!(
            status(process, "CapBnd") == "0".repeat(16) || !composer::drops_bounds(),
            "the bounding set"
        );
        if composer::has_filters() {
            assert_eq!(status(process, "Seccomp"), "2");
        }
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).expect("it lives");
        for limit in ["address space", "data size", "open files", "core file", "locked memory"] {
            let line = limits.lines().find(|line| line.contains(limit)).expect("a line");
            assert!(!line.contains("unlimited"), "{line}");
        }
    }
    let filters = |process| status(process, "Seccomp_filters");
    assert_eq!(filters(domain.id()), filters(server), "nothing was left for the domain to do");
}

#[test]
fn a_domain_can_do_what_it_needs() {
    needs::assert_met(MACHINE.domain(needs::needs).expect("a domain"));
}

#[test]
fn a_program_can_do_what_it_needs() {
    needs::assert_met(program::domain("need"));
}

/// The calls of 32 bits have other numbers, which a filter of this kind knows nothing of.
#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_another_kind_end_it() {
    fn gets_its_number(_: Linux, _: LinuxSocket) {
        // SAFETY: asks for the number of the process; changes no register but the result.
        unsafe { std::arch::asm!("int 0x80", inout("eax") 20 => _) };
    }
    let (domain, _socket) = MACHINE.domain(gets_its_number).expect("a domain");
    assert_eq!(domain.wait(late()), Some(DomainEnd::Killed(libc::SIGSYS)));
}
