//! This program as another process of the soak: `--as ROLE …`.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::sys::signal::SigSet;
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit, setsid};

use super::{load, services};

const FLAG: &str = "--as";

/// Plays the role on the command line, if there is one.
pub fn play() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().filter(|first| first == FLAG)?;
    let role = arguments.next().and_then(|role| role.into_string().ok()).unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    let texts = || rest.iter().map(|text| text.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let result = match role.as_str() {
        "enter" => Err(enter(&rest)),
        "serve" => services::serve(&texts()),
        "worker" => services::work(),
        "ask" => ask(Path::new(&texts().concat())),
        "busy" => load::busy(),
        "flood" => load::flood(&texts().concat()),
        _ => Err(io::Error::other("there is no such role")),
    };
    Some(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    })
}

/// A command that plays `role`.
pub fn command(role: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([FLAG, role]);
    Ok(command)
}

/// The arguments by which another program plays `role`.
pub fn arguments(role: &str) -> io::Result<[OsString; 3]> {
    Ok([std::env::current_exe()?.into(), FLAG.into(), role.into()])
}

/// A command that runs `program`, to which arguments can be added, as systemd would: in these control groups, in a session
/// of its own (by which the kernel shares out CPU where `sched_autogroup_enabled` is 1), with nobody's niceness, without
/// core dumps.
pub fn enter_then(groups: &[PathBuf], program: &[OsString]) -> io::Result<Command> {
    let mut command = command("enter")?;
    command.args(groups).arg("--").args(program);
    Ok(command)
}

fn enter(arguments: &[OsString]) -> io::Error {
    let split = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let (groups, program) = arguments.split_at(split);
    let [_, program, arguments @ ..] = program else { return io::Error::other("nothing to run") };
    let prepare = || -> io::Result<()> {
        for group in groups {
            std::fs::write(Path::new(group).join("cgroup.procs"), "0")?;
        }
        // The soak has those blocked that ask it to stop, and std hands that down.
        SigSet::empty().thread_set_mask()?;
        // Fails where it has one already.
        let _ = setsid();
        setpriority_process(None, 0)?;
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
        Ok(())
    };
    match prepare() {
        Ok(()) => Command::new(program).args(arguments).exec(),
        Err(error) => error,
    }
}

/// Asks a service at a Unix socket, as the command of an `--exec` probe does.
fn ask(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(b"PING")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    if &answer == b"PONG" { Ok(()) } else { Err(io::Error::other("an answer that is none")) }
}
