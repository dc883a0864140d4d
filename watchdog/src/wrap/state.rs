//! What to do, given what happened. Pure: no clock, no I/O.
//!
//! | phase | ends with | sends |
//! |---|---|---|
//! | Starting | a healthy probe, and COMMAND's own READY=1 where that is waited for | `STATUS=` what it waits for; then `READY=1` |
//! | Watching | N unhealthy in a row, with trigger | a ping after every healthy probe |
//! | Reporting | the hang report, or the end of its budget | `WATCHDOG=trigger` at its end, unless systemd is stopping the unit |
//! | Unguarded (Watching, without a watchdog) | | what COMMAND says; it does not probe, except in a reload |
//! | Hung | | nothing, whatever happens |
//! | Stopping | | nothing; `STOPPING=1` was said on entering, and that systemd's own timer is to rest |
//!
//! An answer counts as soon as it is there: a probe whose answer is complete when its end is noticed is healthy, even at
//! its deadline or, where this process was itself held up, after it. The service did answer; being late in looking is
//! not its fault. What is not complete at the deadline is unhealthy; the deadline is kept by [`probe`](crate::probe).
//!
//! What the end of a probe means is decided by [`Watch`](crate::hang::watch::Watch), as it is beside a service. There is one for
//! each set of probes, with its own timing: READY=1 waits for all of them, a ping is said while none has anything against the
//! service, and the first row of failures that makes a hang is the hang.
//!
//! Starved is not hung: deadlines count only the time in which the unit was able to run (see [`stalls`](crate::kernel::stalls)).
//! systemd's own timer counts all time. So while others keep the unit from running, and an answer may still come in able
//! time, a ping is said in its place. So is one for a service that does not answer while it reloads, for as long as that may
//! take ([`reload`]). There are no other pings without a healthy probe.

use std::time::Instant;

use self::child::Child;
use self::reload::Reload;
use self::set::Set;
use self::start::Start;
use self::status::Status;
use crate::config::Config;
use crate::hang::timing;
use crate::systemd::message::{Message, WatchdogWord};
use crate::systemd::relay::Notification;
use crate::systemd::stopping::Course;

mod child;
mod event;
mod hang;
mod pressure;
mod probe;
mod reload;
mod set;
mod start;
mod starting;
mod status;

pub use self::event::{Actions, Event, Note, ReportRequest};

/// See the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// COMMAND runs; no probe was healthy yet.
    Starting,
    /// Between READY and STOPPING.
    Watching,
    /// It hangs; the report is being made.
    Reporting,
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
    config: Config,
    phase: Phase,
    start: Start,
    /// Never empty.
    sets: Vec<Set>,
    /// Unhealthy probes in all.
    failures: u64,
    /// How often systemd has restarted the unit, as far as known.
    restarts: Option<u32>,
    child: Child,
    reload: Reload,
    /// What the trigger will say, while the report is made.
    hang: String,
    /// systemd's own timer started anew: READY or the last ping.
    timer_since: Instant,
    /// When to look whether the unit is kept from running, should no ping be said before.
    no_ping_due: Option<Instant>,
    /// Since when no probe was unhealthy; [`None`] once RESTART_RESET=1 was said.
    sound_since: Option<Instant>,
    /// A signal came that may have been meant to stop COMMAND: until then no hang is called.
    no_hang_before: Option<Instant>,
    status: Status,
    random: fastrand::Rng,
}

impl State {
    /// COMMAND has just been started. `targets` name what each set probes, empty for nothing but COMMAND's own pings; `seed`
    /// decides about jitter.
    pub fn new(config: &Config, targets: &[impl AsRef<str>], seed: u64, now: Instant) -> Self {
        let sets = config.sets.iter().zip(targets);
        Self {
            phase: Phase::Starting,
            start: Start::new(config.start_timeout, now),
            sets: sets.map(|(set, target)| Set::new(*set, target.as_ref(), now)).collect(),
            failures: 0,
            restarts: None,
            child: Child::default(),
            reload: Reload::default(),
            hang: String::new(),
            timer_since: now,
            no_ping_due: None,
            sound_since: None,
            no_hang_before: None,
            status: Status::default(),
            random: fastrand::Rng::with_seed(seed),
            config: config.clone(),
        }
    }

