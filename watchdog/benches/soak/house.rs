//! Where the soak runs: namespaces and control groups of its own, and a process outside that cleans up.
//!
//! The outer process makes them, runs this program again inside as PID 1, and waits. However the inner one ends, by Ctrl-C or
//! by SIGKILL too, the kernel ends all that it started; what is left is removed by the outer one. Should that be killed, the
//! inner one sees the end of its standard input; groups that stay are removed by the next soak.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use nix::sched::CloneFlags;
use nix::sys::signal::{SigSet, Signal as NixSignal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::cgroups::Groups;
use super::clock;
use super::schedule::Track;

/// What `systemd` sets, and sockets made from then on have: with the kernel's 10 a flood is held up in the sender.
const QUEUE: (&str, &str) = ("/proc/sys/net/unix/max_dgram_qlen", "512");
/// After Ctrl-C, for the account to be printed.
const FAREWELL: Duration = Duration::from_secs(20);
/// As of a shell whose command got SIGINT.
const INTERRUPTED: u8 = 130;

/// Says that namespaces were made, to the inner process.
pub const APART: &str = "HANGPROOF_SOAK_APART";
/// Says which directory it may use.
pub const DIRECTORY: &str = "HANGPROOF_SOAK_DIRECTORY";

/// The outer process.
pub fn run(seed: u64, length: Duration, only: &[Track]) -> ExitCode {
    match watch(seed, length, only) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn watch(seed: u64, length: Duration, only: &[Track]) -> io::Result<ExitCode> {
    let signals = stop_signals()?;
    let directory = tempfile::tempdir()?;
    // The control groups first: they are removed by their paths as they are here.
    let groups = Groups::make();
    let apart = unshare();
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(format!("--soak={}", length.as_secs_f64() / 60.0)).arg(format!("--seed={seed}"));
    for name in only.iter().filter_map(Track::to_possible_value) {
        command.arg(format!("--only={}", name.get_name()));
    }
    match &groups {
        Ok(groups) => command.arg("--inside").arg(&groups.root),
        Err(error) => {
            println!("Skipped: PSI of each service, and memory pressure: no control groups ({error})");
            command.args(["--inside", ""])
        }
    };
    match &apart {
        Ok(()) => command.env(APART, "1"),
        Err(error) => {
            println!(
                "Skipped: the resolver, and a queue of 512 datagrams: no namespaces ({error}); run it as root"
            );
            command.env_remove(APART)
        }
    };
    let mut inner = command.env(DIRECTORY, directory.path()).stdin(Stdio::piped()).spawn()?;
    let ended = pidfd_open(Pid::from_child(&inner), PidfdFlags::empty())?;
    let status = wait(&mut inner, &ended, &signals);
    let skipped = groups.is_err() || apart.is_err();
    if skipped && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        println!("In CI nothing may be skipped.");
        return Ok(ExitCode::FAILURE);
    }
    status
}

fn wait(inner: &mut Child, ended: &OwnedFd, signals: &SignalFd) -> io::Result<ExitCode> {
    let mut killed_at = None;
    loop {
        let mut events = [PollFd::new(ended, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        let patience = killed_at.map(|at: clock::Time| at.saturating_sub(clock::now()));
        poll(&mut events, patience.and_then(|patience| Timespec::try_from(patience).ok()).as_ref())?;
        if !events[0].revents().is_empty() {
            let status = inner.wait()?;
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return Ok(code.map_or(ExitCode::FAILURE, ExitCode::from));
        }
        if signals.read_signal()?.is_some() && killed_at.is_none() {
            let _ = kill_process(Pid::from_child(inner), Signal::TERM);
            killed_at = Some(clock::now() + FAREWELL);
        }
        if killed_at.is_some_and(|at| clock::now() >= at) {
            inner.kill()?;
            inner.wait()?;
            return Ok(ExitCode::from(INTERRUPTED));
        }
    }
}

/// Blocks the signals that ask to stop; they are read from the descriptor instead.
pub fn stop_signals() -> io::Result<SignalFd> {
    let set: SigSet = [NixSignal::SIGINT, NixSignal::SIGTERM, NixSignal::SIGHUP].into_iter().collect();
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// Namespaces: of processes (for children), of mounts, of the network, with a loopback interface that is up.
fn unshare() -> io::Result<()> {
    let all = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    nix::sched::unshare(all)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    bring_loopback_up()?;
    fs::write(QUEUE.0, QUEUE.1)
}

/// rtnetlink(7): RTM_NEWLINK for interface 1, with IFF_UP. NETLINK_ROUTE is the default protocol.
fn bring_loopback_up() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST_ACK: u16 = 1 | 4;
    const LOOPBACK: u32 = 1;
    const IFF_UP: u32 = 1;
    let mut message = Vec::with_capacity(32);
    message.extend(32_u32.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    // Sequence number and port; then family and type of the interface.
    message.extend([0; 12]);
    for field in [LOOPBACK, IFF_UP, IFF_UP] {
        message.extend(field.to_ne_bytes());
    }
    let kernel = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&kernel, &message, SendFlags::empty())?;
    let mut answer = [0; 256];
    let (length, _) = recv(&kernel, &mut answer, RecvFlags::empty())?;
    let errno = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match errno {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
        None => Err(io::Error::other("rtnetlink gave half an answer")),
    }
}

/// The inner process, as PID 1 of its namespace: `/proc` as it is there, and an `/etc` in which the resolver is ours.
pub fn settle(directory: &Path) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    let etc = directory.join("etc");
    fs::create_dir(&etc)?;
    // glibc's own: asks again after 5 s.
    fs::write(etc.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
    fs::write(etc.join("nsswitch.conf"), "hosts: files dns\n")?;
    fs::write(etc.join("hosts"), "127.0.0.1 localhost\n")?;
    Ok(mount_bind(&etc, "/etc")?)
}

/// A descriptor that has an end once the outer process has ended.
pub fn lifeline() -> io::Result<OwnedFd> {
    io::stdin().as_fd().try_clone_to_owned()
}
