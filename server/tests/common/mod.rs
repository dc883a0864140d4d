//! A `buggy_server` to test from outside: the real program, on free ports, seen through plain sockets and `/proc`.

#![expect(dead_code, reason = "every test file uses a part of this")]
#![expect(clippy::unwrap_used, reason = "a test that cannot even ask has failed")]

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for the slowest machine; a test that waits this long has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// How long silence is listened to, where it is what is claimed. A healthy server answers a hundred times as fast.
pub const SILENCE: Duration = Duration::from_millis(300);

/// Waits until `condition` gives something. The only way in which these tests wait.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain for: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A running server; killed when dropped.
pub struct Server {
    pub listen: SocketAddr,
    /// What the log gives as the control endpoint: an address or `unix:PATH`.
    pub control: String,
    child: Child,
    log: Mutex<Receiver<String>>,
    _directory: TempDir,
}

/// The program, in a clean environment: of the directory `HANGPROOF_TEST_PROGRAMS`, or as cargo has just built it.
pub fn program() -> Command {
    let given =
        env::var_os("HANGPROOF_TEST_PROGRAMS").map(|directory| Path::new(&directory).join("buggy_server"));
    let mut command = Command::new(given.unwrap_or_else(|| env!("CARGO_BIN_EXE_buggy_server").into()));
    for variable in
        ["BUGGY_SERVER_CONTROL", "JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]
    {
        command.env_remove(variable);
    }
    command
}

impl Server {
    /// Starts a server on free ports.
    pub fn start(options: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", options)
    }

    /// Starts a server with its control endpoint at `control`.
    pub fn start_at(control: &str, options: &[&str]) -> Self {
        Self::start_with(&[], control, options)
    }

    /// Starts a server with its control endpoint at `control`, and with these variables in its environment.
    pub fn start_with(environment: &[(&str, &OsStr)], control: &str, options: &[&str]) -> Self {
        let mut command = program();
        command.envs(environment.iter().copied());
        Self::spawn(command, control, options)
    }

    /// Starts a server that has somebody to notify; they are in the directory.
    pub fn start_notifying() -> (TempDir, Self) {
        let directory = TempDir::new().unwrap();
        let address = directory.path().join("notify");
        let socket = UnixDatagram::bind(&address).unwrap();
        thread::spawn(move || while socket.recv(&mut [0; 64]).is_ok() {});
        let server = Self::start_with(&[("NOTIFY_SOCKET", address.as_os_str())], "127.0.0.1:0", &[]);
        (directory, server)
    }

    /// Starts a server that signals end as they usually do, also where who runs the tests ignores some (nohup, or a shell's `&`).
    pub fn start_with_usual_signals() -> Self {
        let program = program();
        let mut env = Command::new("env");
        env.arg("--default-signal").arg(program.get_program());
        for (variable, _) in program.get_envs() {
            env.env_remove(variable);
        }
        Self::spawn(env, "127.0.0.1:0", &[])
    }

    /// Starts a server on free ports under a limit, as a shell's `ulimit` has it.
    pub fn start_limited(ulimit: &str, options: &[&str]) -> Self {
        let program = program();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {ulimit} && exec \"$0\" \"$@\"")]).arg(program.get_program());
        for (variable, _) in program.get_envs() {
            shell.env_remove(variable);
        }
        Self::spawn(shell, "127.0.0.1:0", options)
    }

    fn spawn(mut command: Command, control: &str, options: &[&str]) -> Self {
        // Its own, for the core dump that a crash may leave.
        let directory = TempDir::new().unwrap();
        let mut child = command
            .current_dir(&directory)
            .args(["--listen", "127.0.0.1:0", "--control", control])
            .args(options)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = lines_of(child.stderr.take().unwrap());
        let serving = wait_for_line(&log, "serving");
        let field = |name: &str| {
            let prefix = format!("{name}=");
            let word = serving.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
            word.unwrap_or_else(|| panic!("no {name} in {serving:?}")).to_owned()
        };
        let listen = field("listen").parse().unwrap();
        Self { listen, control: field("control"), child, log: Mutex::new(log), _directory: directory }
    }

    /// The next line of the log that contains `text`.
    pub fn log_line(&self, text: &str) -> String {
        wait_for_line(&self.log.lock().unwrap(), text)
    }

    /// The lines of the log up to the next one that contains `text`.
    pub fn log_until(&self, text: &str) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let mut lines = Vec::new();
        loop {
            let line =
                log.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("no line with {text:?}: {error}"));
            if line.contains(text) {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Closes the reading end of the server's stderr.
    pub fn close_log(&mut self) {
        let (_, nothing) = mpsc::channel();
        self.log = Mutex::new(nothing);
        // The reader notices with the next line.
        self.inject("mute");
        self.heal();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks for `path`, where an answer is due: none only after [`DEADLINE`].
    pub fn get(&self, path: &str) -> Option<Answer> {
        self.open(path).read(DEADLINE)
    }

    /// Asks for `path`, where none is due: whether there is [`SILENCE`].
    pub fn is_silent(&self, path: &str) -> bool {
        self.open(path).read(SILENCE).is_none()
    }

    /// Asks for `path`, and leaves the answer for later.
    pub fn open(&self, path: &str) -> Exchange {
        Exchange::start(self.listen, &get(path))
    }

    /// Asks for `path`, and leaves the connection open.
    pub fn open_kept(&self, path: &str) -> Exchange {
        Exchange::start(self.listen, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// A request to the control endpoint with a body in JSON, as its clients send it.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Answer {
        self.control_with(method, path, &["Host: localhost", "Content-Type: application/json"], body)
    }

    /// A request to the control endpoint with just these headers.
    pub fn control_with(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let headers = headers.join("\r\n");
        let length = body.len();
        let request =
            format!("{method} {path} HTTP/1.1\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}");
        let exchange = Exchange::start(self.control.parse().unwrap(), &request);
        exchange.read(DEADLINE).expect("an answer from the control endpoint")
    }

    pub fn status(&self) -> Value {
        self.control("GET", "/status", "").json()
    }

    /// Injects a fault, which must succeed; gives the time of injection.
    pub fn inject(&self, fault: &str) -> u64 {
        let answer = self.control("POST", "/faults", &format!(r#"{{"fault":"{fault}"}}"#));
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["injected_at_monotonic_usec"].as_u64().unwrap()
    }

    /// Injects a fault with parameters, as JSON, which must succeed.
    pub fn inject_with(&self, fault: &str, parameters: &str) {
        let order = format!(r#"{{"fault":"{fault}","parameters":{parameters}}}"#);
        let answer = self.control("POST", "/faults", &order);
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    /// Heals, which must succeed.
    pub fn heal(&self) {
        let answer = self.control("DELETE", "/faults", "");
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    /// The program as a client of this server.
    pub fn client(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::from_std(program());
        command.args(arguments).args(["--control", &self.control]);
        command
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub fn wait_for_exit(&mut self) -> ExitStatus {
        eventually("the server to exit", || self.child.try_wait().unwrap())
    }

    /// The server's worker threads.
    pub fn workers(&self) -> Vec<Thread> {
        self.threads("worker")
    }

    /// Whether one of its threads is called so.
    pub fn has_thread(&self, name: &str) -> bool {
        !self.threads(name).is_empty()
    }

    fn threads(&self, name: &str) -> Vec<Thread> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let threads = tasks.map(|task| Thread { directory: task.unwrap().path() });
        // One may have ended meanwhile.
        let comm = |thread: &Thread| fs::read_to_string(thread.directory.join("comm")).unwrap_or_default();
        threads.filter(|thread| comm(thread).trim() == name).collect()
    }

    /// Memory that is its own and in use, in bytes.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// The soft limit of how many descriptors it may have.
    pub fn descriptor_limit(&self) -> usize {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.pid())).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(3).unwrap().parse().unwrap()
    }

    pub fn open_descriptors(&self) -> usize {
        self.open_descriptors_below(u32::MAX)
    }

    /// Those of a limit; whoever started the tests may have left some beyond it.
    pub fn open_descriptors_below(&self, limit: u32) -> usize {
        let numbers = fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        let number =
            |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().to_str()?.parse::<u32>().ok();
        numbers.filter_map(number).filter(|number| *number < limit).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One thread of the server, as the kernel sees it.
pub struct Thread {
    directory: std::path::PathBuf,
}

impl Thread {
    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.directory.join(file)).unwrap()
    }

    /// The fields of `stat`, from the state on: field 3 of proc(5) is number 0 here.
    fn stat(&self) -> Vec<String> {
        let stat = self.read("stat");
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().map(str::to_owned).collect()
    }

    pub fn sleeps(&self) -> bool {
        self.stat()[0] == "S"
    }

    /// CPU time in user space, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        self.stat()[11].parse().unwrap()
    }

    /// How often it was taken off a CPU, for whatever reason; a thread that does anything at all sees this grow.
    pub fn switches(&self) -> u64 {
        let status = self.read("status");
        let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
        counts.map(|line| line.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum()
    }
}

/// A request that was sent, and whose answer may come.
pub struct Exchange {
    stream: TcpStream,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A GET request, after which the server closes the connection.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

impl Exchange {
    pub fn start(address: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        Self { stream }
    }

    /// Sends more.
    pub fn send(&self, text: &str) {
        (&self.stream).write_all(text.as_bytes()).unwrap();
    }

    /// The whole answer; none if not a byte comes within `patience`.
    pub fn read(&self, patience: Duration) -> Option<Answer> {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        let mut text = Vec::new();
        match (&self.stream).read_to_end(&mut text) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && text.is_empty() => return None,
            Err(error) => panic!("after {:?}: {error}", String::from_utf8_lossy(&text)),
        }
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        Some(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
    }

    /// What there is to read, as soon as there is something.
    pub fn read_some(&mut self, patience: Duration) -> String {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.stream.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "the connection has ended");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// What there is to read until the connection ends.
    pub fn read_to_end(&mut self, patience: Duration) -> String {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        let mut text = String::new();
        self.stream.read_to_string(&mut text).unwrap();
        text
    }

    /// How many bytes of the request the server has not yet read, by the kernel's account.
    pub fn unread_bytes(&self) -> u64 {
        let hex = |address: SocketAddr| {
            let SocketAddr::V4(address) = address else { panic!("{address} is not IPv4") };
            format!("{:08X}:{:04X}", u32::from_le_bytes(address.ip().octets()), address.port())
        };
        let server = hex(self.stream.peer_addr().unwrap());
        let client = hex(self.stream.local_addr().unwrap());
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let row = rows.find(|row| row[1] == server && row[2] == client).expect("our connection");
        let (_, received) = row[4].split_once(':').unwrap();
        u64::from_str_radix(received, 16).unwrap()
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The `error` that the control endpoint gives.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().expect("an error").to_owned()
    }
}

fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        // Somebody has to read to the end: a full pipe would hang the server in a way of its own.
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn wait_for_line(log: &Receiver<String>, text: &str) -> String {
    loop {
        match log.recv_timeout(DEADLINE) {
            Ok(line) if line.contains(text) => return line,
            Ok(_) => {}
            Err(error) => panic!("no line with {text:?} in the log: {error}"),
        }
    }
}
