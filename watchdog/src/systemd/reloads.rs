//! When systemd itself is reloaded (`systemctl daemon-reload`, `daemon-reexec`), as far as a service can see that.
//!
//! systemd then forgets extensions (`EXTEND_TIMEOUT_USEC=`): it arms its timers by the unit's settings again
//! (`service_coldplug`), so a start that has lasted longer than TimeoutStartSec= is over when it comes to look at them.
//! But it reads first what was said meanwhile: who says it again while the reload lasts is heard in time. A reload begins
//! with the generators' directories, beside the notify socket, being made anew; there are generators on every host.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use crate::kernel::raw;

/// What their names begin with: `generator`, `generator.early`, `generator.late`.
const GENERATED: &[u8] = b"generator";

/// Watches systemd.
#[derive(Debug)]
pub struct Reloads(AsyncFd<OwnedFd>);

impl Reloads {
    /// Of the systemd whose notify socket is in this directory. Needs a Tokio runtime with I/O.
    pub fn watch(directory: &Path) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        inotify::add_watch(
            &inotify,
            directory,
            WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::ONLYDIR,
        )?;
        Ok(Self(raw::readable(inotify)?))
    }

    /// Ends when one is under way; a few times for each. Nothing is lost when this is dropped before it ends.
    pub async fn next(&self) -> io::Result<()> {
        loop {
            let mut ready = raw::ready(&self.0).await?;
            let is_reload = saw_generated(self.0.get_ref())?;
            ready.clear_ready();
            if is_reload {
                return Ok(());
            }
        }
    }
}

/// Reads all there is.
fn saw_generated(inotify: &OwnedFd) -> io::Result<bool> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(inotify, &mut buffer);
    let mut seen = false;
    loop {
        match reader.next() {
            Ok(event) => seen |= event.file_name().is_some_and(|name| name.to_bytes().starts_with(GENERATED)),
            Err(Errno::AGAIN) => return Ok(seen),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use crate::kernel::alarm::timeout;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn generators_directories_that_come_or_go_are_a_reload_and_others_are_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let generated = directory.path().join("generator.late");
        let reloads = Reloads::watch(directory.path()).expect("watched");
        fs::create_dir(directory.path().join("transient")).expect("made");
        assert!(timeout(Duration::from_millis(20), reloads.next()).await.is_err(), "not a generator's");
        fs::create_dir(&generated).expect("made");
        reloads.next().await.expect("one");
        fs::remove_dir(&generated).expect("removed");
        reloads.next().await.expect("another");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_directory_that_is_not_there_is_an_error() {
        assert!(Reloads::watch(Path::new("/no/such/directory")).is_err());
    }
}
