//! The cases that are still to be made, and who makes which. Pure.

use std::cmp::Reverse;
use std::collections::VecDeque;

use crate::plan::Case;

/// What a machine is to be booted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// For the scenario of this number.
    Scenario(usize),
    /// For nothing, until some other machine has ended.
    Later,
    /// For nothing any more.
    Nothing,
}

/// The scenarios of a call, in the order of its plan.
#[derive(Debug, Default)]
pub struct Queue {
    runs: Vec<Run>,
}

#[derive(Debug)]
struct Run {
    cases: VecDeque<Case>,
    /// How many machines make them.
    machines: u32,
    /// Whether it disturbs others, or is disturbed by them.
    is_alone: bool,
}

impl Run {
    /// How much it needs one more machine, the least who needs it most: none has none, and else as its machines have to make.
    fn need(&self) -> (bool, Reverse<usize>) {
        let machines = usize::try_from(self.machines).unwrap_or(usize::MAX);
        (machines > 0, Reverse(self.cases.len().checked_div(machines).unwrap_or_default()))
    }
}

impl Queue {
    /// Adds a scenario.
    pub fn add(&mut self, cases: Vec<Case>, is_alone: bool) {
        self.runs.push(Run { cases: cases.into(), machines: 0, is_alone });
    }

    /// What one more machine does best. Those that are to be alone come first, one after the other: in between, each would wait for
    /// all others to end. Then each scenario has a machine before any has two.
    pub fn next(&mut self) -> Next {
        let machines: u32 = self.runs.iter().map(|run| run.machines).sum();
        let waiting = |run: &Run| !run.cases.is_empty();
        if !self.runs.iter().any(waiting) {
            return Next::Nothing;
        }
        if self.runs.iter().any(|run| run.is_alone && run.machines > 0) {
            return Next::Later;
        }
        let mut runs = self.runs.iter().enumerate().filter(|(_, run)| waiting(run));
        let chosen = match runs.clone().find(|(_, run)| run.is_alone) {
            Some(_) if machines > 0 => return Next::Later,
            Some((alone, _)) => Some(alone),
            None => runs.by_ref().min_by_key(|(_, run)| run.need()).map(|(run, _)| run),
        };
        let Some(chosen) = chosen else { return Next::Nothing };
        self.runs[chosen].machines += 1;
        Next::Scenario(chosen)
    }

    /// The next case of a scenario.
    pub fn next_case(&mut self, scenario: usize) -> Option<Case> {
        self.runs.get_mut(scenario)?.cases.pop_front()
    }

    /// A machine of a scenario has ended.
    pub fn leave(&mut self, scenario: usize) {
        if let Some(run) = self.runs.get_mut(scenario) {
            run.machines = run.machines.saturating_sub(1);
        }
    }

    /// No further case of a scenario is begun.
    pub fn stop(&mut self, scenario: usize) {
        if let Some(run) = self.runs.get_mut(scenario) {
            run.cases.clear();
        }
    }

    /// Nor of any.
    pub fn end(&mut self) {
        self.runs.iter_mut().for_each(|run| run.cases.clear());
    }

    /// Whether all of a scenario was made that will be.
    pub fn is_done(&self, scenario: usize) -> bool {
        self.runs.get(scenario).is_none_or(|run| run.machines == 0 && run.cases.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// Scenarios of so many trials each; those that are negative are to be alone.
    fn queue(trials: &[i32]) -> Queue {
        let scenario = Scenario::load("mute").expect("it is built in");
        let mut queue = Queue::default();
        for count in trials {
            queue.add(Case::all_of(&scenario, count.unsigned_abs(), None), *count < 0);
        }
        queue
    }

    fn taken(queue: &mut Queue, count: usize) -> Vec<Next> {
        (0..count).map(|_| queue.next()).collect()
    }

    #[test]
    fn each_scenario_has_a_machine_before_any_has_two_and_then_the_longest_has_more() {
        use Next::Scenario;
        let mut queue = queue(&[1, 2, 9, 1]);
        let first = taken(&mut queue, 5);
        assert_eq!(first, [Scenario(0), Scenario(1), Scenario(2), Scenario(3), Scenario(2)]);
        for scenario in [0, 1, 3] {
            while queue.next_case(scenario).is_some() {}
            queue.leave(scenario);
            assert!(queue.is_done(scenario));
        }
        assert_eq!(queue.next(), Scenario(2), "a machine is free, and cases are left");
        assert!(!queue.is_done(2));
        queue.stop(2);
        assert_eq!(queue.next(), Next::Nothing);
        assert!(!queue.is_done(2), "machines make it still");
    }

    #[test]
    fn what_is_to_be_alone_is_alone_and_comes_first() {
        use Next::{Later, Nothing, Scenario};
        let mut queue = queue(&[2, -2, 1, -1]);
        assert_eq!(taken(&mut queue, 2), [Scenario(1), Later]);
        while queue.next_case(1).is_some() {}
        assert_eq!(queue.next(), Later, "its last case is still being made");
        queue.leave(1);
        assert_eq!(taken(&mut queue, 2), [Scenario(3), Later]);
        assert!(queue.next_case(3).is_some() && queue.next_case(3).is_none());
        assert_eq!(queue.next(), Later, "the last of them is still being made");
        queue.leave(3);
        assert_eq!(taken(&mut queue, 2), [Scenario(0), Scenario(2)]);
        queue.end();
        assert_eq!(queue.next(), Nothing);
        // One machine alone among machines that were there before.
        let mut queue = self::queue(&[1, -1]);
        queue.runs[0].machines = 1;
        assert_eq!(queue.next(), Later);
    }

    #[test]
    fn every_case_is_handed_out_once() {
        let mut queue = queue(&[3]);
        let trials = std::iter::from_fn(|| queue.next_case(0)).map(|case| case.plan.trial);
        assert_eq!(trials.collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((queue.next_case(0), queue.next_case(7)), (None, None));
    }
}
