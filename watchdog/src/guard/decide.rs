//! What to do about UNIT, given what happened. Pure: no clock, no I/O.
//!
//! | phase | UNIT | we |
//! |---|---|---|
//! | Away | unknown: systemd does not answer | do nothing, and connect again |
//! | Resting | not running, reloading, frozen, or under maintenance | do nothing: a probe could wake it |
//! | Starting | running; no healthy probe yet | probe; unhealthy ones do not count before `--start-timeout` |
//! | Watching | running | probe; N unhealthy in a row are a hang |
//! | Acting | hangs | read its settings, report, signal, wait for its end, start it if systemd does not |
//! | Ended | | do nothing: we were asked to stop |
//!
//! Whatever somebody else does about UNIT comes first: a job, a new main process or a start ends what we were at.
//!
//! The pings are for our own watchdog. One is said after every probe, whatever its outcome, and at every turn of a timer
//! unless something that was begun is overdue. They vouch for this loop, and for nothing about UNIT.

use std::time::{Duration, Instant};

use crate::guard::budget::Budget;
use crate::guard::detector::{Detector, Verdict};
use crate::guard::event::{Actions, CALL_TIMEOUT, Event, Moment, Rules, Task};
use crate::guard::name::ServiceName;
use crate::guard::note::Note;
use crate::guard::settings::Settings;
use crate::guard::unit::{Instance, Standing, Unit};
use crate::message::{self, Message};
use crate::metrics;
use crate::probe::{Outcome, Reason};

use self::status::Said;

mod hang;
mod status;

/// What may be late by this much is not stuck yet.
const OVERDUE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
enum Phase {
    /// What is taken up again when systemd is back, and when it was due.
    Away(Option<(Act, Option<Instant>)>),
    Resting,
    Starting {
        until: Instant,
    },
    Watching,
    Acting(Act),
    Ended,
}

/// How far we are with a hang.
#[derive(Debug, Clone)]
enum Act {
    ReadingSettings,
    Reporting(Settings),
    /// The watchdog's signal was sent.
    Signalled(Settings),
    /// SIGKILL was sent.
    Killed(Settings),
    /// It has ended, and is started when its RestartSec= is over.
    Dead,
    Looking,
    Starting,
}

/// Where we stand.
#[derive(Debug, Clone)]
pub struct State {
    rules: Rules,
    name: ServiceName,
    target: String,
    phase: Phase,
    unit: Unit,
    instance: Option<Instance>,
    /// It has answered, or its grace is over.
    settled: bool,
    detector: Detector,
    budget: Budget,
    probe_started: Instant,
    due: Option<Instant>,
    turn: Option<Instant>,
    /// What is under way should have ended by then.
    overdue: Option<Instant>,
    ready: bool,
    /// The hang that goes on was said to be one.
    called: bool,
    latency: Option<Duration>,
    reason: Option<Reason>,
    /// We have ended UNIT, and it may come back for that.
    was_ended: bool,
    /// How often it came back then.
    restarts: u32,
    maintenance: bool,
    /// Why UNIT was left as it is, or why we are away.
    remark: Option<String>,
    said: Said,
}

impl State {
    /// Before anything is known of UNIT.
    pub fn new(rules: Rules, name: ServiceName, target: &str, now: Instant) -> Self {
        let (limit, window) = rules.budget;
        Self {
            turn: rules.turn.map(|turn| now + turn),
            rules,
            name,
            target: target.to_owned(),
            phase: Phase::Away(None),
            unit: Unit::default(),
            instance: None,
            settled: false,
            detector: Detector::default(),
            budget: Budget::new(limit, window),
            probe_started: now,
            due: None,
            overdue: None,
            ready: false,
            called: false,
            latency: None,
            reason: None,
            was_ended: false,
            restarts: 0,
            maintenance: false,
            remark: None,
            said: Said::default(),
        }
    }

    /// When [`Event::Due`] is to happen.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// When [`Event::Turn`] is to happen.
    pub fn turn(&self) -> Option<Instant> {
        self.turn
    }

    /// Unhealthy probes in a row.
    pub fn failures(&self) -> u32 {
        self.detector.failures()
    }

    /// How often UNIT came back after we ended it.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Where UNIT stands, as the metrics have it: [`Stopping`](metrics::State::Stopping) while it is not running, or not to be
    /// probed.
    pub fn figure(&self) -> metrics::State {
        match self.phase {
            Phase::Starting { .. } => metrics::State::Starting,
            Phase::Watching if self.called => metrics::State::Hung,
            Phase::Watching if self.failures() > 0 => metrics::State::Unhealthy,
            Phase::Watching => metrics::State::Watching,
            Phase::Acting(..) => metrics::State::Hung,
            Phase::Away(_) | Phase::Resting | Phase::Ended => metrics::State::Stopping,
        }
    }

