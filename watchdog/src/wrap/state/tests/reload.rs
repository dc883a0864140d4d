//! From RELOADING=1 to READY=1, and what does not answer in between.

use super::*;

fn reloading() -> Notification {
    Notification { reloading: Some(Reloading { monotonic_usec: Some(9) }), ..Notification::default() }
}

#[test]
fn a_reload_is_said_for_it_and_ends_with_a_healthy_probe_that_began_after_it() {
    let mut bench = Bench::watching(&[]);
    bench.step(Event::ProbeDue { set: 0 });
    bench.now += Duration::from_millis(1);
    assert_eq!(sent(&bench.step(Event::ReloadAsked { monotonic_usec: 5 })), "RELOADING=1 MONOTONIC_USEC=5");
    assert_eq!(sent(&bench.end(HEALTHY, 1)), "WATCHDOG=1", "it began before");
    let actions = bench.act(HEALTHY, 1);
    assert_eq!(sent(&actions), "READY=1 WATCHDOG=1");
    assert!(matches!(actions.note, Some(Note::Reloaded { .. })));
    assert_eq!(bench.probe(HEALTHY, 1), "WATCHDOG=1");
}

#[test]
fn a_reload_that_it_says_itself_ends_with_its_own_ready_and_is_not_said_twice() {
    let mut bench = Bench::watching(&[]);
    bench.step(Event::ReloadAsked { monotonic_usec: 5 });
    assert_eq!(sent(&bench.said(reloading())), "", "was said already");
    assert_eq!(bench.probe(HEALTHY, 1), "WATCHDOG=1");
    bench.said(ready());
    assert_eq!(bench.probe(HEALTHY, 1), "READY=1 WATCHDOG=1");

    assert_eq!(sent(&bench.said(reloading())), "RELOADING=1 MONOTONIC_USEC=9", "of its own accord");
    bench.said(ready());
    assert_eq!(bench.probe(HEALTHY, 1), "READY=1 WATCHDOG=1");
}

#[test]
fn what_it_says_of_stopping_while_it_reloads_is_not_passed_on_and_no_hang_is_called_for_a_while() {
    for is_said_by_itself in [false, true] {
        let mut bench = Bench::watching(&["--failures=1"]);
        let asked = if is_said_by_itself {
            bench.said(reloading())
        } else {
            bench.step(Event::ReloadAsked { monotonic_usec: 5 })
        };
        assert!(asked.message.reloading.is_some());
        let actions = bench.said(Notification { stopping: true, ..Notification::default() });
        assert_eq!((sent(&actions), actions.note), (String::new(), Some(Note::StoppingInReload)));
        assert_eq!(bench.state.phase(), Phase::Watching, "it is looked after");
        // Its old self does not answer any more.
        let failure = bench.act(MUTE, 1);
        assert_eq!((failure.report, failure.message.watchdog), (None, Some(WatchdogWord::Ping)));
        assert_eq!(bench.state.phase(), Phase::Watching);
        // The new one does.
        bench.said(ready());
        assert!(bench.probe(HEALTHY, 1).contains("READY=1"));
        assert!(
            bench.said(Notification { stopping: true, ..Notification::default() }).message.stopping,
            "it is over"
        );
    }
}

#[test]
fn who_hangs_after_it_said_that_it_stops_in_a_reload_is_found() {
    let mut bench = Bench::watching(&["--failures=1"]);
    bench.said(reloading());
    bench.said(Notification { stopping: true, ..Notification::default() });
    bench.now += Duration::from_secs(90);
    bench.act(MUTE, 1);
    assert_ne!(bench.state.phase(), Phase::Watching);
}

#[test]
fn a_reload_that_it_would_die_of_is_over_at_once_and_the_status_says_why() {
    let refused = || Event::ReloadRefused { signal: "SIGHUP".to_owned(), monotonic_usec: 5 };
    let note = || Some(Note::ReloadRefused { signal: "SIGHUP".to_owned() });
    let mut bench = Bench::watching(&[]);
    let actions = bench.step(refused());
    let status = "reload refused: COMMAND has no handler for SIGHUP, and would end";
    assert_eq!(sent(&actions), format!("RELOADING=1 MONOTONIC_USEC=5 READY=1 STATUS={status}"));
    assert_eq!(actions.note, note());
    assert!(!bench.probe(HEALTHY, 1).contains("READY=1"), "there is none to end");
    // One of its own is under way.
    bench.said(reloading());
    assert_eq!(sent(&bench.step(refused())), format!("STATUS={status}"));
    bench.said(ready());
    assert!(bench.probe(HEALTHY, 1).contains("READY=1"));

    let mut bench = Bench::new(&[]);
    let actions = bench.step(refused());
    assert_eq!((sent(&actions), actions.note), (String::new(), note()));
    let mut bench = Bench::watching(&[]);
    bench.stop();
    assert_eq!(bench.step(refused()), Actions::default());
}

