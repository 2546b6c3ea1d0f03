//! Domains on Linux: what they share, what they do not, and how they end.
#![cfg(not(miri))]

#[path = "common/turns.rs"]
mod turns;

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use res_api::ErrorKind;
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_kernel::{
    Access, Domain, DomainEnd, DomainEntry, Isolation, Kernel, KernelMemory, Linux, Passed, Socket,
};
use res_sync::{Deadline, Park};
use rustix::process::{Pid, Signal, kill_process};
use turns::{play_with, words};

const MACHINE: Linux = Linux::new();

fn long() -> bool {
    std::env::var_os("RES_LONG").is_some_and(|value| value == "1")
}

fn late() -> Deadline {
    Deadline::at(MACHINE.now() + Duration::from_secs(60))
}

fn soon() -> Deadline {
    Deadline::at(MACHINE.now() + Duration::from_millis(20))
}

/// Receives a line of text.
fn text(socket: &LinuxSocket) -> String {
    let mut bytes = [0; LinuxSocket::MOST_BYTES];
    let received = socket.recv(&mut bytes, &mut [], late()).expect("the other side speaks");
    String::from_utf8_lossy(&bytes[..received.bytes]).into_owned()
}

fn one_object(socket: &LinuxSocket) -> LinuxMemory {
    let mut place = [None];
    socket.recv(&mut [0; 8], &mut place, late()).expect("the other side sends");
    place[0].take().and_then(Passed::into_memory).expect("an object came")
}

// --- How they end.

fn returns(_: Linux, _: LinuxSocket) {}

fn panics(_: Linux, _: LinuxSocket) {
    std::panic::resume_unwind(Box::new("on purpose"));
}

fn exits(_: Linux, _: LinuxSocket) {
    std::process::exit(7);
}

fn stays(_: Linux, socket: LinuxSocket) {
    let _ = socket.recv(&mut [], &mut [], Deadline::NEVER);
}

fn spins(_: Linux, _: LinuxSocket) {
    loop {
        std::hint::spin_loop();
    }
}

#[test]
fn they_end_in_several_ways() {
    let ends: [(DomainEntry<Linux>, DomainEnd); 3] = [
        (returns, DomainEnd::Returned),
        (panics, DomainEnd::Panicked),
        (exits, DomainEnd::Exited(7)),
    ];
    for (entry, end) in ends {
        let (domain, socket) = MACHINE.domain(entry).expect("a domain");
        assert_eq!(domain.wait(late()), Some(end));
        assert_eq!(domain.wait(Deadline::PASSED), Some(end), "and so it stays");
        let gone = socket.recv(&mut [], &mut [], late()).expect_err("nobody is there");
        assert_eq!(gone.kind, ErrorKind::PeerGone);
        assert_eq!(socket.send(b"?", &[]).expect_err("nobody is there").kind, ErrorKind::PeerGone);
    }
}

#[test]
fn one_that_does_not_listen_is_killed() {
    for entry in [stays, spins] {
        let (domain, socket) = MACHINE.domain(entry).expect("a domain");
        assert_eq!(domain.wait(soon()), None);
        domain.kill();
        assert_eq!(domain.wait(late()), Some(DomainEnd::Killed(libc::SIGKILL)));
        domain.kill();
        let gone = socket.recv(&mut [], &mut [], late()).expect_err("nobody is there");
        assert_eq!(gone.kind, ErrorKind::PeerGone);
    }
}

#[test]
fn what_was_sent_before_the_end_is_received() {
    fn speaks(_: Linux, socket: LinuxSocket) {
        for line in ["one", "two"] {
            socket.send(line.as_bytes(), &[]).expect("the other side lives");
        }
    }
    let (domain, socket) = MACHINE.domain(speaks).expect("a domain");
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
    assert_eq!((text(&socket), text(&socket)), ("one".into(), "two".into()));
    let gone = socket.recv(&mut [], &mut [], Deadline::NEVER).expect_err("no more");
    assert_eq!(gone.kind, ErrorKind::PeerGone);
}

#[test]
fn what_was_said_last_is_received_also_from_one_that_did_not_listen() {
    let (here, there) = LinuxSocket::pair().expect("connected");
    here.send(b"unheard", &[]).expect("it lives");
    there.send(b"last", &[]).expect("it lives");
    drop(there);
    assert_eq!(text(&here), "last");
    let gone = here.recv(&mut [], &mut [], late()).expect_err("no more");
    assert_eq!(gone.kind, ErrorKind::PeerGone);
}

