//! Tables: what happens, second by second, and what it leads to.

use clap::Parser;
use proptest::prelude::*;

use super::*;
use crate::cli::Cli;

/// Interval 100 ms, timeout 100 ms, retry interval 10 ms.
fn config(options: &[&str]) -> Config {
    let fixed = ["sd-watchdog", "--http", "http://127.0.0.1:1/"];
    let cli = Cli::try_parse_from(fixed.iter().chain(options).chain(&["--", "server"]))
        .expect("a good command line");
    Config::new(&cli, Some(Duration::from_secs(1))).expect("a timing that works")
}

fn mute() -> Outcome {
    Outcome::Unhealthy(Reason::new("mute"))
}

const MUTE: bool = false;
const HEALTHY: bool = true;

/// A state with a clock that the test moves.
struct Bench {
    state: State,
    start: Instant,
    now: Instant,
}

impl Bench {
    fn new(options: &[&str]) -> Self {
        Self::with(&config(options))
    }

    fn with(config: &Config) -> Self {
        let now = Instant::now();
        Self { state: State::new(config, now), start: now, now }
    }

    /// READY at 1 ms.
    fn watching(options: &[&str]) -> Self {
        let mut bench = Self::new(options);
        assert_eq!(bench.probe(HEALTHY, 1), "READY=1 STATUS=healthy: http://127.0.0.1:1/ answered in 1 ms");
        bench
    }

    fn step(&mut self, event: Event) -> Actions {
        self.state.step(event, self.now)
    }

    /// Goes to when the next probe is due, starts it, lets it take `took_ms`, and says what is sent then.
    fn probe(&mut self, healthy: bool, took_ms: u64) -> String {
        let due = self.state.next_probe().expect("a probe to come");
        self.now = self.now.max(due);
        assert!(self.step(Event::ProbeDue).start_probe);
        assert_eq!(self.state.next_probe(), None, "one probe at a time");
        self.now += Duration::from_millis(took_ms);
        let outcome = if healthy { Outcome::Healthy } else { mute() };
        sent(&self.step(Event::ProbeEnded(outcome)))
    }

    fn next_probe_ms(&self) -> Option<u128> {
        self.state.next_probe().map(|at| (at - self.start).as_millis())
    }

    fn stop(&mut self) -> Actions {
        self.step(Event::StopAsked { signal: "SIGTERM", announce: true })
    }
}

fn sent(actions: &Actions) -> String {
    actions.message.encode().replace('\n', " ")
}

const TRIGGERED: &str =
    "STATUS=hung, 3 probes in a row unhealthy: http://127.0.0.1:1/: mute WATCHDOG=trigger";

#[test]
fn ready_is_said_at_the_first_healthy_probe_and_not_again() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.probe(MUTE, 0), "STATUS=waiting for http://127.0.0.1:1/: mute");
    assert_eq!(bench.probe(MUTE, 0), "");
    assert_eq!(bench.probe(HEALTHY, 0), "READY=1 STATUS=healthy: http://127.0.0.1:1/ answered in 0 s");
    assert_eq!(bench.probe(HEALTHY, 0), "WATCHDOG=1");
    assert_eq!(bench.probe(HEALTHY, 0), "WATCHDOG=1");
}

#[test]
fn while_starting_it_probes_every_few_milliseconds_at_first_and_never_triggers() {
    let mut bench = Bench::new(&[]);
    let mut gaps = Vec::new();
    for _ in 0..200 {
        let before = bench.now;
        assert!(!bench.probe(MUTE, 0).contains("WATCHDOG"));
        gaps.push((bench.now - before).as_millis());
    }
    assert_eq!(gaps[..4], [0, 5, 5, 5]);
    assert_eq!(gaps[199], 100);
    assert!(gaps.is_sorted());
    assert_eq!(bench.state.phase(), Phase::Starting);
}

#[test]
fn a_stop_before_the_first_healthy_probe_tells_why_there_was_none() {
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.stop().note, None, "nothing is known yet");
    let mut bench = Bench::new(&[]);
    bench.probe(MUTE, 0);
    assert!(matches!(bench.stop().note, Some(Note::NeverHealthy { .. })));
    let mut bench = Bench::watching(&[]);
    bench.probe(MUTE, 0);
    assert_eq!(bench.stop().note, None, "it was healthy once");
}