    /// Takes in an event, and says what to do.
    pub fn step(&mut self, event: Event, at: Moment) -> Actions {
        let mut actions = Actions::default();
        self.maintenance = at.maintenance;
        if matches!(
            event,
            Event::Probed(_) | Event::Read(_) | Event::Reported | Event::Called(_) | Event::Looked(_)
        ) {
            self.overdue = None;
            // Where it was overdue, the turns had ended.
            self.turn = self.turn.or_else(|| self.rules.turn.map(|_| at.now));
        }
        match event {
            _ if matches!(self.phase, Phase::Ended) => return actions,
            Event::Stop => {
                self.enter(Phase::Ended, &mut actions);
                let status = format!("stopping: {} is not guarded any more", self.name);
                actions.message = Message { stopping: true, ..Message::status(status) };
                return actions;
            }
            Event::Seen(unit) => self.seen(unit, at, &mut actions),
            Event::JobQueued => self.give_way(at, &mut actions),
            Event::Lost { why } => self.lost(why, at.now, &mut actions),
            Event::Due => self.is_due(at, &mut actions),
            Event::Turn => self.take_turn(at, &mut actions),
            Event::Probed(outcome) => self.probed(outcome, at, &mut actions),
            Event::Read(settings) => self.read(settings, at, &mut actions),
            Event::Reported => {
                if let Phase::Acting(Act::Reporting(settings)) = &self.phase {
                    let settings = settings.clone();
                    self.signal(settings, at, &mut actions);
                }
            }
            Event::Called(result) => self.called(result, at, &mut actions),
            Event::Looked(looked) => self.looked(looked, at, &mut actions),
        }
        self.say(at.now, &mut actions);
        actions
    }

    /// What was under way belongs to the phase that is left.
    fn enter(&mut self, phase: Phase, actions: &mut Actions) {
        self.phase = phase;
        self.due = None;
        self.overdue = None;
        actions.drop_task = true;
        actions.task = None;
    }

    fn begin(&mut self, task: Task, now: Instant, actions: &mut Actions) {
        let takes = match &task {
            Task::Probe => self.rules.timing.timeout,
            Task::Report(hang) => hang.budget,
            // A kill is two calls.
            Task::ReadSettings | Task::Kill { .. } | Task::Look | Task::Start => 2 * CALL_TIMEOUT,
        };
        self.overdue = Some(now + takes + OVERDUE);
        actions.task = Some(task);
    }

    fn seen(&mut self, unit: Unit, at: Moment, actions: &mut Actions) {
        let job = unit.job != 0;
        // `ready` follows at the end of this very step. Later it may go away, which is for others to know.
        if !self.ready && unit.load == "not-found" {
            actions.notes.push(Note::NotThere);
        }
        self.unit = unit;
        if let Phase::Away(before) = &mut self.phase {
            self.remark = None;
            (self.phase, self.due) = match before.take() {
                Some((act, due)) => (Phase::Acting(act), due),
                None => (Phase::Resting, None),
            };
        }
        match (&self.phase, self.unit.standing()) {
            // Somebody has ended its coming back; who starts it later does not do so for the hang.
            (Phase::Resting, Standing::Dead) if !job => self.was_ended = false,
            _ => {}
        }
        match (&self.phase, self.unit.standing()) {
            (Phase::Acting(Act::Starting), Standing::Dead) => {}
            (Phase::Acting(_), _) if job => self.give_way(at, actions),
            (Phase::Acting(Act::Dead | Act::Looking), Standing::Dead) => {}
            (Phase::Acting(Act::Signalled(settings) | Act::Killed(settings)), Standing::Dead) => {
                let settings = settings.clone();
                self.died(&settings, at, actions);
            }
            (Phase::Acting(Act::Signalled(_) | Act::Killed(_)), Standing::Between)
                if self.unit.is_going() =>
            {
                // TimeoutStopSec= is systemd's to keep now.
                self.due = None;
            }
            (Phase::Acting(_), Standing::Serving(instance)) if self.instance.as_ref() == Some(&instance) => {}
            _ => self.stand(at, actions),
        }
    }

    /// Takes UNIT as it stands.
    fn stand(&mut self, at: Moment, actions: &mut Actions) {
        let Standing::Serving(instance) = self.unit.standing() else {
            return self.rest(actions);
        };
        if at.maintenance {
            self.rest(actions);
            self.due = Some(at.now + self.rules.timing.interval);
            return;
        }
        let known = self.instance.as_ref() == Some(&instance);
        if known && matches!(self.phase, Phase::Starting { .. } | Phase::Watching) {
            return;
        }
        self.forget();
        if !known && std::mem::take(&mut self.was_ended) {
            self.restarts += 1;
        }
        self.instance = Some(instance);
        self.remark = None;
        // One that we watched already, before systemd was out of reach, needs no grace.
        let phase = if known && self.settled {
            Phase::Watching
        } else {
            self.settled = false;
            Phase::Starting { until: at.now + self.rules.start_grace }
        };
        self.enter(phase, actions);
        self.due = Some(at.now);
    }

    fn rest(&mut self, actions: &mut Actions) {
        self.forget();
        self.instance = None;
        self.enter(Phase::Resting, actions);
    }

