use super::*;
use crate::model::ask::{Answer, Ask};
use crate::model::bound::tests::settings;
use crate::model::event::Exit;
use crate::model::expect::Deed;
use crate::model::settings::{OnHang, Type};

/// An ask every 10 ms from then to then, in milliseconds, each with its answer after so many.
fn asked(asks: &[(u64, u64, u64, bool)]) -> Witness {
    let mut witness = Witness::default();
    for &(from, to, took, is_good) in asks {
        for asked in (from..to).step_by(10) {
            let answer = if is_good { Answer::Good } else { Answer::Bad("no".into()) };
            witness.add(Ask { asked: ms(asked), known: ms(asked + took), answer });
        }
    }
    witness
}

fn ms(ms: u64) -> Usec {
    Usec(ms * 1000)
}

struct Row<'a> {
    what: &'a str,
    before: Unit,
    was_hung: bool,
    events: Vec<(u64, Kind)>,
    asks: &'a [(u64, u64, u64, bool)],
    is_given_up: bool,
    settings: Settings,
    expected: &'a [(u64, Word)],
}

fn row<'a>(what: &'a str, expected: &'a [(u64, Word)]) -> Row<'a> {
    Row {
        what,
        before: Unit::Active,
        was_hung: false,
        events: Vec::new(),
        asks: &[],
        is_given_up: false,
        settings: settings(OnHang::Trigger),
        expected,
    }
}

fn killed() -> Kind {
    Kind::Killed { pid: None, signal: Some("SIGABRT".into()) }
}

fn aborted() -> Kind {
    Kind::Exited(Exit::Signal("SIGABRT".into()))
}

/// A hang from 500 ms on, as clients saw it.
const HANG: &[(u64, u64, u64, bool)] =
    &[(0, 500, 1, true), (500, 2000, 300, false), (2000, 2200, 1, false), (2250, 2500, 1, true)];

/// What systemd said of it.
fn recovery() -> Vec<(u64, Kind)> {
    let fault = Kind::Injected { fault: "mute".into(), within_usec: None, deed: Deed::Hangs };
    vec![
        (500, fault),
        (2000, Kind::WatchdogTrigger { status: None }),
        (2001, killed()),
        (2050, aborted()),
        (2051, Kind::Failed { result: "watchdog".into() }),
        (2052, Kind::RestartScheduled { restarts: 1 }),
        (2100, Kind::Starting),
        (2240, Kind::Ready),
    ]
}

#[test]
fn the_state_follows_from_what_systemd_said_and_what_clients_saw() {
    use Word::{Failed, Healthy, Hung, Killed, Restarting, Starting, Stopped, Unknown};
    let never = || Settings { restart: Restart::No, ..settings(OnHang::Trigger) };
    let rows = [
        row("nothing is known, but that it was active", &[(0, Healthy)]),
        Row { before: Unit::Unknown, ..row("nothing is known", &[(0, Unknown)]) },
        Row {
            before: Unit::Unknown,
            asks: &[(0, 100, 1, true)],
            ..row("clients are served, whatever systemd says", &[(0, Healthy)])
        },
        Row {
            before: Unit::Unknown,
            asks: &[(0, 100, 1, false)],
            ..row("nobody is served, and nobody knows whether it runs", &[(0, Unknown)])
        },
        Row {
            asks: &[(0, 100, 1, true), (100, 110, 1, false), (110, 200, 1, true)],
            ..row("one ask that is lost is no hang", &[(0, Healthy)])
        },
        Row {
            asks: &[(0, 500, 1, true), (500, 900, 300, false)],
            ..row("a hang that nobody notices", &[(0, Healthy), (500, Hung)])
        },
        Row {
            asks: &[(0, 500, 1, true), (500, 900, 300, false), (900, 1000, 5, true)],
            ..row("a hang that is over", &[(0, Healthy), (500, Hung), (905, Healthy)])
        },
        Row {
            asks: HANG,
            events: recovery(),
            ..row(
                "a hang and its recovery",
                &[
                    (0, Healthy),
                    (500, Hung),
                    (2000, Killed),
                    (2050, Restarting),
                    (2100, Starting),
                    (2240, Healthy),
                ],
            )
        },
        Row {
            asks: &[(0, 500, 1, true), (500, 560, 1, false), (560, 900, 1, true)],
            events: vec![(499, aborted()), (510, Kind::Starting), (555, Kind::Ready)],
            ..row("a crash is no hang", &[(0, Healthy), (499, Restarting), (510, Starting), (555, Healthy)])
        },
        Row {
            events: vec![(10, aborted()), (11, killed()), (12, Kind::Failed { result: "signal".into() })],
            ..row("what is left is killed when it is gone already", &[(0, Healthy), (10, Restarting)])
        },
        Row {
            events: vec![(10, Kind::WatchdogTimeout), (20, aborted())],
            is_given_up: true,
            ..row("it is given up", &[(0, Healthy), (10, Killed), (20, Failed)])
        },
        Row {
            events: vec![(10, aborted()), (12, Kind::Failed { result: "signal".into() })],
            settings: never(),
            ..row("nothing starts it again", &[(0, Healthy), (10, Failed)])
        },
        Row {
            events: vec![
                (10, aborted()),
                (30, Kind::StartLimitHit),
                (31, Kind::Failed { result: "x".into() }),
            ],
            ..row("it was started too often", &[(0, Healthy), (10, Restarting), (30, Failed)])
        },
        Row {
            events: vec![(10, Kind::Stopping), (20, Kind::Deactivated)],
            is_given_up: true,
            ..row("it is stopped", &[(0, Healthy), (10, Killed), (20, Stopped)])
        },
    ];
    holds(rows);
}

