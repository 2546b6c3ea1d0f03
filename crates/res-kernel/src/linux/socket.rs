//! Messages of bytes and memory objects between two processes.

use core::mem::MaybeUninit;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use res_api::ErrorKind;
use res_sync::Deadline;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

use super::clock;
use super::error::refused;
use super::file::LinuxFile;
use super::memory::LinuxMemory;
use super::object::Object;
use crate::{KernelError, Passed, Place, Received, Socket};

const CONNECT: &str = "connect two domains";
const SEND: &str = "send to another domain";
const RECEIVE: &str = "receive from another domain";
const WAIT: &str = "wait for another domain";

/// Descriptors of a message at most.
const DESCRIPTORS: usize = 16;
const CONTROL: usize = rustix::cmsg_space!(ScmRights(DESCRIPTORS));

/// One end of a connection between two processes.
///
/// ```
/// use res_kernel::Socket;
/// use res_kernel::linux::LinuxSocket;
/// use res_sync::Deadline;
///
/// let (here, there) = LinuxSocket::pair()?;
/// here.send(b"one", &[])?;
/// let mut word = [0; 8];
/// assert_eq!(there.recv(&mut word, &mut [], Deadline::NEVER)?.bytes, 3);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
#[derive(Debug)]
pub struct LinuxSocket(OwnedFd);

impl LinuxSocket {
    /// Two ends that are connected, both in this process.
    ///
    /// # Errors
    ///
    /// `NoSlots`.
    pub fn pair() -> Result<(Self, Self), KernelError> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let ends =
            socketpair(family, kind, SocketFlags::CLOEXEC, None).map_err(refused(CONNECT))?;
        Ok((Self(ends.0), Self(ends.1)))
    }

    /// The descriptor as it is: for who passes it on himself, and for tests.
    pub fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    pub(super) fn as_descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Of a descriptor that is an end of such a connection.
    pub(super) const fn of(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// Sends bytes and descriptors, without waiting.
    pub(super) fn send_descriptors(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), KernelError> {
        self.transmit(bytes, descriptors, SendFlags::DONTWAIT)
    }

    /// Sends bytes and descriptors, as soon as the other side has taken what is under way.
    pub(super) fn send_waiting(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), KernelError> {
        self.transmit(bytes, descriptors, SendFlags::empty())
    }

    fn transmit(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
        flags: SendFlags,
    ) -> Result<(), KernelError> {
        let mut space = [MaybeUninit::uninit(); CONTROL];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fits =
            descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors));
        if !fits || bytes.len() > Self::MOST_BYTES {
            return Err(KernelError::new(SEND, ErrorKind::Invalid));
        }
        // The first byte is ours: a message is never empty, which would look like the end.
        let parts = [IoSlice::new(&[0]), IoSlice::new(bytes)];
        let flags = flags | SendFlags::NOSIGNAL;
        match retry_on_intr(|| sendmsg(&self.0, &parts, &mut control, flags)) {
            Ok(_) => Ok(()),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(KernelError::new(SEND, ErrorKind::PeerGone)),
            Err(error) => Err(refused(SEND)(error)),
        }
    }

    /// Receives bytes and descriptors; how many bytes. What does not fit is dropped, all of it.
    pub(super) fn recv_descriptors(
        &self,
        bytes: &mut [u8],
        deadline: Deadline,
        mut each: impl FnMut(OwnedFd),
    ) -> Result<usize, KernelError> {
        // Where there is no deadline, to receive is to wait.
        let waits = match deadline.instant() {
            None => RecvFlags::empty(),
            Some(_) => RecvFlags::DONTWAIT,
        };
        loop {
            let mut space = [MaybeUninit::uninit(); CONTROL];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut first = [0];
            let mut parts = [IoSliceMut::new(&mut first), IoSliceMut::new(bytes)];
            let flags = waits | RecvFlags::CMSG_CLOEXEC;
            let received = match recvmsg(&self.0, &mut parts, &mut control, flags) {
                Ok(received) => received,
                // Nothing is there yet.
                Err(Errno::AGAIN) if deadline.passed(clock::now()) => {
                    return Err(KernelError::new(RECEIVE, ErrorKind::TimedOut));
                }
                Err(Errno::AGAIN) => {
                    await_input(self.0.as_fd(), deadline)?;
                    continue;
                }
                // The peer went and left messages of ours unread, which is said once, before its own
                // last messages.
                Err(Errno::INTR | Errno::CONNRESET) => continue,
                Err(error) => return Err(refused(RECEIVE)(error)),
            };
            let lost = ReturnFlags::TRUNC | ReturnFlags::CTRUNC;
            if received.flags.intersects(lost) {
                return Err(KernelError::new(RECEIVE, ErrorKind::Misbehaved));
            }
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    descriptors.for_each(&mut each);
                }
            }
            return match received.bytes {
                0 => Err(KernelError::new(RECEIVE, ErrorKind::PeerGone)),
                bytes => Ok(bytes - 1),
            };
        }
    }
}

