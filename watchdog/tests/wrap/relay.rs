//! What COMMAND itself says to systemd, by way of us.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::Signal;

use crate::manager::{AMPLE, Manager};
use crate::peer::{Manner, Peer};
use crate::wrapped::Wrapped;

/// A COMMAND that speaks as sd_notify(3) does. `say` sends a datagram, with descriptors; `barrier` waits for systemd.
const PRELUDE: &str = r#"
import array, os, signal, socket, sys, time
address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
def say(words, descriptors=(), flags=0):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendmsg([words.encode()], rights if descriptors else [], flags, address)
def barrier():
    ours, theirs = os.pipe()
    say("BARRIER=1", [theirs])
    os.close(theirs)
    os.read(ours, 1)
def out(line):
    print(line, flush=True)
"#;

fn wrapped(manager: &Manager, peer: &Peer, options: &[&str], script: &str) -> Wrapped {
    let probe = format!("--http={}", peer.url());
    let options: Vec<_> =
        [&*probe, "--interval=20ms", "--timeout=2s"].into_iter().chain(options.iter().copied()).collect();
    Wrapped::start(manager, &options, &["/usr/bin/python3", "-c", &format!("{PRELUDE}{script}")])
}

/// Whether one of the datagrams has this line.
fn says(datagrams: &[String], line: &str) -> bool {
    datagrams.iter().any(|datagram| datagram.lines().any(|said| said == line))
}

/// What has come, or the first of it.
fn so_far(manager: &Manager) -> Vec<String> {
    std::iter::from_fn(|| manager.receive_within(Duration::from_millis(50))).take(20).collect()
}

/// The descriptor that comes with the datagram `words`.
#[track_caller]
fn receive_descriptor(manager: &Manager, words: &str) -> OwnedFd {
    manager.socket.set_read_timeout(Some(AMPLE)).unwrap();
    loop {
        let mut buffer = [0; 8192];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let message = recvmsg(&manager.socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        if buffer[..message.bytes] == *words.as_bytes() {
            return descriptor.expect("a descriptor");
        }
    }
}

#[test]
fn the_commands_own_ready_is_awaited_beside_the_probe() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
out("started")
signal.sigwait([signal.SIGUSR1])
say("READY=1\nSTATUS=loaded")
signal.pause()
"#;
    let wrapped = wrapped(&manager, &peer, &["--child-ready=require"], script);
    wrapped.stdout_until("started");
    peer.wait_for_probes(2);
    assert!(!says(&so_far(&manager), "READY=1"));
    wrapped.signal(Signal::USR1);
    manager.receive_until("READY=1");
}

#[test]
fn a_probe_that_is_not_healthy_holds_back_the_commands_own_ready() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Unavailable));
    let wrapped = wrapped(&manager, &peer, &[], "say('READY=1')\nout('said')\nsignal.pause()");
    wrapped.stdout_until("said");
    peer.wait_for_probes(2);
    assert!(!says(&so_far(&manager), "READY=1"));
    peer.set(Manner::Healthy);
    manager.receive_until("READY=1");
}

#[test]
fn the_commands_own_pings_and_what_would_cut_us_off_go_no_further() {
    // Not healthy: we do not ping.
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Unavailable));
    let script =
        "say('READY=1')\nsay('WATCHDOG=1\\nWATCHDOG_USEC=1\\nNOTIFYACCESS=none\\nX_A=1')\nsignal.pause()";
    let wrapped = wrapped(&manager, &peer, &[], script);
    let datagrams = manager.receive_until("X_A=1");
    assert_eq!(datagrams.last().map(String::as_str), Some("X_A=1"), "{datagrams:?}");
    assert!(!says(&datagrams, "WATCHDOG=1"), "{datagrams:?}");
    wrapped.signal(Signal::TERM);
}

#[test]
fn the_commands_barrier_is_passed_when_the_manager_has_read_all_before_it() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = "say('READY=1')\nsay('X_A=1')\nbarrier()\nout('passed')\nsignal.pause()";
    let wrapped = wrapped(&manager, &peer, &[], script);
    // Nobody reads meanwhile.
    peer.wait_for_probes(5);
    assert_eq!(wrapped.stdout_so_far(), Vec::<String>::new());
    manager.receive_until("X_A=1");
    // What is received without its descriptor is closed by that.
    let deadline = Instant::now() + AMPLE;
    while wrapped.stdout_so_far().is_empty() {
        assert!(Instant::now() < deadline, "the barrier is not passed");
        manager.receive_any_within(Duration::from_millis(100));
    }
}

#[test]
fn a_descriptor_that_the_command_stores_reaches_the_manager() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
ours, theirs = os.pipe()
say("FDSTORE=1\nFDNAME=pipe", [theirs])
os.close(theirs)
out(os.read(ours, 100).decode())
say("FDSTOREREMOVE=1\nFDNAME=pipe")
"#;
    let wrapped = wrapped(&manager, &peer, &[], script);
    let stored = receive_descriptor(&manager, "FDSTORE=1\nFDNAME=pipe");
    rustix::io::write(&stored, b"from the manager\n").unwrap();
    drop(stored);
    wrapped.stdout_until("from the manager");
    manager.receive_until("FDSTOREREMOVE=1\nFDNAME=pipe");
}

