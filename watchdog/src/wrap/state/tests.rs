//! Tables: what happens, second by second, and what it leads to.

use crate::kernel::stalls::Pressure;
use clap::Parser;
use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::cli::Cli;
use crate::hang::watch::Ended;
use crate::systemd::relay::Reloading;
use crate::words::outcome::{Cause, Outcome, Reason};

const TARGET: &str = "http://127.0.0.1:1/";
const MUTE: bool = false;
const HEALTHY: bool = true;
const REPORTED: Event = Event::Reported { course: Course::RunsOn };

/// W = 1 s: interval 100 ms, timeout 100 ms, retry interval 10 ms. No jitter, so that times are exact.
fn config(options: &[&str]) -> Config {
    let fixed = ["sd-watchdog", "--http", TARGET];
    let jitter =
        if options.iter().any(|option| option.starts_with("--jitter")) { &[][..] } else { &["--jitter=0"] };
    let wrap = Cli::try_parse_from(fixed.iter().chain(options).chain(jitter).chain(&["--", "server"]))
        .expect("a good command line")
        .wrap;
    Config::new(&wrap.timing, &[], &wrap.hang, &wrap.wrapper, Some(Duration::from_secs(1)))
        .expect("a timing that works")
}

fn mute() -> Outcome {
    Outcome::Unhealthy(Reason::new(Cause::Timeout, "http://127.0.0.1:1/: mute"))
}

/// At once, with nothing else about it.
fn ended(outcome: Outcome) -> Event {
    let zero = Duration::ZERO;
    Event::ProbeEnded { set: 0, ended: Ended { outcome, late: zero, able: zero, row: zero, pressure: None } }
}

/// A state with a clock that the test moves.
#[derive(Clone)]
struct Bench {
    state: State,
    start: Instant,
    now: Instant,
    late: Duration,
    pressure: Option<Pressure>,
}

impl Bench {
    fn new(options: &[&str]) -> Self {
        Self::with(&config(options))
    }

    /// On a host that keeps nothing from running.
    fn looked(&mut self, is_progress: bool) -> Actions {
        self.step(Event::Looked { is_progress, able: self.now - self.start })
    }

    fn with(config: &Config) -> Self {
        let now = Instant::now();
        Self {
            state: State::new(config, &[TARGET], 7, now),
            start: now,
            now,
            late: Duration::ZERO,
            pressure: None,
        }
    }

    /// READY at 1 ms.
    fn watching(options: &[&str]) -> Self {
        let mut bench = Self::new(options);
        assert_eq!(bench.probe(HEALTHY, 1), "READY=1 STATUS=healthy: http://127.0.0.1:1/ answered in 1 ms");
        bench
    }

    /// Where there is no report to be made, what systemd is asked for has its answer at once; and a signal is passed on as soon
    /// as it comes.
    fn step(&mut self, event: Event) -> Actions {
        let is_passed_on = matches!(event, Event::ReloadAsked { .. });
        let actions = self.state.step(event, self.now);
        if is_passed_on {
            assert_eq!(self.state.step(Event::ReloadDelivered, self.now), Actions::default());
        }
        if actions.ask.is_some() && actions.report.is_none() {
            return self.state.step(REPORTED, self.now);
        }
        actions
    }

    /// Goes to when the next probe is due, starts it, lets it take `took_ms`, and says what is to be done then.
    fn act(&mut self, healthy: bool, took_ms: u64) -> Actions {
        let due = self.state.next_probe().expect("a probe to come");
        self.now = self.now.max(due);
        assert!(self.step(Event::ProbeDue { set: 0 }).start_probe.is_some());
        self.end(healthy, took_ms)
    }

    /// Lets the probe in flight take `took_ms`.
    fn end(&mut self, healthy: bool, took_ms: u64) -> Actions {
        assert_eq!(self.state.next_probe(), None, "one probe at a time");
        self.now += Duration::from_millis(took_ms);
        let outcome = if healthy { Outcome::Healthy } else { mute() };
        let ended = self.ended(outcome, Duration::from_millis(took_ms));
        self.step(Event::ProbeEnded { set: 0, ended })
    }

