//! What serving, hanging and pinging take.
//!
//! `cargo bench -p server`. Nothing is asserted: the figures are for people. Those that are compared come from one run, in
//! turns, so that their ratios hold across computers. With `HANGPROOF_TEST_PROGRAMS` they are about the program of that
//! directory.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use common::{DEADLINE, Server};
use tempfile::TempDir;

#[path = "../tests/common/mod.rs"]
mod common;

const STARTS: usize = 20;
const REQUESTS: usize = 2000;
const INJECTIONS: usize = 50;
const PINGS: u32 = 200;
/// From one ping to the next: far more often than in any unit, so that it shows.
const EVERY: Duration = Duration::from_millis(10);

fn main() {
    // `cargo test --benches` runs this too, to see that it works.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let count = |many: usize| if quick { 1 } else { many };
    let pings = if quick { 1 } else { PINGS };

    println!("Spawn to the first answer ({} starts)", count(STARTS));
    row("", (0..count(STARTS)).map(|_| start()).collect());

    println!("\nA request over a connection of its own ({} each, in turns)", count(REQUESTS));
    let systemd = Systemd::new();
    let servers = [
        ("", Server::start(&[])),
        ("--notify, a ping every 10 ms", systemd.start("--notify")),
        ("--notify=ungated, the same", systemd.start("--notify=ungated")),
    ];
    let mut lengths = servers.each_ref().map(|_| Vec::new());
    for _ in 0..count(REQUESTS) {
        systemd.drain();
        for ((_, server), lengths) in servers.iter().zip(&mut lengths) {
            lengths.push(timed(|| assert!(server.open("/healthz").read(DEADLINE).is_some())));
        }
    }
    for ((name, _), lengths) in servers.iter().zip(lengths) {
        row(name, lengths);
    }
    drop(servers);

    println!("\nCPU time of a ping, with what it vouches for ({pings} pings)");
    for option in ["--notify", "--notify=ungated"] {
        println!("  {option:<32} {:>8.1} µs", ping(option, pings).as_secs_f64() * 1e6);
    }

    println!("\nOrder to injected, as a client of the control endpoint sees it ({} each)", count(INJECTIONS));
    for fault in ["mute", "accept-stall", "spin", "error"] {
        let server = Server::start(&[]);
        let injections = (0..count(INJECTIONS)).map(|_| {
            let length = timed(|| assert_ne!(server.inject(fault), 0));
            server.heal();
            length
        });
        row(fault, injections.collect());
    }
    // It cannot be healed.
    let deadlocks = (0..count(INJECTIONS / 5)).map(|_| {
        let server = Server::start(&[]);
        timed(|| assert_ne!(server.inject("deadlock"), 0))
    });
    row("deadlock", deadlocks.collect());
}

/// Takes what it is told.
struct Systemd {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Systemd {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
        socket.set_nonblocking(true).expect("non-blocking");
        Self { socket, directory }
    }

    fn start(&self, option: &str) -> Server {
        let address = self.directory.path().join("notify");
        let usec = (2 * EVERY).as_micros().to_string();
        let environment = [("NOTIFY_SOCKET", address.as_os_str()), ("WATCHDOG_USEC", OsStr::new(&usec))];
        Server::start_with(&environment, "127.0.0.1:0", &[option])
    }

    fn drain(&self) {
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
    }
}

fn start() -> Duration {
    timed(|| assert!(Server::start(&[]).open("/healthz").read(DEADLINE).is_some()))
}

/// The CPU time of the server, by the number of pings that it sent meanwhile.
fn ping(option: &str, pings: u32) -> Duration {
    let systemd = Systemd::new();
    systemd.socket.set_nonblocking(false).expect("blocking");
    let server = systemd.start(option);
    let is_ping = || {
        let mut buffer = [0; 4096];
        let length = systemd.socket.recv(&mut buffer).expect("a datagram");
        String::from_utf8_lossy(&buffer[..length]).contains("WATCHDOG=1")
    };
    // On a busy host it may say that it did not answer itself in time.
    let next = || while !is_ping() {};
    next();
    let before = cpu_time(&server);
    (0..pings).for_each(|_| next());
    (cpu_time(&server).saturating_sub(before)) / pings
}

/// Of all threads: what proc(5) says of `schedstat`, in ns.
fn cpu_time(server: &Server) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("its threads");
    let ran = |task: fs::DirEntry| -> u64 {
        let text = fs::read_to_string(task.path().join("schedstat")).expect("its time");
        text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number")
    };
    Duration::from_nanos(tasks.map(|task| ran(task.expect("a thread"))).sum())
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn row(name: &str, mut lengths: Vec<Duration>) {
    lengths.sort_unstable();
    let at = |part: usize| lengths[(lengths.len() - 1) * part / 100].as_secs_f64() * 1e3;
    println!("  {name:<32} {:>8.2} ms p50 {:>8.2} ms p90 {:>8.2} ms max", at(50), at(90), at(100));
}