#[test]
fn without_a_watchdog_a_reload_is_probed_for_until_it_is_over() {
    let config = Config { watchdog: None, ..config(&[]) };
    let mut bench = Bench::with(&config);
    bench.probe(HEALTHY, 1);
    assert_eq!(bench.next_probe_ms(), None);
    bench.step(Event::ReloadAsked { monotonic_usec: 5 });
    assert_eq!(bench.probe(MUTE, 1), "");
    assert_eq!(bench.probe(HEALTHY, 1), "READY=1");
    assert_eq!(bench.next_probe_ms(), None);
}

#[test]
fn a_reload_is_over_soon_after_it_began_however_long_the_interval() {
    let mut bench = Bench::watching(&[]);
    assert_eq!(bench.next_probe_ms(), Some(100));
    bench.step(Event::ReloadAsked { monotonic_usec: 5 });
    assert_eq!(bench.next_probe_ms(), Some(1 + 10), "after a retry interval");
}

#[test]
fn a_probe_that_was_under_way_at_ready_without_a_watchdog_is_not_followed_by_others() {
    let mut bench = Bench::with(&Config { watchdog: None, ..config(&[]) });
    bench.probe(HEALTHY, 1);
    // As one of another set may be.
    bench.step(Event::ProbeDue { set: 0 });
    bench.end(MUTE, 1);
    assert_eq!(bench.next_probe_ms(), None);
}

#[test]
fn a_reload_begins_when_command_has_got_its_signal() {
    let mut bench = Bench::watching(&["--start-timeout=5s"]);
    // systemd is busy, so that the signal is kept back.
    bench.state.step(Event::ReloadAsked { monotonic_usec: 5 }, bench.now);
    for _ in 0..8 {
        assert!(!bench.probe(HEALTHY, 1).contains("READY=1"), "it was not asked to yet");
    }
    bench.state.step(Event::ReloadDelivered, bench.now);
    let delivered = bench.now;
    let (_, took, _) = until_hung(&mut bench.clone(), Some(delivered));
    assert!(took >= 5 * SEC, "it has its whole time: {took:?}");
    assert!(bench.probe(HEALTHY, 1).contains("READY=1"));
}

#[test]
fn a_reload_is_over_soon_after_it_began_whatever_was_under_way() {
    for is_kept_back in [false, true] {
        let mut bench = Bench::watching(&["--interval=240ms"]);
        bench.step(Event::ProbeDue { set: 0 });
        bench.now += Duration::from_millis(1);
        bench.state.step(Event::ReloadAsked { monotonic_usec: 5 }, bench.now);
        if is_kept_back {
            bench.end(HEALTHY, 1);
            bench.probe(HEALTHY, 1);
            bench.state.step(Event::ReloadDelivered, bench.now);
        } else {
            bench.state.step(Event::ReloadDelivered, bench.now);
            bench.now += Duration::from_millis(1);
            bench.end(HEALTHY, 1);
        }
        let since = bench.ms();
        assert!(bench.probe(HEALTHY, 1).contains("READY=1"));
        assert!(bench.ms() - since <= 12, "{is_kept_back}: {} ms", bench.ms() - since);
    }
}

#[test]
fn what_was_failing_before_a_reload_is_no_fault_of_the_reloads() {
    for (failures_before, is_put_down_to_it) in [(0, true), (2, false)] {
        let mut bench = Bench::watching(&["--failures=4"]);
        let began = bench.now;
        for _ in 0..failures_before {
            bench.act(MUTE, 50);
        }
        ask(&mut bench, false);
        let (reason, took, _) = until_hung(&mut bench, Some(began));
        assert_eq!(took > 90 * SEC, is_put_down_to_it, "{failures_before} {took:?}");
        assert_eq!(reason.contains("since a reload"), is_put_down_to_it, "{reason}");
    }
}

