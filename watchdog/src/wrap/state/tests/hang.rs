//! From the first unhealthy probe to the trigger.

use super::*;

/// Lets it fail until a report is asked for, and says the trigger that follows.
fn until_triggered(bench: &mut Bench, took_ms: u64) -> (u32, String) {
    for probes in 1..1000 {
        let actions = bench.act(MUTE, took_ms);
        assert_eq!(actions.message.watchdog, None);
        if actions.report.is_some() {
            assert_eq!((bench.state.phase(), bench.next_probe_ms()), (Phase::Reporting, None));
            return (probes, sent(&bench.step(REPORTED)));
        }
    }
    panic!("no hang");
}

#[test]
fn an_unhealthy_probe_is_soon_repeated() {
    let mut bench = Bench::watching(&[]);
    assert_eq!(bench.probe(MUTE, 100), "");
    assert_eq!(bench.next_probe_ms(), Some(210));
    assert_eq!(bench.probe(MUTE, 40), "");
    assert_eq!(bench.next_probe_ms(), Some(260));
}

#[test]
fn failures_in_a_row_trigger_once_in_one_datagram_and_nothing_is_sent_after() {
    for (options, failures) in
        [(&["--failures=1"][..], 1), (&[], 3), (&["--failures=5", "--timeout=50ms"], 5)]
    {
        let mut bench = Bench::watching(options);
        let timeout = if failures == 5 { 50 } else { 100 };
        let (count, trigger) = until_triggered(&mut bench, timeout);
        assert_eq!(
            (count, trigger),
            (
                failures,
                TRIGGERED.replace(
                    "3 probes",
                    &format!("{failures} probe{}", if failures == 1 { "" } else { "s" })
                )
            )
        );
        assert_eq!((bench.state.phase(), bench.next_probe_ms()), (Phase::Hung, None));
        for event in [
            Event::ProbeDue { set: 0 },
            ended(Outcome::Healthy),
            ended(mute()),
            REPORTED,
            Event::Said(ready()),
            Event::ReloadAsked { monotonic_usec: 1 },
            Event::StopAsked { signal: "SIGTERM".to_owned(), announce: true },
            Event::Ended { how: "killed".to_owned() },
        ] {
            assert_eq!(bench.step(event), Actions::default());
        }
    }
}

#[test]
fn probes_that_fail_at_once_make_no_hang_before_the_time_that_deadlines_would_have_taken() {
    let mut bench = Bench::watching(&[]);
    let began = bench.next_probe_ms().expect("a probe");
    let (count, trigger) = until_triggered(&mut bench, 0);
    assert!(trigger.ends_with("WATCHDOG=trigger"));
    let took = bench.ms() - began;
    // (N−1)·T + (N−2)·r = 210 ms, probed every r = 10 ms.
    assert_eq!((took, count), (210, 22));
}

#[test]
fn a_listener_that_is_away_for_a_moment_is_no_hang() {
    let mut bench = Bench::watching(&[]);
    for _ in 0..20 {
        assert_eq!(bench.act(MUTE, 0).report, None);
    }
    assert_eq!(bench.probe(HEALTHY, 1), "WATCHDOG=1");
    assert_eq!(bench.state.failures_in_a_row(), 0);
}

#[test]
fn the_trigger_comes_within_the_bound_even_if_the_hang_follows_a_healthy_probe_at_once() {
    for took in [0, 1, 50, 99, 100] {
        let mut bench = Bench::watching(&[]);
        let hang = bench.now;
        until_triggered(&mut bench, took);
        assert!(bench.now - hang <= config(&[]).longest_row(), "{took}: {:?}", bench.now - hang);
    }
}

proptest! {
    /// A service may refuse, answer nonsense after a while and run into deadlines in any order.
    #[test]
    fn the_trigger_comes_within_the_bound_whatever_each_failure_takes(
        took in proptest::collection::vec(prop_oneof![0_u64..=3, 0_u64..=100, Just(100)], 60),
        failures in 1_u32..=5,
    ) {
        let options = [format!("--failures={failures}")];
        let options = options.each_ref().map(String::as_str);
        let mut bench = Bench::watching(&options);
        let hang = bench.now;
        let mut took = took.into_iter().chain(std::iter::repeat(100));
        while bench.act(MUTE, took.next().unwrap_or_default()).report.is_none() {}
        prop_assert!(bench.now - hang <= config(&options).longest_row(), "{:?}", bench.now - hang);
    }
}

