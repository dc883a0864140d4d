//! A directory on the host that a container and the harness share: it holds systemd's notify socket.
//!
//! Its lock tells whether its owner lives, however that died: the container waits for it, and ends itself when it has got it
//! (`entrypoint`); what is nobody's is swept.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixDatagram;

const PREFIX: &str = "hangproof-room-";

/// The directory, open for as long as the machine lives.
pub struct Room {
    path: PathBuf,
    lock: File,
    notify: Arc<std::os::unix::net::UnixDatagram>,
}

impl Room {
    /// Where the room is in the machine: outside of /run, over which systemd may mount.
    pub const PATH_IN_MACHINE: &str = "/hangproof";
    /// The value of PID 1's NOTIFY_SOCKET.
    pub const NOTIFY_IN_MACHINE: &str = "/hangproof/notify";

    /// Makes a room and binds the socket in it.
    pub fn open() -> io::Result<Self> {
        Self::open_in(&std::env::temp_dir())
    }

    fn open_in(directory: &Path) -> io::Result<Self> {
        let name = format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = directory.join(name);
        // Open to nobody else before it is locked: any user may lock what he can open.
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let unlocked = Unlocked(&path);
        let lock = File::open(&path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        // The engine may give the container's root another number than ours.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        // A socket's address has 108 bytes (unix(7)), a directory's name may have more.
        let short = format!("/proc/self/fd/{}/notify", lock.as_raw_fd());
        let notify = std::os::unix::net::UnixDatagram::bind(short)?;
        notify.set_nonblocking(true)?;
        std::mem::forget(unlocked);
        Ok(Self { path, lock, notify: Arc::new(notify) })
    }

    /// Its path on the host.
    pub fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Waits for `READY=1`; from then on a task keeps the socket empty, or PID 1 would block in `sendmsg` one day.
    pub async fn ready(&self) -> io::Result<()> {
        let socket = UnixDatagram::from_std(self.notify.try_clone()?)?;
        let mut datagram = [0; 4096];
        loop {
            let length = socket.recv(&mut datagram).await?;
            if datagram[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
                tokio::spawn(async move { while socket.recv(&mut datagram).await.is_ok() {} });
                return Ok(());
            }
        }
    }

    /// Whether the process whose directory in `/proc` this is sees this room where a container does. Of an engine that counts
    /// processes otherwise than we do, a number is another process's.
    pub fn is_seen_by(&self, process: &Path) -> bool {
        let seen = fs::metadata(process.join("root").join(Self::PATH_IN_MACHINE.trim_start_matches('/')));
        let (Ok(seen), Ok(own)) = (seen, self.lock.metadata()) else { return false };
        (seen.dev(), seen.ino()) == (own.dev(), own.ino())
    }

    /// Removes the directory.
    pub fn close(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Whether nobody holds the room at `path`; `None` if there is no such room here.
    pub fn is_abandoned(path: &str) -> Option<bool> {
        match File::open(path) {
            Ok(directory) => Some(flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok()),
            Err(error) => (error.kind() != io::ErrorKind::NotFound).then_some(false),
        }
    }

    /// Removes rooms whose owners are gone, as far as that may be done.
    pub fn sweep() {
        let entries = fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
            if ours && Self::is_empty_handed(&path) {
                let _ = fs::remove_dir_all(&path);
            }
        }
    }

    /// A room without a lock is just being made if it has no socket yet.
    fn is_empty_handed(path: &Path) -> bool {
        path.join("notify").exists() && Self::is_abandoned(&path.to_string_lossy()) == Some(true)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Whoever wants to know calls `close` first, after which there is nothing to do.
        let _ = self.close();
    }
}

/// A directory that is removed again if a room does not come of it.
struct Unlocked<'a>(&'a Path);

impl Drop for Unlocked<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_may_have_a_path_longer_than_a_sockets_address() {
        let directory = tempfile::tempdir().expect("a directory");
        let long = directory.path().join("d".repeat(120));
        fs::create_dir(&long).expect("made");
        let room = Room::open_in(&long).expect("opened");
        let path = PathBuf::from(room.path());
        assert!(path.join("notify").exists() && path.as_os_str().len() > 120);
        assert_eq!(Room::is_abandoned(&room.path()), Some(false));
        drop(room);
        assert!(!path.exists(), "{} is left", path.display());
        assert_eq!(Room::is_abandoned(&path.to_string_lossy()), None);
    }

    #[test]
    fn a_process_that_sees_another_directory_is_none_of_the_containers() {
        let directory = tempfile::tempdir().expect("a directory");
        let room = Room::open_in(directory.path()).expect("opened");
        let process = directory.path().join("process");
        assert!(!room.is_seen_by(&process), "there is none");
        fs::create_dir_all(process.join("root/hangproof")).expect("made");
        assert!(!room.is_seen_by(&process), "it sees another directory");
        fs::remove_dir(process.join("root/hangproof")).expect("removed");
        std::os::unix::fs::symlink(room.path(), process.join("root/hangproof")).expect("linked");
        assert!(room.is_seen_by(&process));
    }

    #[test]
    fn nothing_is_left_of_a_room_that_cannot_be_opened() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("room");
        fs::create_dir(&path).expect("made");
        drop(Unlocked(&path));
        assert!(!path.exists());
    }
}
