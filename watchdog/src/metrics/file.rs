//! `--metrics-file PATH`: the same page as a file, for node_exporter's textfile collector.
//!
//! It is replaced as a whole (a file beside it, then rename(2)), and removed at the end: figures of a service that does
//! not run are worse than none. A sd-watchdog that is killed leaves its file behind: put it into the unit's
//! `RuntimeDirectory=`, or look at `node_textfile_mtime_seconds`.
//!
//! A file system can block. So a thread does the work, one at a time, with the newest page; it ends when there is no more
//! to do. What goes wrong is said once, and stops nothing.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;

use super::Metrics;

/// Figures that only moved on are written at most this often; Prometheus asks every 15 to 60 s.
const REFRESH: Duration = Duration::from_secs(15);
/// How long the end waits for the file to be gone.
const FAREWELL: Duration = Duration::from_millis(100);
/// Enough for a write, and for the log line about one that failed.
const STACK: usize = 128 * 1024;

/// Whether to write at `now`, given when that was done last.
fn is_due(last: Option<Instant>, now: Instant, changed: bool) -> bool {
    changed || last.is_none_or(|last| now.saturating_duration_since(last) >= REFRESH)
}

/// A file that is kept up to date.
#[derive(Debug)]
pub struct MetricsFile {
    last: Option<Instant>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    desk: Mutex<Desk>,
    removed: Notify,
}

/// What is to be done, and by whom.
#[derive(Debug, Default)]
struct Desk {
    order: Option<Order>,
    at_work: bool,
    complained: bool,
}

#[derive(Debug)]
enum Order {
    Write(String),
    Remove,
}

impl MetricsFile {
    /// Nothing is written yet.
    pub fn new(path: &Path) -> Self {
        let (desk, removed) = (Mutex::default(), Notify::new());
        Self { last: None, shared: Arc::new(Shared { path: path.to_owned(), desk, removed }) }
    }

    /// Has the figures written, if it is time for that, or if the state has `changed`. Never blocks.
    pub fn update(&mut self, metrics: &Metrics, now: Instant, changed: bool) {
        if is_due(self.last, now, changed) {
            self.last = Some(now);
            self.shared.order(Order::Write(metrics.encode()));
        }
    }

    /// Removes the file, and waits until that is done, or for [`FAREWELL`].
    pub async fn remove(&self) {
        self.shared.order(Order::Remove);
        let _ = timeout(FAREWELL, self.shared.removed.notified()).await;
    }
}

impl Shared {
    fn order(self: &Arc<Self>, order: Order) {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.order = Some(order);
        if desk.at_work {
            return;
        }
        let worker = Arc::clone(self);
        // Not Tokio's pool, which panics where there can be no thread (TasksMax=).
        match std::thread::Builder::new()
            .name("metrics-file".into())
            .stack_size(STACK)
            .spawn(move || worker.work())
        {
            Ok(_) => desk.at_work = true,
            Err(error) => desk.complain(&self.path, &error),
        }
    }

    /// Does what is ordered, until nothing is. The desk is free while a file is touched.
    fn work(&self) {
        let mut result = Ok(());
        loop {
            let order = {
                let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
                match &result {
                    Ok(()) => desk.complained = false,
                    Err(error) => desk.complain(&self.path, error),
                }
                let Some(order) = desk.order.take() else {
                    desk.at_work = false;
                    return;
                };
                order
            };
            result = match order {
                Order::Write(page) => replace(&self.path, &page),
                Order::Remove => {
                    let gone = fs::remove_file(&self.path);
                    self.removed.notify_one();
                    gone.or_else(
                        |error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) },
                    )
                }
            };
        }
    }
}

impl Desk {
    fn complain(&mut self, path: &Path, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(
                "--metrics-file {} cannot be written: {error}{}; going on without",
                path.display(),
                remedy(error.kind())
            );
        }
    }
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "; make its directory (RuntimeDirectory=)",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; let the unit write there (RuntimeDirectory=, ReadWritePaths=)"
        }
        _ => "",
    }
}

/// Whoever reads `path` sees the old page or the new one, and may read it whatever our umask.
fn replace(path: &Path, page: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
    // Not NAME.prom: the collector reads all of those.
    let beside = path.with_file_name(format!(".{}.{}~", name.to_string_lossy(), std::process::id()));
    let write = || {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // A new one: what somebody else has put there is neither followed nor written to.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(page.as_bytes())?;
        fs::rename(&beside, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_at_once_when_the_state_changes_and_else_every_15_s() {
        let last = Instant::now();
        for (ago, changed, expected) in [
            (None, false, true),
            (None, true, true),
            (Some(REFRESH), false, true),
            (Some(Duration::from_millis(14_999)), false, false),
            (Some(Duration::ZERO), false, false),
            (Some(Duration::ZERO), true, true),
        ] {
            let now = last + ago.unwrap_or_default();
            assert_eq!(is_due(ago.map(|_| last), now, changed), expected, "{ago:?} {changed}");
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
    }

    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "not {what}");
            std::thread::yield_now();
        }
    }

    fn remove(file: &MetricsFile) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(file.remove());
    }

    #[test]
    fn the_file_has_the_newest_figures_for_all_to_read_and_is_gone_at_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.prom");
        let (mut file, metrics) = (MetricsFile::new(&path), Metrics::new(None, None));
        let now = Instant::now();
        for _ in 0..100 {
            metrics.ping();
            file.update(&metrics, now, true);
        }
        file.update(&Metrics::new(None, None), now, false);
        let has_all =
            || fs::read_to_string(&path).is_ok_and(|text| text.contains("\nsd_watchdog_pings_total 100\n"));
        wait_until("written", has_all);
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o644);
        remove(&file);
        wait_until("removed", || names(directory.path()).is_empty());
    }

    #[test]
    fn removing_comes_after_the_write_that_is_under_way() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.prom");
        for _ in 0..200 {
            let mut file = MetricsFile::new(&path);
            file.update(&Metrics::new(None, None), Instant::now(), true);
            remove(&file);
            wait_until("idle", || !file.shared.desk.lock().expect("a desk").at_work);
            assert_eq!(names(directory.path()), [""; 0]);
        }
    }

    #[test]
    fn a_directory_that_comes_later_is_written_to_then() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("later/x.prom");
        let (mut file, metrics) = (MetricsFile::new(&path), Metrics::new(None, None));
        let is_idle = |file: &MetricsFile| !file.shared.desk.lock().expect("a desk").at_work;
        file.update(&metrics, Instant::now(), true);
        wait_until("idle", || is_idle(&file));
        assert!(file.shared.desk.lock().expect("a desk").complained);
        fs::create_dir(directory.path().join("later")).expect("a directory");
        file.update(&metrics, Instant::now(), true);
        wait_until("idle", || is_idle(&file));
        assert!(path.exists() && !file.shared.desk.lock().expect("a desk").complained);
    }

    #[test]
    fn neither_a_link_beside_nor_a_failed_write_leaves_anything_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, victim) = (directory.path().join("x.prom"), directory.path().join("victim"));
        fs::write(&victim, "precious").expect("a file");
        let beside = directory.path().join(format!(".x.prom.{}~", std::process::id()));
        std::os::unix::fs::symlink(&victim, &beside).expect("a link");
        replace(&path, "page").expect("replaced");
        assert_eq!(fs::read_to_string(&path).expect("a file"), "page");
        assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a directory in the way");
        assert!(replace(&path, "page").is_err());
        assert!(!beside.exists());
    }
}
