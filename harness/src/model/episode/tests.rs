use std::time::Duration;

use super::*;
use crate::model::ask::{Answer, Ask};
use crate::model::bound::tests::settings;
use crate::model::event::Exit;
use crate::model::expect::Deed;
use crate::model::sequence::After;
use crate::model::settings::OnHang;

fn at(ms: u64) -> Usec {
    Usec(10_000_000 + ms * 1000)
}

/// Two faults, the second of which waits for this.
fn plan(after: After, expect_of_second: Option<&str>) -> Plan {
    let read = |text: &str| serde_json::from_str(text).expect("an expectation");
    let step =
        Step { fault: "sigstop".into(), after, heal_after_usec: None, expect: expect_of_second.map(read) };
    Plan {
        scenario: "any".into(),
        description: String::new(),
        unit: "x.service".into(),
        trial: 1,
        seed: 1,
        fault: Some("mute".into()),
        heal_after_usec: None,
        then: vec![step],
        expect: read(r#"{"outcome":"restarted","by":"watchdog","recovery_within":"2s"}"#),
        observed: None,
        ask_interval_usec: None,
    }
}

fn injected(ms: u64, fault: &str) -> Event {
    Event { at: at(ms), kind: Kind::Injected { fault: fault.into(), within_usec: None, deed: Deed::Hangs } }
}

/// From the trigger at `ms` on; with `ready`, to READY 200 ms later.
fn recovery(ms: u64, ready: bool) -> Vec<Event> {
    let kinds = [
        (0, Kind::WatchdogTrigger { status: None }),
        (10, Kind::Exited(Exit::Signal("SIGABRT".into()))),
        (100, Kind::RestartScheduled { restarts: 1 }),
        (110, Kind::Starting),
        (200, Kind::Ready),
    ];
    let kinds = kinds.into_iter().take(if ready { 5 } else { 2 });
    kinds.map(|(later, kind)| Event { at: at(ms + later), kind }).collect()
}

/// Asked every 10 ms until `end`, answered well but in these spans.
fn witness(end: u64, down: &[(u64, u64)]) -> Witness {
    let mut witness = Witness::default();
    for ms in (0..end).step_by(10) {
        let is_down = down.iter().any(|(from, to)| (*from..*to).contains(&ms));
        let answer = if is_down { Answer::Bad("no answer".into()) } else { Answer::Good };
        witness.add(Ask { asked: at(ms), known: at(ms + 1), answer });
    }
    witness
}

fn judged(plan: &Plan, end: u64, events: &[Event], witness: &Witness) -> (Vec<Episode>, Verdict) {
    let episodes = divide(plan, at(0), at(end), events, witness);
    let verdict = judge_all(plan, &episodes, &settings(OnHang::Trigger));
    (episodes, verdict)
}

#[test]
fn each_fault_has_an_episode_with_phases_of_its_own() {
    let mut events = vec![injected(100, "mute")];
    events.extend(recovery(500, true));
    events.push(injected(1000, "sigstop"));
    events.extend(recovery(1300, true));
    let seen = witness(2000, &[(100, 710), (1000, 1510)]);
    let (episodes, verdict) = judged(&plan(After::Recovered, None), 2000, &events, &seen);
    assert!(verdict.is_pass(), "{verdict:?}");
    let lengths = episodes.iter().map(|episode| {
        let phases = &episode.timeline.phases;
        let ms = |span: crate::model::phase::Span| span.length().as_millis();
        (episode.fault.as_deref(), phases.detect.map(ms), phases.recovery.map(ms), phases.outage.map(ms))
    });
    let expected =
        [(Some("mute"), Some(400), Some(600), Some(621)), (Some("sigstop"), Some(300), Some(500), Some(521))];
    assert_eq!(lengths.collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_wrong_with_one_episode_is_said_of_it() {
    let mut events = vec![injected(100, "mute")];
    events.extend(recovery(500, true));
    events.push(injected(1000, "sigstop"));
    events.extend(recovery(3300, true));
    let seen = witness(4000, &[(100, 710), (1000, 3510)]);
    let (_, verdict) = judged(&plan(After::Recovered, None), 4000, &events, &seen);
    let [reason, ..] = verdict.reasons() else { panic!("{verdict:?}") };
    assert!(reason.starts_with("fault 2, sigstop: the recovery took 2.5"), "{reason}");
    // What the first has broken is not laid to the second's charge, nor the other way round.
    assert!(verdict.reasons().iter().all(|reason| reason.starts_with("fault 2, sigstop: ")), "{verdict:?}");
}

#[test]
fn an_episode_that_is_overtaken_is_judged_only_by_what_is_expected_of_its_own() {
    let mut events = vec![injected(100, "mute")];
    events.extend(recovery(500, false));
    events.push(injected(520, "sigstop"));
    events.extend(recovery(900, true));
    let seen = witness(2000, &[(100, 1110)]);
    let (episodes, verdict) = judged(&plan(After::Ended, None), 2000, &events, &seen);
    assert!(verdict.is_pass(), "{verdict:?}");
    assert!(episodes[0].is_overtaken && !episodes[1].is_overtaken);
    assert_eq!((episodes[0].timeline.phases.recovery, episodes[0].timeline.end), (None, at(520)));
    // Clients have missed the service since the first fault.
    let outage = episodes[1].timeline.phases.outage.map(|outage| (outage.from, outage.to));
    assert_eq!(outage, Some((at(90), at(1111))));
}

#[test]
fn a_fault_that_was_not_injected_is_named_with_what_it_waits_for() {
    let mut events = vec![injected(100, "mute")];
    events.extend(recovery(500, false));
    let seen = witness(9000, &[(100, 9000)]);
    let (episodes, verdict) = judged(&plan(After::Recovered, None), 9000, &events, &seen);
    assert_eq!(episodes.len(), 1);
    let last = verdict.reasons().last().map(String::as_str);
    assert_eq!(
        last,
        Some("fault 2, sigstop was not injected: it waits for the recovery, which did not come")
    );
    // Where nothing was done, there is another thing to be said.
    let (_, verdict) = judged(&plan(After::Recovered, None), 9000, &[], &Witness::default());
    assert!(
        !verdict.is_pass() && verdict.reasons().iter().all(|reason| !reason.contains("was not injected"))
    );
}

#[test]
fn a_service_is_to_serve_once_its_fault_is_healed() {
    let mut plan = plan(After::Recovered, None);
    plan.then.clear();
    plan.expect = serde_json::from_str(r#"{"outcome":"undisturbed"}"#).expect("an expectation");
    let healed = Event { at: at(400), kind: Kind::Healed { fault: "mute".into() } };
    let events = [injected(100, "mute"), healed];
    for (down, expected) in [
        (&[(100, 410)][..], None),
        (
            &[(100, 2000)],
            Some("the fault was healed after 300 ms, yet clients are not served since (no answer)"),
        ),
        (
            &[(100, 410), (900, 950)],
            Some("the fault was healed after 300 ms, yet clients are not served since (no answer)"),
        ),
    ] {
        let (_, verdict) = judged(&plan, 2000, &events, &witness(2000, down));
        assert_eq!(verdict.reasons().first().map(String::as_str), expected, "{down:?}");
    }
}

#[test]
fn what_a_fault_waits_for_has_come_or_not() {
    let begin = vec![injected(100, "mute")];
    let events = |until: usize| {
        let mut events = begin.clone();
        events.extend(recovery(500, true).into_iter().take(until));
        events
    };
    let served = witness(2000, &[(100, 710)]);
    let never = witness(2000, &[(100, 2000)]);
    for (after, events, seen, known_until, now, expected) in [
        (After::Detected, events(0), &served, 2000, 2000, false),
        (After::Detected, events(1), &served, 2000, 2000, true),
        (After::Ended, events(1), &served, 2000, 2000, false),
        (After::Ended, events(2), &served, 2000, 2000, true),
        (After::Starting, events(3), &served, 2000, 2000, false),
        (After::Starting, events(4), &served, 2000, 2000, true),
        (After::Recovered, events(4), &served, 2000, 2000, false),
        (After::Recovered, events(5), &served, 2000, 2000, true),
        (After::Recovered, events(5), &never, 2000, 2000, false),
        (After::Recovered, events(5), &served, 650, 2000, false),
        (After::Span(Duration::from_millis(300)), events(0), &never, 0, 399, false),
        (After::Span(Duration::from_millis(300)), events(0), &never, 0, 400, true),
    ] {
        let timeline = Timeline::of_events(at(0), at(now), events.clone());
        let seen = after.has_come(&timeline, seen, at(known_until));
        assert_eq!(seen, expected, "{after} {}", events.len());
    }
}

#[test]
fn what_a_fault_waits_for_is_read_as_it_was_written() {
    for text in ["recovered", "detected", "ended", "starting", "2s", "1500us"] {
        let after: After = text.parse().expect(text);
        let written = serde_json::to_string(&after).expect("json");
        assert_eq!(serde_json::from_str::<After>(&written).expect("read"), after, "{text}");
    }
    assert!("recoverd".parse::<After>().is_err_and(|error| error.contains("recovered, detected")));
}

#[test]
fn of_a_fault_that_was_overtaken_holds_what_is_expected_of_it_alone() {
    let mut events = vec![injected(100, "mute")];
    events.extend(recovery(500, true));
    events.push(injected(1000, "sigstop"));
    events.extend(recovery(1300, false));
    events.push(injected(1350, "kill"));
    events.extend(recovery(1400, true));
    let seen = witness(2000, &[(100, 710), (1000, 1610)]);
    for (own, word) in [(None, "pass"), (Some(r#"{"outcome":"restarted"}"#), "fail")] {
        let mut plan = plan(After::Ended, own);
        plan.then.push(Step { fault: "kill".into(), expect: None, ..plan.then[0].clone() });
        let (episodes, verdict) = judged(&plan, 2000, &events, &seen);
        assert!(episodes[1].is_overtaken);
        assert_eq!(verdict.word(), word, "{verdict:?}");
    }
}

#[test]
fn a_fault_that_nobody_noticed_is_overtaken_only_where_clients_were_not_served() {
    let events = [injected(100, "mute"), injected(1000, "sigstop")];
    for (down, is_overtaken) in [(&[][..], false), (&[(100, 2000)][..], true)] {
        let (episodes, _) = judged(&plan(After::Recovered, None), 2000, &events, &witness(2000, down));
        assert_eq!(episodes[0].is_overtaken, is_overtaken, "{down:?}");
    }
}

/// One fault, which is to have the service restarted and was healed at `healed`.
fn healed(
    healed: u64,
    heal_after_usec: Option<u64>,
    found: Option<u64>,
    down: (u64, u64),
) -> (Outcome, Verdict) {
    let plan = Plan { then: Vec::new(), heal_after_usec, ..plan(After::Recovered, None) };
    let mut events =
        vec![injected(100, "mute"), Event { at: at(healed), kind: Kind::Healed { fault: "mute".into() } }];
    events.extend(found.map(|ms| recovery(ms, true)).into_iter().flatten());
    events.sort_by_key(|event| event.at);
    let seen = witness(9000, &[down]);
    let (episodes, verdict) = judged(&plan, 9000, &events, &seen);
    let timeline = &episodes[0].timeline;
    let expect = expected(&plan, 0, timeline, Some(&settings(OnHang::Trigger)));
    (expect.outcome, verdict)
}

#[test]
fn of_a_fault_that_somebody_heals_before_it_had_to_be_found_a_service_that_serves_on_is_enough() {
    let (outcome, verdict) = healed(600, None, None, (100, 610));
    assert_eq!((outcome, verdict.is_pass()), (Outcome::Undisturbed, true), "{verdict:?}");
    // What was found all the same has had the service restarted.
    let (outcome, verdict) = healed(600, None, Some(650), (100, 860));
    assert_eq!((outcome, verdict.is_pass()), (Outcome::Restarted, true), "{verdict:?}");
    let (outcome, verdict) = healed(600, None, Some(900), (100, 610));
    assert_eq!((outcome, verdict.is_pass()), (Outcome::Restarted, true), "{verdict:?}");
    // It is to serve.
    let (outcome, verdict) = healed(600, None, None, (100, 9000));
    let why = "the fault was healed after 500 ms, yet clients are not served since (no answer)";
    assert_eq!((outcome, verdict.reasons()), (Outcome::Undisturbed, &[why.to_owned()][..]));
}

#[test]
fn of_a_fault_that_is_healed_as_planned_or_when_it_had_to_be_found_long_ago_a_restart_is_expected() {
    for (ms, heal_after_usec) in [(600, Some(500_000)), (8000, None)] {
        let (outcome, verdict) = healed(ms, heal_after_usec, None, (100, ms + 10));
        assert_eq!((outcome, verdict.word()), (Outcome::Restarted, "fail"), "{ms} {verdict:?}");
    }
    // Before its time it is somebody else's doing.
    assert_eq!(healed(600, Some(500_001), None, (100, 610)).0, Outcome::Undisturbed);
}