#[test]
fn dropping_the_handle_ends_it() {
    let (domain, socket) = MACHINE.domain(stays).expect("a domain");
    let process = domain.id();
    drop(domain);
    assert!(!is_alive(process));
    assert_eq!(socket.send(b"?", &[]).expect_err("nobody").kind, ErrorKind::PeerGone);
}

#[test]
fn one_that_hears_that_the_other_side_left_ends() {
    let (domain, socket) = MACHINE.domain(stays).expect("a domain");
    drop(socket);
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
}

fn is_alive(process: u64) -> bool {
    // A zombie has ended.
    fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

// --- What they see.

#[test]
fn it_has_its_socket_and_nothing_else() {
    fn looks_around(_: Linux, socket: LinuxSocket) {
        let environment: Vec<_> = std::env::vars()
            .map(|(name, _)| name)
            .filter(|name| !name.contains("BACKTRACE"))
            .collect();
        socket.send(format!("{environment:?}").as_bytes(), &[]).expect("the other side listens");
        stays(MACHINE, socket);
    }
    // What this process has and that one shall not.
    let _held = MACHINE.memory(4096).expect("memory");
    let _file = fs::File::open("/dev/zero").expect("a file");
    let (_other, _socket) = MACHINE.domain(stays).expect("a domain");
    let (domain, socket) = MACHINE.domain(looks_around).expect("a domain");
    assert_eq!(text(&socket), "[]", "no environment");
    // It cannot look at the rest itself.
    let process = format!("/proc/{}", domain.id());
    let names = |list: &str| -> BTreeSet<_> {
        let entries = fs::read_dir(format!("{process}/{list}")).expect("a list");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    };
    assert_eq!(names("fd"), ["0", "1", "2", "3"].map(Into::into).into(), "streams and socket");
    assert_eq!(names("task").len(), 1, "one thread");
    let maps = fs::read_to_string(format!("{process}/maps")).expect("a list");
    assert_eq!(maps.lines().filter(|line| line.contains("memfd")).count(), 0, "no objects");
}

#[test]
fn an_entry_outside_of_the_program_is_refused() {
    // SAFETY: never called: it is refused for where it lies.
    let elsewhere: DomainEntry<Linux> = unsafe { std::mem::transmute(libc::getpid as *const ()) };
    let refused = MACHINE.domain(elsewhere).expect_err("in a library");
    assert_eq!(refused.kind, ErrorKind::Invalid);
    let nowhere = Box::new([0xc3_u8; 64]);
    // SAFETY: as above.
    let elsewhere: DomainEntry<Linux> = unsafe { std::mem::transmute(nowhere.as_ptr()) };
    assert_eq!(MACHINE.domain(elsewhere).expect_err("on the heap").kind, ErrorKind::Invalid);
}

// --- What travels.

#[test]
fn objects_travel_as_they_are_mapped() {
    fn uses(_: Linux, socket: LinuxSocket) {
        let (page, other) = (one_object(&socket), one_object(&socket));
        assert_eq!((page.access(), other.access()), (Access::ReadWrite, Access::Read));
        let refused = other.alias(Access::ReadWrite).expect_err("for reading");
        assert_eq!(refused.kind, ErrorKind::Denied);
        // SAFETY: both are mapped; the other side waits.
        unsafe { page.base().write(other.base().read() + 1) };
        socket.send(b"done", &[Passed::Memory(&page)]).expect("the other side waits");
    }
    let (domain, socket) = MACHINE.domain(uses).expect("a domain");
    let (page, other) = (MACHINE.memory(1).expect("memory"), MACHINE.memory(1).expect("memory"));
    // SAFETY: mapped here alone.
    unsafe { other.base().write(41) };
    socket.send(b"page", &[Passed::Memory(&page)]).expect("it listens");
    socket
        .send(b"other", &[Passed::Memory(&other.alias(Access::Read).expect("a mapping"))])
        .expect("it listens");
    let again = one_object(&socket);
    // SAFETY: mapped, and the other side is done.
    assert_eq!(unsafe { (page.base().read(), again.base().read()) }, (42, 42));
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
}

#[test]
fn messages_have_limits() {
    let (here, there) = LinuxSocket::pair().expect("a connection");
    let full = [7; LinuxSocket::MOST_BYTES];
    here.send(&full, &[]).expect("as much as fits");
    let mut bytes = [0; LinuxSocket::MOST_BYTES];
    assert_eq!(there.recv(&mut bytes, &mut [], late()).expect("whole").bytes, full.len());
    assert_eq!(bytes, full);
    let over = [0; LinuxSocket::MOST_BYTES + 1];
    assert_eq!(here.send(&over, &[]).expect_err("too much").kind, ErrorKind::Invalid);
    let page = MACHINE.memory(1).expect("memory");
    let many = [Passed::Memory(&page); LinuxSocket::MOST_OBJECTS + 1];
    assert_eq!(here.send(&[], &many).expect_err("too many").kind, ErrorKind::Invalid);
    here.send(&[], &many[1..]).expect("as many as fit");
    let mut places = [const { None }; LinuxSocket::MOST_OBJECTS];
    let received = there.recv(&mut [], &mut places, late()).expect("whole");
    assert_eq!((received.bytes, received.objects), (0, LinuxSocket::MOST_OBJECTS));
    // What does not fit the receiver is dropped, and the next one comes.
    here.send(b"long", &[]).expect("sent");
    here.send(&[], &[Passed::Memory(&page)]).expect("sent");
    here.send(b"ok", &[]).expect("sent");
    let mut small = [0; 2];
    for _ in 0..2 {
        let wrong = there.recv(&mut small, &mut [], late()).expect_err("does not fit");
        assert_eq!(wrong.kind, ErrorKind::Misbehaved);
    }
    assert_eq!(there.recv(&mut small, &mut [], late()).expect("fits").bytes, 2);
    let nothing = there.recv(&mut small, &mut [], soon()).expect_err("nothing");
    assert_eq!(nothing.kind, ErrorKind::TimedOut);
    // Nobody listens: at some point there is no room, and nobody waits for it.
    let refused = (0..100_000).find_map(|_| here.send(&full, &[]).err()).expect("there is an end");
    assert_eq!(refused.kind, ErrorKind::NoSlots);
    // But can, until somebody does, or nobody ever will.
    assert_eq!(here.room(soon()).expect_err("nobody listens").kind, ErrorKind::TimedOut);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| here.room(late()).map(|()| here.send(b"ok", &[])));
        let mut bytes = vec![0; full.len()];
        while there.recv(&mut bytes, &mut [], late()).expect("it comes").bytes != 2 {}
        assert!(matches!(waiting.join().expect("it waits"), Ok(Ok(()))));
    });
    while here.send(&full, &[]).is_ok() {}
    drop(there);
    here.room(late()).expect("it is over");
    assert_eq!(here.send(b"?", &[]).expect_err("nobody").kind, ErrorKind::PeerGone);
}

