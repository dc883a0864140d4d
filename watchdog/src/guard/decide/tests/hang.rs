//! From a hang to the service's return.

use super::*;

#[test]
fn a_hang_is_reported_signalled_and_left_to_systemd_where_it_restarts_by_itself() {
    let rules = Rules { report: Some(500 * MS), ..rules() };
    let settings = Settings { control_group: "/system.slice/nginx.service".into(), ..settings("always") };
    let (mut play, task) = Play::hung(rules, settings);
    let hang = Hang {
        unit: "nginx.service".into(),
        main_pid: Some(7),
        control_group: "/system.slice/nginx.service".into(),
        reason: "3 probes in a row unhealthy: http://127.0.0.1/: no answer in 1 s".into(),
        budget: 500 * MS,
    };
    assert_eq!(task, Some(Task::Report(hang)));
    assert_eq!(play.step(Event::Reported), Some(ABORT));
    assert_eq!(play.step(Event::Called(Ok(()))), None);
    assert_eq!(play.step(Event::Seen(unit("deactivating", "stop-sigterm"))), None);
    assert_eq!(play.state.due(), None, "how long that takes is systemd's to say");
    assert_eq!(play.step(Event::Seen(unit("activating", "auto-restart"))), None);
    assert_eq!(play.state.due(), None, "systemd does it");
    play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
    play.probe(healthy());
    let status = "guarding nginx.service (active, pid 8): healthy, answered in 10 ms, 0 failures, 1 restart";
    assert_eq!(play.status(), status);
}

#[test]
fn a_unit_that_systemd_leaves_dead_is_started_when_its_restart_sec_is_over() {
    for restart in ["always", "on-failure", "on-abnormal", "on-watchdog"] {
        let mut play = Play::signalled(Settings { restart_after: 3 * S, ..settings(restart) });
        assert_eq!(play.step(Event::Seen(unit("deactivating", "stop-post"))), None);
        assert_eq!(play.step(Event::Seen(dead())), None);
        let died = play.now;
        assert_eq!(play.due(), Some(Task::Look));
        assert_eq!(play.now - died, 3 * S);
        assert_eq!(play.step(looks(dead(), restart)), Some(START), "{restart}");
        // Our own job.
        assert_eq!(play.step(Event::Seen(with_job(Some(JobType::Start), dead()))), None);
        assert_eq!(play.step(Event::Called(Ok(()))), None);
        assert_eq!(play.step(Event::Seen(unit("activating", "start"))), None);
        play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
        assert_eq!(play.probe(healthy()), None);
        assert_eq!(play.has(|note| *note == Note::GaveWay), 0);
    }
}

#[test]
fn a_unit_that_exits_cleanly_of_the_signal_and_remains_active_is_restarted() {
    let exited = |job| Unit { exit: (1, 0), job, ..unit("active", "exited") };
    for restart in ["always", "on-failure", "on-abnormal"] {
        let mut play = Play::signalled(settings(restart));
        assert_eq!(play.step(Event::Seen(exited(None))), None);
        assert_eq!(play.due(), Some(Task::Look), "{restart}");
        // `systemctl start` of it does nothing, and is no word against us.
        assert_eq!(play.step(Event::Seen(exited(Some(Job { id: 5, kind: None })))), None);
        assert_eq!(
            play.step(looks(exited(None), restart)),
            Some(Task::Start { is_exited: true }),
            "{restart}"
        );
        assert_eq!(play.step(Event::Seen(with_job(Some(JobType::Restart), exited(None)))), None);
        assert_eq!(play.step(Event::Called(Ok(()))), None);
        assert_eq!(play.step(Event::Seen(with_job(Some(JobType::Start), unit("inactive", "dead")))), None);
        assert_eq!(play.step(Event::Seen(unit("activating", "start"))), None);
        play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
        play.probe(healthy());
        assert_eq!((play.state.restarts(), play.has(|note| *note == Note::GaveWay)), (1, 0), "{restart}");
    }
}

