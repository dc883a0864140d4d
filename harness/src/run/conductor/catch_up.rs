//! Where silence is what a verdict rests on: that systemd said nothing is known only once journald has handed over all that it had.
//!
//! On a busy host its followers hear of an entry seconds late; a service that is long back would count as given up. So journald is
//! asked to take in what waits for it (`journalctl --sync` returns once that is done: `vl_method_synchronize()`, systemd,
//! src/journal/journald-server.c), then a mark is written, and what comes before the mark has come when the mark has.

use super::super::RunError;
use super::super::instrument::{self, DEAF, HEARD};
use super::{Conductor, Taken};
use crate::model::clock::Usec;
use crate::model::moment::Because;
use crate::model::moment::What;
use crate::model::patience::Patience;

impl Conductor<'_> {
    /// Takes in all that the journal holds by now. Whether there is something to wait for after it.
    pub(super) fn catch_up(&mut self) -> Result<bool, RunError> {
        let deadline = Usec::now() + HEARD;
        let namespace = self.story.settings.as_ref().and_then(|settings| settings.log_namespace.as_deref());
        let mark = instrument::mark(self.setting.machine, namespace);
        let mut has_come = false;
        while mark.is_some() && !has_come {
            match self.take_one(deadline)? {
                Taken::Nothing => break,
                Taken::Mark(come) => has_come = Some(come) == mark,
                Taken::Line | Taken::News => {}
            }
        }
        if !has_come {
            self.tell(Usec::now(), What::Deaf(Because { reason: DEAF.to_owned() }))?;
            return Ok(false);
        }
        let waits = self.story.waits(Usec::now(), self.observer.known_until());
        Ok(matches!(waits, Patience::Until(deadline) if deadline > Usec::now()))
    }
}
