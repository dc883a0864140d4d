//! What to do, given what happened. Pure: no clock, no I/O.
//!
//! | phase | ends with | sends |
//! |---|---|---|
//! | Starting | a healthy probe, and COMMAND's own READY=1 where that is waited for | `STATUS=` what it waits for; then `READY=1` |
//! | Watching | N unhealthy in a row, with trigger | a ping after every healthy probe |
//! | Reporting | the hang report, or the end of its budget | `WATCHDOG=trigger` at its end, unless systemd is stopping the unit |
//! | Unguarded (Watching, without a watchdog) | | what COMMAND says; it does not probe, but for a reload |
//! | Hung | | nothing, whatever happens |
//! | Stopping | | nothing; `STOPPING=1` was said on entering |
//!
//! An answer counts as soon as it is there: a probe whose answer is complete when its end is noticed is healthy, even at
//! its deadline or, where this process was itself held up, after it. The service did answer; being late in looking is
//! not its fault. What is not complete at the deadline is unhealthy; the deadline is kept by [`probe`](crate::probe).
//!
//! Starved is not hung, in two ways. An unhealthy probe whose end this process came to see late does not count at all,
//! since it says as much about this process as about the service. And where PSI shows that the unit was kept from
//! running, the Nth failure is followed by one more probe with as long a deadline as W leaves. Neither pings: systemd's
//! own timer stays the net below.

use std::time::{Duration, Instant};

use self::child::Child;
use self::reload::Reload;
use self::start::Start;
use self::status::{Kind, Status};
use crate::config::Config;
use crate::hang::streak::Spell;
use crate::hang::timing;
use crate::kernel::starvation::Pressure;
use crate::systemd::message::{Message, Verdict};
use crate::systemd::relay::Said;
use crate::words::outcome::{Cause, Outcome, Reason};
use crate::words::span::rounded;

mod child;
mod event;
mod hang;
mod reload;
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
    target: String,
    phase: Phase,
    start: Start,
    /// Why the last probe was unhealthy; kept only while starting.
    not_yet: Option<Reason>,
    spell: Spell,
    /// Unhealthy probes in all.
    failures: u64,
    /// How often systemd has restarted the unit, as far as known.
    restarts: Option<u32>,
    child: Child,
    reload: Reload,
    /// What the trigger will say, while the report is made.
    hang: String,
    /// systemd's own timer started anew: READY or the last ping.
    vouched: Instant,
    /// Since when no probe was unhealthy; [`None`] once RESTART_RESET=1 was said.
    sound_since: Option<Instant>,
    /// A signal came that may have been meant to stop COMMAND: until then no hang is called.
    lenient_until: Option<Instant>,
    /// It was said that the probes cannot be made.
    blind: bool,
    /// Their report was made.
    blind_reported: bool,
    probe_started: Instant,
    /// A probe is under way.
    in_flight: bool,
    /// [`None`] while a probe is in flight, and when there are to be no more.
    next_probe: Option<Instant>,
    status: Status,
    random: fastrand::Rng,
}

impl State {
    /// COMMAND has just been started. `target` names what is probed, empty for nothing but COMMAND's own pings; `seed`
    /// decides about jitter.
    pub fn new(config: &Config, target: &str, seed: u64, now: Instant) -> Self {
        Self {
            target: target.to_owned(),
            phase: Phase::Starting,
            start: Start::new(config.start_timeout, now),
            not_yet: None,
            spell: Spell::default(),
            failures: 0,
            restarts: None,
            child: Child::default(),
            reload: Reload::default(),
            hang: String::new(),
            vouched: now,
            sound_since: None,
            lenient_until: None,
            blind: false,
            blind_reported: false,
            probe_started: now,
            in_flight: false,
            next_probe: Some(now),
            status: Status::default(),
            random: fastrand::Rng::with_seed(seed),
            config: config.clone(),
        }
    }

