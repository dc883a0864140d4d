//! Plays systemd: the socket that notifications arrive on.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for a machine that is busy with everything else.
pub const AMPLE: Duration = Duration::from_secs(30);

pub struct Manager {
    pub socket: UnixDatagram,
    /// For `NOTIFY_SOCKET`.
    pub address: OsString,
    directory: Option<TempDir>,
}

impl Manager {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self { socket, address: path.into(), directory: Some(directory) }
    }

    /// At an abstract address, as containers have it.
    pub fn at_abstract_address(name: &str) -> Self {
        let name = format!("sd-watchdog-test-{}-{name}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Self { socket, address: format!("@{name}").into(), directory: None }
    }

    /// The datagrams up to the first that contains `words`, which is the last of them.
    #[track_caller]
    pub fn receive_until(&self, words: &str) -> Vec<String> {
        let deadline = Instant::now() + AMPLE;
        let mut received = Vec::new();
        while Instant::now() < deadline {
            let Some(datagram) = self.receive_within(Duration::from_secs(1)) else { continue };
            received.push(datagram);
            if received.last().is_some_and(|last| last.contains(words)) {
                return received;
            }
        }
        panic!("no {words:?} came, but {received:#?}");
    }

    /// The next datagram that is no barrier, if one comes in time. To read a barrier is to pass it: its descriptor, which
    /// nobody takes, is closed.
    pub fn receive_within(&self, time: Duration) -> Option<String> {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match self.receive_any_within(left) {
                Some(datagram) if datagram == "BARRIER=1" => {}
                other => return other,
            }
        }
    }

    /// The next datagram of any kind, if one comes in time.
    pub fn receive_any_within(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut buffer = [0; 8192];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// All that has come, once nothing more comes.
    #[track_caller]
    pub fn drain(&self) -> Vec<String> {
        let deadline = Instant::now() + AMPLE;
        let mut received = Vec::new();
        while let Some(datagram) = self.receive_within(Duration::from_millis(50)) {
            received.push(datagram);
            assert!(Instant::now() < deadline, "no end to {received:?}");
        }
        received
    }

    /// What has come already, of one who goes on talking.
    pub fn so_far(&self) -> Vec<String> {
        let now = Instant::now();
        let so_far = || self.receive_within(Duration::from_millis(1)).filter(|_| now.elapsed() < AMPLE);
        std::iter::from_fn(so_far).take(1000).collect()
    }

    /// Nobody listens at the address from now on, where its file stays.
    pub fn go_away(self) -> Self {
        Self { socket: UnixDatagram::unbound().unwrap(), ..self }
    }

    /// Somebody does again.
    pub fn come_back(self) -> Self {
        std::fs::remove_file(&self.address).unwrap();
        Self { socket: UnixDatagram::bind(&self.address).unwrap(), ..self }
    }

    /// Takes the socket away.
    pub fn vanish(self) {
        drop(self.socket);
        drop(self.directory);
    }
}
