//! What to do, given what happened. Pure: no clock, no I/O.
//!
//! | phase | ends with | sends |
//! |---|---|---|
//! | Starting | the first healthy probe | `STATUS=` what it waits for; then `READY=1` |
//! | Watching | N unhealthy in a row, with trigger | a ping after every healthy probe; the trigger at the end |
//! | Unguarded (Watching, without a watchdog) | | nothing; it does not probe either |
//! | Hung | | nothing, whatever happens |
//! | Stopping | | nothing; `STOPPING=1` was said on entering |
//!
//! An answer counts as soon as it is there: a probe whose answer is complete when its end is noticed is healthy, even at
//! its deadline or, where this process was itself held up, after it. The service did answer; being late in looking is
//! not its fault. What is not complete at the deadline is unhealthy. The deadline is kept by [`probe`](crate::probe).

use std::time::{Duration, Instant};

use crate::config::{Config, OnHang, Timing};
use crate::message::{Message, Verdict};
use crate::probe::{Outcome, Reason};
use crate::span::rounded;

/// While starting, a probe waits a sixteenth of the time already waited, within these limits: READY comes within
/// milliseconds of a service that starts fast, and a slow one is not bothered.
const START_GAP: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// A new status is said at most this often …
const STATUS_GAP: Duration = Duration::from_secs(1);
/// … and one that only brings the figures up to date, this often.
const STATUS_REFRESH: Duration = Duration::from_secs(60);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The time [`State::next_probe`] named has come.
    ProbeDue,
    /// The probe that was started has ended.
    ProbeEnded(Outcome),
    /// A signal that asks COMMAND to stop has come.
    StopAsked {
        /// For the status: what it is.
        signal: &'static str,
        /// It is not the manager's own SIGABRT: tell the manager that stopping begins.
        announce: bool,
    },
    /// COMMAND has ended.
    Ended {
        /// For the status: how.
        how: String,
    },
}

/// What to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions {
    /// Start a probe with [`Timing::timeout`].
    pub start_probe: bool,
    /// Forget the probe in flight.
    pub abandon_probe: bool,
    /// Send this. It supersedes what could not be sent yet, even where it is empty.
    pub message: Message,
    /// Log this.
    pub note: Option<Note>,
}

/// A turn of events that people want to read about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The first healthy probe.
    Ready {
        /// Since the start of COMMAND.
        after: Duration,
    },
    /// COMMAND is asked to stop before any probe was healthy: a start that timed out, most likely.
    NeverHealthy {
        /// Why the last probe was unhealthy.
        reason: Reason,
    },
    /// The first unhealthy probe after a healthy one.
    Unhealthy {
        /// Why.
        reason: Reason,
    },
    /// The first healthy probe after unhealthy ones.
    Recovered {
        /// How many there were.
        failures: u32,
    },
    /// The service hangs; systemd was told.
    Triggered {
        /// The status that went with it.
        reason: String,
    },
}

/// See the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// COMMAND runs; no probe was healthy yet.
    Starting,
    /// Between READY and STOPPING.
    Watching,
    /// READY was said, and there is no watchdog to ping.
    Unguarded,
    /// `WATCHDOG=trigger` was said.
    Hung,
    /// COMMAND was asked to stop, or has ended.
    Stopping,
}

/// Where a service stands.
#[derive(Debug, Clone)]
pub struct State {
    timing: Timing,
    on_hang: OnHang,
    watched: bool,
    target: String,
    phase: Phase,
    began: Instant,
    /// Why the last probe was unhealthy; kept only while starting.
    not_yet: Option<Reason>,
    /// Unhealthy probes since the last healthy one.
    failures: u32,
    probe_started: Instant,
    /// [`None`] while a probe is in flight, and when there are to be no more.
    next_probe: Option<Instant>,
    status: Status,
}

impl State {
    /// COMMAND has just been started.
    pub fn new(config: &Config, now: Instant) -> Self {
        Self {
            timing: config.timing,
            on_hang: config.on_hang,
            watched: config.watchdog.is_some(),
            target: config.target.to_string(),
            phase: Phase::Starting,
            began: now,
            not_yet: None,
            failures: 0,
            probe_started: now,
            next_probe: Some(now),
            status: Status::default(),
        }
    }