/// What a descriptor is that came from another process: a file where it can be nothing else.
fn received_object(descriptor: OwnedFd) -> Result<Passed<LinuxMemory, LinuxFile>, KernelError> {
    match Object::seals_of(&descriptor) {
        Some(seals) => LinuxMemory::received(descriptor, seals).map(Passed::Memory),
        None => Ok(Passed::File(LinuxFile::received(descriptor))),
    }
}

/// Waits until there is something to read, or nothing ever will be.
pub(super) fn await_input(
    descriptor: BorrowedFd<'_>,
    deadline: Deadline,
) -> Result<(), KernelError> {
    ready(descriptor, PollFlags::IN, deadline)
}

/// How long it is until then, as `poll` takes it.
pub(super) fn until(deadline: Deadline) -> Option<Timespec> {
    deadline.instant().map(|at| {
        let left = at - clock::now();
        Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
    })
}

/// Waits until that can be done, or never can.
fn ready(
    descriptor: BorrowedFd<'_>,
    what: PollFlags,
    deadline: Deadline,
) -> Result<(), KernelError> {
    loop {
        let mut wanted = [PollFd::from_borrowed_fd(descriptor, what)];
        match poll(&mut wanted, until(deadline).as_ref()) {
            Ok(0) if deadline.passed(clock::now()) => {
                return Err(KernelError::new(WAIT, ErrorKind::TimedOut));
            }
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(refused(WAIT)(error)),
        }
    }
}

impl Socket for LinuxSocket {
    type Memory = LinuxMemory;
    type File = LinuxFile;

    const MOST_BYTES: usize = 16 * 1024;
    const MOST_OBJECTS: usize = DESCRIPTORS;

    fn send(
        &self,
        bytes: &[u8],
        objects: &[Passed<&LinuxMemory, &LinuxFile>],
    ) -> Result<(), KernelError> {
        let mut descriptors = [self.0.as_fd(); DESCRIPTORS];
        let descriptors = descriptors
            .get_mut(..objects.len())
            .ok_or(KernelError::new(SEND, ErrorKind::Invalid))?;
        for (place, object) in descriptors.iter_mut().zip(objects) {
            *place = match object {
                Passed::Memory(memory) => memory.pass()?,
                Passed::File(file) => file.pass(),
            };
        }
        self.send_descriptors(bytes, descriptors)
    }

    fn room(&self, deadline: Deadline) -> Result<(), KernelError> {
        ready(self.0.as_fd(), PollFlags::OUT, deadline)
    }

    fn recv(
        &self,
        bytes: &mut [u8],
        objects: &mut [Place<Self>],
        deadline: Deadline,
    ) -> Result<Received, KernelError> {
        let mut count = 0;
        let mut wrong = None;
        let received = self.recv_descriptors(bytes, deadline, |descriptor| {
            let place = objects.get_mut(count);
            count += 1;
            match (place, received_object(descriptor)) {
                (Some(place), Ok(object)) => *place = Some(object),
                (Some(place), Err(error)) if error.kind == ErrorKind::NoMemory => *place = None,
                (Some(_), Err(error)) => wrong = Some(error),
                (None, _) => wrong = Some(KernelError::new(RECEIVE, ErrorKind::Misbehaved)),
            }
        });
        match (received, wrong) {
            (Ok(bytes), None) => Ok(Received { bytes, objects: count }),
            (result, wrong) => {
                objects.iter_mut().take(count).for_each(|place| *place = None);
                Err(wrong.unwrap_or_else(|| match result {
                    Err(error) => error,
                    Ok(_) => KernelError::new(RECEIVE, ErrorKind::Misbehaved),
                }))
            }
        }
    }
}
