//! A probe is due, and has ended.

use std::time::{Duration, Instant};

use super::status::Kind;
use super::{Actions, Note, Phase, State};
use crate::hang::watch::{Ended, Ruling};
use crate::systemd::message::Message;
use crate::words::outcome::{Outcome, Reason};
use crate::words::span::rounded;

impl State {
    pub(super) fn probe(&mut self, now: Instant) -> Actions {
        self.probe_started = now;
        self.in_flight = true;
        self.next_probe = None;
        Actions { start_probe: Some(self.watch.limit()), ..Actions::default() }
    }

    pub(super) fn probed(&mut self, ended: Ended, now: Instant) -> Actions {
        self.in_flight = false;
        self.cannot_probe_reported &=
            matches!(&ended.outcome, Outcome::Unhealthy(reason) if reason.is_ours());
        if self.pressure.is_some() != ended.pressure.is_some() {
            self.status.is_news();
        }
        self.pressure = ended.pressure;
        let is_stretched = now - self.probe_started > self.config.timing.timeout;
        let actions = match (self.phase, &ended.outcome) {
            (Phase::Starting, Outcome::Healthy) => self.answers(ended.row, now),
            (Phase::Starting, Outcome::Unhealthy(reason)) => self.not_yet(reason.clone(), ended.row, now),
            (Phase::Unguarded, Outcome::Healthy) => self.reloaded(now),
            (Phase::Unguarded, Outcome::Unhealthy(_)) => {
                self.next_probe = Some(now + self.config.timing.retry_interval);
                Actions::default()
            }
            (_, Outcome::Healthy) => match self.child_silence(now) {
                None => self.rule(ended, now),
                Some(reason) => self.silent(reason, now),
            },
            (_, Outcome::Unhealthy(_)) => self.rule(ended, now),
        };
        Actions { slowed: self.pressure.filter(|_| is_stretched), ..actions }
    }

    fn rule(&mut self, ended: Ended, now: Instant) -> Actions {
        let (ruling, next) = self.watch.ended(ended, self.probe_started, self.random.f64(), now);
        self.next_probe = Some(next);
        match ruling {
            Ruling::Healthy { failures } => self.healthy(failures, now),
            Ruling::Rising => Actions { message: self.maybe_ping(false, now), ..Actions::default() },
            Ruling::Late { late } => Actions {
                message: self.maybe_ping(false, now),
                note: Some(Note::Discounted { late }),
                ..Actions::default()
            },
            Ruling::CannotProbe { reason, is_new } => {
                // It says nothing of the service; systemd's own timer is the net, as for a probe that came late.
                let note = is_new.then(|| self.cannot_probe_note(&reason, now));
                let text = self.cannot_probe_text(&reason, now);
                let status = self.status.say(Kind::Unhealthy, now, || text);
                let message = Message { status, ..self.maybe_ping(false, now) };
                Actions {
                    message,
                    note,
                    report: self.cannot_probe_report(&reason, now),
                    ..Actions::default()
                }
            }
            Ruling::Failure { reason, is_first } => self.failed(reason, is_first, now),
            Ruling::Hang { reason } => self.seems_to_hang(reason, now),
        }
    }

    pub(super) fn cannot_probe_note(&self, reason: &Reason, now: Instant) -> Note {
        let is_start = self.phase == Phase::Starting;
        Note::CannotProbe { reason: reason.clone(), acts_in: self.acts_in(now), is_start }
    }

    /// When systemd's own timer acts, unless there is a ping before; [`None`] where there always is.
    fn acts_in(&self, now: Instant) -> Option<Duration> {
        let watched = self.config.watchdog.filter(|_| self.phase == Phase::Watching && !self.config.dry_run);
        watched.map(|watchdog| (self.timer_since + watchdog).saturating_duration_since(now))
    }

    /// `cannot probe: …; no ping meanwhile, so systemd restarts the service in 3.2 s`
    fn cannot_probe_text(&self, reason: &Reason, now: Instant) -> String {
        match self.acts_in(now) {
            None => format!("cannot probe: {reason}"),
            Some(left) => format!(
                "cannot probe: {reason}; no ping meanwhile, so systemd restarts the service in {}",
                rounded(left)
            ),
        }
    }

    /// There is something to see at the next probe: soon, unless one is under way.
    pub(super) fn look_soon(&mut self, now: Instant) {
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

    fn healthy(&mut self, failures: u32, now: Instant) -> Actions {
        self.answered = now;
        let text = self.status.is_due(Kind::Healthy, now).then(|| self.healthy_text(now));
        let status = text.map(|text| self.status.now(Kind::Healthy, now, &text));
        let reloaded = self.reload.answered(self.probe_started, self.config.timing.timeout);
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

    /// `healthy: http://127.0.0.1:8080/healthz answered in 1.2 ms; 3 failures so far, restarted 2 times`
    pub(super) fn healthy_text(&self, now: Instant) -> String {
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
        let pressure = self.pressure.map(|pressure| format!("waiting for {pressure}"));
        for (index, part) in pressure.into_iter().chain(failures).chain(restarts).enumerate() {
            let _ = write!(text, "{} {part}", if index == 0 { ";" } else { "," });
        }
        text
    }
}
