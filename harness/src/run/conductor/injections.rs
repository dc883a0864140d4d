//! Faults: when they are injected, and healed.

use super::{Conductor, Taken};
use crate::fault::{Active, Fault};
use crate::model::clock::Usec;
use crate::model::moment::{Healed, What};
use crate::model::patience::Patience;
use crate::model::sequence::After;
use crate::run::{RunError, instrument};
use crate::scenario::Injection;

impl Conductor<'_> {
    pub(super) fn inject(&mut self, injection: &Injection) -> Result<(), RunError> {
        let fault = &injection.fault;
        self.setting.progress.stage(&format!("injecting {fault}"));
        let (active, injected) = instrument::inject(self.setting.machine, &self.story.plan.unit, fault)?;
        let (at, due) = (active.at, injection.heal_after.map(|span| active.at + span));
        self.active.push((due, active));
        self.tell(at, What::Injected(injected))?;
        self.setting.progress.stage(&format!("{fault} injected; waiting for what comes of it"));
        Ok(())
    }

    /// Waits for what the next fault waits for; whether it came.
    pub(super) fn is_let_come(&mut self, fault: &Fault) -> Result<bool, RunError> {
        self.setting.progress.stage(&format!("waiting for when to inject {fault}"));
        let mut has_caught_up = false;
        loop {
            let (now, known_until) = (Usec::now(), self.observer.known_until());
            let Some(step) = self.story.next_fault() else { return Ok(false) };
            if self.story.is_due(step, now, known_until) {
                return Ok(true);
            }
            let deadline = match (step.after, self.story.waits(now, known_until)) {
                (After::Span(span), _) => self.story.episode_so_far(now).origin + span,
                (_, Patience::Until(deadline)) if deadline > now => deadline,
                // What did not come may only not have been told yet.
                _ if !has_caught_up => {
                    has_caught_up = true;
                    self.catch_up()?;
                    continue;
                }
                _ => return Ok(false),
            };
            while self.take_one(deadline)? == Taken::Line {}
        }
    }

    /// Heals what is to be healed by now, and says whether anything was.
    pub(super) fn heal_what_is_due(&mut self) -> Result<bool, RunError> {
        let now = Usec::now();
        let Some(place) = self.active.iter().position(|(due, _)| due.is_some_and(|due| due <= now)) else {
            return Ok(false);
        };
        let (_, active) = self.active.remove(place);
        self.heal(active, false)?;
        Ok(true)
    }

    /// Heals at the trial's end what is in effect still. Of that nothing is expected any more.
    pub(super) fn heal_what_is_left(&mut self) -> Result<(), RunError> {
        std::mem::take(&mut self.active).into_iter().try_for_each(|(_, active)| self.heal(active, true))
    }

    fn heal(&mut self, active: Active, at_end: bool) -> Result<(), RunError> {
        let (fault, heals) = (active.fault.to_owned(), active.heals());
        instrument::heal(active)?;
        if heals {
            self.tell(Usec::now(), What::Healed(Healed { fault, at_end }))?;
        }
        Ok(())
    }
}