#[test]
fn a_unit_that_nobody_is_to_start_is_not_started_and_the_status_says_why() {
    for (rule, why) in
        [(RestartRule::Auto, "RestartPreventExitStatus=SIGABRT"), (RestartRule::Never, "--restart never")]
    {
        let (mut play, task) = Play::hung(Rules { restart: rule, ..rules() }, settings("on-watchdog"));
        assert_eq!(task, Some(ABORT));
        play.step(Event::Called(Ok(())));
        assert_eq!(play.step(Event::Seen(dead())), None);
        assert_eq!(play.due(), Some(Task::Look), "{why}");
        // Since the signal was sent.
        let mut now = settings("on-watchdog");
        now.restart.prevent.signals = vec![6];
        assert_eq!(play.step(Event::Looked(Ok((dead(), now)))), None);
        assert_eq!(play.state.due(), None, "{why}");
        let expected =
            format!("(failed, core-dump): left alone: not started again: {why}, 0 failures, 0 restarts");
        assert!(play.status().contains(&expected), "{}", play.status());
        assert_eq!(play.has(|note| matches!(note, Note::NotStarted { .. })), 1);
    }
}

#[test]
fn what_somebody_starts_long_after_its_end_is_no_restart_of_ours() {
    let restarts = |between: &[Unit]| {
        let mut play = Play::signalled(settings("always"));
        for unit in between {
            play.step(Event::Seen(unit.clone()));
        }
        play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
        play.state.restarts()
    };
    let (waiting, stopped) = (unit("activating", "auto-restart"), unit("inactive", "dead"));
    assert_eq!(restarts(&[]), 1);
    assert_eq!(restarts(std::slice::from_ref(&waiting)), 1);
    assert_eq!(restarts(&[waiting.clone(), with_job(Some(JobType::Start), stopped.clone())]), 1);
    assert_eq!(restarts(&[waiting, stopped]), 0);
}

#[test]
fn a_unit_that_systemd_gives_up_is_spoken_of_once_and_one_that_somebody_stops_is_not() {
    let waiting = || unit("activating", "auto-restart");
    let failed = |result: &str| Unit { result: result.into(), ..unit("failed", "failed") };
    for (end, spoken) in [
        (failed("start-limit-hit"), true),
        (failed("exit-code"), true),
        // What the first failure was, where the start limit is hit on the way back.
        (failed("signal"), true),
        (unit("inactive", "dead"), false),
    ] {
        let mut play = Play::signalled(settings("always"));
        for unit in [waiting(), end.clone(), end.clone()] {
            play.step(Event::Seen(unit));
        }
        assert_eq!(play.has(|note| matches!(note, Note::StaysDown { .. })), usize::from(spoken), "{end:?}");
        let expected = format!("left alone: stays down after its hang, Result={}", end.result);
        assert_eq!(play.status().contains(&expected), spoken, "{}", play.status());
        // Started by somebody, it is guarded as ever.
        play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
        assert_eq!(play.probe(healthy()), None);
        assert!(!play.status().contains("stays down"), "{}", play.status());
    }
}

#[test]
fn the_end_before_a_start_of_ours_is_not_taken_for_its_failure() {
    let mut play = Play::signalled(settings("on-watchdog"));
    play.step(Event::Seen(dead()));
    assert_eq!(play.due(), Some(Task::Look));
    assert_eq!(play.step(looks(dead(), "on-watchdog")), Some(START));
    // Old news, before systemd has taken the order.
    play.step(Event::Seen(dead()));
    play.step(Event::Called(Ok(())));
    assert_eq!(play.has(|note| matches!(note, Note::StaysDown { .. })), 0);
}

#[test]
fn a_start_of_ours_that_is_one_too_many_is_spoken_of_whether_its_job_was_seen_or_not() {
    let called = Event::Called(Ok(()));
    let queued = |kind| Event::Seen(with_job(kind, dead()));
    let over = Event::Seen(dead());
    for events in [
        [called.clone(), queued(Some(JobType::Start)), over.clone()],
        [queued(Some(JobType::Start)), called.clone(), over.clone()],
        [queued(Some(JobType::Start)), over.clone(), called.clone()],
        [queued(None), over.clone(), called.clone()],
        [called, over.clone(), over],
    ] {
        let mut play = Play::signalled(settings("on-watchdog"));
        play.step(Event::Seen(dead()));
        play.due();
        play.step(looks(dead(), "on-watchdog"));
        for event in events.clone() {
            play.step(event);
        }
        assert_eq!(play.has(|note| matches!(note, Note::StaysDown { .. })), 1, "{events:?}");
    }
}

