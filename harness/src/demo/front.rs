//! The front of the house: what visitors' pages are told, and what they ask for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::audience::Audience;
use super::call::Calls;
use super::duty;
use super::kept::Kept;
use crate::model::call::Call;
use crate::model::clock::Usec;
use crate::model::moment::{Moment, What};
use crate::page::document::{self, Live};
use crate::page::hub::Hub;
use crate::page::server::deed::Deed;
use crate::page::server::stage::{Format, Refused, Stage};
use crate::page::still::Still;
use crate::page::telling::{self, Controls, Telling};
use crate::page::view::View;
use crate::report::{json, trace};

/// What the page is called.
const TITLE: &str = "A service that hangs, and comes back";

/// The moments that can be taken away.
type Shared = Arc<Mutex<Kept>>;

/// What the pages are told.
pub struct Screen {
    view: View,
    hub: Hub,
    kept: Shared,
    scene: telling::Scene,
    /// What can be done, as it was told.
    controls: Option<Controls>,
}

/// What the pages ask for.
pub struct Desk {
    calls: Calls,
    kept: Shared,
    /// What was typed.
    call: Call,
}

fn lock(kept: &Shared) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both sides of it. Before anything is booted, the pages are told what is awaited.
pub fn open(hub: Hub, calls: Calls, call: Call, url: Option<String>) -> (Screen, Desk) {
    let kept = Shared::default();
    let scene = telling::Scene {
        live: true,
        title: TITLE.into(),
        unit: "buggy_server.service".into(),
        description: "An HTTP server that hangs at random, and what brings it back".into(),
        url,
        version: call.program.clone(),
        command: Some(call.typed()),
        ..telling::Scene::default()
    };
    let mut screen = Screen { view: View::default(), hub, kept: Arc::clone(&kept), scene, controls: None };
    screen.tell_scene();
    screen.controls(Controls {
        busy: Some("the machine is being booted".into()),
        watchdog: true,
        ..Controls::default()
    });
    (screen, Desk { calls, kept, call })
}

impl Screen {
    fn tell(&self, at: Usec, telling: Telling) {
        self.hub.tell(at, telling);
    }

    #[expect(clippy::disallowed_methods, reason = "people read the wall clock; nothing is measured by it")]
    fn tell_scene(&mut self) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.scene.wall_usec = Some(telling::usec(wall));
        self.tell(Usec::now(), Telling::Scene(Box::new(self.scene.clone())));
    }
}

impl Audience for Screen {
    fn moment(&mut self, moment: &Moment) {
        lock(&self.kept).take(moment);
        if let What::Booted(machine) = &moment.what
            && self.scene.systemd != machine.systemd
        {
            (self.scene.backend, self.scene.systemd) = (machine.backend.clone(), machine.systemd.clone());
            self.tell_scene();
        }
        for (at, telling) in self.view.take(moment) {
            self.tell(at, telling);
        }
    }

    /// With each event the stage looks what can be done; that is mostly what it was before, and as long as all other tellings together.
    fn controls(&mut self, controls: Controls) {
        if self.controls.as_ref() != Some(&controls) {
            self.controls = Some(controls.clone());
            self.tell(Usec::now(), Telling::Controls(controls));
        }
    }
}

impl Desk {
    /// What is kept by now. The stage waits for as long as somebody holds it, so it is looked at as a clone.
    fn kept(&self) -> Kept {
        lock(&self.kept).clone()
    }

    /// The page in one file, with what is kept.
    fn page(&self) -> std::io::Result<Vec<u8>> {
        let kept = self.kept();
        let mut still = Still::default();
        for moment in kept.moments() {
            still.take(moment)?;
        }
        Ok(still.page(std::slice::from_ref(&self.call), &kept.results())?.into_bytes())
    }
}

impl Stage for Desk {
    fn deed(&self, deed: Deed) -> Result<String, Refused> {
        self.calls.call(deed)
    }

    fn export(&self, format: Format) -> Result<Vec<u8>, Refused> {
        let failed = |error: std::io::Error| Refused::Failed(error.to_string());
        let calls = std::slice::from_ref(&self.call);
        let results = || self.kept().results();
        let unwritten = |error: serde_json::Error| failed(error.into());
        match format {
            Format::Jsonl => Ok(self.kept().recording(&self.call)),
            Format::Json => {
                serde_json::to_vec_pretty(&json::Document::of(calls, &results())).map_err(unwritten)
            }
            Format::Trace => serde_json::to_vec(&trace::document(&results())).map_err(unwritten),
            Format::Html => self.page().map_err(failed),
        }
    }

    fn document(&self, token: &str) -> String {
        document::live(&Live { title: TITLE, token, watchdog_sec: &duty::CHOICES })
    }
}

#[cfg(test)]
mod tests {
    use super::super::duty::Duty;
    use super::*;
    use crate::model::call::Host;
    use crate::page::ring::Bounds;
    use crate::run::inputs::Inputs;

    fn opened() -> (Screen, Desk) {
        let call = Call {
            program: "hangproof 0".into(),
            command: ["hangproof", "demo", "--root", "/my trees/a"].map(String::from).into(),
            host: Host::default(),
            seed: None,
            shard: None,
            until: None,
            plan: Vec::new(),
        };
        let (calls, _) = Calls::new(Inputs::default().sender());
        open(Hub::new(Bounds::default()), calls, call, None)
    }

    #[test]
    fn the_page_offers_what_watchdog_sec_may_be_set_to_and_nothing_else() {
        let (_, desk) = opened();
        let page = desk.document("token");
        let select = page.split("<select id=\"watchdog-sec\"").nth(1).expect("a list");
        let select = select.split("</select>").next().expect("its end");
        let offered = select.split("<option value=\"").skip(1).map(|option| {
            let usec = option.split('"').next().expect("a value").parse().expect("microseconds");
            Duty::default().within(usec).expect("it is taken").within
        });
        assert_eq!(offered.collect::<Vec<_>>(), duty::CHOICES);
        assert!(select.contains("<option value=\"5000000\">5 s</option>"), "{select}");
    }

    #[test]
    fn what_can_be_done_is_told_when_it_is_something_else_than_before() {
        let (mut screen, _) = opened();
        let off = Controls { watchdog: false, ..Controls::default() };
        let on = Controls { watchdog: true, ..off.clone() };
        let told = [&off, &off, &on, &on, &off].map(|controls| {
            let before = screen.hub.head();
            screen.controls(controls.clone());
            screen.hub.head() - before
        });
        assert_eq!(told, [1, 0, 1, 0, 1]);
    }

    #[test]
    fn the_page_tells_a_command_that_can_be_typed_again() {
        let (screen, _) = opened();
        assert_eq!(screen.scene.command.as_deref(), Some("hangproof demo --root '/my trees/a'"));
    }
}