#[test]
fn the_process_that_the_command_names_is_followed_to_its_end() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
heard, told = os.pipe()
pid = os.fork()
if pid:
    say("MAINPID=%d" % pid)
    os.write(told, b"!")
    sys.exit(0)
os.read(heard, 1)
# A handler could run between a look and pause().
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
say("READY=1")
signal.sigwait([signal.SIGTERM])
sys.exit(7)
"#;
    let wrapped = wrapped(&manager, &peer, &["--child-ready=require"], script);
    let datagrams = manager.receive_until("READY=1");
    assert!(!datagrams.iter().any(|datagram| datagram.contains("MAINPID=")), "{datagrams:?}");
    wrapped.signal(Signal::TERM);
    let (status, _, log) = wrapped.end();
    assert_eq!(status.code(), Some(7), "{log:?}");
}

#[test]
fn last_words_before_the_end_are_not_lost() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let wrapped = wrapped(&manager, &peer, &[], "say('ERRNO=5\\nEXIT_STATUS=3')\nsys.exit(3)");
    // Who does not read has room for ten datagrams, and there are pings too.
    manager.receive_until("ERRNO=5\nEXIT_STATUS=3");
    assert_eq!(wrapped.end().0.code(), Some(3));
}

#[test]
fn a_worker_that_stops_or_thinks_it_hangs_is_not_the_command() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
say("READY=1")
if os.fork() == 0:
    say("STOPPING=1\nSTATUS=a worker stops")
    say("WATCHDOG=trigger")
    say("X_A=1")
    sys.exit(0)
signal.pause()
"#;
    let wrapped = wrapped(&manager, &peer, &[], script);
    let before = manager.receive_until("X_A=1");
    let after = manager.receive_until("WATCHDOG=1");
    let all = [before, after].concat();
    assert!(!says(&all, "STOPPING=1") && !says(&all, "WATCHDOG=trigger"), "{all:?}");
    wrapped.signal(Signal::TERM);
}

#[test]
fn a_command_that_says_stopping_while_it_reloads_is_looked_after_and_not_given_up() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
say("READY=1")
signal.sigwait([signal.SIGUSR1])
say("RELOADING=1")
say("STOPPING=1\nSTATUS=the old one goes")
say("X_A=1")
signal.sigwait([signal.SIGUSR1])
say("READY=1")
signal.pause()
"#;
    let script = format!("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n{script}");
    let wrapped = wrapped(&manager, &peer, &["--child-ready=require"], &script);
    manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::USR1);
    let before = manager.receive_until("X_A=1");
    let pinged = manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::USR1);
    let after = manager.receive_until("READY=1");
    let all = [before, pinged, after].concat();
    assert!(!says(&all, "STOPPING=1"), "{all:?}");
    wrapped.stderr_until("COMMAND says STOPPING=1 while it reloads");
    // Of a reload nothing is left: now it counts.
    wrapped.signal(Signal::TERM);
    manager.receive_until("STOPPING=1");
}

#[test]
fn a_worker_that_pings_does_not_hide_that_the_main_process_hangs() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
say("READY=1")
if os.fork() == 0:
    while True:
        say("WATCHDOG=1\nX_A=1")
        time.sleep(0.1)
signal.pause()
"#;
    let probe = format!("--http={}", peer.url());
    let options =
        [&*probe, "--interval=50ms", "--timeout=500ms", "--child-pings=require", "--report-budget=0s"];
    let command = ["/usr/bin/python3", "-c", &format!("{PRELUDE}{script}")];
    let wrapped = Wrapped::start_within(&manager, "2000000", &options, &command);
    // It goes on pinging all the time.
    manager.receive_until("X_A=1");
    let datagrams = manager.receive_until("WATCHDOG=trigger");
    assert!(says(&datagrams, "X_A=1") && says(&datagrams, "WATCHDOG=1"), "{datagrams:?}");
    let reason = datagrams.last().unwrap();
    assert!(reason.contains("COMMAND: no WATCHDOG=1 of its own for"), "{reason}");
    wrapped.stderr_until("does not count: it is not COMMAND's main process");
}

#[test]
fn pings_that_wait_to_be_read_are_read_before_the_silence_is_judged() {
    let manager = Manager::new();
    // Some of what it says finds no room while nobody reads.
    let script = r#"
say("READY=1")
while True:
    try:
        say("WATCHDOG=1", flags=socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass
    out("said")
    time.sleep(0.05)
"#;
    // Nothing else is asked: a probe ends as soon as it is begun, before anything is heard.
    let options = ["--child-pings=require", "--failures=1", "--interval=50ms", "--report-budget=0s"];
    let command = ["/usr/bin/python3", "-c", &format!("{PRELUDE}{script}")];
    let wrapped = Wrapped::start_within(&manager, "2000000", &options, &command);
    manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::STOP);
    let began = Instant::now();
    // Longer than COMMAND may be silent.
    while began.elapsed() < Duration::from_millis(2500) {
        wrapped.stdout_until("said");
    }
    manager.drain();
    wrapped.signal(Signal::CONT);
    let after = manager.receive_until("WATCHDOG=");
    assert!(says(&after, "WATCHDOG=1"), "{after:?}");
    wrapped.signal(Signal::TERM);
    let (_, _, log) = wrapped.end();
    assert!(!log.iter().any(|line| line.contains("no WATCHDOG=1 of its own")), "{log:?}");
}