#[test]
fn what_was_ended_before_this_guard_began_counts_and_every_end_is_kept() {
    let now = Instant::now();
    let name = UnitName::new("nginx").expect("a name");
    let ends = vec![now.checked_sub(60 * S).expect("up for a minute")];
    let mut play = Play::watching(rules());
    play.state = GuardState::new(rules(), name, &["http://127.0.0.1/"], (ends.clone(), None), now);
    play.now = now;
    play.step(Event::Seen(running(7)));
    play.probe(healthy());
    assert_eq!(play.hang(), Some(Task::ReadSettings));
    assert!(matches!(play.step(Event::Read(Ok(settings("always")))), Some(Task::Kill { .. })));
    assert_eq!(play.ends, Some(vec![ends[0], play.now]), "of two an hour, both are spent");
    play.step(Event::Called(Ok(())));
    play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
    play.probe(healthy());
    assert_eq!(play.hang(), None);
    assert_eq!(play.has(|note| matches!(note, Note::Exhausted { .. })), 1);
}

#[test]
fn what_is_disabled_meanwhile_is_not_started() {
    let enabled = || Settings { file_state: "enabled".into(), ..settings("on-watchdog") };
    let mut play = Play::watching(rules());
    play.step(Event::Settings(enabled()));
    play.hang();
    assert_eq!(play.step(Event::Read(Ok(enabled()))), Some(ABORT));
    play.step(Event::Called(Ok(())));
    play.step(Event::Seen(dead()));
    assert_eq!(play.due(), Some(Task::Look));
    let disabled = Settings { file_state: "disabled".into(), ..enabled() };
    assert_eq!(play.step(Event::Looked(Ok((dead(), disabled)))), None);
    assert_eq!(play.state.due(), None);
    let expected = "not started again: it was disabled since this guard took it up";
    assert!(play.status().contains(expected), "{}", play.status());
}

#[test]
fn a_unit_that_came_back_by_itself_is_not_started() {
    for back in [unit("activating", "auto-restart"), Unit { invocation: vec![2], ..running(8) }] {
        let mut play = Play::signalled(settings("on-watchdog"));
        play.step(Event::Seen(dead()));
        assert_eq!(play.due(), Some(Task::Look));
        assert_eq!(play.step(looks(back, "on-watchdog")), None);
        assert_eq!(play.has(|note| *note == Note::Starting), 0);
    }
}

#[test]
fn what_does_not_die_is_killed_after_its_abort_timeout() {
    let mut play = Play::signalled(settings("always"));
    let sent = play.now;
    assert_eq!(play.due(), Some(SIGKILL));
    assert_eq!(play.now - sent, 2 * S);
    assert_eq!(play.step(Event::Called(Ok(()))), None);
    play.step(Event::Seen(dead()));
    assert_eq!(play.due(), Some(Task::Look), "Restart=always, and systemd left it dead");
}

#[test]
fn what_must_not_be_killed_is_not() {
    let play = Play::signalled(Settings { send_sigkill: false, ..settings("always") });
    assert_eq!(play.state.due(), None);
}

#[test]
fn the_budget_is_kept_said_to_be_exhausted_once_and_slides() {
    let mut play = Play::watching(rules());
    for pid in [8, 9] {
        assert_eq!(play.hang(), Some(Task::ReadSettings));
        play.step(Event::Read(Ok(settings("always"))));
        play.step(Event::Seen(Unit { invocation: vec![2], ..running(pid) }));
        play.probe(healthy());
    }
    let began = play.now;
    assert_eq!(play.hang(), None);
    while play.now - began < 3500 * S {
        assert_eq!(play.probe(unhealthy()), None);
    }
    assert_eq!(play.has(|note| matches!(note, Note::Exhausted { .. })), 1);
    assert!(play.status().contains("hung, and ended too often already"), "{}", play.status());
    play.now += 100 * S;
    assert_eq!(play.probe(unhealthy()), Some(Task::ReadSettings));
}