    /// The end of a probe that took so long, in the row that the state has.
    fn ended(&self, outcome: Outcome, took: Duration) -> Ended {
        let able = |time: Duration| {
            time * (100 - self.pressure.map_or(0, |pressure| u32::from(pressure.percent))) / 100
        };
        let began = self.state.row_began(0).unwrap_or(self.state.sets[0].started);
        Ended {
            outcome,
            late: self.late,
            able: able(took),
            row: able(self.now - began),
            pressure: self.pressure,
        }
    }

    /// What is sent then.
    fn probe(&mut self, healthy: bool, took_ms: u64) -> String {
        sent(&self.act(healthy, took_ms))
    }

    fn ms(&self) -> u128 {
        (self.now - self.start).as_millis()
    }

    fn next_probe_ms(&self) -> Option<u128> {
        self.state.next_probe().map(|at| (at - self.start).as_millis())
    }

    fn stop(&mut self) -> Actions {
        self.step(Event::StopAsked { signal: "SIGTERM".to_owned(), announce: true })
    }

    fn said(&mut self, said: Notification) -> Actions {
        self.step(Event::Said(said))
    }
}

fn sent(actions: &Actions) -> String {
    actions.message.encode().replace('\n', " ")
}

fn ready() -> Notification {
    Notification { ready: true, ..Notification::default() }
}

const TRIGGERED: &str =
    "STATUS=hung, 3 probes in a row unhealthy: http://127.0.0.1:1/: mute WATCHDOG=trigger";

mod child;
mod hang;
mod reload;
mod sets;
mod start;

#[test]
fn the_interval_is_measured_from_start_to_start() {
    let mut bench = Bench::watching(&[]);
    assert_eq!(bench.next_probe_ms(), Some(100));
    for (took, next) in [(30, 200), (100, 300), (99, 400)] {
        assert_eq!(bench.probe(HEALTHY, took), "WATCHDOG=1");
        assert_eq!(bench.next_probe_ms(), Some(next));
    }
}

#[test]
fn jitter_shortens_intervals_at_random_and_never_lengthens_them() {
    let mut bench = Bench::watching(&["--jitter=20"]);
    let mut gaps = Vec::new();
    for _ in 0..200 {
        let before = bench.now;
        bench.probe(HEALTHY, 0);
        gaps.push((bench.now - before).as_micros());
    }
    let (shortest, longest) = (gaps.iter().min().copied(), gaps.iter().max().copied());
    assert!(shortest >= Some(80_000) && shortest < Some(85_000), "{shortest:?}");
    assert!(longest > Some(95_000) && longest <= Some(100_000), "{longest:?}");
}

#[test]
fn an_answer_that_is_there_counts_at_its_deadline_and_after_it() {
    for took in [99, 100, 101, 5000] {
        let mut bench = Bench::watching(&[]);
        assert!(bench.probe(HEALTHY, took).ends_with("WATCHDOG=1"), "after {took} ms");
        assert_eq!(bench.next_probe_ms(), Some(u128::from(100 + took.max(100))), "after {took} ms");
    }
}

#[test]
fn a_status_that_changes_is_said_once_a_second_at_most_and_figures_once_a_minute() {
    let mut bench = Bench::watching(&[]);
    let statuses = |bench: &mut Bench, healthy: fn(u32) -> bool, probes| -> Vec<u128> {
        (0..probes)
            .filter_map(|index| {
                let sent = bench.probe(healthy(index), 0);
                sent.contains("STATUS").then(|| bench.ms())
            })
            .collect()
    };
    let flapping = statuses(&mut bench, |index| index % 2 == 0, 60);
    assert!(flapping.windows(2).all(|pair| pair[1] - pair[0] >= 1000), "{flapping:?}");
    assert!(flapping.len() >= 2, "{flapping:?}");
    let steady = statuses(&mut bench, |_| true, 1300);
    assert!(steady.len() <= 3, "{steady:?}");
}

