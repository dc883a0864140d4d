//! The machine's file system: a tmpfs root over the tree's read-only `/usr`, with the least `/etc` systemd wants.
//!
//! Runs in the keeper's own mount namespace. Nothing is written to the host: even the mount point is a directory
//! that only this namespace sees covered.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind,
    mount_change, mount_remount, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::pid1::seen_from_user_namespace;
use crate::machine::MachineError;
use crate::machine::layout::{EMPTIED, ETC, MACHINE_FILES, ROOT_LINKS};

/// Where the root is put together: a directory that every host has and a machine does not need.
const STAGE: &str = "/tmp";

/// The devices of `/dev` with their numbers, as Linux assigns them (its Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// Builds the root over `tree`'s `/usr` and makes it the calling thread's root.
///
/// `/proc` and the cgroup file system are left to PID 1, whose namespaces they show.
pub fn enter_new_root(tree: &Path) -> Result<(), MachineError> {
    let step = |what: &str, result: io::Result<()>| {
        result.map_err(|error| {
            MachineError::broken(format!("building the machine's file system, {what}"), error)
        })
    };
    step("making mounts private", {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(Into::into)
    })?;
    step("mounting the root", stage_root(tree))?;
    step("mounting /dev", devices())?;
    step("changing the root", change_root())?;
    step("mounting /sys, /run and /tmp", api_file_systems())?;
    step("writing /etc", write_etc())?;
    step("emptying what systemd would start by itself", empty_directories())
}

fn staged(path: &str) -> String {
    format!("{STAGE}/{path}")
}

fn tmpfs(target: &str, options: &str) -> io::Result<()> {
    tmpfs_with(MountFlags::NOSUID | MountFlags::NODEV, target, options)
}

fn tmpfs_with(flags: MountFlags, target: &str, options: &str) -> io::Result<()> {
    fs::create_dir_all(target)?;
    let data = std::ffi::CString::new(options).map_err(io::Error::other)?;
    Ok(mount(c"tmpfs", target, c"tmpfs", flags, data.as_c_str())?)
}

/// The tmpfs root with `/usr` and the links into it. Sources are opened before the stage covers what they may lie in.
fn stage_root(tree: &Path) -> io::Result<()> {
    let cloned = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let usr = open_tree(CWD, tree.join("usr"), cloned | OpenTreeFlags::AT_RECURSIVE)?;
    let alternatives = open_tree(CWD, tree.join("etc/alternatives"), cloned).ok();
    let linker_cache = fs::read(tree.join("etc/ld.so.cache")).ok();
    let links = ROOT_LINKS.iter().filter_map(|link| Some((link, fs::read_link(tree.join(link)).ok()?)));
    let links = links.collect::<Vec<_>>();
    let devices = DEVICES.map(|(device, ..)| open_tree(CWD, format!("/dev/{device}"), cloned));

    tmpfs(STAGE, "mode=0755,size=1g")?;
    for directory in
        ["usr", "etc/alternatives", "var/log", "root", "proc", "sys", "dev", "run", "tmp", ".host"]
    {
        fs::create_dir_all(staged(directory))?;
    }
    fs::set_permissions(staged("root"), Permissions::from_mode(0o700))?;
    for (link, target) in links {
        symlink(target, staged(link))?;
    }
    symlink("../run", staged("var/run"))?;

    let attach = |source: &rustix::fd::OwnedFd, target: &str| -> io::Result<()> {
        move_mount(source, "", CWD, staged(target), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        make_read_only(&staged(target))?;
        lock(&staged(target))
    };
    attach(&usr, "usr")?;
    if let Some(alternatives) = alternatives {
        attach(&alternatives, "etc/alternatives")?;
    }
    if let Some(cache) = linker_cache {
        fs::write(staged("etc/ld.so.cache"), cache)?;
    }

    tmpfs_with(MountFlags::NOSUID | MountFlags::NOEXEC, &staged("dev"), "mode=0755,size=1m")?;
    for ((device, major, minor), source) in DEVICES.into_iter().zip(devices) {
        let name = format!("dev/{device}");
        match make_device(&staged(&name), major, minor) {
            // Who may make no node binds the host's. Read-only, which keeps nobody from writing to the device: it is the
            // node's own mode and owner that cannot be changed then.
            Err(Errno::PERM | Errno::ACCESS) => {
                File::create(staged(&name))?;
                attach(&source?, &name)?;
            }
            made => made?,
        }
    }
    // Programs under test go to /usr/local, as on a real host.
    if Path::new(&staged("usr/local")).is_dir() {
        tmpfs(&staged("usr/local"), "mode=0755,size=1g")?;
        for directory in ["bin", "etc", "lib", "sbin", "share"] {
            fs::create_dir(staged(&format!("usr/local/{directory}")))?;
        }
    }
    Ok(())
}

/// Makes what is mounted at `path` read-only, and all that is mounted below it: a remount is of one mount alone.
fn make_read_only(path: &str) -> io::Result<()> {
    // Of this thread, which has a mount namespace of its own.
    let mountinfo = fs::read_to_string("/proc/thread-self/mountinfo")?;
    mounts_below(&mountinfo, path).into_iter().try_for_each(|(mounted, flags)| {
        Ok(mount_remount(mounted.as_str(), MountFlags::BIND | MountFlags::RDONLY | flags, c"")?)
    })
}

/// Makes read-only what no remount makes writable again, where the kernel can: mounts that a user namespace got from one
/// with more rights are locked as they are (mount_namespaces(7)), and stay so when they come back from there.
fn lock(path: &str) -> io::Result<()> {
    let locked = match seen_from_user_namespace(path) {
        Ok(locked) => locked,
        // A kernel without user namespaces, or a host that allows none: as read-only as before.
        Err(error) => {
            tracing::debug!("{path} is read-only, but not locked: {error}");
            return Ok(());
        }
    };
    unmount(path, UnmountFlags::DETACH)?;
    Ok(move_mount(&locked, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// The mount points at `path` and below it in a `mountinfo` text (proc_pid_mountinfo(5)), with what they do not allow.
fn mounts_below(mountinfo: &str, path: &str) -> Vec<(String, MountFlags)> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        let (mounted, options) = (unescape(fields.next()?), fields.next()?);
        let rest = mounted.strip_prefix(path)?;
        let flags = options.split(',').map(|option| match option {
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            _ => MountFlags::empty(),
        });
        (rest.is_empty() || rest.starts_with('/')).then(|| (mounted, flags.collect()))
    });
    mounts.collect()
}

/// Blanks, tabs, line feeds and backslashes are three octal digits there.
fn unescape(field: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.into_iter().fold(field.to_owned(), |text, (escape, meant)| text.replace(escape, meant))
}

/// A node of the machine's own: what is done to it is not done to the host's.
fn make_device(path: &str, major: u32, minor: u32) -> Result<(), Errno> {
    let everybody = Mode::from_raw_mode(0o666);
    mknodat(CWD, path, FileType::CharacterDevice, everybody, makedev(major, minor))?;
    // The umask is the harness's.
    rustix::fs::chmod(path, everybody)
}

fn devices() -> io::Result<()> {
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, staged(&format!("dev/{link}")))?;
    }
    for directory in ["pts", "shm", "mqueue"] {
        fs::create_dir(staged(&format!("dev/{directory}")))?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(c"devpts", staged("dev/pts"), c"devpts", flags, c"newinstance,ptmxmode=0666,mode=620,gid=5")?;
    mount(c"mqueue", staged("dev/mqueue"), c"mqueue", flags | MountFlags::NODEV, None::<&std::ffi::CStr>)?;
    tmpfs(&staged("dev/shm"), "mode=1777,size=64m")
}

