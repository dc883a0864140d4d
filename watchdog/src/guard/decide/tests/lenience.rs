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
fn a_starved_unit_gets_one_more_probe_with_what_w_leaves_and_the_status_says_so() {
    let mut play = nearly_hung(Rules { report: Some(500 * MS), ..rules() });
    // P + 3·T + 2·r = 4.2 s after the last healthy one was started; 100 ms and the report stay.
    let timeout = 5200 * MS;
    assert_eq!(play.probe(starved(62)), Some(Task::Probe { timeout }));
    let pressure = Pressure { resource: "CPU", percent: 62 };
    assert_eq!(play.has(|note| *note == Note::Widened { pressure, timeout }), 1);
    let text = "(active, pid 7): 3 probes in a row unhealthy: http://127.0.0.1/: no answer in 1 s; \
        but 62 % of the time it waited for CPU, so one more gets 5.2 s, 3 failures";
    assert!(play.status().contains(text), "{}", play.status());
    play.now += 5199 * MS;
    assert_eq!(play.step(Event::Turn), None);
    assert_eq!(play.has(|note| *note == Note::Stuck), 0, "it may take that long");
    play.now += MS;
    assert_eq!(play.step(starved(62)), Some(Task::ReadSettings), "only once in a row");
    assert_eq!(play.has(|note| matches!(note, Note::Hung { reason } if reason.starts_with("4 probes"))), 1);
}

#[test]
fn that_a_unit_is_starved_is_said_at_once() {
    let timing = Timing { timeout: 100 * MS, ..rules().timing };
    let mut play = Play::new(Rules { timing, ..rules() });
    play.step(Event::Seen(running(7)));
    for event in [healthy(), unhealthy(), unhealthy(), starved(62)] {
        play.due();
        play.now += 100 * MS;
        play.step(event);
    }
    assert!(play.status().contains("62 % of the time it waited for CPU"), "{}", play.status());
}

#[test]
fn a_starved_unit_that_answers_after_all_is_left_alone() {
    let mut play = nearly_hung(rules());
    play.probe(starved(100));
    play.now += 5 * S;
    assert_eq!(play.step(healthy()), None);
    assert!(play.status().contains(": healthy, answered in 5 s"), "{}", play.status());
    assert_eq!(play.has(|note| *note == Note::Recovered { failures: 3 }), 1);
    // That probe was started 5 s ago, so another row is given what is left of W: 10 s − 5 s − 3·T − 2·r − 100 ms.
    play.probe(starved(100));
    play.probe(starved(100));
    assert_eq!(play.probe(starved(100)), Some(Task::Probe { timeout: 1700 * MS }));
}

#[test]
fn pressure_below_the_limit_or_unknown_or_switched_off_widens_nothing() {
    for (limit, event) in [(Some(40), starved(39)), (Some(40), unhealthy()), (None, starved(100))] {
        let mut play = nearly_hung(Rules { pressure_limit: limit, ..rules() });
        assert_eq!(play.probe(event), Some(Task::ReadSettings));
    }
}

#[test]
fn a_deadline_is_widened_only_if_w_leaves_more_than_the_others_had() {
    for (report, widened) in [(4700 * MS, false), (4699 * MS, true)] {
        let mut play = nearly_hung(Rules { report: Some(report), ..rules() });
        let task = play.probe(starved(100));
        assert_eq!(matches!(task, Some(Task::Probe { .. })), widened, "{task:?}");
    }
}

#[test]
fn a_unit_that_never_answered_is_given_w_from_the_end_of_its_grace() {
    let mut play = Play::new(rules());
    play.step(Event::Seen(running(7)));
    while play.state.failures() < 2 {
        assert_eq!(play.probe(unhealthy()), None);
    }
    // 3·T + 2·r after the first probe that counts was started.
    assert_eq!(play.probe(starved(100)), Some(Task::Probe { timeout: 6700 * MS }));
}

#[test]
fn under_maintenance_no_deadline_is_widened() {
    let mut play = nearly_hung(rules());
    assert_eq!(play.due(), Some(PROBE));
    play.maintenance = true;
    assert_eq!(play.step(starved(100)), None);
    assert!(play.status().contains("left alone: maintenance"), "{}", play.status());
}
