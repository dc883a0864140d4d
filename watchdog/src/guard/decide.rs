//! What to do about UNIT, given what happened. Pure: no clock, no I/O.
//!
//! | phase | UNIT | we |
//! |---|---|---|
//! | Away | unknown: systemd does not answer | do nothing, and connect again |
//! | Resting | not running, reloading, or under maintenance | do nothing: a probe could wake it |
//! | Starting | running; no healthy probe yet | probe; unhealthy ones do not count before `--start-timeout`, nor before a healthy one |
//! | Watching | running | probe; [`Watch`](crate::hang::watch::Watch) decides what is a hang |
//! | Acting | hangs | read its settings, report, signal, wait for its end, start it if systemd does not |
//! | Ended | | do nothing: we were asked to stop |
//!
//! What the end of a probe means is decided by [`Watch`](crate::hang::watch::Watch), as it is in front of a service. There is one
//! for each set of probes, with its own timing: UNIT was healthy once all of them were at once, and the first row of failures
//! that makes a hang is the hang.
//!
//! What never was healthy under these probes is never ended (`GuardState::has_answered`), nor is what nobody would start again
//! ([`Comeback`](crate::guard::comeback::Comeback)): a hang of that is only said.
//!
//! Whatever somebody else does about UNIT comes first: a job that ends or starts it, a new main process or a start ends what we
//! were at. A reload does not: systemd's own watchdog acts during one as well (`service_set_state` in its src/core/service.c).
//!
//! The pings are for our own watchdog. One is said after every probe, whatever its outcome, and at every turn of a timer
//! unless something that was begun is overdue. They vouch for this loop, and for nothing about UNIT.

use crate::kernel::stalls;
use std::time::{Duration, Instant};

use crate::guard::budget::Budget;
use crate::guard::event::{Actions, Event, Moment, Task};
use crate::guard::note::Note;
use crate::guard::rules::Rules;
use crate::guard::settings::Settings;
use crate::guard::unit::{Instance, Unit};
use crate::systemd::dbus::CALL_TIMEOUT;
use crate::systemd::message;
use crate::systemd::message::Message;
use crate::unit::UnitName;
use crate::words::metrics;

use self::outlook::Known;
use self::set::Set;
use self::status::Throttle;

mod hang;
mod outlook;
mod set;
mod stand;
mod status;
mod watch;

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
    Reporting {
        settings: Settings,
        /// And then it is ended.
        is_to_end: bool,
    },
    /// The watchdog's signal was sent.
    Signalled(Settings),
    /// SIGKILL was sent.
    Killed(Settings),
    /// It has ended, and is started when its RestartSec= is over.
    Dead {
        start_at: Instant,
    },
    Looking {
        start_at: Instant,
    },
    Starting,
}

/// Where we stand.
#[derive(Debug, Clone)]
pub struct GuardState {
    rules: Rules,
    name: UnitName,
    phase: Phase,
    unit: Unit,
    instance: Option<Instance>,
    /// Never empty.
    sets: Vec<Set>,
    /// The one whose hang is acted upon, or was last.
    hung: usize,
    /// The life of UNIT that was healthy last.
    answered: Option<Instance>,
    /// That it never was is said.
    is_silence_said: bool,
    known: Option<Known>,
    /// What of it was said last.
    outlook: Option<String>,
    /// Why systemd refuses to have UNIT ended, and when it is asked again.
    refusal: Option<(String, Instant)>,
    budget: Budget,
    /// Of what is no probe.
    due: Option<Instant>,
    turn: Option<Instant>,
    /// What is under way, and is no probe, should have ended by then.
    overdue: Option<Instant>,
    ready: bool,
    latency: Option<Duration>,
    /// We have ended UNIT, and it may come back for that.
    was_ended: bool,
    /// It was on its way back then.
    is_returning: bool,
    /// How often it came back then.
    restarts: u32,
    maintenance: bool,
    /// Why UNIT was left as it is, or why we are away.
    remark: Option<String>,
    said: Throttle,
}

impl GuardState {
    /// Before anything is known of UNIT.
    ///
    /// `targets` name what each set probes; `ends` is when it was ended before, the oldest first; `answered`, which life of it was healthy under the same probes
    /// before this guard began.
    pub fn new(
        rules: Rules,
        name: UnitName,
        targets: &[impl AsRef<str>],
        (ends, answered): (Vec<Instant>, Option<Instance>),
        now: Instant,
    ) -> Self {
        let (limit, window) = rules.budget;
        let sets = rules.sets.iter().zip(targets);
        Self {
            turn: rules.turn.map(|turn| now + turn),
            sets: sets.map(|(timing, target)| Set::new(*timing, target.as_ref(), now)).collect(),
            hung: 0,
            rules,
            name,
            phase: Phase::Away(None),
            unit: Unit::default(),
            instance: None,
            answered,
            is_silence_said: false,
            known: None,
            outlook: None,
            refusal: None,
            budget: Budget::new(limit, window, ends),
            due: None,
            overdue: None,
            ready: false,
            latency: None,
            was_ended: false,
            is_returning: false,
            restarts: 0,
            maintenance: false,
            remark: None,
            said: Throttle::default(),
        }
    }