#[test]
fn what_is_no_sealed_memory_is_never_mapped() {
    let (here, there) = LinuxSocket::pair().expect("a connection");
    let (here, mut places) = (here.into_descriptor(), [None]);
    let file: OwnedFd = fs::File::open("/dev/zero").expect("a file").into();
    // SAFETY: makes a descriptor, which is taken over.
    let unsealed = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"open".as_ptr(), 0)) };
    // SAFETY: as above; the seal that is missing is the one against growing.
    let half = unsafe {
        let half = libc::memfd_create(c"half".as_ptr(), libc::MFD_ALLOW_SEALING);
        libc::fcntl(half, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL);
        OwnedFd::from_raw_fd(half)
    };
    for (descriptor, expected) in
        [(file, Ok(true)), (unsealed, Ok(true)), (half, Err(ErrorKind::Misbehaved))]
    {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let borrowed = [std::os::fd::AsFd::as_fd(&descriptor)];
        assert!(control.push(SendAncillaryMessage::ScmRights(&borrowed)));
        let bytes = [std::io::IoSlice::new(&[0])];
        sendmsg(&here, &bytes, &mut control, SendFlags::empty()).expect("sent");
        let received = there.recv(&mut [], &mut places, late());
        let is_file = matches!(places[0].take(), Some(Passed::File(_)));
        assert_eq!(received.map(|_| is_file).map_err(|error| error.kind), expected);
    }
}

// --- Parking in memory that both have mapped.

/// Two words: whose turn it is, and the event.
#[test]
fn two_domains_take_turns() {
    let (domain, socket) = MACHINE.domain(turns::second).expect("a domain");
    turns::first(&socket);
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
}

