//! Whether and when the service is probed, and how it is with the guard itself.

use super::*;

#[test]
fn only_a_running_unit_is_probed() {
    for (active, sub) in [
        ("inactive", "dead"),
        ("activating", "start"),
        ("reloading", "reload"),
        ("deactivating", "stop-sigterm"),
        ("failed", "failed"),
        ("maintenance", "cleaning"),
        ("active", "exited"),
    ] {
        let mut play = Play::new(rules());
        assert_eq!(play.state.due(), None);
        assert_eq!(play.step(Event::Seen(unit(active, sub))), None);
        assert_eq!(play.state.due(), None, "{active} {sub}: it could be woken by a probe");
        play.step(Event::Seen(running(7)));
        assert_eq!(play.due(), Some(PROBE));
        let moment = Moment { now: play.now, maintenance: false, dice: 0.0 };
        let actions = play.state.step(Event::Seen(unit(active, sub)), moment);
        assert!(actions.drop_task, "{active} {sub}: the probe under way is dropped");
        assert_eq!(play.state.due(), None, "{active} {sub}");
    }
}

#[test]
fn ready_is_said_once_and_as_soon_as_the_unit_is_followed_even_if_it_does_not_exist() {
    let mut play = Play::new(rules());
    play.step(Event::Lost { why: "closed".into() });
    play.step(Event::Seen(Unit { load: "not-found".into(), ..unit("inactive", "dead") }));
    play.step(Event::Seen(running(7)));
    assert_eq!(play.messages.iter().map(|message| message.ready).collect::<Vec<_>>(), [false, true, false]);
    let said = play.messages[1].status.as_deref();
    assert_eq!(said, Some("guarding nginx.service (not there): left alone, 0 failures, 0 restarts"));
    assert_eq!(play.has(|note| *note == Note::NotThere), 1);
}

#[test]
fn only_a_unit_that_never_was_there_is_warned_of() {
    let mut play = Play::new(rules());
    play.step(Event::Seen(running(7)));
    play.step(Event::Seen(Unit { load: "not-found".into(), ..unit("inactive", "dead") }));
    assert_eq!(play.has(|note| *note == Note::NotThere), 0);
}

#[test]
fn a_service_that_has_never_answered_is_given_its_grace() {
    let mut play = Play::new(rules());
    play.step(Event::Seen(running(7)));
    let began = play.now;
    while play.now < began + 9 * S {
        assert_eq!(play.probe(unhealthy()), None);
    }
    assert_eq!(play.state.failures(), 0);
    assert!(
        play.status().contains("no healthy answer yet: http://127.0.0.1/: no answer in 1 s"),
        "{}",
        play.status()
    );
    assert_eq!(play.has(|note| matches!(note, Note::NeverHealthy { .. })), 0);
}

#[test]
fn a_service_that_has_answered_has_no_grace_left() {
    assert_eq!(Play::watching(rules()).hang(), Some(Task::ReadSettings));
}

#[test]
fn an_unhealthy_probe_is_repeated_soon_after_its_end_and_a_healthy_one_an_interval_after_its_start() {
    let mut play = Play::watching(rules());
    assert_eq!(play.due_in(), 990 * MS);
    play.probe_in(Duration::ZERO, unhealthy());
    assert_eq!(play.due_in(), 100 * MS);
    play.probe_in(S, unhealthy());
    assert_eq!(play.due_in(), 100 * MS);
    play.probe_in(10 * MS, healthy());
    assert_eq!(play.due_in(), 990 * MS);
}

#[test]
fn jitter_shortens_an_interval() {
    let timing = Timing { jitter: 50, ..rules().sets[0] };
    let mut play = Play::watching(Rules { sets: vec![timing], ..rules() });
    play.due();
    play.state.step(healthy(), Moment { now: play.now, maintenance: false, dice: 1.0 });
    assert_eq!(play.due_in(), 500 * MS);
}

#[test]
fn a_listener_that_is_away_for_a_moment_is_no_hang_and_one_that_stays_away_is_one_within_the_bound() {
    let mut play = Play::watching(rules());
    for _ in 0..20 {
        assert_eq!(play.probe_in(Duration::ZERO, unhealthy()), None);
    }
    play.probe(healthy());
    let began = play.state.due().expect("a probe");
    while play.probe_in(Duration::ZERO, unhealthy()).is_none() {}
    // (N−1)·T + (N−2)·r
    assert_eq!(play.now - began, 2100 * MS);
    assert_eq!(play.underway, Some(Task::ReadSettings));
}

#[test]
fn it_takes_as_many_healthy_probes_as_rise_says_to_end_a_row() {
    let timing = Timing { rise: 2, ..rules().sets[0] };
    let mut play = Play::watching(Rules { sets: vec![timing], ..rules() });
    play.probe(unhealthy());
    play.probe(unhealthy());
    play.probe(healthy());
    assert_eq!((play.state.failures(), play.due_in()), (2, 100 * MS));
    assert_eq!(play.probe(unhealthy()), Some(Task::ReadSettings));
    play.step(Event::Read(Ok(settings("always"))));
    let said = "3 probes unhealthy, without 2 healthy in a row: http://127.0.0.1/: no answer in 1 s";
    assert_eq!(play.has(|note| matches!(note, Note::Hung { reason } if reason == said)), 1);
}

#[test]
fn another_instance_starts_without_failures_and_is_to_be_seen_healthy_anew() {
    for other in [running(8), Unit { invocation: vec![2], ..running(7) }] {
        let mut play = Play::watching(rules());
        play.probe(unhealthy());
        play.probe(unhealthy());
        play.step(Event::Seen(other));
        assert_eq!(play.hang(), None);
    }
}