    fn forget(&mut self) {
        self.detector = Detector::default();
        self.called = false;
        self.reason = None;
        self.latency = None;
    }

    /// Whoever wants something done to UNIT knows more than we do.
    fn give_way(&mut self, at: Moment, actions: &mut Actions) {
        let ours = matches!(self.phase, Phase::Acting(Act::Starting));
        if matches!(self.phase, Phase::Acting(_)) && !ours {
            actions.notes.push(Note::GaveWay);
            self.stand(at, actions);
        }
    }

    fn lost(&mut self, why: String, now: Instant, actions: &mut Actions) {
        let before = match &self.phase {
            Phase::Acting(act @ (Act::Signalled(_) | Act::Killed(_) | Act::Dead)) => {
                Some((act.clone(), self.due))
            }
            // Whether it was started shows when systemd is back.
            Phase::Acting(Act::Looking | Act::Starting) => Some((Act::Dead, Some(now))),
            Phase::Away(_) => return,
            _ => None,
        };
        if before.is_none() {
            self.forget();
        }
        actions.notes.push(Note::Lost { why: why.clone() });
        self.remark = Some(why);
        self.enter(Phase::Away(before), actions);
    }

    fn is_due(&mut self, at: Moment, actions: &mut Actions) {
        self.due = None;
        match &self.phase {
            Phase::Starting { .. } | Phase::Watching if at.maintenance => self.stand_aside(at, actions),
            Phase::Starting { .. } | Phase::Watching => {
                self.probe_started = at.now;
                self.begin(Task::Probe, at.now, actions);
            }
            // Maintenance may be over.
            Phase::Resting => self.stand(at, actions),
            Phase::Acting(Act::Signalled(settings)) => {
                let settings = settings.clone();
                let (whom, signal) = (settings.whom_at_last(&self.unit), nix::libc::SIGKILL);
                actions.notes.push(Note::Killing { after: settings.abort_timeout.unwrap_or_default() });
                self.phase = Phase::Acting(Act::Killed(settings));
                self.begin(Task::Kill { whom, signal }, at.now, actions);
            }
            Phase::Acting(Act::Dead) => {
                self.phase = Phase::Acting(Act::Looking);
                self.begin(Task::Look, at.now, actions);
            }
            Phase::Acting(_) | Phase::Away(_) | Phase::Ended => {}
        }
    }

    fn stand_aside(&mut self, at: Moment, actions: &mut Actions) {
        actions.notes.push(Note::Maintenance);
        self.stand(at, actions);
    }

    fn take_turn(&mut self, at: Moment, actions: &mut Actions) {
        if self.overdue.is_none_or(|overdue| at.now <= overdue) {
            self.ping(at.now, actions);
        } else {
            self.turn = None;
            actions.notes.push(Note::Stuck);
        }
    }

    fn ping(&mut self, now: Instant, actions: &mut Actions) {
        if let Some(turn) = self.rules.turn {
            actions.message.watchdog = Some(message::Verdict::Ping);
            self.turn = Some(now + turn);
        }
    }

    fn probed(&mut self, outcome: Outcome, at: Moment, actions: &mut Actions) {
        self.ping(at.now, actions);
        let took = at.now - self.probe_started;
        let interval = self.rules.timing.interval;
        match (&self.phase, &outcome) {
            (Phase::Starting { .. }, Outcome::Healthy) => {
                self.settle();
                actions.notes.push(Note::Answers { target: self.target.clone(), took });
            }
            (Phase::Starting { until }, Outcome::Unhealthy(reason)) if at.now < *until => {
                self.reason = Some(reason.clone());
                self.due = Some((self.probe_started + interval).max(at.now));
                return;
            }
            (Phase::Starting { .. }, Outcome::Unhealthy(_)) => self.settle(),
            (Phase::Watching, _) => {}
            (Phase::Away(_) | Phase::Resting | Phase::Acting(_) | Phase::Ended, _) => return,
        }
        let verdict = self.detector.judge(&self.rules.timing, &outcome, took);
        let next = self.detector.next(&self.rules.timing, verdict, self.probe_started, at.dice);
        self.due = Some(next.max(at.now));
        match (verdict, outcome) {
            (Verdict::Healthy { after }, _) => {
                (self.latency, self.reason, self.called) = (Some(took), None, false);
                if after > 0 {
                    actions.notes.push(Note::Recovered { failures: after });
                }
            }
            (Verdict::Doubtful, Outcome::Unhealthy(reason)) => {
                if self.detector.failures() == 1 {
                    actions.notes.push(Note::Unhealthy { reason: reason.clone() });
                }
                self.reason = Some(reason);
            }
            (Verdict::Hung, Outcome::Unhealthy(reason)) => {
                self.reason = Some(reason);
                self.hung(at, actions);
            }
            (Verdict::Doubtful | Verdict::Hung | Verdict::Void, _) => {}
        }
    }

    fn settle(&mut self) {
        self.settled = true;
        self.phase = Phase::Watching;
    }
}

#[cfg(test)]
mod tests;
