//! Where COMMAND finds our socket.
//!
//! systemd's own is a path, so many clients take every address for one; the Rust crate sd-notify does, and with it most
//! Rust services. An abstract name is lost on them, without a word. So it is a path where there is a place for one:
//!
//! | directory | whose |
//! |---|---|
//! | `/run/sd-watchdog` | root's of the system's manager, where `/run` can be written |
//! | `XDG_RUNTIME_DIR/sd-watchdog` | a user's, and that of a unit of root's own manager |
//! | the first of `RUNTIME_DIRECTORY` | the unit's (`RuntimeDirectory=`); systemd removes it with all that is in it |
//! | `/tmp` | the unit's, with `PrivateTmp=` |
//!
//! Where there is none, as under `ProtectSystem=strict` alone, it is an abstract name, which needs no place. Neither can be
//! reached everywhere: a path ends at a chroot, as systemd's does, and an abstract name at the network namespace; where that
//! keeps COMMAND from being heard, `relay/reach.rs` finds it out. A directory
//! that is not for all to enter is passed over for root, whose COMMAND may become another user.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with};

use crate::systemd::scope::Scope;
use crate::systemd::{directory, unit_name};

/// What has to be known to choose one.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// [`None`] outside a service: then there is no name that is ours.
    pub unit: Option<String>,
    pub is_root: bool,
    /// The unit is one of a user's manager, as root has one too.
    pub is_users: bool,
    pub runtime_directory: Option<OsString>,
    pub xdg_runtime_dir: Option<OsString>,
    pub has_own_tmp: bool,
}

impl Surroundings {
    /// Those of this process.
    pub fn here() -> Self {
        Self {
            unit: unit_name::own(),
            is_root: rustix::process::geteuid().is_root(),
            is_users: Scope::own() == Scope::User,
            runtime_directory: std::env::var_os("RUNTIME_DIRECTORY"),
            xdg_runtime_dir: std::env::var_os("XDG_RUNTIME_DIR"),
            has_own_tmp: fs::read_to_string("/proc/self/mountinfo").is_ok_and(|mounts| has_own_tmp(&mounts)),
        }
    }

    /// Where the socket may be, the best first, and whether the directory is to be made.
    fn paths(&self) -> Vec<(PathBuf, bool)> {
        let Some(unit) = &self.unit else { return Vec::new() };
        let ours = match &self.xdg_runtime_dir {
            _ if self.is_root && !self.is_users => Some(PathBuf::from(directory::ROOTS)),
            directory => directory.as_ref().map(|directory| Path::new(directory).join("sd-watchdog")),
        };
        let runtime = self.runtime_directory.as_ref().and_then(|all| all.to_str()?.split(':').next());
        let runtime = runtime.filter(|directory| directory.starts_with('/')).map(Path::new);
        let own_tmp = self.has_own_tmp.then_some(Path::new("/tmp"));
        let ours = ours.map(|directory| (directory.join(format!("{unit}.notify")), true));
        // Hidden: a service may clear its directories when it starts.
        let shared = runtime.into_iter().chain(own_tmp);
        let shared = shared.map(|directory| (directory.join(format!(".{unit}.notify")), false));
        ours.into_iter().chain(shared).collect()
    }
}

/// `PrivateTmp=` mounts a directory of the unit's at /tmp: in mountinfo(5), field 4 is what is mounted, field 5 where.
fn has_own_tmp(mountinfo: &str) -> bool {
    mountinfo.lines().any(|line| {
        let mut fields = line.split(' ').skip(3);
        let what = fields.next().unwrap_or_default();
        fields.next() == Some("/tmp") && what.contains("/systemd-private-")
    })
}

/// Which file it is: device and inode.
pub(super) type Identity = (u64, u64);

/// The address of a socket that is bound. A path is gone when this is dropped.
#[derive(Debug)]
pub(super) struct MeetingPoint {
    address: OsString,
    /// And which file it is.
    path: Option<(PathBuf, Identity)>,
}

