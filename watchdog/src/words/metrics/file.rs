//! `--metrics-file PATH`: the same page as a file, for node_exporter's textfile collector.
//!
//! It is replaced as a whole (a file beside it, then rename(2)), and removed at the end: figures of a service that does
//! not run are worse than none. A sd-watchdog that is killed leaves its file behind: put it into the unit's
//! `RuntimeDirectory=`, or look at `node_textfile_mtime_seconds`.
//!
//! PATH may be wrong, and we may be root: what is no page of a sd-watchdog (a device, a link, a file of something else) is
//! refused at the start and never replaced, and at the end only the page is removed that we wrote.
//!
//! A file system can block. So a thread does the work, one at a time, with the newest page; it ends when there is no more
//! to do. What goes wrong is said once, until it works again, and stops nothing.

use std::fs::{self, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub use self::in_the_way::InTheWay;
use self::in_the_way::look;
use super::Metrics;
use crate::kernel::alarm::timeout;
use crate::kernel::aside;

mod in_the_way;

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
    written: Option<Identity>,
}

/// Which file is behind a name: its device and its inode.
type Identity = (u64, u64);

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

#[derive(Debug)]
enum Order {
    Write(String),
    Remove,
}

impl MetricsFile {
    /// Nothing is written yet. Refuses a `path` that is of something else.
    pub fn new(path: &Path) -> Result<Self, InTheWay> {
        look(path)?;
        let (desk, removed) = (Mutex::default(), Notify::new());
        Ok(Self { last: None, shared: Arc::new(Shared { path: path.to_owned(), desk, removed }) })
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
        let mut desk = self.desk();
        desk.order = Some(order);
        if desk.at_work {
            return;
        }
        let worker = Arc::clone(self);
        match aside::start("metrics-file", Some(STACK), move || worker.work()) {
            Ok(()) => desk.at_work = true,
            Err(error) => desk.complain(&self.path, &error),
        }
    }

    /// Does what is ordered, until nothing is. The desk is free while a file is touched.
    fn work(&self) {
        let mut done: Option<io::Result<()>> = None;
        loop {
            let order = {
                let mut desk = self.desk();
                match &done {
                    // Another worker's complaint still holds.
                    None => {}
                    Some(Ok(())) => desk.complained = false,
                    Some(Err(error)) => desk.complain(&self.path, error),
                }
                let Some(order) = desk.order.take() else {
                    desk.at_work = false;
                    return;
                };
                order
            };
            done = Some(match order {
                Order::Write(page) => {
                    replace(&self.path, &page).map(|written| self.desk().written = Some(written))
                }
                Order::Remove => {
                    let written = self.desk().written.take();
                    let gone = written.map_or(Ok(()), |written| remove(&self.path, written));
                    self.removed.notify_one();
                    gone
                }
            });
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Removes what was `written`, if it is still there.
fn remove(path: &Path, written: Identity) -> io::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        // Somebody may have written over it.
        Ok(found) if identity(&found) == written && look(path).is_ok() => fs::remove_file(path),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    gone.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Whoever reads `path` sees the old page or the new one, and may read it whatever our umask.
fn replace(path: &Path, page: &str) -> io::Result<Identity> {
    // Once more: it may have come since.
    look(path).map_err(io::Error::other)?;
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
        let written = identity(&file.metadata()?);
        fs::rename(&beside, path)?;
        Ok(written)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests;
