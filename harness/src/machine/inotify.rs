//! inotify instances: of the limits of a user (inotify(7)), the one that many machines at once reach first. Where none is
//! left, systemd does not boot and journalctl follows nothing, in words that do not say why.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::MachineError;

/// What the administrator sets, and what a user namespace may have less of.
const LIMITS: [&str; 2] = ["/proc/sys/fs/inotify/max_user_instances", "/proc/sys/user/max_inotify_instances"];

/// How many a machine has in a run: PID 1 three, journalctl one (systemd 252 to 262), and two for what services want.
const OF_MACHINE: usize = 6;
/// How many of them one that has booted may still want.
const LATER: usize = 3;

/// How many instances there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Those that are in use.
    pub used: usize,
    /// How many there may be.
    pub limit: usize,
}

/// The machines beside one that is to boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Those that have booted.
    pub running: usize,
    /// Those that have not, and were there before it.
    pub ahead: usize,
}

impl Usage {
    /// What this user has now, as far as `/proc` shows; `None` where that cannot be known.
    ///
    /// Counted, not tried: who makes instances until there are none leaves none to others meanwhile.
    pub fn now() -> Option<Self> {
        let limits = LIMITS.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
        let limit = limits.min()?;
        let own = rustix::process::geteuid().as_raw();
        let processes = fs::read_dir("/proc").ok()?.flatten().filter(|entry| {
            let is_process = entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit);
            is_process && entry.metadata().is_ok_and(|metadata| metadata.uid() == own)
        });
        Some(Self { used: processes.map(|process| held_by(&process.path())).sum(), limit })
    }

    /// Whether one more machine has what it wants, and so have its neighbours.
    pub fn has_room(self, neighbours: Neighbours) -> bool {
        let wanted = OF_MACHINE * (neighbours.ahead + 1) + LATER * neighbours.running;
        self.limit.saturating_sub(self.used) >= wanted
    }

    /// How many more machines there is room for.
    pub fn room(self) -> usize {
        self.limit.saturating_sub(self.used) / OF_MACHINE
    }

    /// That there is no room, and what to do about it.
    pub fn exhausted(self) -> MachineError {
        MachineError::Unavailable {
            reason: format!("{self}, and a machine wants {OF_MACHINE}"),
            remedy: format!(
                "Raise the limit (`sysctl fs.inotify.max_user_instances={}`; for good, in /etc/sysctl.d), or end what has them.",
                (self.limit * 4).max(1024)
            ),
        }
    }
}

/// Why systemd did not boot, where it could not.
pub fn or_exhausted(error: MachineError) -> MachineError {
    let is_ours = matches!(error, MachineError::Boot { .. }) && rustix::process::geteuid().is_root();
    let exhausted = Usage::now().filter(|usage| is_ours && usage.room() == 0);
    exhausted.map_or(error, Usage::exhausted)
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { used, limit } = self;
        write!(f, "{used} of {limit} inotify instances (fs.inotify.max_user_instances) are in use")
    }
}

/// How many instances the process has whose directory in `/proc` this is. Those that it shares with another count twice.
pub fn held_by(process: &Path) -> usize {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let is_inotify = |descriptor: io::Result<std::path::PathBuf>| {
        descriptor.is_ok_and(|link| matches!(link.to_str(), Some("anon_inode:inotify" | "inotify")))
    };
    descriptors.filter(|descriptor| is_inotify(fs::read_link(descriptor.path()))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_room_if_all_that_are_ahead_and_all_that_run_have() {
        for (used, ahead, running, expected) in [
            (122, 0, 0, true),
            (123, 0, 0, false),
            (116, 1, 0, true),
            (117, 1, 0, false),
            (119, 0, 1, true),
            (120, 0, 1, false),
            // More than there may be: the limit was lowered.
            (200, 0, 0, false),
        ] {
            let usage = Usage { used, limit: 128 };
            assert_eq!(usage.has_room(Neighbours { running, ahead }), expected, "{used}, {ahead}, {running}");
        }
    }

    #[test]
    fn instances_are_counted_where_they_are_held() {
        let own = || held_by(Path::new("/proc/self"));
        let (before, usage) = (own(), Usage::now().expect("there is a limit"));
        let held = [(); 3].map(|()| rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC));
        assert_eq!(own(), before + 3);
        assert!(usage.limit > 0, "{usage}");
        drop(held);
        assert_eq!(own(), before);
    }

    #[test]
    fn what_is_exhausted_is_named_with_its_limit_and_the_remedy() {
        let text = Usage { used: 127, limit: 128 }.exhausted().to_string();
        assert_eq!(
            text,
            "no machine can be booted here: 127 of 128 inotify instances (fs.inotify.max_user_instances) are in use, and a \
             machine wants 6. Raise the limit (`sysctl fs.inotify.max_user_instances=1024`; for good, in /etc/sysctl.d), or \
             end what has them."
        );
    }
}