#[test]
fn the_report_has_its_budget_but_never_what_systemds_own_timer_needs() {
    let mut bench = Bench::watching(&[]);
    for _ in 0..2 {
        bench.act(MUTE, 100);
    }
    let report = bench.act(MUTE, 100).report.expect("a report");
    assert_eq!(report.reason, "hung, 3 probes in a row unhealthy: http://127.0.0.1:1/: mute");
    // READY at 1 ms + W 1 s − W/20; the budget alone would last until 920 ms.
    assert_eq!((report.deadline - bench.start).as_millis(), 420 + 500);
    let mut bench = Bench::watching(&["--report-budget=5s"]);
    for _ in 0..2 {
        bench.act(MUTE, 100);
    }
    let report = bench.act(MUTE, 100).report.expect("a report");
    assert_eq!((report.deadline - bench.start).as_millis(), 951);
}

#[test]
fn without_a_budget_there_is_no_report_and_the_trigger_comes_at_once() {
    let mut bench = Bench::watching(&["--report-budget=0s"]);
    bench.act(MUTE, 100);
    bench.act(MUTE, 100);
    let actions = bench.act(MUTE, 100);
    assert_eq!((sent(&actions).as_str(), actions.report), (TRIGGERED, None));
}

#[test]
fn what_systemd_is_stopping_is_no_hang_and_its_own_timer_is_to_rest() {
    let rest = "WATCHDOG_USEC=18446744073709551615";
    for (options, course, said) in [
        (&["--failures=1"][..], Course::Stops, rest),
        (&["--failures=1", "--report-budget=0s"], Course::Stops, rest),
        // It may be called off, and systemd's own timer is all there is then.
        (&["--failures=1"], Course::IsToStop, ""),
    ] {
        let mut bench = Bench::watching(options);
        bench.now = bench.state.next_probe().expect("a probe");
        bench.step(Event::ProbeDue { set: 0 });
        bench.now += Duration::from_millis(100);
        let actions = bench.state.step(ended(mute()), bench.now);
        let until = actions.ask.expect("a question") - bench.now;
        let expected = Duration::from_millis(if actions.report.is_some() { 500 } else { 25 });
        assert_eq!((until, actions.message), (expected, Message::default()), "{options:?}");
        let actions = bench.step(Event::Reported { course });
        assert_eq!(sent(&actions), said);
        assert!(matches!(actions.note, Some(Note::CalledOff { .. })), "{actions:?}");
        assert_eq!((bench.state.phase(), bench.next_probe_ms()), (Phase::Stopping, None));
        assert_eq!(sent(&bench.step(Event::Ended { how: "it ended".to_owned() })), "STATUS=it ended");
    }
}

#[test]
fn nothing_is_asked_where_nothing_would_be_done() {
    for option in ["--on-hang=withhold", "--dry-run"] {
        let mut bench = Bench::watching(&["--failures=1", option]);
        let actions = bench.act(MUTE, 100);
        assert!(actions.report.is_some() && actions.ask.is_none(), "{option}");
        let before = bench.state.phase();
        assert_eq!(bench.step(Event::Reported { course: Course::Stops }), Actions::default());
        assert_eq!(bench.state.phase(), before);
    }
}

