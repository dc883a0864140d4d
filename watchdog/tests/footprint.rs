//! What sd-watchdog takes beside every service of a host, as it is shipped:
//!
//! ```sh
//! cargo build --profile dist -p watchdog        # alone: beside others it gets what they ask of the crates they share
//! HANGPROOF_TEST_PROGRAMS=$PWD/target/dist cargo test --workspace --test footprint -- --ignored
//! ```

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::program;
use rustix::fs::{Advice, fadvise};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// The kernel maps the pages around one that is needed, and which these are depends on where it has put the program: by 200 KiB
/// one life differs from another.
const LIVES: u64 = 12;
const PROBES: usize = 200;
/// So long a ping may take on a busy machine; one comes every millisecond.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "is about what is shipped: the profile dist"]
fn the_program_is_at_most_4_mib() {
    let size = fs::metadata(program()).unwrap().len();
    assert!(size <= 4 * MIB, "{} KiB", size / KIB);
}

#[test]
#[ignore = "is about what is shipped: the profile dist"]
fn it_takes_at_most_2_mib_of_memory_after_hundreds_of_probes() {
    let address = healthy_server();
    let file = File::open(program()).unwrap();
    // As on a host that was booted since it was installed. What was just written is in the page cache in larger pieces, and
    // of each piece more is mapped.
    file.sync_all().unwrap();
    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    let lives = (0..LIVES).map(|_| a_life(address)).collect::<Vec<_>>();
    let mean = lives.iter().sum::<u64>() / LIVES;
    let figures = format!("{} KiB: {:?}", mean / KIB, lives.iter().map(|pss| pss / KIB).collect::<Vec<_>>());
    assert!(mean <= 2 * MIB, "{figures}");
    println!("{figures}");
}

/// The proportional set size of its processes, the witness among them, after [`PROBES`], in bytes.
fn a_life(address: SocketAddr) -> u64 {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let child = Command::new(program())
        .arg(format!("--http=http://{address}/"))
        .args(["--interval=1ms", "--timeout=4s", "--retry-interval=1ms", "--", "sleep", "infinity"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "60000000")
        .env_remove("WATCHDOG_PID")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let running = Running(child.unwrap());
    let mut pings = 0;
    let mut buffer = [0; 4096];
    while pings < PROBES {
        let length = manager.recv(&mut buffer).expect("a datagram within 60 s");
        pings += usize::from(String::from_utf8_lossy(&buffer[..length]).contains("WATCHDOG=1"));
    }
    running.pss()
}

/// Answers every request with 200, for ever.
fn healthy_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A probe's request fits one segment.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    address
}

/// Stopped at the end of the test, and COMMAND with it.
struct Running(Child);

impl Running {
    /// The proportional set size of all that is not COMMAND, in bytes.
    fn pss(&self) -> u64 {
        pss(self.0.id()) + pss(self.witness())
    }

    fn witness(&self) -> u32 {
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let mut children = children.split_whitespace().map(|child| child.parse::<u32>().unwrap());
        let is_witness = |child: &u32| {
            fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "sd-wd-witness\n")
        };
        children.find(is_witness).expect("a witness beside COMMAND")
    }
}

fn pss(process: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * KIB
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
