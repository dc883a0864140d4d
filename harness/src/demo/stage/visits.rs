//! What visitors have done, and what they are told of it.

use super::super::call::Call;
use super::super::deed::{Order, Scene, order};
use super::{Act, Stage};
use crate::model::clock::Usec;
use crate::model::expect::Outcome;
use crate::page::server::stage::Refused;
use crate::page::telling::{self, Controls};
use crate::run::RunError;

impl Stage<'_, '_> {
    /// Does what visitors want, one after another.
    pub(super) fn visit(&mut self) -> Result<(), RunError> {
        while let Ok(Call { deed, said }) = self.props.calls.try_recv() {
            self.schedule.visited(Usec::now());
            self.is_changed = true;
            let says = match order(&deed, self.scene_now(), self.duty, &self.repertoire) {
                // It is told when it is done.
                Ok(Order::Inject(fault)) => {
                    self.poise(fault, Some(said));
                    continue;
                }
                Ok(Order::Heal) => self.heal().map(|()| Ok("the fault is healed".to_owned())),
                Ok(Order::Start(duty)) => {
                    self.start(duty).map(|()| Ok(format!("the service is started anew: {}", duty.says())))
                }
                Ok(Order::Nothing(says)) => Ok(Ok(says)),
                Err(refused) => Ok(Err(refused)),
            };
            // What fails is the visitor's to know, and no end of the play.
            let says = match says {
                Ok(says) => says,
                Err(error) => Err(self.survives(error)?),
            };
            self.did(deed.name(), says.as_ref().map(String::as_str));
            said.say(says);
        }
        Ok(())
    }

    fn scene_now(&self) -> Scene<'_> {
        let is_awaited = self.story.last_expectation(Usec::now()).outcome == Outcome::Restarted;
        match &self.act {
            Act::Starting(_) => Scene::Busy("the service is being started"),
            Act::Poised(..) => Scene::Busy("a fault is about to be injected"),
            Act::Played(fault) if self.active.is_empty() => Scene::Healed(fault.name()),
            Act::Played(fault) => Scene::Fault { name: fault.name(), heals: self.heals(), is_awaited },
            Act::Ending(..) => Scene::Busy("the journal is read to its end"),
            Act::Idle => match self.active.first() {
                Some((_, active)) => {
                    Scene::Fault { name: active.fault, heals: self.heals(), is_awaited: false }
                }
                None => Scene::Idle { is_served: self.is_served() },
            },
        }
    }

    /// Keeps what came of a deed for everybody to see.
    pub(super) fn did(&mut self, deed: &str, says: Result<&str, &Refused>) {
        let (ok, says) = match says {
            Ok(says) => (true, says.to_owned()),
            Err(refused) => (false, refused.to_string()),
        };
        self.last = Some(telling::Deed { deed: deed.into(), ok, says });
        self.is_changed = true;
    }

    /// Tells the audience what can be done now.
    pub(super) fn controls(&mut self) {
        let busy = match self.scene_now() {
            Scene::Busy(why) => Some(why.to_owned()),
            Scene::Idle { .. } | Scene::Fault { .. } | Scene::Healed(_) => None,
        };
        let controls = Controls {
            watchdog: self.duty.watchdog,
            on_hang: Some(self.duty.on_hang),
            watchdog_usec: Some(telling::usec(self.duty.within)),
            busy,
            active: self.active.iter().map(|(_, active)| active.fault.to_owned()).collect(),
            faults: self.repertoire.choices(self.duty),
            last: self.last.clone(),
        };
        self.audience.controls(controls);
    }
}
