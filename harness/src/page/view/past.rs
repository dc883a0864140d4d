//! The recoveries so far. Of a case that is over nothing is kept but how long its phases took.

use crate::model::bound::Bounds;
use crate::model::episode;
use crate::model::expect::Outcome;
use crate::model::phase::{Phase, Span};
use crate::model::statistics::{Summary, at_most};
use crate::model::story::Story;
use crate::page::telling::{Group, History, Recovered, usec};

/// So many of the newest lengths are told.
const NEWEST: usize = 200;

/// The recoveries so far.
#[derive(Debug, Default)]
pub struct Past {
    /// By fault, in the order in which they came first.
    faults: Vec<OfFault>,
}

#[derive(Debug, Default)]
struct OfFault {
    fault: String,
    /// How many episodes say something of the service, and in how many of them it was to recover, and did.
    episodes: usize,
    recoverable: usize,
    recovered: usize,
    /// As [`Phase::ALL`]: how long each took, in the order of the episodes, and what it may take.
    lengths: [Vec<std::time::Duration>; Phase::ALL.len()],
    bounds: [Option<u64>; Phase::ALL.len()],
}

impl Past {
    /// Takes in a case that is over; whether that changes anything.
    pub fn take(&mut self, story: &Story) -> bool {
        let Some(end) = story.ended.filter(|_| story.verdict().is_sound()) else { return false };
        let mut has_changed = false;
        for (number, episode) in story.episodes(end).into_iter().enumerate() {
            let (Some(fault), false) = (&episode.fault, episode.is_overtaken) else { continue };
            let phases = &episode.timeline.phases;
            let group = self.of(fault);
            let bounds = story.settings.as_ref().map(|settings| episode.timeline.bounds(settings));
            group.episodes += 1;
            let settings = story.settings.as_ref();
            if episode::expected(&story.plan, number, &episode.timeline, settings).outcome
                == Outcome::Restarted
            {
                group.recoverable += 1;
                group.recovered += usize::from(phases.recovery.is_some());
            }
            for (place, phase) in Phase::ALL.into_iter().enumerate() {
                group.bounds[place] = bounds.as_ref().and_then(|bounds| limit(bounds, phase));
                group.lengths[place].extend(phases.get(phase).map(Span::length));
            }
            has_changed = true;
        }
        has_changed
    }

    fn of(&mut self, fault: &str) -> &mut OfFault {
        let place = self.faults.iter().position(|group| group.fault == fault).unwrap_or_else(|| {
            self.faults.push(OfFault { fault: fault.to_owned(), ..OfFault::default() });
            self.faults.len() - 1
        });
        &mut self.faults[place]
    }

    /// As the page is told.
    pub fn told(&self) -> History {
        History { groups: self.faults.iter().flat_map(OfFault::groups).collect() }
    }
}

/// What a phase may take at most.
pub fn limit(bounds: &Bounds, phase: Phase) -> Option<u64> {
    match phase {
        Phase::Recovery => bounds.recovery().map(usec),
        phase => bounds.timer(phase).map(|bound| usec(bound.at_most)),
    }
}

impl OfFault {
    fn groups(&self) -> impl Iterator<Item = Group> {
        let phases = Phase::ALL.into_iter().enumerate();
        phases.filter_map(|(place, phase)| {
            let lengths = &self.lengths[place];
            let summary = Summary::of(lengths.clone())?;
            let (low, high) = (summary.p50.low, summary.p50.high);
            Some(Group {
                fault: self.fault.clone(),
                phase,
                n: summary.count,
                of: self.episodes,
                min_usec: usec(summary.min),
                p50_usec: usec(summary.p50.value),
                p90_usec: summary.p90.map(|quantile| usec(quantile.value)),
                p99_usec: summary.p99.map(|quantile| usec(quantile.value)),
                max_usec: usec(summary.max),
                p50_interval: low.zip(high).map(|(low, high)| [usec(low), usec(high)]),
                values: lengths[lengths.len().saturating_sub(NEWEST)..].iter().copied().map(usec).collect(),
                bound_usec: self.bounds[place],
                recovered: self.recovered().filter(|_| phase == Phase::Recovery),
            })
        })
    }

    fn recovered(&self) -> Option<Recovered> {
        let (of, n) = (self.recoverable, self.recovered);
        (of > 0).then(|| Recovered { of, n, interval: [1.0 - at_most(of - n, of), at_most(n, of)] })
    }
}

#[cfg(test)]
mod tests;