#[test]
fn the_status_counts_failed_probes_and_restarts() {
    let mut bench = Bench::watching(&[]);
    bench.step(Event::Restarts(2));
    bench.probe(MUTE, 100);
    bench.now += Duration::from_secs(1);
    assert_eq!(
        bench.probe(HEALTHY, 2),
        "STATUS=healthy: http://127.0.0.1:1/ answered in 2 ms; 1 failed probe so far, restarted 2 times WATCHDOG=1"
    );
}

#[test]
fn sustained_health_resets_the_restart_counter_once_and_again_after_a_failure() {
    let mut bench = Bench::watching(&["--reset-after=2s"]);
    let mut resets = Vec::new();
    for index in 0..80 {
        if bench.probe(index != 40, 0).contains("RESTART_RESET=1") {
            resets.push(bench.ms());
        }
    }
    assert_eq!(resets.len(), 2, "{resets:?}");
    assert!(resets[0] == 2001 || resets[0] == 2100, "{resets:?}");
    assert!(resets[1] >= 4000 + 2000, "{resets:?}");
}

#[test]
fn a_stop_is_announced_once_and_the_probe_in_flight_is_abandoned() {
    for in_flight in [false, true] {
        let mut bench = Bench::watching(&[]);
        if in_flight {
            bench.step(Event::ProbeDue { set: 0 });
        }
        let actions = bench.stop();
        assert_eq!(
            sent(&actions),
            "STOPPING=1 STATUS=stopping: COMMAND got SIGTERM WATCHDOG_USEC=18446744073709551615"
        );
        assert!(actions.abandon_probe && bench.state.next_probe().is_none());
        assert_eq!(bench.stop(), Actions::default());
        assert_eq!(bench.step(ended(Outcome::Healthy)), Actions::default());
        let ended = bench.step(Event::Ended { how: "COMMAND exited with code 0".to_owned() });
        assert_eq!(sent(&ended), "STATUS=COMMAND exited with code 0");
    }
}

#[test]
fn the_managers_own_abort_is_not_announced_to_it() {
    let mut bench = Bench::watching(&[]);
    let actions = bench.step(Event::StopAsked { signal: "SIGABRT".to_owned(), announce: false });
    assert_eq!(sent(&actions), "STATUS=stopping: COMMAND got SIGABRT");
    assert_eq!(bench.state.next_probe(), None);
}

#[test]
fn without_a_watchdog_it_says_ready_and_probes_no_more() {
    let config = Config { watchdog: None, ..config(&[]) };
    let mut bench = Bench::with(&config);
    bench.probe(MUTE, 1);
    assert!(bench.probe(HEALTHY, 1).starts_with("READY=1 "));
    assert_eq!((bench.state.phase(), bench.next_probe_ms()), (Phase::Unguarded, None));
    assert!(sent(&bench.stop()).starts_with("STOPPING=1"));
}

/// What can happen, with what of it the clock of the test decides left out.
#[derive(Debug, Clone)]
enum Happens {
    ProbeEnds { found: Found, late_ms: u64, pressure: Option<Pressure> },
    Event(Event),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Healthy,
    Unhealthy,
    CannotProbe,
}

impl Found {
    fn outcome(self) -> Outcome {
        match self {
            Self::Healthy => Outcome::Healthy,
            Self::Unhealthy => mute(),
            Self::CannotProbe => Outcome::Unhealthy(Reason::new(Cause::System, "no descriptor")),
        }
    }
}

