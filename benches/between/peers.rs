//! The others: pipes, sockets, ipc-channel and iceoryx2, each with this program as the other process.

use std::hint::black_box;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender, IpcSharedMemory};
use res_benches::{Candidate, pin, time};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pause::paused;
use super::{MESSAGES, TRIPS};

/// In the environment of the other process: whom it plays, and what it needs for it.
const ROLE: &str = "RES_BENCH_ROLE";
const DETAIL: &str = "RES_BENCH_DETAIL";

/// Plays whom it is told to; false if nobody told.
pub(crate) fn play() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    if role == "forks" {
        // On whichever core.
        super::starts::fork_on_demand();
        return true;
    }
    pin(1);
    let detail = std::env::var(DETAIL).unwrap_or_default();
    match role.as_str() {
        "stream" => echo_stream(detail.parse().expect("a size")),
        "pipes" => echo_pipes(detail.parse().expect("a size")),
        "sink" => sink(stdin()),
        "pipe sink" => sink(Piped(std::io::stdin(), std::io::stdout())),
        "ipc sink" => sink_ipc(&detail),
        "ipc greets" => greet_ends(&detail),
        "ipc" => echo_ipc(&detail),
        #[cfg(feature = "iceoryx2")]
        role if role.starts_with("iceoryx2") => super::iceoryx2_peer::play(role, &detail),
        "greets" => greet_descriptors(),
        "returns" => return_descriptors(),
        "hands on" => super::memory_peer::hand_on(),
        "ipc memory" => count_memory(&detail),
        "ipc ends" => return_ends(&detail),
        _ => panic!("nobody is called {role}"),
    }
    true
}

/// The other process; it ends with this.
#[derive(Debug)]
pub(crate) struct Other(Child);

impl Other {
    pub(crate) fn of(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn other(role: &str, detail: &str, stdin: Stdio) -> Other {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.env(ROLE, role).env(DETAIL, detail).stdin(stdin).stdout(Stdio::null());
    Other(spawn(command))
}

/// It ends with this process.
fn spawn(mut command: Command) -> Child {
    // SAFETY: one call, which is allowed there.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.spawn().expect("started")
}

/// Both directions of a connection, here and as the other's standard input.
pub(crate) fn connected(role: &str, detail: &str, kind: libc::c_int) -> (UnixStream, Other) {
    let mut ends = [0; 2];
    // SAFETY: makes two descriptors, which are taken over.
    let made = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: as above; the first is not for the other process.
    let (ours, theirs) = unsafe {
        libc::fcntl(ends[0], libc::F_SETFD, libc::FD_CLOEXEC);
        (UnixStream::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    let other = other(role, detail, theirs.into());
    (ours, other)
}

/// The standard input, to read and write.
pub(crate) fn stdin() -> UnixStream {
    // SAFETY: taken over, and std's own handle is never used.
    unsafe { UnixStream::from_raw_fd(0) }
}

fn echo_stream(size: usize) {
    let (mut stream, mut bytes) = (stdin(), vec![0; size]);
    while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes).is_ok() {}
}

/// Takes lines, and says when it has had all of a round.
fn sink(mut from: impl Read + Write) {
    let (mut line, mut count) = ([0; 64], 0);
    while from.read_exact(&mut line).is_ok() {
        count += 1;
        if count % MESSAGES == 0 && (from.write_all(&[1]).is_err() || from.flush().is_err()) {
            return;
        }
    }
}

/// Two pipes, as one connection.
struct Piped<R, W>(R, W);

impl<R: Read, W> Read for Piped<R, W> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(bytes)
    }
}

impl<R, W: Write> Write for Piped<R, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.1.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.1.flush()
    }
}

fn sink_ipc(name: &str) {
    let (theirs, back) = ipc_serving::<Vec<u8>, u64>(name);
    let mut count = 0;
    while let Ok(line) = theirs.recv() {
        black_box(line);
        count += 1;
        if count % MESSAGES == 0 && back.send(count).is_err() {
            return;
        }
    }
}