fn change_root() -> io::Result<()> {
    chdir(STAGE)?;
    pivot_root(".", ".host")?;
    chdir("/")?;
    unmount("/.host", UnmountFlags::DETACH)?;
    fs::remove_dir("/.host")
}

fn api_file_systems() -> io::Result<()> {
    // A read-only /sys also tells systemd that there is no udev to wait for.
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    mount(c"sysfs", "/sys", c"sysfs", flags, None::<&std::ffi::CStr>)?;
    tmpfs("/run", "mode=0755,size=256m")?;
    tmpfs("/tmp", "mode=1777,size=256m")?;
    fs::create_dir_all("/run/host")
}

fn write_etc() -> io::Result<()> {
    for (name, content) in ETC.into_iter().chain(MACHINE_FILES) {
        let path = Path::new("/etc").join(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, content)?;
    }
    fs::write("/etc/machine-id", format!("{:032x}\n", rand::random::<u128>()))?;
    symlink("../usr/lib/os-release", "/etc/os-release")
}

fn empty_directories() -> io::Result<()> {
    fs::create_dir("/run/host/empty")?;
    for directory in EMPTIED {
        let path = format!("/usr/lib/systemd/{directory}");
        if Path::new(&path).is_dir() {
            mount_bind("/run/host/empty", &path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_below_a_directory_is_found_with_what_it_does_not_allow() {
        let mountinfo = "\
30 1 0:26 / / rw,relatime - ext4 /dev/vda rw
31 30 0:27 /usr /tmp/usr rw,relatime - ext4 /dev/vda rw
32 31 0:28 / /tmp/usr/share/my\\040fonts rw,nosuid,nodev,noexec,relatime shared:4 - nfs host:/fonts rw
33 30 0:29 / /tmp/usrlocal rw,relatime - tmpfs tmpfs rw";
        let none = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let found = [("/tmp/usr".into(), MountFlags::empty()), ("/tmp/usr/share/my fonts".into(), none)];
        assert_eq!(mounts_below(mountinfo, "/tmp/usr"), found);
    }
}
