//! The namespace machine: the host's own systemd as PID 1 of fresh namespaces. No Docker, no image, no network.
//!
//! A *keeper* thread unshares mount, pid, net, uts and ipc namespaces for itself alone, puts together a tmpfs root
//! over the host's read-only `/usr`, and forks systemd. Commands enter from short-lived threads with `setns`. PID 1
//! dies with the keeper (PDEATHSIG), the pid namespace with PID 1, and the mounts with the last process in them, so
//! that nothing outlives the harness but an empty cgroup directory, which the next run sweeps.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{
    LinkNameSpaceType, ThreadNameSpaceType, UnshareFlags, move_into_link_name_space,
    move_into_thread_name_spaces,
};

use self::cgroup::Cgroup;
use self::host::Host;
use self::keeper::{Boot, Keeper};
use super::inotify::{self, Neighbours};
use super::{Machine, MachineError, Namespaces, Network, Output, Stream, child};
use crate::interrupt;
use crate::model::description::{Description, in_ms};
use crate::progress::{Progress, Silent};

pub use self::host::cgroup_of;

mod cgroup;
mod filesystem;
mod host;
mod keeper;
mod pid1;

const BOOT_PATIENCE: Duration = Duration::from_secs(20);

/// How long inotify instances are waited for: one that has just ended may be about to free some, one that runs will.
const ALONE: Duration = Duration::from_secs(2);
const BESIDE_OTHERS: Duration = Duration::from_secs(600);
const NEXT_LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Whether a namespace machine can be booted here, and the cgroup below which it would be.
///
/// # Errors
/// [`MachineError::Unavailable`] with the reason and the remedy.
pub fn available(tree: &Path) -> Result<PathBuf, MachineError> {
    Host::inspect(tree).map(|host| host.cgroup)
}

/// systemd in namespaces of its own.
pub struct NamespaceMachine {
    description: Description,
    keeper: Keeper,
    cgroup: Option<Cgroup>,
    network: Arc<Namespaces>,
}

impl NamespaceMachine {
    /// Boots the systemd of `tree` (`/` for the host's own) and waits until it is ready.
    pub fn boot(tree: &Path) -> Result<Self, MachineError> {
        Self::boot_in_turn(tree, &Silent)
    }

    /// The same; where other machines have what it needs, it waits for its turn, and says so to `progress`.
    pub fn boot_in_turn(tree: &Path, progress: &dyn Progress) -> Result<Self, MachineError> {
        let host = Host::inspect(tree)?;
        let in_cgroups = |error| MachineError::broken(format!("in {}", host.cgroup.display()), error);
        // What an earlier run left and nobody can remove yet must not keep this one from running.
        if let Err(error) = cgroup::sweep(&host.cgroup) {
            tracing::warn!("a dead run's cgroup could not be removed: {error}");
        }
        let cgroup = Cgroup::create(&host.cgroup).map_err(in_cgroups)?;
        await_turn(&cgroup, &host, progress)?;
        let begin = Instant::now();
        let boot = Boot { tree: host.root.clone(), cgroup: cgroup.entrance().map_err(in_cgroups)? };
        let keeper = Keeper::boot(boot, BOOT_PATIENCE).map_err(inotify::or_exhausted)?;
        cgroup.open_to_commands().map_err(in_cgroups)?;
        let boot_ms = in_ms(begin.elapsed());
        let process = PathBuf::from(format!("/proc/{}", keeper.pid.as_raw_nonzero()));
        let network = Namespaces::of(&process)
            .map_err(|error| MachineError::broken("opening the machine's namespaces", error))?;
        let description = Description { backend: "namespace".into(), systemd: String::new(), boot_ms };
        let mut machine = Self { description, keeper, cgroup: Some(cgroup), network: Arc::new(network) };
        machine.description.systemd = super::systemd_version(&machine)?;
        Ok(machine)
    }

    /// PID 1, as seen from here.
    pub fn pid(&self) -> Pid {
        self.keeper.pid
    }

