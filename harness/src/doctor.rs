//! `hangproof doctor`: what this host can run, and what to do about what it cannot.

use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::machine::docker::engine::Engine;
use crate::machine::{MachineError, namespace};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Looks at every backend and prints what it found. Exits with 3 if no machine can be booted at all.
pub fn examine() -> ExitCode {
    let namespaces = namespace::available(Path::new("/"))
        .map(|cgroup| format!("the host's own systemd, in a cgroup below {}", cgroup.display()));
    let docker = Engine::connect().map(|engine| {
        let about = engine.about();
        let cgroups = match (about.cgroup_version.as_str(), about.writable_cgroups()) {
            ("2", true) => "pure cgroup2: writable-cgroups or a remount give systemd its own",
            ("2", false) => "pure cgroup2: the entrypoint remounts it for systemd",
            _ => "cgroup v1 or hybrid: the entrypoint mounts cgroup2 afresh for systemd",
        };
        let image = crate::machine::docker::image_in_use(&engine);
        format!("Docker {}, storage {}; {cgroups}; {image}", about.version, about.storage)
    });
    let found = [line("namespace", &namespaces), line("docker", &docker)];
    if found.contains(&true) { ExitCode::SUCCESS } else { ExitCode::from(3) }
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
