//! Tables: what PID 1 says beside what the journal does.

use super::*;
use crate::model::event::Exit;

const SHOWN: &str = "\
ActiveState=active
SubState=running
Result=success
NRestarts=1
InvocationID=1b9eda99
ExecMainCode=0
ExecMainStatus=0
ExecMainStartTimestampMonotonic=3000000
ExecMainExitTimestampMonotonic=0
ActiveEnterTimestampMonotonic=3100000
ActiveExitTimestampMonotonic=2900000
InactiveEnterTimestampMonotonic=2950000
InactiveExitTimestampMonotonic=3000000
StateChangeTimestampMonotonic=3100000
MainPID=42
StatusText=healthy, latency 1 ms";

fn pid_one() -> PidOne {
    PidOne::parse(SHOWN).expect("it answers")
}

fn event(ms: u64, kind: Kind) -> Event {
    Event { at: Usec(ms * 1000), kind }
}

/// The same as the journal has it.
fn events() -> Vec<Event> {
    vec![
        event(1500, Kind::Ready),
        event(
            2000,
            Kind::Injected {
                fault: "mute".into(),
                within_usec: None,
                deed: crate::model::expect::Deed::Hangs,
            },
        ),
        event(2900, Kind::WatchdogTimeout),
        event(2949, Kind::Exited(Exit::Signal("SIGABRT".into()))),
        event(2960, Kind::RestartScheduled { restarts: 1 }),
        event(3001, Kind::Starting),
        event(3102, Kind::Ready),
    ]
}

fn found(pid_one: &PidOne, events: &[Event]) -> String {
    pid_one.contradictions(Usec(1_000_000), 0, Usec(4_000_000), events).join("; ")
}

#[test]
fn what_pid_1_says_is_read_from_what_systemctl_shows() {
    let said = pid_one();
    assert_eq!(
        (said.active_state.as_str(), said.sub_state.as_str(), said.result.as_str()),
        ("active", "running", "success")
    );
    assert_eq!(
        (said.restarts, said.invocation.as_str(), said.main_code, said.main_status),
        (1, "1b9eda99", 0, 0)
    );
    let usec = |at: Option<Usec>| at.map(|at| at.0);
    assert_eq!((usec(said.main_start), usec(said.main_exit)), (Some(3_000_000), None));
    assert_eq!((usec(said.active_enter), usec(said.active_exit)), (Some(3_100_000), Some(2_900_000)));
    assert_eq!((usec(said.inactive_enter), usec(said.inactive_exit)), (Some(2_950_000), Some(3_000_000)));
    assert_eq!(usec(said.state_change), Some(3_100_000));
    assert_eq!((said.main_pid, said.status.as_deref()), (Some(42), Some("healthy, latency 1 ms")));
    let ended =
        SHOWN.replace("ExecMainCode=0", "ExecMainCode=2").replace("ExecMainStatus=0", "ExecMainStatus=6");
    let ended = PidOne::parse(&ended).expect("it answers");
    assert_eq!((ended.main_code, ended.main_status), (2, 6));
    let gone = PidOne::parse(&SHOWN.replace("=42", "=0").replace("=healthy, latency 1 ms", "="))
        .expect("it answers");
    assert_eq!((gone.main_pid, gone.status), (None, None));
    assert_eq!(PidOne::parse("Failed to connect to bus"), None);
}

#[test]
fn witnesses_that_agree_to_50_ms_do_not_contradict_each_other() {
    assert_eq!(found(&pid_one(), &events()), "");
    let later = |by: u64, of: fn(&Kind) -> bool| {
        let mut events = events();
        let last = events.iter_mut().rev().find(|event| of(&event.kind)).expect("it happened");
        last.at = Usec(last.at.0 + by * 1000);
        found(&pid_one(), &events)
    };
    let is_ready: fn(&Kind) -> bool = |kind| *kind == Kind::Ready;
    assert_eq!(later(48, is_ready), "");
    assert_eq!(
        later(49, is_ready),
        "PID 1 says that the service became active 2.1 s after the trial began: the journal has the same 51 ms apart, more than 50 ms; \
        the journal has the service ready 51 ms after PID 1 has"
    );
}

#[test]
fn what_only_one_of_them_knows_is_a_contradiction() {
    let without = |unwanted: fn(&Kind) -> bool| {
        let events = events().into_iter().filter(|event| !unwanted(&event.kind)).collect::<Vec<_>>();
        found(&pid_one(), &events)
    };
    let nothing = "PID 1 says that the service was no longer active 1.9 s after the trial began: the journal has nothing of it";
    assert_eq!(without(is_leaving), nothing);
    assert_eq!(
        without(|kind| matches!(kind, Kind::RestartScheduled { .. })),
        "PID 1 counts 1 restarts, and the journal 0"
    );
    let mut more = events();
    more.push(event(3600, Kind::Ready));
    assert_eq!(found(&pid_one(), &more), "the journal has the service ready 500 ms after PID 1 has");
    more.push(event(4000, Kind::Ready));
    more.remove(more.len() - 2);
    assert_eq!(found(&pid_one(), &more), "", "after it was asked");
    // It was told to count anew.
    assert_eq!(found(&PidOne { restarts: 0, ..pid_one() }, &events()), "");
    // What was before the trial is none of it.
    let old = PidOne { active_exit: Some(Usec(900_000)), ..pid_one() };
    assert_eq!(found(&old, &events().split_off(4)), "");
    let ended = PidOne { main_exit: Some(Usec(3_500_000)), ..pid_one() };
    assert!(found(&ended, &events()).contains("had its main process end 2.5 s after"));
}

#[test]
fn where_the_journal_is_not_told_what_happened_is_read_from_pid_1s_answers() {
    let first = PidOne { restarts: 0, active_exit: None, inactive_enter: None, ..pid_one() };
    let first = PidOne { active_enter: Some(Usec(1_500_000)), main_start: Some(Usec(1_400_000)), ..first };
    let began = Usec(1_000_000);
    let kinds = |events: Vec<Event>| {
        events.into_iter().map(|event| (event.at.0 / 1000, event.kind)).collect::<Vec<_>>()
    };
    assert_eq!(kinds(first.events_since(None, began)), [(1400, Kind::Starting), (1500, Kind::Ready)]);
    assert_eq!(kinds(first.events_since(Some(&first), began)), []);
    assert_eq!(kinds(first.events_since(None, Usec(1_450_000))), [(1500, Kind::Ready)]);
    assert_eq!(
        kinds(pid_one().events_since(Some(&first), began)),
        [
            (2950, Kind::Deactivated),
            (3000, Kind::RestartScheduled { restarts: 1 }),
            (3000, Kind::Starting),
            (3100, Kind::Ready)
        ]
    );
    // Of three the last is known by its time, and the others by its number.
    let thrice = PidOne { restarts: 3, ..pid_one() }.events_since(Some(&first), began);
    let scheduled = thrice.iter().filter_map(|event| match event.kind {
        Kind::RestartScheduled { restarts } => Some((event.at.0 / 1000, restarts)),
        _ => None,
    });
    assert_eq!(scheduled.collect::<Vec<_>>(), [(3000, 1), (3000, 2), (3000, 3)]);
    let failed = PidOne { active_state: "failed".into(), result: "start-limit-hit".into(), ..pid_one() };
    assert!(
        failed
            .events_since(Some(&first), began)
            .contains(&event(2950, Kind::Failed { result: "start-limit-hit".into() }))
    );
}
