use crate::hang::watch::Ended;
use crate::kernel::stalls::{Limit, Pressure};
use proptest::prelude::*;

use super::*;
use crate::cli::RestartRule;
use crate::guard::comeback::{Comeback, Obstacle};
use crate::guard::event::{Failure, Hang};
use crate::guard::settings::Whom;
use crate::guard::unit::tests::{running, unit};
use crate::guard::unit::{Job, Standing};
use crate::hang::timing::Timing;
use crate::systemd::job::JobType;
use crate::systemd::shall_restart::Restart;
use crate::words::outcome::{Cause, Outcome, Reason};

mod hang;
mod jobs;
mod lenience;
mod outlook;
mod sets;
mod watch;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// P = T = 1 s, N = 3, r = 100 ms, 10 s of grace, two restarts an hour, no report, own pings every 15 s.
fn rules() -> Rules {
    let timing =
        Timing { interval: S, timeout: S, failures: 3, rise: 1, jitter: 0, retry_interval: 100 * MS };
    Rules {
        watchdog: 10 * S,
        sets: vec![timing],
        pressure_limit: Some(40),
        start_grace: 10 * S,
        restart: RestartRule::Auto,
        budget: (2, 3600 * S),
        report: None,
        dry_run: false,
        turn: Some(15 * S),
    }
}

/// What the clock of the test says of its time is filled in by [`Play::step`].
fn probed(outcome: Outcome) -> Event {
    let zero = Duration::ZERO;
    ended(Ended { outcome, late: zero, able: zero, row: zero, pressure: None })
}

/// Of the first set.
fn ended(ended: Ended) -> Event {
    Event::Probed { set: 0, ended }
}

fn healthy() -> Event {
    probed(Outcome::Healthy)
}

fn mute() -> Outcome {
    Outcome::Unhealthy(Reason::new(Cause::Timeout, "http://127.0.0.1/: no answer in 1 s"))
}

/// Noticed so many milliseconds after its deadline.
fn late(millis: u64) -> Event {
    let (late, zero) = (Duration::from_millis(millis), Duration::ZERO);
    ended(Ended { outcome: mute(), late, able: zero, row: zero, pressure: None })
}

fn slow() -> Event {
    Event::Slow { set: 0, able: S / 4, pressure: Pressure { resource: "CPU", percent: 90 } }
}

/// All of UNIT waited for the CPU in so much of the time.
fn starved(percent: u8) -> Event {
    let (pressure, zero) = (Some(Pressure { resource: "CPU", percent }), Duration::ZERO);
    ended(Ended { outcome: mute(), late: zero, able: zero, row: zero, pressure })
}

fn unhealthy() -> Event {
    probed(mute())
}

fn settings(restart: &str) -> Settings {
    let restart = Restart { setting: restart.into(), ..Restart::default() };
    Settings { restart, abort_timeout: Some(Some(2 * S)), ..Settings::default() }
}

/// What systemd says that is final.
fn refusal(why: &str) -> Event {
    Event::Called(Err(Failure { why: why.into(), is_refusal: true }))
}

/// What [`Task::Look`] finds.
fn looks(unit: Unit, restart: &str) -> Event {
    Event::Looked(Ok((unit, settings(restart))))
}

/// The first of a row.
const PROBE: Task = probe(3);

/// One that so many failures are left for.
const fn probe(left: u64) -> Task {
    Task::Probe { set: 0, limit: Limit { timeout: S, under_pressure: Duration::from_secs(left) } }
}

/// Of a unit that is dead.
const START: Task = Task::Start { is_exited: false };
const ABORT: Task = Task::Kill { whom: Whom::All, signal: 6 };
const SIGKILL: Task = Task::Kill { whom: Whom::All, signal: 9 };

/// Plays events to a state, with a clock that stands still unless moved.
struct Play {
    state: GuardState,
    now: Instant,
    maintenance: bool,
    notes: Vec<Note>,
    messages: Vec<Message>,
    underway: Option<Task>,
    /// As kept last.
    ends: Option<Vec<Instant>>,
    healthy: Option<Instance>,
}

impl Play {
    fn new(rules: Rules) -> Self {
        let (now, name) = (Instant::now(), UnitName::new("nginx").expect("a name"));
        let state =
            GuardState::new(rules, name, &["http://127.0.0.1/", "the second"], (Vec::new(), None), now);
        Self {
            state,
            now,
            maintenance: false,
            notes: Vec::new(),
            messages: Vec::new(),
            underway: None,
            ends: None,
            healthy: None,
        }
    }

    /// UNIT runs and has answered.
    fn watching(rules: Rules) -> Self {
        let mut play = Self::new(rules);
        play.step(Event::Seen(running(7)));
        assert_eq!(play.probe(healthy()), None);
        play
    }

