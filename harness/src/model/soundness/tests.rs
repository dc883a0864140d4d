//! Tables: how late clients were, and what is left of a finding.

use super::*;
use crate::model::ask::{Answer, Ask, TICK};
use crate::model::clock::Usec;

fn at(ms: u64) -> Usec {
    Usec(1_000_000 + ms * 1000)
}

fn span(from: u64, to: u64) -> Span {
    Span { from: at(from), to: at(to) }
}

/// Clients that ask every 10 ms for `ms`, but for the times in which they do not come to it.
fn witness(ms: u64, late: &[(u64, u64)]) -> Witness {
    let mut witness = Witness::default();
    let times = (0..=ms).step_by(10).filter(|time| !late.iter().any(|(from, to)| from < time && time < to));
    for time in times {
        witness.add(Ask { asked: at(time), known: at(time) + TICK / 10, answer: Answer::Good });
    }
    witness
}

fn late(over: u64, span: Span) -> Finding {
    Finding::late("too late".into(), Duration::from_millis(over), span.from, span.to)
}

/// Whether it holds, else whether it does not, and how many reasons there are.
fn weighed(findings: Vec<Finding>, witness: &Witness) -> (bool, usize) {
    match weigh(findings, span(0, 2000), witness) {
        Weighed::Sound(reasons) => (true, reasons.len()),
        Weighed::Unsound(reasons) => (false, reasons.len()),
    }
}

#[test]
fn what_was_late_by_no_more_than_clients_were_meanwhile_proves_nothing() {
    // They were to ask at 310 and did at 700, and at 1310, but at 1400: late by 390 ms and by 90.
    let busy = witness(2000, &[(300, 700), (1300, 1400)]);
    for (over, during, holds) in [
        (390, span(0, 1000), false),
        (391, span(0, 1000), true),
        (391, span(0, 2000), false),
        (481, span(0, 2000), true),
        // What was before or after excuses nothing.
        (1, span(701, 1300), true),
        (50, span(650, 1200), false),
        (51, span(650, 1200), true),
    ] {
        let (is_sound, reasons) = weighed(vec![late(over, during)], &busy);
        assert_eq!((is_sound, reasons), (holds, if holds { 1 } else { 2 }), "{over} ms in {during:?}");
    }
}

#[test]
fn on_a_computer_with_time_to_spare_every_finding_holds() {
    let idle = witness(2000, &[]);
    assert_eq!(weighed(vec![late(0, span(0, 2000))], &idle), (true, 1));
    let mut grains = Witness::default();
    for number in 0..130 {
        let asked = at(number * 15);
        grains.add(Ask { asked, known: asked + TICK / 10, answer: Answer::Good });
    }
    assert_eq!(weighed(vec![late(0, span(0, 2000))], &grains), (true, 1), "5 ms is no lateness");
    assert_eq!(weighed(vec![], &idle), (true, 0));
}

#[test]
fn what_did_not_happen_might_have_where_clients_did_not_come_to_anything_for_half_the_time() {
    let busy = witness(2000, &[(0, 400), (410, 700), (710, 1000)]);
    let never = |to| Finding::never("it did not".into(), at(0), at(to));
    assert_eq!(weighed(vec![never(1000)], &busy), (false, 2));
    assert_eq!(weighed(vec![never(2000)], &busy), (true, 1));
}

#[test]
fn what_holds_on_any_computer_is_not_made_doubtful_by_what_does_not() {
    let busy = witness(2000, &[(300, 700)]);
    let fact = || Finding::from("a fact".to_owned());
    assert_eq!(weighed(vec![fact()], &busy), (true, 1));
    let both = weigh(vec![late(10, span(0, 1000)), fact()], span(0, 2000), &busy);
    assert_eq!(both, Weighed::Sound(vec!["a fact".into()]));
    assert_eq!(weighed(vec![Finding::deaf("nobody asked".into())], &Witness::default()), (false, 1));
}

#[test]
fn a_client_that_was_late_for_long_at_once_has_proved_nothing_whatever_was_found() {
    let fact = || vec![Finding::from("a fact".to_owned())];
    assert_eq!(weighed(vec![], &witness(2000, &[(300, 810)])), (true, 0), "500 ms");
    for findings in [vec![], fact()] {
        let Weighed::Unsound(reasons) = weigh(findings, span(0, 2000), &witness(2000, &[(300, 820)])) else {
            panic!("510 ms")
        };
        let expected = "the instrument was late: no client asked for 510 ms from 310 ms on, which is to ask every 10 ms; \
            a computer as busy as this one measures nothing";
        assert_eq!(reasons, [expected]);
    }
    // Before the trial, or where clients ask seldom, it is nothing.
    assert_eq!(weigh(vec![], span(900, 2000), &witness(2000, &[(300, 900)])), Weighed::Sound(vec![]));
    let mut seldom = Witness::every(Duration::from_secs(2));
    for ms in [0, 3990] {
        seldom.add(Ask { asked: at(ms), known: at(ms), answer: Answer::Good });
    }
    assert_eq!(weigh(vec![], span(0, 4000), &seldom), Weighed::Sound(vec![]));
}

#[test]
fn the_figures_are_told_with_what_they_excuse() {
    let busy = witness(2000, &[(300, 700)]);
    let Weighed::Unsound(reasons) = weigh(vec![late(10, span(0, 1000))], span(0, 2000), &busy) else {
        panic!("10 ms of 390")
    };
    let expected =
        "the instrument was late: its client, which needs next to no CPU, waited for one 390 ms of 1 s";
    assert_eq!(reasons, [expected, "too late"]);
}

#[test]
fn what_was_late_by_no_more_than_the_machine_stood_still_proves_nothing() {
    // Looked at every 100 ms: it stood still for half of 0 to 400, and for nothing after.
    let mut stalled = witness(2000, &[]);
    for from in (0..400).step_by(100) {
        stalled.add_stall(span(from, from + 100), Duration::from_millis(50));
    }
    for (over, during, holds) in [
        (200, span(0, 1000), false),
        (201, span(0, 1000), true),
        // Of a look that is within by a quarter, as much.
        (62, span(0, 125), false),
        (63, span(0, 125), true),
        (12, span(375, 1000), false),
        (13, span(375, 1000), true),
        (1, span(400, 1000), true),
    ] {
        let (is_sound, reasons) = weighed(vec![late(over, during)], &stalled);
        assert_eq!((is_sound, reasons), (holds, if holds { 1 } else { 2 }), "{over} ms in {during:?}");
    }
    let Weighed::Unsound(reasons) = weigh(vec![late(10, span(0, 1000))], span(0, 2000), &stalled) else {
        panic!("10 ms of 200")
    };
    assert_eq!(
        reasons,
        ["the computer was busy: of 1 s the machine waited 200 ms for a CPU that others had", "too late"]
    );
    // Nobody stands still for longer than there was time.
    stalled.add_stall(span(1000, 1100), Duration::from_secs(9));
    assert_eq!(weighed(vec![late(101, span(900, 2000))], &stalled), (true, 1));
}

#[test]
fn of_an_old_recording_that_kept_only_edges_nothing_is_known_to_be_late() {
    let mut edges = Witness::default();
    let (first, last) = ((at(0), at(1)), (at(1990), at(1991)));
    edges.push(&crate::model::ask::Streak {
        answer: Answer::Good,
        count: 200,
        first_usec: first,
        last_usec: last,
    });
    assert_eq!(weighed(vec![late(1, span(0, 2000))], &edges), (true, 1));
}
