//! Which unhealthy probes do not count, and what a starved unit is given.

use super::*;

fn cannot_be_made() -> Event {
    probed(Outcome::Unhealthy(Reason::new(Cause::System, "Too many open files")))
}

/// Two of three probes were unhealthy: the third ends 3.2 s after the start of the last healthy one, of W = 10 s.
fn nearly_hung(rules: Rules) -> Play {
    let mut play = Play::watching(rules);
    play.probe(unhealthy());
    play.probe(unhealthy());
    play
}

#[test]
fn a_probe_that_we_came_late_to_does_not_count_and_is_repeated_at_once() {
    let mut play = nearly_hung(rules());
    assert_eq!(play.probe(late(250)), None);
    assert_eq!((play.state.failures(), play.due_in()), (2, Duration::ZERO));
    assert_eq!(play.has(|note| *note == Note::Discounted { late: 250 * MS }), 1);
    assert_eq!(play.probe(late(249)), Some(Task::ReadSettings), "a quarter of the deadline is late");
}

#[test]
fn who_always_comes_late_counts_what_it_sees_after_n_in_a_row() {
    let mut play = Play::watching(rules());
    for failures in [0, 0, 0, 1, 2] {
        assert_eq!(play.probe(late(400)), None);
        assert_eq!(play.state.failures(), failures);
    }
    assert_eq!(play.probe(late(400)), Some(Task::ReadSettings));
    for interruption in [unhealthy(), healthy()] {
        let mut play = Play::watching(rules());
        for event in [late(400), late(400), late(400), interruption, late(400), late(400), late(400)] {
            play.probe(event);
        }
        assert_eq!(play.has(|note| matches!(note, Note::Discounted { .. })), 6, "a row of its own");
    }
}

#[test]
fn a_probe_that_cannot_be_made_says_nothing_of_the_unit_and_is_said_once() {
    let mut play = nearly_hung(rules());
    for _ in 0..10 {
        assert_eq!(play.probe(cannot_be_made()), None);
        assert_eq!((play.state.failures(), play.due_in()), (2, 100 * MS));
    }
    let noted = |play: &Play| play.has(|note| matches!(note, Note::CannotProbe { .. }));
    assert_eq!(noted(&play), 1);
    assert!(
        play.status().contains("(active, pid 7): cannot probe: Too many open files, "),
        "{}",
        play.status()
    );
    play.probe(healthy());
    assert!(play.status().contains(": healthy, answered in 10 ms"), "{}", play.status());
    play.probe(cannot_be_made());
    assert_eq!(noted(&play), 2, "again, after it could be made");
}

#[test]
fn a_question_to_a_starved_unit_stands_and_counts_for_the_whole_row() {
    let mut play = Play::watching(Rules { report: Some(500 * MS), ..rules() });
    assert_eq!(play.due(), Some(probe(3)));
    play.now += 14 * S;
    assert_eq!(play.step(Event::Turn), None);
    assert_eq!(play.has(|note| *note == Note::Stuck), 0, "it may take that long");
    play.now += S;
    assert_eq!(play.step(starved(80)), Some(Task::ReadSettings), "it was able to run for 3 s");
    play.step(Event::Read(Ok(settings("always"))));
    let pressure = Pressure { resource: "CPU", percent: 80 };
    assert_eq!(play.has(|note| *note == Note::Slowed { pressure }), 1);
    assert_eq!(play.has(|note| matches!(note, Note::Hung { reason } if reason.starts_with("3 probes"))), 1);
}

#[test]
fn each_failure_leaves_less_for_the_question_that_follows() {
    let mut play = Play::watching(rules());
    for left in [3, 2, 1] {
        assert_eq!(play.due(), Some(probe(left)));
        play.now += S;
        play.step(unhealthy());
    }
}

#[test]
fn a_starved_unit_that_answers_after_all_is_left_alone_and_in_peace_for_a_while() {
    let mut play = nearly_hung(rules());
    assert_eq!(play.due(), Some(probe(1)));
    play.now += 5 * S;
    let pressure = Some(Pressure { resource: "CPU", percent: 90 });
    let zero = Duration::ZERO;
    let ended = Ended { outcome: Outcome::Healthy, late: zero, able: zero, row: zero, pressure };
    assert_eq!(play.step(self::ended(ended)), None);
    assert!(play.status().contains(": healthy, answered in 5 s"), "{}", play.status());
    assert_eq!(play.has(|note| *note == Note::Recovered { failures: 2 }), 1);
    assert_eq!(play.due_in(), 15 * S);
}

#[test]
fn the_status_says_when_a_healthy_unit_begins_or_ends_to_wait() {
    let mut play = Play::watching(rules());
    for pressure in [None, Some(Pressure { resource: "CPU", percent: 90 }), None] {
        play.due();
        let zero = Duration::ZERO;
        play.step(ended(Ended { outcome: Outcome::Healthy, late: zero, able: zero, row: zero, pressure }));
        let expected = pressure.map(|_| ", waiting for CPU 90 % of the time, ");
        assert_eq!(expected.is_some(), play.status().contains(", waiting for "), "{}", play.status());
        assert!(play.status().contains(expected.unwrap_or_default()), "{}", play.status());
    }
}

#[test]
fn while_a_starved_unit_is_waited_for_the_status_says_so_and_the_log_once() {
    let mut play = Play::watching(rules());
    play.due();
    let pressure = Pressure { resource: "CPU", percent: 90 };
    for (at, expected) in [(2, "2 s"), (3, "3 s")] {
        play.now += if at == 2 { 2 * S } else { S };
        play.step(Event::Slow { set: 0, able: S / 4, pressure });
        let expected = format!(
            ": slow: no answer for {expected}, of which it could run for 250 ms, waiting for CPU 90 % of the time, "
        );
        assert!(play.status().contains(&expected), "{}", play.status());
    }
    let zero = Duration::ZERO;
    let ended =
        Ended { outcome: Outcome::Healthy, late: zero, able: S / 4, row: zero, pressure: Some(pressure) };
    play.step(self::ended(ended));
    assert!(play.status().contains(": healthy, answered in 3 s, waiting for CPU"), "{}", play.status());
    assert_eq!(play.has(|note| *note == Note::Slowed { pressure }), 1);
}

#[test]
fn under_maintenance_a_starved_unit_is_left_alone_too() {
    let mut play = nearly_hung(rules());
    assert_eq!(play.due(), Some(probe(1)));
    play.maintenance = true;
    play.now += 10 * S;
    assert_eq!(play.step(starved(50)), None);
    assert!(play.status().contains("left alone: maintenance"), "{}", play.status());
}
