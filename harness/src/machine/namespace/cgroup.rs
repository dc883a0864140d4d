//! The machine's cgroup: a directory of cgroup2, locked while its owner lives.
//!
//! The lock is what makes sweeping safe. `flock` belongs to an open file of the owner, so it is gone when the owner
//! is, however it died, and no process id has to be compared with a later one of the same number.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use crate::machine::inotify::Neighbours;

/// Begins the name of a machine's cgroup; then come its owner's process id and eight random hexadecimal digits.
const PREFIX: &str = "hangproof-machine-";
/// Below it, where the harness's own commands run. systemd leaves alone what it did not make.
const COMMANDS: &str = "hangproof-commands";
const EMPTY_DEADLINE: Duration = Duration::from_secs(5);

/// A cgroup directory owned by one machine.
pub struct Cgroup {
    path: PathBuf,
    _lock: File,
}

impl Cgroup {
    /// Makes a cgroup for one machine below `parent`.
    pub fn create(parent: &Path) -> io::Result<Self> {
        loop {
            let path = parent.join(format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>()));
            // Open to nobody else before it is locked: any user may lock what he can open, and keep us out.
            fs::DirBuilder::new().mode(0o700).create(&path)?;
            let cgroup = match lock(&path)? {
                Some(lock) => Self { path, _lock: lock },
                // A run that sweeps came first, and removes it.
                None => continue,
            };
            // Services look around in what is the top of their cgroups.
            fs::set_permissions(&cgroup.path, fs::Permissions::from_mode(0o755))?;
            return Ok(cgroup);
        }
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the place for the harness's commands, by which other runs know that the machine has booted.
    pub fn open_to_commands(&self) -> io::Result<()> {
        fs::create_dir(self.path.join(COMMANDS))
    }

    /// The machines that are beside this one; of those that have not booted, the ones that were made earlier.
    pub fn neighbours(&self) -> io::Result<Neighbours> {
        // The kernel numbers cgroups as it makes them.
        let own = fs::metadata(&self.path)?.ino();
        let mut neighbours = Neighbours::default();
        for path in machines(self.path.parent().unwrap_or(&self.path))? {
            if path == self.path {
                continue;
            }
            if path.join(COMMANDS).exists() {
                neighbours.running += 1;
            } else if fs::metadata(&path).is_ok_and(|metadata| metadata.ino() < own) {
                neighbours.ahead += 1;
            }
        }
        Ok(neighbours)
    }

    /// The file that a process writes `0` to in order to join: PID 1, from which systemd's own cgroups descend.
    pub fn entrance(&self) -> io::Result<File> {
        File::options().write(true).open(self.path.join("cgroup.procs"))
    }

    /// The same for a command that the harness runs in the machine: in none of systemd's units, and none of the harness's.
    pub fn entrance_of_commands(&self) -> io::Result<File> {
        File::options().write(true).open(self.path.join(COMMANDS).join("cgroup.procs"))
    }

    /// Ends whatever still runs inside and removes the directories.
    ///
    /// # Errors
    /// `TimedOut` when processes are still there after five seconds (in uninterruptible sleep, for instance).
    pub fn remove(&self) -> io::Result<()> {
        remove_tree(&self.path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whoever wants to know calls `remove` first, after which there is nothing to do.
        let _ = self.remove();
    }
}

/// Removes the cgroups of runs whose owner is gone. Returns how many there were.
pub fn sweep(parent: &Path) -> io::Result<usize> {
    let abandoned = lock_abandoned(parent)?;
    abandoned.iter().try_for_each(|(path, _lock)| remove_tree(path))?;
    Ok(abandoned.len())
}

/// Whether a directory of this name is a machine's: nobody else's may ever be swept.
fn is_machine(name: &str) -> bool {
    let owner_and_number = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    owner_and_number.is_some_and(|(owner, number)| {
        !owner.is_empty()
            && owner.bytes().all(|byte| byte.is_ascii_digit())
            && number.len() == 8
            && number.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The machines' directories that nobody holds, now held by us: another run may be sweeping too.
fn lock_abandoned(parent: &Path) -> io::Result<Vec<(PathBuf, File)>> {
    // What cannot be opened is just being removed by its owner.
    let held = |path: PathBuf| lock(&path).ok().flatten().map(|lock| (path, lock));
    Ok(machines(parent)?.into_iter().filter_map(held).collect())
}

/// The directories of machines below `parent`.
fn machines(parent: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(parent)?.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_machine)).collect())
}

/// The lock of a machine's directory, unless somebody else has it, or has removed the directory.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let directory = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => return Ok(None),
        other => other?,
    }
    let number = directory.metadata()?.ino();
    let is_there = fs::metadata(path).is_ok_and(|metadata| metadata.ino() == number);
    Ok(is_there.then_some(directory))
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::write(path.join("cgroup.kill"), "1") {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => return Ok(()),
        // Kernels before 5.14 have no cgroup.kill: there the end of the pid namespace has to do.
        _ => {}
    }
    wait_until_empty(path)?;
    remove_directories(path)
}

fn remove_directories(path: &Path) -> io::Result<()> {
    let children = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for child in children {
        let child = child?;
        if child.file_type()?.is_dir() {
            remove_directories(&child.path())?;
        }
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Waits for `populated 0`; the kernel signals a change of `cgroup.events` as `POLLPRI`.
fn wait_until_empty(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + EMPTY_DEADLINE;
    let mut events = match File::open(path.join("cgroup.events")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    loop {
        events.rewind()?;
        if io::read_to_string(&events)?.lines().any(|line| line == "populated 0") {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let processes = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
            let processes = processes.split_whitespace().collect::<Vec<_>>().join(", ");
            let what = format!("waited 5 s for {} to empty; still there: {processes}", path.display());
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        let timeout = left.try_into().map_err(io::Error::other)?;
        let mut changed = [PollFd::from_borrowed_fd(events.as_fd(), PollFlags::PRI)];
        retry_on_intr(|| poll(&mut changed, Some(&timeout)))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_machines_own_name_is_swept() {
        assert!(is_machine("hangproof-machine-123-0a1b2c3d"));
        for stranger in [
            "hangproof-mine",
            "hangproof-machine-1-2",
            "hangproof-machine--0a1b2c3d",
            "hangproof-machine-x-0a1b2c3d",
            "hangproof-machine-123-0a1b2c3d4",
            "user.slice",
        ] {
            assert!(!is_machine(stranger), "{stranger}");
        }
    }
}
