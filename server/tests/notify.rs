//! What the server tells systemd itself, as heard at the socket that systemd would listen to.

#![expect(clippy::unwrap_used, reason = "a test that cannot even listen has failed")]

mod common;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, Server};
use rustix::process::Signal;
use tempfile::TempDir;

/// Every fault after which no request is answered as it should be.
const FAULTS: [&str; 5] = ["mute", "accept-stall", "deadlock", "spin", "error"];

/// Plays systemd.
struct Manager {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { socket: UnixDatagram::bind(directory.path().join("notify")).unwrap(), directory }
    }

    /// Starts a server that has this for its manager, and so much time between two pings.
    fn start(&self, watchdog: Option<Duration>, options: &[&str]) -> Server {
        let address = self.directory.path().join("notify");
        let usec = watchdog.map(|watchdog| watchdog.as_micros().to_string());
        let mut environment = vec![("NOTIFY_SOCKET", address.as_os_str())];
        environment.extend(usec.as_ref().map(|usec| ("WATCHDOG_USEC", OsStr::new(usec))));
        Server::start_with(&environment, "127.0.0.1:0", options)
    }

    /// The lines of the next datagram, if one comes in time.
    fn hear(&self, patience: Duration) -> Option<Vec<String>> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4096];
        match self.socket.recv(&mut buffer) {
            Ok(length) => {
                Some(String::from_utf8_lossy(&buffer[..length]).lines().map(ToOwned::to_owned).collect())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The first datagram that has a line which begins so; what comes before it is passed over.
    fn hear_until(&self, words: &str) -> Vec<String> {
        let deadline = Instant::now() + DEADLINE;
        let mut heard = Vec::new();
        while Instant::now() < deadline {
            let Some(lines) = self.hear(Duration::from_secs(1)) else { continue };
            if lines.iter().any(|line| line.starts_with(words)) {
                return lines;
            }
            heard.push(lines);
        }
        panic!("nobody said {words:?}, but {heard:?}");
    }
}

fn is_ping(line: &str) -> bool {
    line.starts_with("WATCHDOG=")
}

#[test]
fn ready_status_and_pings_are_told_and_stopping_is_the_last_word() {
    // Half of it is a deadline that a healthy server has to keep on a machine that stalls.
    const WATCHDOG: Duration = Duration::from_secs(2);
    let tells = |options: &[&str]| {
        let manager = Manager::new();
        let began = Instant::now();
        let mut server = manager.start(Some(WATCHDOG), options);
        let serving = format!("STATUS=serving on {}", server.listen);
        assert_eq!(manager.hear(DEADLINE).unwrap(), ["READY=1", "WATCHDOG=1", &serving], "{options:?}");
        for _ in 0..3 {
            assert_eq!(manager.hear_until("WATCHDOG="), ["WATCHDOG=1"], "{options:?}");
        }
        // Each is half of it behind the one before, and READY came after the beginning: whatever stalls only adds to that.
        assert!(began.elapsed() >= 3 * (WATCHDOG / 2), "{options:?}: {:?}", began.elapsed());
        server.signal(Signal::TERM);
        assert_eq!(manager.hear_until("STOPPING="), ["STOPPING=1", "STATUS=stopping on SIGTERM"]);
        assert_eq!(server.wait_for_exit().code(), Some(0));
        assert_eq!(manager.hear(Duration::from_millis(1)), None, "{options:?}");
    };
    thread::scope(|scope| {
        for options in [&["--notify"][..], &["--notify=ungated"]] {
            scope.spawn(move || tells(options));
        }
    });
}

#[test]
fn every_fault_withholds_the_pings_that_are_gated() {
    // Half of it is a deadline that a healthy server has to keep beside others that spin.
    const WATCHDOG: Duration = Duration::from_secs(2);
    let withholds = |fault: &str| {
        let manager = Manager::new();
        let server = manager.start(Some(WATCHDOG), &["--notify", "--workers", "2"]);
        manager.hear_until("READY=1");
        server.inject(fault);
        let trouble = manager.hear_until("STATUS=does not answer itself");
        assert!(!trouble.iter().any(|line| is_ping(line)), "{fault}: {trouble:?}");
        assert_eq!(manager.hear(WATCHDOG.mul_f64(0.6)), None, "{fault}");
        if fault != "deadlock" {
            server.heal();
            let well = manager.hear_until("WATCHDOG=1");
            assert!(well[1].starts_with("STATUS=serving on "), "{fault}: {well:?}");
        }
    };
    thread::scope(|scope| FAULTS.iter().for_each(|fault| drop(scope.spawn(|| withholds(fault)))));
}

#[test]
fn no_fault_withholds_the_pings_that_are_not() {
    let goes_on = |fault: &str| {
        let manager = Manager::new();
        let server = manager.start(Some(Duration::from_millis(100)), &["--notify=ungated", "--workers", "2"]);
        server.inject(fault);
        // What was on the way when the fault took hold.
        while manager.hear(Duration::from_millis(1)).is_some() {}
        for _ in 0..10 {
            let words = manager.hear(DEADLINE).unwrap_or_else(|| panic!("{fault}: silence"));
            assert!(words.iter().any(|line| is_ping(line)), "{fault}: {words:?}");
        }
        if fault == "error" {
            assert_eq!(server.get("/healthz").map(|answer| answer.status), Some(500));
        } else {
            assert!(server.is_silent("/healthz"), "{fault}: it does hang");
        }
    };
    thread::scope(|scope| FAULTS.iter().for_each(|fault| drop(scope.spawn(|| goes_on(fault)))));
}

#[test]
fn a_server_that_hangs_stops_at_once_and_says_so() {
    for fault in ["mute", "deadlock"] {
        let manager = Manager::new();
        let mut server = manager.start(Some(Duration::from_secs(60)), &["--notify"]);
        manager.hear_until("READY=1");
        server.inject(fault);
        server.signal(Signal::TERM);
        assert_eq!(manager.hear_until("STOPPING=")[0], "STOPPING=1", "{fault}");
        // Whether it waits for requests or for systemd, it says.
        let before = server.log_until("stopping at once");
        assert!(!before.iter().any(|line| line.contains("could not be told")), "{fault}: {before:?}");
        assert_eq!(server.wait_for_exit().code(), Some(0), "{fault}");
    }
}

#[test]
fn without_a_watchdog_there_are_no_pings_and_zero_is_none() {
    for watchdog in [None, Some(Duration::ZERO)] {
        let manager = Manager::new();
        let server = manager.start(watchdog, &["--notify"]);
        server.log_line("without pings: the watchdog is off");
        let words = manager.hear(DEADLINE).unwrap();
        assert_eq!(words, ["READY=1", &format!("STATUS=serving on {}", server.listen)]);
        assert_eq!(manager.hear(Duration::from_millis(1200)), None, "it asks itself once a second at most");
        assert_eq!(server.status()["requests"], 1, "and no more once it was ready");
    }
}

#[test]
fn where_nobody_is_to_be_told_it_says_so_and_serves() {
    let nobody = Server::start(&["--notify"]);
    nobody.log_line("NOTIFY_SOCKET is not set");
    assert!(nobody.get("/").is_some());
    // The crate takes every address for a path.
    for address in ["", "@abstract", "/nonexistent/notify"] {
        let environment = [("NOTIFY_SOCKET", OsStr::new(address))];
        let mut server = Server::start_with(&environment, "127.0.0.1:0", &["--notify"]);
        let expected = if address.is_empty() { "NOTIFY_SOCKET is not set" } else { "systemd cannot be told" };
        assert!(server.log_line(expected).contains(address));
        assert!(server.get("/").is_some());
        server.signal(Signal::TERM);
        assert_eq!(server.wait_for_exit().code(), Some(0));
    }
}

#[test]
fn a_manager_that_reads_nothing_holds_neither_serving_nor_stopping_up() {
    let manager = Manager::new();
    let stuffing = UnixDatagram::unbound().unwrap();
    stuffing.connect(manager.directory.path().join("notify")).unwrap();
    stuffing.set_nonblocking(true).unwrap();
    while stuffing.send(b"STUFFING=1").is_ok() {}
    let mut server = manager.start(Some(Duration::from_millis(100)), &["--notify"]);
    assert!(server.get("/").is_some());
    server.inject("mute");
    server.heal();
    server.signal(Signal::TERM);
    server.log_line("systemd could not be told that the server stops");
    assert_eq!(server.wait_for_exit().code(), Some(0));
}