/// systemd's own word for it is not waited for longer either.
#[test]
fn a_reload_of_which_command_does_not_say_that_it_is_over_excuses_nothing_when_its_time_is() {
    let mut bench = Bench::watching(&["--start-timeout=5s"]);
    bench.said(reloading());
    let began = bench.now;
    let missing = loop {
        assert!(bench.now - began < 10 * SEC, "it never ends");
        let actions = bench.act(HEALTHY, 1);
        assert_eq!(actions.message.watchdog, Some(WatchdogWord::Ping));
        if let Some(Note::ReloadUnfinished { missing, .. }) = actions.note {
            break missing;
        }
        if let Some(status) = &actions.message.status {
            assert!(
                status.contains("; reloading for ") && status.contains("waits for COMMAND's READY=1"),
                "{status}"
            );
        }
    };
    assert_eq!(missing, "COMMAND's READY=1");
    assert!(bench.now - began >= 5 * SEC);
    // It comes after all: systemd may wait for it still.
    let mut late = bench.clone();
    late.probe(HEALTHY, 1);
    assert_eq!(late.act(HEALTHY, 1).note, None, "that is said once");
    late.said(ready());
    assert!(late.probe(HEALTHY, 1).contains("READY=1"));
    assert!(!late.probe(HEALTHY, 1).contains("READY=1"));
    let stopping = bench.said(Notification { stopping: true, ..Notification::default() });
    assert!(stopping.message.stopping, "it is the service that stops");

    // Also where nobody has looked since.
    let mut bench = Bench::watching(&["--start-timeout=5s"]);
    bench.said(reloading());
    bench.now += 5 * SEC;
    let stopping = bench.said(Notification { stopping: true, ..Notification::default() });
    assert!(stopping.message.stopping, "its time is over");
}

/// Asks for a reload: by the signal, or in COMMAND's own words.
fn ask(bench: &mut Bench, by_itself: bool) {
    let asked = if by_itself {
        bench.said(reloading())
    } else {
        bench.step(Event::ReloadAsked { monotonic_usec: 5 })
    };
    assert!(asked.message.reloading.is_some());
}

/// Has it answer nobody until a hang is called. What that says, how long after `since` (now), and the notes on the way.
fn until_hung(bench: &mut Bench, since: Option<Instant>) -> (String, Duration, Vec<Note>) {
    let since = since.unwrap_or(bench.now);
    let mut notes = Vec::new();
    let mut pinged = bench.now;
    loop {
        let actions = bench.act(MUTE, 100);
        if let Some(report) = actions.report {
            return (report.reason, bench.now - since, notes);
        }
        if actions.message.watchdog == Some(WatchdogWord::Ping) {
            assert!(bench.now - pinged < W, "systemd's own timer would have acted");
            pinged = bench.now;
        }
        notes.extend(actions.note);
        assert!(bench.now - since < Duration::from_secs(1000), "it is never found");
    }
}

const SEC: Duration = Duration::from_secs(1);

#[test]
fn what_drains_in_a_reload_is_pinged_for_and_is_healthy_afterwards() {
    for (options, by_itself) in
        [(&[][..], false), (&[], true), (&["--on-hang=withhold"], false), (&["--failures=1"], true)]
    {
        let mut bench = Bench::watching(options);
        ask(&mut bench, by_itself);
        let mut notes = Vec::new();
        let mut pings = Vec::new();
        while bench.ms() < 50_000 {
            let actions = bench.act(MUTE, 100);
            assert_eq!(actions.report, None, "{options:?} {by_itself} {} ms", bench.ms());
            notes.extend(actions.note);
            if actions.message.watchdog == Some(WatchdogWord::Ping) {
                pings.push(bench.ms());
            }
        }
        assert!(pings[0] < 1000 && pings.windows(2).all(|pair| pair[1] - pair[0] < 1000), "{pings:?}");
        let busy = notes.iter().filter(|note| matches!(note, Note::BusyReloading { .. })).count();
        assert_eq!(busy, 1, "{notes:?}");
        bench.said(ready());
        let actions = bench.act(HEALTHY, 1);
        assert!(sent(&actions).contains("READY=1") && sent(&actions).ends_with("WATCHDOG=1"));
        assert!(matches!(actions.note, Some(Note::Reloaded { after }) if after > 49 * SEC));
        // What hangs later is found as ever.
        bench.now += 10 * SEC;
        bench.probe(HEALTHY, 1);
        let (reason, took, _) = until_hung(&mut bench, None);
        assert!(took <= config(options).longest_row(), "{took:?}");
        assert!(!reason.contains("reload"), "{reason}");
    }
}

