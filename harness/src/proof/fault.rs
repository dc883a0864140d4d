//! What is done to a service, as a test says it.

use super::Expected;
use crate::scenario::asked;

pub use crate::fault::parameter::Value;

/// What is done to a service, and when. Its name alone is one: `.fault("sigstop")`.
#[derive(Clone, Debug)]
#[must_use = "a Proof has to have it done: .fault(…), .then(…)"]
pub struct Fault(pub(super) asked::Fault);

/// A fault by its name, of those that `hangproof faults` has.
pub fn fault(name: impl Into<String>) -> Fault {
    Fault(asked::Fault { name: name.into(), ..asked::Fault::default() })
}

impl<T: Into<String>> From<T> for Fault {
    fn from(name: T) -> Self {
        fault(name)
    }
}

impl Fault {
    /// Decides a parameter, as `hangproof faults NAME` lists them: `.with("delay", "300ms")`, `.with("percent", 10)`,
    /// `.with("run", ["touch", "/tmp/x"])`. May be called again.
    pub fn with(mut self, parameter: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.parameters.push((parameter.into(), value.into()));
        self
    }

    /// It is healed so long after its injection, `"2s"`; by default at the trial's end.
    pub fn heal_after(mut self, span: impl Into<String>) -> Self {
        self.0.heal_after = Some(span.into());
        self
    }

    /// What it waits for behind another: `"recovered"`, which it is by default, `"detected"`, `"ended"`, `"starting"`, or a time,
    /// `"500ms"`.
    pub fn after(mut self, what: impl Into<String>) -> Self {
        self.0.after = Some(what.into());
        self
    }

    /// What is to come of it, where it comes behind another and that is something else than of the others.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.0.expect = Some(expected.0);
        self
    }
}