fn anything() -> impl Strategy<Value = Happens> {
    let pressure = || {
        proptest::option::weighted(0.3, 10_u8..99)
            .prop_map(|percent| percent.map(|percent| Pressure { resource: "CPU", percent }))
    };
    let found =
        prop_oneof![5 => Just(Found::Healthy), 5 => Just(Found::Unhealthy), 1 => Just(Found::CannotProbe)];
    let probed = (found, 0_u64..60, pressure()).prop_map(|(found, late_ms, pressure)| Happens::ProbeEnds {
        found,
        late_ms,
        pressure,
    });
    let said = (any::<bool>(), any::<bool>(), proptest::bool::weighted(0.02), 0_u8..20).prop_map(
        |(ready, reloading, stopping, watchdog)| {
            Event::Said(Notification {
                ready,
                reloading: reloading.then(Reloading::default),
                stopping,
                watchdog: match watchdog {
                    0 => Some(WatchdogWord::Trigger),
                    1..10 => Some(WatchdogWord::Ping),
                    _ => None,
                },
                ..Notification::default()
            })
        },
    );
    let no_ping = (pressure(), 0_u64..1200)
        .prop_map(|(pressure, able)| Event::NoPing { able: Duration::from_millis(able), pressure });
    prop_oneof![
        20 => Just(Happens::Event(Event::ProbeDue { set: 0 })),
        20 => probed,
        10 => prop_oneof![
            6 => said,
            4 => proptest::sample::select(vec![Course::RunsOn, Course::IsToStop, Course::Stops])
                .prop_map(|course| Event::Reported { course }),
            2 => any::<bool>().prop_map(|is_progress| Event::Looked { is_progress, able: Duration::from_secs(1) }),
            2 => Just(Event::ManagerReloads),
            2 => Just(Event::ReloadAsked { monotonic_usec: 1 }),
            1 => Just(Event::ReloadRefused { signal: "SIGHUP".to_owned(), monotonic_usec: 1 }),
            2 => Just(Event::MayStop),
            4 => no_ping,
            1 => (0_u32..9).prop_map(Event::Restarts),
            2 => any::<bool>().prop_map(|announce| Event::StopAsked { signal: "SIGTERM".to_owned(), announce }),
            2 => Just(Event::Ended { how: "COMMAND exited with code 0".to_owned() }),
        ].prop_map(Happens::Event),
    ]
}

/// What must happen, by a count of its own: it reads nothing of the state but its phase.
#[derive(Debug)]
struct Oracle {
    failures: u32,
    rise: u32,
    pings: bool,
    in_a_row: u32,
    healthy_in_a_row: u32,
    row_began: Option<Instant>,
    called: bool,
    cannot_probe: bool,
    child_pinged: Option<Instant>,
    may_stop_until: Option<Instant>,
    /// When the last reload began, and since when it is under way.
    reload_began: Option<Instant>,
    reloads_since: Option<Instant>,
    is_childs_reload: bool,
}

/// Of a step.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    ping: bool,
    /// Reported, triggered, or said to be withheld.
    hang: bool,
}

const T: Duration = Duration::from_millis(50);
const W: Duration = Duration::from_secs(1);
/// `--start-timeout`
const START: Duration = Duration::from_secs(2);

impl Oracle {
    fn reload(&mut self, is_childs: bool, now: Instant) {
        if self.reloads_since.is_none() || (!is_childs && self.in_a_row == 0) {
            self.reload_began = Some(now);
        }
        self.reloads_since = self.reloads_since.filter(|_| is_childs).or(Some(now));
        self.is_childs_reload = is_childs;
    }

    fn is_excused(&self, now: Instant) -> bool {
        let (Some(began), Some(row)) = (self.reload_began, self.row_began) else { return false };
        now - began < START && row < began + START && row + T >= began && !self.called
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.reloads_since.is_some() && self.reload_began.is_some_and(|began| now - began >= START)
    }

