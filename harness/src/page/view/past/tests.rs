use std::time::Duration;

use super::*;
use crate::page::view::tests::stories;

#[test]
fn trials_are_summed_up_by_fault_and_phase_with_their_bounds() {
    let mut past = Past::default();
    let trials = stories("crash-trials");
    for story in &trials {
        assert!(past.take(story));
    }
    let History { groups } = past.told();
    let group = |phase| groups.iter().find(|group| group.phase == phase).expect("it happened");
    let recovery = group(Phase::Recovery);
    assert_eq!((recovery.n, recovery.of), (trials.len(), trials.len()));
    let n = trials.len();
    let recovered = recovery.recovered.expect("they were to recover");
    assert_eq!((recovered.n, recovered.of), (n, n));
    assert!((recovered.interval[0] - (1.0 - at_most(0, n))).abs() < 1e-9);
    assert!((recovered.interval[1] - 1.0).abs() < 1e-9);
    assert_eq!(group(Phase::Restart).recovered, None);
    // The same as the report's.
    let runs = crate::model::result::RunResult::all_of(&trials);
    for (phase, summary) in runs[0].summary() {
        let told = group(phase);
        assert_eq!(
            (told.n, told.min_usec, told.p50_usec, told.max_usec),
            (summary.count, usec(summary.min), usec(summary.p50.value), usec(summary.max)),
            "{}",
            phase.name()
        );
        assert_eq!(told.bound_usec, limit(&runs[0].bounds, phase), "{}", phase.name());
    }
}

#[test]
fn what_says_nothing_of_the_service_is_no_history() {
    for name in ["late", "undisturbed"] {
        let mut past = Past::default();
        for story in stories(name) {
            assert!(!past.take(&story), "{name}");
        }
        assert_eq!(past.told(), History::default(), "{name}");
    }
}

#[test]
fn only_the_newest_lengths_are_told() {
    let mut past = Past::default();
    let lengths = (1..=500).map(Duration::from_micros).collect::<Vec<_>>();
    let group = past.of("mute");
    group.episodes = lengths.len();
    group.lengths[0] = lengths;
    let told = past.told();
    let values = &told.groups[0].values;
    assert_eq!((values.len(), values[0], values[NEWEST - 1]), (NEWEST, 301, 500));
    assert_eq!((told.groups[0].n, told.groups[0].min_usec), (500, 1));
}
