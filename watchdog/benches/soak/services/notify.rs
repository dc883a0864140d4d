//! Services that speak to their `NOTIFY_SOCKET`, which is `sd-watchdog`'s.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::super::clock;
use super::switch::Switch;

/// Where the kernel keeps room for so little, a service that says it does not wait.
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    fn of_this_service() -> io::Result<Self> {
        let path = std::env::var("NOTIFY_SOCKET").map_err(io::Error::other)?;
        let address = match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&path)?,
        };
        Ok(Self { socket: UnixDatagram::unbound()?, address })
    }

    fn say(&self, words: &str) -> io::Result<usize> {
        self.socket.send_to_addr(words.as_bytes(), &self.address)
    }
}

/// Pings by itself, four times in the W that it was given.
pub fn ping() -> io::Result<()> {
    let usec = std::env::var("WATCHDOG_USEC").map_err(io::Error::other)?;
    let gap = Duration::from_micros(usec.parse().map_err(io::Error::other)?) / 4;
    let manager = Manager::of_this_service()?;
    manager.say("READY=1")?;
    loop {
        manager.say("WATCHDOG=1")?;
        clock::pass(gap);
    }
}

/// Says what it is doing, from two threads, on and on, until it is told to stop.
pub fn chat(switch: &Arc<Switch>) {
    if switch.chat(true) {
        return;
    }
    for _ in 0..2 {
        let switch = Arc::clone(switch);
        let _ = thread::Builder::new().name("chat".to_owned()).spawn(move || {
            let Ok(manager) = Manager::of_this_service() else { return };
            while switch.chats() {
                let _ = manager.say("STATUS=at work");
            }
        });
    }
}
