//! Signals reach COMMAND, once.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::common::program;
use crate::manager::{AMPLE, Manager};
use crate::peer::{Manner, Peer};
use crate::process::{Process, wait_until};
use crate::wrapped::{Wrapped, sd_watchdog};

/// Says which signals it got.
pub const LISTENER: &str = r#"
    for name in TERM INT HUP QUIT USR1 USR2 WINCH CONT ABRT ALRM URG PROF VTALRM XCPU XFSZ IO PWR; do
        trap "echo got $name" $name
    done
    echo up
    while :; do sleep 0.01; done"#;

const NOWHERE: &str = "--http=http://127.0.0.1:9/";

#[test]
fn every_signal_that_can_be_caught_is_passed_on() {
    let manager = Manager::new();
    let wrapped = Wrapped::start(&manager, &[NOWHERE], &["sh", "-c", LISTENER]);
    wrapped.stdout_until("up");
    for (signal, name) in [
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
        (Signal::CONT, "CONT"),
        (Signal::ALARM, "ALRM"),
        (Signal::URG, "URG"),
        (Signal::PROF, "PROF"),
        (Signal::VTALARM, "VTALRM"),
        (Signal::XCPU, "XCPU"),
        (Signal::XFSZ, "XFSZ"),
        (Signal::IO, "IO"),
        (Signal::POWER, "PWR"),
        (Signal::ABORT, "ABRT"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::TERM, "TERM"),
    ] {
        wrapped.signal(signal);
        let before = wrapped.stdout_until(&format!("got {name}"));
        assert_eq!(before, Vec::<String>::new(), "each signal comes once");
    }
}

#[test]
fn what_the_manager_sends_to_all_comes_once_and_so_does_what_it_sends_to_us_alone() {
    const COUNTER: &str = r#"
        $| = 1;
        for my $name (qw(USR1 HUP TERM)) { $SIG{$name} = sub { $got++ } }
        $SIG{WINCH} = sub { print "$got before WINCH\n"; $got = 0 };
        print "up\n";
        select undef, undef, undef, 1 while 1"#;
    let manager = Manager::new();
    let wrapped = Wrapped::start(&manager, &[NOWHERE], &["perl", "-e", COUNTER]);
    wrapped.stdout_until("up");
    for signal in [Signal::USR1, Signal::HUP, Signal::TERM] {
        wrapped.signal_all_as_manager(signal);
        // They are passed on in their order, if they are; and perl takes those that wait by their number.
        wrapped.signal_as_manager(Signal::WINCH);
        let deadline = Instant::now() + AMPLE;
        let mut said = Vec::new();
        while said.is_empty() && Instant::now() < deadline {
            // So the barrier is passed.
            manager.so_far();
            said = wrapped.stdout_so_far();
        }
        assert_eq!(said, ["1 before WINCH"], "{signal:?}");
    }
}

#[test]
fn stop_signals_are_announced_and_others_are_not() {
    for (signal, expected) in [
        (
            Signal::TERM,
            Some("STOPPING=1\nSTATUS=stopping: COMMAND got SIGTERM\nWATCHDOG_USEC=18446744073709551615"),
        ),
        // A JVM answers SIGQUIT with a list of its threads, and lives on.
        (Signal::INT, None),
        (Signal::QUIT, None),
        (Signal::ABORT, Some("STATUS=stopping: COMMAND got SIGABRT")),
        (Signal::HUP, None),
    ] {
        let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
        let url = format!("--http={}", peer.url());
        let wrapped = Wrapped::start(&manager, &[&url], &["sh", "-c", LISTENER]);
        wrapped.stdout_until("up");
        manager.receive_until("READY=1");
        wrapped.signal(signal);
        wrapped.stdout_until("got");
        let said = manager.drain().into_iter().find(|datagram| datagram.contains("stopping"));
        assert_eq!(said.as_deref(), expected);
    }
}

#[test]
fn an_abort_from_the_manager_reaches_the_command_and_is_waited_for() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let dump = r"trap 'echo dumping; sleep 0.1; exit 4' ABRT; echo up; while :; do sleep 0.01; done";
    let wrapped = Wrapped::start(&manager, &[&url, "--failures=1"], &["sh", "-c", dump]);
    wrapped.stdout_until("up");
    manager.receive_until("READY=1");
    peer.set(Manner::Unavailable);
    manager.receive_until("WATCHDOG=trigger");
    wrapped.signal(Signal::ABORT);
    wrapped.signal(Signal::CONT);
    let (status, stdout, _) = wrapped.end();
    assert_eq!((status.code(), stdout), (Some(4), vec!["dumping".to_owned()]));
}

/// A terminal, and the keys of it.
pub struct Terminal {
    keys: File,
}

impl Terminal {
    pub fn new() -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        Self { keys: File::from(terminal) }
    }

    /// Presses a key.
    pub fn press(&self, key: u8) {
        (&self.keys).write_all(&[key]).unwrap();
    }

    /// `sd-watchdog` on this terminal, in its foreground.
    pub fn wrap(&self, command: &[&str]) -> Wrapped {
        self.run(&sd_watchdog(&[NOWHERE, "-v"], command))
    }

    pub fn run(&self, program: &Command) -> Wrapped {
        let name = ptsname(&self.keys, Vec::new()).unwrap();
        let stdin = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut on_terminal = Command::new("setsid");
        on_terminal.arg("--ctty").arg(program.get_program()).args(program.get_args()).stdin(stdin);
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            on_terminal.env_remove(name);
        }
        Wrapped::spawn_as_it_is(&mut on_terminal)
    }
}

