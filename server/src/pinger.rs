//! A thread that pings systemd whatever becomes of the workers: what `self-ping` adds to a hang.
//!
//! `--notify=ungated` is the same mistake from the start on; this one can begin in a server that does not notify at all.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long the first ping may take. It blocks where systemd's socket is full.
const FIRST: Duration = Duration::from_secs(5);

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Pinger {
    _stop: mpsc::Sender<()>,
}

impl Pinger {
    /// Pings now, and once more each time this has passed; returns after the first ping, or says why there is none.
    pub async fn start(every: Duration) -> Result<Self, String> {
        if std::env::var_os("NOTIFY_SOCKET").is_none_or(|address| address.is_empty()) {
            return Err("NOTIFY_SOCKET is not set, so there is nobody to ping. Type=notify in a unit sets it; behind \
                sd-watchdog, `--child-pings require` does"
                .to_owned());
        }
        let (stop, stopped) = mpsc::channel();
        let (tell, told) = oneshot::channel();
        let work = move || {
            // The mistake: nobody has looked whether the server serves.
            let _ = tell.send(ping());
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let _ = ping();
            }
        };
        thread::Builder::new().name("self-ping".to_owned()).spawn(work).map_err(|error| error.to_string())?;
        match timeout(FIRST, told).await {
            Ok(Ok(Ok(()))) => Ok(Self { _stop: stop }),
            Ok(Ok(Err(error))) => Err(format!("systemd cannot be pinged: {error}")),
            Ok(Err(_)) | Err(_) => Err(format!("systemd has not taken a ping within {FIRST:?}")),
        }
    }
}

fn ping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Watchdog])
}
