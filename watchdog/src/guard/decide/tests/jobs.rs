//! What somebody else has systemd do about the unit in the middle of a hang.

use super::*;

/// How far we are, and how to come there.
type Way = (&'static str, fn() -> Play);

fn on_watchdog() -> Play {
    Play::signalled(settings("on-watchdog"))
}

fn killed() -> Play {
    let mut play = on_watchdog();
    assert_eq!(play.due(), Some(SIGKILL));
    assert_eq!(play.step(Event::Called(Ok(()))), None);
    play
}

fn died() -> Play {
    let mut play = on_watchdog();
    play.step(Event::Seen(dead()));
    play
}

fn looking() -> Play {
    let mut play = died();
    assert_eq!(play.due(), Some(Task::Look));
    play
}

fn reading() -> Play {
    let mut play = Play::watching(Rules { report: Some(S), ..rules() });
    assert_eq!(play.hang(), Some(Task::ReadSettings));
    play
}

fn reporting() -> Play {
    let mut play = reading();
    assert!(matches!(play.step(Event::Read(Ok(settings("on-watchdog")))), Some(Task::Report(_))));
    play
}

/// Goes on from wherever we were, to the signal and the unit's end, unless what we were at is over.
fn until_it_is_started(play: &mut Play) -> Option<Task> {
    for _ in 0..8 {
        let event = match play.underway.take() {
            Some(Task::ReadSettings) => Event::Read(Ok(settings("on-watchdog"))),
            Some(Task::Report(_)) => Event::Reported,
            Some(Task::Kill { .. }) => Event::Called(Ok(())),
            Some(Task::Look) => looks(dead(), "on-watchdog"),
            None if play.state.unit.standing() != Standing::Dead => Event::Seen(dead()),
            None if play.state.due().is_some() => {
                play.due();
                continue;
            }
            task => return task,
        };
        play.step(event);
    }
    play.underway.take()
}

#[test]
fn only_a_job_that_ends_or_starts_the_unit_ends_what_we_were_at() {
    let before: [Way; 2] = [("reading", reading), ("reporting", reporting)];
    let after: [Way; 2] = [("signalled", on_watchdog), ("killed", killed)];
    let ended: [Way; 2] = [("died", died), ("looking", looking)];
    let going = unit("deactivating", "stop-sigterm");
    let states = [
        (running(7), [&before[..], &after].concat()),
        (reloading(7), [&before[..], &after].concat()),
        (going, after.to_vec()),
        (dead(), [&after[..], &ended].concat()),
    ];
    for (kind, ends) in [
        (Some(JobType::Stop), [true; 4]),
        (Some(JobType::Restart), [true; 4]),
        (Some(JobType::Strange), [true; 4]),
        // Of one that is active, systemd makes nothing.
        (Some(JobType::Start), [false, false, true, true]),
        (Some(JobType::Neither), [false; 4]),
        // It was over at once. It may have been the stop of one that is dead already.
        (None, [false, false, false, true]),
    ] {
        for ((unit, acts), is_over) in states.iter().zip(ends) {
            for (act, play) in acts {
                let (mut play, what) = (play(), format!("{act}, {kind:?} of {}", unit.describe()));
                assert!(!matches!(play.step(Event::Seen(with_job(kind, unit.clone()))), Some(START)));
                assert_eq!(play.has(|note| *note == Note::GaveWay), usize::from(is_over), "{what}");
                let task = until_it_is_started(&mut play);
                assert_eq!(task, (!is_over).then_some(START), "{what}");
            }
        }
    }
}

#[test]
fn a_job_that_is_found_when_the_unit_is_to_be_started_counts_as_well() {
    for (kind, expected) in [
        (Some(JobType::Stop), None),
        (Some(JobType::Start), None),
        (Some(JobType::Neither), Some(START)),
        (None, None),
    ] {
        let mut play = looking();
        assert_eq!(play.step(looks(with_job(kind, dead()), "on-watchdog")), expected, "{kind:?}");
        assert_eq!(play.has(|note| *note == Note::GaveWay), usize::from(expected.is_none()), "{kind:?}");
    }
}

#[test]
fn a_reload_after_the_signal_neither_saves_the_unit_nor_leaves_it_dead() {
    let reload = |unit| Event::Seen(with_job(Some(JobType::Neither), unit));
    for pause in [
        &[reload(running(7)), reload(reloading(7))][..],
        // By `ExecReload=`, which outlives the main process.
        &[reload(reloading(7)), reload(reloading(0))],
        &[reload(reloading(7)), Event::Seen(running(7))],
        // Without a job (`RELOADING=1`).
        &[Event::Seen(reloading(7))],
    ] {
        for survives in [true, false] {
            let mut play = on_watchdog();
            let sent = play.now;
            for event in pause {
                assert_eq!(play.step(event.clone()), None);
            }
            if survives {
                assert_eq!(play.due(), Some(SIGKILL), "{pause:?}");
                assert_eq!(play.now - sent, 2 * S, "and not later");
            }
            // The job has failed by that, but systemd's news come one after the other.
            assert_eq!(play.step(reload(dead())), None);
            assert_eq!(play.step(Event::Seen(dead())), None);
            assert_eq!(until_it_is_started(&mut play), Some(START), "{pause:?}");
            assert_eq!(play.has(|note| *note == Note::GaveWay), 0);
        }
    }
}

#[test]
fn another_main_process_after_a_reload_is_not_the_one_that_was_signalled() {
    let mut play = on_watchdog();
    play.step(Event::Seen(reloading(8)));
    assert_eq!(play.state.due(), None);
    play.step(Event::Seen(running(8)));
    assert_eq!(play.probe(healthy()), None);
}

#[test]
fn a_reload_during_the_hang_report_does_not_put_the_signal_off() {
    for units in [&[reloading(7)][..], &[reloading(7), running(7)]] {
        let mut play = reporting();
        for unit in units {
            play.step(Event::Seen(unit.clone()));
        }
        assert_eq!(play.step(Event::Reported), Some(ABORT), "{units:?}");
    }
}

#[test]
fn what_is_not_ended_after_all_is_not_probed_before_its_reload_is_over() {
    let reported = |rules: Rules| {
        let mut play = Play::watching(Rules { report: Some(S), ..rules });
        play.hang();
        play.step(Event::Read(Ok(settings("no"))));
        play.step(Event::Seen(reloading(7)));
        play.step(Event::Reported);
        play
    };
    let mut refused = reported(rules());
    refused.step(refusal("no"));
    let mut unread = reading();
    unread.step(Event::Seen(reloading(7)));
    unread.step(Event::Read(Err("no reply".into())));
    for (what, mut play) in [
        ("a dry run", reported(Rules { dry_run: true, ..rules() })),
        ("left alone", reported(Rules { restart: RestartRule::Unit, ..rules() })),
        ("refused", refused),
        ("not read", unread),
    ] {
        assert_eq!(play.state.due(), None, "{what}");
        play.step(Event::Seen(running(7)));
        assert_eq!(play.due(), Some(PROBE), "{what}");
    }
}

#[test]
fn what_is_to_be_stopped_and_waits_for_that_is_not_ended() {
    for (kind, is_ended) in [
        (Some(JobType::Stop), false),
        (Some(JobType::Restart), false),
        (Some(JobType::Start), true),
        (Some(JobType::Neither), true),
        (None, true),
    ] {
        let mut play = Play::watching(rules());
        play.step(Event::Seen(with_job(kind, running(7))));
        assert_eq!(play.hang().is_some(), is_ended, "{kind:?}");
        if !is_ended {
            assert_eq!(play.probe(unhealthy()), None);
            play.step(Event::Seen(running(7)));
            assert_eq!(play.probe(unhealthy()), Some(Task::ReadSettings), "it was cancelled");
        }
    }
}

#[test]
fn what_is_stopped_after_the_signal_does_not_count_as_one_that_does_not_come_back() {
    for (kind, is_said) in [(JobType::Stop, false), (JobType::Restart, true)] {
        let mut play = on_watchdog();
        for unit in [unit("deactivating", "stop-sigterm"), dead()] {
            play.step(Event::Seen(with_job(Some(kind), unit)));
        }
        play.step(Event::Seen(dead()));
        let said = play.has(|note| matches!(note, Note::StaysDown { .. }));
        assert_eq!(said, usize::from(is_said), "{kind:?}");
    }
}

#[test]
fn a_stop_before_the_signal_is_respected() {
    let mut play = reading();
    play.step(Event::Seen(with_job(Some(JobType::Stop), unit("deactivating", "stop-sigterm"))));
    assert_eq!(play.step(Event::Read(Ok(settings("always")))), None);
    assert_eq!(play.state.due(), None);
}
