//! Whoever sends as much as there is room for, of whatever kind: the pings go on.

use std::fs::File;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketType,
    sendmsg_addr, socket,
};
use rustix::process::Signal;
use tempfile::TempDir;
use watchdog::kernel::pidfd;

use crate::manager::{AMPLE, Manager};
use crate::peer::{Manner, Peer};
use crate::wrapped::{Wrapped, sd_watchdog};

/// `WatchdogSec=`; what follows from it is left as it is.
const W: Duration = Duration::from_secs(6);

struct Flooded {
    wrapped: Wrapped,
    manager: Manager,
    _directory: TempDir,
}

/// With room for as many datagrams as systemd makes on a real host: such a queue never runs empty. That takes a network
/// namespace of its own, where one can be had.
fn start(variables: &[(&str, &str)], command: &[&str]) -> Flooded {
    start_with_room_for(20_000, variables, command)
}

/// The same, with room for so many queued signals.
fn start_with_room_for(signals: u32, variables: &[(&str, &str)], command: &[&str]) -> Flooded {
    let (manager, directory) = (Manager::new(), tempfile::tempdir().unwrap());
    let socket = directory.path().join("peer");
    Peer::at(&socket, Manner::Healthy);
    let inner = sd_watchdog(&[&format!("--http-unix={}:/", socket.display())], command);
    // The limit of queued signals is per user: it is not to be used up for the rest of the host.
    let roomy = r#"
        set -- prlimit --sigpending="$TEST_SIGPENDING" "$0" "$@"
        if unshare --map-root-user --net true 2>/dev/null; then
            exec unshare --map-root-user --net sh -c 'echo 512 >/proc/sys/net/unix/max_dgram_qlen; exec "$@"' sh "$@"
        fi
        exec "$@""#;
    let mut program = Command::new("sh");
    program.args(["-c", roomy]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
    program.env("NOTIFY_SOCKET", &manager.address).env("WATCHDOG_USEC", W.as_micros().to_string());
    program.env("TEST_SIGPENDING", signals.to_string()).envs(variables.iter().copied());
    Flooded { wrapped: Wrapped::spawn(&mut program), manager, _directory: directory }
}

impl Flooded {
    /// Pings come, with no gap of more than W/2.
    #[track_caller]
    fn expect_pings(&self) {
        let mut last = Instant::now();
        for number in 0..8 {
            loop {
                let left = (W / 2).saturating_sub(last.elapsed());
                let Some(datagram) = self.manager.receive_within(left) else {
                    panic!("no ping for {:?} after {number}", W / 2);
                };
                if datagram.lines().any(|line| line == "WATCHDOG=1") {
                    break;
                }
            }
            last = Instant::now();
        }
    }

    /// A stop is heard through it all, and is the end of the pings.
    #[track_caller]
    fn stop(self) {
        self.wrapped.signal(Signal::TERM);
        let before = self.manager.receive_until("STOPPING=1");
        assert!(!before.iter().any(|datagram| datagram.contains("WATCHDOG=trigger")), "{before:?}");
        self.wrapped.end();
        let after = self.manager.drain();
        assert!(!after.iter().any(|datagram| datagram.contains("WATCHDOG=")), "{after:?}");
    }
}

/// COMMAND, or what it starts, sends `words` with so many descriptors, as fast as it can.
#[track_caller]
fn goes_on_beside(words: &str, descriptors: usize) {
    let program = std::env::current_exe().unwrap();
    let command = [program.to_str().unwrap(), "--exact", "--nocapture", "floods::helper_that_floods"];
    let variables = [("TEST_WORDS", words), ("TEST_DESCRIPTORS", &descriptors.to_string())];
    let flooded = start(&variables, &command);
    flooded.manager.receive_until("READY=1");
    flooded.expect_pings();
    let sent = flooded.wrapped.stdout_so_far().iter().filter(|line| *line == "sent 100").count();
    assert!(sent > 5, "not a flood: {sent} × 100");
    flooded.stop();
}

#[test]
fn helper_that_floods() {
    let Ok(words) = std::env::var("TEST_WORDS") else { return };
    let count: usize = std::env::var("TEST_DESCRIPTORS").unwrap().parse().unwrap();
    let address = std::env::var_os("NOTIFY_SOCKET").unwrap();
    let address = match address.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddrUnix::new_abstract_name(name).unwrap(),
        None => SocketAddrUnix::new(&address).unwrap(),
    };
    flood(&address, b"READY=1", 0, 1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| flood(&address, words.as_bytes(), count, usize::MAX));
        }
    });
}

