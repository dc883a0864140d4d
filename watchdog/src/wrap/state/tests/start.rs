//! Until READY.

use super::*;

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
fn a_service_that_is_stopped_or_ends_while_starting_is_never_ready() {
    let mut bench = Bench::new(&[]);
    bench.step(Event::ProbeDue { set: 0 });
    bench.stop();
    assert_eq!(bench.step(ended(Outcome::Healthy)), Actions::default());

    let mut bench = Bench::new(&[]);
    bench.step(Event::ProbeDue { set: 0 });
    let actions = bench.step(Event::Ended { how: "COMMAND exited with code 1".to_owned() });
    assert_eq!((sent(&actions).as_str(), actions.abandon_probe), ("STATUS=COMMAND exited with code 1", true));
    assert_eq!(bench.step(ended(Outcome::Healthy)), Actions::default());
}

#[test]
fn a_start_that_makes_progress_is_extended_and_one_that_does_not_is_left_to_systemd() {
    let mut bench = Bench::new(&["--start-timeout=30s"]);
    assert_eq!(bench.state.next_look(), Some(bench.start + Duration::from_millis(250)), "nothing at first");
    let mut extensions = Vec::new();
    for is_progress in [true, true, false, true] {
        bench.now = bench.state.next_look().expect("a look");
        extensions.push((bench.ms(), bench.looked(is_progress).message.extend));
    }
    let seconds = |n| Some(Duration::from_secs(n));
    let expected = [(250, seconds(15)), (1_250, seconds(15)), (2_250, None), (3_250, seconds(15))];
    assert_eq!(extensions, expected);
}

#[test]
fn a_start_that_cannot_be_probed_is_never_called_a_hang_and_its_status_says_why() {
    for cause in [Cause::Lookup, Cause::System] {
        let mut bench = Bench::new(&["--start-timeout=1s"]);
        let (mut said, mut notes) = (String::new(), Vec::new());
        while bench.ms() < 3_000 {
            bench.now = bench.state.next_probe().expect("a probe");
            bench.step(Event::ProbeDue { set: 0 });
            let actions = bench.step(ended(Outcome::Unhealthy(Reason::new(cause, "cannot look up x"))));
            said.push_str(&sent(&actions));
            assert_eq!(actions.report, None);
            notes.extend(actions.note);
        }
        assert_eq!(bench.state.phase(), Phase::Starting);
        let is_said_once = matches!(&notes[..], [Note::CannotProbe { acts_in: None, is_start: true, .. }]);
        assert!(is_said_once, "{notes:?}");
        assert_eq!(said.replace("STATUS=waiting for cannot look up x", ""), "", "{said}");
        assert!(bench.probe(HEALTHY, 0).contains("READY=1"), "late, and all the same");
    }
}

#[test]
fn what_is_left_of_an_extension_is_said_again_when_systemd_is_reloaded() {
    let mut bench = Bench::new(&["--start-timeout=30s"]);
    let reload = |bench: &mut Bench| bench.step(Event::ManagerReloads).message.extend;
    assert_eq!(reload(&mut bench), None, "nothing was extended yet");
    bench.looked(true);
    bench.now += Duration::from_secs(4);
    bench.looked(false);
    assert_eq!(reload(&mut bench), Some(Duration::from_secs(11)));
    assert_eq!(reload(&mut bench), Some(Duration::from_secs(11)), "each reload forgets it");
    bench.now += Duration::from_secs(11);
    assert_eq!(reload(&mut bench), None, "it is over");
    bench.looked(true);
    bench.probe(HEALTHY, 0);
    assert_eq!(reload(&mut bench), None, "the start is");
}