#[test]
fn what_does_not_matter_changes_nothing() {
    let mut play = Play::watching(rules());
    play.probe(unhealthy());
    play.probe(unhealthy());
    let due = play.state.due();
    play.step(Event::Seen(Unit { result: "other".into(), ..running(7) }));
    play.step(Event::Seen(with_job(Some(JobType::Neither), running(7))));
    assert_eq!(play.state.due(), due);
    assert_eq!(play.probe(unhealthy()), Some(Task::ReadSettings));
}

#[test]
fn a_reload_begins_anew() {
    let mut play = Play::watching(rules());
    play.probe(unhealthy());
    play.probe(unhealthy());
    play.step(Event::Seen(unit("reloading", "reload")));
    assert_eq!(play.state.due(), None);
    play.step(Event::Seen(running(7)));
    assert_eq!(play.hang(), None);
}

#[test]
fn systemd_out_of_reach_for_a_while_disturbs_nothing() {
    let mut play = Play::watching(rules());
    play.probe(unhealthy());
    play.step(Event::Lost { why: "closed".into() });
    play.step(Event::Lost { why: "refused".into() });
    assert_eq!(play.state.due(), None, "nothing is known, so nothing is probed");
    assert_eq!(play.has(|note| matches!(note, Note::Lost { .. })), 1);
    assert!(play.status().contains("(unknown): systemd is out of reach: closed"), "{}", play.status());
    play.step(Event::Seen(running(7)));
    assert_eq!(play.probe(unhealthy()), None);
    assert_eq!(play.probe(unhealthy()), None);
    assert_eq!(play.probe(unhealthy()), Some(Task::ReadSettings), "it needs no new grace");
}

#[test]
fn every_probe_and_every_turn_pings_our_own_watchdog() {
    let ping =
        |play: &Play| play.messages.last().expect("a message").watchdog == Some(message::WatchdogWord::Ping);
    let mut play = Play::watching(rules());
    assert!(ping(&play));
    play.probe(unhealthy());
    assert!(ping(&play), "it vouches for the guard, not for the unit");
    play.step(Event::Seen(unit("inactive", "dead")));
    assert!(!ping(&play));
    for _ in 0..3 {
        play.now = play.state.turn().expect("a turn");
        play.step(Event::Turn);
        assert!(ping(&play), "also while the unit is down");
    }
}

#[test]
fn a_guard_that_is_stuck_does_not_ping() {
    let mut play = Play::watching(rules());
    play.due();
    // Three deadlines, where UNIT is able to run for a fiftieth of the time, and 2 s.
    play.now += 152 * S;
    play.step(Event::Turn);
    assert_eq!(play.has(|note| *note == Note::Stuck), 0);
    play.now += MS;
    play.step(Event::Turn);
    assert_eq!(play.messages.last().expect("a message").watchdog, None);
    assert_eq!(play.state.turn(), None);
    assert_eq!(play.has(|note| *note == Note::Stuck), 1);
    play.step(healthy());
    assert!(play.state.turn().is_some(), "it was not, after all");
}

#[test]
fn without_a_watchdog_of_our_own_there_are_no_pings() {
    let mut play = Play::watching(Rules { turn: None, ..rules() });
    play.probe(unhealthy());
    assert_eq!(play.state.turn(), None);
    assert!(play.messages.iter().all(|message| message.watchdog.is_none()));
}

#[test]
fn after_a_stop_nothing_is_said_or_done() {
    let mut play = Play::watching(rules());
    play.step(Event::Stop);
    assert!(play.messages.last().expect("a message").stopping);
    assert_eq!(play.status(), "stopping: nginx.service is not guarded any more");
    for event in [Event::Seen(running(9)), Event::Due, Event::Turn, unhealthy(), Event::Stop] {
        assert_eq!(play.step(event), None);
        assert!(play.messages.last().expect("a message").is_empty());
    }
    assert_eq!(play.state.due(), None);
}

#[test]
fn a_healthy_unit_is_spoken_of_once_a_minute() {
    let mut play = Play::watching(rules());
    let before = play.messages.len();
    for _ in 0..120 {
        play.probe(healthy());
    }
    let said = play.messages[before..].iter().filter(|message| message.status.is_some()).count();
    assert_eq!(said, 2);
}

#[test]
fn the_first_line_names_the_budget_only_where_something_is_to_be_done() {
    let name = UnitName::new("nginx").expect("a name");
    let start = |rules: &Rules| crate::guard::note::start(&name, rules, &["tcp 127.0.0.1:80".to_owned()]);
    let begin = "guarding nginx.service: probing tcp 127.0.0.1:80 every 1 s, timeout 1 s; after 3 unhealthy in a row ";
    assert_eq!(start(&rules()), format!("{begin}it is ended, 2 times within 3600 s at most"));
    let dry = Rules { dry_run: true, ..rules() };
    assert_eq!(start(&dry), format!("{begin}that is only said (--dry-run)"));
}

#[test]
fn a_report_that_takes_longer_than_w_leaves_is_warned_of() {
    let warning = |report| crate::guard::note::late_report(&Rules { report, ..rules() });
    assert_eq!(warning(None), None);
    assert_eq!(warning(Some(5_800 * MS)), None);
    let text = warning(Some(6 * S)).expect("more than is left");
    assert!(
        text.starts_with("--report-budget is 6 s, but --watchdog 10 s leaves 5.8 s for the report"),
        "{text}"
    );
}
