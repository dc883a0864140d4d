//! What COMMAND is started with, and what is refused before it is started.

use std::process::Command;

use assert_cmd::Command as Assert;
use rustix::process::Signal;

use crate::common::program;
use crate::manager::Manager;
use crate::wrapped::{FOREVER, Wrapped, sd_watchdog};

const NOWHERE: &str = "--http=http://127.0.0.1:9/";

#[test]
fn the_command_sees_the_environment_without_what_systemd_says_to_us() {
    let manager = Manager::new();
    let mut program = sd_watchdog(&[NOWHERE], &["env"]);
    let wrapped = Wrapped::spawn(
        program
            .env("NOTIFY_SOCKET", &manager.address)
            .env("WATCHDOG_USEC", "1000000")
            .env("WATCHDOG_PID", "1")
            .env("SYSTEMD_EXEC_PID", "1")
            .env("INVOCATION_ID", "kept"),
    );
    let (_, environment, _) = wrapped.end();
    for kept in ["INVOCATION_ID=kept", "SYSTEMD_EXEC_PID=1"] {
        assert!(environment.contains(&kept.to_owned()), "{environment:?}");
    }
    for name in ["WATCHDOG_USEC", "WATCHDOG_PID"] {
        assert!(!environment.iter().any(|line| line.contains(name)), "{environment:?}");
    }
    let ours = format!("NOTIFY_SOCKET={}", manager.address.display());
    let theirs = environment.iter().filter(|line| line.starts_with("NOTIFY_SOCKET=")).collect::<Vec<_>>();
    assert!(theirs.len() == 1 && *theirs[0] != ours, "a socket of ours, not systemd's: {theirs:?}");
}

