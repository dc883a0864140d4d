//! Faults as the harness injects them: through the server's own client, inside the machine.

use std::time::Duration;

use serde::Deserialize;

use crate::clock::Usec;
use crate::machine::{Machine, MachineError};

const CLIENT: &str = "/usr/local/bin/buggy_server";
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Answer {
    injected_at_monotonic_usec: u64,
}

/// Injects a fault into `buggy_server`, and returns the moment that the server itself names.
pub fn inject(machine: &dyn Machine, fault: &str) -> Result<Usec, MachineError> {
    let argv = [CLIENT, "inject", fault];
    let output = machine.run(&argv, PATIENCE)?;
    let refused =
        |reason: &str| MachineError::Command { command: argv.join(" "), reason: reason.trim().into() };
    if !output.status.success() {
        return Err(refused(&output.stderr));
    }
    let answer: Answer = serde_json::from_str(&output.stdout).map_err(|error| refused(&error.to_string()))?;
    Ok(Usec(answer.injected_at_monotonic_usec))
}