#[test]
fn a_status_that_changes_is_said_once_a_second_at_most_and_figures_once_a_minute() {
    let mut bench = Bench::watching(&[]);
    let statuses = |bench: &mut Bench, healthy: fn(u32) -> bool, probes| -> Vec<u128> {
        (0..probes)
            .filter_map(|index| {
                let sent = bench.probe(healthy(index), 0);
                sent.contains("STATUS").then(|| (bench.now - bench.start).as_millis())
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
fn the_interval_is_measured_from_start_to_start() {
    let mut bench = Bench::watching(&[]);
    assert_eq!(bench.next_probe_ms(), Some(100));
    for (took, next) in [(30, 200), (100, 300), (99, 400)] {
        assert_eq!(bench.probe(HEALTHY, took), "WATCHDOG=1");
        assert_eq!(bench.next_probe_ms(), Some(next));
    }
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
fn after_an_unhealthy_probe_the_next_comes_after_the_retry_interval() {
    let mut bench = Bench::watching(&[]);
    assert_eq!(bench.probe(MUTE, 100), "");
    assert_eq!(bench.next_probe_ms(), Some(210));
    assert_eq!(bench.probe(MUTE, 40), "");
    assert_eq!(bench.next_probe_ms(), Some(260));
}

#[test]
fn failures_in_a_row_trigger_once_in_one_datagram_and_nothing_is_sent_after() {
    for (options, failures) in [(&["--failures=1"][..], 1), (&[], 3), (&["--failures=5"], 5)] {
        let mut bench = Bench::watching(options);
        for _ in 1..failures {
            assert!(!bench.probe(MUTE, 100).contains("WATCHDOG"));
        }
        let last = bench.probe(MUTE, 100);
        assert_eq!(last, TRIGGERED.replace("3 probes", &probes(failures)));
        assert_eq!((bench.state.phase(), bench.next_probe_ms()), (Phase::Hung, None));
        for event in [
            Event::ProbeDue,
            Event::ProbeEnded(Outcome::Healthy),
            Event::ProbeEnded(mute()),
            Event::StopAsked { signal: "SIGTERM", announce: true },
            Event::Ended { how: "killed".to_owned() },
        ] {
            assert_eq!(bench.step(event), Actions::default());
        }
    }
}

#[test]
fn the_trigger_comes_within_the_bound_even_if_the_hang_follows_a_healthy_probe_at_once() {
    let mut bench = Bench::watching(&[]);
    let hang = bench.now;
    for _ in 0..3 {
        bench.probe(MUTE, 100);
    }
    assert_eq!(bench.state.phase(), Phase::Hung);
    assert!(bench.now - hang <= config(&[]).timing.detect_bound());
}

#[test]
fn a_service_that_recovers_in_time_is_pinged_for_again_and_its_failures_are_forgotten() {
    let mut bench = Bench::watching(&[]);
    for _ in 0..3 {
        bench.probe(MUTE, 100);
        bench.probe(MUTE, 100);
        assert!(bench.probe(HEALTHY, 1).ends_with("WATCHDOG=1"));
    }
    assert_eq!(bench.state.phase(), Phase::Watching);
}

#[test]
fn withholding_never_triggers_and_resumes_when_healthy() {
    let mut bench = Bench::watching(&["--on-hang=withhold"]);
    for _ in 0..50 {
        assert!(!bench.probe(MUTE, 100).contains("WATCHDOG"));
    }
    assert!(bench.probe(HEALTHY, 1).ends_with("WATCHDOG=1"));
}

#[test]
fn what_people_want_to_read_is_noted_once() {
    let mut bench = Bench::new(&[]);
    let mut notes = Vec::new();
    for outcome in
        [mute(), Outcome::Healthy, Outcome::Healthy, mute(), mute(), Outcome::Healthy, mute(), mute(), mute()]
    {
        bench.step(Event::ProbeDue);
        bench.now += Duration::from_millis(10);
        notes.push(bench.step(Event::ProbeEnded(outcome)).note);
    }
    let reason = TRIGGERED.trim_start_matches("STATUS=").trim_end_matches(" WATCHDOG=trigger").to_owned();
    let unhealthy = || Some(Note::Unhealthy { reason: Reason::new("mute") });
    assert_eq!(
        notes,
        [
            None,
            Some(Note::Ready { after: Duration::from_millis(20) }),
            None,
            unhealthy(),
            None,
            Some(Note::Recovered { failures: 2 }),
            unhealthy(),
            None,
            Some(Note::Triggered { reason }),
        ]
    );
}

#[test]
fn a_stop_is_announced_once_and_the_probe_in_flight_is_abandoned() {
    for in_flight in [false, true] {
        let mut bench = Bench::watching(&[]);
        if in_flight {
            bench.step(Event::ProbeDue);
        }
        let actions = bench.stop();
        assert_eq!(sent(&actions), "STOPPING=1 STATUS=stopping: COMMAND got SIGTERM");
        assert!(actions.abandon_probe && bench.state.next_probe().is_none());
        assert_eq!(bench.stop(), Actions::default());
        assert_eq!(bench.step(Event::ProbeEnded(Outcome::Healthy)), Actions::default());
        let ended = bench.step(Event::Ended { how: "COMMAND exited with code 0".to_owned() });
        assert_eq!(sent(&ended), "STATUS=COMMAND exited with code 0");
    }
}

#[test]
fn a_service_that_is_stopped_or_ends_while_starting_is_never_ready() {
    let mut bench = Bench::new(&[]);
    bench.step(Event::ProbeDue);
    bench.stop();
    assert_eq!(bench.step(Event::ProbeEnded(Outcome::Healthy)), Actions::default());

    let mut bench = Bench::new(&[]);
    bench.step(Event::ProbeDue);
    let ended = bench.step(Event::Ended { how: "COMMAND exited with code 1".to_owned() });
    assert_eq!((sent(&ended).as_str(), ended.abandon_probe), ("STATUS=COMMAND exited with code 1", true));
    assert_eq!(bench.step(Event::ProbeEnded(Outcome::Healthy)), Actions::default());
}

#[test]
fn the_managers_own_abort_is_not_announced_to_it() {
    let mut bench = Bench::watching(&[]);
    let actions = bench.step(Event::StopAsked { signal: "SIGABRT", announce: false });
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

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => Just(Event::ProbeDue),
        10 => Just(Event::ProbeEnded(Outcome::Healthy)),
        10 => Just(Event::ProbeEnded(mute())),
        1 => any::<bool>().prop_map(|announce| Event::StopAsked { signal: "SIGTERM", announce }),
        1 => Just(Event::Ended { how: "COMMAND exited with code 0".to_owned() }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_ping_follows_a_healthy_probe_and_a_trigger_enough_failures(
        events in proptest::collection::vec((any_event(), 0_u64..3000), 1..100),
        failures in 1_u32..4,
        withhold: bool,
    ) {
        let failures_option = format!("--failures={failures}");
        let on_hang = if withhold { "--on-hang=withhold" } else { "--on-hang=trigger" };
        let mut bench = Bench::new(&[&failures_option, on_hang]);
        let (mut ready, mut over, mut in_a_row) = (false, false, 0);
        for (event, later_ms) in events {
            bench.now += Duration::from_millis(later_ms);
            let actions = bench.step(event.clone());
            match &event {
                Event::ProbeEnded(Outcome::Unhealthy(_)) if ready => in_a_row += 1,
                Event::ProbeEnded(Outcome::Healthy) => in_a_row = 0,
                _ => {}
            }
            match actions.message.watchdog {
                Some(Verdict::Ping) => {
                    prop_assert_eq!(&event, &Event::ProbeEnded(Outcome::Healthy));
                    prop_assert!(ready && !over);
                }
                Some(Verdict::Trigger) => {
                    prop_assert!(ready && !over && !withhold);
                    prop_assert_eq!(in_a_row, failures);
                    prop_assert!(actions.message.status.is_some());
                }
                None => {}
            }
            prop_assert!(!(over && (actions.start_probe || actions.message.ready || actions.message.stopping)));
            ready |= actions.message.ready;
            over |= actions.message.watchdog == Some(Verdict::Trigger)
                || matches!(event, Event::StopAsked { .. } | Event::Ended { .. });
            if !withhold && in_a_row == failures && ready {
                prop_assert!(over, "the trigger was due");
            }
            if over {
                prop_assert_eq!(bench.state.next_probe(), None);
            }
        }
    }
}