#[test]
fn the_command_gets_no_blocked_signal_and_sigpipe_as_its_starter_would_have_it() {
    const SIGPIPE: u64 = 1 << 12;
    // IgnoreSIGPIPE=yes is systemd's default, and not the only way.
    for (under_systemd, ignored) in [(true, SIGPIPE), (true, 0), (false, SIGPIPE), (false, 0)] {
        let manager = Manager::new();
        let how = if ignored == 0 { "--default-signal=PIPE" } else { "--ignore-signal=PIPE" };
        let inner = sd_watchdog(&[NOWHERE], &["grep", "^Sig", "/proc/self/status"]);
        let mut program = Command::new("env");
        for name in inner.get_envs().filter_map(|(name, value)| value.is_none().then_some(name)) {
            program.env_remove(name);
        }
        program.arg(how).args(inner.get_args().skip(1));
        if under_systemd {
            program.env("NOTIFY_SOCKET", &manager.address);
        }
        let (_, lines, _) = Wrapped::spawn(&mut program).end();
        let mask = |name: &str| {
            let line = lines.iter().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        assert_eq!((mask("SigBlk:"), mask("SigIgn:") & SIGPIPE), (0, ignored), "{lines:?}");
    }
}

#[test]
fn the_command_gets_the_signal_mask_that_we_were_given() {
    const SIGUSR1: u64 = 1 << 9;
    let mut blocking = Command::new("env");
    blocking.args(["--block-signal=USR1", program(), NOWHERE]);
    blocking.args(["--", "grep", "^SigBlk", "/proc/self/status"]);
    let (_, lines, _) = Wrapped::spawn(blocking.env_remove("NOTIFY_SOCKET")).end();
    assert_eq!(lines, [format!("SigBlk:\t{SIGUSR1:016x}")]);
}

#[test]
fn without_a_notify_socket_the_command_runs_with_one_warning() {
    for (address, warning) in
        [("", "NOTIFY_SOCKET is not set"), ("vsock:2:1", "only /path and @abstract sockets")]
    {
        let mut program = sd_watchdog(&[NOWHERE], &["sh", "-c", "echo served; exit 5"]);
        let wrapped = Wrapped::spawn(program.env("NOTIFY_SOCKET", address).env("WATCHDOG_USEC", "1000000"));
        let (status, stdout, log) = wrapped.end();
        assert_eq!((status.code(), stdout), (Some(5), vec!["served".to_owned()]));
        assert_eq!(log.iter().filter(|line| line.contains("runs unguarded")).count(), 1, "{log:?}");
        assert!(log[0].contains(warning), "{log:?}");
    }
}

#[test]
fn what_cannot_work_is_refused_with_exit_code_2_and_the_command_is_not_started() {
    let sum = "interval 500 ms + 3 × timeout 2 s + 2 × retry-interval 50 ms = 6.6 s, but WatchdogSec is 5 s";
    for (options, usec, expected) in [
        (&[NOWHERE, "--timeout=2s"][..], "5000000", sum),
        (&[NOWHERE, "--failures=0"], "5000000", "--failures is 0"),
        (&[NOWHERE], "5s", "WATCHDOG_USEC is \"5s\", which is not a number of microseconds"),
        (&["--http=https://127.0.0.1/", "--ca-file=/no/such"], "5000000", "/no/such"),
        (&[NOWHERE, "--stop-signal=WINK"], "5000000", "--stop-signal \"WINK\" is not a signal"),
        (&[NOWHERE, "--reload-signal=TERM"], "5000000", "--reload-signal \"TERM\" is a stop signal"),
        (&[NOWHERE, "--send=PING"], "5000000", "--send goes with --tcp or --unix"),
        (&["--http=127.0.0.1:80"], "5000000", "write it as http://127.0.0.1:8080/healthz"),
        (&[NOWHERE, "--interval=5"], "5000000", "time unit needed"),
        (&[NOWHERE, "--interval=500000000000y 500000000000y"], "5000000", "number is too large"),
        (&[NOWHERE, "--failures=4294967296"], "5000000", "4294967296 is not in 0..=4294967295"),
        (
            &[NOWHERE, "--rise=4294967295", "--on-hang=withhold"],
            "5000000",
            "+ 4294967296 × timeout 500 ms + ",
        ),
        (&[NOWHERE], "18446744073709551616", "which is not a number of microseconds"),
        (&[], "5000000", "there is nothing to probe: give at least one of --http"),
    ] {
        let mut program = sd_watchdog(options, &["echo", "started"]);
        program.env("WATCHDOG_USEC", usec);
        let refused = Assert::from_std(program).assert().code(2);
        let (stdout, stderr) = (&refused.get_output().stdout, &refused.get_output().stderr);
        let message = String::from_utf8_lossy(stderr);
        assert!(message.contains(expected), "{message}");
        assert_eq!(stdout, b"");
    }
}

#[test]
fn numbers_of_any_size_work() {
    const YEAR: &[&str] = &[
        "--interval=365d",
        "--timeout=365d",
        "--retry-interval=365d",
        "--start-timeout=365d",
        "--reset-after=365d",
        "--report-budget=365d",
        "--failures=4294967295",
        "--rise=4294967295",
    ];
    // One more is infinity: no watchdog.
    const MOST: &str = "18446744073709551614";
    for (usec, options) in [
        ("0", YEAR),
        (MOST, &[]),
        (MOST, &["--failures=4294967295", "--timeout=1h", "--retry-interval=1ms"]),
        (MOST, &["--on-hang=withhold", "--rise=4294967295", "--timeout=1h", "--retry-interval=1ms"]),
    ] {
        let manager = Manager::new();
        let options = [options, &["--exec=true", "--child-ready=ignore"]].concat();
        let wrapped = Wrapped::start_within(&manager, usec, &options, &FOREVER);
        manager.receive_until("READY=1");
        wrapped.signal(Signal::TERM);
        let (_, _, log) = wrapped.end();
        assert!(!log.join("").contains("panicked"), "{usec} {options:?}: {log:?}");
    }
}

#[test]
fn with_few_descriptors_the_command_runs_or_there_is_an_error_that_says_what_to_do() {
    const PROBES: [&[&str]; 4] = [
        &[NOWHERE],
        &["--exec=true"],
        &["--http=http://db.invalid/"],
        &["--tcp=localhost:9", "--metrics=127.0.0.1:0"],
    ];
    let mut ran = 0;
    // With three, the dynamic loader finds no library.
    for (limit, probes) in (4..=24).flat_map(|limit| PROBES.map(|probes| (limit, probes))) {
        let manager = Manager::new();
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"]);
        limited.arg(env!("CARGO_BIN_EXE_sd-watchdog")).args(probes).args(["--", "echo", "served"]);
        limited.env("NOTIFY_SOCKET", &manager.address).env("WATCHDOG_USEC", "5000000");
        let (status, stdout, log) = Wrapped::spawn(&mut limited).end();
        let log = log.join("\n");
        assert!(!log.contains("panicked"), "{limit} {probes:?}: {log}");
        if status.success() {
            assert_eq!(stdout, ["served"], "{limit} {probes:?}");
            ran += 1;
        } else {
            assert!(matches!(status.code(), Some(70 | 126)), "{limit} {probes:?}: {status}");
            let error = log.lines().last().unwrap_or_default();
            assert!(error.contains("LimitNOFILE="), "{limit} {probes:?}: {log}");
        }
    }
    assert!(ran >= PROBES.len() * 4, "with 21 it runs");
}

#[test]
fn a_report_budget_that_the_watchdog_does_not_leave_is_warned_of_at_start() {
    for (budget, times) in [("--report-budget=500ms", 0), ("--report-budget=10s", 1)] {
        let mut program = sd_watchdog(&[NOWHERE, budget], &["true"]);
        let (status, _, log) = Wrapped::spawn(program.env("WATCHDOG_USEC", "5000000")).end();
        assert!(status.success(), "{log:?}");
        let warnings =
            log.iter().filter(|line| line.contains("--report-budget is 10 s, but a WatchdogSec of 5 s"));
        assert_eq!(warnings.count(), times, "{log:?}");
    }
}

#[test]
fn version_and_help_are_there() {
    for (option, expected) in [("--version", "sd-watchdog 0."), ("--help", "/sd-watchdog --http")] {
        let output = Assert::new(program()).arg(option).assert().success();
        let stdout = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        assert!(stdout.contains(expected), "{stdout}");
    }
}
