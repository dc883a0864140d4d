//! COMMAND, from its start to its end.
//!
//! It is to notice nothing of us, and whoever looks at us is to see it:
//!
//! - It gets our standard streams and open descriptors, the signal mask and the ignored signals we were given, and our
//!   environment without what systemd says to us ([`OURS`]).
//! - It stays in our process group. So it keeps its terminal, and keys pressed there reach it from the kernel, once; only
//!   what processes send us is passed on ([`Received::by_kernel`](crate::signals::Received)). Passed on to COMMAND
//!   alone, not to its children: so a signal does what it would do if COMMAND were the main process.
//! - systemd signals every process of the unit under `KillMode=control-group`, its default. Passing on makes it two
//!   for COMMAND then. With `KillMode=mixed` systemd leaves the first signal to us, and COMMAND gets one.
//! - It is waited for by its pid: strangers that we inherit as a subreaper are not ours to interpret.
//! - It ended by a signal: so do we, by the same one, since systemd (`Restart=on-abnormal`) and shells tell the two apart.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fmt, io};

use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, WaitOptions, kill_process, set_dumpable_behavior, setrlimit,
    waitpid,
};

use crate::environment::OURS;
use crate::{exit_code, signals};

/// A started COMMAND.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
}

/// What to do with SIGPIPE, which a Rust program ignores, and which would be inherited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigPipe {
    /// As systemd starts services, unless they say `IgnoreSIGPIPE=no`.
    Ignored,
    /// As shells start programs.
    Default,
}

/// COMMAND could not be started.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum SpawnError {
    #[error("{command:?} not found{}", hint(command, path.as_ref()))]
    NotFound { command: PathBuf, path: Option<OsString> },
    #[error("{command:?} cannot be run: {source}")]
    CannotRun { command: PathBuf, source: io::Error },
    #[error("{command:?} cannot be run: there is a NUL byte in it, in an argument or in the environment")]
    NulByte { command: PathBuf },
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

impl Child {
    /// Starts `command`, a program (looked up in `PATH`) and its arguments.
    ///
    /// posix_spawn(3) rather than [`std::process::Command`], which leaves no choice about the signal mask and SIGPIPE.
    pub fn spawn(command: &[OsString], mask: &SigSet, sigpipe: SigPipe) -> Result<Self, SpawnError> {
        let name = || PathBuf::from(command.first().cloned().unwrap_or_default());
        let nul_byte = |_| SpawnError::NulByte { command: name() };
        let arguments: Vec<CString> = command
            .iter()
            .map(|argument| CString::new(argument.as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(nul_byte)?;
        let environment = environment().collect::<Result<Vec<_>, _>>().map_err(nul_byte)?;
        let Some(program) = arguments.first() else {
            return Err(SpawnError::NotFound { command: name(), path: None });
        };
        let spawn = || {
            let actions = PosixSpawnFileActions::init()?;
            posix_spawnp(program, &actions, &attributes(mask, sigpipe)?, &arguments, &environment)
        };
        match spawn() {
            Ok(pid) => match Pid::from_raw(pid.as_raw()) {
                Some(pid) => Ok(Self { pid }),
                None => Err(SpawnError::CannotRun { command: name(), source: Errno::ESRCH.into() }),
            },
            Err(Errno::ENOENT | Errno::ENOTDIR) => {
                Err(SpawnError::NotFound { command: name(), path: std::env::var_os("PATH") })
            }
            Err(errno) => Err(SpawnError::CannotRun { command: name(), source: errno.into() }),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Passes a signal on. Real-time signals cannot be: that is said in the log.
    pub fn pass_on(&self, number: i32) {
        let Some(signal) = rustix::process::Signal::from_named_raw(number) else {
            tracing::warn!(
                "{} cannot be passed on to COMMAND: real-time signals are not supported",
                signals::name(number)
            );
            return;
        };
        match kill_process(self.pid, signal) {
            Ok(()) => tracing::debug!("passed {} on to COMMAND", signals::name(number)),
            Err(error) => tracing::warn!("cannot pass {} on to COMMAND: {error}", signals::name(number)),
        }
    }

    /// How it ended, if it did.
    pub fn try_wait(&self) -> io::Result<Option<End>> {
        let Some((_, status)) = waitpid(Some(self.pid), WaitOptions::NOHANG)? else { return Ok(None) };
        Ok(match (status.exit_status(), status.terminating_signal()) {
            // An exit status has eight bits.
            (Some(code), _) => Some(End::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX))),
            (None, Some(signal)) => Some(End::Killed { signal }),
            (None, None) => None,
        })
    }
}

/// Ours, without what is said to us.
fn environment() -> impl Iterator<Item = Result<CString, std::ffi::NulError>> {
    std::env::vars_os().filter(|(name, _)| !OURS.iter().any(|ours| name == OsStr::new(ours))).map(
        |(mut entry, value)| {
            entry.push("=");
            entry.push(value);
            CString::new(entry.into_vec())
        },
    )
}

fn attributes(mask: &SigSet, sigpipe: SigPipe) -> nix::Result<PosixSpawnAttr> {
    let mut attributes = PosixSpawnAttr::init()?;
    let mut flags = PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
    attributes.set_sigmask(mask)?;
    if sigpipe == SigPipe::Default {
        flags |= PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
        attributes.set_sigdefault(&Signal::SIGPIPE.into())?;
    }
    attributes.set_flags(flags)?;
    Ok(attributes)
}

/// How COMMAND ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal.
    Killed {
        /// As in signal(7).
        signal: i32,
    },
}

impl End {
    /// Ends this process in the same way: does not return where that is a signal, unless the signal cannot be raised.
    ///
    /// No core is dumped for it: it would be of the wrong process. A limit of 0 alone does not keep one from
    /// systemd-coredump, so this process is made undumpable as well (core(5)).
    pub fn reproduce(self) -> ExitCode {
        match self {
            Self::Exited(code) => ExitCode::from(code),
            Self::Killed { signal } => {
                // Where these fail, a core too many is the lesser evil.
                let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
                let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
                let _ = signal_hook::low_level::emulate_default_handler(signal);
                let number = u8::try_from(signal).unwrap_or(u8::MAX - exit_code::SIGNAL_BASE);
                ExitCode::from(exit_code::SIGNAL_BASE.saturating_add(number))
            }
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "COMMAND exited with code {code}"),
            Self::Killed { signal } => write!(f, "COMMAND was killed by {}", signals::name(*signal)),
        }
    }
}
