//! Faults as the harness injects them, inside the machine: through `buggy_server`'s own client, or from outside, to any
//! service and without its cooperation.
//!
//! There is one [catalogue]: scenario files, `hangproof faults` and `docs/faults.md` are read from it. Each family is a file. A
//! fault is a [`Spec`] of the catalogue with its [`Parameters`]; what it does to a [`Target`] is an [`Act`](act::Act): commands, of
//! which the one that undoes it is known before the deed is done. Injecting gives an [`Active`], and dropping that heals.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::LazyLock;

use self::act::Step;
use self::parameter::{Parameters, Value};
use self::spec::{Family, Spec};
use crate::interrupt;
use crate::machine::{Choice, Machine, MachineError};
use crate::model::clock::Usec;
use crate::model::expect::Deed;

pub mod act;
mod clock;
mod command;
pub mod in_process;
pub mod need;
mod network;
pub mod parameter;
mod resources;
mod signals;
pub mod spec;
mod systemd;
mod target;

pub use self::in_process::CLIENT;
pub use self::target::Target;

const FAMILIES: [fn() -> Vec<Spec>; 7] = [
    in_process::faults,
    signals::faults,
    network::faults,
    resources::faults,
    systemd::faults,
    clock::faults,
    command::faults,
];

/// Every fault: those in process, then those that need no cooperation, family by family.
pub fn catalogue() -> &'static [Spec] {
    static CATALOGUE: LazyLock<Vec<Spec>> =
        LazyLock::new(|| FAMILIES.into_iter().flat_map(|faults| faults()).collect());
    &CATALOGUE
}

/// Something that can be done to a service, with all that can be decided about it.
#[derive(Clone)]
pub struct Fault {
    spec: &'static Spec,
    parameters: Parameters,
}

impl Fault {
    /// Every fault that needs nothing decided, in the order of the catalogue.
    pub fn all() -> impl Iterator<Item = Self> {
        catalogue().iter().filter_map(|spec| Self::of(spec, BTreeMap::new(), None).ok())
    }

    /// A fault of the catalogue; `given` are the parameters that are not as by default, each of its kind.
    ///
    /// # Errors
    /// The parameters that are needed and not given.
    pub fn of(
        spec: &'static Spec,
        given: BTreeMap<&'static str, Value>,
        observed_port: Option<u16>,
    ) -> Result<Self, Vec<&'static str>> {
        let parameters = Parameters::of(&spec.parameters, given, observed_port)?;
        Ok(Self { spec, parameters })
    }

    /// What the catalogue says of it.
    pub const fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// The name by which scenarios order it.
    pub const fn name(&self) -> &'static str {
        self.spec.name
    }

    /// What was decided about it.
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Whether the service does it to itself.
    pub fn is_in_process(&self) -> bool {
        self.spec.family == Family::InProcess
    }

    /// What becomes of the service: as the catalogue says, unless that is for the scenario to say.
    pub fn deed(&self) -> Deed {
        let effect = self.parameters.text("effect");
        let said = Deed::WORDS.into_iter().find(|(word, _)| *word == effect);
        said.map_or(self.spec.deed, |(_, deed)| deed)
    }

    /// What it needs and would not find in a machine, as far as the host can tell before one is booted.
    pub fn missing_on_host(&self, choice: Choice, root: &Path, has_image: bool) -> Option<String> {
        need::missing_on_host(&self.spec.needs, choice, root, has_image)
    }

    /// What it needs and does not find in this machine.
    pub fn missing_in(&self, machine: &dyn Machine) -> Result<Option<String>, MachineError> {
        need::missing_in(&self.spec.needs, machine)
    }

    /// Injects the fault into the service of `unit`. It lasts until the [`Active`] is healed, dropped or left.
    pub fn inject<'a>(&self, machine: &'a dyn Machine, unit: &str) -> Result<Active<'a>, MachineError> {
        let act = (self.spec.how)(self, &Target::of(machine, unit))?;
        // From here on it is undone, whatever the deed comes to.
        let mut active = Active {
            machine,
            fault: self.name(),
            takes_cpus: self.spec.takes_cpus,
            at: Usec(0),
            until: Usec(0),
            undo: act.undo,
        };
        (active.at, active.until) = act.deed.run_timed(machine)?;
        Ok(active)
    }
}

/// A fault that was injected: not before [`at`](Self::at), and entirely by [`until`](Self::until). Dropping it heals.
#[must_use = "dropping it heals the fault"]
pub struct Active<'a> {
    machine: &'a dyn Machine,
    undo: Option<Step>,
    /// Its name.
    pub fault: &'static str,
    /// Whether it may be what keeps the machine from running.
    pub takes_cpus: bool,
    /// From when on it may have been in effect: what recovery is measured from.
    pub at: Usec,
    /// When it was in effect for certain.
    pub until: Usec,
}

impl Active<'_> {
    /// Ends the fault, where it can be ended. That it has ended already is no error.
    pub fn heal(mut self) -> Result<(), MachineError> {
        self.undo_it()
    }

    /// Whether there is anything to be ended.
    pub fn heals(&self) -> bool {
        self.undo.is_some()
    }

    /// Leaves the service as it is.
    pub fn leave(mut self) {
        self.undo = None;
    }

    fn undo_it(&mut self) -> Result<(), MachineError> {
        self.undo.take().map_or(Ok(()), |undo| undo.run(self.machine).map(drop))
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        // A machine that ends since the user wants to stop takes its faults along.
        if let Err(error) = self.undo_it()
            && !interrupt::is_heard()
        {
            tracing::warn!("{} could not be healed: {error}", self.fault);
        }
    }
}

impl PartialEq for Fault {
    fn eq(&self, other: &Self) -> bool {
        (self.name(), &self.parameters) == (other.name(), &other.parameters)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name(), self.parameters)
    }
}

/// `sigstop processes=main`: its name, and what is not as by default.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Parameters::of(&self.spec.parameters, BTreeMap::new(), None).unwrap_or_default();
        let is_default = |name| {
            default
                .iter()
                .any(|(known, value)| (known, value.to_string()) == (name, self.parameters.text(name)))
        };
        f.write_str(self.name())?;
        let decided = self.parameters.iter().filter(|(name, _)| !is_default(name));
        decided.into_iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// There is no fault of that name, or it needs something decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such fault")]
pub struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        Self::all().find(|fault| fault.name() == name).ok_or(UnknownFault)
    }
}

#[cfg(test)]
mod tests;
