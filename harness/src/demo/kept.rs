//! The moments of the last hour, as a recording has them.

use std::collections::VecDeque;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::asks::Asks;
use crate::model::call::Call;
use crate::model::case::CaseId;
use crate::model::clock::Usec;
use crate::model::moment::{Moment, What};
use crate::model::result::RunResult;
use crate::model::story::Story;
use crate::record::{Recorder, Sink};

/// How far back.
const AGE: Duration = Duration::from_secs(3600);
/// So many at most, an ask counted as one.
const MOST: usize = 400_000;
/// So many asks are kept as one moment.
const BATCH: usize = 100;

/// Whole cases, the oldest of which are forgotten.
///
/// A clone shares the moments, and costs next to nothing: what is folded for long is folded from one, while more is kept here.
#[derive(Clone, Default)]
pub struct Kept {
    cases: VecDeque<Of>,
    count: usize,
}

/// The moments of a case.
#[derive(Clone)]
struct Of {
    case: CaseId,
    moments: Vec<Arc<Moment>>,
    count: usize,
}

impl Kept {
    /// Keeps one more.
    pub fn take(&mut self, moment: &Moment) {
        if self.cases.back().is_none_or(|of| of.case != moment.case) {
            self.cases.push_back(Of { case: moment.case, moments: Vec::new(), count: 0 });
        }
        let Some(of) = self.cases.back_mut() else { return };
        of.count += 1;
        self.count += 1;
        let has_room =
            |last: &Arc<Moment>| matches!(&last.what, What::Asks(Asks(kept)) if kept.len() < BATCH);
        match (&moment.what, of.moments.last_mut().filter(|last| has_room(last))) {
            (What::Asks(Asks(asks)), Some(last)) => {
                // Where a clone has it too, that one keeps it as it was.
                if let What::Asks(Asks(kept)) = &mut Arc::make_mut(last).what {
                    kept.extend(asks.iter().cloned());
                }
            }
            _ => of.moments.push(Arc::new(moment.clone())),
        }
        self.forget(moment.at);
    }

    fn forget(&mut self, now: Usec) {
        while self.cases.len() > 1 {
            let is_old = |of: &Of| of.moments.last().is_none_or(|last| now - last.at > AGE);
            if self.count <= MOST && !self.cases.front().is_some_and(is_old) {
                return;
            }
            self.count -= self.cases.pop_front().map_or(0, |of| of.count);
        }
    }

    /// All of them.
    pub fn moments(&self) -> impl Iterator<Item = &Moment> {
        self.cases.iter().flat_map(|of| of.moments.iter().map(Arc::as_ref))
    }

    /// As a recording, for `hangproof replay`.
    pub fn recording(&self, call: &Call) -> Vec<u8> {
        let written = Written::default();
        let mut recorder = Recorder::default();
        recorder.call = Some(call.clone());
        recorder.add(PathBuf::from("export.jsonl"), written.clone());
        for moment in self.moments() {
            // Memory takes it.
            let _ = recorder.take(moment);
        }
        drop(recorder);
        written.take()
    }

    /// What came of each fault that is over.
    pub fn results(&self) -> Vec<RunResult> {
        let stories = self.cases.iter().filter_map(story);
        let stories = stories.filter(|story| story.plan.fault.is_some() && story.ended.is_some());
        RunResult::all_of(&stories.collect::<Vec<_>>())
    }
}

fn story(Of { case, moments, .. }: &Of) -> Option<Story> {
    let plan = moments.iter().find_map(|moment| match &moment.what {
        What::Planned(plan) => Some(plan.as_ref().clone()),
        _ => None,
    });
    let mut story = Story::new(*case, plan?);
    for moment in moments {
        story.take(moment);
    }
    Some(story)
}

/// A file in memory.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::scenario;
    use crate::demo::stage::cases;
    use crate::model::ask::{Answer, Ask};
    use crate::model::recording::Recording;
    use crate::plan;

    fn call() -> Call {
        plan::call(["hangproof".into(), "demo".into()], None, &[])
    }

    /// Takes a case in: when it began, and how many asks it had, one a second.
    fn take(kept: &mut Kept, trial: u32, begin: u64, asks: u64) {
        let idle = cases::idle(&scenario().expect("it is built in"));
        let case = cases::case(&idle, trial, 1);
        let mut tell =
            |second: u64, what| kept.take(&Moment { at: Usec(second * 1_000_000), case: case.id, what });
        tell(begin, What::Planned(Box::new(case.plan.clone())));
        tell(begin, What::Began);
        for second in begin..begin + asks {
            let at = Usec(second * 1_000_000);
            tell(second, What::Asks(Asks(vec![Ask { asked: at, known: at, answer: Answer::Good }])));
        }
        tell(begin + asks, What::Ended);
    }

    #[test]
    fn what_is_kept_reads_as_a_recording() {
        let mut kept = Kept::default();
        take(&mut kept, 1, 10, 250);
        take(&mut kept, 2, 300, 5);
        let recorded = kept.recording(&call());
        let recording = Recording::read(recorded.as_slice()).expect("it is one");
        let asks = recording.stories.iter().map(|story| story.witness().failed_of().1).collect::<Vec<_>>();
        assert_eq!(asks, [250, 5]);
        assert_eq!(recording.calls, [call()]);
        assert!(kept.results().is_empty(), "nothing was done");
    }

    #[test]
    fn a_clone_shares_what_is_kept_and_stays_as_it_was() {
        let mut kept = Kept::default();
        take(&mut kept, 1, 10, 250);
        let clone = kept.clone();
        let shared = || clone.moments().zip(kept.moments()).all(|(one, other)| std::ptr::eq(one, other));
        assert!(shared(), "nothing is copied");
        let before = clone.recording(&call());
        take(&mut kept, 1, 300, 50);
        assert_eq!(clone.recording(&call()), before);
        assert_ne!(kept.recording(&call()), before);
        // An ask that joins those that a clone has too.
        let mut open = Kept::default();
        let asked = |second: u64| {
            let at = Usec(second * 1_000_000);
            let asks = Asks(vec![Ask { asked: at, known: at, answer: Answer::Good }]);
            Moment { at, case: CaseId::of("x", 1), what: What::Asks(asks) }
        };
        open.take(&asked(1));
        let clone = open.clone();
        open.take(&asked(2));
        let asks = |kept: &Kept| match kept.moments().map(|moment| &moment.what).next() {
            Some(What::Asks(Asks(asks))) => asks.len(),
            _ => 0,
        };
        assert_eq!((asks(&clone), asks(&open)), (1, 2));
    }

    #[test]
    fn what_is_older_than_an_hour_is_forgotten_case_by_case() {
        let mut kept = Kept::default();
        for trial in 1..=100 {
            take(&mut kept, trial, u64::from(trial) * 60, 59);
        }
        let oldest = kept.moments().next().expect("there are some").at;
        assert_eq!(
            oldest,
            Usec(40 * 60 * 1_000_000),
            "100 minutes, of which an hour and the rest of a case are left"
        );
        let counted = kept.cases.iter().map(|of| of.count).sum::<usize>();
        assert_eq!(kept.count, counted);
    }
}
