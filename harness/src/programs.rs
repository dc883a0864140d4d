//! The programs that go into a machine: found where they are said to be or beside our own, and built with cargo when they
//! are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interrupt;
use crate::progress::Progress;
use crate::scenario::Scenario;

/// What may be named `bin:NAME` in a scenario. Each has a package of this workspace to itself.
pub const PROGRAMS: [&str; 2] = ["buggy_server", "sd-watchdog"];

/// A program that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The scenario names one that is not ours.
    #[error("there is no program \"bin:{0}\"; there are: bin:buggy_server, bin:sd-watchdog")]
    Unknown(String),
    /// It is not in the directory that was given.
    #[error("{name} is not in {}, which --programs names", .directory.display())]
    NotGiven {
        /// The program.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
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
    /// Finds every program named: in the directory `given`, or beside our own program.
    ///
    /// Under cargo those beside our own are brought up to date first, for `cargo run -p harness` builds only the harness:
    /// a stale program would be measured in place of the one just edited. `progress` has a line of each build.
    pub fn find<'a>(
        names: impl IntoIterator<Item = &'a str>,
        given: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Self, ProgramError> {
        let names = names.into_iter().collect::<BTreeSet<_>>();
        if let Some(name) = names.iter().find(|name| !PROGRAMS.contains(name)) {
            return Err(ProgramError::Unknown((*name).into()));
        }
        let directory = given.map_or_else(own_directory, Path::to_owned);
        let absent = || names.iter().find(|name| !directory.join(name).exists());
        if given.is_none() && (absent().is_some() || env::var_os("CARGO").is_some()) {
            build(&names, &directory, progress)?;
        }
        if let Some(name) = absent() {
            let name = (*name).into();
            return Err(match given {
                Some(_) => ProgramError::NotGiven { name, directory },
                None => ProgramError::Missing { name, directory },
            });
        }
        Ok(Self(names.into_iter().map(|name| (name.to_owned(), directory.join(name))).collect()))
    }

    /// Those that the scenarios name as `bin:NAME`.
    pub fn of(
        scenarios: &[Scenario],
        given: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<Self, ProgramError> {
        Self::find(scenarios.iter().flat_map(|scenario| scenario.service.programs()), given, progress)
    }

    /// Where a program is; one that was not asked for is nowhere.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.get(name).cloned().unwrap_or_else(|| name.into())
    }
}

/// Builds the programs into `directory` by one call of cargo, if that is a directory of cargo's own: an installed hangproof
/// has its programs installed beside it.
fn build(names: &BTreeSet<&str>, directory: &Path, progress: &dyn Progress) -> Result<(), ProgramError> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let is_cargos = |directory: &Path| directory.join("CACHEDIR.TAG").exists();
    if names.is_empty()
        || !workspace.join("Cargo.toml").exists()
        || !directory.parent().is_some_and(is_cargos)
    {
        return Ok(());
    }
    let Some(arguments) = arguments(names, directory, is_cargos, cfg!(feature = "docker")) else {
        return Ok(());
    };
    let all = names.iter().copied().collect::<Vec<_>>().join(" and ");
    progress.note(&format!("Building {all}, or waiting for another cargo"));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(&workspace);
    for (name, _) in env::vars_os().filter(|(name, _)| describes_a_package(&name.to_string_lossy())) {
        cargo.env_remove(name);
    }
    let said = match interrupt::end_of(&mut cargo) {
        Ok((status, _)) if status.success() => return Ok(()),
        Ok((_, said)) => said.trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(ProgramError::Build { command: format!("{cargo:?}"), output: said })
}

/// Whether it is a variable by which `cargo run` and `cargo test` tell a program of its package. Cargo builds again what
/// depends on such a variable (ring, and with it all that speaks TLS) when it finds another value in its own environment.
fn describes_a_package(variable: &str) -> bool {
    ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_"].iter().any(|prefix| variable.starts_with(prefix))
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR"].contains(&variable)
}

