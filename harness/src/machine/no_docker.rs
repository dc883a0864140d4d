//! In place of the Docker machine, where it is left out.

use super::{Machine, MachineError};
use crate::progress::Progress;

/// The engine that was chosen.
pub mod context {
    /// There is nobody who would ask for it.
    pub fn enter() {}
}

/// Never: it is not there.
pub fn available() -> Result<(), MachineError> {
    Err(left_out())
}

/// Why there is nothing to describe.
pub fn describe() -> Result<String, MachineError> {
    Err(left_out())
}

/// Why there is none.
pub fn boot(_image: Option<&str>, _progress: &dyn Progress) -> Result<Box<dyn Machine>, MachineError> {
    Err(left_out())
}

fn left_out() -> MachineError {
    MachineError::Unavailable {
        reason: "this hangproof was built without the cargo feature docker".into(),
        remedy: "Build it with that feature to have containers.".into(),
    }
}