#[test]
fn a_dry_run_reports_each_hang_once_says_what_it_would_do_and_does_not_do_it() {
    let mut play = Play::watching(Rules { dry_run: true, report: Some(500 * MS), ..rules() });
    for row in 1..=2 {
        assert_eq!(play.hang(), Some(Task::ReadSettings));
        let Some(Task::Report(hang)) = play.step(Event::Read(Ok(settings("always")))) else {
            panic!("{row}")
        };
        let then = "sent SIGABRT (all its processes; SIGKILL after 2 s) and started again by systemd (Restart=always)";
        let reason = "3 probes in a row unhealthy: http://127.0.0.1/: no answer in 1 s";
        assert_eq!(hang.reason, format!("{reason}; without --dry-run, it would be {then}"));
        let note = Note::DryRun { reason: reason.to_owned(), plan: then.to_owned() };
        assert_eq!(play.has(|said| *said == note), row);
        assert_eq!(play.step(Event::Reported), None, "no signal");
        assert!(play.status().contains(": hung, and would have been ended: "), "{}", play.status());
        for _ in 0..10 {
            assert_eq!(play.probe(unhealthy()), None);
        }
        assert_eq!(play.state.figure(), metrics::ServiceState::Hung);
        play.probe(healthy());
        assert_eq!(play.has(|note| matches!(note, Note::Recovered { failures: 13 })), row);
    }
}

#[test]
fn a_dry_run_without_a_report_says_the_same() {
    let rules = Rules { dry_run: true, restart: RestartRule::Unit, ..rules() };
    let (mut play, task) = Play::hung(rules, settings("no"));
    assert_eq!(task, None);
    let expected = "left alone, since nobody would start it again (Restart=no, with --restart unit)";
    let said = |note: &Note| matches!(note, Note::DryRun { plan, .. } if plan == expected);
    assert_eq!(play.has(said), 1);
    assert_eq!(play.probe(unhealthy()), None);
}

#[test]
fn what_hangs_and_is_left_alone_is_probed_without_hurry() {
    let timing = Timing { interval: 3 * S, ..rules().sets[0] };
    let (mut play, _) = Play::hung(Rules { dry_run: true, sets: vec![timing], ..rules() }, settings("no"));
    assert_eq!(play.due_in(), 2 * S, "an interval after the start of the last");
    play.probe_in(Duration::ZERO, unhealthy());
    assert_eq!(play.due_in(), 3 * S);
    let mut play = Play::watching(Rules { budget: (0, S), ..rules() });
    assert_eq!(play.hang(), None);
    assert_eq!(play.due_in(), 100 * MS, "T + r where that is more");
}

#[test]
fn under_maintenance_nothing_is_done_until_it_is_over() {
    let mut play = Play::watching(rules());
    play.probe(unhealthy());
    play.probe(unhealthy());
    play.maintenance = true;
    for _ in 0..3 {
        assert_eq!(play.due(), None, "no probe");
    }
    assert!(play.status().contains("(active, pid 7): left alone: maintenance"), "{}", play.status());
    assert_eq!(play.has(|note| *note == Note::Maintenance), 1);
    play.maintenance = false;
    assert_eq!(play.due(), None);
    assert_eq!(play.hang(), None, "a grace of its own");
}

#[test]
fn maintenance_that_begins_during_a_hang_stops_whatever_comes_next() {
    let reporting = Rules { report: Some(S), ..rules() };
    let mut play = Play::watching(reporting.clone());
    play.hang();
    play.maintenance = true;
    assert_eq!(play.step(Event::Read(Ok(settings("always")))), None, "no report");

    let (mut play, _) = Play::hung(reporting, settings("always"));
    play.maintenance = true;
    assert_eq!(play.step(Event::Reported), None, "no signal");

    let mut play = Play::signalled(settings("always"));
    play.maintenance = true;
    play.step(Event::Seen(dead()));
    assert_eq!(play.state.due(), None, "no start");

    let mut play = Play::signalled(settings("always"));
    play.step(Event::Seen(dead()));
    play.due();
    play.maintenance = true;
    assert_eq!(play.step(looks(dead(), "on-watchdog")), None, "no start");
}

#[test]
fn settings_that_cannot_be_read_are_said_so_and_read_again_after_as_many_failures() {
    let mut play = Play::watching(rules());
    for attempt in 1..=3 {
        assert_eq!(play.hang(), Some(Task::ReadSettings));
        assert_eq!(play.step(Event::Read(Err("no reply".into()))), None);
        assert_eq!(play.has(|note| matches!(note, Note::CannotRead { .. })), attempt);
    }
}

