//! The programs that go into a machine: found beside our own, and built with cargo when they are not there.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::progress::Progress;
use crate::scenario::Scenario;

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

/// The programs that some scenarios name, found.
#[derive(Clone, Debug, Default)]
pub struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Finds every program named; `progress` hears of a build, which takes a while.
    ///
    /// Under cargo each is brought up to date first, for `cargo run -p harness` builds only the harness: a stale program
    /// would be measured in place of the one just edited.
    pub fn find<'a>(
        names: impl IntoIterator<Item = &'a str>,
        progress: &dyn Progress,
    ) -> Result<Self, ProgramError> {
        let mut programs = Self::default();
        for name in names {
            if !programs.0.contains_key(name) {
                programs.0.insert(name.into(), find(name, progress)?);
            }
        }
        Ok(programs)
    }

    /// Those that the scenarios name as `bin:NAME`.
    pub fn of(scenarios: &[Scenario], progress: &dyn Progress) -> Result<Self, ProgramError> {
        let files = scenarios.iter().flat_map(|scenario| scenario.service.files.values());
        Self::find(files.filter_map(|file| file.strip_prefix("bin:")), progress)
    }

    /// Where a program is; one that was not asked for is nowhere.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.get(name).cloned().unwrap_or_else(|| name.into())
    }
}

fn find(name: &str, progress: &dyn Progress) -> Result<PathBuf, ProgramError> {
    let Some((_, package)) = PROGRAMS.iter().find(|(known, _)| *known == name) else {
        return Err(ProgramError::Unknown(name.into()));
    };
    let directory = own_directory();
    let path = directory.join(name);
    let cargo = env::var_os("CARGO");
    if path.exists() && cargo.is_none() {
        return Ok(path);
    }
    // Only a directory of cargo's own is built into: an installed hangproof has its programs installed beside it.
    let target = directory.parent().filter(|target| target.join("CACHEDIR.TAG").exists());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (Some(target), Some(profile), true) =
        (target, directory.file_name(), workspace.join("Cargo.toml").exists())
    else {
        return Err(ProgramError::Missing { name: name.into(), directory });
    };
    progress.stage(&format!("building {name}, or waiting for another cargo"));
    let profile = if profile == "debug" { "dev".into() } else { profile.to_owned() };
    let mut command = Command::new(cargo.unwrap_or_else(|| "cargo".into()));
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