    /// The same, where there is nobody to tell: it is not probed.
    pub fn unguarded(config: &Config, now: Instant) -> Self {
        Self { phase: Phase::Unguarded, next_probe: None, ..Self::new(config, now) }
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When [`Event::ProbeDue`] is to happen.
    pub fn next_probe(&self) -> Option<Instant> {
        self.next_probe
    }

    /// Takes in an event, and says what to do.
    pub fn step(&mut self, event: Event, now: Instant) -> Actions {
        match (event, self.phase) {
            (
                Event::Ended { how },
                Phase::Starting | Phase::Watching | Phase::Unguarded | Phase::Stopping,
            ) => {
                self.enter(Phase::Stopping);
                Actions { abandon_probe: true, message: Message::status(how), ..Actions::default() }
            }
            (Event::StopAsked { signal, announce }, Phase::Starting | Phase::Watching | Phase::Unguarded) => {
                self.enter(Phase::Stopping);
                let status = format!("stopping: COMMAND got {signal}");
                let message = Message { stopping: announce, ..Message::status(status) };
                let note = self.not_yet.take().map(|reason| Note::NeverHealthy { reason });
                Actions { abandon_probe: true, message, note, ..Actions::default() }
            }
            (Event::ProbeDue, Phase::Starting | Phase::Watching) => {
                self.probe_started = now;
                self.next_probe = None;
                Actions { start_probe: true, ..Actions::default() }
            }
            (Event::ProbeEnded(outcome), Phase::Starting) => match outcome {
                Outcome::Healthy => self.ready(now),
                Outcome::Unhealthy(reason) => self.not_yet(reason, now),
            },
            (Event::ProbeEnded(outcome), Phase::Watching) => match outcome {
                Outcome::Healthy => self.healthy(now),
                Outcome::Unhealthy(reason) => self.unhealthy(reason, now),
            },
            (Event::ProbeEnded(_) | Event::ProbeDue, Phase::Unguarded | Phase::Hung | Phase::Stopping)
            | (Event::StopAsked { .. }, Phase::Hung | Phase::Stopping)
            | (Event::Ended { .. }, Phase::Hung) => Actions::default(),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        if phase != Phase::Watching {
            self.next_probe = None;
        }
    }

    fn not_yet(&mut self, reason: Reason, now: Instant) -> Actions {
        let (shortest, longest) = START_GAP;
        let longest = longest.min(self.timing.interval);
        let gap = ((now - self.began) / 16).clamp(shortest.min(longest), longest);
        self.next_probe = Some(now + gap);
        let target = &self.target;
        let status = self.status.say(Kind::Waiting, now, || format!("waiting for {target}: {reason}"));
        self.not_yet = Some(reason);
        Actions { message: Message { status, ..Message::default() }, ..Actions::default() }
    }

    /// No ping goes with it: READY=1 restarts systemd's timer itself (`service_enter_start_post`).
    fn ready(&mut self, now: Instant) -> Actions {
        self.not_yet = None;
        self.enter(if self.watched { Phase::Watching } else { Phase::Unguarded });
        if self.watched {
            self.next_probe = Some(self.after_interval(now));
        }
        let took = now - self.probe_started;
        let text = healthy_text(&self.target, took);
        self.status.said(Kind::Healthy, now);
        Actions {
            message: Message { ready: true, ..Message::status(text) },
            note: Some(Note::Ready { after: now - self.began }),
            ..Actions::default()
        }
    }

    fn healthy(&mut self, now: Instant) -> Actions {
        let failures = std::mem::take(&mut self.failures);
        self.next_probe = Some(self.after_interval(now));
        let (target, took) = (&self.target, now - self.probe_started);
        let status = self.status.say(Kind::Healthy, now, || healthy_text(target, took));
        Actions {
            message: Message { status, watchdog: Some(Verdict::Ping), ..Message::default() },
            note: (failures > 0).then_some(Note::Recovered { failures }),
            ..Actions::default()
        }
    }

    fn unhealthy(&mut self, reason: Reason, now: Instant) -> Actions {
        self.failures = self.failures.saturating_add(1);
        if self.on_hang == OnHang::Trigger && self.failures >= self.timing.failures {
            return self.trigger(&reason);
        }
        self.next_probe = Some(now + self.timing.retry_interval);
        let (target, failures) = (&self.target, self.failures);
        let status = self.status.say(Kind::Unhealthy, now, || {
            format!("unhealthy, {} in a row: {target}: {reason}", probes(failures))
        });
        Actions {
            message: Message { status, ..Message::default() },
            note: (failures == 1).then_some(Note::Unhealthy { reason }),
            ..Actions::default()
        }
    }

    fn trigger(&mut self, reason: &Reason) -> Actions {
        self.enter(Phase::Hung);
        let text = format!("hung, {} in a row unhealthy: {}: {reason}", probes(self.failures), self.target);
        Actions {
            message: Message { watchdog: Some(Verdict::Trigger), ..Message::status(text.clone()) },
            note: Some(Note::Triggered { reason: text }),
            ..Actions::default()
        }
    }

    fn after_interval(&self, now: Instant) -> Instant {
        (self.probe_started + self.timing.interval).max(now)
    }
}

fn healthy_text(target: &str, took: Duration) -> String {
    format!("healthy: {target} answered in {}", rounded(took))
}

fn probes(count: u32) -> String {
    format!("{count} probe{}", if count == 1 { "" } else { "s" })
}

/// What a status is about. A change of it is news; another text of the same kind is an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Waiting,
    Healthy,
    Unhealthy,
}

/// Keeps `STATUS=` from being said with every probe: PID 1 handles each of them, for every service.
#[derive(Debug, Clone, Default)]
struct Status {
    last: Option<(Kind, Instant)>,
}

impl Status {
    fn said(&mut self, kind: Kind, now: Instant) {
        self.last = Some((kind, now));
    }

    /// The text, if it is time to say it. What is held back is made anew at the next probe.
    fn say(&mut self, kind: Kind, now: Instant, text: impl FnOnce() -> String) -> Option<String> {
        let due = match self.last {
            None => true,
            Some((Kind::Healthy, at)) if kind == Kind::Healthy => now - at >= STATUS_REFRESH,
            Some((_, at)) => now - at >= STATUS_GAP,
        };
        due.then(|| {
            self.said(kind, now);
            text()
        })
    }
}

#[cfg(test)]
mod tests;
