//! The way to systemd, as the environment says.

use crate::service::environment::{Environment, Watchdog};
use crate::systemd::notify::Notifier;

/// Opens the way to systemd. Where there is none, or no watchdog, says so once: the service runs all the same.
pub fn connect(environment: &Environment) -> Option<Notifier> {
    let Some(socket) = &environment.notify_socket else {
        tracing::warn!(
            "NOTIFY_SOCKET is not set: COMMAND runs unguarded; start it from a unit with Type=notify and WatchdogSec="
        );
        return None;
    };
    let notifier = match Notifier::new(socket) {
        Ok(notifier) => notifier,
        Err(error) => {
            tracing::warn!("{error}: COMMAND runs unguarded");
            return None;
        }
    };
    match environment.watchdog {
        Watchdog::On(_) => {}
        Watchdog::Off => tracing::warn!(
            "the unit has no watchdog: COMMAND is probed until it is ready and runs unguarded then; set WatchdogSec="
        ),
        Watchdog::NotOurs { pid } => tracing::warn!(
            "the watchdog is for process {pid} (WATCHDOG_PID), not for us: COMMAND is probed until it is ready and \
             runs unguarded then; make sd-watchdog the first program of ExecStart="
        ),
    }
    Some(notifier)
}
