//! What a guard that is itself restarted has to know of UNIT, in files in `/run`, which outlive neither the clock nor UNIT's
//! invocations.
//!
//! - `UNIT.restarts`: when UNIT was ended, so that there is no full budget to begin with. A line for each end, in microseconds
//!   of CLOCK_MONOTONIC.
//! - `UNIT.healthy`: which life of UNIT was healthy, and under which options. A guard ends nothing that never was healthy
//!   under its probes; so without this, one that is killed while UNIT hangs (by its own watchdog, say, on a host in trouble)
//!   would leave that hang alone when it is back. A guard that is *asked* to stop removes it: whoever restarts it may have
//!   changed what is probed, and so that is to be seen healthy anew.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::guard::unit::Instance;
use crate::systemd::directory;
use crate::systemd::notify::monotonic_usec;

/// The files.
#[derive(Debug)]
pub struct Ledger {
    restarts: PathBuf,
    healthy: PathBuf,
    /// What stands for our options.
    fingerprint: u64,
}

impl Ledger {
    /// In `directory`, of this `unit`, for a guard with these `options`.
    pub fn new(directory: &Path, unit: &str, options: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        options.hash(&mut hasher);
        Self {
            restarts: directory.join(format!("{unit}.restarts")),
            healthy: directory.join(format!("{unit}.healthy")),
            fingerprint: hasher.finish(),
        }
    }

    /// When UNIT was ended, the oldest first; nothing where nothing was kept. What is no time of the past is passed over.
    pub fn ends(&self) -> Vec<Instant> {
        let kept = read(&self.restarts).unwrap_or_default();
        let (now, usec) = (Instant::now(), monotonic_usec());
        let past = |line: &str| now.checked_sub(Duration::from_micros(usec.checked_sub(line.parse().ok()?)?));
        kept.lines().filter_map(past).collect()
    }

    /// Keeps this instead of what was there. A reader sees the one or the other.
    pub fn keep_ends(&self, ends: &[Instant]) -> io::Result<()> {
        let (now, usec) = (Instant::now(), monotonic_usec());
        let line = |end: &Instant| {
            let ago = u64::try_from(now.saturating_duration_since(*end).as_micros()).unwrap_or(u64::MAX);
            format!("{}\n", usec.saturating_sub(ago))
        };
        replace(&self.restarts, &ends.iter().map(line).collect::<String>())
    }

    /// The life of UNIT that was healthy last, as a guard with the same options saw it that nobody has asked to stop.
    pub fn healthy(&self) -> Option<Instance> {
        let kept = read(&self.healthy)?;
        let (id, options) = kept.trim_end().rsplit_once(' ')?;
        (options == self.options()).then(|| Instance::of_id(id))?
    }

    /// Keeps that this life of UNIT was healthy.
    pub fn keep_health(&self, instance: &Instance) -> io::Result<()> {
        replace(&self.healthy, &format!("{} {}\n", instance.id(), self.options()))
    }

    /// We were asked to stop.
    pub fn forget_health(&self) {
        if self.healthy().is_some()
            && let Err(error) = fs::remove_file(&self.healthy)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("{} cannot be removed: {error}", self.healthy.display());
        }
    }

    fn options(&self) -> String {
        format!("{:016x}", self.fingerprint)
    }
}

/// [`None`] where there is nothing to be had.
fn read(path: &Path) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(kept) => Some(kept),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!("{} cannot be read: {error}; what it has is forgotten", path.display());
            }
            None
        }
    }
}

/// Its directory is made: a guard that is run by hand, or for a user, has no `RuntimeDirectory=`.
///
/// There may be two guards of one unit (one with --dry-run), so the draft has a name of its own.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    if let Some(ours) = path.parent() {
        directory::make(ours)?;
    }
    fs::write(&draft, content)?;
    fs::rename(&draft, path).inspect_err(|_| drop(fs::remove_file(&draft)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(directory: &tempfile::TempDir) -> Ledger {
        Ledger::new(directory.path(), "nginx.service", ["guard", "nginx"])
    }

    fn instance(main_pid: u32) -> Instance {
        Instance { main_pid, invocation: vec![0x5f, 0x03, 0] }
    }

    #[test]
    fn its_directory_lets_other_users_in_whatever_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().expect("a directory");
        let directory = parent.path().join("sd-watchdog");
        Ledger::new(&directory, "nginx.service", ["guard"]).keep_ends(&[]).expect("writable");
        let mode = fs::metadata(&directory).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "services that become another user have their sockets in it");
    }

    #[test]
    fn a_guard_that_is_restarted_knows_when_the_unit_was_ended() {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = ledger(&directory);
        assert!(ledger.ends().is_empty());
        let now = Instant::now();
        let ends = [3, 2, 1].map(|secs| now.checked_sub(Duration::from_secs(secs)).expect("up for long"));
        ledger.keep_ends(&ends).expect("writable");
        let read = ledger.ends();
        assert_eq!(read.len(), 3);
        for (read, written) in read.into_iter().zip(ends) {
            let off = read.max(written) - read.min(written);
            // Between the readings of the two clocks this process may have had to wait.
            assert!(off < Duration::from_millis(500), "{off:?}");
        }
        let names = fs::read_dir(directory.path()).expect("readable").count();
        assert_eq!(names, 1, "the draft is gone");
    }

    #[test]
    fn what_is_no_time_of_the_past_is_passed_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = ledger(&directory);
        let kept = format!("soon\n\n-1\n{}\n{}\n", u64::MAX, monotonic_usec());
        fs::write(&ledger.restarts, kept).expect("writable");
        assert_eq!(ledger.ends().len(), 1);
    }

    #[test]
    fn a_guard_that_was_killed_knows_which_life_of_the_unit_was_healthy_under_its_options() {
        let directory = tempfile::tempdir().expect("a directory");
        let with = |options: &[&str]| Ledger::new(directory.path(), "nginx.service", options);
        let (before, same, other) =
            (with(&["--tcp", "x:1"]), with(&["--tcp", "x:1"]), with(&["--tcp", "x:2"]));
        assert_eq!(before.healthy(), None);
        for main_pid in [7, 8] {
            before.keep_health(&instance(main_pid)).expect("writable");
            assert_eq!(same.healthy(), Some(instance(main_pid)));
        }
        assert_eq!(other.healthy(), None, "another probe has seen nothing");
        other.forget_health();
        assert_eq!(same.healthy(), Some(instance(8)), "it is not its to forget");
        same.forget_health();
        assert_eq!(same.healthy(), None);
        assert_eq!(fs::read_dir(directory.path()).expect("readable").count(), 0);
    }

    #[test]
    fn what_is_no_life_of_a_unit_is_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = ledger(&directory);
        let options = ledger.options();
        for kept in ["", "x", &options, &format!("5f0/7 {options}"), &format!("5f03/x {options}"), "5f03/7 0"]
        {
            fs::write(&ledger.healthy, kept).expect("writable");
            assert_eq!(ledger.healthy(), None, "{kept:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_said_so() {
        let ledger = Ledger::new(Path::new("/nonexistent/below"), "x.service", 0);
        assert!(ledger.keep_ends(&[]).is_err());
        assert!(ledger.keep_health(&instance(7)).is_err());
    }

    #[test]
    fn a_draft_that_cannot_be_put_in_its_place_is_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let ledger = ledger(&directory);
        fs::create_dir(&ledger.restarts).expect("made");
        assert!(ledger.keep_ends(&[]).is_err());
        assert_eq!(fs::read_dir(directory.path()).expect("readable").count(), 1);
    }
}