fn flood(address: &SocketAddrUnix, words: &[u8], count: usize, times: usize) {
    let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    let null = File::open("/dev/null").unwrap();
    let descriptors = vec![null.as_fd(); count];
    for number in 1..=times {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if count > 0 {
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        if sendmsg_addr(&socket, address, &[IoSlice::new(words)], &mut control, SendFlags::empty()).is_err() {
            return;
        }
        if number % 100 == 0 {
            println!("\nsent 100");
        }
    }
}

#[test]
fn pings_go_on_beside_a_command_that_says_its_status_in_a_loop() {
    goes_on_beside("STATUS=busy", 0);
}

#[test]
fn pings_go_on_beside_a_command_whose_datagrams_are_too_long() {
    goes_on_beside(&format!("STATUS={}", "x".repeat(20_000)), 0);
}

#[test]
fn pings_go_on_beside_a_command_that_sends_descriptors_in_a_loop() {
    goes_on_beside("STATUS=busy", 8);
}

#[test]
fn pings_go_on_beside_a_command_that_has_descriptors_stored_in_a_loop() {
    goes_on_beside("FDSTORE=1\nX_A=1", 1);
}

/// Two threads of the test send signals to `sd-watchdog`, as fast as they can. COMMAND does `script` at first.
#[track_caller]
fn goes_on_through(script: &str, send: impl Fn(&OwnedFd) + Sync) {
    let script = format!("import signal\n{script}\nprint('up', flush=True)\nwhile True: signal.pause()");
    let flooded = start(&[], &["/usr/bin/python3", "-c", &script]);
    flooded.manager.receive_until("READY=1");
    flooded.wrapped.stdout_until("up");
    let (is_over, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let process = pidfd::open(flooded.wrapped.raw_pid()).unwrap();
    std::thread::scope(|scope| {
        // Also when an assertion fails.
        let over = Over(&is_over);
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    send(&process);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        flooded.expect_pings();
        drop(over);
    });
    assert!(count.load(Ordering::Relaxed) > 10_000, "not a flood: {count:?}");
    flooded.stop();
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// There may be no room for it.
fn queue(process: &OwnedFd, signal: i32, value: u64) -> bool {
    pidfd::signal(process, signal, Some(value)).is_ok()
}

#[test]
fn pings_go_on_through_real_time_signals_that_come_in_a_loop() {
    goes_on_through("signal.signal(40, signal.SIG_IGN)", |process| {
        pidfd::signal(process, 40, None).unwrap();
    });
}

#[test]
fn pings_go_on_through_queued_signals_that_the_command_never_takes() {
    goes_on_through("signal.pthread_sigmask(signal.SIG_BLOCK, [40])", |process| {
        queue(process, 40, 1);
    });
}

#[test]
fn pings_go_on_through_standard_signals_that_come_in_a_loop() {
    goes_on_through("for number in (1, 10, 28): signal.signal(number, signal.SIG_IGN)", |process| {
        for signal in [Signal::HUP, Signal::USR1, Signal::WINCH, Signal::CHILD] {
            pidfd::signal(process, signal.as_raw(), None).unwrap();
        }
    });
}

#[test]
fn queued_signals_reach_the_command_in_their_order_though_there_is_no_room_for_all() {
    const COUNT: u64 = 3000;
    let script = r#"
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [10, 40])
print("up", flush=True)
signal.sigwait([10])
for number in range(3000):
    # si_status is where si_value is.
    value = signal.sigwaitinfo([40]).si_status
    if value != number:
        print("got", value, "instead of", number, flush=True)
        break
print("got all", flush=True)
"#;
    // Those that wait for sd-watchdog, and those that wait for COMMAND, share it: it is the user's.
    let flooded = start_with_room_for(100, &[], &["/usr/bin/python3", "-c", script]);
    flooded.wrapped.stdout_until("up");
    let process = pidfd::open(flooded.wrapped.raw_pid()).unwrap();
    let (deadline, mut was_full) = (Instant::now() + AMPLE, false);
    for value in 0..COUNT {
        while !queue(&process, 40, value) {
            if !std::mem::replace(&mut was_full, true) {
                flooded.wrapped.signal(Signal::USR1);
            }
            assert!(Instant::now() < deadline, "no room for signal {value}");
            std::thread::yield_now();
        }
    }
    assert!(was_full);
    assert_eq!(flooded.wrapped.stdout_until("got all"), Vec::<String>::new());
}
