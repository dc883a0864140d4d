//! The control group of a unit: its processes, its files, its pressure.
//!
//! cgroup2 is found where it is mounted (`/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on a hybrid host). Where it knows
//! nothing of the unit, systemd's own v1 hierarchy still has the unit's processes. Where neither can be read
//! (`ProtectControlGroups=` does not hide it, but a container may have no mount, and a wrong `TemporaryFileSystem=`
//! does), [`Cgroup::own`] takes the descendants of this process instead, and says so.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod membership;
mod mount;
mod pressure;

#[cfg(test)]
pub(crate) use self::pressure::Stall;
pub use self::pressure::{Psi, Resource};

pub(crate) use self::membership::{Membership, unit_path};
pub(crate) use self::mount::Hierarchy;

use super::proc::{Stat, own_pid};

/// Deeper than any cgroup tree that a service makes; keeps a broken file system from being walked for ever.
const MAX_DEPTH: usize = 16;
/// As many processes as a report can ever need; the rest is not listed.
const MAX_PIDS: usize = 65_536;

/// A control group, or why there is none to read.
#[derive(Debug, Clone)]
pub struct Cgroup {
    place: Result<Location, String>,
    proc: PathBuf,
    /// Ours: processes can be found by descent too.
    own: bool,
}

#[derive(Debug, Clone)]
struct Location {
    directory: PathBuf,
    hierarchy: Hierarchy,
}

/// The processes of a control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Sorted.
    pub pids: Vec<i32>,
    /// Why they were found by descent from this process instead of in the control group, if they were.
    pub by_descent: Option<String>,
}

impl Cgroup {
    /// The one that this process is in. Never fails: where it cannot be read, [`pids`](Self::pids) are our descendants.
    pub fn own() -> Self {
        Self::own_in(Path::new("/proc"))
    }

    /// [`own`](Self::own) with another `/proc`.
    pub fn own_in(proc: &Path) -> Self {
        let find = || {
            let mountinfo = read_text(&proc.join("self/mountinfo"))?;
            let membership = read_text(&proc.join("self/cgroup"))?.into();
            mount::own(&mountinfo, &membership).map_err(io::Error::other)
        };
        let place = find().map_err(|error| error.to_string()).and_then(|(directory, hierarchy)| {
            // The machine's root has no `cgroup.events` (v2), and has a `release_agent` (v1).
            let is_root = match hierarchy {
                Hierarchy::V2 => !directory.join("cgroup.events").exists(),
                Hierarchy::Systemd => directory.join("release_agent").exists(),
            };
            if is_root && directory.join("cgroup.procs").exists() {
                return Err("this process is in the root control group, with everything else".to_owned());
            }
            Ok(Location { directory, hierarchy })
        });
        Self { place, proc: proc.to_owned(), own: true }
    }

    /// The one at `control_group`, as systemd's `ControlGroup=` property has it: `/system.slice/nginx.service`.
    pub fn at(control_group: &str) -> Self {
        Self::at_in(control_group, Path::new("/proc"))
    }

