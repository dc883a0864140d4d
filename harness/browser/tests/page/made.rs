//! The live page over a hub that is told what a test makes up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use harness::model::clock::Usec;
use harness::page::assets;
use harness::page::document::{Live, live};
use harness::page::hub::Hub;
use harness::page::ring::Keep;
use harness::page::server::deed::Deed;
use harness::page::server::stage::{Format, Refused, Stage};
use harness::page::server::{Assets, Options, Server};
use serde_json::Value;

use crate::told::{self, Told};

/// Served until it is dropped.
pub struct Made {
    pub hub: Hub,
    server: Option<Server>,
}

impl Drop for Made {
    fn drop(&mut self) {
        // Its threads are not waited for by those of the test's runtime.
        let server = self.server.take();
        thread::spawn(|| drop(server)).join().expect("it ends");
    }
}

struct Nobody;

impl Stage for Nobody {
    fn deed(&self, deed: Deed) -> Result<String, Refused> {
        Err(Refused::NotNow(format!("there is nobody to {} anything", deed.name())))
    }

    fn export(&self, _: Format) -> Result<Vec<u8>, Refused> {
        Err(Refused::NotNow("there is nothing to export".into()))
    }

    fn document(&self, token: &str) -> String {
        live(&Live { title: "made", token, watchdog_sec: &[Duration::from_secs(5)] })
    }
}

impl Made {
    pub fn of(told: &Told) -> Self {
        let hub = Hub::default();
        let mut options =
            Options::new(Assets { script: assets::script(), style: assets::style(), icon: assets::icon() });
        options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(&options, hub.clone(), Arc::new(Nobody)).expect("it listens");
        let made = Self { hub, server: Some(server) };
        for (at, telling) in &told.tellings {
            made.tell(*at, telling);
        }
        made
    }

    pub fn tell(&self, at: u64, telling: &Value) {
        let keep = match telling["kind"].as_str().expect("a kind") {
            kind @ ("scene" | "settings" | "controls" | "history") => Keep::Newest(kind.into()),
            kind @ ("state" | "unit") => Keep::Standing(kind.into()),
            kind @ ("episode" | "fault" | "report") => {
                Keep::Replaced(format!("{kind} {}", telling["key"]).into())
            }
            _ => Keep::Passing,
        };
        self.hub.tell_json(Usec(at), keep, |id| told::told(id, at, telling).to_string().into());
    }

    pub fn address(&self) -> SocketAddr {
        self.server().address()
    }

    pub fn url(&self) -> String {
        self.server().url()
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("until it is dropped")
    }
}

/// This moment, as tellings have it.
pub fn now() -> u64 {
    Usec::now().0
}
