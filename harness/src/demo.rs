//! `hangproof demo`: a service that hangs now and then, to look at and to do things to.
//!
//! ```text
//! machine ──► stage ──► moments ──┬─► view ──► hub ──► server ──► pages
//!   ▲           ▲                 └─► kept: what can be taken away
//!   └── deeds ──┴──────────────────────────────── server ◄── visitors
//! ```
//!
//! - [`stage`]: the one thread that owns the machine, and makes its cases
//! - [`deed`]: what visitors may have done, and when; [`call`]: how they are told what came of it
//! - [`duty`]: how the service is guarded; [`repertoire`]: which faults are played here, and what is to come of each
//! - [`schedule`]: what hangs by itself
//! - [`front`]: what pages are told, and what they ask for
//! - [`kept`]: the moments of the last hour; [`nudge`]: has the journal told at once

use std::sync::mpsc::Receiver;
use std::thread;

use self::audience::Audience;
use self::call::Call;
use self::stage::{Props, Stage};
use crate::machine::Machine;
use crate::programs::Programs;
use crate::run::RunError;
use crate::run::follower::Follower;
use crate::run::inputs::{Input, Inputs};
use crate::run::install;
use crate::run::observer::{Client, Observer};
use crate::scenario::service::Source;
use crate::scenario::{Scenario, ScenarioError};

pub mod audience;
pub mod call;
pub mod deed;
pub mod duty;
pub mod front;
pub mod kept;
pub mod nudge;
pub mod repertoire;
pub mod schedule;
pub mod stage;

/// What runs, and where it is asked.
pub fn scenario() -> Result<Scenario, ScenarioError> {
    Scenario::of_text(include_str!("demo/scene.toml"))
}

/// What is played, and where.
pub struct Play<'a> {
    /// The machine, which the caller closes.
    pub machine: &'a dyn Machine,
    /// What runs.
    pub scenario: &'a Scenario,
    /// The programs that are put into the machine; none where the service is installed already.
    pub programs: Option<&'a Programs>,
    /// Where the server listens.
    pub listen: &'a str,
    /// Where everything arrives that happens.
    pub inputs: &'a Inputs,
    /// What visitors want.
    pub calls: &'a Receiver<Call>,
    /// What hangs by itself, and what makes this play's cases its own.
    pub seed: u64,
    /// Whether anything hangs by itself.
    pub random: bool,
}

/// Installs the service, and plays until the user wants to stop.
///
/// # Errors
/// What ended it early: the machine broke, or the service cannot be installed.
pub fn play(play: &Play, audience: &mut dyn Audience) -> Result<(), RunError> {
    let Play { machine, scenario, programs, listen, inputs, calls, seed, random } = *play;
    let settings = match programs {
        Some(programs) => install::install(machine, &scenario.service, programs)?.0,
        None => install::settings(machine, &scenario.service.unit_name())?,
    };
    let props = Props { machine, scenario, listen, inputs, calls, seed, random };
    let played = thread::scope(|scope| {
        let _journal = Follower::start(machine, &settings, inputs)?;
        let network = machine.network();
        let none = Programs::default();
        let file = |source: &Source| source.read(programs.unwrap_or(&none)).map_err(RunError::File);
        let client = Client::new(&scenario.observe, &network, file)?;
        let asks = inputs.sender();
        let observer = Observer::start(scope, machine, client, scenario.observe.interval, move |ask| {
            asks.send(Input::Ask(ask));
        })?;
        Stage::begin(&props, &observer, audience, settings)?.play()
    });
    played.map_err(|error| match error {
        _ if inputs.interrupted() => RunError::Interrupted,
        // Whatever a dying machine answers, that it died is what matters.
        error => machine.obituary().map_or(error, RunError::Journal),
    })
}
