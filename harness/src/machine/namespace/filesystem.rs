//! The machine's file system: a tmpfs root over the tree's read-only `/usr`, with the least `/etc` systemd wants.
//!
//! Runs in the keeper's own mount namespace. Nothing is written to the host: even the mount point is a directory
//! that only this namespace sees covered.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind,
    mount_change, mount_remount, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, pivot_root};

use crate::machine::MachineError;
use crate::machine::layout::{EMPTIED, ETC, MACHINE_FILES, ROOT_LINKS};

/// Where the root is put together: a directory that every host has and a machine does not need.
const STAGE: &str = "/tmp";

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

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
    fs::create_dir_all(target)?;
    let data = std::ffi::CString::new(options).map_err(io::Error::other)?;
    Ok(mount(c"tmpfs", target, c"tmpfs", MountFlags::NOSUID | MountFlags::NODEV, data.as_c_str())?)
}

/// The tmpfs root with `/usr` and the links into it. Sources are opened before the stage covers what they may lie in.
fn stage_root(tree: &Path) -> io::Result<()> {
    let cloned = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let usr = open_tree(CWD, tree.join("usr"), cloned | OpenTreeFlags::AT_RECURSIVE)?;
    let alternatives = open_tree(CWD, tree.join("etc/alternatives"), cloned).ok();
    let linker_cache = fs::read(tree.join("etc/ld.so.cache")).ok();
    let links = ROOT_LINKS.iter().filter_map(|link| Some((link, fs::read_link(tree.join(link)).ok()?)));
    let links = links.collect::<Vec<_>>();
    let devices = DEVICES.map(|device| open_tree(CWD, format!("/dev/{device}"), cloned));

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
        Ok(mount_remount(staged(target), MountFlags::BIND | MountFlags::RDONLY, c"")?)
    };
    attach(&usr, "usr")?;
    if let Some(alternatives) = alternatives {
        attach(&alternatives, "etc/alternatives")?;
    }
    if let Some(cache) = linker_cache {
        fs::write(staged("etc/ld.so.cache"), cache)?;
    }

    tmpfs(&staged("dev"), "mode=0755,size=1m")?;
    for (device, source) in DEVICES.iter().zip(devices) {
        let target = staged(&format!("dev/{device}"));
        File::create(&target)?;
        move_mount(source?, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
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