impl MeetingPoint {
    /// Gives `socket` the best address that can be had.
    pub fn find(socket: &OwnedFd, surroundings: &Surroundings) -> io::Result<Self> {
        for (path, is_made) in surroundings.paths() {
            match bind_at(socket, &path, is_made, surroundings.is_root) {
                Ok(file) => return Ok(Self { address: path.clone().into(), path: Some((path, file)) }),
                Err(error) => tracing::debug!("no socket at {}: {error}", path.display()),
            }
        }
        let name = bind_anywhere(socket)?;
        Ok(Self { address: format!("@{name}").into(), path: None })
    }

    /// As `NOTIFY_SOCKET` has it.
    pub fn address(&self) -> &OsString {
        &self.address
    }

    /// The file, where the address is a path.
    pub fn file(&self) -> Option<(PathBuf, Identity)> {
        self.path.clone()
    }
}

impl Drop for MeetingPoint {
    fn drop(&mut self) {
        // A service may have cleared its directory, and a successor be there.
        if let Some((path, file)) = &self.path
            && identity(path).is_ok_and(|is| is == *file)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Which file it is then.
fn bind_at(socket: &OwnedFd, path: &Path, is_made: bool, is_root: bool) -> io::Result<Identity> {
    let address = SocketAddrUnix::new(path)?;
    let directory = path.parent().ok_or(Errno::NOENT)?;
    if is_made {
        directory::make(directory)?;
    }
    let metadata = fs::metadata(directory)?;
    if is_root && metadata.permissions().mode() & 0o001 == 0 {
        return Err(io::Error::other("other users cannot get there"));
    }
    if is_root && metadata.uid() != 0 {
        return Err(io::Error::other("its owner could put something else there"));
    }
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket()) {
        let prober = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        match connect(&prober, &address) {
            // A predecessor was killed.
            Err(Errno::CONNREFUSED) => fs::remove_file(path)?,
            _ => return Err(Errno::ADDRINUSE.into()),
        }
    }
    bind(socket, &address)?;
    // As systemd's: who may speak is told from the sender. COMMAND as the same user finds it without.
    if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(0o777)) {
        tracing::debug!("{} is not open to all: {error}", path.display());
    }
    identity(path)
}