    /// The same, where there is nobody to tell: it is not probed.
    pub fn unguarded(config: &Config, targets: &[impl AsRef<str>], now: Instant) -> Self {
        let mut state = Self::new(config, targets, 0, now);
        state.enter(Phase::Unguarded);
        state
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When [`Event::NoPing`] is to happen.
    pub fn no_ping_due(&self) -> Option<Instant> {
        self.no_ping_due
    }

    /// When it is to be looked whether the start makes progress, for [`Event::Looked`].
    pub fn next_look(&self) -> Option<Instant> {
        (self.phase == Phase::Starting).then(|| self.start.next_look()).flatten()
    }

    /// Takes in an event, and says what to do.
    pub fn step(&mut self, event: Event, now: Instant) -> Actions {
        use Phase::{Hung, Reporting, Starting, Stopping, Unguarded, Watching};
        match (event, self.phase) {
            (Event::Ended { how }, Starting | Watching | Reporting | Unguarded | Stopping) => {
                self.enter(Stopping);
                Actions { abandon_probe: true, message: Message::status(how), ..Actions::default() }
            }
            (Event::StopAsked { signal, announce }, Starting | Watching | Reporting | Unguarded) => {
                self.stop(&format!("COMMAND got {signal}"), announce)
            }
            (Event::ProbeDue { set }, Starting | Watching | Unguarded) => self.probe(set, now),
            (Event::ProbeEnded { set, ended }, Starting | Watching | Unguarded) => {
                self.probed(set, ended, now)
            }
            (Event::NoPing { able, pressure }, Watching) => self.no_ping(able, pressure, now),
            (Event::Looked { is_progress, able }, Starting) => self.looked(is_progress, able, now),
            (Event::ManagerReloads, Starting) => self.manager_reloads(now),
            (Event::Said(said), Starting | Watching | Unguarded) => self.heard(said, now),
            // It asks for more time to stop.
            (Event::Said(Notification { extend, .. }), Stopping) => {
                Actions { message: Message { extend, ..Message::default() }, ..Actions::default() }
            }
            (Event::ReloadAsked { monotonic_usec }, Watching | Unguarded) => {
                self.look_soon(now);
                self.reload.asked(self.failures_in_a_row() == 0, now);
                self.status.is_news();
                let reloading = Message { reloading: Some(monotonic_usec), ..Message::default() };
                Actions { message: reloading, ..Actions::default() }
            }
            (Event::ReloadDelivered, _) => {
                if self.reload.delivered(now) {
                    self.look_soon(now);
                }
                Actions::default()
            }
            (Event::ReloadRefused { signal, monotonic_usec }, Watching | Unguarded) => {
                self.reload_refused(signal, monotonic_usec, now)
            }
            (Event::ReloadRefused { signal, .. }, Starting | Reporting) => {
                Actions { note: Some(Note::ReloadRefused { signal }), ..Actions::default() }
            }
            (Event::MayStop, Watching) => {
                self.no_hang_for_now(now);
                Actions::default()
            }
            (Event::Reported { course: Course::RunsOn }, Reporting) => self.trigger(),
            (Event::Reported { course }, Reporting) => self.called_off(course == Course::Stops),
            (Event::MainProcess { instead }, _) => {
                self.status.not_ours = instead;
                self.status.is_news();
                Actions::default()
            }
            (Event::Restarts(restarts), _) => {
                self.restarts = Some(restarts);
                self.status.is_news();
                Actions::default()
            }
            (
                Event::ProbeEnded { .. } | Event::ProbeDue { .. } | Event::ReloadAsked { .. },
                Reporting | Hung | Stopping,
            )
            | (Event::ReloadRefused { .. } | Event::StopAsked { .. }, Hung | Stopping)
            | (Event::Said(_), Reporting | Hung)
            | (
                Event::Looked { .. } | Event::ManagerReloads,
                Watching | Reporting | Unguarded | Hung | Stopping,
            )
            | (Event::NoPing { .. } | Event::MayStop, Starting | Reporting | Unguarded | Hung | Stopping)
            | (Event::ReloadAsked { .. }, Starting)
            | (Event::Reported { .. }, Starting | Watching | Unguarded | Hung | Stopping)
            | (Event::Ended { .. }, Hung) => Actions::default(),
        }
    }

    /// It may be on its way to stop: for W no hang is called.
    fn no_hang_for_now(&mut self, now: Instant) {
        self.no_hang_before = self.config.watchdog.map(|watchdog| now + watchdog);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        if phase != Phase::Watching {
            self.no_ping_due = None;
            self.sets.iter_mut().for_each(|set| set.next = None);
        }
    }

    fn stop(&mut self, why: &str, announce: bool) -> Actions {
        self.enter(Phase::Stopping);
        let message =
            Message { stopping: announce, rest: announce, ..Message::status(format!("stopping: {why}")) };
        let not_yet = self.sets.iter_mut().find_map(|set| set.not_yet.take());
        let note = not_yet.map(|reason| Note::NeverHealthy { reason });
        Actions { abandon_probe: true, message, note, ..Actions::default() }
    }

    /// A ping if there is something to vouch for, and no other set has anything against it; or where nothing is to be done
    /// about what is found.
    fn maybe_ping(&mut self, is_healthy: bool, now: Instant) -> Message {
        let is_vouched_for = is_healthy && self.is_sound();
        if !is_vouched_for && !self.config.dry_run {
            return Message::default();
        }
        self.restart_timer(now);
        Message { watchdog: Some(WatchdogWord::Ping), ..Message::default() }
    }

    /// When systemd's own timer is about to act.
    fn last_call(&self) -> Instant {
        timing::last_call(self.timer_since, self.config.watchdog.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
