//! What was never healthy, and what nobody would start again, is not ended.

use super::*;

/// UNIT runs with these settings, and has answered.
fn taken_up(rules: Rules, settings: Settings) -> Play {
    let mut play = Play::new(rules);
    play.step(Event::Seen(running(7)));
    play.step(Event::Settings(settings));
    assert_eq!(play.probe(healthy()), None);
    play
}

fn unit_rule() -> Rules {
    Rules { restart: RestartRule::Unit, report: Some(S), ..rules() }
}

#[test]
fn what_never_was_healthy_under_these_probes_is_never_ended_and_that_is_said_once() {
    let mut play = Play::new(rules());
    play.step(Event::Seen(running(7)));
    play.step(Event::Settings(settings("always")));
    let began = play.now;
    while play.now - began < 3600 * S {
        assert_eq!(play.probe(unhealthy()), None);
    }
    assert_eq!((play.state.failures(), play.state.is_armed(play.now)), (0, false));
    assert_eq!(play.has(|note| matches!(note, Note::NeverHealthy { grace, .. } if *grace == 10 * S)), 1);
    assert!(
        play.status().contains("(active, pid 7): never healthy so far, and so left alone: http://127.0.0.1/"),
        "{}",
        play.status()
    );
    // Once it is, it counts as any other.
    assert_eq!(play.probe(healthy()), None);
    assert!(play.state.is_armed(play.now));
    assert_eq!(play.hang(), Some(Task::ReadSettings));
}

#[test]
fn what_comes_back_from_a_hang_and_is_not_healthy_is_not_ended_again() {
    let mut play = Play::signalled(settings("always"));
    play.step(Event::Seen(unit("activating", "auto-restart")));
    play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
    let began = play.now;
    while play.now - began < 600 * S {
        assert_eq!(play.probe(unhealthy()), None, "it recovers, or somebody has changed what it listens on");
    }
    assert_eq!(play.has(|note| matches!(note, Note::NeverHealthy { .. })), 1);
    assert_eq!(play.state.restarts(), 1);
}

#[test]
fn what_was_healthy_before_a_reload_or_maintenance_is_ended_when_it_hangs_afterwards() {
    let mut play = taken_up(rules(), settings("always"));
    play.step(Event::Seen(unit("reloading", "reload")));
    play.step(Event::Seen(running(7)));
    let began = play.now;
    while play.probe(unhealthy()).is_none() {}
    // A grace of 10 s, in which the first probe that counts may begin, and a hang of 3·T + 2·r.
    assert!((12 * S..15 * S).contains(&(play.now - began)), "{:?}", play.now - began);
    let mut play = taken_up(rules(), settings("always"));
    play.maintenance = true;
    assert_eq!(play.due(), None);
    play.maintenance = false;
    assert_eq!(play.due(), None);
    while play.probe(unhealthy()).is_none() {}
}

#[test]
fn which_life_of_the_unit_was_healthy_is_kept_once_for_the_next_guard() {
    let instance = |main_pid| match running(main_pid).standing() {
        Standing::Serving(instance) => instance,
        other => panic!("{other:?}"),
    };
    let mut play = taken_up(rules(), settings("always"));
    assert_eq!(play.healthy.take(), Some(instance(7)));
    play.probe(healthy());
    assert_eq!(play.healthy, None);
    play.step(Event::Seen(running(8)));
    play.probe(healthy());
    assert_eq!(play.healthy.take(), Some(instance(8)));
    let dry = taken_up(Rules { dry_run: true, ..rules() }, settings("always"));
    assert_eq!(dry.healthy, None, "it has options of its own");

    for (before, is_ended) in [(instance(7), true), (instance(8), false)] {
        let name = UnitName::new("nginx").expect("a name");
        let mut play = Play::new(rules());
        play.state =
            GuardState::new(rules(), name, &["http://127.0.0.1/"], (Vec::new(), Some(before)), play.now);
        play.step(Event::Seen(running(7)));
        let began = play.now;
        let mut task = None;
        while task.is_none() && play.now - began < 60 * S {
            task = play.probe(unhealthy());
        }
        assert_eq!(task.is_some(), is_ended, "it hung while there was no guard");
    }
}

#[test]
fn what_nobody_would_start_again_is_said_when_it_is_taken_up_and_not_ended_when_it_hangs() {
    let mut play = taken_up(unit_rule(), settings("no"));
    let outlook = |note: &Note| {
        let expected = Comeback::Nobody(Obstacle::Restart("no".into()));
        matches!(note, Note::Outlook { comeback, .. } if *comeback == expected)
    };
    assert_eq!(play.has(outlook), 1);
    assert!(!play.state.is_armed(play.now));
    let why = "(Restart=no, with --restart unit)";
    play.now += 60 * S;
    play.probe(healthy());
    let expected = format!(
        "guarding nginx.service (active, pid 7): healthy, answered in 10 ms, 0 failures, 0 restarts; in a hang it would be \
         left alone {why}"
    );
    assert_eq!(play.status(), expected);
    assert_eq!(play.hang(), Some(Task::ReadSettings));
    let Some(Task::Report(hang)) = play.step(Event::Read(Ok(settings("no")))) else { panic!("no report") };
    let expected = format!("; it is left alone, since nobody would start it again {why}");
    assert!(hang.reason.ends_with(&expected), "{}", hang.reason);
    assert_eq!(play.step(Event::Reported), None, "no signal");
    assert_eq!(play.has(|note| matches!(note, Note::LeftAlone { .. })), 1);
    assert_eq!((play.state.figure(), &play.ends), (metrics::ServiceState::Hung, &None));
    let expected = format!("hung, and left alone, since nobody would start it again {why}");
    assert!(play.status().contains(&expected), "{}", play.status());
    for _ in 0..100 {
        assert_eq!(play.probe(unhealthy()), None, "reported once");
    }
    assert_eq!(play.has(|note| matches!(note, Note::LeftAlone { .. })), 1);
}