/// Which file it is.
fn identity(path: &Path) -> io::Result<Identity> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Binds the socket to an abstract name that nobody has yet.
fn bind_anywhere(socket: &OwnedFd) -> io::Result<String> {
    let mut tries = 8;
    loop {
        let name = format!("sd-watchdog/{}/{:016x}", std::process::id(), fastrand::u64(..));
        match bind(socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?) {
            Ok(()) => return Ok(name),
            Err(Errno::ADDRINUSE) if tries > 0 => tries -= 1,
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings { unit: Some("a@b.service".to_owned()), ..Surroundings::default() }
    }

    #[test]
    fn a_directory_of_ours_comes_first_and_outside_a_service_there_is_none() {
        let all = Surroundings {
            is_root: true,
            runtime_directory: Some("/run/a:/run/b".into()),
            xdg_runtime_dir: Some("/run/user/0".into()),
            has_own_tmp: true,
            ..surroundings()
        };
        for (surroundings, expected) in [
            (surroundings(), &[][..]),
            (
                all.clone(),
                &[
                    ("/run/sd-watchdog/a@b.service.notify", true),
                    ("/run/a/.a@b.service.notify", false),
                    ("/tmp/.a@b.service.notify", false),
                ],
            ),
            (
                Surroundings { runtime_directory: None, has_own_tmp: false, is_users: true, ..all.clone() },
                &[("/run/user/0/sd-watchdog/a@b.service.notify", true)],
            ),
            (
                Surroundings { is_root: false, ..all.clone() },
                &[
                    ("/run/user/0/sd-watchdog/a@b.service.notify", true),
                    ("/run/a/.a@b.service.notify", false),
                    ("/tmp/.a@b.service.notify", false),
                ],
            ),
            (Surroundings { runtime_directory: Some("relative".into()), ..surroundings() }, &[]),
            (Surroundings { unit: None, ..all }, &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(path, made)| (PathBuf::from(path), *made)).collect();
            assert_eq!(surroundings.paths(), expected, "{surroundings:?}");
        }
    }

    #[test]
    fn a_tmp_of_the_unit_s_own_is_one_that_systemd_has_mounted_there() {
        for (line, expected) in [
            ("100 90 8:1 /tmp/systemd-private-0a-x.service-ZZ/tmp /tmp rw shared:1 - ext4 /dev/a rw", true),
            ("100 90 0:40 /systemd-private-0a-x.service-ZZ/tmp /tmp rw - tmpfs tmpfs rw", true),
            ("100 90 0:40 / /tmp rw - tmpfs tmpfs rw", false),
            ("100 90 8:1 /tmp/systemd-private-0a-x.service-ZZ/tmp /var/tmp rw - ext4 /dev/a rw", false),
            ("", false),
        ] {
            assert_eq!(has_own_tmp(line), expected, "{line}");
        }
    }

    fn socket() -> OwnedFd {
        socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).expect("a socket")
    }

    #[test]
    fn a_path_is_open_to_all_replaces_that_of_a_predecessor_and_is_gone_at_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let path = directory.path().join(".a@b.service.notify");
        let here = Surroundings { runtime_directory: Some(directory.path().into()), ..surroundings() };
        let killed = UnixDatagram::bind(&path).expect("a predecessor");
        drop(killed);
        let socket = socket();
        let point = MeetingPoint::find(&socket, &here).expect("an address");
        assert_eq!(*point.address(), *path.as_os_str());
        assert_eq!(fs::metadata(&path).expect("a socket").mode() & 0o777, 0o777);
        UnixDatagram::unbound().expect("a socket").send_to(b"READY=1", &path).expect("sent");
        let another = self::socket();
        let abstract_one = MeetingPoint::find(&another, &here).expect("an address");
        assert!(abstract_one.path.is_none(), "one that is in use is nobody else's");
        drop(point);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_successor_has_put_there_is_left_to_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(".a@b.service.notify");
        let here = Surroundings { runtime_directory: Some(directory.path().into()), ..surroundings() };
        let socket = socket();
        let point = MeetingPoint::find(&socket, &here).expect("an address");
        fs::remove_file(&path).expect("cleared");
        let _successor = UnixDatagram::bind(&path).expect("a successor");
        drop(point);
        assert!(path.exists());
    }

    #[test]
    fn a_directory_that_is_made_is_open_to_all_and_one_of_another_user_is_not_root_s() {
        let parent = tempfile::tempdir().expect("a directory");
        let made = parent.path().join("made");
        let path = made.join("a");
        let bound = std::thread::spawn(move || {
            // A mask of this thread's own.
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).expect("a file system of its own");
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
            bind_at(&socket(), &path, true, false)
        });
        bound.join().expect("it ends").expect("a socket");
        assert_eq!(fs::metadata(&made).expect("made").mode() & 0o777, 0o755);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&made, Some(65534), None).expect("another owner");
            assert!(bind_at(&socket(), &made.join("b"), false, true).is_err());
        }
    }

    #[test]
    fn where_a_path_is_of_no_use_the_address_is_abstract() {
        let directory = tempfile::tempdir().expect("a directory");
        let occupied = directory.path().join("occupied");
        fs::create_dir_all(occupied.join(".a@b.service.notify")).expect("a directory in its place");
        let closed = directory.path().join("closed");
        fs::create_dir(&closed).expect("a directory");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("a mode");
        for (runtime_directory, is_root) in [
            (directory.path().join("missing"), false),
            (directory.path().join("long".repeat(40)), false),
            (occupied, false),
            (closed.clone(), true),
        ] {
            let here = Surroundings {
                runtime_directory: Some(runtime_directory.into()),
                is_root: false,
                ..surroundings()
            };
            let socket = socket();
            if is_root {
                assert!(bind_at(&socket, &closed.join("a"), false, true).is_err());
                assert!(
                    bind_at(&socket, &closed.join("a"), false, false).is_ok(),
                    "who is not root stays who it is"
                );
                continue;
            }
            let point = MeetingPoint::find(&socket, &here).expect("an address");
            assert!(point.address().to_string_lossy().starts_with("@sd-watchdog/"), "{point:?}");
        }
    }
}
