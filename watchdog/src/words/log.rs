//! The log, for people and for machines.
//!
//! The message says everything to people. The fields of an event say the same to machines, and go to the journal only:
//!
//! ```text
//! tracing::warn!(reason = %reason, failures, "unhealthy: {reason}");   // HANGPROOF_REASON=, HANGPROOF_FAILURES=
//! ```
//!
//! | standard error is | then |
//! |---|---|
//! | anything but the journal | `sd-watchdog: MESSAGE` |
//! | the journal (`JOURNAL_STREAM`) | the same with the priority in front, `<4>` (sd-daemon(3)) |
//! | the journal, and [`structured`] is held | entries in journald's native protocol, with the fields |
//!
//! Entries carry `SYSLOG_IDENTIFIER=sd-watchdog`, whereas a line has the identifier of the unit, as COMMAND's own lines
//! have: hence the name in front of it. journald knows the unit of a line from the stream, and that of an entry from the
//! sender's process, as long as that lives. So what is said last, before an exit, is better a line: [`structured`] is
//! held while the loop runs, and no longer.
//!
//! What finds no room is dropped rather than waited for: a log that is not read must not hold up probing. An entry that
//! journald does not take is tried as a line. How many were lost is said when there is room again.
//!
//! Only what `sd-watchdog` itself says is logged; what its libraries say is not for its users.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::event::LogRecord;
use self::line::Lines;
use crate::words::journal::Journal;

mod event;
mod line;

/// Sends what this process says to standard error; `verbose` adds every probe and message.
pub fn init(verbose: bool) {
    let level = if verbose { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let log = LOG.get_or_init(|| Log::new(level, Lines::to_stderr()));
    // Fails only where a subscriber is set already: then it, not this, is what the caller wants.
    let _ = tracing::subscriber::set_global_default(log);
}

/// From now on, and until the result is dropped, entries go to journald with their fields, if standard error is the
/// journal and journald can be reached. Otherwise nothing changes.
#[must_use = "entries are structured until it is dropped"]
pub fn structured() -> Structured {
    if let Some(log) = LOG.get()
        && log.with(|sinks| sinks.lines.for_journal())
    {
        match Journal::connect() {
            Ok(journal) => log.with(|sinks| sinks.journal = Some(journal)),
            Err(error) => tracing::debug!("the log stays plain: {error}"),
        }
    }
    Structured(())
}

/// Whether standard error is the journal, so that what is said here is read there.
pub fn is_for_journal() -> bool {
    LOG.get().is_some_and(|log| log.with(|sinks| sinks.lines.for_journal()))
}

/// See [`structured`].
#[derive(Debug)]
pub struct Structured(());

impl Drop for Structured {
    fn drop(&mut self) {
        if let Some(log) = LOG.get() {
            log.with(|sinks| sinks.journal = None);
        }
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

/// The one subscriber.
struct Log {
    level: LevelFilter,
    sinks: Mutex<Sinks>,
}

/// Where it goes. Nothing here waits, so neither does whoever waits for the lock.
struct Sinks {
    lines: Lines,
    journal: Option<Journal>,
    lost: u64,
}

impl Log {
    fn new(level: LevelFilter, lines: Lines) -> Self {
        Self { level, sinks: Mutex::new(Sinks { lines, journal: None, lost: 0 }) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Sinks) -> T) -> T {
        work(&mut self.sinks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sinks {
    fn say(&mut self, said: &LogRecord) {
        if self.lost > 0 {
            let lost = LogRecord::lost(self.lost);
            if !self.try_say(&lost) {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        if !self.try_say(said) {
            self.lost += 1;
        }
    }

    fn try_say(&mut self, said: &LogRecord) -> bool {
        let taken = self.journal.as_mut().is_some_and(|journal| journal.send(&said.entry()).is_ok());
        taken || self.lines.write(said)
    }
}

impl Subscriber for &'static Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let own = ["watchdog", "sd_watchdog"];
        metadata.is_event()
            && *metadata.level() <= self.level
            && metadata.target().split("::").next().is_some_and(|root| own.contains(&root))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let said = LogRecord::of(event);
        self.with(|sinks| sinks.say(&said));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
pub(crate) mod tests;
