//! Processes by descriptors: each stays its process's when the pid has become another's.
//!
//! Whether it is the process that was meant is to be found out after it was opened.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::raw;

/// The process that has this pid now, even if it has ended, as long as nobody has waited for it.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // 0 and negative numbers mean others, or groups.
    let pid = if pid > 0 { Pid::from_raw(pid) } else { None };
    let pid = pid.ok_or(Errno::ESRCH)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// Whether it has ended, waited for or not.
pub fn has_ended(process: &impl AsFd) -> bool {
    let mut process = [PollFd::new(process, PollFlags::IN)];
    matches!(poll(&mut process, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1..))
}

/// Sends it a signal of any number, with the value that it was queued with, if it was.
pub fn signal(process: &impl AsFd, signal: i32, value: Option<u64>) -> io::Result<()> {
    raw::send_signal_to(process.as_fd(), signal, value)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_known_by_it_after_its_end() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("a process");
        let process = open(child.id().cast_signed()).expect("a descriptor");
        assert!(!has_ended(&process));
        signal(&process, 40, None).expect("sent");
        assert_eq!(child.wait().expect("its end").signal(), Some(40));
        assert!(has_ended(&process));
        let error = signal(&process, 40, Some(1)).expect_err("nobody is left");
        assert_eq!(error.raw_os_error(), Some(nix::libc::ESRCH));
    }

    #[test]
    fn a_signal_comes_with_the_value_that_it_was_queued_with() {
        // si_status is where si_value is.
        const LISTENER: &str = r#"
            use POSIX;
            my $got = sub { syswrite STDOUT, "got $_[1]->{signo} code $_[1]->{code} value $_[1]->{status}\n"; exit };
            sigaction(40, POSIX::SigAction->new($got, POSIX::SigSet->new, POSIX::SA_SIGINFO)) or die;
            syswrite STDOUT, "up\n";
            select(undef, undef, undef, 0.01) while 1;"#;
        for (value, expected) in [(None, "got 40 code 0 value 0"), (Some(77), "got 40 code -1 value 77")] {
            let mut child = Command::new("perl")
                .args(["-e", LISTENER])
                .stdout(Stdio::piped())
                .spawn()
                .expect("a process");
            let process = open(child.id().cast_signed()).expect("a descriptor");
            let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
            let mut line = || lines.next().expect("a line").expect("text");
            assert_eq!(line(), "up");
            signal(&process, 40, value).expect("sent");
            let got = line();
            // Without a value, what is there is the sender's pid and user.
            assert!(got.starts_with(expected.trim_end_matches('0')), "{got}");
            assert!(child.wait().expect("its end").success());
        }
    }

    #[test]
    fn only_one_process_can_be_meant() {
        for nobody in [0, -1, -42, i32::MIN, i32::MAX] {
            assert!(open(nobody).is_err(), "{nobody}");
        }
    }
}
