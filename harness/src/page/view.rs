//! The fold: what the moments of cases come to on the page.
//!
//! It rests on the [story](crate::model::story) of each case, and decides nothing a second time. Cases may follow one another on one
//! machine, as live ones do, or be made side by side. Of a case that is over nothing is kept but how long its phases took; so a
//! moment costs the same however many there were.
//!
//! A case whose plan names neither a scenario nor a fault is idle: the service is shown, nothing is tried, and it makes no episode.
//!
//! How the service was is told from when on it was so (`at` of a [state](Telling::State)); what comes to be known late is told for its own
//! time. Among the states of a case, sorted by `at`, the one that was told last is true of each time.

use std::collections::HashMap;

use crate::model::case::CaseId;
use crate::model::clock::Usec;
use crate::model::moment::{Moment, What};
use crate::model::story::Story;

mod answers;
mod case;
mod hang_report;
mod journal;
mod past;
mod recovery;
mod state;
#[cfg(test)]
pub(crate) mod tests;

use self::case::{Case, Left};
use self::past::Past;
use super::telling::Telling;

/// What is told, each with when.
pub type Told = Vec<(Usec, Telling)>;

/// An incremental fold over the moments of any number of cases.
#[derive(Default)]
pub struct View {
    /// Those that are not over.
    cases: HashMap<CaseId, Case>,
    /// What the last one left.
    left: Left,
    past: Past,
}

impl View {
    /// Takes a moment in, and returns what it has come to. All of it is of the moment's case, but for the history.
    pub fn take(&mut self, moment: &Moment) -> Told {
        let mut told = Told::new();
        if let What::Planned(plan) = &moment.what {
            // Of several machines nobody knows which one it is on.
            let left = if self.cases.is_empty() { std::mem::take(&mut self.left) } else { Left::default() };
            let story = Story::new(moment.case, (**plan).clone());
            self.cases.insert(moment.case, Case::new(story, left));
            return told;
        }
        let Some(case) = self.cases.get_mut(&moment.case) else { return told };
        case.take(moment, &mut told);
        if matches!(moment.what, What::Ended | What::Broke(_) | What::Skipped(_))
            && let Some(case) = self.cases.remove(&moment.case)
        {
            if self.past.take(&case.story) {
                told.push((moment.at, Telling::History(self.past.told())));
            }
            self.left = case.left();
        }
        told
    }

    /// Where nothing comes in any more, or for a while: what still waits, and what follows from the silence.
    pub fn settle(&mut self, now: Usec) -> Told {
        let mut told = Told::new();
        for case in self.cases.values_mut() {
            case.settle(now, &mut told);
        }
        told
    }
}
