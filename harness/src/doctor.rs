//! `hangproof doctor`: what this host can run, and what to do about what it cannot.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::machine::inotify::Usage;
use crate::machine::{MachineError, docker, namespace};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default().bold();
const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Looks at every backend and prints what it found. Exits with 3 if no machine can be booted at all.
pub fn examine() -> ExitCode {
    let namespaces = namespace::available(Path::new("/")).and_then(|cgroup| {
        let room = room()?;
        Ok(format!("the host's own systemd, in a cgroup below {}; {room}", cgroup.display()))
    });
    let found = [line("namespace", &namespaces), line("docker", &docker::describe())];
    if let Some(handler) = fs::read_to_string(CORE_PATTERN).ok().as_deref().and_then(core_handler) {
        anstream::println!(
            "{NOTE}--{NOTE:#}  {:<10} the host runs {handler} for each process of a machine that dumps core \
             (kernel.core_pattern), and its work is part of the kill phase",
            "cores"
        );
    }
    if found.contains(&true) { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

/// The program to which the kernel pipes core dumps, if it does (core(5)).
fn core_handler(pattern: &str) -> Option<&str> {
    pattern.strip_prefix('|')?.split_whitespace().next()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_piped_core_has_a_handler() {
        let coredump = "|/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h\n";
        assert_eq!(core_handler(coredump), Some("/usr/lib/systemd/systemd-coredump"));
        for pattern in ["core\n", "/var/crash/core.%p\n", "", "|"] {
            assert_eq!(core_handler(pattern), None, "{pattern:?}");
        }
    }
}