#[test]
fn a_hang_that_is_left_alone_is_acted_upon_as_soon_as_the_unit_would_come_back() {
    let mut play = taken_up(unit_rule(), settings("no"));
    play.hang();
    play.step(Event::Read(Ok(settings("no"))));
    play.step(Event::Reported);
    // systemctl edit.
    play.step(Event::Settings(settings("on-failure")));
    assert_eq!(play.has(|note| matches!(note, Note::Outlook { .. })), 2);
    assert_eq!(play.probe(unhealthy()), Some(Task::ReadSettings));
    assert!(matches!(play.step(Event::Read(Ok(settings("on-failure")))), Some(Task::Report(_))));
    assert_eq!(play.step(Event::Reported), Some(ABORT));
}

#[test]
fn settings_that_were_changed_without_a_word_are_noticed_before_the_signal() {
    let mut play = taken_up(rules(), settings("on-watchdog"));
    play.hang();
    assert_eq!(play.step(Event::Read(Ok(Settings { can_start: false, ..settings("on-watchdog") }))), None);
    assert_eq!(play.has(|note| matches!(note, Note::LeftAlone { .. })), 1);
    assert_eq!(play.has(|note| matches!(note, Note::Hung { .. })), 0);
}

#[test]
fn only_a_change_since_the_unit_was_taken_up_is_somebodys_word_and_it_is_forgotten_with_the_next_start() {
    let state = |file_state: &str| Settings { file_state: file_state.into(), ..settings("on-watchdog") };
    let mut play = taken_up(rules(), state("enabled"));
    play.step(Event::Settings(state("disabled")));
    assert!(play.status().contains("(it was disabled since this guard took it up)"), "{}", play.status());
    play.hang();
    assert_eq!(play.step(Event::Read(Ok(state("disabled")))), None);
    // Somebody starts it, disabled as it is.
    play.step(Event::Seen(Unit { invocation: vec![2], ..running(8) }));
    play.step(Event::Settings(state("disabled")));
    play.probe(healthy());
    assert!(play.state.is_armed(play.now));
    play.hang();
    assert_eq!(play.step(Event::Read(Ok(state("disabled")))), Some(ABORT));
}

#[test]
fn what_a_hang_would_come_to_is_said_once_for_all_starts_of_the_unit() {
    let mut play = taken_up(rules(), settings("always"));
    for main_pid in 8..12 {
        play.step(Event::Seen(running(main_pid)));
        play.step(Event::Settings(settings("always")));
    }
    assert_eq!(play.has(|note| matches!(note, Note::Outlook { .. })), 1);
    // Under maintenance too it is taken up.
    play.maintenance = true;
    play.step(Event::Seen(running(20)));
    play.step(Event::Settings(settings("no")));
    assert_eq!(play.has(|note| matches!(note, Note::Outlook { .. })), 2);
    play.step(Event::Seen(unit("inactive", "dead")));
    play.step(Event::Settings(settings("always")));
    assert_eq!(play.has(|note| matches!(note, Note::Outlook { .. })), 2, "it does not run");
}

#[test]
fn a_unit_that_was_to_come_back_by_systemd_comes_back_whatever_its_process_made_of_the_signal() {
    // systemd restarts what died of SIGABRT; the process has a handler, and exits.
    let (mut play, task) = Play::hung(unit_rule(), settings("on-abort"));
    assert!(matches!(task, Some(Task::Report(_))));
    assert_eq!(play.step(Event::Reported), Some(ABORT));
    play.step(Event::Called(Ok(())));
    let exited = Unit { exit: (1, 3), ..dead() };
    play.step(Event::Seen(exited.clone()));
    assert_eq!(play.due(), Some(Task::Look));
    assert_eq!(play.step(looks(exited, "on-abort")), Some(START));
}

#[test]
fn a_unit_that_can_be_started_after_all_is_when_its_restart_sec_is_over() {
    let slow = Settings { restart_after: 5 * S, ..settings("on-watchdog") };
    let mut play = Play::signalled(slow.clone());
    let Phase::Acting(Act::Signalled(settings)) = &mut play.state.phase else { panic!("not signalled") };
    settings.can_start = false;
    play.step(Event::Seen(dead()));
    let died = play.now;
    assert_eq!(play.due(), Some(Task::Look));
    assert_eq!(play.now, died, "at once, to say that it is not started");
    assert_eq!(play.step(Event::Looked(Ok((dead(), slow.clone())))), None);
    assert_eq!(play.due(), Some(Task::Look));
    assert_eq!(play.now - died, 5 * S);
    assert_eq!(play.step(Event::Looked(Ok((dead(), slow)))), Some(START));
}
