//! What the host must offer for a namespace machine, and the remedy where it does not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::thread::{CapabilitySet, capabilities};

use crate::machine::MachineError;

/// Where systemd lives below the root.
pub const SYSTEMD: &str = "usr/lib/systemd/systemd";

/// A host that can boot a namespace machine.
#[derive(Clone, Debug)]
pub struct Host {
    /// The tree whose `/usr` is booted.
    pub root: PathBuf,
    /// The cgroup2 directory below which machines get theirs.
    pub cgroup: PathBuf,
}

impl Host {
    /// Looks at the host and the tree at `root`.
    ///
    /// # Errors
    /// [`MachineError::Unavailable`] with the remedy, for the first thing that is missing.
    pub fn inspect(root: &Path) -> Result<Self, MachineError> {
        let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        if !rustix::process::geteuid().is_root() || !effective.contains(CapabilitySet::SYS_ADMIN) {
            return unavailable("this is not root with CAP_SYS_ADMIN", "Run it with sudo.");
        }
        let systemd = root.join(SYSTEMD);
        if !systemd.exists() {
            let reason = format!("{} does not exist", systemd.display());
            return unavailable(&reason, "Install systemd, or give another distribution's tree with --root.");
        }
        for name in ["bin", "lib"] {
            if !fs::symlink_metadata(root.join(name)).is_ok_and(|metadata| metadata.is_symlink()) {
                let reason = format!("{} is not a link into usr", root.join(name).display());
                return unavailable(&reason, "Merge /usr (Debian: install the package usrmerge).");
            }
        }
        Ok(Self { root: root.to_owned(), cgroup: own_cgroup()? })
    }
}

fn unavailable<T>(reason: &str, remedy: &str) -> Result<T, MachineError> {
    Err(MachineError::Unavailable { reason: reason.into(), remedy: remedy.into() })
}

/// The directory of this process's own cgroup, for machines to have theirs below it.
fn own_cgroup() -> Result<PathBuf, MachineError> {
    let broken = |error| MachineError::broken("reading where cgroup2 is mounted", error);
    let Some(path) = cgroup_of(Path::new("/proc/self")).map_err(broken)? else {
        let remedy =
            "Mount it: mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified";
        return unavailable("cgroup2 is mounted nowhere", remedy);
    };
    match rustix::fs::access(&path, rustix::fs::Access::WRITE_OK) {
        Ok(()) => Ok(path),
        Err(error) => {
            let reason = format!("{} is not writable ({})", path.display(), io::Error::from(error));
            unavailable(&reason, "In a container, start it with a writable cgroup2 (see docker/README.md).")
        }
    }
}

/// The directory, as it is seen from here, of a process's cgroup in the cgroup2 hierarchy, pure or hybrid; the process is named by its
/// directory in `/proc`. [`None`] where cgroup2 is mounted nowhere.
pub fn cgroup_of(process: &Path) -> io::Result<Option<PathBuf>> {
    let mounts = cgroup2_mount(&fs::read_to_string("/proc/self/mountinfo")?);
    let Some((mount_point, mount_root)) = mounts else { return Ok(None) };
    let membership = fs::read_to_string(process.join("cgroup"))?;
    let own = membership.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let below = Path::new(own).strip_prefix(&mount_root).unwrap_or(Path::new(""));
    Ok(Some(mount_point.join(below)))
}

/// Mount point and root of the first cgroup2 in a `mountinfo` text.
fn cgroup2_mount(mountinfo: &str) -> Option<(PathBuf, PathBuf)> {
    mountinfo.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        if !filesystem.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let root = PathBuf::from(fields.next()?);
        Some((PathBuf::from(fields.next()?), root))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup2_is_found_on_pure_and_hybrid_hosts() {
        let hybrid = "\
30 24 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
40 30 0:36 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw";
        let pure = "30 24 0:26 /../.. /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        let none = "31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";
        assert_eq!(cgroup2_mount(hybrid), Some(("/sys/fs/cgroup/unified".into(), "/".into())));
        assert_eq!(cgroup2_mount(pure), Some(("/sys/fs/cgroup".into(), "/../..".into())));
        assert_eq!(cgroup2_mount(none), None);
    }
}
