//! What COMMAND itself says to systemd.

use super::*;

fn says(status: &str) -> Notification {
    Notification { status: Some(status.to_owned()), ..Notification::default() }
}

fn ping() -> Notification {
    Notification { watchdog: Some(WatchdogWord::Ping), ..Notification::default() }
}

#[test]
fn its_ready_is_waited_for_where_it_is_required_or_it_has_spoken() {
    for (option, speaks, waits) in [
        ("auto", false, false),
        ("auto", true, true),
        ("require", false, true),
        ("require", true, true),
        ("ignore", true, false),
    ] {
        let mut bench = Bench::new(&[&format!("--child-ready={option}")]);
        if speaks {
            assert_eq!(bench.said(says("loading")), Actions::default());
        }
        let first = bench.probe(HEALTHY, 1);
        assert_eq!(
            first.contains("READY=1 STATUS=") && !first.contains("waiting"),
            !waits,
            "{option} {speaks}: {first}"
        );
        if waits {
            assert!(
                first.contains("waiting for COMMAND to say that it is ready; it answers already"),
                "{first}"
            );
            assert!(!bench.said(ready()).message.ready, "not without a healthy probe after it");
            assert_eq!(bench.next_probe_ms(), Some(bench.ms()), "which comes at once");
            assert!(bench.probe(HEALTHY, 1).contains("READY=1"));
        }
    }
}

#[test]
fn that_nothing_is_heard_of_it_although_it_answers_is_noted_once_where_its_ready_is_waited_for() {
    for (option, speaks, expected) in [
        ("require", false, Some(Note::Unheard)),
        ("require", true, None),
        ("auto", true, None),
        ("auto", false, Some(Note::Ready { after: Duration::from_millis(1) })),
    ] {
        let mut bench = Bench::new(&[&format!("--child-ready={option}")]);
        if speaks {
            bench.said(says("loading"));
        }
        assert_eq!(bench.act(HEALTHY, 1).note, expected, "{option} {speaks}");
        assert_eq!(bench.state.child_is_heard(), speaks);
        if option == "require" {
            assert_eq!(bench.act(HEALTHY, 1).note, None, "{option} {speaks}: again");
        }
    }
}

#[test]
fn its_ready_does_not_stand_in_for_a_healthy_probe() {
    let mut bench = Bench::new(&["--child-ready=require"]);
    assert!(!bench.said(ready()).message.ready);
    assert!(!bench.probe(MUTE, 1).contains("READY=1"));
    assert!(bench.probe(HEALTHY, 1).contains("READY=1"));
}

#[test]
fn its_status_stands_in_front_of_ours() {
    let mut bench = Bench::watching(&[]);
    bench.said(says("5 clients"));
    bench.now += Duration::from_secs(1);
    assert!(
        bench.probe(HEALTHY, 1).contains("STATUS=5 clients | healthy: http://127.0.0.1:1/ answered in 1 ms")
    );
    bench.said(says("5 clients"));
    bench.now += Duration::from_secs(1);
    assert_eq!(bench.probe(HEALTHY, 1), "WATCHDOG=1", "no news");
}

#[test]
fn its_pings_are_ignored_unless_they_are_required() {
    let mut bench = Bench::watching(&[]);
    assert_eq!(bench.said(ping()), Actions::default());
    bench.now += Duration::from_secs(50);
    assert_eq!(bench.probe(HEALTHY, 1), "WATCHDOG=1");
}

#[test]
fn its_required_pings_may_be_as_far_apart_as_systemd_itself_lets_them() {
    let mut bench = Bench::watching(&["--child-pings=require"]);
    for _ in 0..10 {
        bench.said(ping());
        let silent_since = bench.ms();
        while bench.ms() - silent_since < 900 {
            let actions = bench.act(HEALTHY, 1);
            assert!(sent(&actions).ends_with("WATCHDOG=1"), "{} ms", bench.ms() - silent_since);
            assert!(!matches!(actions.note, Some(Note::Unhealthy { .. })));
        }
    }
    let silent_since = bench.ms() - 900;
    let report = loop {
        let actions = bench.act(HEALTHY, 1);
        if let Some(report) = actions.report {
            break report;
        }
    };
    assert!(report.reason.contains("COMMAND: no WATCHDOG=1 of its own for 1."), "{}", report.reason);
    let took = bench.ms() - silent_since;
    assert!((1000..1102).contains(&took), "W and up to an interval: {took}");
}

