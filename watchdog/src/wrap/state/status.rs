//! `STATUS=`, as `systemctl status` shows it.

use std::time::{Duration, Instant};

/// A new status is said at most this often …
const GAP: Duration = Duration::from_secs(1);
/// … and one that only brings the figures up to date, this often.
const REFRESH: Duration = Duration::from_secs(60);

/// What a status is about. A change of it is news; another text of the same kind is an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Waiting,
    Healthy,
    Unhealthy,
}

/// Keeps `STATUS=` from being said with every probe: PID 1 handles each of them, for every service.
#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    last: Option<(Kind, Instant)>,
    /// COMMAND's own.
    child: Option<String>,
    /// The process that systemd listens to instead of us.
    pub(super) not_ours: Option<u32>,
    is_news: bool,
}

impl Status {
    pub(super) fn said(&mut self, kind: Kind, now: Instant) {
        self.last = Some((kind, now));
        self.is_news = false;
    }

    /// COMMAND said this of itself; it stands in front of what we find, from the next probe on.
    pub(super) fn child_says(&mut self, status: String) {
        self.is_news |= self.child.as_ref() != Some(&status);
        self.child = Some(status).filter(|status| !status.is_empty());
    }

    /// Some figure in it has changed that people wait for.
    pub(super) fn is_news(&mut self) {
        self.is_news = true;
    }

    /// With COMMAND's own words in front, if there are any. What it says of systemd shows where that takes the word of any
    /// process for the status, and when it listens to us again.
    fn joined(&self, text: &str) -> String {
        let refused =
            self.not_ours.map(|main| format!("systemd refuses our pings, its main process is {main}"));
        let parts = self.child.as_deref().into_iter().chain(refused.as_deref()).chain([text]);
        parts.collect::<Vec<_>>().join(" | ")
    }

    /// Whether it is time to say one. What is held back is made anew at the next probe.
    pub(super) fn is_due(&self, kind: Kind, now: Instant) -> bool {
        match self.last {
            None => true,
            Some((Kind::Healthy, at)) if kind == Kind::Healthy && !self.is_news => now - at >= REFRESH,
            Some((_, at)) => now - at >= GAP,
        }
    }

    /// The text, if it is time to say it.
    pub(super) fn say(&mut self, kind: Kind, now: Instant, text: impl FnOnce() -> String) -> Option<String> {
        self.is_due(kind, now).then(|| self.now(kind, now, &text()))
    }

    /// The text, which is said at once.
    pub(super) fn now(&mut self, kind: Kind, now: Instant, text: &str) -> String {
        self.said(kind, now);
        self.joined(text)
    }
}