    /// N probes in a row were unhealthy, and the settings were read.
    fn hung(rules: Rules, settings: Settings) -> (Self, Option<Task>) {
        let mut play = Self::watching(rules);
        assert_eq!(play.hang(), Some(Task::ReadSettings));
        let task = play.step(Event::Read(Ok(settings)));
        (play, task)
    }

    /// The watchdog's signal has been sent.
    fn signalled(settings: Settings) -> Self {
        let (mut play, task) = Self::hung(rules(), settings);
        assert!(matches!(task, Some(Task::Kill { .. })), "{task:?}");
        assert_eq!(play.step(Event::Called(Ok(()))), None);
        play
    }

    fn step(&mut self, mut event: Event) -> Option<Task> {
        if let Event::Probed { set, ended } = &mut event {
            let able =
                |time: Duration| time * (100 - ended.pressure.map_or(0, |it| u32::from(it.percent))) / 100;
            let started = self.state.sets[*set].started;
            (ended.able, ended.row) =
                (able(self.now - started), able(self.now - self.state.row_began(*set).unwrap_or(started)));
        }
        let moment = Moment { now: self.now, maintenance: self.maintenance, dice: 0.0 };
        let actions = self.state.step(event, moment);
        self.notes.extend(actions.notes);
        self.messages.push(actions.message);
        self.ends = actions.ends.or(self.ends.take());
        self.healthy = actions.healthy.or(self.healthy.take());
        if actions.drop_task {
            self.underway = None;
        }
        self.underway = actions.task.clone().or(self.underway.take());
        actions.task
    }

    /// Waits for the time that the state has named.
    fn due(&mut self) -> Option<Task> {
        let due = self.state.due().expect("something is due");
        self.now = self.now.max(due);
        self.step(Event::Due)
    }

    /// The next probe: a healthy one ends after 10 ms, another one at its deadline.
    fn probe(&mut self, outcome: Event) -> Option<Task> {
        let took = if outcome == healthy() { 10 * MS } else { S };
        self.probe_in(took, outcome)
    }

    fn probe_in(&mut self, took: Duration, outcome: Event) -> Option<Task> {
        let task = self.due();
        assert!(matches!(task, Some(Task::Probe { .. })), "{task:?}");
        self.now += took;
        self.step(outcome)
    }

    /// How long after now the next thing is due.
    fn due_in(&self) -> Duration {
        self.state.due().expect("something is due") - self.now
    }

    /// An end needs what ends.
    fn can_happen(&mut self, event: &Event) -> bool {
        let ends = match event {
            Event::Probed { .. } => matches!(self.underway, Some(Task::Probe { .. })),
            Event::Read(_) => matches!(self.underway, Some(Task::ReadSettings)),
            Event::Reported => matches!(self.underway, Some(Task::Report(_))),
            Event::Called(_) => matches!(self.underway, Some(Task::Kill { .. } | Task::Start { .. })),
            Event::Looked(_) => matches!(self.underway, Some(Task::Look)),
            Event::Slow { .. } => return matches!(self.underway, Some(Task::Probe { .. })),
            Event::Due => return self.state.due().is_some(),
            Event::Turn => return self.state.turn().is_some(),
            Event::Seen(_) | Event::Settings(_) | Event::Lost { .. } | Event::Stop => {
                return true;
            }
        };
        if ends {
            self.underway = None;
        }
        ends
    }

    fn hang(&mut self) -> Option<Task> {
        assert_eq!(self.probe(unhealthy()), None);
        assert_eq!(self.probe(unhealthy()), None);
        self.probe(unhealthy())
    }

    fn status(&self) -> String {
        let said = self.messages.iter().rev().find_map(|message| message.status.clone());
        said.expect("something was said")
    }

    fn has(&self, wanted: impl Fn(&Note) -> bool) -> usize {
        self.notes.iter().filter(|note| wanted(note)).count()
    }
}

fn dead() -> Unit {
    Unit { result: "core-dump".into(), exit: (3, 6), ..unit("failed", "failed") }
}

/// In the middle of it.
fn reloading(main_pid: u32) -> Unit {
    Unit { active: "reloading".into(), sub: "reload".into(), ..running(main_pid) }
}

/// [`None`]: a job that was over before systemd could be asked what it does.
fn with_job(kind: Option<JobType>, unit: Unit) -> Unit {
    Unit { job: Some(Job { id: 5, kind }), ..unit }
}