#[test]
fn a_start_is_not_extended_beyond_its_own_limit_by_more_than_a_look() {
    let mut bench = Bench::new(&["--start-timeout=12s"]);
    let mut until = Vec::new();
    while bench.ms() < 12_000 {
        bench.now = bench.state.next_look().expect("a look");
        let extend = bench.looked(true).message.extend;
        until.extend(extend.map(|extend| bench.now - bench.start + extend));
    }
    assert!(until.iter().all(|until| *until <= Duration::from_secs(13)), "{until:?}");
    assert!(until.iter().any(|until| *until > Duration::from_secs(12)), "{until:?}");
}

#[test]
fn a_starved_start_is_extended_until_it_was_able_to_run_for_its_limit() {
    let mut bench = Bench::new(&["--start-timeout=12s"]);
    let mut last = Duration::ZERO;
    while bench.ms() < 200_000 {
        bench.now = bench.state.next_look().expect("a look");
        let able = (bench.now - bench.start) / 10;
        if bench.step(Event::Looked { is_progress: true, able }).message.extend.is_some() {
            last = bench.now - bench.start;
        }
    }
    assert!((118..=120).contains(&last.as_secs()), "10 times 12 s: {last:?}");
}

#[test]
fn without_a_limit_of_its_own_a_start_is_not_looked_at() {
    assert_eq!(Bench::new(&[]).state.next_look(), None);
}

#[test]
fn a_start_that_takes_too_long_is_a_hang_with_a_report() {
    let mut bench = Bench::new(&["--start-timeout=2s"]);
    let last = loop {
        let actions = bench.act(MUTE, 10);
        if actions.report.is_some() {
            break actions;
        }
        assert!(bench.ms() < 2_200, "no hang");
    };
    assert!(bench.ms() >= 2_000);
    let report = last.report.expect("a report");
    assert_eq!(report.reason, "hung, not healthy 2 s after its start: http://127.0.0.1:1/: mute");
    assert_eq!(report.deadline, bench.now + Duration::from_millis(500));
    assert!(sent(&bench.step(REPORTED)).ends_with("WATCHDOG=trigger"));
}

#[test]
fn rising_takes_as_many_healthy_probes_in_a_row_after_an_unhealthy_one() {
    let mut bench = Bench::watching(&["--rise=2"]);
    for _ in 0..2 {
        assert_eq!(bench.probe(MUTE, 100), "");
        assert_eq!(bench.probe(HEALTHY, 1), "", "one is not enough");
        assert_eq!(bench.state.failures_in_a_row(), 1);
        assert!(bench.probe(HEALTHY, 1).ends_with("WATCHDOG=1"));
        assert_eq!(bench.state.failures_in_a_row(), 0);
    }
}

#[test]
fn a_service_that_flaps_is_hung_if_it_never_rises() {
    let mut bench = Bench::watching(&["--rise=2"]);
    for _ in 0..2 {
        bench.probe(MUTE, 100);
        bench.probe(HEALTHY, 1);
    }
    assert!(bench.act(MUTE, 100).report.is_some());
}

#[test]
fn a_start_that_takes_too_long_is_reported_once_where_nothing_is_done_about_it() {
    for option in ["--on-hang=withhold", "--dry-run"] {
        let mut bench = Bench::new(&["--start-timeout=1s", option]);
        let reports = (0..300).filter(|_| bench.act(MUTE, 10).report.is_some()).count();
        assert_eq!((reports, bench.state.phase()), (1, Phase::Starting), "{option}");
        assert!(bench.probe(HEALTHY, 1).starts_with("READY=1"));
        assert!((0..4).any(|_| bench.act(MUTE, 100).report.is_some()), "{option}: the next hang is another");
    }
}

#[test]
fn a_probe_that_takes_long_itself_is_not_made_as_often_while_starting() {
    let mut bench = Bench::new(&[]);
    bench.probe(MUTE, 8);
    assert_eq!(bench.next_probe_ms(), Some(8 + 64));
    bench.probe(MUTE, 90);
    let gap = bench.next_probe_ms().expect("one") - bench.ms();
    assert_eq!(gap, 100, "but never less often than the interval");
}
