//! The machine that this process is in: a container that has systemd as PID 1, and nothing else to do.
//!
//! Only `hangproof demo --here` plays there, as a unit of that container. What is done to a service is done to everybody's, so a
//! computer that is no container is refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::{Machine, MachineError, Network, Output, Stream, child};
use crate::model::description::Description;

/// What systemd writes of the container that it runs in (systemd, src/basic/virt.c).
const CONTAINER: &str = "/run/systemd/container";
/// What there is where systemd is PID 1 (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";

/// Where systemd has the top of its cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// This machine.
pub struct Here {
    description: Description,
}

impl Here {
    /// Looks whether it is one to play in.
    pub fn enter() -> Result<Self, MachineError> {
        let container = fs::read_to_string(CONTAINER).ok();
        refuse(Path::new(BOOTED).is_dir(), container.as_deref().map(str::trim))?;
        let backend = container.unwrap_or_default().trim().to_owned();
        let mut machine = Self { description: Description { backend, systemd: String::new(), boot_ms: 0.0 } };
        machine.description.systemd = super::systemd_version(&machine)?;
        Ok(machine)
    }
}

/// Where this is no place for it, says why.
fn refuse(is_booted: bool, container: Option<&str>) -> Result<(), MachineError> {
    let reason = match (is_booted, container) {
        (true, Some(_)) => return Ok(()),
        (false, _) => "systemd is not PID 1 here",
        (true, None) => "this computer is no container, and --here is for one that has nothing else to do",
    };
    let remedy = "Without --here `hangproof demo` boots a machine of its own.".into();
    Err(MachineError::Unavailable { reason: reason.into(), remedy })
}

fn spawn(argv: &[&str], stderr: Stdio) -> Result<Child, MachineError> {
    let spawned = child::command(argv, stderr).spawn();
    spawned.map_err(|error| MachineError::broken(format!("starting `{}`", argv.join(" ")), error))
}

impl Machine for Here {
    fn description(&self) -> &Description {
        &self.description
    }

    fn put(&self, path: &str, content: &[u8], mode: u32) -> Result<(), MachineError> {
        let put = || {
            if let Some(parent) = Path::new(path).parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, content)?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))
        };
        put().map_err(|error| MachineError::broken(format!("writing {path}"), error))
    }

    fn run(&self, argv: &[&str], deadline: Duration) -> Result<Output, MachineError> {
        let failed = |reason| MachineError::Command { command: argv.join(" "), reason };
        child::output(&mut spawn(argv, Stdio::piped())?, deadline).map_err(failed)
    }

    fn start(&self, argv: &[&str]) -> Result<Stream, MachineError> {
        let mut child = spawn(argv, Stdio::null())?;
        let stdout = child.stdout.take().ok_or_else(|| MachineError::Command {
            command: argv.join(" "),
            reason: "has no standard output".into(),
        })?;
        Ok(Stream::new(stdout, move || child::end(&mut child)))
    }

    fn cgroup(&self) -> Option<PathBuf> {
        Some(CGROUPS.into())
    }

    fn network(&self) -> Network {
        Network::Here
    }

    fn obituary(&self) -> Option<String> {
        None
    }

    /// It ends with whoever started it.
    fn close(&mut self) -> Result<(), MachineError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_container_with_a_systemd_of_its_own_is_refused_with_the_reason() {
        assert!(refuse(true, Some("docker")).is_ok());
        for (is_booted, container, said) in [
            (false, Some("docker"), "systemd is not PID 1 here"),
            (false, None, "systemd is not PID 1 here"),
            (true, None, "this computer is no container"),
        ] {
            let error = refuse(is_booted, container).expect_err("no place for it").to_string();
            assert!(error.contains(said) && error.contains("Without --here"), "{error}");
        }
    }

    #[test]
    fn commands_are_run_where_this_process_is() {
        let machine =
            Here { description: Description { backend: "x".into(), systemd: String::new(), boot_ms: 0.0 } };
        let run = |argv: &[&str]| machine.run(argv, Duration::from_secs(20));
        let output = run(&["sh", "-c", "echo said; echo wrong >&2; exit 3"]).expect("it runs");
        assert_eq!(
            (output.status.code(), output.stdout.as_str(), output.stderr.as_str()),
            (Some(3), "said\n", "wrong\n")
        );
        let error = machine.run(&["sleep", "20"], Duration::from_millis(50)).expect_err("it does not end");
        assert!(error.to_string().contains("did not end within 50ms"), "{error}");
    }
}
