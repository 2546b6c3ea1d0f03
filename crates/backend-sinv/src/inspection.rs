//! A look at a system: what lives, who holds what, who waits for what.

use core::fmt;
use std::string::{String, ToString};
use std::vec::Vec;

use res_api::{Desc, Name, Role};

use crate::limits::Limits;

/// What a look at a system has found. What it displays is a table for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What components are kept from: "isolated", or what they are not kept from.
    pub isolation: String,
    /// The components that have not ended.
    pub components: Vec<Member>,
    /// Channels that have an end in a component other than the one that made it.
    pub channels: Vec<Channel>,
    /// Memory that several components have, besides that of channels.
    pub memory: Vec<Memory>,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: Name,
    /// Who made it.
    pub creator: u32,
    /// The machine's number for it, once it was started: on Linux, of its process.
    pub process: Option<u64>,
    /// How much it may have.
    pub limits: Limits,
    /// Whether it has been started.
    pub started: bool,
    /// Whether it executes a program that was built by itself, and not the composing one.
    pub own_program: bool,
    /// How many memory objects and files it has.
    pub objects: u32,
    /// Those of them that are files of the machine, which it may read.
    pub files: u32,
    /// Bytes of the memory objects that it made.
    pub bytes: u64,
    /// What it was endowed with and has not taken.
    pub untaken: u32,
    /// How many requests it has made of the manager.
    pub requests: u64,
}

/// A channel between components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The number of the memory object that it lies in.
    pub object: u64,
    /// What the end that travelled last says of itself.
    pub desc: Desc,
    /// How many messages are in it; none where the kind does not say.
    pub queued: Option<u32>,
    /// Who holds sending ends; one that is on its way is nobody's.
    pub senders: Vec<u32>,
    /// Who holds receiving ends.
    pub receivers: Vec<u32>,
    /// Those of them who wait.
    pub waiting: Vec<u32>,
}

/// Memory that components share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its number.
    pub object: u64,
    /// How much it is.
    pub bytes: u64,
    /// Who may read it.
    pub readers: Vec<u32>,
    /// Who may read and write it.
    pub writers: Vec<u32>,
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "components ({})", self.isolation)?;
        writeln!(
            f,
            "{:>6} {:<20} {:>8} {:<8} {:>8} {:>8} {:>6} {:>10}",
            "id", "name", "process", "program", "made by", "objects", "files", "bytes"
        )?;
        for member in &self.components {
            let process = match (member.process, member.started) {
                (Some(process), _) => process.to_string(),
                (None, true) => "here".to_string(),
                (None, false) => "-".to_string(),
            };
            let program = if member.own_program { "its own" } else { "this one" };
            let Member { id, name, creator, objects, files, bytes, .. } = member;
            write!(f, "{id:>6} {name:<20} {process:>8} {program:<8} {creator:>8} ")?;
            writeln!(f, "{objects:>8} {files:>6} {bytes:>10}")?;
        }
        writeln!(f, "limits")?;
        // Who composes the system has none.
        for member in self.components.iter().filter(|it| it.id != it.creator) {
            writeln!(f, "{:>6} {:<20} {}", member.id, member.name, member.limits)?;
        }
        writeln!(f, "channels")?;
        writeln!(
            f,
            "{:>6} {:<28} {:>12} {:<10} {:<10} waiting",
            "object", "what", "queued", "from", "to"
        )?;
        for channel in &self.channels {
            let Channel { object, desc, queued, senders, receivers, waiting } = channel;
            let what = match desc.role {
                Role::CapSnd | Role::CapRcv => "capabilities".to_string(),
                _ => std::format!("{:?} of {}", desc.kind, desc.msg.name),
            };
            let queued = queued.map_or("?".to_string(), |queued| queued.to_string());
            let queued = std::format!("{queued} of {}", desc.capacity);
            let (from, to) = (list(senders), list(receivers));
            writeln!(
                f,
                "{object:>6} {what:<28} {queued:>12} {from:<10} {to:<10} {}",
                list(waiting)
            )?;
        }
        if !self.memory.is_empty() {
            writeln!(f, "memory")?;
            writeln!(f, "{:>6} {:>10} {:<20} read and written by", "object", "bytes", "read by")?;
        }
        for Memory { object, bytes, readers, writers } in &self.memory {
            writeln!(f, "{object:>6} {bytes:>10} {:<20} {}", list(readers), list(writers))?;
        }
        Ok(())
    }
}

fn list(ids: &[u32]) -> String {
    match ids {
        [] => "-".to_string(),
        ids => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    }
}
