//! The only unsafe code of the harness: leaving namespaces behind, and what PID 1 does between `fork` and `exec`.
#![expect(unsafe_code, reason = "unshare and the steps between fork and exec have no safe interface")]

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind, mount_remount};
use rustix::process::{Signal, set_parent_process_death_signal, setsid};
use rustix::thread::{CapabilitySet, UnshareFlags, remove_capability_from_bounding_set, unshare_unsafe};

/// What PID 1 may not do although it is root: a machine shares the host's clock, modules and hardware.
const FORBIDDEN: [CapabilitySet; 7] = [
    CapabilitySet::SYS_MODULE,
    CapabilitySet::SYS_RAWIO,
    CapabilitySet::SYS_TIME,
    CapabilitySet::SYSLOG,
    CapabilitySet::WAKE_ALARM,
    CapabilitySet::MAC_ADMIN,
    CapabilitySet::BLOCK_SUSPEND,
];

/// Leaves namespaces behind for the calling thread alone.
pub fn unshare(flags: UnshareFlags) -> io::Result<()> {
    assert!(!flags.contains(UnshareFlags::FILES), "a private descriptor table would strand other threads");
    // SAFETY: unshare_unsafe is unsound only with FILES, which is excluded above.
    Ok(unsafe { unshare_unsafe(flags) }?)
}

/// What the child needs between `fork` and `exec`, opened beforehand.
pub struct Preparation {
    /// The machine's `cgroup.procs`.
    pub cgroup: File,
    /// A pidfd of this process.
    pub harness: OwnedFd,
    /// Takes the name of the step that failed.
    pub report: OwnedFd,
}

/// Makes `command` do, as PID 1 of the namespaces its thread has prepared, what only PID 1 can do.
pub fn prepare(command: &mut Command, preparation: Preparation) -> &mut Command {
    // SAFETY: after fork in a process of many threads, only async-signal-safe calls are sound. `become_pid1` makes
    // system calls on C strings and descriptors that exist already; it neither allocates nor locks.
    unsafe { command.pre_exec(move || become_pid1(&preparation)) }
}

fn become_pid1(preparation: &Preparation) -> io::Result<()> {
    let mut step = c"";
    let result = pid1_steps(preparation, &mut step);
    if result.is_err() {
        let _ = rustix::io::write(&preparation.report, step.to_bytes());
    }
    Ok(result?)
}

fn pid1_steps(preparation: &Preparation, step: &mut &'static CStr) -> Result<(), Errno> {
    let mut at = |name| *step = name;

    at(c"starting a session");
    setsid()?;

    // Should the harness die in any way, PID 1 is killed, and with PID 1 its whole pid namespace.
    at(c"tying PID 1's life to the harness");
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut harness = [PollFd::new(&preparation.harness, PollFlags::IN)];
    if poll(&mut harness, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? != 0 {
        return Err(Errno::SRCH);
    }

    // The cgroup namespace's root is the cgroup of the process that unshares it, hence this order.
    at(c"joining the machine's cgroup");
    rustix::io::write(&preparation.cgroup, b"0")?;
    at(c"unsharing the cgroup namespace");
    // SAFETY: as in `unshare`; FILES is not among the flags.
    unsafe { unshare_unsafe(UnshareFlags::NEWCGROUP) }?;
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    at(c"mounting cgroup2 at /sys/fs/cgroup");
    mount(c"cgroup2", c"/sys/fs/cgroup", c"cgroup2", plain, c"nsdelegate")
        .or_else(|_| mount(c"cgroup2", c"/sys/fs/cgroup", c"cgroup2", plain, None::<&CStr>))?;

    // /proc shows the pid namespace of whoever mounts it. Its sysctls are the host's, except for the network's.
    at(c"mounting /proc");
    mount(c"proc", c"/proc", c"proc", plain, None::<&CStr>)?;
    at(c"making /proc/sys read-only");
    mount_bind(c"/proc/sys", c"/proc/sys")?;
    mount_bind(c"/proc/sys/net", c"/proc/sys/net")?;
    mount_remount(c"/proc/sys", MountFlags::BIND | MountFlags::RDONLY | plain, c"")?;
    at(c"disarming /proc/sysrq-trigger");
    match mount_bind(c"/dev/null", c"/proc/sysrq-trigger") {
        Err(Errno::NOENT) => {} // a kernel without it
        other => other?,
    }

    at(c"dropping capabilities");
    FORBIDDEN.iter().try_for_each(|&capability| remove_capability_from_bounding_set(capability))
}
