//! Commands in a container.

use std::io::{self, Write};
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use tokio::io::AsyncWriteExt;

use super::engine::{Engine, failed};
use crate::machine::{MachineError, Stream};

/// The environment of commands, the same on every backend.
const ENVIRONMENT: [&str; 4] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
    "SYSTEMD_COLORS=0",
    "SYSTEMD_PAGER=",
];

/// Runs a command to its end and returns its exit code and what it wrote.
pub async fn run(
    engine: &Engine,
    container: &str,
    argv: &[&str],
    input: &[u8],
    deadline: Duration,
) -> Result<(i32, String, String), MachineError> {
    let collect = async {
        let (id, mut output, mut stdin) = attach(engine, container, argv).await?;
        let in_exec = |error: io::Error| failed(&format!("writing to `{}`", argv.join(" ")), &error);
        stdin.write_all(input).await.map_err(in_exec)?;
        stdin.shutdown().await.map_err(in_exec)?;
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
            reason: format!("did not end within {deadline:?}"),
        })
    })
}

/// Starts a command; its standard output reaches the stream through a pipe.
pub fn start(engine: &Engine, container: &str, argv: &[&str]) -> Result<Stream, MachineError> {
    let (id, mut output, stdin) = engine.block_on(attach(engine, container, argv))?;
    let (reader, mut writer) = io::pipe().map_err(|error| MachineError::broken("making a pipe", error))?;
    let pump = engine.spawn(async move {
        let _open = stdin;
        while let Some(Ok(part)) = output.next().await {
            // The reader is quick and the pipe is wide; where nobody reads any more, the write fails.
            if matches!(part, LogOutput::StdOut { .. }) && writer.write_all(&part.into_bytes()).is_err() {
                break;
            }
        }
    });
    let engine = engine.clone();
    Ok(Stream::new(reader, move || {
        pump.abort();
        // The engine does not end what it executed; the host can, where it may.
        let pid = engine.block_on(engine.docker().inspect_exec(&id)).ok().and_then(|exec| exec.pid);
        let pid = pid.and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }))
}

type Output = std::pin::Pin<
    Box<dyn futures_util::Stream<Item = Result<LogOutput, testcontainers::bollard::errors::Error>> + Send>,
>;
type Input = std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>;

async fn attach(
    engine: &Engine,
    container: &str,
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
        cmd: Some(argv.to_vec()),
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
