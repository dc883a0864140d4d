//! A command of this host, as machines run it: a process group that is ended whole.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{ioctl_fionread, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::Output;

/// Where commands are looked for in a machine.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/// A command, of which the standard output is read.
pub fn command(argv: &[&str], stderr: Stdio) -> Command {
    let (program, arguments) = argv.split_first().unwrap_or((&"", &[]));
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs([("PATH", PATH), ("LANG", "C.UTF-8"), ("SYSTEMD_COLORS", "0"), ("SYSTEMD_PAGER", "")])
        .current_dir("/")
        // A Ctrl-C at the terminal is for the harness, which then ends the machine in order.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr);
    command
}

/// Waits for the end of a command, or kills it at the deadline.
///
/// # Errors
/// What became of it instead.
pub fn output(child: &mut Child, deadline: Duration) -> Result<Output, String> {
    match collect(child, Instant::now() + deadline) {
        Ok((status, [stdout, stderr])) => Ok(Output { status, stdout, stderr }),
        Err(error) => {
            end(child);
            Err(match error.kind() {
                io::ErrorKind::TimedOut => format!("did not end within {deadline:?}, and was killed"),
                _ => error.to_string(),
            })
        }
    }
}

/// Kills a command, and what it has started in its process group.
pub fn end(child: &mut Child) {
    let pid = Pid::from_child(child);
    // One that was waited for has a number that may be another's by now.
    if matches!(child.try_wait(), Ok(None)) {
        let _ = kill_process_group(pid, Signal::KILL);
        // What the kernel does not let go of is left to the end of the machine.
        let ended = pidfd_open(pid, PidfdFlags::empty()).is_ok_and(|pidfd| {
            let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
            retry_on_intr(|| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience)))
                .is_ok_and(|count| count > 0)
        });
        if ended {
            let _ = child.wait();
        }
    }
}

/// Reads what a command writes until it ends. What it leaves behind may have its output open, and the command may have closed
/// it long before its end: neither says when that is.
fn collect(child: &mut Child, deadline: Instant) -> io::Result<(ExitStatus, [String; 2])> {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut pipes: [Option<OwnedFd>; 2] =
        [child.stdout.take().map(Into::into), child.stderr.take().map(Into::into)];
    let mut texts = [Vec::new(), Vec::new()];
    let mut buffer = [0; 16 * 1024];
    let status = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let open = pipes.iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let mut fds = open.chain([PollFd::new(&pidfd, PollFlags::IN)]).collect::<Vec<_>>();
        let left = left.try_into().map_err(io::Error::other)?;
        retry_on_intr(|| poll(&mut fds, Some(&left)))?;
        let mut readable = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        for (pipe, text) in pipes.iter_mut().zip(&mut texts) {
            let Some(open) = pipe.as_ref() else { continue };
            if readable.next() != Some(true) {
                continue;
            }
            match rustix::io::read(open, &mut buffer)? {
                0 => *pipe = None,
                length => text.extend_from_slice(&buffer[..length]),
            }
        }
        if readable.next() == Some(true)
            && let Some(status) = child.try_wait()?
        {
            break status;
        }
    };
    // What it wrote last: all that is in the pipes now.
    for (pipe, text) in pipes.iter().zip(&mut texts) {
        let Some(pipe) = pipe else { continue };
        let mut rest = vec![0; usize::try_from(ioctl_fionread(pipe)?).unwrap_or(0)];
        let length = if rest.is_empty() { 0 } else { rustix::io::read(pipe, &mut rest)? };
        text.extend_from_slice(&rest[..length]);
    }
    Ok((status, texts.map(|text| String::from_utf8_lossy(&text).into_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_wrote_before_it_ended_is_read_however_late() {
        let mut command = Command::new("head");
        command.args(["--bytes=60000", "/dev/zero"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).expect("opened");
        // It has ended, and is not reaped yet.
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], None).expect("waited");
        let deadline = Instant::now() + Duration::from_secs(5);
        let (status, [stdout, stderr]) = collect(&mut child, deadline).expect("collected");
        assert_eq!((status.code(), stdout.len(), stderr.len()), (Some(0), 60_000, 0));
    }
}
