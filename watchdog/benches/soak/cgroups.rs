//! Control groups of the soak's own: one of cgroup2 for each service with its `sd-watchdog`, so that PSI is theirs; and, for
//! the one whose page cache is squeezed, one with a memory limit.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use super::clock;
use super::pressure::Totals;

/// Begins the name of a soak's groups.
const PREFIX: &str = "hangproof-soak-";
/// How long processes may take to be gone once they were killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The groups of one soak. Removed when dropped.
#[derive(Debug)]
pub struct Groups {
    /// Where services have theirs.
    pub root: PathBuf,
    memory: Option<PathBuf>,
    /// Says to the next soak that this one lives: `flock` ends with its holder, however it ends.
    _lock: File,
}

impl Groups {
    /// Makes them, and removes those of soaks that were killed.
    pub fn make() -> io::Result<Self> {
        let mounts = Mounts::read()?;
        sweep(&mounts);
        let v2 = mounts.v2.ok_or_else(|| io::Error::other("cgroup2 is not mounted"))?;
        let name = format!("{PREFIX}{}", std::process::id());
        let root = v2.join(&name);
        fs::create_dir(&root)?;
        let lock = File::open(&root)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let memory = match mounts.v1_memory {
            Some(parent) => fs::create_dir(parent.join(&name)).is_ok().then(|| parent.join(&name)),
            None => None,
        };
        // Where memory is cgroup2's own; no matter where it is not.
        let _ = fs::write(v2.join("cgroup.subtree_control"), "+memory");
        let _ = fs::write(root.join("cgroup.subtree_control"), "+memory");
        Ok(Self { root, memory, _lock: lock })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for tree in std::iter::once(&self.root).chain(&self.memory) {
            if let Err(error) = remove(tree) {
                eprintln!("soak: {} stays: {error}", tree.display());
            }
        }
    }
}

/// Where hierarchies are mounted.
struct Mounts {
    v2: Option<PathBuf>,
    v1_memory: Option<PathBuf>,
}

impl Mounts {
    fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/self/mountinfo")?;
        let find = |kind: &str, option: &str| {
            text.lines().find_map(|line| {
                let (place, file_system) = line.split_once(" - ")?;
                let mut file_system = file_system.split(' ');
                let is_it = file_system.next()? == kind
                    && file_system.nth(1)?.split(',').any(|given| option.is_empty() || given == option);
                is_it.then(|| place.split(' ').nth(4).map(PathBuf::from))?
            })
        };
        Ok(Self { v2: find("cgroup2", ""), v1_memory: find("cgroup", "memory") })
    }
}

/// Removes the groups of soaks that do not live any more.
fn sweep(mounts: &Mounts) {
    let v2 = mounts.v2.iter().flat_map(fs::read_dir).flatten().flatten();
    for entry in v2 {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = owner.is_some_and(|owner| owner.bytes().all(|byte| byte.is_ascii_digit()));
        let lock = File::open(entry.path());
        let take = |lock: File| flock(&lock, FlockOperation::NonBlockingLockExclusive);
        if is_ours && lock.is_ok_and(|lock| take(lock).is_ok()) {
            let _ = remove(&entry.path());
            let _ = mounts.v1_memory.as_ref().map(|memory| remove(&memory.join(&name)));
        }
    }
}

fn remove(tree: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(tree) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    kill(tree);
    let deadline = clock::now() + PATIENCE;
    loop {
        match fs::remove_dir(tree) {
            Err(error) if error.raw_os_error() == Some(16) && clock::now() < deadline => {
                clock::pass(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

fn kill(group: &Path) {
    if fs::write(group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for pid in pids(group) {
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn pids(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|&pid| pid > 0).collect()
}

/// The group of one service.
#[derive(Debug)]
pub struct Group(pub PathBuf);

impl Group {
    /// Makes one below `root`.
    pub fn make(root: &Path, name: &str) -> io::Result<Self> {
        let path = root.join(format!("{name}.service"));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// How long it has been kept from running since it was made.
    pub fn pressure(&self) -> io::Result<Totals> {
        let total = |file: &str| {
            let text = fs::read_to_string(self.0.join(file))?;
            Totals::parse(&text).ok_or_else(|| io::Error::other(format!("no line full in {file}")))
        };
        Ok(Totals {
            cpu: total("cpu.pressure")?,
            memory: total("memory.pressure")?,
            io: total("io.pressure")?,
        })
    }

    /// Kills all that is in it.
    pub fn kill(&self) {
        kill(&self.0);
    }
}

/// A limit of memory that can be moved.
#[derive(Debug)]
pub struct MemoryLimit {
    /// What has to be joined for it, where that is not the service's own group.
    pub entrance: Option<PathBuf>,
    file: PathBuf,
}

impl MemoryLimit {
    /// For the service in `group`, below the soak's own `root`.
    pub fn find(root: &Path, group: &Group) -> io::Result<Self> {
        let own = group.0.join("memory.max");
        if own.exists() {
            return Ok(Self { entrance: None, file: own });
        }
        let v1 = Mounts::read()?.v1_memory.zip(root.file_name()).map(|(mount, name)| mount.join(name));
        let v1 = v1.filter(|v1| v1.exists());
        let v1 = v1.ok_or_else(|| io::Error::other("no memory controller, neither of cgroup2 nor of v1"))?;
        Ok(Self { file: v1.join("memory.limit_in_bytes"), entrance: Some(v1) })
    }

    /// Sets it. The kernel may have to be asked again, where it could not get the memory back at once.
    pub fn set(&self, bytes: u64) -> io::Result<()> {
        fs::write(&self.file, bytes.to_string())
    }
}