#[test]
fn what_hangs_in_a_reload_is_found_when_that_has_had_the_time_of_a_start() {
    for (options, timeout_start, expected) in [
        (&[][..], None, 90),
        (&[], Some(Some(20 * SEC)), 20),
        // Without an end.
        (&[], Some(None), 90),
        (&["--start-timeout=5s"], Some(Some(20 * SEC)), 5),
        (&["--start-timeout=200s"], Some(Some(20 * SEC)), 200),
    ] {
        for by_itself in [false, true] {
            let mut bench = Bench::watching(options);
            if let Some(timeout_start) = timeout_start {
                bench.state.timeout_start_is(timeout_start);
            }
            ask(&mut bench, by_itself);
            let (reason, took, notes) = until_hung(&mut bench, None);
            let (least, most) = (expected * SEC, expected * SEC + Duration::from_millis(110));
            assert!(took >= least && took <= most, "{options:?} {timeout_start:?} {took:?}");
            assert!(reason.starts_with("hung, ") && reason.contains(" since a reload "), "{reason}");
            assert!(
                notes.iter().any(|note| matches!(note, Note::BusyReloading { left, .. } if *left < least))
            );
            assert!(sent(&bench.step(REPORTED)).ends_with("WATCHDOG=trigger"));
        }
    }
}

#[test]
fn who_is_asked_to_reload_ever_again_and_does_not_answer_is_found() {
    let mut bench = Bench::watching(&["--start-timeout=5s"]);
    ask(&mut bench, false);
    let asked = bench.now;
    let hung = loop {
        bench.step(Event::ReloadAsked { monotonic_usec: 5 });
        assert!(bench.now - asked < 10 * SEC, "it is never found");
        if bench.act(MUTE, 100).report.is_some() {
            break bench.now;
        }
    };
    assert!(hung - asked <= Duration::from_millis(5110), "{:?}", hung - asked);
}

#[test]
fn a_reload_begins_anew_where_the_service_answers() {
    for by_itself in [false, true] {
        let mut bench = Bench::watching(&["--start-timeout=5s"]);
        ask(&mut bench, by_itself);
        // Where it says RELOADING=1 itself, and never again that it is ready, its reload does not end.
        for _ in 0..100 {
            bench.probe(HEALTHY, 1);
        }
        bench.now += 60 * SEC;
        bench.probe(HEALTHY, 1);
        let (_, took, _) = until_hung(&mut bench.clone(), None);
        assert!(took <= config(&[]).longest_row(), "no reload that is long over: {took:?}");
        bench.step(Event::ReloadAsked { monotonic_usec: 5 });
        let (_, took, _) = until_hung(&mut bench, None);
        assert!(took >= 5 * SEC && took <= 5 * SEC + Duration::from_millis(110), "{took:?}");
    }
}

/// The signal was sent, and COMMAND has not looked at it yet.
#[test]
fn a_probe_that_is_answered_before_command_begins_to_reload_is_not_the_end_of_that() {
    for (answers, is_put_down_to_it) in [(1, true), (2, false)] {
        let mut bench = Bench::watching(&["--start-timeout=5s"]);
        ask(&mut bench, false);
        let asked = bench.now;
        for answer in 1..=answers {
            assert_eq!(bench.probe(HEALTHY, 1).contains("READY=1"), answer == 1);
        }
        let (reason, took, _) = until_hung(&mut bench, Some(asked));
        assert_eq!(took >= 5 * SEC, is_put_down_to_it, "{answers} {took:?}");
        assert_eq!(reason.contains("since a reload"), is_put_down_to_it, "{reason}");
    }
}

#[test]
fn a_hang_that_was_called_is_not_undone_by_a_reload() {
    let mut bench = Bench::watching(&["--on-hang=withhold"]);
    until_hung(&mut bench, None);
    bench.step(Event::ReloadAsked { monotonic_usec: 5 });
    for _ in 0..20 {
        assert_eq!(bench.act(MUTE, 100).message.watchdog, None, "pings are withheld");
    }
}
