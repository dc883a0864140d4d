//! The only unsafe code of the harness: leaving namespaces behind, and what PID 1 and the commands in its machine do between
//! `fork` and `exec`; and what all of them may not do.
#![expect(unsafe_code, reason = "unshare and the steps between fork and exec have no safe interface")]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountFlags, OpenTreeFlags, mount, mount_bind, mount_remount, open_tree};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{Signal, set_parent_process_death_signal, setsid};
use rustix::thread::{
    CapabilitySet, ThreadNameSpaceType, UnshareFlags, capabilities, move_into_thread_name_spaces,
    remove_capability_from_bounding_set, set_capabilities, unshare_unsafe,
};

/// What nobody in a machine may do although it is root: a machine shares the host's clock, modules and hardware. A seat
/// belt, not a wall: `docs/isolation.md` says what remains possible.
///
/// Without MKNOD systemd binds the nodes of `/dev` where it would make some (`clone_device_node` in its
/// src/core/namespace.c).
const FORBIDDEN: [CapabilitySet; 8] = [
    CapabilitySet::MKNOD,
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

/// Gives up, for the calling thread and what it starts, what nobody in a machine may do.
pub fn give_up_capabilities() -> io::Result<()> {
    FORBIDDEN.iter().try_for_each(|&capability| remove_capability_from_bounding_set(capability))?;
    // The bounding set is looked at by exec alone; this thread acts too.
    let mut sets = capabilities(None)?;
    let forbidden = FORBIDDEN.into_iter().collect::<CapabilitySet>();
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(forbidden);
    }
    Ok(set_capabilities(None, sets)?)
}

/// Makes `command` run in the cgroup that `procs` (a `cgroup.procs`) is of, and in the cgroup namespace of the process
/// behind `pidfd`.
pub fn in_cgroup(command: &mut Command, procs: File, pidfd: OwnedFd) -> &mut Command {
    let join = move || {
        // Before the namespace: where cgroup2 is mounted with nsdelegate, nobody enters a namespace's tree from within it.
        rustix::io::write(&procs, b"0")?;
        move_into_thread_name_spaces(pidfd.as_fd(), ThreadNameSpaceType::CONTROL_GROUP)?;
        Ok(())
    };
    // SAFETY: two system calls on descriptors that exist already: async-signal-safe.
    unsafe { command.pre_exec(join) }
}

/// What is mounted at `path` and below, as a mount namespace of a new user namespace has it: its flags are locked.
pub fn seen_from_user_namespace(path: &str) -> io::Result<OwnedFd> {
    let path = CString::new(path)?;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let send = move || -> io::Result<()> {
        // SAFETY: as in `unshare`; FILES is not among the flags.
        unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS) }?;
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(CWD, path.as_c_str(), flags | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
        let tree = [tree.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        message.push(SendAncillaryMessage::ScmRights(&tree));
        sendmsg(&theirs, &[IoSlice::new(b"tree")], &mut message, SendFlags::empty())?;
        // Nothing is to be executed: the child has done what it is there for.
        Err(Errno::CANCELED.into())
    };
    // User namespaces are made by processes of one thread alone: the child is one.
    let mut child = Command::new("/");
    // SAFETY: system calls on a C string, descriptors and a buffer on the stack: async-signal-safe.
    let ended = unsafe { child.pre_exec(send) }.spawn().err();
    drop(child);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(&ours, &mut [IoSliceMut::new(&mut [0; 8])], &mut message, flags);
    let descriptor = message.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.ok_or_else(|| ended.unwrap_or_else(|| received.err().unwrap_or(Errno::NOMSG).into()))
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

/// What of `/proc` belongs to no namespace: these may be read, and those not even that (as systemd-nspawn has it, in
/// `mount_table` of systemd's src/nspawn/nspawn-mount.c).
const READ_ONLY: [&CStr; 8] = [
    c"/proc/acpi",
    c"/proc/asound",
    c"/proc/bus",
    c"/proc/dynamic_debug",
    c"/proc/fs",
    c"/proc/irq",
    c"/proc/mtrr",
    c"/proc/scsi",
];
const COVERED: [&CStr; 3] = [c"/proc/kcore", c"/proc/kmsg", c"/proc/sysrq-trigger"];

/// Whether the kernel has that of which it was asked.
fn present(result: Result<(), Errno>) -> Result<bool, Errno> {
    match result {
        Err(Errno::NOENT) => Ok(false),
        other => other.map(|()| true),
    }
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
    at(c"making the host's part of /proc read-only");
    for path in READ_ONLY {
        if present(mount_bind(path, path))? {
            mount_remount(path, MountFlags::BIND | MountFlags::RDONLY | plain, c"")?;
        }
    }
    at(c"covering the host's part of /proc");
    for path in COVERED {
        present(mount_bind(c"/dev/null", path))?;
    }

    at(c"dropping capabilities");
    FORBIDDEN.iter().try_for_each(|&capability| remove_capability_from_bounding_set(capability))
}
