//! What a status means; the waiting itself is tested where it may wait for every child of the process, in
//! `tests/children.rs`.

use super::*;

const FAILED: End = End::Exited(1);

#[test]
fn the_end_of_an_expected_child_is_kept_for_the_one_who_asks() {
    let mut registry = Registry::default();
    registry.expect(10, false);
    assert_eq!(registry.collect(10), None);
    registry.record(10, FAILED);
    assert_eq!((registry.collect(10), registry.collect(10)), (Some(FAILED), None));
    assert!(registry.expected.is_empty());
}

#[test]
fn strangers_and_the_abandoned_are_forgotten() {
    let mut registry = Registry::default();
    registry.record(9, FAILED);
    registry.expect(10, true);
    registry.abandon(10);
    assert_eq!(registry.abandoned(), [(10, true)]);
    registry.record(10, FAILED);
    // One that ended before it was abandoned.
    registry.expect(11, true);
    registry.record(11, FAILED);
    registry.abandon(11);
    assert!(registry.expected.is_empty());
}

#[test]
fn a_process_id_that_comes_again_is_another_process() {
    let mut registry = Registry::default();
    registry.expect(10, false);
    registry.record(10, FAILED);
    registry.expect(10, true);
    assert_eq!(registry.collect(10), None);
    assert!(registry.find(10).is_some_and(|child| child.leads_group));
}

#[test]
fn the_main_process_is_nobodys_helper() {
    let mut registry = Registry { main: Some(MainProcess::child(10)), ..Registry::default() };
    registry.expect(11, false);
    registry.record(11, FAILED);
    assert_eq!(registry.main.as_mut().and_then(MainProcess::end), None);
    registry.record(10, End::Exited(3));
    assert_eq!(registry.main.as_mut().and_then(MainProcess::end), Some(End::Exited(3)));
}

#[test]
fn only_one_process_can_be_meant_by_a_process_id() {
    for nobody in [0, -1, -42, i32::MIN] {
        assert!(process(nobody).is_err() && EndOfProcess::new(nobody).is_err());
    }
}
