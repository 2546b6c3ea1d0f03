//! How much of the machine a domain can have.

use rustix::io;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const GIB: u64 = 1 << 30;

/// Generous, and finite.
///
/// Not among them: the number of processes, which counts all threads of the user, whoever runs them
/// (a domain starts no process anyway); and the length of files, since all that a domain can write
/// to is what it was given, and a standard stream for errors that is a file has to take its panics.
const LIMITS: [(Resource, u64); 5] = [
    // What is reserved counts too: stacks, the arenas of the allocator, and shared objects.
    (Resource::As, 1024 * GIB),
    (Resource::Data, 64 * GIB),
    // A dump is a file, with all that others sent.
    (Resource::Core, 0),
    (Resource::Memlock, 0),
    (Resource::Msgqueue, 0),
];

/// One for each object that it has; also what it can keep under way in sockets.
const DESCRIPTORS: u64 = 4096;

/// Sets them all, for this process and its children; none is raised again.
pub(super) fn apply() -> io::Result<()> {
    for (resource, most) in LIMITS {
        let most = Some(getrlimit(resource).current.map_or(most, |now| now.min(most)));
        setrlimit(resource, Rlimit { current: most, maximum: most })?;
    }
    let most = getrlimit(Resource::Nofile).maximum;
    let most = Some(most.map_or(DESCRIPTORS, |most| most.min(DESCRIPTORS)));
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
}
