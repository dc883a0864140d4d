//! The programs that go into a machine: found beside our own, and built with cargo when they are not there.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What may be named `bin:NAME` in a scenario, and the package that builds it.
const PROGRAMS: [(&str, &str); 2] = [("buggy_server", "server"), ("sd-watchdog", "watchdog")];

/// A program that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The scenario names one that is not ours.
    #[error("there is no program \"bin:{0}\"; there are: bin:buggy_server, bin:sd-watchdog")]
    Unknown(String),
    /// It is not beside `hangproof`, and `hangproof` was not built from a workspace that is still there.
    #[error("{name} is not in {}. Install it there, or run hangproof from its workspace with cargo", .directory.display())]
    Missing {
        /// The program.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// cargo failed.
    #[error("`{command}` failed:\n{output}")]
    Build {
        /// The command line.
        command: String,
        /// What it said.
        output: String,
    },
}

/// Finds a program.
///
/// Under cargo it is brought up to date first, for `cargo run -p harness` builds only the harness: a stale program
/// would be measured in place of the one just edited. `building` is called before a build that takes a while.
pub fn find(name: &str, building: impl FnOnce(&str)) -> Result<PathBuf, ProgramError> {
    let Some((_, package)) = PROGRAMS.iter().find(|(known, _)| *known == name) else {
        return Err(ProgramError::Unknown(name.into()));
    };
    let directory = own_directory();
    let path = directory.join(name);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let under_cargo = env::var_os("CARGO").is_some();
    if path.exists() && !under_cargo {
        return Ok(path);
    }
    let target = directory.parent().filter(|_| workspace.join("Cargo.toml").exists());
    let Some((target, profile)) = target.zip(directory.file_name()) else {
        return Err(ProgramError::Missing { name: name.into(), directory });
    };
    if !path.exists() {
        building(name);
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = if profile == "debug" { "dev".into() } else { profile.to_owned() };
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", package, "--bin", name, "--profile"])
        .arg(profile)
        .arg("--target-dir")
        .arg(target)
        .current_dir(&workspace)
        .stdin(Stdio::null());
    let output = command.output().map(|output| (output.status.success(), output.stderr));
    match output {
        Ok((true, _)) if path.exists() => Ok(path),
        Ok((_, stderr)) => Err(ProgramError::Build {
            command: format!("cargo build --package {package}"),
            output: String::from_utf8_lossy(&stderr).trim().to_owned(),
        }),
        Err(_) => Err(ProgramError::Missing { name: name.into(), directory }),
    }
}

/// Where this program is; tests and benchmarks live one directory deeper.
fn own_directory() -> PathBuf {
    let own = env::current_exe().unwrap_or_default();
    let directory = own.parent().unwrap_or(Path::new("."));
    if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory }.to_owned()
}