/// What cargo is told, so that it builds `names` into `directory` of what it has already built our own program with: the
/// features that cargo gives to a library are those that all of the packages named ask for.
fn arguments(
    names: &BTreeSet<&str>,
    directory: &Path,
    is_cargos: impl Fn(&Path) -> bool,
    docker: bool,
) -> Option<Vec<OsString>> {
    let profile = directory.file_name()?;
    let above = directory.parent()?;
    // With `--target TRIPLE` there is one directory more.
    let (target, triple) = match above.parent() {
        Some(target) if is_cargos(target) => (target, above.file_name()),
        _ => (above, None),
    };
    let mut arguments: Vec<OsString> = vec!["build".into(), "--quiet".into(), "--locked".into()];
    let profile = if profile == "debug" { "dev".into() } else { profile.to_owned() };
    arguments.extend(["--target-dir".into(), target.into(), "--profile".into(), profile]);
    if let Some(triple) = triple {
        arguments.extend(["--target".into(), triple.into()]);
    }
    arguments
        .extend(["harness", "server", "watchdog"].iter().flat_map(|name| ["--package".into(), name.into()]));
    if !docker {
        arguments.extend(["--no-default-features", "--features", "watchdog/default"].map(Into::into));
    }
    arguments.extend(names.iter().flat_map(|name| ["--bin".into(), name.into()]));
    Some(arguments)
}

/// Where this program is; tests and benchmarks live one directory deeper.
fn own_directory() -> PathBuf {
    let own = env::current_exe().unwrap_or_default();
    let directory = own.parent().unwrap_or(Path::new("."));
    if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn cargo_is_told_to_build_as_it_built_hangproof() {
        let same = "--package harness --package server --package watchdog";
        let least = "--no-default-features --features watchdog/default";
        for (directory, docker, expected) in [
            (
                "/w/target/debug",
                true,
                format!("--target-dir /w/target --profile dev {same} --bin sd-watchdog"),
            ),
            (
                "/w/target/dist",
                true,
                format!("--target-dir /w/target --profile dist {same} --bin sd-watchdog"),
            ),
            (
                "/w/target/debug",
                false,
                format!("--target-dir /w/target --profile dev {same} {least} --bin sd-watchdog"),
            ),
            (
                "/w/target/riscv64gc-unknown-linux-gnu/release",
                true,
                format!(
                    "--target-dir /w/target --profile release --target riscv64gc-unknown-linux-gnu {same} --bin sd-watchdog"
                ),
            ),
        ] {
            let is_cargos = |directory: &Path| directory.starts_with("/w/target");
            let told = arguments(&["sd-watchdog"].into(), Path::new(directory), is_cargos, docker)
                .expect("arguments");
            let told = told.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ");
            assert_eq!(told, format!("build --quiet --locked {expected}"));
        }
    }

    #[test]
    fn what_cargo_says_of_the_harness_is_kept_from_the_cargo_that_builds_the_programs() {
        let own =
            env::vars().map(|(name, _)| name).filter(|name| describes_a_package(name)).collect::<Vec<_>>();
        assert!(own.iter().any(|name| name == "CARGO_PKG_NAME"), "{own:?}");
        for settings in
            ["CARGO", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_PROFILE_DEV_DEBUG", "CARGO_ENCODED_RUSTFLAGS"]
        {
            assert!(!describes_a_package(settings), "{settings}");
        }
    }

    #[test]
    fn programs_that_are_given_are_taken_as_they_are() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("sd-watchdog"), "").expect("written");
        let find = |name| Programs::find([name], Some(directory.path()), &Silent);
        let found = find("sd-watchdog").expect("it is there");
        assert_eq!(found.path("sd-watchdog"), directory.path().join("sd-watchdog"));
        let error = find("buggy_server").expect_err("it is not there").to_string();
        assert!(
            error.starts_with("buggy_server is not in /") && error.ends_with("--programs names"),
            "{error}"
        );
        let error = find("cat").expect_err("not ours").to_string();
        assert!(error.starts_with("there is no program \"bin:cat\""), "{error}");
    }
}
