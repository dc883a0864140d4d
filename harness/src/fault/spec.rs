//! A fault as the catalogue has it: what people and programs are told of it, and how it is done.

use super::act::Act;
use super::need::Need;
use super::parameter::Parameter;
use super::{Fault, Target};
use crate::machine::MachineError;
use crate::model::expect::Deed;

/// A fault of the catalogue.
pub struct Spec {
    /// The name by which scenarios order it.
    pub name: &'static str,
    /// What it is about.
    pub family: Family,
    /// What it does, in one sentence without a full stop.
    pub does: &'static str,
    /// What can be decided about it.
    pub parameters: Vec<Parameter>,
    /// Whether it ends when it is healed; else only when the service is started anew, or by itself.
    pub heals: bool,
    /// What it needs, without which there is nothing to try.
    pub needs: Vec<Need>,
    /// Whether others may have to wait for the CPUs because of it: then that they do is no excuse for anybody.
    pub takes_cpus: bool,
    /// What becomes of the service, as far as it decides what a scenario can expect.
    pub deed: Deed,
    /// What is to bring the service back, for people.
    pub recovery: &'static str,
    /// What is done in the machine.
    pub how: How,
}

/// Says what is done to a target, and what undoes it.
pub type How = fn(&Fault, &Target) -> Result<Act, MachineError>;

/// What a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `buggy_server` does it to itself, on command.
    InProcess,
    /// Signals and stops.
    Signals,
    /// What the service is reached through, and reaches.
    Network,
    /// CPU, memory and disks.
    Resources,
    /// What systemd itself goes through.
    Systemd,
    /// Clocks.
    Clock,
    /// What the user has brought along.
    Command,
}

impl Family {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InProcess => "in process",
            Self::Signals => "signals",
            Self::Network => "network",
            Self::Resources => "resources",
            Self::Systemd => "systemd",
            Self::Clock => "clock",
            Self::Command => "command",
        }
    }
}

impl Spec {
    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }
}