#[test]
fn one_that_sleeps_there_is_killed_and_takes_nobody_with_it() {
    fn sleeps(_: Linux, socket: LinuxSocket) {
        let memory = one_object(&socket);
        let _ = play_with(MACHINE.barrier(), &memory, 1, 2);
    }
    let memory = MACHINE.memory(1).expect("memory");
    let (domain, socket) = MACHINE.domain(sleeps).expect("a domain");
    socket.send(&[], &[Passed::Memory(&memory)]).expect("it listens");
    while words(&memory)[1].load(SeqCst) & 1 == 0 {
        assert_eq!(domain.wait(Deadline::PASSED), None, "it sleeps");
        std::thread::yield_now();
    }
    domain.kill();
    assert_eq!(domain.wait(late()), Some(DomainEnd::Killed(libc::SIGKILL)));
    // The memory is ours as before.
    assert_eq!(play_with(MACHINE.barrier(), &memory, 0, 1), Ok(()));
}

// --- Before it is wanted.

/// Kilobytes of instructions that a process has mapped of a file: how many there are, and how many it
/// need not wait for.
fn instructions(process: u64) -> Vec<[u64; 2]> {
    let maps = fs::read_to_string(format!("/proc/{process}/smaps")).expect("it lives");
    let (mut all, mut wanted) = (Vec::new(), false);
    for line in maps.lines() {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        match fields[..] {
            ["Size:", size, _] if wanted => all.push([size.parse().expect("a number"), 0]),
            ["Rss:", there, _] if wanted => {
                all.last_mut().expect("its size")[1] = there.parse().expect("a number");
            }
            [_, "r-xp", ..] => wanted = line.contains('/'),
            [_, permissions, ..] if permissions.len() == 4 => wanted = false,
            _ => {}
        }
    }
    all
}

/// What is executed is there, as far as it is no more than that.
fn is_warm(process: u64) -> bool {
    let (mut left, mut warm) = (8 << 10, 0);
    for [size, there] in instructions(process) {
        if size <= left {
            left -= size;
            warm += 1;
            if there < size {
                return false;
            }
        }
    }
    warm > 0
}

// --- Many, and nothing left.

#[test]
fn many_at_once() {
    let count = if long() { 1000 } else { 100 };
    let start = Instant::now();
    let domains: Vec<_> = (0..count).map(|_| MACHINE.domain(stays).expect("a domain")).collect();
    let processes: Vec<_> = domains.iter().map(|(domain, _)| domain.id()).collect();
    assert_eq!(processes.iter().collect::<BTreeSet<_>>().len(), count);
    assert!(processes.iter().all(|process| is_alive(*process)));
    println!("{count} domains after {:?}", start.elapsed());
    drop(domains);
    assert!(!processes.iter().any(|process| is_alive(*process)));
    println!("and gone after {:?}", start.elapsed());
}

#[test]
fn from_many_threads_and_back_again() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let (domain, socket) = MACHINE.domain(stays).expect("a domain");
                    socket.send(&[], &[]).expect("it listens");
                    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
                }
            });
        }
    });
}

/// Says to this program, executed once more, that it is to be a composer.
const COMPOSER: &str = "RES_TEST_COMPOSER";

/// This program once more, of which one test runs that does nothing else.
fn composer(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).env(COMPOSER, "1");
    command
}

fn parent(process: u64) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it lives");
    let parent = stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2));
    parent.and_then(|parent| parent.parse().ok()).expect("its parent")
}

/// What the composer of `nothing_outlives_its_composer` runs, until it is killed.
#[test]
fn composer_that_is_killed() {
    if std::env::var_os(COMPOSER).is_none() {
        return;
    }
    let domains =
        [MACHINE.domain(stays), MACHINE.domain(spins)].map(|made| made.expect("a domain"));
    let processes = domains.each_ref().map(|(domain, _)| domain.id());
    let server = parent(processes[0]);
    println!("made {} {server} {} {}", parent(server), processes[0], processes[1]);
    loop {
        std::thread::park();
    }
}

#[test]
fn nothing_outlives_its_composer() {
    use std::io::{BufRead, BufReader};
    let mut composer = composer("composer_that_is_killed")
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program again");
    let lines = BufReader::new(composer.stdout.take().expect("a pipe")).lines();
    let line = lines.map_while(Result::ok).find(|line| line.contains("made ")).expect("it says so");
    let processes: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(processes.len(), 4, "{line}");
    assert!(processes.iter().all(|process| is_alive(*process)));
    composer.kill().expect("it lives");
    composer.wait().expect("it has ended");
    let give_up = Instant::now() + Duration::from_secs(60);
    while processes.iter().any(|process| is_alive(*process)) {
        assert!(Instant::now() < give_up, "somebody lives on: {processes:?}");
        std::thread::yield_now();
    }
}