    /// Runs `work` on a thread inside the machine's namespaces (but for the cgroup namespace, which a process enters with
    /// its cgroup), allowed what PID 1 is.
    fn inside<T: Send>(
        &self,
        what: &str,
        work: impl FnOnce() -> io::Result<T> + Send,
    ) -> Result<T, MachineError> {
        let enter = || {
            // setns(2) takes only a thread that shares its root and working directory with no other.
            pid1::unshare(UnshareFlags::FS)?;
            let all = ThreadNameSpaceType::MOUNT
                | ThreadNameSpaceType::PROCESS_ID
                | ThreadNameSpaceType::NETWORK
                | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
                | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION;
            move_into_thread_name_spaces(self.keeper.pidfd.as_fd(), all)?;
            pid1::give_up_capabilities()?;
            work()
        };
        let result = thread::scope(|scope| scope.spawn(enter).join());
        match result {
            Ok(Ok(value)) => Ok(value),
            // setns(2) finds no such process a moment before the pidfd says so.
            Ok(Err(error))
                if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) || !self.keeper.is_alive() =>
            {
                Err(MachineError::broken(what, io::Error::other("systemd (PID 1) has ended")))
            }
            Ok(Err(error)) => Err(MachineError::broken(what, error)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn spawn(&self, argv: &[&str], stderr: Stdio) -> Result<Child, MachineError> {
        let what = format!("starting `{}`", argv.join(" "));
        let broken = |error| MachineError::broken(what.as_str(), error);
        let ended = || broken(io::Error::other("the machine is closed"));
        let procs = self.cgroup.as_ref().ok_or_else(ended)?.entrance_of_commands();
        let pidfd = self.keeper.pidfd.try_clone().map_err(broken)?;
        self.inside(&what, || {
            let mut command = child::command(argv, stderr);
            pid1::in_cgroup(&mut command, procs?, pidfd);
            unless_written(|| command.spawn())
        })
    }
}

/// Waits until there are inotify instances for one more machine, for as long as there are others that may free some.
fn await_turn(cgroup: &Cgroup, host: &Host, progress: &dyn Progress) -> Result<(), MachineError> {
    let begin = Instant::now();
    let mut is_said = false;
    loop {
        let neighbours =
            cgroup.neighbours().map_err(|error| MachineError::broken("looking for machines", error))?;
        let Some(usage) = inotify::Usage::now().filter(|usage| !usage.has_room(neighbours)) else {
            return Ok(());
        };
        let patience = if neighbours == Neighbours::default() { ALONE } else { BESIDE_OTHERS };
        if begin.elapsed() > patience {
            return Err(usage.exhausted());
        }
        if !is_said && begin.elapsed() > ALONE {
            let others = neighbours.running + neighbours.ahead;
            progress.note(&format!("Waiting until one of {others} other machines has ended: {usage}"));
            is_said = true;
        }
        // Nothing tells when that changes.
        interrupt::wait(NEXT_LOOK);
        if interrupt::is_heard() {
            return Err(MachineError::interrupted("waiting for a turn"));
        }
        // What a killed run has left counts as a machine.
        let _ = cgroup::sweep(&host.cgroup);
    }
}

/// Waits until a command that follows a file has that which it follows it with, and so says nothing for want of one.
fn await_inotify(child: &mut Child) -> Result<(), MachineError> {
    let until = Instant::now() + Duration::from_secs(1);
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    while Instant::now() < until && inotify::held_by(&process) == 0 {
        // It has ended: of its reasons, this one it does not tell.
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return inotify::Usage::now()
                .filter(|usage| usage.room() == 0)
                .map_or(Ok(()), |usage| Err(usage.exhausted()));
        }
        let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 2_000_000 }));
    }
    Ok(())
}

/// Starts what may just have been put there. A process that another thread starts has the file open for writing, as this one
/// had, until it executes its own program, and until then nobody can execute the file (execve(2), ETXTBSY).
fn unless_written<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && Instant::now() < until => {
                // Nothing tells when that is; it is a moment.
                thread::yield_now();
            }
            started => return started,
        }
    }
}

impl Machine for NamespaceMachine {
    fn description(&self) -> &Description {
        &self.description
    }

    fn put(&self, path: &str, content: &[u8], mode: u32) -> Result<(), MachineError> {
        self.inside(
            &format!("writing {path} (only /etc, /run, /tmp, /var and /usr/local are writable)"),
            || {
                if let Some(parent) = Path::new(path).parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(path, content)?;
                fs::set_permissions(path, fs::Permissions::from_mode(mode))
            },
        )
    }

    fn run(&self, argv: &[&str], deadline: Duration) -> Result<Output, MachineError> {
        let mut child = self.spawn(argv, Stdio::piped())?;
        let failed = |reason: String| MachineError::Command { command: argv.join(" "), reason };
        child::output(&mut child, deadline).map_err(failed)
    }

    fn start(&self, argv: &[&str]) -> Result<Stream, MachineError> {
        let mut child = self.spawn(argv, Stdio::null())?;
        let stdout = child.stdout.take().ok_or_else(|| MachineError::Command {
            command: argv.join(" "),
            reason: "has no standard output".into(),
        })?;
        if argv.contains(&"--follow") {
            await_inotify(&mut child)?;
        }
        Ok(Stream::new(stdout, move || child::end(&mut child)))
    }

    fn cgroup(&self) -> Option<PathBuf> {
        self.cgroup.as_ref().map(|cgroup| cgroup.path().to_owned())
    }

    fn network(&self) -> Network {
        Network::Namespace(Arc::clone(&self.network))
    }

    fn obituary(&self) -> Option<String> {
        self.keeper.ends_within(super::LAST_BREATH).then(|| "systemd (PID 1) has ended".into())
    }

    fn close(&mut self) -> Result<(), MachineError> {
        self.keeper.end();
        match self.cgroup.take().map(|cgroup| cgroup.remove()) {
            Some(Err(error)) => Err(MachineError::broken("removing the machine's cgroup", error)),
            _ => Ok(()),
        }
    }
}

impl Drop for NamespaceMachine {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!("{error}");
        }
    }
}

/// Moves the calling thread into a network namespace.
pub(super) fn enter_network(network: &OwnedFd) -> io::Result<()> {
    Ok(move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Moves the calling thread into a mount namespace, and to its root.
pub(super) fn enter_files(mounts: &OwnedFd) -> io::Result<()> {
    // As in `inside`.
    pid1::unshare(UnshareFlags::FS)?;
    Ok(move_into_link_name_space(mounts.as_fd(), Some(LinkNameSpaceType::Mount))?)
}