    /// The same, where there is nobody to tell: it is not probed.
    pub fn unguarded(config: &Config, target: &str, now: Instant) -> Self {
        Self { phase: Phase::Unguarded, next_probe: None, ..Self::new(config, target, 0, now) }
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Unhealthy probes since the service was last healthy.
    pub fn failures_in_a_row(&self) -> u32 {
        self.spell.failures()
    }

    /// When [`Event::ProbeDue`] is to happen.
    pub fn next_probe(&self) -> Option<Instant> {
        self.next_probe
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
            (Event::ProbeDue, Starting | Watching | Unguarded) => self.probe(self.config.timing.timeout, now),
            (Event::ProbeEnded { outcome, late, pressure }, Starting | Watching | Unguarded) => {
                self.probed(outcome, late, pressure, now)
            }
            (Event::Looked { is_progress }, Starting) => self.looked(is_progress, now),
            (Event::ManagerReloads, Starting) => self.manager_reloads(now),
            (Event::Said(said), Starting | Watching | Unguarded) => self.heard(said, now),
            // It asks for more time to stop.
            (Event::Said(Said { extend, .. }), Stopping) => {
                Actions { message: Message { extend, ..Message::default() }, ..Actions::default() }
            }
            (Event::ReloadAsked { monotonic_usec }, Watching | Unguarded) => {
                self.look_soon(now);
                self.reload.asked(now);
                let reloading = Message { reloading: Some(monotonic_usec), ..Message::default() };
                Actions { message: reloading, ..Actions::default() }
            }
            (Event::MayStop, Watching) => {
                self.lenient_until = self.config.watchdog.map(|watchdog| now + watchdog);
                Actions::default()
            }
            (Event::Reported { is_stopping: false }, Reporting) => self.trigger(),
            (Event::Reported { is_stopping: true }, Reporting) => self.called_off(),
            (Event::Restarts(restarts), _) => {
                self.restarts = Some(restarts);
                self.status.is_news();
                Actions::default()
            }
            (
                Event::ProbeEnded { .. } | Event::ProbeDue | Event::ReloadAsked { .. },
                Reporting | Hung | Stopping,
            )
            | (Event::Said(_), Reporting | Hung)
            | (
                Event::Looked { .. } | Event::ManagerReloads,
                Watching | Reporting | Unguarded | Hung | Stopping,
            )
            | (Event::MayStop, Starting | Reporting | Unguarded | Hung | Stopping)
            | (Event::ReloadAsked { .. }, Starting)
            | (Event::Reported { .. }, Starting | Watching | Unguarded | Hung | Stopping)
            | (Event::StopAsked { .. }, Hung | Stopping)
            | (Event::Ended { .. }, Hung) => Actions::default(),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        if phase != Phase::Watching {
            self.next_probe = None;
        }
    }

    fn stop(&mut self, why: &str, announce: bool) -> Actions {
        self.enter(Phase::Stopping);
        let message = Message { stopping: announce, ..Message::status(format!("stopping: {why}")) };
        let note = self.not_yet.take().map(|reason| Note::NeverHealthy { reason });
        Actions { abandon_probe: true, message, note, ..Actions::default() }
    }

    fn probe(&mut self, timeout: Duration, now: Instant) -> Actions {
        self.probe_started = now;
        self.in_flight = true;
        self.next_probe = None;
        Actions { start_probe: Some(timeout), ..Actions::default() }
    }

    fn probed(
        &mut self,
        outcome: Outcome,
        late: Duration,
        pressure: Option<Pressure>,
        now: Instant,
    ) -> Actions {
        self.in_flight = false;
        self.blind &= matches!(&outcome, Outcome::Unhealthy(reason) if reason.cause() == Cause::System);
        self.blind_reported &= self.blind;
        match (outcome, self.phase) {
            (Outcome::Healthy, Phase::Starting) => self.answered(now),
            (Outcome::Unhealthy(reason), Phase::Starting) => self.not_yet(reason, now),
            (Outcome::Healthy, Phase::Unguarded) => self.reloaded(now),
            (Outcome::Unhealthy(_), Phase::Unguarded) => {
                self.next_probe = Some(now + self.config.timing.retry_interval);
                Actions::default()
            }
            (Outcome::Healthy, _) => match self.child_silence(now) {
                None => self.healthy(now),
                Some(reason) => self.unhealthy(reason, pressure, now),
            },
            (Outcome::Unhealthy(_), _) if timing::is_too_late(late, &self.config.timing) => {
                self.next_probe = Some(now);
                Actions {
                    message: self.maybe_ping(false, now),
                    note: Some(Note::Discounted { late }),
                    ..Actions::default()
                }
            }
            (Outcome::Unhealthy(reason), _) if reason.cause() == Cause::System => {
                // It says nothing of the service; systemd's own timer is the net, as for a probe that came late.
                self.next_probe = Some(now + self.config.timing.retry_interval);
                let message = self.maybe_ping(false, now);
                let note = self.cannot_probe(&reason, now);
                Actions { message, note, report: self.blind_report(&reason, now), ..Actions::default() }
            }
            (Outcome::Unhealthy(reason), _) => self.unhealthy(reason, pressure, now),
        }
    }

    /// Said once, until a probe can be made again.
    fn cannot_probe(&mut self, reason: &Reason, now: Instant) -> Option<Note> {
        let is_new = reason.cause() == Cause::System && !std::mem::replace(&mut self.blind, true);
        let watched = self.config.watchdog.filter(|_| self.phase == Phase::Watching && !self.config.dry_run);
        let acts_in = watched.map(|watchdog| (self.vouched + watchdog).saturating_duration_since(now));
        is_new.then(|| Note::CannotProbe { reason: reason.clone(), acts_in })
    }

    /// There is something to see at the next probe: soon, unless one is under way.
    fn look_soon(&mut self, now: Instant) {
        if self.in_flight {
            return;
        }
        let soon = now + self.config.timing.retry_interval;
        self.next_probe = match (self.next_probe, self.phase) {
            (Some(due), _) => Some(due.min(soon)),
            (None, Phase::Unguarded) => Some(now),
            (None, _) => None,
        };
    }

    fn healthy(&mut self, now: Instant) -> Actions {
        let Some(failures) = self.spell.healthy(&self.config.timing) else {
            self.next_probe = Some(now + self.config.timing.retry_interval);
            return Actions { message: self.maybe_ping(false, now), ..Actions::default() };
        };
        self.next_probe = Some(self.after_interval(now));
        let text = self.healthy_text(now);
        let status = self.status.say(Kind::Healthy, now, || text);
        let reloaded = self.reload.answered(self.probe_started);
        let note = match (reloaded, failures) {
            (Some(asked), _) => Some(Note::Reloaded { after: now - asked }),
            (None, 0) => None,
            (None, failures) => Some(Note::Recovered { failures }),
        };
        let restart_reset = self.sound_since.is_some_and(|since| now - since >= self.config.reset_after);
        if restart_reset {
            self.sound_since = None;
        }
        let ping = self.maybe_ping(true, now);
        let message = Message { status, restart_reset, ready: reloaded.is_some(), ..ping };
        Actions { message, note, ..Actions::default() }
    }

    /// A ping if there is something to vouch for, or where nothing is to be done about what is found.
    fn maybe_ping(&mut self, is_healthy: bool, now: Instant) -> Message {
        if !is_healthy && !self.config.dry_run {
            return Message::default();
        }
        self.vouched = now;
        Message { watchdog: Some(Verdict::Ping), ..Message::default() }
    }

    /// When systemd's own timer is about to act.
    fn last_call(&self) -> Instant {
        timing::last_call(self.vouched, self.config.watchdog.unwrap_or_default())
    }

    fn after_interval(&mut self, now: Instant) -> Instant {
        let timing = &self.config.timing;
        let jitter = f64::from(timing.jitter) / 100.0 * self.random.f64();
        (self.probe_started + timing.interval.mul_f64(1.0 - jitter)).max(now)
    }

    /// `healthy: http://127.0.0.1:8080/healthz answered in 1.2 ms; 3 failures so far, restarted 2 times`
    fn healthy_text(&self, now: Instant) -> String {
        use std::fmt::Write as _;
        let mut text = if self.target_is_child() {
            "healthy: COMMAND pings by itself".to_owned()
        } else {
            format!("healthy: {} answered in {}", self.target, rounded(now - self.probe_started))
        };
        let failures = match self.failures {
            0 => None,
            1 => Some("1 failed probe so far".to_owned()),
            failures => Some(format!("{failures} failed probes so far")),
        };
        let restarts = match self.restarts {
            None | Some(0) => None,
            Some(1) => Some("restarted once".to_owned()),
            Some(restarts) => Some(format!("restarted {restarts} times")),
        };
        for (index, part) in failures.into_iter().chain(restarts).enumerate() {
            let _ = write!(text, "{} {part}", if index == 0 { ";" } else { "," });
        }
        text
    }
}

#[cfg(test)]
mod tests;