    fn probe_ended(&mut self, found: Found, ended: &Ended, started: Instant, now: Instant) -> Expected {
        let silent = self.pings && self.child_pinged.is_some_and(|pinged| now - pinged > W);
        match found {
            Found::Healthy if silent => {
                self.row_began.get_or_insert(started);
                (self.in_a_row, self.healthy_in_a_row) = (self.in_a_row + 1, 0);
                self.hang(now)
            }
            Found::Healthy => {
                self.cannot_probe = false;
                self.healthy_in_a_row += 1;
                let ping = self.in_a_row == 0 || self.healthy_in_a_row >= self.rise;
                let ends_reload = |since: &Instant| ping && !self.is_childs_reload && started >= *since;
                if let Some(since) = self.reloads_since.take_if(|since| ends_reload(since)) {
                    self.reload_began = Some(since);
                }
                if ping && self.reloads_since.is_none() && !self.is_childs_reload {
                    self.reload_began = self.reload_began.filter(|began| started < *began + T);
                }
                if ping {
                    (self.in_a_row, self.healthy_in_a_row, self.row_began, self.called) = (0, 0, None, false);
                }
                Expected { ping, hang: false }
            }
            Found::CannotProbe => {
                self.cannot_probe = true;
                Expected::default()
            }
            Found::Unhealthy => {
                self.cannot_probe = false;
                if ended.late >= Duration::from_millis(20) {
                    return Expected::default();
                }
                let deadlines = (ended.able.as_micros() + T.as_micros() / 2) / T.as_micros();
                let times = if ended.pressure.is_some() { u32::try_from(deadlines).expect("few") } else { 1 };
                self.in_a_row += times.clamp(1, self.failures);
                self.healthy_in_a_row = 0;
                self.row_began.get_or_insert(started);
                // (N−1)·T + (N−2)·r, r = 10 ms.
                let shortest =
                    T * (self.failures - 1) + Duration::from_millis(10) * self.failures.saturating_sub(2);
                if self.in_a_row >= self.failures && ended.row >= shortest {
                    if self.is_excused(now) {
                        return Expected { ping: true, hang: false };
                    }
                    return self.hang(now);
                }
                Expected::default()
            }
        }
    }