#[test]
fn its_silence_is_not_judged_while_what_it_has_said_is_not_read() {
    let mut bench = Bench::watching(&["--child-pings=require"]);
    bench.said(ping());
    bench.now += Duration::from_secs(10);
    bench.state.hears_child(false);
    let actions = bench.act(HEALTHY, 1);
    assert_eq!((sent(&actions).ends_with("WATCHDOG=1"), actions.note), (true, None));
    bench.state.hears_child(true);
    let report = bench.act(HEALTHY, 1).report.expect("it hangs");
    assert!(report.reason.contains("COMMAND: no WATCHDOG=1 of its own for 10"), "{}", report.reason);
}

#[test]
fn its_own_trigger_is_a_hang_at_once() {
    let mut bench = Bench::watching(&[]);
    bench.step(Event::ProbeDue { set: 0 });
    let actions =
        bench.said(Notification { watchdog: Some(WatchdogWord::Trigger), ..Notification::default() });
    assert!(actions.abandon_probe && actions.report.is_some());
    let expected = "STATUS=hung: COMMAND itself says so (WATCHDOG=trigger) WATCHDOG=trigger";
    assert_eq!(sent(&bench.step(REPORTED)), expected);
}

#[test]
fn its_stopping_ends_probing_and_is_passed_on() {
    let mut bench = Bench::watching(&[]);
    let actions = bench.said(Notification { stopping: true, ..Notification::default() });
    assert_eq!(
        sent(&actions),
        "STOPPING=1 STATUS=stopping: COMMAND says so WATCHDOG_USEC=18446744073709551615"
    );
    assert_eq!((bench.state.phase(), bench.next_probe_ms()), (Phase::Stopping, None));
}

#[test]
fn its_extension_is_passed_on_while_it_starts_or_stops_but_would_hide_a_hang_between() {
    let mut bench = Bench::new(&[]);
    let extend = Notification { extend: Some(Duration::from_secs(30)), ..Notification::default() };
    assert_eq!(sent(&bench.said(extend.clone())), "EXTEND_TIMEOUT_USEC=30000000");
    bench.said(ready());
    bench.probe(HEALTHY, 1);
    assert_eq!(sent(&bench.said(extend.clone())), "");
    bench.stop();
    assert_eq!(sent(&bench.said(extend)), "EXTEND_TIMEOUT_USEC=30000000");
}

#[test]
fn its_own_trigger_is_passed_on_where_pings_are_withheld_and_where_there_is_no_watchdog() {
    let trigger = || Notification { watchdog: Some(WatchdogWord::Trigger), ..Notification::default() };
    let mut bench = Bench::watching(&["--on-hang=withhold"]);
    assert!(bench.said(trigger()).report.is_some());
    assert!(sent(&bench.step(REPORTED)).ends_with("WATCHDOG=trigger"));

    let config = Config { watchdog: None, ..config(&["--report-budget=0s"]) };
    let mut bench = Bench::with(&config);
    bench.probe(HEALTHY, 1);
    assert!(sent(&bench.said(trigger())).ends_with("WATCHDOG=trigger"));
}

#[test]
fn its_own_trigger_is_reported_once_in_a_dry_run() {
    let mut bench = Bench::watching(&["--dry-run"]);
    let trigger = || Notification { watchdog: Some(WatchdogWord::Trigger), ..Notification::default() };
    bench.step(Event::ProbeDue { set: 0 });
    assert!(bench.said(trigger()).report.is_some());
    assert_eq!(bench.said(trigger()), Actions::default());
    assert_eq!(bench.next_probe_ms(), None, "the probe under way goes on");
    assert_eq!(sent(&bench.end(HEALTHY, 1)), "WATCHDOG=1");
}

#[test]
fn its_ready_is_waited_for_where_its_pings_are_all_there_is() {
    let wrap =
        Cli::try_parse_from(["sd-watchdog", "--child-pings=require", "--", "server"]).expect("good").wrap;
    let watchdog = Some(Duration::from_secs(1));
    let config = Config::new(&wrap.timing, &[], &wrap.hang, &wrap.wrapper, watchdog).expect("works");
    let mut bench = Bench::with(&config);
    bench.state = State::new(&config, &[""], 7, bench.now);
    assert!(!bench.probe(HEALTHY, 0).contains("READY=1"));
    bench.said(ready());
    assert_eq!(bench.probe(HEALTHY, 0), "READY=1 STATUS=healthy: COMMAND pings by itself");
}
