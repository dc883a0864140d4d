//! Commands in a container.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use super::engine::{Engine, failed};
use crate::interrupt;
use crate::machine::{MachineError, Stream};

/// The environment of commands, the same on every backend.
const ENVIRONMENT: [&str; 4] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "SYSTEMD_COLORS=0",
    "SYSTEMD_PAGER=",
];

/// Runs a command for as long as somebody holds the other end of its standard input, and kills it then, with what it has
/// started: the engine itself ends nothing that it executes, and a process id of the engine's is not one of ours.
const HELD: &str = "\
exec 3<&0
session=
if command -v setsid >/dev/null; then session=setsid; fi
$session \"$@\" </dev/null 3<&- &
command=$! group=$!
[ -z \"$session\" ] || group=-$command
{
    read -r _
    kill -s KILL -- \"$group\" || kill -s KILL \"$command\"
} <&3 >/dev/null 2>&1 &
holder=$!
exec 3<&-
wait \"$command\" 2>/dev/null
status=$?
kill -s KILL \"$holder\" 2>/dev/null
exit \"$status\"
";

/// The command, held.
fn held<'a>(argv: &[&'a str]) -> Vec<&'a str> {
    [&["sh", "-c", HELD, "sh"], argv].concat()
}

/// Runs a command to its end, or kills it at the deadline; returns its exit code and what it wrote.
///
/// What reads `input` ends with it, and so is killed by nothing else.
pub async fn run(
    engine: &Engine,
    container: &str,
    argv: &[&str],
    input: Option<&[u8]>,
    deadline: Duration,
) -> Result<(i32, String, String), MachineError> {
    let collect = async {
        let command = if input.is_some() { argv.to_vec() } else { held(argv) };
        let (id, mut output, mut stdin) = attach(engine, container, &command, argv).await?;
        if let Some(input) = input {
            let in_exec = |error: io::Error| failed(&format!("writing to `{}`", argv.join(" ")), &error);
            stdin.write_all(input).await.map_err(in_exec)?;
            stdin.shutdown().await.map_err(in_exec)?;
        }
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(part) = output.next().await {
            match part.map_err(|error| failed(&format!("running `{}`", argv.join(" ")), &error))? {
                LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                other => stdout.extend_from_slice(&other.into_bytes()),
            }
        }
        let ended =
            engine.docker().inspect_exec(&id).await.map_err(|error| failed("running a command", &error))?;
        let code = ended.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((code, text(stdout), text(stderr)))
    };
    tokio::time::timeout(deadline, collect).await.unwrap_or_else(|_| {
        Err(MachineError::Command {
            command: argv.join(" "),
            reason: format!("did not end within {deadline:?}, and was killed"),
        })
    })
}

/// Starts a command; its standard output reaches the stream through a pipe.
pub fn start(engine: &Engine, container: &str, argv: &[&str]) -> Result<Stream, MachineError> {
    let (_, mut output, stdin) = engine.block_on(attach(engine, container, &held(argv), argv))??;
    let (reader, writer) = io::pipe().map_err(|error| MachineError::broken("making a pipe", error))?;
    let pump = engine.spawn(async move {
        let _held = stdin;
        let Ok(mut writer) = pipe::Sender::from_owned_fd(writer.into()) else { return };
        let pump = async {
            while let Some(Ok(part)) = output.next().await {
                // Where nobody reads any more, the write fails.
                if matches!(part, LogOutput::StdOut { .. })
                    && writer.write_all(&part.into_bytes()).await.is_err()
                {
                    break;
                }
            }
        };
        // Whoever reads has no other way to hear of it.
        tokio::select! {
            () = pump => {}
            () = interrupt::heard() => {}
        }
    });
    // Nobody holds the command any more when this has ended.
    Ok(Stream::new(reader, move || pump.abort()))
}

type Output = std::pin::Pin<
    Box<dyn futures_util::Stream<Item = Result<LogOutput, testcontainers::bollard::errors::Error>> + Send>,
>;
type Input = std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>;

/// Executes `command`, which is `argv` as people are to know it.
async fn attach(
    engine: &Engine,
    container: &str,
    command: &[&str],
    argv: &[&str],
) -> Result<(String, Output, Input), MachineError> {
    let in_exec = |error: testcontainers::bollard::errors::Error| {
        failed(&format!("running `{}`", argv.join(" ")), &error)
    };
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        env: Some(ENVIRONMENT.to_vec()),
        user: Some(super::ROOT),
        cmd: Some(command.to_vec()),
        ..CreateExecOptions::default()
    };
    let id = engine.docker().create_exec(container, options).await.map_err(in_exec)?.id;
    match engine.docker().start_exec(&id, None::<StartExecOptions>).await.map_err(in_exec)? {
        StartExecResults::Attached { output, input } => Ok((id, output, input)),
        StartExecResults::Detached => {
            Err(MachineError::Command { command: argv.join(" "), reason: "the engine detached it".into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    fn started(script: &str) -> std::process::Child {
        let argv = held(&["sh", "-c", script]);
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().expect("a shell starts")
    }

    #[test]
    fn a_held_command_ends_as_it_would_by_itself() {
        for (script, code, said) in
            [("echo here; exit 7", 7, "here\n"), ("kill -s KILL $$", 137, ""), ("cat", 0, "")]
        {
            let mut child = started(script);
            let holder = child.stdin.take();
            let output = child.wait_with_output().expect("ends");
            assert_eq!(output.status.code(), Some(code), "{script}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), said);
            drop(holder);
        }
    }

    #[test]
    fn a_command_that_nobody_holds_is_killed_with_what_it_has_started() {
        let mut child = started("sleep 1000 & echo started; wait");
        let mut output = child.stdout.take().expect("piped");
        let mut said = [0; 8];
        output.read_exact(&mut said).expect("it says that it has started");
        drop(child.stdin.take());
        assert_eq!(child.wait().expect("ends").code(), Some(137));
        // Whoever else had its output open is gone too.
        assert_eq!(output.read(&mut said).expect("the end"), 0);
    }
}
