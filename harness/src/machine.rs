//! A booted systemd that the harness owns.
//!
//! The trait is small on purpose: everything else (installing a unit, injecting a fault, following the journal,
//! observing the outage) is built on it, so that a new backend is one file.

use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use crate::model::description::Description;
use crate::progress::Progress;

mod child;
#[cfg(feature = "docker")]
pub mod docker;
#[cfg(not(feature = "docker"))]
#[path = "machine/no_docker.rs"]
pub mod docker;
pub mod here;
pub mod inotify;
mod layout;
pub mod namespace;
pub mod pressure;

/// A booted systemd, the journal of which can be read and into which commands can be sent.
///
/// Dropping a machine closes it; [`Machine::close`] does the same and says what could not be cleaned up.
pub trait Machine: Send + Sync {
    /// What was booted.
    fn description(&self) -> &Description;

    /// Writes a file, with its parent directories.
    fn put(&self, path: &str, content: &[u8], mode: u32) -> Result<(), MachineError>;

    /// Runs a command to its end, or kills it at the deadline.
    ///
    /// A command that ends with a failure is an [`Output`], not an error: the caller knows what it means.
    fn run(&self, argv: &[&str], deadline: Duration) -> Result<Output, MachineError>;

    /// Starts a command and hands over its standard output. It ends with the [`Stream`] or with the machine.
    fn start(&self, argv: &[&str]) -> Result<Stream, MachineError>;

    /// The top of its cgroups, where that is to be seen from here.
    fn cgroup(&self) -> Option<PathBuf>;

    /// How the machine's ports are reached from here.
    fn network(&self) -> Network;

    /// Why the machine runs no longer. One that is just breaking is given a second to end; `None` if it lives on.
    fn obituary(&self) -> Option<String>;

    /// Ends the machine and everything in it, and leaves nothing behind.
    fn close(&mut self) -> Result<(), MachineError>;
}

/// Where machines are booted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// In bare namespaces of the host.
    Namespace,
    /// In a container.
    Docker,
    /// In namespaces where the host can, else in a container.
    #[default]
    Auto,
}

/// Boots a machine: of the tree at `root` in namespaces, of `image` (or what there is) in a container.
pub fn boot(
    choice: Choice,
    root: &Path,
    image: Option<&str>,
    progress: &dyn Progress,
) -> Result<Box<dyn Machine>, MachineError> {
    let in_namespaces = match choice {
        Choice::Namespace => true,
        Choice::Docker => false,
        // Who names a tree or an image has chosen.
        Choice::Auto if image.is_some() => false,
        Choice::Auto if root != Path::new("/") => true,
        Choice::Auto => match (namespace::available(root), docker::available()) {
            (Ok(_), _) => true,
            (Err(_), Ok(())) => false,
            (Err(namespaces), Err(docker)) => return Err(neither(namespaces, docker)),
        },
    };
    if in_namespaces {
        progress.stage("booting systemd in namespaces");
        return Ok(Box::new(namespace::NamespaceMachine::boot_in_turn(root, progress)?));
    }
    docker::boot(image, progress)
}

fn neither(namespaces: MachineError, docker: MachineError) -> MachineError {
    match (namespaces, docker) {
        (
            MachineError::Unavailable { reason, remedy },
            MachineError::Unavailable { reason: no_docker, remedy: start_docker },
        ) => MachineError::Unavailable {
            reason: format!("not in namespaces, for {reason}; and not in a container, for {no_docker}"),
            remedy: format!("{remedy} {start_docker}"),
        },
        (namespaces, _) => namespaces,
    }
}

/// How long a machine that breaks may take to have ended.
const LAST_BREATH: Duration = Duration::from_secs(1);

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it wrote to standard output.
    pub stdout: String,
    /// Everything it wrote to standard error.
    pub stderr: String,
}

impl Output {
    /// Of a command, `argv`, that had to succeed.
    ///
    /// # Errors
    /// [`MachineError::Command`] with what it wrote to standard error, or how it ended.
    pub fn successful(self, argv: &[&str]) -> Result<Self, MachineError> {
        if self.status.success() {
            return Ok(self);
        }
        let said = self.stderr.trim();
        let reason = if said.is_empty() { self.status.to_string() } else { said.to_owned() };
        Err(MachineError::Command { command: argv.join(" "), reason })
    }
}

/// The standard output of a command that runs in a machine; dropping it ends the command.
pub struct Stream {
    output: Box<dyn Read + Send>,
    end: Option<Box<dyn FnOnce() + Send>>,
}

impl Stream {
    /// A stream that calls `end` when it is dropped.
    pub fn new(output: impl Read + Send + 'static, end: impl FnOnce() + Send + 'static) -> Self {
        Self { output: Box::new(output), end: Some(Box::new(end)) }
    }

