//! Whether COMMAND can get to its `NOTIFY_SOCKET` from where it has gone.
//!
//! It may have gone into a chroot, which a path ends at, as systemd's own does, or into a network namespace of its own, which an
//! abstract name ends at. (What systemd does, `RootDirectory=` or `PrivateNetwork=`, it has done to us before: there we and
//! COMMAND are in the same place.) Then it is never heard, without a word; so we say one.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, open, openat2};

use super::meeting_point::Identity;
use crate::kernel::aside;

/// Where a process is, as far as that decides on which sockets it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    root: PathBuf,
    mounts: PathBuf,
    network: PathBuf,
}

impl Place {
    /// Of the process that is called so in /proc. These links can be read without going where they lead.
    fn of(process: &str) -> io::Result<Self> {
        let link = |name: &str| fs::read_link(format!("/proc/{process}/{name}"));
        Ok(Self { root: link("root")?, mounts: link("ns/mnt")?, network: link("ns/net")? })
    }
}

/// Whether a process finds the address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    Yes,
    No(Obstacle),
    /// It has mounts or a root of its own: one has to look there.
    Perhaps,
}

/// What keeps a process from it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Obstacle {
    /// The path is not in this root.
    Root(PathBuf),
    /// It is hidden by other mounts.
    Mounts,
    Network,
}

fn reach(is_path: bool, ours: &Place, theirs: &Place) -> Reach {
    match is_path {
        false if ours.network != theirs.network => Reach::No(Obstacle::Network),
        true if (&ours.root, &ours.mounts) != (&theirs.root, &theirs.mounts) => Reach::Perhaps,
        _ => Reach::Yes,
    }
}

/// What is to be said of a process that cannot be heard.
struct Unreachable {
    pid: i32,
    address: OsString,
    obstacle: Obstacle,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, address, obstacle } = self;
        let address = address.display();
        let directory = Path::new(&self.address).parent().unwrap_or(Path::new("/")).display();
        write!(f, "COMMAND, process {pid}, has said nothing to systemd, and from where it is it cannot: ")?;
        match obstacle {
            Obstacle::Root(root) => {
                let root = root.display();
                write!(f, "NOTIFY_SOCKET={address} is not in its root directory {root}; ")?;
                write!(f, "BindPaths={directory}:{root}{directory} puts it there")
            }
            Obstacle::Mounts => {
                write!(f, "NOTIFY_SOCKET={address} is hidden by mounts of its own; leave {directory} visible")
            }
            Obstacle::Network => write!(
                f,
                "NOTIFY_SOCKET={address} is not in its network namespace; RuntimeDirectory= gives it a path, which is"
            ),
        }
    }
}

/// Says so if the process does not find the address, which is this file where it is a path. `is_awaited`: what it says is
/// waited for; otherwise it may have nothing to say.
pub(super) fn check(address: &OsString, file: Option<(PathBuf, Identity)>, pid: i32, is_awaited: bool) {
    // Of one that has another user we may not know.
    let (Ok(ours), Ok(theirs)) = (Place::of("self"), Place::of(&pid.to_string())) else { return };
    let address = address.clone();
    let tell = move |obstacle| tell(&Unreachable { pid, address, obstacle }, is_awaited);
    match (reach(file.is_some(), &ours, &theirs), file) {
        (Reach::No(obstacle), _) => tell(obstacle),
        (Reach::Perhaps, Some((path, identity))) => {
            // Its root may be on a file system that does not answer.
            let look = move || {
                if let Some(obstacle) = look_there(pid, &theirs, &ours, &path, identity) {
                    tell(obstacle);
                }
            };
            if let Err(error) = aside::start("reach", Some(256 << 10), look) {
                tracing::debug!("cannot look where COMMAND is: {error}");
            }
        }
        (Reach::Yes | Reach::Perhaps, _) => {}
    }
}

fn tell(unreachable: &Unreachable, is_awaited: bool) {
    if is_awaited {
        tracing::warn!("{unreachable}");
    } else {
        tracing::info!("{unreachable}");
    }
}

/// Looks for the file in the root of the process. [`None`] where it is, or nobody can tell.
fn look_there(pid: i32, theirs: &Place, ours: &Place, path: &Path, identity: Identity) -> Option<Obstacle> {
    let root = open(format!("/proc/{pid}/root"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let path = path.strip_prefix("/").ok()?;
    // A link of theirs leads within their root.
    let (flags, inside) = (OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW, ResolveFlags::IN_ROOT);
    let found = match openat2(&root, path, flags, Mode::empty(), inside) {
        Ok(found) => fstat(&found).ok().map(|stat| (stat.st_dev, stat.st_ino)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => None,
        Err(_) => return None,
    };
    if found == Some(identity) {
        return None;
    }
    Some(if theirs.root == ours.root { Obstacle::Mounts } else { Obstacle::Root(theirs.root.clone()) })
}

#[cfg(test)]
mod tests;