/// A channel of ipc-channel there, and one back.
type Ends<T, U> = (IpcSender<T>, IpcReceiver<U>);

/// The other process makes both; this one's ends of them.
fn ipc_connected<T, U>(role: &str) -> (Ends<T, U>, Other)
where
    T: Serialize + DeserializeOwned,
    U: Serialize + DeserializeOwned,
{
    let (server, name) = IpcOneShotServer::<Ends<T, U>>::new().expect("one");
    let other = other(role, &name, Stdio::null());
    let (_, ends) = server.accept().expect("it connects");
    (ends, other)
}

/// The other process's ends: what comes, and what goes back.
fn ipc_serving<T, U>(name: &str) -> (IpcReceiver<T>, IpcSender<U>)
where
    T: Serialize + DeserializeOwned,
    U: Serialize + DeserializeOwned,
{
    let connect = IpcSender::<Ends<T, U>>::connect(name.into()).expect("it is there");
    let (to, theirs) = ipc::channel().expect("a channel");
    let (back, from) = ipc::channel().expect("a channel");
    connect.send((to, from)).expect("it listens");
    (theirs, back)
}

fn echo_ipc(name: &str) {
    let (theirs, back) = ipc_serving::<Vec<u8>, Vec<u8>>(name);
    while let Ok(message) = theirs.recv() {
        if back.send(message).is_err() {
            return;
        }
    }
}

fn sockets(size: usize, trips: u64, kind: libc::c_int, name: &str) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer(name, move || {
        let (stream, _) =
            partner.get_or_insert_with(|| connected("stream", &size.to_string(), kind));
        let mut bytes = vec![7; size];
        trip(stream, &mut bytes);
        time(trips, || (0..trips).for_each(|_| trip(stream, &mut bytes)))
    })
}

fn trip(stream: &mut UnixStream, bytes: &mut [u8]) {
    stream.write_all(black_box(bytes)).expect("it listens");
    stream.read_exact(bytes).expect("it answers");
}

/// To somebody who sleeps.
pub(crate) fn stream_paused(size: usize) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("unix stream", move || {
        let (stream, _) = partner
            .get_or_insert_with(|| connected("stream", &size.to_string(), libc::SOCK_STREAM));
        let mut bytes = vec![7; size];
        paused(|| trip(stream, &mut bytes))
    })
}

/// A pipe there, and one back.
fn piped(role: &str, detail: &str) -> (Piped<PipeReader, PipeWriter>, Other) {
    let (theirs, to) = std::io::pipe().expect("a pipe");
    let (from, back) = std::io::pipe().expect("a pipe");
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.env(ROLE, role).env(DETAIL, detail).stdin(theirs).stdout(back);
    (Piped(from, to), Other(spawn(command)))
}

fn pipes(size: usize, trips: u64) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("two pipes", move || {
        let (pipes, _) = partner.get_or_insert_with(|| piped("pipes", &size.to_string()));
        let mut bytes = vec![7; size];
        let mut trip = || {
            pipes.write_all(black_box(&bytes)).expect("it listens");
            pipes.read_exact(&mut bytes).expect("it answers");
        };
        trip();
        time(trips, || (0..trips).for_each(|_| trip()))
    })
}

fn echo_pipes(size: usize) {
    let (mut from, mut to, mut bytes) = (std::io::stdin(), std::io::stdout(), vec![0; size]);
    while from.read_exact(&mut bytes).is_ok() && to.write_all(&bytes).is_ok() && to.flush().is_ok()
    {
    }
}

fn ipc_channel(size: usize, trips: u64) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("ipc-channel", move || {
        let ((to, from), _) =
            partner.get_or_insert_with(|| ipc_connected::<Vec<u8>, Vec<u8>>("ipc"));
        let trip = || {
            to.send(black_box(vec![7; size])).expect("it listens");
            black_box(from.recv().expect("it answers"));
        };
        trip();
        time(trips, || (0..trips).for_each(|_| trip()))
    })
}