    /// [`at`](Self::at) with another `/proc`.
    pub fn at_in(control_group: &str, proc: &Path) -> Self {
        let find = || {
            let mountinfo = read_text(&proc.join("self/mountinfo"))?;
            let places = mount::at(&mountinfo, control_group).map_err(io::Error::other)?;
            let mut places =
                places.into_iter().map(|(directory, hierarchy)| Location { directory, hierarchy });
            places.find(|place| place.directory.is_dir()).ok_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, format!("{control_group} is not here"))
            })
        };
        Self { place: find().map_err(|error| error.to_string()), proc: proc.to_owned(), own: false }
    }

    /// Where its files are, or why they cannot be read.
    pub fn directory(&self) -> io::Result<&Path> {
        match &self.place {
            Ok(place) => Ok(&place.directory),
            Err(why) => Err(io::Error::new(io::ErrorKind::NotFound, format!("no control group: {why}"))),
        }
    }

    /// Its processes and those of the groups below, sorted.
    pub fn pids(&self) -> io::Result<Vec<i32>> {
        self.list().map(|listing| listing.pids)
    }

    /// [`pids`](Self::pids), and whether they had to be found by descent.
    pub fn list(&self) -> io::Result<Listing> {
        let members = self.directory().and_then(|directory| {
            let mut pids = Vec::new();
            collect(directory, MAX_DEPTH, &mut pids)?;
            pids.sort_unstable();
            pids.dedup();
            Ok(pids)
        });
        match members {
            Ok(pids) => Ok(Listing { pids, by_descent: None }),
            Err(error) if self.own => {
                Ok(Listing { pids: descendants(&self.proc, own_pid())?, by_descent: Some(error.to_string()) })
            }
            Err(error) => Err(error),
        }
    }

    /// The content of one of its files, like `memory.current`, without the newline at the end. The error names the file.
    pub fn read(&self, file: &str) -> io::Result<String> {
        let place = self.directory()?;
        if self.place.as_ref().is_ok_and(|place| place.hierarchy == Hierarchy::Systemd) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("no {file}: this host keeps the unit in cgroup v1"),
            ));
        }
        let mut text = read_text(&place.join(file))?;
        text.truncate(text.trim_end().len());
        Ok(text)
    }

    /// Whether the freezer keeps all of its processes from running, by this group or by one above (`cgroup.events`, Linux 5.2).
    /// Not known in cgroup v1: no.
    pub fn is_frozen(&self) -> bool {
        self.read("cgroup.events").is_ok_and(|events| events.lines().any(|line| line == "frozen 1"))
    }

    /// For how long all of its processes that wanted to run have waited for a resource: of the nearest group above where it
    /// does not say itself (`cgroup.pressure` switches it off, Linux 6.1). [`None`]: the kernel does not tell.
    pub fn stalled(&self, resource: Resource) -> Option<Duration> {
        let place = self.place.as_ref().ok().filter(|place| place.hierarchy == Hierarchy::V2)?;
        let groups = place.directory.ancestors().take_while(|group| group.join("cgroup.procs").exists());
        let mut texts = groups.filter_map(|group| std::fs::read_to_string(group.join(resource.file())).ok());
        let pressure = texts.find_map(|text| Psi::parse(&text))?;
        pressure.full.map(|full| Duration::from_micros(full.total_usec))
    }

    /// How much time was lost waiting for a resource (PSI: Linux 4.20 with `CONFIG_PSI`, not switched off by `psi=0`).
    pub fn pressure(&self, resource: Resource) -> io::Result<Psi> {
        let file = resource.file();
        Psi::parse(&self.read(file)?).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{file}: not as the kernel writes it"))
        })
    }
}

/// Whether a process is in the control group of this one, or below it, wherever systemd looks for the processes of a unit. What
/// cannot be read counts as yes: it has ended.
pub(crate) fn is_beside_us(pid: i32) -> bool {
    match (Membership::of("self"), Membership::of(pid)) {
        (Ok(ours), Ok(its)) => is_beside(&ours, &its),
        _ => true,
    }
}

fn is_beside(ours: &Membership, its: &Membership) -> bool {
    ours.paths().all(|(hierarchy, own)| {
        let below = its.path(hierarchy).and_then(|path| path.strip_prefix(own.trim_end_matches('/')));
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    })
}

/// Reads a file as text, whatever is in it. The error names the file.
fn read_text(path: &Path) -> io::Result<String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

fn collect(directory: &Path, depth: usize, pids: &mut Vec<i32>) -> io::Result<()> {
    match read_text(&directory.join("cgroup.procs")) {
        Ok(text) => {
            // 0 stands for a process that has no pid in our namespace.
            let members = text.lines().filter_map(|line| line.parse::<i32>().ok());
            pids.extend(members.filter(|&pid| pid > 0));
        }
        // A threaded group: its processes are listed by the group above that is not (cgroups(7)).
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(error) => return Err(error),
    }
    if depth == 0 || pids.len() >= MAX_PIDS {
        return Ok(());
    }
    for entry in std::fs::read_dir(directory)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // A group that goes away meanwhile has no processes.
            let _ = collect(&entry.path(), depth - 1, pids);
        }
    }
    Ok(())
}

/// `ancestor` and every process that descends from it, by the parents in `/proc/*/stat`.
fn descendants(proc: &Path, ancestor: i32) -> io::Result<Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in std::fs::read_dir(proc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = std::fs::read(entry.path().join("stat")).ok().as_deref().and_then(Stat::parse);
        if let Some(stat) = stat {
            children.entry(stat.ppid).or_default().push(pid);
        }
    }
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests;