#[test]
fn a_stop_during_the_report_wins() {
    let mut bench = Bench::watching(&["--failures=1"]);
    bench.act(MUTE, 100);
    assert!(sent(&bench.stop()).starts_with("STOPPING=1"));
    assert_eq!(bench.step(REPORTED), Actions::default());
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
fn withholding_reports_once_never_triggers_and_resumes_when_healthy() {
    let mut bench = Bench::watching(&["--on-hang=withhold"]);
    let mut reports = 0;
    for _ in 0..50 {
        let actions = bench.act(MUTE, 100);
        assert_eq!(actions.message.watchdog, None);
        reports += u32::from(actions.report.is_some());
        if actions.report.is_some() {
            assert!(matches!(actions.note, Some(Note::Withholding { .. })));
            assert_eq!(bench.step(REPORTED), Actions::default());
        }
    }
    assert_eq!(reports, 1);
    assert!(bench.probe(HEALTHY, 1).ends_with("WATCHDOG=1"));
    assert!((0..3).any(|_| bench.act(MUTE, 100).report.is_some()), "the next hang is reported again");
}

#[test]
fn a_dry_run_pings_whatever_happens_and_says_what_it_would_have_done_once_a_hang() {
    let mut bench = Bench::watching(&["--dry-run"]);
    let mut said = Vec::new();
    for index in 0..30 {
        let actions = bench.act(index == 15, 100);
        assert_eq!(actions.message.watchdog, Some(WatchdogWord::Ping));
        said.extend(actions.note.filter(|note| matches!(note, Note::WouldTrigger { .. })));
    }
    assert_eq!(said.len(), 2, "{said:?}");
}

#[test]
fn a_probe_whose_end_was_noticed_late_does_not_count() {
    let mut bench = Bench::watching(&["--failures=1"]);
    bench.late = Duration::from_millis(25);
    for _ in 0..3 {
        let actions = bench.act(MUTE, 125);
        assert_eq!(sent(&actions), "", "not a ping either: systemd's own timer goes on");
        assert_eq!(actions.note, Some(Note::Discounted { late: bench.late }));
        assert_eq!(bench.next_probe_ms(), Some(bench.ms()), "probed again at once");
    }
    bench.late = Duration::from_millis(24);
    assert!(bench.act(MUTE, 124).report.is_some());
}

/// Four fifths of the time are others'.
const STARVED: Pressure = Pressure { resource: "CPU", percent: 80 };

#[test]
fn a_question_to_a_starved_unit_stands_and_counts_for_the_whole_row() {
    let mut bench = Bench::watching(&[]);
    bench.pressure = Some(STARVED);
    bench.now = bench.state.next_probe().expect("a probe");
    let limit = bench.step(Event::ProbeDue { set: 0 }).start_probe.expect("a probe");
    let ms = Duration::from_millis;
    assert_eq!((limit.timeout, limit.under_pressure), (ms(100), ms(300)));
    for able in [80, 180] {
        assert!(sent(&no_ping(&mut bench, able, Some(STARVED))).ends_with("WATCHDOG=1"));
    }
    bench.now = bench.start + ms(101);
    let actions = bench.end(MUTE, 1500);
    assert_eq!(actions.slowed, Some(STARVED));
    assert!(actions.report.is_some(), "300 ms of them it was able to run");
    assert!(sent(&bench.step(REPORTED)).contains("hung, 3 probes in a row unhealthy"));
}

#[test]
fn a_starved_unit_that_answers_after_all_is_pinged_for_and_then_left_in_peace_for_a_while() {
    let mut bench = Bench::watching(&[]);
    bench.pressure = Some(STARVED);
    let actions = bench.act(HEALTHY, 700);
    assert!(sent(&actions).ends_with("WATCHDOG=1"));
    assert_eq!(actions.slowed, Some(STARVED));
    assert_eq!(bench.next_probe_ms(), Some(bench.ms() + 2100));
}

/// So long was it able to run since its last answer, when no ping was said for W/2.
fn no_ping(bench: &mut Bench, able_ms: u64, pressure: Option<Pressure>) -> Actions {
    bench.now = bench.state.no_ping_due().expect("to look whether it is starved");
    bench.step(Event::NoPing { able: Duration::from_millis(able_ms), pressure })
}

#[test]
fn a_starved_unit_is_pinged_for_as_long_as_an_answer_may_come_in_able_time() {
    for (options, last_able) in [(&[][..], 999), (&["--on-hang=withhold"], 499)] {
        let mut bench = Bench::watching(options);
        bench.now += Duration::from_millis(100);
        bench.step(Event::ProbeDue { set: 0 });
        for (able, at) in [(100, 501), (200, 1001), (300, 1501), (last_able, 2001)] {
            let actions = no_ping(&mut bench, able, Some(STARVED));
            assert!(sent(&actions).ends_with("WATCHDOG=1"), "{able}");
            assert_eq!((actions.slowed, bench.ms()), (Some(STARVED), at));
        }
        let actions = no_ping(&mut bench, last_able + 1, Some(STARVED));
        assert_eq!(sent(&actions), "", "systemd's own timer is the net below");
    }
}

#[test]
fn without_pressure_nothing_is_pinged_for_and_the_service_is_left_in_peace_no_longer() {
    let mut bench = Bench::watching(&[]);
    bench.pressure = Some(STARVED);
    bench.act(HEALTHY, 500);
    assert_eq!((bench.next_probe_ms(), bench.state.asked()), (Some(2100), None));
    assert_eq!(no_ping(&mut bench, 100, None), Actions::default());
    assert_eq!(bench.next_probe_ms(), Some(bench.ms()), "it is asked at once");
    let blind = Outcome::Unhealthy(Reason::new(Cause::System, "Too many open files"));
    bench.step(Event::ProbeDue { set: 0 });
    bench.step(ended(blind));
    assert_eq!(no_ping(&mut bench, 100, Some(STARVED)), Actions::default(), "nothing is known of it");
}

#[test]
fn with_pressure_switched_off_nobody_looks() {
    let bench = Bench::watching(&["--pressure=off"]);
    assert_eq!(bench.state.no_ping_due(), None);
}

#[test]
fn a_start_is_judged_by_the_time_in_which_it_was_able_to_run() {
    for (percent, overdue) in [(0, true), (40, true), (60, false)] {
        let mut bench = Bench::new(&["--start-timeout=500ms"]);
        bench.pressure = Some(Pressure { resource: "CPU", percent });
        let actions = bench.act(MUTE, 1000);
        assert_eq!(actions.report.is_some(), overdue, "{percent}");
    }
}

#[test]
fn a_start_that_cannot_be_probed_is_never_called_a_hang() {
    let mut bench = Bench::new(&["--start-timeout=500ms"]);
    for _ in 0..10 {
        bench.now += Duration::from_millis(200);
        bench.step(Event::ProbeDue { set: 0 });
        let ended =
            bench.ended(Outcome::Unhealthy(Reason::new(Cause::System, "no descriptor")), Duration::ZERO);
        let actions = bench.step(Event::ProbeEnded { set: 0, ended });
        assert_eq!((actions.report, actions.ask), (None, None));
    }
    assert!(bench.act(MUTE, 100).report.is_some());
}

#[test]
fn what_people_want_to_read_is_noted_once() {
    let mut bench = Bench::new(&["--report-budget=0s", "--timeout=5ms"]);
    let mut notes = Vec::new();
    for outcome in
        [mute(), Outcome::Healthy, Outcome::Healthy, mute(), mute(), Outcome::Healthy, mute(), mute(), mute()]
    {
        bench.step(Event::ProbeDue { set: 0 });
        bench.now += Duration::from_millis(10);
        let ended = bench.ended(outcome, Duration::from_millis(10));
        notes.push(bench.step(Event::ProbeEnded { set: 0, ended }).note);
        bench.now += Duration::from_millis(10);
    }
    let reason = TRIGGERED.trim_start_matches("STATUS=").trim_end_matches(" WATCHDOG=trigger").to_owned();
    let unhealthy = || match mute() {
        Outcome::Unhealthy(reason) => Some(Note::Unhealthy { reason }),
        Outcome::Healthy => None,
    };
    assert_eq!(
        notes,
        [
            None,
            Some(Note::Ready { after: Duration::from_millis(30) }),
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
fn a_probe_that_cannot_be_made_is_no_failure_of_the_service_and_is_said_once() {
    for cause in [Cause::System, Cause::Lookup] {
        let mut bench = Bench::watching(&["--failures=1"]);
        let blind = || Outcome::Unhealthy(Reason::new(cause, "it was not asked"));
        let mut notes = 0;
        for _ in 0..5 {
            bench.now = bench.state.next_probe().expect("a probe");
            bench.step(Event::ProbeDue { set: 0 });
            let actions = bench.step(ended(blind()));
            assert_eq!((sent(&actions).as_str(), actions.report), ("", None));
            notes += u32::from(actions.note.is_some());
        }
        assert_eq!((notes, bench.state.failures_in_a_row()), (1, 0));
        bench.probe(HEALTHY, 1);
        bench.step(Event::ProbeDue { set: 0 });
        assert!(bench.step(ended(blind())).note.is_some(), "again, after it could be made");
    }
}

#[test]
fn while_it_cannot_be_probed_the_status_says_so_and_when_systemd_acts() {
    for (options, expected) in [
        (&[][..], "STATUS=cannot probe: no port; no ping meanwhile, so systemd restarts the service in 9 s"),
        (&["--dry-run"], "STATUS=cannot probe: no port WATCHDOG=1"),
    ] {
        let config = Config { watchdog: Some(Duration::from_secs(10)), ..config(options) };
        let mut bench = Bench::with(&config);
        bench.probe(HEALTHY, 0);
        let statuses = std::iter::from_fn(|| {
            bench.now = bench.state.next_probe()?;
            bench.step(Event::ProbeDue { set: 0 });
            let blind = Outcome::Unhealthy(Reason::new(Cause::System, "no port"));
            Some(sent(&bench.step(ended(blind))))
        });
        let mut statuses = statuses.take(200).filter(|said| said.contains("STATUS="));
        assert_eq!(statuses.next().as_deref(), Some(expected), "{options:?}");
    }
}

#[test]
fn what_cannot_be_probed_is_reported_once_before_systemds_own_timer_acts_and_never_triggered() {
    for (options, expected) in [
        (&[][..], Some(951)),
        (&["--report-budget=100ms"], Some(951)),
        (&["--on-hang=withhold"], Some(951)),
        (&["--report-budget=0s"], None),
        (&["--dry-run"], None),
    ] {
        let mut bench = Bench::watching(options);
        let (mut reports, mut notes) = (Vec::new(), Vec::new());
        while bench.ms() < 1_200 {
            bench.now = bench.state.next_probe().expect("a probe");
            bench.step(Event::ProbeDue { set: 0 });
            let blind = Outcome::Unhealthy(Reason::new(Cause::System, "Too many open files"));
            let actions = bench.step(ended(blind));
            assert_ne!(actions.message.watchdog, Some(WatchdogWord::Trigger));
            assert_eq!(actions.ask, None);
            if let Some(report) = actions.report {
                assert_eq!(bench.step(REPORTED), Actions::default());
                assert_eq!(
                    report.reason,
                    "no ping, since it cannot be probed: Too many open files; systemd's own timer acts"
                );
                reports.push((report.deadline - bench.start).as_millis());
            }
            notes.extend(actions.note);
        }
        assert_eq!(reports, Vec::from_iter(expected), "{options:?}");
        let acts_in = (!options.contains(&"--dry-run")).then_some(Duration::from_millis(901));
        assert!(
            matches!(&notes[..], [Note::CannotProbe { acts_in: when, .. }] if *when == acts_in),
            "{options:?}: {notes:?}"
        );
    }
}

#[test]
fn a_signal_that_may_stop_the_service_holds_the_trigger_back_for_w_and_no_longer() {
    let mut bench = Bench::watching(&["--failures=1", "--report-budget=0s"]);
    bench.step(Event::MayStop);
    while bench.ms() < 900 {
        assert_eq!(sent(&bench.act(MUTE, 100)).find("WATCHDOG"), None);
    }
    while bench.ms() < 1_001 {
        bench.probe(HEALTHY, 1);
    }
    assert!(bench.probe(MUTE, 100).ends_with("WATCHDOG=trigger"));
}

#[test]
fn a_row_with_healthy_probes_in_between_is_not_called_a_row() {
    let mut bench = Bench::watching(&["--rise=2", "--report-budget=0s"]);
    let last = loop {
        let sent = bench.probe(MUTE, 60);
        if sent.contains("trigger") {
            break sent;
        }
        assert!(!bench.probe(HEALTHY, 1).contains("WATCHDOG=1"));
    };
    assert!(last.contains("hung, 3 probes unhealthy, without 2 healthy in a row: "), "{last}");
}