    fn hang(&mut self, now: Instant) -> Expected {
        if self.called || self.may_stop_until.is_some_and(|until| now < until) {
            return Expected::default();
        }
        self.called = true;
        Expected { ping: false, hang: true }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_ping_follows_a_healthy_probe_and_a_hang_enough_failures_at_once_and_nothing_else_does(
        events in proptest::collection::vec((anything(), 0_u64..300), 1..150),
        failures in 1_u32..4,
        rise in 1_u32..3,
        withhold: bool,
        pings: bool,
    ) {
        let options = [
            format!("--failures={failures}"),
            format!("--on-hang={}", if withhold { "withhold" } else { "trigger" }),
            format!("--child-pings={}", if pings { "require" } else { "ignore" }),
            format!("--rise={rise}"),
            "--timeout=50ms".to_owned(),
            "--start-timeout=2s".to_owned(),
        ];
        let mut bench = Bench::new(&options.each_ref().map(String::as_str));
        let mut oracle = Oracle {
            failures, rise, pings, in_a_row: 0, healthy_in_a_row: 0, row_began: None, called: false,
            cannot_probe: false, child_pinged: None, may_stop_until: None,
            reload_began: None, reloads_since: None, is_childs_reload: false,
        };
        let (mut ready, mut over, mut told, mut started) = (false, false, false, bench.now);
        // As systemd sees it.
        let mut reloading = false;
        for (happens, later_ms) in events {
            bench.now += Duration::from_millis(later_ms);
            let (before, now) = (bench.state.phase(), bench.now);
            let is_watched = before == Phase::Watching;
            let is_overdue = oracle.is_overdue(now);
            let (event, expected) = match happens {
                Happens::ProbeEnds { found, late_ms, pressure } => {
                    (bench.late, bench.pressure) = (Duration::from_millis(late_ms), pressure);
                    let took = now - started;
                    let able = |time: Duration| time * (100 - pressure.map_or(0, |it| u32::from(it.percent))) / 100;
                    let ended = Ended {
                        outcome: found.outcome(),
                        late: bench.late,
                        able: able(took),
                        row: able(now - oracle.row_began.filter(|_| is_watched).unwrap_or(started)),
                        pressure,
                    };
                    let expected = if is_watched {
                        Some(oracle.probe_ended(found, &ended, started, now))
                    } else {
                        None
                    };
                    (Event::ProbeEnded { set: 0, ended }, expected)
                }
                Happens::Event(event) => {
                    let expected = match &event {
                        Event::NoPing { able, pressure } if is_watched => {
                            let is_slow = pressure.is_some() && *able < if withhold { W / 2 } else { W };
                            Some(Expected { ping: is_slow && !oracle.cannot_probe && !oracle.called, hang: false })
                        }
                        Event::MayStop if is_watched => {
                            oracle.may_stop_until = Some(now + W);
                            None
                        }
                        Event::Said(said) if matches!(before, Phase::Starting | Phase::Watching) => {
                            told |= said.watchdog == Some(WatchdogWord::Trigger);
                            if said.watchdog == Some(WatchdogWord::Ping) {
                                oracle.child_pinged = Some(now);
                            }
                            let goes_on = is_watched && said.watchdog != Some(WatchdogWord::Trigger);
                            if goes_on && said.stopping && reloading && !is_overdue {
                                oracle.may_stop_until = Some(now + W);
                            } else if goes_on && said.reloading.is_some() {
                                oracle.reload(true, now);
                                oracle.is_childs_reload = !said.ready;
                            } else if goes_on && said.ready {
                                oracle.is_childs_reload = false;
                            }
                            None
                        }
                        Event::ReloadAsked { .. } if is_watched => {
                            oracle.reload(false, now);
                            None
                        }
                        _ => None,
                    };
                    (event, expected)
                }
            };
            let actions = bench.step(event.clone());
            if actions.start_probe.is_some() {
                started = now;
            }
            // Where there is no time for a report, the trigger follows in the same step.
            let is_triggered = actions.message.watchdog == Some(WatchdogWord::Trigger) && is_watched;
            let is_called =
                is_triggered || actions.ask.is_some() || matches!(actions.note, Some(Note::Withholding { .. }));
            let seen = Expected { ping: actions.message.watchdog == Some(WatchdogWord::Ping), hang: is_called };
            if let Some(expected) = expected {
                prop_assert_eq!(&seen, &expected, "{:?} with {:?}", event, oracle);
            } else {
                let overdue = !ready && now - bench.start >= Duration::from_secs(2);
                prop_assert!(!seen.ping && (!seen.hang || told || overdue), "{:?}", event);
            }
            if actions.message.ready && before == Phase::Starting {
                oracle.child_pinged = Some(now);
            }
            if actions.message.watchdog == Some(WatchdogWord::Trigger) {
                prop_assert!(!over && (told || !withhold));
                prop_assert!(actions.message.status.is_some());
            }
            let says = actions.message.ready || actions.message.stopping || actions.message.reloading.is_some();
            prop_assert!(!(over && (actions.start_probe.is_some() || says)));
            prop_assert!(!(reloading && !is_overdue && actions.message.stopping && matches!(event, Event::Said(_))));
            reloading = (reloading || actions.message.reloading.is_some()) && !actions.message.ready;
            if matches!(actions.note, Some(Note::ReloadUnfinished { .. })) {
                prop_assert!(is_overdue);
            }
            ready |= actions.message.ready;
            over |= actions.message.watchdog == Some(WatchdogWord::Trigger) || actions.message.stopping
                || matches!(event, Event::StopAsked { .. } | Event::Ended { .. })
                || (before == Phase::Reporting && matches!(event, Event::Reported { course: Course::IsToStop | Course::Stops }));
            if over {
                prop_assert_eq!(bench.state.next_probe(), None);
            }
        }
    }
}
