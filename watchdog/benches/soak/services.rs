//! The services that are guarded: this program again, as COMMAND.
//!
//! A line on their standard input is an order (`hang KIND`, `chat on`, `chat off`); `sd-watchdog` leaves the standard streams
//! as they are. `hung NANOSECONDS`, of CLOCK_MONOTONIC, is said on the standard output when a hang begins.

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use super::hang::Hang;
use super::{clock, role};

mod archive;
#[cfg(feature = "grpc")]
mod grpc;
mod notify;
mod switch;

use self::switch::Switch;

/// Stands before the time at which a hang began, on the standard output.
pub const HUNG: &str = "hung ";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// A client that says nothing is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves as the arguments say, until it is ended.
pub fn serve(arguments: &[String]) -> io::Result<()> {
    let switch = Arc::new(Switch::default());
    let ordered = Arc::clone(&switch);
    thread::Builder::new().name("orders".to_owned()).spawn(move || obey(&ordered))?;
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts[..] {
        ["threads", address] => threads(&listen(address)?, &switch),
        ["single", address, millis] => {
            let work = Duration::from_millis(number(millis)?);
            one_at_a_time(&listen(address)?, || clock::burn(work))
        }
        ["queue", address, millis] => {
            let work = Duration::from_millis(number(millis)?);
            one_at_a_time(&listen(address)?, || clock::pass(work))
        }
        ["prefork", address, count] => prefork(&listen(address)?, number(count)?),
        ["archive", address, file] => archive::serve(&listen(address)?, Path::new(file)),
        ["unix", path] => unix(Path::new(path)),
        ["pinger"] => notify::ping(),
        #[cfg(feature = "grpc")]
        ["grpc", address] => grpc::serve(listen(address)?),
        _ => Err(io::Error::other(format!("no service is like {texts:?}"))),
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

/// As long as its predecessor is being killed, the port is taken.
fn listen(address: &str) -> io::Result<TcpListener> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let deadline = clock::now() + PATIENCE;
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && clock::now() < deadline => {
                clock::pass(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// Carries out what comes on the standard input.
fn obey(switch: &Arc<Switch>) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["hang", kind] => {
                if let Some(since) = Hang::named(kind).map(|kind| switch.hang(kind)) {
                    let _ = writeln!(io::stdout(), "{HUNG}{}", since.as_nanos());
                }
            }
            ["chat", "on"] => notify::chat(switch),
            ["chat", _] => {
                switch.chat(false);
            }
            _ => {}
        }
    }
}

/// Takes a request, works, and answers. Clients may be gone meanwhile.
fn answer(stream: &mut (impl Read + Write), work: impl FnOnce()) {
    let mut request: Vec<u8> = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(length) if length > 0 && request.len() < 16 * 1024 => request.extend(&part[..length]),
            _ => return,
        }
    }
    work();
    let _ = stream.write_all(ANSWER);
}

/// A thread for each connection; hangs on command.
fn threads(listener: &TcpListener, switch: &Arc<Switch>) -> io::Result<()> {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        switch.accepted();
        let switch = Arc::clone(switch);
        let serve = move || {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            answer(&mut stream, || switch.pass());
        };
        thread::Builder::new().name("worker".to_owned()).spawn(serve)?;
    }
    Ok(())
}

/// All in one thread, which works for each answer.
fn one_at_a_time(listener: &TcpListener, work: impl Fn()) -> io::Result<()> {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        stream.set_read_timeout(Some(PATIENCE))?;
        answer(&mut stream, &work);
    }
    Ok(())
}

/// Workers that share the listener.
fn prefork(listener: &TcpListener, count: u64) -> io::Result<()> {
    let workers: io::Result<Vec<_>> = (0..count)
        .map(|_| {
            let mut worker: Command = role::command("worker")?;
            worker.stdin(Stdio::from(listener.as_fd().try_clone_to_owned()?)).spawn()
        })
        .collect();
    for mut worker in workers? {
        let _ = worker.wait()?;
    }
    Ok(())
}

/// One of them: the listener is its standard input.
pub fn work() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    one_at_a_time(&listener, || clock::burn(Duration::from_millis(1)))
}

/// Answers PING with PONG, at a Unix socket.
fn unix(path: &Path) -> io::Result<()> {
    let _ = std::fs::remove_file(path);
    for stream in UnixListener::bind(path)?.incoming() {
        let Ok(mut stream) = stream else { continue };
        thread::Builder::new().spawn(move || {
            let mut question = [0; 4];
            let _ = stream.set_read_timeout(Some(PATIENCE));
            if stream.read_exact(&mut question).is_ok() && &question == b"PING" {
                let _ = stream.write_all(b"PONG");
            }
        })?;
    }
    Ok(())
}

/// Asks a service over HTTP, as a client of it; the answer's first line.
pub fn get(address: SocketAddr, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Waits for ever.
fn park() -> ! {
    let (never, condition) = (Mutex::new(()), Condvar::new());
    let mut guard = never.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        guard = condition.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
}
