//! `sd-watchdog` with a COMMAND, and everything it says and does.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::common;
use crate::manager::{AMPLE, Manager};
use crate::process::{Process, kill};

/// A COMMAND that runs until it is stopped.
pub const FOREVER: [&str; 2] = ["sleep", "1000"];

pub struct Wrapped {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// `sd-watchdog OPTIONS -- COMMAND`, in an environment where nothing is said to it.
pub fn sd_watchdog(options: &[&str], command: &[&str]) -> Command {
    let mut program = Command::new("env");
    // A test run under nohup(1), or in a shell's background, has signals ignored, and hands that down.
    program.arg("--default-signal").arg(common::program());
    program.args(options).arg("--").args(command);
    for name in
        ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "LISTEN_FDS", "LISTEN_PID"]
    {
        program.env_remove(name);
    }
    program
}

impl Wrapped {
    /// Under `manager`, with `WatchdogSec=10s`.
    pub fn start(manager: &Manager, options: &[&str], command: &[&str]) -> Self {
        Self::start_within(manager, "10000000", options, command)
    }

    /// The same, with another `WATCHDOG_USEC`.
    pub fn start_within(manager: &Manager, usec: &str, options: &[&str], command: &[&str]) -> Self {
        let mut program = sd_watchdog(options, command);
        Self::spawn(program.env("NOTIFY_SOCKET", &manager.address).env("WATCHDOG_USEC", usec))
    }

    /// In a group of its own, to be killed as a whole at the end of the test.
    pub fn spawn(program: &mut Command) -> Self {
        Self::spawn_as_it_is(program.process_group(0))
    }

    pub fn spawn_as_it_is(program: &mut Command) -> Self {
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// By hand: of its parent's it would have to be found out whether they went to all of the unit, see `Manager`.
    pub fn signal(&self, signal: Signal) {
        let kill = format!("kill -{} {}", signal.as_raw(), self.raw_pid());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// As systemd, which is the parent of each of its services, sends it to the main process alone.
    pub fn signal_as_manager(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// As systemd sends it to all processes of the unit: the main one first.
    pub fn signal_all_as_manager(&self, signal: Signal) {
        let others = Process::descendants_and_witness(self.raw_pid());
        self.signal_as_manager(signal);
        for other in others {
            kill_process(Pid::from_raw(other.pid).unwrap(), signal).unwrap();
        }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn raw_pid(&self) -> i32 {
        self.pid().as_raw_nonzero().get()
    }

    /// COMMAND, if it has neither ended nor left anything behind.
    #[track_caller]
    pub fn child_pid(&self) -> i32 {
        let children = Process::descendants(self.raw_pid());
        assert_eq!(children.len(), 1, "{children:?}");
        children[0].pid
    }

    /// The lines of COMMAND's output up to `line`, without it.
    #[track_caller]
    pub fn stdout_until(&self, line: &str) -> Vec<String> {
        until(&self.stdout, line)
    }

    /// What COMMAND has said already.
    pub fn stdout_so_far(&self) -> Vec<String> {
        self.stdout.try_iter().collect()
    }

    /// What stands behind `words` in the log, in the first line that has them.
    #[track_caller]
    pub fn stderr_find(&self, words: &str) -> String {
        let deadline = Instant::now() + AMPLE;
        while let Ok(line) = self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some((_, found)) = line.split_once(words) {
                return found.to_owned();
            }
        }
        panic!("no {words:?}");
    }

    /// The next line of the log, if one comes in time.
    pub fn stderr_within(&self, time: Duration) -> Option<String> {
        self.stderr.recv_timeout(time).ok()
    }

    /// The lines of the log up to one that has `words`, without it.
    #[track_caller]
    pub fn stderr_until(&self, words: &str) -> Vec<String> {
        until(&self.stderr, words)
    }

    /// How it ended, with the rest of its output and its log.
    #[track_caller]
    pub fn end(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        // The streams end when the last process that holds them ends.
        let rest = |lines: &Receiver<String>| {
            let deadline = Instant::now() + AMPLE;
            let mut rest = Vec::new();
            while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                rest.push(line);
            }
            assert!(Instant::now() < deadline, "sd-watchdog or COMMAND still runs; so far: {rest:?}");
            rest
        };
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        (self.child.wait().unwrap(), stdout, stderr)
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        // COMMAND has a session of its own, and may have left other processes to sd-watchdog.
        let others = Process::descendants(self.raw_pid());
        let _ = kill_process_group(self.pid(), Signal::KILL);
        for other in others {
            kill(other.pid);
        }
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[track_caller]
fn until(lines: &Receiver<String>, words: &str) -> Vec<String> {
    let deadline = Instant::now() + AMPLE;
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if line.contains(words) {
            return seen;
        }
        seen.push(line);
    }
    panic!("no {words:?}, but {seen:#?}");
}
