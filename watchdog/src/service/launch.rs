//! Starting a process, from a command line to a program that runs.
//!
//! By fork and exec of our own rather than [`std::process::Command`] or posix_spawn(3): variables that name the new
//! process by its pid (`LISTEN_PID`, `WATCHDOG_PID`) can be written only in it, and only there can it ask to be told of
//! our end (`PR_SET_PDEATHSIG`). Here everything is made ready; the fork itself is in [`raw`].
//!
//! The signal at our end comes when the *thread* that forked ends. So it is asked for only on the main thread.

use std::ffi::{CString, NulError, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal};

use crate::kernel::raw;
use crate::kernel::raw::{Dispositions, Grouping, Image, Streams};
use crate::kernel::variable::{Value, Variable};
use crate::words::error::Error;
use crate::words::exit_code;
use crate::words::remedy;

/// Where execvp(3) looks when there is no PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("{command:?} not found{}", hint(command, path.as_ref()))]
    NotFound { command: PathBuf, path: Option<OsString> },
    #[error("{command:?} cannot be run: {source}{}", what_to_do(source))]
    CannotRun { command: PathBuf, source: io::Error },
    #[error("{command:?} cannot be run: there is a NUL byte in it, in an argument or in the environment")]
    NulByte { command: PathBuf },
}

impl From<SpawnError> for Error {
    fn from(error: SpawnError) -> Self {
        let exit_code = match &error {
            SpawnError::NotFound { .. } => exit_code::NOT_FOUND,
            SpawnError::CannotRun { .. } | SpawnError::NulByte { .. } => exit_code::CANNOT_RUN,
        };
        Self::new(error.to_string(), exit_code)
    }
}

fn hint(command: &std::path::Path, path: Option<&OsString>) -> String {
    match path {
        _ if command.as_os_str().as_bytes().contains(&b'/') => {
            "; look at the path, and at the interpreter if it is a script".to_owned()
        }
        Some(path) => format!(" in PATH ({}); give its full path", path.display()),
        None => ", and PATH is not set; give its full path".to_owned(),
    }
}

fn what_to_do(error: &io::Error) -> String {
    remedy::of_start(error).map(|remedy| format!("; {remedy}")).unwrap_or_default()
}

/// What to start, and as what.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// A program, looked up in `PATH`, and its arguments.
    pub command: &'a [OsString],
    pub environment: Vec<(OsString, Value)>,
    pub mask: &'a SigSet,
    pub dispositions: Dispositions,
    pub place: Grouping,
    /// What it gets when we end without having stopped it.
    pub death_signal: Signal,
    pub streams: Option<Streams<'a>>,
}

impl Launch<'_> {
    /// Forks. Whether the program then runs is said by [`Started`].
    pub fn start(self) -> Result<Started, SpawnError> {
        let command = PathBuf::from(self.command.first().cloned().unwrap_or_default());
        let path = self.environment.iter().find_map(|(name, value)| match value {
            Value::Text(path) if name == "PATH" => Some(path.clone()),
            _ => None,
        });
        let prepare = || {
            let arguments = self.command.iter().map(|argument| CString::new(argument.as_bytes()));
            let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
            let variables = self.environment.iter().map(|(name, value)| Variable::new(name, value));
            let variables = variables.collect::<Result<Vec<_>, _>>()?;
            let candidates = candidates(command.as_os_str(), path.as_deref())?;
            Ok::<_, NulError>((arguments, variables, candidates))
        };
        let Ok((arguments, mut variables, candidates)) = prepare() else {
            return Err(SpawnError::NulByte { command });
        };
        let forked = raw::fork(Image {
            candidates: &candidates,
            arguments: &arguments,
            environment: &mut variables,
            mask: self.mask,
            dispositions: self.dispositions,
            place: self.place,
            death_signal: on_main_thread().then_some(self.death_signal),
            streams: self.streams,
        });
        match forked {
            Ok((pid, report)) => Ok(Started { pid, report, refusal: Refusal { command, path } }),
            Err(source) => Err(SpawnError::CannotRun { command, source }),
        }
    }
}

fn on_main_thread() -> bool {
    rustix::thread::gettid() == rustix::process::getpid()
}

/// The files that may be meant by `program`, as execvp(3) has it.
fn candidates(program: &OsStr, path: Option<&OsStr>) -> Result<Vec<CString>, NulError> {
    if program.as_bytes().contains(&b'/') || program.is_empty() {
        return Ok(vec![CString::new(program.as_bytes())?]);
    }
    let directories = path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|byte| *byte == b':');
    directories
        .map(|directory| {
            // An empty one means the working directory.
            let separator: &[u8] = if directory.is_empty() { b"./" } else { b"/" };
            CString::new([directory, separator, program.as_bytes()].concat())
        })
        .collect()
}

/// A process that executes the program, or is about to, or cannot.
#[derive(Debug)]
pub(crate) struct Started {
    pub pid: Pid,
    /// Ends when the program runs, or once it was said why not, see [`raw::fork`].
    pub report: OwnedFd,
    pub refusal: Refusal,
}

/// Understands a [`Started::report`].
#[derive(Debug)]
pub(crate) struct Refusal {
    command: PathBuf,
    path: Option<OsString>,
}

impl Started {
    /// Waits until the program runs. If it does not, its process is left to be waited for.
    pub fn wait_for_exec(self) -> Result<(), SpawnError> {
        let mut report = Vec::new();
        match File::from(self.report).read_to_end(&mut report) {
            Ok(_) => self.refusal.in_report(&report),
            Err(source) => Err(SpawnError::CannotRun { command: self.refusal.command, source }),
        }
    }
}

impl Refusal {
    /// An error, if the whole `report` is of one.
    pub fn in_report(self, report: &[u8]) -> Result<(), SpawnError> {
        let Ok(errno) = report.try_into() else { return Ok(()) };
        let Self { command, path } = self;
        Err(match Errno::from_raw(i32::from_ne_bytes(errno)) {
            Errno::ENOENT | Errno::ENOTDIR => SpawnError::NotFound { command, path },
            errno => SpawnError::CannotRun { command, source: errno.into() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_up_as_execvp_does() {
        for (program, path, expected) in [
            ("true", Some("/a:/b"), &["/a/true", "/b/true"][..]),
            ("true", Some(":/b:"), &["./true", "/b/true", "./true"]),
            ("true", Some(""), &["./true"]),
            ("true", None, &["/bin/true", "/usr/bin/true"]),
            ("./true", Some("/a"), &["./true"]),
            ("/x/true", None, &["/x/true"]),
            ("", Some("/a"), &[""]),
        ] {
            let found = candidates(OsStr::new(program), path.map(OsStr::new)).unwrap();
            let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
            assert_eq!(found, expected, "{program} in {path:?}");
        }
    }
}
