//! `hangproof doctor`: what this host can run, and what to do about what it cannot.

use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::machine::inotify::Usage;
use crate::machine::{MachineError, docker, namespace};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Looks at every backend and prints what it found. Exits with 3 if no machine can be booted at all.
pub fn examine() -> ExitCode {
    let namespaces = namespace::available(Path::new("/")).and_then(|cgroup| {
        let room = room()?;
        Ok(format!("the host's own systemd, in a cgroup below {}; {room}", cgroup.display()))
    });
    let found = [line("namespace", &namespaces), line("docker", &docker::describe())];
    if found.contains(&true) { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

/// How many machines at once there is room for.
fn room() -> Result<String, MachineError> {
    match Usage::now() {
        None => Ok("how many at once is not known".into()),
        Some(usage) if usage.room() == 0 => Err(usage.exhausted()),
        Some(usage) => Ok(format!("{usage}: room for {} at once", usage.room())),
    }
}

/// Prints a backend's line; whether it works.
fn line(backend: &str, found: &Result<String, MachineError>) -> bool {
    match found {
        Ok(what) => anstream::println!("{GOOD}ok{GOOD:#}  {backend:<10} {what}"),
        Err(MachineError::Unavailable { reason, remedy }) => {
            anstream::println!("{BAD}no{BAD:#}  {backend:<10} {reason}. {remedy}");
        }
        Err(error) => anstream::println!("{BAD}no{BAD:#}  {backend:<10} {error}"),
    }
    found.is_ok()
}