fn any_event() -> impl Strategy<Value = Event> {
    let units = prop_oneof![
        Just(running(7)),
        Just(running(8)),
        Just(unit("inactive", "dead")),
        Just(unit("active", "exited")),
        Just(dead()),
        Just(unit("activating", "auto-restart")),
        Just(unit("deactivating", "stop-sigterm")),
        Just(unit("reloading", "reload")),
        Just(reloading(7)),
    ];
    let kinds = prop_oneof![
        1 => Just(Some(JobType::Stop)),
        1 => Just(Some(JobType::Start)),
        4 => Just(Some(JobType::Neither)),
        1 => Just(None),
    ];
    let units = prop_oneof![
        3 => units.clone(),
        1 => (units, kinds).prop_map(|(unit, kind)| with_job(kind, unit)),
    ];
    let restart = prop_oneof![Just("no"), Just("always"), Just("on-watchdog")];
    let file_state = prop_oneof![4 => Just("enabled"), 1 => Just("disabled")];
    let settings = (restart, file_state, any::<bool>()).prop_map(|(restart, file_state, can_start)| {
        Settings { file_state: file_state.into(), can_start, ..settings(restart) }
    });
    prop_oneof![
        3 => units.clone().prop_map(Event::Seen),
        1 => settings.clone().prop_map(Event::Settings),
        8 => Just(unhealthy()),
        1 => Just(late(300)),
        1 => Just(starved(60)),
        1 => Just(healthy()),
        1 => Just(slow()),
        8 => Just(Event::Due),
        1 => Just(Event::Turn),
        1 => Just(Event::Lost { why: "closed".into() }),
        4 => settings.clone().prop_map(|settings| Event::Read(Ok(settings))),
        2 => Just(Event::Reported),
        2 => Just(Event::Called(Ok(()))),
        1 => Just(refusal("no")),
        1 => Just(Event::Called(Err(Failure { why: "no answer".into(), is_refusal: false }))),
        2 => (units, settings).prop_map(|looked| Event::Looked(Ok(looked))),
    ]
}

/// Of one that reloads as of one that does not.
fn last_life(unit: &Unit) -> Standing {
    let active = if unit.is_reloading() { "active" } else { &unit.active };
    let sub = if unit.is_reloading() { "running" } else { &unit.sub };
    Unit { active: active.into(), sub: sub.into(), ..unit.clone() }.standing()
}

proptest! {
    /// Whatever comes in whatever order.
    #[test]
    fn what_is_ended_was_healthy_hangs_and_would_come_back_within_the_budget_and_what_is_started_is_dead(
        events in proptest::collection::vec((any_event(), 0_u64..1500, any::<bool>()), 0..300),
        report: bool,
        dry_run: bool,
        rule in prop_oneof![Just(RestartRule::Auto), Just(RestartRule::Unit)],
    ) {
        let rules = Rules { report: report.then_some(S), dry_run, restart: rule, ..rules() };
        let mut play = Play::new(rules);
        let (mut unhealthy_probes, mut signals, mut last_seen) = (0, 0, Unit::default());
        let mut before_signal = 0;
        let (mut healthy_ones, mut last_read) = (Vec::new(), Settings::default());
        for (event, millis, maintenance) in events {
            play.now += Duration::from_millis(millis);
            play.maintenance = maintenance && millis < 100;
            if !play.can_happen(&event) {
                continue;
            }
            match &event {
                Event::Probed { ended, .. } if ended.outcome == Outcome::Healthy => {
                    unhealthy_probes = 0;
                    healthy_ones.push(last_seen.standing());
                }
                // One question under pressure may count for a whole row.
                Event::Probed { ended, .. } => unhealthy_probes += if ended.pressure.is_some() { 3 } else { 1 },
                Event::Seen(unit) => last_seen = unit.clone(),
                Event::Looked(Ok((unit, settings))) => {
                    last_seen = unit.clone();
                    last_read = settings.clone();
                }
                Event::Read(Ok(settings)) => last_read = settings.clone(),
                _ => {}
            }
            let is_refused = event == refusal("no") && matches!(play.state.phase, Phase::Acting(Act::Signalled(_)));
            if is_refused {
                signals -= 1;
                unhealthy_probes = before_signal;
            }
            let task = play.step(event.clone());
            match task {
                Some(Task::Kill { signal: 6, .. }) => {
                    prop_assert!(unhealthy_probes >= 3 && !play.maintenance && !dry_run);
                    prop_assert!(healthy_ones.contains(&last_life(&last_seen)), "never healthy");
                    prop_assert!(!last_seen.is_ordered(), "{last_seen:?}");
                    let comes_back = last_read.restart.setting == "always"
                        || last_read.can_start && (rule == RestartRule::Auto || last_read.restart.covers_watchdog());
                    prop_assert!(comes_back, "{last_read:?}");
                    before_signal = std::mem::take(&mut unhealthy_probes);
                    signals += 1;
                }
                Some(Task::Start { is_exited }) => {
                    prop_assert_eq!(is_exited, last_seen.active == "active");
                    prop_assert!(signals > 0 && !play.maintenance);
                    prop_assert_eq!(last_seen.standing(), Standing::Dead);
                    prop_assert!(!last_seen.is_ordered(), "{last_seen:?}");
                    prop_assert!(last_read.can_start || last_read.restart.setting == "always");
                }
                Some(Task::Probe { .. }) => {
                    prop_assert!(matches!(play.state.unit.standing(), Standing::Serving(_)) && !play.maintenance);
                }
                _ => {}
            }
        }
        prop_assert!(signals <= 2, "in less than an hour");
    }
}