pub(crate) fn blocking(size: usize) -> Vec<Candidate<'static>> {
    payloads(size, TRIPS)
}

pub(crate) fn payloads(size: usize, trips: u64) -> Vec<Candidate<'static>> {
    let stream = sockets(size, trips, libc::SOCK_STREAM, "unix stream");
    let mut all = vec![stream, pipes(size, trips), ipc_channel(size, trips)];
    // One message is no longer than what a socket keeps.
    if size <= 65_536 {
        all.push(sockets(size, trips, libc::SOCK_SEQPACKET, "unix seqpacket"));
    }
    all
}

pub(crate) fn one_way() -> Vec<Candidate<'static>> {
    let socket = |kind| move || connected("sink", "", kind);
    vec![
        stream("unix stream", socket(libc::SOCK_STREAM)),
        stream("unix seqpacket", socket(libc::SOCK_SEQPACKET)),
        stream("pipe", || piped("pipe sink", "")),
        ipc_stream(),
    ]
}

/// Lines to a sink that is connected like that.
fn stream<C: Read + Write + 'static>(
    name: &str,
    connect: impl Fn() -> (C, Other) + 'static,
) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer(name, move || {
        let (to, _) = partner.get_or_insert_with(&connect);
        let mut answer = [0];
        time(MESSAGES, || {
            for _ in 0..MESSAGES {
                to.write_all(black_box(&[7; 64])).expect("it listens");
            }
            to.read_exact(&mut answer).expect("it answers");
        })
    })
}

fn ipc_stream() -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("ipc-channel", move || {
        let ((to, done), _) =
            partner.get_or_insert_with(|| ipc_connected::<Vec<u8>, u64>("ipc sink"));
        time(MESSAGES, || {
            for _ in 0..MESSAGES {
                to.send(black_box(vec![7; 64])).expect("it listens");
            }
            done.recv().expect("it answers")
        })
    })
}

/// Takes descriptors, and writes a byte to each.
fn greet_descriptors() {
    let stream = stdin();
    while let Some(descriptor) = receive_descriptor(&stream) {
        let mut file = std::fs::File::from(descriptor);
        if file.write_all(&1_u64.to_ne_bytes()).is_err() {
            return;
        }
    }
}

/// Room for a control message with one descriptor.
#[repr(align(8))]
struct Control([u8; 32]);

fn message(bytes: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: a plain struct, of which all zeroes is an empty one.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = bytes;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = 24;
    header
}

pub(crate) fn receive_descriptor(stream: &UnixStream) -> Option<OwnedFd> {
    let (mut byte, mut control) = ([0_u8], Control([0; 32]));
    let mut bytes = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut header = message(&mut bytes, &mut control);
    // SAFETY: the header refers to locals that live; a descriptor that came is taken over.
    unsafe {
        if libc::recvmsg(stream.as_raw_fd(), &mut header, 0) != 1 {
            return None;
        }
        let first = libc::CMSG_FIRSTHDR(&header);
        (!first.is_null())
            .then(|| OwnedFd::from_raw_fd(libc::CMSG_DATA(first).cast::<i32>().read_unaligned()))
    }
}

pub(crate) fn send_descriptor(stream: &UnixStream, descriptor: i32) {
    let (mut byte, mut control) = ([7_u8], Control([0; 32]));
    let mut bytes = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let header = message(&mut bytes, &mut control);
    // SAFETY: the header refers to locals that live, with room for one descriptor.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&header);
        (*first).cmsg_level = libc::SOL_SOCKET;
        (*first).cmsg_type = libc::SCM_RIGHTS;
        (*first).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(first).cast::<i32>().write_unaligned(descriptor);
        assert_eq!(libc::sendmsg(stream.as_raw_fd(), &header, 0), 1);
    }
}

