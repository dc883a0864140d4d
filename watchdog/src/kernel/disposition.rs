//! What a process does about a signal.

use nix::libc;

use super::proc::Signals;

/// More threads are not looked at.
const MOST_THREADS: usize = 256;

/// Whether the process would end by the signal, if it came now: that is its default (signal(7)), and the process neither
/// handles nor ignores it, nor do all its threads have it blocked, to take it with sigwait(3) or signalfd(2). What cannot
/// be read counts as no.
pub(crate) fn would_die_of(pid: i32, signal: i32) -> bool {
    if !ends_by_default(signal) {
        return false;
    }
    let of_process = signals(&format!("/proc/{pid}/status"));
    if !of_process.is_some_and(|signals| signals.is_default(signal)) {
        return false;
    }
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let mut threads = threads.flatten().take(MOST_THREADS);
    threads.any(|thread| {
        let path = thread.path().join("status");
        path.to_str().and_then(signals).is_some_and(|signals| !signals.is_blocked(signal))
    })
}

fn signals(path: &str) -> Option<Signals> {
    Signals::parse(&std::fs::read_to_string(path).ok()?)
}

fn ends_by_default(signal: i32) -> bool {
    !matches!(
        signal,
        libc::SIGCHLD
            | libc::SIGCONT
            | libc::SIGURG
            | libc::SIGWINCH
            | libc::SIGSTOP
            | libc::SIGTSTP
            | libc::SIGTTIN
            | libc::SIGTTOU
    )
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_signal_ends_who_neither_handles_nor_ignores_nor_blocks_it() {
        // A thread that takes it, beside one that does not have it blocked, would not be sure to get it.
        let in_thread = "t = threading.Thread(target=lambda: (signal.pthread_sigmask(signal.SIG_BLOCK, [1]), out(), \
                         time.sleep(1000)), daemon=True); t.start(); time.sleep(1000)";
        for (script, signal, expected) in [
            ("out()", libc::SIGHUP, true),
            ("out()", libc::SIGRTMIN() + 3, true),
            ("out()", libc::SIGWINCH, false),
            ("out()", libc::SIGTSTP, false),
            ("signal.signal(1, signal.SIG_IGN); out()", libc::SIGHUP, false),
            ("signal.signal(1, lambda *_: 0); out()", libc::SIGHUP, false),
            ("signal.signal(1, lambda *_: 0); out()", libc::SIGUSR1, true),
            ("signal.pthread_sigmask(signal.SIG_BLOCK, [1, 64]); out()", libc::SIGHUP, false),
            ("signal.pthread_sigmask(signal.SIG_BLOCK, [1, 64]); out()", 64, false),
            (in_thread, libc::SIGHUP, true),
        ] {
            let script = format!(
                "import signal, threading, time\ndef out(): print('up', flush=True)\n{script}\ntime.sleep(1000)"
            );
            let mut command = Command::new("env");
            command.args(["--default-signal", "/usr/bin/python3", "-c", &script]);
            let mut child = command.stdout(Stdio::piped()).spawn().expect("a process");
            let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
            assert_eq!(lines.next().expect("a line").expect("text"), "up");
            assert_eq!(would_die_of(child.id().cast_signed(), signal), expected, "{script} {signal}");
            child.kill().and_then(|()| child.wait()).expect("its end");
        }
        assert!(!would_die_of(i32::MAX, libc::SIGHUP), "nobody");
    }
}