    /// When [`Event::Turn`] is to happen.
    pub fn turn(&self) -> Option<Instant> {
        self.turn
    }

    /// The life of UNIT that is probed.
    pub fn instance(&self) -> Option<&Instance> {
        self.instance.as_ref()
    }

    /// How often UNIT came back after we ended it.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Where UNIT stands, as the metrics have it: [`Stopping`](metrics::ServiceState::Stopping) while it is not running, or not to be
    /// probed.
    pub fn figure(&self) -> metrics::ServiceState {
        match self.phase {
            Phase::Starting { .. } => metrics::ServiceState::Starting,
            Phase::Watching if self.is_called() => metrics::ServiceState::Hung,
            Phase::Watching if self.cannot_probe().is_some() => metrics::ServiceState::CannotProbe,
            Phase::Watching if self.failures() > 0 => metrics::ServiceState::Unhealthy,
            Phase::Watching => metrics::ServiceState::Watching,
            Phase::Acting(..) => metrics::ServiceState::Hung,
            Phase::Away(_) | Phase::Resting | Phase::Ended => metrics::ServiceState::Stopping,
        }
    }

    /// Takes in an event, and says what to do.
    pub fn step(&mut self, event: Event, at: Moment) -> Actions {
        let mut actions = Actions::default();
        self.maintenance = at.maintenance;
        if matches!(
            event,
            Event::Probed { .. } | Event::Read(_) | Event::Reported | Event::Called(_) | Event::Looked(_)
        ) {
            match &event {
                Event::Probed { set, .. } => self.sets[*set].overdue = None,
                _ => self.overdue = None,
            }
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
            Event::Settings(settings) => self.settings_are(settings, &mut actions),
            Event::Lost { why } => self.lost(why, at.now, &mut actions),
            Event::Due => self.is_due(at, &mut actions),
            Event::Turn => self.take_turn(at, &mut actions),
            Event::Slow { set, able, pressure } => self.is_slow(set, able, pressure, at.now, &mut actions),
            Event::Probed { set, ended } => self.probed(set, ended, at, &mut actions),
            Event::Read(settings) => self.read(settings, at, &mut actions),
            Event::Reported => self.reported(at, &mut actions),
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
        self.ask_none();
        actions.drop_task = true;
        actions.task = None;
    }

    fn begin(&mut self, task: Task, now: Instant, actions: &mut Actions) {
        let takes = match &task {
            Task::Probe { limit, .. } => limit.under_pressure.div_f64(stalls::LEAST),
            Task::Report(hang) => hang.budget,
            // A kill is two calls.
            Task::ReadSettings | Task::Kill { .. } | Task::Look | Task::Start { .. } => 2 * CALL_TIMEOUT,
        };
        let overdue = match task {
            Task::Probe { set, .. } => &mut self.sets[set].overdue,
            _ => &mut self.overdue,
        };
        *overdue = Some(now + takes + OVERDUE);
        actions.task = Some(task);
    }

    fn is_due(&mut self, at: Moment, actions: &mut Actions) {
        self.due = None;
        match &self.phase {
            Phase::Starting { .. } | Phase::Watching if at.maintenance => self.stand_aside(at, actions),
            Phase::Starting { .. } | Phase::Watching => {
                if let Some(set) = self.next_set() {
                    self.probe(set, at.now, actions);
                }
            }
            // Maintenance may be over.
            Phase::Resting => self.stand(at, actions),
            Phase::Acting(Act::Signalled(settings)) => {
                let settings = settings.clone();
                let (whom, signal) = (settings.whom_at_last(&self.unit), nix::libc::SIGKILL);
                actions.notes.push(Note::Killing { after: settings.kill_after().unwrap_or_default() });
                self.phase = Phase::Acting(Act::Killed(settings));
                self.begin(Task::Kill { whom, signal }, at.now, actions);
            }
            &Phase::Acting(Act::Dead { start_at }) => {
                self.phase = Phase::Acting(Act::Looking { start_at });
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
        if self.is_overdue(at.now) {
            self.turn = None;
            actions.notes.push(Note::Stuck);
        } else {
            self.ping(at.now, actions);
        }
    }

    fn ping(&mut self, now: Instant, actions: &mut Actions) {
        if let Some(turn) = self.rules.turn {
            actions.message.watchdog = Some(message::WatchdogWord::Ping);
            self.turn = Some(now + turn);
        }
    }
}

#[cfg(test)]
mod tests;
