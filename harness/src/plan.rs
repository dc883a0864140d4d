//! The plan of a call: the cases of all its scenarios.

use std::ffi::OsString;

use crate::host;
use crate::model::call::{Call, Planned};
use crate::model::case::{CaseId, Plan};
use crate::scenario::Scenario;

/// A case that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name.
    pub id: CaseId,
    /// What it is.
    pub plan: Plan,
}

impl Case {
    /// A trial of a scenario, from 1. Its seed is its own, unless a `first` is given: then the first trial has that one, and the
    /// next ones count on from it.
    pub fn of(scenario: &Scenario, trial: u32, first: Option<u64>) -> Self {
        let id = CaseId::of(&scenario.content(), trial);
        let seed = first.map_or_else(|| id.seed(), |first| first.wrapping_add(u64::from(trial.max(1) - 1)));
        Self { id, plan: scenario.plan(trial, seed) }
    }

    /// All trials of a scenario.
    pub fn all_of(scenario: &Scenario, trials: u32, first: Option<u64>) -> Vec<Self> {
        (1..=trials).map(|trial| Self::of(scenario, trial, first)).collect()
    }
}

/// What was called on this host by a `command`: all trials of all scenarios.
pub fn call(command: impl IntoIterator<Item = OsString>, seed: Option<u64>, cases: &[Vec<Case>]) -> Call {
    let planned = cases.iter().filter_map(|cases| {
        let scenario = cases.first()?.plan.scenario.clone();
        Some(Planned { scenario, cases: cases.iter().map(|case| case.id).collect() })
    });
    Call {
        program: concat!("hangproof ", env!("CARGO_PKG_VERSION")).into(),
        command: command.into_iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        host: host::own(),
        seed,
        shard: None,
        until: None,
        plan: planned.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_the_same_name_and_seed_in_every_plan_that_it_is_in() {
        let load = |name| Scenario::load(name).expect("it is built in");
        let (mute, crash) = (load("mute"), load("crash"));
        let (few, many) = (Case::all_of(&mute, 2, None), Case::all_of(&mute, 20, None));
        assert_eq!(few, many[..2]);
        assert_ne!(few[0].plan.seed, few[1].plan.seed);
        assert_ne!(few[0].id, Case::of(&crash, 1, None).id);
        let seeded = Case::all_of(&mute, 3, Some(u64::MAX)).into_iter().map(|case| (case.id, case.plan.seed));
        assert_eq!(seeded.collect::<Vec<_>>(), [(many[0].id, u64::MAX), (many[1].id, 0), (many[2].id, 1)]);
    }
}