/// Made, passed, used.
pub(crate) fn eventfds_passed(count: u64) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("eventfd over SCM_RIGHTS: made, passed, used", move || {
        let (stream, _) =
            partner.get_or_insert_with(|| connected("greets", "", libc::SOCK_SEQPACKET));
        time(count, || {
            for _ in 0..count {
                // SAFETY: makes a descriptor, which is taken over.
                let event = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
                send_descriptor(stream, event.as_raw_fd());
                let mut answer = [0; 8];
                std::fs::File::from(event).read_exact(&mut answer).expect("it answers");
            }
        })
    })
}

/// Sends each descriptor back.
fn return_descriptors() {
    let stream = stdin();
    while let Some(descriptor) = receive_descriptor(&stream) {
        send_descriptor(&stream, descriptor.as_raw_fd());
    }
}

/// There and back: two passes.
pub(crate) fn descriptors_passed(count: u64) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("a descriptor over SCM_RIGHTS, there and back, halved", move || {
        let (stream, _) =
            partner.get_or_insert_with(|| connected("returns", "", libc::SOCK_SEQPACKET));
        // SAFETY: makes a descriptor, which is taken over.
        let mut event = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
        time(2 * count, || {
            for _ in 0..count {
                send_descriptor(stream, event.as_raw_fd());
                event = receive_descriptor(stream).expect("it comes back");
            }
        })
    })
}

fn return_ends(name: &str) {
    let (theirs, back) = ipc_serving::<IpcSender<u64>, IpcSender<u64>>(name);
    while let Ok(end) = theirs.recv() {
        if back.send(end).is_err() {
            return;
        }
    }
}

/// Takes senders, and sends a word over each.
fn greet_ends(name: &str) {
    let (theirs, _back) = ipc_serving::<IpcSender<u64>, u64>(name);
    while let Ok(end) = theirs.recv() {
        if end.send(1).is_err() {
            return;
        }
    }
}

/// Made, passed and used.
pub(crate) fn ipc_ends_used(count: u64) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("ipc-channel: made, passed, used", move || {
        let ((to, _), _) =
            partner.get_or_insert_with(|| ipc_connected::<IpcSender<u64>, u64>("ipc greets"));
        time(count, || {
            for _ in 0..count {
                let (end, answer) = ipc::channel::<u64>().expect("a channel");
                to.send(end).expect("it listens");
                answer.recv().expect("it answers");
            }
        })
    })
}

/// There and back: two passes.
pub(crate) fn ipc_ends_passed(count: u64) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("ipc-channel: a sender, there and back, halved", move || {
        let ((to, from), _) = partner
            .get_or_insert_with(|| ipc_connected::<IpcSender<u64>, IpcSender<u64>>("ipc ends"));
        let (mut end, _rx) = ipc::channel::<u64>().expect("a channel");
        time(2 * count, || {
            for _ in 0..count {
                to.send(end.clone()).expect("it listens");
                end = from.recv().expect("it comes back");
            }
        })
    })
}

/// Pieces of memory of a round.
const MEMORIES: u64 = 50;

fn count_memory(name: &str) {
    let (theirs, back) = ipc_serving::<IpcSharedMemory, u64>(name);
    let mut count = 0;
    while let Ok(memory) = theirs.recv() {
        black_box(memory.len());
        count += 1;
        if count % MEMORIES == 0 && back.send(count).is_err() {
            return;
        }
    }
}

/// Pieces of shared memory, made and handed over.
pub(crate) fn ipc_shared_memory(bytes: usize) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("ipc-channel, shared memory", move || {
        let ((to, done), _) =
            partner.get_or_insert_with(|| ipc_connected::<IpcSharedMemory, u64>("ipc memory"));
        time(MEMORIES, || {
            for _ in 0..MEMORIES {
                to.send(IpcSharedMemory::from_byte(0, bytes)).expect("it listens");
            }
            done.recv().expect("it says so")
        })
    })
}