#[test]
fn the_pings_of_the_process_that_the_command_names_count_as_its_own() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
say("READY=1")
pid = os.fork()
if pid == 0:
    while True:
        say("WATCHDOG=1\nX_A=1")
        time.sleep(0.1)
say("MAINPID=%d" % pid)
signal.pause()
"#;
    let probe = format!("--http={}", peer.url());
    let options =
        [&*probe, "--interval=50ms", "--timeout=500ms", "--child-pings=require", "--report-budget=0s"];
    let command = ["/usr/bin/python3", "-c", &format!("{PRELUDE}{script}")];
    let wrapped = Wrapped::start_within(&manager, "2000000", &options, &command);
    manager.receive_until("X_A=1");
    // For longer than it could be silent.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        let datagram = manager.receive_within(AMPLE).expect("it goes on");
        assert!(!datagram.contains("WATCHDOG=trigger"), "{datagram}");
    }
    wrapped.signal(Signal::TERM);
}

#[test]
fn what_drains_after_it_has_named_another_main_process_stops_nothing() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
say("READY=1")
pid = os.fork()
if pid:
    say("MAINPID=%d" % pid)
    say("STOPPING=1\nWATCHDOG=trigger\nX_A=1")
signal.pause()
"#;
    let wrapped = wrapped(&manager, &peer, &["--child-ready=require"], script);
    let mut datagrams = manager.receive_until("X_A=1");
    datagrams.extend(manager.receive_until("WATCHDOG=1"));
    let stops = datagrams.iter().any(|said| said.contains("STOPPING=1") || said.contains("WATCHDOG=trigger"));
    assert!(!stops, "{datagrams:?}");
    wrapped.signal(Signal::TERM);
}

#[test]
fn what_the_command_says_takes_no_ping_back_that_waits() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = r#"
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
say("READY=1")
out("up")
while True:
    signal.sigwait([signal.SIGUSR1])
    say("STATUS=still here")
    out("said")
"#;
    // One probe, whose ping finds no room, and then none for long.
    let probe = format!("--http={}", peer.url());
    let options = [&*probe, "--interval=3s", "--jitter=0", "--child-ready=require"];
    let command = ["/usr/bin/python3", "-c", &format!("{PRELUDE}{script}")];
    let wrapped = Wrapped::start(&manager, &options, &command);
    wrapped.stdout_until("up");
    manager.receive_until("READY=1\n");
    let stuffing = std::os::unix::net::UnixDatagram::unbound().unwrap();
    stuffing.set_nonblocking(true).unwrap();
    while stuffing.send_to(b"STUFFING=1", &manager.address).is_ok() {}
    peer.wait_for_probes(1);
    let served = peer.served().healthy;
    wrapped.signal(Signal::USR1);
    wrapped.stdout_until("said");
    manager.receive_until("WATCHDOG=1");
    assert_eq!(peer.served().healthy, served, "the ping is that of a later probe");
}

#[test]
fn a_command_that_cannot_be_heard_from_where_it_is_is_named_and_one_that_can_is_not() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "in CI the tests run as root");
        return;
    }
    let unheard = "NOTIFY_SOCKET=@sd-watchdog/";
    for (way, ready, expected) in [
        (&["unshare", "--net"][..], "require", true),
        (&["unshare", "--net"], "auto", true),
        (&["unshare", "--mount"], "require", false),
        (&[], "auto", false),
    ] {
        let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
        let probe = format!("--http={}", peer.url());
        let ready = format!("--child-ready={ready}");
        // A process without a network namespace of its own is not to be looked for before it has one.
        let command = ["/usr/bin/python3", "-c", "import signal; print('there', flush=True); signal.pause()"];
        let command: Vec<_> = way.iter().copied().chain(command).collect();
        peer.set(Manner::Unavailable);
        let wrapped = Wrapped::start(&manager, &[&probe, &ready, "--interval=20ms"], &command);
        wrapped.stdout_until("there");
        peer.set(Manner::Healthy);
        let status = if ready.ends_with("require") { "waiting for COMMAND to say" } else { "READY=1" };
        manager.receive_until(status);
        if expected {
            let line = wrapped.stderr_find("from where it is it cannot: ");
            assert!(line.starts_with(unheard) && line.contains("network namespace"), "{line}");
        }
        wrapped.signal(Signal::TERM);
        let (_, _, log) = wrapped.end();
        assert!(!log.iter().any(|line| line.contains("it cannot")), "once, or not at all: {log:?}");
    }
}
