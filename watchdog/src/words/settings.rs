//! Our settings as the journal has them from our start on, whatever was typed and derived: who measures a recovery computes its
//! bounds from them.

use std::time::Duration;

use crate::words::journal::{Entry, Journal, Priority};
use crate::words::log;

/// They. Of several sets of probes, those of the one that finds a hang last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings<'a> {
    /// Whom we guard, where that is another unit than ours.
    pub unit: Option<&'a str>,
    /// What is done about a hang: `trigger`, `withhold`, `restart` (from beside), or `nothing`.
    pub on_hang: &'static str,
    /// W
    pub watchdog: Duration,
    /// P
    pub interval: Duration,
    /// T
    pub timeout: Duration,
    /// N
    pub failures: u32,
    /// r
    pub retry_interval: Duration,
    /// How long the hang report may take.
    pub report: Duration,
}

impl Settings<'_> {
    /// Says `message`, which may be about a process, in the log, and these to the journal: as fields of the same entry, or where our log goes elsewhere as an entry
    /// of their own.
    pub fn tell(&self, pid: Option<i32>, message: &str) {
        let Self { unit, on_hang, failures, .. } = *self;
        tracing::info!(
            event = EVENT,
            pid,
            unit,
            on_hang,
            watchdog_usec = usec(self.watchdog),
            interval_usec = usec(self.interval),
            timeout_usec = usec(self.timeout),
            failures,
            retry_interval_usec = usec(self.retry_interval),
            report_usec = usec(self.report),
            "{message}"
        );
        if !log::is_for_journal() {
            let sent = Journal::connect().and_then(|mut journal| journal.send(&self.entry(message)));
            if let Err(error) = sent {
                tracing::debug!("the journal does not have our settings: {error}");
            }
        }
    }

    fn entry(&self, message: &str) -> Entry {
        let number = |entry: Entry, (name, value): (&'static str, u64)| entry.field(name, value.to_string());
        let entry = Entry::new(Priority::Debug, message)
            .field("HANGPROOF_EVENT", EVENT)
            .maybe("HANGPROOF_UNIT", self.unit)
            .field("HANGPROOF_ON_HANG", self.on_hang);
        [
            ("HANGPROOF_WATCHDOG_USEC", usec(self.watchdog)),
            ("HANGPROOF_INTERVAL_USEC", usec(self.interval)),
            ("HANGPROOF_TIMEOUT_USEC", usec(self.timeout)),
            ("HANGPROOF_FAILURES", u64::from(self.failures)),
            ("HANGPROOF_RETRY_INTERVAL_USEC", usec(self.retry_interval)),
            ("HANGPROOF_REPORT_USEC", usec(self.report)),
        ]
        .into_iter()
        .fold(entry, number)
    }
}

const EVENT: &str = "settings";

fn usec(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
