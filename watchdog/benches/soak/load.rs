//! Processes that are in the way. They end with their standard input, so they do not outlive the soak.

use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::thread;

use rustix::process::Uid;
use rustix::thread::set_thread_uid;

/// nobody, on Debian and most others.
const NOBODY: u32 = 65_534;

/// Wants a CPU, always.
pub fn busy() -> io::Result<()> {
    thread::Builder::new().spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    })?;
    until_it_ends()
}

/// Sends datagrams to an abstract socket, as nobody and without end.
pub fn flood(name: &str) -> io::Result<()> {
    if rustix::process::getuid().is_root() {
        set_thread_uid(Uid::from_raw(NOBODY))?;
    }
    let address = SocketAddr::from_abstract_name(name)?;
    let socket = UnixDatagram::unbound()?;
    thread::Builder::new()
        .spawn(move || while socket.send_to_addr(b"STATUS=flooded", &address).is_ok() {})?;
    until_it_ends()
}

fn until_it_ends() -> io::Result<()> {
    let mut byte = [0];
    while io::stdin().read(&mut byte)? > 0 {}
    Ok(())
}
