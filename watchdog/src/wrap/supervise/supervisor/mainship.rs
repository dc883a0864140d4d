//! Whether systemd listens to us: it does to the main process of the unit, which we are to be.
//!
//! Where it listens to another, nothing that we say counts: no READY=1, no ping, no trigger. It is asked after the start, after
//! READY=1, and, where the unit has a `PIDFile=` by which that can change, ever again.

use std::io;
use std::time::{Duration, Instant};

use super::Supervisor;
use crate::kernel::proc::own_pid;
use crate::systemd::main_process::{self, Standing};
use crate::systemd::unit_name;
use crate::words::span::rounded;
use crate::wrap::state::{Event, Phase};
use crate::wrap::supervise::wait::Boxed;

/// Where it can change, it is asked this often in each W …
const PER_W: u32 = 8;
/// … within these limits.
const GAP: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What is known of it.
#[derive(Default)]
pub(super) struct Mainship<'a> {
    /// systemd is being asked.
    pub asking: Option<Boxed<'a, io::Result<Standing>>>,
    next: Option<Instant>,
    /// When it was known last to listen to us.
    heard: Option<Instant>,
    /// To whom it listens instead, which was said.
    instead: Option<u32>,
}

impl Mainship<'_> {
    /// It is to be asked now.
    pub fn look(&mut self, now: Instant) {
        self.next = Some(now);
    }

    /// When it is to be asked again.
    pub fn next_look(&self) -> Option<Instant> {
        self.next.filter(|_| self.asking.is_none())
    }

    /// What we say counts, as far as known.
    pub fn is_ours(&self) -> bool {
        self.instead.is_none()
    }
}

impl Supervisor<'_> {
    /// To be called when the time has come for it.
    pub(super) fn ask_for_mainship(&mut self) {
        self.mainship.next = None;
        self.mainship.asking = Some(Box::pin(main_process::ask()));
    }

    pub(super) fn mainship_told(&mut self, standing: io::Result<Standing>) {
        let now = Instant::now();
        self.mainship.asking = None;
        let standing = match standing {
            Ok(standing) => standing,
            Err(error) => {
                tracing::debug!("systemd cannot be asked whom it takes for the main process: {error}");
                if is_passing(error.kind()) {
                    self.mainship.next = self.next_question(now);
                }
                return;
            }
        };
        if !standing.pid_file.is_empty() {
            self.mainship.next = self.next_question(now);
        }
        self.state.timeout_start_is(standing.timeout_start);
        self.metrics.heard(standing.instead.is_none());
        if standing.instead == self.mainship.instead {
            if standing.instead.is_none() {
                self.mainship.heard = Some(now);
            }
            return;
        }
        self.mainship.instead = standing.instead;
        if let Some(main) = standing.instead {
            self.say_not_ours(main, &standing.pid_file, now);
        } else {
            self.mainship.heard = Some(now);
            tracing::info!("systemd takes sd-watchdog for the main process again");
        }
        self.step(Event::MainProcess { instead: standing.instead });
    }

    fn next_question(&self, now: Instant) -> Option<Instant> {
        let is_of_use = matches!(self.state.phase(), Phase::Starting | Phase::Watching | Phase::Unguarded);
        let gap = self.service.config.watchdog.map_or(GAP.1, |w| (w / PER_W).clamp(GAP.0, GAP.1));
        is_of_use.then(|| now + gap)
    }

    fn say_not_ours(&self, main: u32, pid_file: &str, now: Instant) {
        let whom = match main {
            0 => "no process".to_owned(),
            pid if i32::try_from(pid) == Ok(self.child.pid()) => format!("COMMAND (process {pid})"),
            pid => format!("process {pid}"),
        };
        let what = match (self.state.phase(), self.service.config.watchdog) {
            (Phase::Starting, _) => "does not hear that it is ready: the start times out".to_owned(),
            (_, None) => "does not hear what is said of it".to_owned(),
            (_, Some(watchdog)) => {
                let left = self.mainship.heard.map_or(watchdog, |heard| watchdog.saturating_sub(now - heard));
                format!("refuses its pings: it ends the service, healthy or not, within {}", rounded(left))
            }
        };
        let remedy = if pid_file.is_empty() {
            "have ExecStart= begin with sd-watchdog".to_owned()
        } else {
            format!("take PIDFile={pid_file} out of the unit")
        };
        let unit = unit_name::own().unwrap_or_else(|| "the unit".to_owned());
        tracing::error!(
            "systemd takes {whom} for the main process of {unit}, not sd-watchdog (process {}), and {what}; {remedy}, \
             or use sd-watchdog guard",
            own_pid()
        );
    }
}

/// systemd is busy, or executes itself anew: it can be asked again. Where there is no way to it, there will be none.
fn is_passing(error: io::ErrorKind) -> bool {
    use io::ErrorKind as Is;
    matches!(
        error,
        Is::TimedOut
            | Is::ConnectionRefused
            | Is::ConnectionReset
            | Is::ConnectionAborted
            | Is::BrokenPipe
            | Is::UnexpectedEof
    )
}
