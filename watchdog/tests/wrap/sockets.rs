//! Socket activation goes through us.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::common::program;
use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::process::wait_until;
use crate::wrapped::Wrapped;

const NOWHERE: &str = "--http=http://127.0.0.1:9/";

/// systemd's own socket-activated service: it wants its sockets by LISTEN_FDS and LISTEN_PID, or does not start.
const PROXY: &str = "/lib/systemd/systemd-socket-proxyd";

/// What systemd-socket-activate(1) starts when the first client comes to `socket`.
fn activated(manager: &Manager, socket: &str, options: &[&str], command: &[&str]) -> Wrapped {
    let mut activate = Command::new("systemd-socket-activate");
    activate.args(["--listen", socket]).args(options);
    activate.args(["--setenv=NOTIFY_SOCKET", "--setenv=WATCHDOG_USEC=10000000"]);
    activate.arg(program()).args([NOWHERE, "--"]).args(command);
    let wrapped = Wrapped::spawn(activate.env("NOTIFY_SOCKET", &manager.address));
    wait_until("the socket is there", || UnixStream::connect(socket).is_ok());
    wrapped
}

#[test]
fn a_socket_activated_service_serves_through_us() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let target = peer.url().split('/').nth(2).unwrap().to_owned();
    let wrapped = activated(&manager, socket.to_str().unwrap(), &[], &[PROXY, &target]);
    let mut client = UnixStream::connect(&socket).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    drop(wrapped);
}

#[test]
fn the_sockets_are_said_to_be_for_the_command() {
    let manager = Manager::new();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let say = "test $LISTEN_PID = $$ && echo $LISTEN_FDS $LISTEN_FDNAMES; ls /proc/$$/fd";
    let wrapped = activated(&manager, socket.to_str().unwrap(), &["--fdname=web"], &["sh", "-c", say]);
    let (status, stdout, _) = wrapped.end();
    assert_eq!((status.code(), stdout.join(" ")), (Some(0), "1 web 0 1 2 3".to_owned()));
}

#[test]
fn sockets_for_another_process_are_not_said_to_be_for_the_command() {
    let mut program = crate::wrapped::sd_watchdog(&[NOWHERE], &["sh", "-c", "echo $LISTEN_PID $LISTEN_FDS"]);
    let wrapped = Wrapped::spawn(program.env("LISTEN_PID", "1").env("LISTEN_FDS", "2"));
    assert_eq!(wrapped.end().1, ["1 2"]);
}