#[test]
fn a_kill_that_systemd_refuses_spends_nothing_and_is_said_and_reported_once() {
    let mut play = Play::watching(Rules { report: Some(S), budget: (1, 3600 * S), ..rules() });
    play.hang();
    assert!(matches!(play.step(Event::Read(Ok(settings("always")))), Some(Task::Report(_))));
    assert_eq!(play.step(Event::Reported), Some(ABORT));
    let refused = |play: &mut Play| {
        assert_eq!(play.ends.as_ref().map(Vec::len), Some(1), "kept, should this guard end now");
        assert_eq!(play.step(refusal("access denied")), None);
        assert_eq!(play.ends, Some(Vec::new()));
        assert!(play.status().contains("hung, and cannot be ended (access denied)"), "{}", play.status());
    };
    refused(&mut play);
    // With a budget of one: every W, for as long as it hangs.
    for _ in 0..3 {
        let asked = play.now;
        while play.probe(unhealthy()).is_none() {}
        assert!((10 * S..12 * S).contains(&(play.now - asked)), "{:?}", play.now - asked);
        assert_eq!(play.step(Event::Read(Ok(settings("always")))), Some(ABORT), "no other report");
        refused(&mut play);
    }
    let said = |play: &Play, wanted: fn(&Note) -> bool| play.has(wanted);
    assert_eq!(said(&play, |note| matches!(note, Note::Hung { .. })), 1);
    assert_eq!(said(&play, |note| matches!(note, Note::Signalling { .. })), 1);
    assert_eq!(said(&play, |note| matches!(note, Note::CannotKill { .. })), 1);
    play.probe(healthy());
    assert!(play.status().contains(": healthy"), "{}", play.status());
    assert_eq!(play.hang(), Some(Task::ReadSettings));
    play.step(Event::Read(Ok(settings("always"))));
    play.step(Event::Reported);
    assert_eq!(play.step(Event::Called(Ok(()))), None, "now it may");
    assert_eq!(said(&play, |note| matches!(note, Note::Hung { .. })), 2);
    assert_eq!(play.ends.as_ref().map(Vec::len), Some(1));
}

#[test]
fn a_kill_without_an_answer_may_have_been_done_and_what_does_not_die_of_it_is_killed() {
    let no_answer = || Event::Called(Err(Failure { why: "no answer in 30 s".into(), is_refusal: false }));
    let (mut play, _) = Play::hung(rules(), settings("on-watchdog"));
    play.step(no_answer());
    assert_eq!(play.ends.as_ref().map(Vec::len), Some(1), "it counts");
    assert_eq!(play.due(), Some(SIGKILL));
    let (mut play, _) = Play::hung(rules(), settings("on-watchdog"));
    play.step(no_answer());
    play.step(Event::Seen(dead()));
    assert_eq!(play.due(), Some(Task::Look), "it was done");
    let unkillable = Settings { send_sigkill: false, ..settings("on-watchdog") };
    let (mut play, _) = Play::hung(rules(), unkillable);
    play.step(no_answer());
    assert_eq!(play.hang(), Some(Task::ReadSettings), "tried again");
}

#[test]
fn a_start_that_is_refused_is_said() {
    let mut play = Play::signalled(settings("on-watchdog"));
    play.step(Event::Seen(dead()));
    play.due();
    play.step(looks(dead(), "on-watchdog"));
    play.step(refusal("start request repeated too quickly"));
    assert!(play.status().contains("could not be started: start request repeated"), "{}", play.status());
    assert_eq!(play.state.due(), None);
}

#[test]
fn systemd_out_of_reach_in_the_middle_of_a_hang_delays_what_comes_next() {
    let lost = || Event::Lost { why: "closed".into() };
    let mut play = Play::signalled(settings("on-watchdog"));
    let sent = play.now;
    play.step(lost());
    assert_eq!(play.state.due(), None);
    play.step(Event::Seen(running(7)));
    assert_eq!(play.due(), Some(SIGKILL));
    assert_eq!(play.now - sent, 2 * S, "and not earlier");
    play.step(lost());
    play.step(Event::Seen(dead()));
    assert_eq!(play.due(), Some(Task::Look));
    play.step(lost());
    play.step(Event::Seen(dead()));
    assert_eq!(play.due(), Some(Task::Look));
    assert_eq!(play.step(looks(dead(), "on-watchdog")), Some(START));
    play.step(lost());
    play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
    assert_eq!(play.probe(healthy()), None);
}