#[test]
fn ctrl_c_at_a_terminal_reaches_the_command_exactly_once() {
    let terminal = Terminal::new();
    let wrapped = terminal.wrap(&["sh", "-c", LISTENER]);
    wrapped.stdout_until("up");
    terminal.press(0x03);
    wrapped.stdout_until("got INT");
    // Signals to one process stay in order here: a second SIGINT would be heard of before this.
    wrapped.signal(Signal::USR1);
    assert_eq!(wrapped.stdout_until("got USR1"), Vec::<String>::new());
}

#[test]
fn ctrl_z_at_a_terminal_pauses_us_with_the_command() {
    // A shell that is there to continue its job: without one, the kernel pauses nobody.
    let terminal = Terminal::new();
    let program = program();
    let job = format!("{program} {NOWHERE} -- sh -c 'echo up; exec sleep 1000'; echo paused; fg");
    // bash looks for its terminal there.
    let job = format!("exec 2>/dev/tty; set -m; {job}");
    let wrapped = terminal.run(Command::new("bash").args(["-c", &job]));
    wrapped.stdout_until("up");
    let states =
        || Process::descendants(wrapped.raw_pid()).iter().map(|process| process.state).collect::<Vec<_>>();
    terminal.press(0x1a);
    wrapped.stdout_until("paused");
    wait_until("both run again", || states() == ['S', 'S']);
}

#[test]
fn signals_that_pause_or_report_a_fault_are_passed_on_when_a_process_sends_them() {
    const DEAF: &str = r#"
        for name in TSTP TTIN TTOU PIPE SEGV BUS FPE ILL SYS TRAP; do trap "echo got $name" $name; done
        echo up
        while :; do sleep 0.01; done"#;
    // Without a manager COMMAND does not have SIGPIPE ignored: a shell can trap it then.
    let wrapped = Wrapped::spawn(&mut sd_watchdog(&[NOWHERE], &["sh", "-c", DEAF]));
    wrapped.stdout_until("up");
    for (signal, name) in [
        (Signal::TSTP, "TSTP"),
        (Signal::TTIN, "TTIN"),
        (Signal::TTOU, "TTOU"),
        (Signal::PIPE, "PIPE"),
        (Signal::SEGV, "SEGV"),
        (Signal::BUS, "BUS"),
        (Signal::FPE, "FPE"),
        (Signal::ILL, "ILL"),
        (Signal::SYS, "SYS"),
        (Signal::TRAP, "TRAP"),
    ] {
        wrapped.signal(signal);
        assert_eq!(wrapped.stdout_until(&format!("got {name}")), Vec::<String>::new());
    }
    assert_eq!(Process::at(wrapped.raw_pid()).state, 'S');
}

/// Says which real-time signals it got, with their values: si_value is where si_status is. Handlers run in the middle of
/// anything, so nothing here is buffered.
const QUEUE: &str = r#"
    use POSIX;
    sub say { syswrite STDOUT, "@_\n" }
    my $got = sub { say "got", $_[1]->{signo}, "code", $_[1]->{code}, "value", $_[1]->{status} };
    for my $signal (SIGRTMIN() .. SIGRTMAX(), SIGUSR1) {
        sigaction($signal, POSIX::SigAction->new($got, POSIX::SigSet->new, POSIX::SA_SIGINFO)) or die;
    }
    say "up";
    select(undef, undef, undef, 0.01) while 1;"#;

/// procps's and util-linux's kill(1), unlike the shells', can queue a value.
fn queue(wrapped: &Wrapped, signal: i32, value: i32) {
    let kill = ["-q", &value.to_string(), "-s", &signal.to_string(), &wrapped.raw_pid().to_string()]
        .map(String::from);
    assert!(Command::new("kill").args(kill).status().unwrap().success());
}

#[test]
fn a_queued_signal_is_passed_on_with_its_value() {
    const SI_QUEUE: i32 = -1;
    let manager = Manager::new();
    let wrapped = Wrapped::start(&manager, &[NOWHERE], &["perl", "-e", QUEUE]);
    wrapped.stdout_until("up");
    for (signal, value) in [(34, 1), (40, 77), (64, 2_147_483_647), (10, 12)] {
        queue(&wrapped, signal, value);
        let before = wrapped.stdout_until(&format!("got {signal} code {SI_QUEUE} value {value}"));
        assert_eq!(before, Vec::<String>::new());
    }
}

#[test]
fn real_time_signals_are_passed_on_as_often_as_they_come() {
    let manager = Manager::new();
    let wrapped = Wrapped::start(&manager, &[NOWHERE], &["perl", "-e", QUEUE]);
    wrapped.stdout_until("up");
    let script = format!("for i in 1 2 3 4 5; do kill -50 {}; done", wrapped.raw_pid());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    wrapped.signal(Signal::USR1);
    let mut lines = Vec::new();
    for _ in 0..5 {
        lines.extend(wrapped.stdout_until("got 50 code 0"));
    }
    assert_eq!(lines.len(), lines.iter().filter(|line| line.starts_with("got 10 ")).count(), "{lines:?}");
}