#[test]
fn a_hang_that_began_before_lasts_until_clients_are_served_or_systemd_does_something() {
    use Word::{Healthy, Hung, Killed, Restarting, Starting};
    let hung = |what, expected| Row { was_hung: true, ..row(what, expected) };
    let restart = || {
        let kinds = [Kind::Stopping, Kind::Deactivated, Kind::Starting, Kind::Ready];
        [10, 20, 21, 30].into_iter().zip(kinds).collect::<Vec<_>>()
    };
    let rows = [
        hung("nobody has asked yet", &[(0, Hung)]),
        Row { asks: &[(0, 500, 300, false)], ..hung("it goes on", &[(0, Hung)]) },
        Row {
            asks: &[(0, 500, 300, false), (500, 600, 1, true)],
            ..hung("it is healed", &[(0, Hung), (501, Healthy)])
        },
        Row { asks: &[(0, 500, 1, true)], ..hung("it was over by then", &[(0, Healthy)]) },
        Row {
            asks: &[(0, 10, 1, false), (40, 100, 1, true)],
            events: restart(),
            ..hung(
                "it is started anew",
                &[(0, Hung), (10, Killed), (20, Restarting), (21, Starting), (30, Healthy)],
            )
        },
        Row { before: Unit::Down, ..hung("systemd has ended it since", &[(0, Restarting)]) },
    ];
    holds(rows);
}

#[test]
fn a_service_that_does_not_tell_when_it_is_ready_may_warm_up() {
    use Word::{Healthy, Hung, Restarting, Starting};
    let simple = || Settings { kind: Type::Simple, ..settings(OnHang::Trigger) };
    let rows = [
        Row {
            before: Unit::Down,
            events: vec![(10, Kind::Ready)],
            asks: &[(20, 200, 1, false), (200, 300, 1, true)],
            settings: simple(),
            ..row("it warms up", &[(0, Restarting), (10, Starting), (201, Healthy)])
        },
        Row {
            before: Unit::Down,
            events: vec![(10, Kind::Ready)],
            asks: &[(20, 6000, 1, false)],
            settings: simple(),
            ..row("it never serves", &[(0, Restarting), (10, Starting), (20, Hung)])
        },
        Row {
            before: Unit::Down,
            events: vec![(10, Kind::Ready)],
            asks: &[(20, 200, 1, false)],
            ..row("what says that it is ready is to serve", &[(0, Restarting), (10, Healthy), (20, Hung)])
        },
    ];
    holds(rows);
}

/// Holds each row's states against what is expected.
fn holds<'a>(rows: impl IntoIterator<Item = Row<'a>>) {
    for Row { what, before, was_hung, events, asks, is_given_up, settings, expected } in rows {
        let events = events.into_iter().map(|(at, kind)| Event { at: ms(at), kind }).collect::<Vec<_>>();
        let known = Known {
            before,
            was_hung,
            began: Usec(0),
            events: &events,
            witness: &asked(asks),
            settings: Some(&settings),
            is_given_up,
        };
        let expected = expected.iter().map(|(at, word)| (ms(*at), *word)).collect::<Vec<_>>();
        assert_eq!(track(&known), expected, "{what}");
    }
}

#[test]
fn every_state_has_a_sentence_of_its_own() {
    let words = [
        Word::Healthy,
        Word::Hung,
        Word::Killed,
        Word::Restarting,
        Word::Starting,
        Word::Failed,
        Word::Stopped,
        Word::Unknown,
    ];
    let sentences = words.map(|word| says(word, None, false));
    for (place, sentence) in sentences.iter().enumerate() {
        assert!(sentence.ends_with('.') && !sentences[..place].contains(sentence), "{sentence}");
    }
    assert_ne!(says(Word::Hung, None, true), says(Word::Hung, None, false));
}