/// What the composer of `a_fork_server_that_is_killed_takes_its_domains_with_it` runs.
#[test]
fn composer_without_fork_server() {
    if std::env::var_os(COMPOSER).is_none() {
        return;
    }
    let warden = |domain| parent(parent(domain));
    for which in [parent, warden] {
        let (first, _socket) = MACHINE.domain(spins).expect("a domain");
        let killed = i32::try_from(which(first.id())).expect("a number");
        kill_process(Pid::from_raw(killed).expect("a process"), Signal::KILL).expect("it lives");
        assert_eq!(first.wait(late()), Some(DomainEnd::Killed(libc::SIGKILL)));
        // The next ones find out, and get another.
        let give_up = Instant::now() + Duration::from_secs(60);
        let second = loop {
            match MACHINE.domain(returns) {
                Ok((domain, _)) => break domain,
                Err(error) => assert_eq!(error.kind, ErrorKind::PeerGone),
            }
            assert!(Instant::now() < give_up, "no new fork server");
        };
        assert_eq!(second.wait(late()), Some(DomainEnd::Returned));
    }
}

#[test]
fn a_fork_server_that_is_killed_takes_its_domains_with_it() {
    let ended = composer("composer_without_fork_server")
        .stdout(Stdio::null())
        .status()
        .expect("this program again");
    assert!(ended.success());
}

/// Whether it has ended, and is still to be reaped.
fn is_zombie(process: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it is there");
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

fn children(of: u64) -> BTreeSet<u64> {
    let list = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).expect("it lives");
    list.split_whitespace().map(|child| child.parse().expect("a number")).collect()
}

/// The domains that wait to be told where to begin, in a process that has begun none but that one,
/// and has forgotten those before.
fn spares(server: u64, begun: u64) -> BTreeSet<u64> {
    let give_up = Instant::now() + Duration::from_secs(60);
    loop {
        let mut spares = children(server);
        spares.remove(&begun);
        if spares.len() == 2 {
            return spares;
        }
        assert!(Instant::now() < give_up, "{spares:?} beside {begun}");
        std::thread::yield_now();
    }
}

/// What the composer of `one_that_is_not_wanted_warms_up` runs.
#[test]
fn composer_that_wants_no_other_domain() {
    if std::env::var_os(COMPOSER).is_none() {
        return;
    }
    let (domain, _socket) = MACHINE.domain(stays).expect("a domain");
    let late = late();
    for spare in spares(parent(domain.id()), domain.id()) {
        while !is_warm(spare) {
            assert!(!late.passed(MACHINE.now()), "it has nothing else to do");
            std::thread::yield_now();
        }
    }
}

#[test]
fn one_that_is_not_wanted_warms_up() {
    let ended = composer("composer_that_wants_no_other_domain").stdout(Stdio::null()).status();
    assert!(ended.expect("this program again").success());
}

/// What the composer of `the_one_that_waits_to_be_told_may_be_killed` runs.
#[test]
fn composer_whose_spare_domain_is_killed() {
    if std::env::var_os(COMPOSER).is_none() {
        return;
    }
    let (domain, _socket) = MACHINE.domain(stays).expect("a domain");
    let server = parent(domain.id());
    let held = fs::read_dir("/proc/self/fd").expect("a list").count();
    for round in 0..20 {
        let (short, _) = MACHINE.domain(returns).expect("a domain");
        assert_eq!(short.wait(late()), Some(DomainEnd::Returned));
        drop(short);
        let spares: Vec<_> = spares(server, domain.id()).into_iter().collect();
        // Both, or one of them.
        for spare in &spares[..1 + round % 2] {
            let process = Pid::from_raw(i32::try_from(*spare).expect("a number"));
            kill_process(process.expect("a process"), Signal::KILL).expect("it lives");
            // Until all of it has ended, and it waits to be reaped.
            while !is_zombie(*spare) {
                std::thread::yield_now();
            }
        }
    }
    let (last, _) = MACHINE.domain(returns).expect("a domain");
    assert_eq!(last.wait(late()), Some(DomainEnd::Returned));
    drop(last);
    let holds = fs::read_dir("/proc/self/fd").expect("a list").count();
    assert_eq!(held, holds, "descriptors");
    assert_eq!(
        spares(server, domain.id()).into_iter().filter(|spare| is_zombie(*spare)).count(),
        0
    );
}

#[test]
fn the_one_that_waits_to_be_told_may_be_killed() {
    let ended = composer("composer_whose_spare_domain_is_killed")
        .stdout(Stdio::null())
        .status()
        .expect("this program again");
    assert!(ended.success());
}
