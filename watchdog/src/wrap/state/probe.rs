//! A probe is due, and has ended.

use std::time::{Duration, Instant};

use super::status::Kind;
use super::{Actions, Note, Phase, State};
use crate::hang::watch::{Ended, Ruling};
use crate::systemd::message::Message;
use crate::words::outcome::{Outcome, Reason};
use crate::words::span::rounded;

impl State {
    pub(super) fn probe(&mut self, set: usize, now: Instant) -> Actions {
        let set = &mut self.sets[set];
        (set.started, set.in_flight, set.next) = (now, true, None);
        Actions { start_probe: Some(set.watch.limit()), ..Actions::default() }
    }

    pub(super) fn probed(&mut self, index: usize, ended: Ended, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        set.in_flight = false;
        set.cannot_probe_reported &= matches!(&ended.outcome, Outcome::Unhealthy(reason) if reason.is_ours());
        if set.pressure.is_some() != ended.pressure.is_some() {
            self.status.is_news();
        }
        set.pressure = ended.pressure;
        let is_watched = self.phase == Phase::Watching && !set.ready_only;
        // What does not answer in a reload is judged as a hang is.
        let may_answer = !is_watched || ended.outcome == Outcome::Healthy;
        let slowed = set.pressure.filter(|_| now - set.started > set.timing.timeout);
        let actions = match (self.phase, &ended.outcome) {
            (Phase::Starting, Outcome::Healthy) => self.answers(index, ended.row, now),
            (Phase::Starting, Outcome::Unhealthy(reason)) => {
                self.not_yet(index, reason.clone(), ended.row, now)
            }
            // READY was said while it was under way.
            _ if set.ready_only && !self.reload.is_on() => Actions::default(),
            (_, Outcome::Healthy) if !is_watched => self.reloaded(index, now),
            (_, Outcome::Unhealthy(reason)) if !is_watched => self.not_yet_reloaded(index, reason, now),
            (_, Outcome::Healthy) => match self.child_silence(now).filter(|_| index == self.carrier()) {
                None => self.rule(index, ended, now),
                Some(reason) => self.silent(index, reason, now),
            },
            (_, Outcome::Unhealthy(_)) => self.rule(index, ended, now),
        };
        let set = &mut self.sets[index];
        if self.reload.is_after(set.started) {
            // What the next one finds is of the reload.
            set.next = set.next.map(|next| next.min(now + set.timing.retry_interval));
        }
        let overdue = || may_answer.then(|| self.reload_is_overdue(now)).flatten();
        Actions { slowed, note: actions.note.or_else(overdue), ..actions }
    }

    fn rule(&mut self, index: usize, ended: Ended, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        let (ruling, next) = set.watch.ended(ended, set.started, self.random.f64(), now);
        (set.next, set.is_sound) = (Some(next), matches!(ruling, Ruling::Healthy { .. }));
        match ruling {
            Ruling::Healthy { failures } => self.healthy(index, failures, now),
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
                    report: self.cannot_probe_report(index, &reason, now),
                    ..Actions::default()
                }
            }
            Ruling::Failure { reason, is_first } => self.failed(index, reason, is_first, now),
            Ruling::Hang { reason } => self.seems_to_hang(index, reason, now),
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
        for set in self.sets.iter_mut().filter(|set| !set.in_flight) {
            let soon = now + set.timing.retry_interval;
            set.next = match (set.next, self.phase) {
                (Some(due), _) => Some(due.min(soon)),
                (None, Phase::Unguarded) => Some(now),
                // It is not asked otherwise.
                (None, _) => set.ready_only.then_some(soon),
            };
        }
    }

    fn healthy(&mut self, index: usize, failures: u32, now: Instant) -> Actions {
        let set = &mut self.sets[index];
        (set.answered, set.vouched) = (now, set.started);
        let reloaded = self.reload_answered();
        if reloaded.is_some() {
            self.status.is_news();
        }
        // Of several sets, what is wrong with one is the news.
        let is_due = self.is_sound() && self.status.is_due(Kind::Healthy, now);
        let text = is_due.then(|| self.healthy_text(index, now));
        let status = text.map(|text| self.status.now(Kind::Healthy, now, &text));
        let note = match (reloaded, failures) {
            (Some(asked), _) => Some(Note::Reloaded { after: now - asked }),
            (None, failures) => (failures > 0 && self.is_sound()).then_some(Note::Recovered { failures }),
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
    pub(super) fn healthy_text(&self, set: usize, now: Instant) -> String {
        use std::fmt::Write as _;
        let set = &self.sets[set];
        let mut text = if set.target.is_empty() {
            "healthy: COMMAND pings by itself".to_owned()
        } else {
            format!("healthy: {} answered in {}", set.target, rounded(now - set.started))
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
        let pressure = set.pressure.map(|pressure| format!("waiting for {pressure}"));
        let reload = self.reload.text(now);
        for (index, part) in reload.into_iter().chain(pressure).chain(failures).chain(restarts).enumerate() {
            let _ = write!(text, "{} {part}", if index == 0 { ";" } else { "," });
        }
        text
    }
}
