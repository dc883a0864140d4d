//! A directory on the host that a container and the harness share: it holds systemd's notify socket.
//!
//! Its lock tells whether its owner lives, however that died; what is nobody's is swept, with its container.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixDatagram;

const PREFIX: &str = "hangproof-room-";

/// The directory, open for as long as the machine lives.
pub struct Room {
    path: PathBuf,
    _lock: File,
    notify: Arc<std::os::unix::net::UnixDatagram>,
}

impl Room {
    /// Where the room is in the machine: outside of /run, over which systemd may mount.
    pub const PATH_IN_MACHINE: &str = "/hangproof";
    /// The value of PID 1's NOTIFY_SOCKET.
    pub const NOTIFY_IN_MACHINE: &str = "/hangproof/notify";

    /// Makes a room and binds the socket in it.
    pub fn open() -> io::Result<Self> {
        let name = format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        let lock = File::open(&path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let notify = std::os::unix::net::UnixDatagram::bind(path.join("notify"))?;
        notify.set_nonblocking(true)?;
        Ok(Self { path, _lock: lock, notify: Arc::new(notify) })
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

    /// Removes the directory.
    pub fn close(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Whether nobody holds the room at `path`, or it is gone.
    pub fn is_abandoned(path: &str) -> bool {
        match File::open(path) {
            Ok(directory) => flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
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
        path.join("notify").exists() && Self::is_abandoned(&path.to_string_lossy())
    }
}