    /// Splits the stream into what is read and what ends it, so that one thread may wait for a line while another
    /// ends the command.
    pub fn split(mut self) -> (Box<dyn Read + Send>, StreamGuard) {
        let output = std::mem::replace(&mut self.output, Box::new(io::empty()));
        (output, StreamGuard(self.end.take()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        drop(StreamGuard(self.end.take()));
    }
}

/// Ends a streaming command when dropped.
#[must_use = "dropping the guard ends the command"]
pub struct StreamGuard(Option<Box<dyn FnOnce() + Send>>);

impl Drop for StreamGuard {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// How a machine's ports and sockets are reached: a thread enters the network, then uses ordinary ones.
#[derive(Clone)]
pub enum Network {
    /// In namespaces of its own, on the loopback address.
    Namespace(Arc<Namespaces>),
    /// At an address of its own; the port is the service's.
    Address(SocketAddr),
    /// Where this process is itself.
    Here,
}

/// Those of a machine that a client enters.
pub struct Namespaces {
    network: OwnedFd,
    mounts: OwnedFd,
}

impl Namespaces {
    /// Those of a process, by its directory in `/proc`.
    pub fn of(process: &Path) -> io::Result<Self> {
        let open = |name| std::fs::File::open(process.join("ns").join(name)).map(OwnedFd::from);
        Ok(Self { network: open("net")?, mounts: open("mnt")? })
    }
}

impl Network {
    /// Moves the calling thread into the machine's network, for good.
    pub fn enter(&self) -> io::Result<()> {
        match self {
            Self::Namespace(namespaces) => namespace::enter_network(&namespaces.network),
            Self::Address(_) | Self::Here => Ok(()),
        }
    }

    /// Whether a thread can see the machine's files, and so its sockets.
    pub fn has_files(&self) -> bool {
        matches!(self, Self::Namespace(_) | Self::Here)
    }

    /// Moves the calling thread also to the machine's files, for good: a path means what it means there, links too.
    pub fn enter_files(&self) -> io::Result<()> {
        match self {
            Self::Namespace(namespaces) => namespace::enter_files(&namespaces.mounts),
            Self::Here => Ok(()),
            Self::Address(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The address, once entered, at which `service` (as the machine itself would name it) is reached.
    pub fn address(&self, service: SocketAddr) -> SocketAddr {
        match self {
            Self::Namespace(_) | Self::Here => service,
            Self::Address(machine) => SocketAddr::new(machine.ip(), service.port()),
        }
    }
}

/// Why a machine could not be had, or broke.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// This host cannot boot such a machine; `remedy` says what would change that.
    #[error("no machine can be booted here: {reason}. {remedy}")]
    Unavailable {
        /// What is missing.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// systemd was started and did not become ready.
    #[error("systemd did not boot: {reason}{}", Console(.console))]
    Boot {
        /// What was waited for and what was seen instead.
        reason: String,
        /// The last lines of its console.
        console: String,
    },
    /// A command could not be run to its end.
    #[error("`{command}` in the machine: {reason}")]
    Command {
        /// The command line.
        command: String,
        /// What happened to it.
        reason: String,
    },
    /// The machine stopped working, or something in it could not be reached.
    #[error("the machine broke: {context}: {source}")]
    Broken {
        /// What was being done.
        context: String,
        /// What the system said.
        source: io::Error,
    },
}

impl MachineError {
    /// An I/O error with what was being done.
    pub fn broken(context: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Broken { context: context.into(), source: source.into() }
    }

    /// The user wants to stop, before this was done.
    fn interrupted(context: &str) -> Self {
        Self::broken(context, io::Error::from(io::ErrorKind::Interrupted))
    }
}

struct Console<'a>(&'a str);

impl fmt::Display for Console<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        f.write_str(". Its last lines:")?;
        self.0.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// Asks the machine's systemd for its version: `systemctl show` answers on every version, `--version` may be the
/// client's.
fn systemd_version(machine: &dyn Machine) -> Result<String, MachineError> {
    let argv = ["systemctl", "show", "--property=Version", "--value"];
    let output = machine.run(&argv, Duration::from_secs(5))?.successful(&argv)?;
    // "252.39-1~deb12u2", "v261.1", "257.9-1.fc42": what follows the number is the distribution's.
    let version = output.stdout.trim().trim_start_matches('v');
    let version = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    if version.is_empty() {
        let reason = format!("printed no version: {}", output.stderr.trim());
        return Err(MachineError::Command { command: argv.join(" "), reason });
    }
    Ok(version.to_owned())
}
