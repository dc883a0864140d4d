//! What guarding a service costs, and how fast a hang is told, beside the alternatives in the same run.
//!
//! Nothing is asserted: the figures are for people, and their ratios hold across computers.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people have three digits"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use tempfile::TempDir;

use crate::common::program;
use crate::manager::{NotifySocket, as_service};
use crate::memory::Memory;

const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a prober that runs takes from its connection to its question.
const STOPPED: Duration = Duration::from_millis(100);
/// W: longer than any of it takes.
const WATCHDOG: Duration = Duration::from_secs(60);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Prints the figures; `quick`: of so few probes that they say nothing but that all of it works.
pub fn run(quick: bool, million: bool) {
    let many = |full: u64, quickly: u64| if quick { quickly } else { full };

    let size = fs::metadata(program()).map(|metadata| metadata.len()).unwrap_or_default();
    println!("The program: {:.2} MiB, {}", size as f64 / MIB, program());

    cpu(many(5_000, 50), many(60, 2));
    memory(if million { 1_000_000 } else { many(50_000, 100) });
    latency(many(300, 3));
}

const MIB: f64 = 1024.0 * 1024.0;

/// So many times each of two is measured in turns, and half of the rounds are better and half worse than what is printed: what
/// else runs on the machine disturbs both alike.
const ROUNDS: u32 = 25;

fn cpu(probes: u64, shell_probes: u64) {
    println!(
        "\nCPU time of a healthy probe and its ping ({probes} each in {ROUNDS} rounds, of the shell {shell_probes})"
    );
    let peer = Peer::new();
    let mut bare_prober = Prober::bare(&peer);
    let mut guarded = Prober::start(&peer, &["--interval=1ms", "--timeout=4s", "--retry-interval=1ms"]);
    bare_prober.pings(many_first(probes));
    guarded.pings(many_first(probes));
    let each = (probes / u64::from(ROUNDS)).max(1);
    let (mut bares, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut wakes = 0;
    for _ in 0..ROUNDS {
        let (bare, _) = guarded.paused(|| bare_prober.round(each));
        let (cpu, switches) = bare_prober.paused(|| guarded.round(each));
        wakes += switches;
        bares.push(bare);
        ours.push(cpu);
        ratios.push(ratio(cpu, bare));
    }
    drop((guarded, bare_prober));
    let (bare, ours, wakes) = (median(bares), median(ours), wakes as f64 / (each * u64::from(ROUNDS)) as f64);
    ratios.sort_by(f64::total_cmp);
    println!("  {:<44} {:>9.1} µs", "bare sockets, in a process of their own", micros(bare));
    println!(
        "  {:<44} {:>9.1} µs   {:.2} × the bare sockets ({:.2} to {:.2}), {wakes:.1} wake-ups a probe",
        "sd-watchdog",
        micros(ours),
        ratios[ratios.len() / 2],
        ratios[ratios.len() / 10],
        ratios[ratios.len() - 1 - ratios.len() / 10],
    );
    match shell_loop(&peer, shell_probes) {
        Some(shell) => println!(
            "  {:<44} {:>9.1} µs   {:.0} × sd-watchdog",
            "curl and systemd-notify in a shell loop",
            micros(shell),
            ratio(shell, ours)
        ),
        None => println!("  curl and systemd-notify are not installed: nothing to compare with"),
    }
}

fn median(mut lengths: Vec<Duration>) -> Duration {
    lengths.sort_unstable();
    lengths[lengths.len() / 2]
}

/// So that what is made once is made before it is measured.
fn many_first(probes: u64) -> u64 {
    (probes / 10).max(1)
}

fn memory(probes: u64) {
    println!("\nMemory and descriptors, in steady state and after {probes} more probes");
    let peer = Peer::new();
    let mut guarded = Prober::start(&peer, &["--interval=100us", "--timeout=4s", "--retry-interval=1ms"]);
    guarded.pings(many_first(probes).min(1_000));
    let before = guarded.memory();
    guarded.pings(probes);
    let after = guarded.memory();
    println!("  {:<44} {:>9.2} MiB then {:>6.2} MiB", "proportional set size (PSS)", before.pss, after.pss);
    println!(
        "  {:<44} {:>9.2} MiB then {:>6.2} MiB",
        "of which heap and stack (anonymous)", before.anonymous, after.anonymous
    );
    println!("  {:<44} {:>9} then {:>10}", "descriptors", before.descriptors, after.descriptors);
}

fn latency(hangs: u64) {
    println!("\nFrom the deadline of the last allowed failure to the trigger ({hangs} hangs)");
    for (name, budget) in [("without a hang report", "0s"), ("with one, of one process", "500ms")] {
        let mut lengths: Vec<Duration> = (0..hangs).map(|_| hang(budget)).collect();
        lengths.sort_unstable();
        let at = |share: f64| lengths[((lengths.len() - 1) as f64 * share) as usize];
        println!(
            "  {name:<44} p50 {:>6.2} ms   p99 {:>6.2} ms   max {:>6.2} ms",
            micros(at(0.5)) / 1e3,
            micros(at(0.99)) / 1e3,
            micros(at(1.0)) / 1e3
        );
    }
}

/// One hang, after which one probe is allowed to fail: how long after its deadline the trigger came.
fn hang(budget: &str) -> Duration {
    const TIMEOUT: Duration = Duration::from_millis(20);
    let peer = Peer::new();
    let budget = format!("--report-budget={budget}");
    let mut guarded = Prober::start(
        &peer,
        &[
            "--failures=1",
            "--interval=5ms",
            "--timeout=20ms",
            "--retry-interval=1ms",
            "--pressure=off",
            &budget,
        ],
    );
    guarded.pings(3);
    peer.shared.is_mute.store(true, Ordering::SeqCst);
    let triggered = guarded.until("WATCHDOG=trigger");
    // The peer has seen the connection a little after the probe began, so this is short by some 50 µs.
    let asked = peer.started + Duration::from_nanos(peer.shared.last_asked.load(Ordering::SeqCst));
    triggered.saturating_duration_since(asked + TIMEOUT)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// Whom a process of this program is to probe, and whom to tell: it is [`bare`] then.
const BARE: [&str; 2] = ["GUARDING_BARE_ADDRESS", "GUARDING_BARE_MANAGER"];

/// What any prober has to do, and nothing else, where this process was started for that. In a process of its own as
/// `sd-watchdog` is: who shares one with the service finds its caches warm.
pub fn play() -> Option<ExitCode> {
    let [address, manager] = BARE.map(|name| std::env::var(name).ok());
    let address: SocketAddr = address?.parse().expect("an address");
    let manager = manager?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bare\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.send_to(b"READY=1", &manager).expect("said");
    let mut buffer = [0; 2048];
    loop {
        // As often as sd-watchdog does.
        let _ = rustix::event::poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut length = 0;
        while length < ANSWER.len() {
            length += stream.read(&mut buffer[length..]).expect("an answer");
        }
        assert!(buffer.starts_with(b"HTTP/1.1 200"));
        drop(stream);
        if socket.send_to(b"WATCHDOG=1", &manager).is_err() {
            return Some(ExitCode::SUCCESS);
        }
    }
}

/// The loop of many a unit file; each of its processes ends before the next begins.
fn shell_loop(peer: &Peer, probes: u64) -> Option<Duration> {
    let manager = Manager::new();
    let script = "i=0; while [ $i -lt $1 ]; do curl -fsm1 -o /dev/null \"$2\" && systemd-notify WATCHDOG=1; i=$((i+1)); done";
    for program in ["curl", "systemd-notify"] {
        Command::new(program).arg("--version").stdout(Stdio::null()).status().ok()?;
    }
    // systemd-notify waits until its words were read (BARRIER=1); not reading on would hold the loop up.
    let Manager { socket, _directory } = manager;
    let path = socket.path().to_owned();
    std::thread::spawn(move || while socket.next().is_ok() {});
    let before = children_cpu();
    let status = Command::new("sh")
        .args(["-c", script, "sh", &probes.to_string(), &format!("http://{}/", peer.address)])
        .env("NOTIFY_SOCKET", &path)
        .status()
        .ok()?;
    status
        .success()
        .then(|| children_cpu().saturating_sub(before) / u32::try_from(probes).unwrap_or(u32::MAX))
}

/// User and system time of children that were waited for (proc(5), stat, fields 16 and 17), in ticks of 10 ms.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("stat");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
    let ticks: u64 = fields[13..15].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_millis(ticks * 10)
}

/// Time on a CPU, in ns: the first field of schedstat.
fn on_cpu(schedstat: &Path) -> Duration {
    let text = fs::read_to_string(schedstat).expect("schedstat");
    Duration::from_nanos(text.split(' ').next().and_then(|field| field.parse().ok()).expect("a number"))
}

/// Answers every connection, or none.
struct Peer {
    address: SocketAddr,
    started: Instant,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_mute: AtomicBool,
    is_over: AtomicBool,
    /// When the last connection came, in ns since the start.
    last_asked: AtomicU64,
}

impl Peer {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (started, shared) = (Instant::now(), Arc::new(Shared::default()));
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            let mut request = [0; 1024];
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let now = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                served.last_asked.store(now, Ordering::SeqCst);
                if served.is_over.load(Ordering::SeqCst) {
                    return;
                }
                // A prober that was stopped before it asked must not keep the other waiting: it is answered all the same.
                let _ = stream.set_read_timeout(Some(STOPPED));
                let _ = stream.read(&mut request);
                if served.is_mute.load(Ordering::SeqCst) {
                    held.push(stream);
                } else {
                    let _ = stream.write_all(ANSWER);
                }
            }
        });
        Self { address, started, shared }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Plays systemd.
struct Manager {
    socket: NotifySocket,
    _directory: TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = NotifySocket::bind(&directory.path().join("notify"), PATIENCE).expect("a socket");
        Self { socket, _directory: directory }
    }
}

/// `sd-watchdog` in front of a service that does nothing, while the peer answers for it.
struct Prober {
    manager: Manager,
    child: Child,
}

impl Prober {
    fn start(peer: &Peer, options: &[&str]) -> Self {
        let manager = Manager::new();
        let mut guard = Command::new(program());
        guard.arg(format!("--http=http://{}/", peer.address)).args(options).args(["--", "sleep", "infinity"]);
        let guard = as_service(&mut guard, manager.socket.path(), WATCHDOG);
        let child = guard.stderr(Stdio::null()).spawn().expect("it starts");
        let guarded = Self { manager, child };
        guarded.until("READY=1");
        guarded
    }

    /// Waits for a datagram with these words; when it came.
    fn until(&self, words: &str) -> Instant {
        loop {
            let datagram = self.manager.socket.next().expect("a datagram");
            let now = Instant::now();
            if datagram.words.contains(words) {
                return now;
            }
        }
    }

    /// Waits for so many pings.
    fn pings(&mut self, count: u64) -> u64 {
        for _ in 0..count {
            self.until("WATCHDOG=1");
        }
        count
    }

    /// [`play`]
    fn bare(peer: &Peer) -> Self {
        let manager = Manager::new();
        let mut bare = Command::new("/proc/self/exe");
        let told = [peer.address.to_string().into(), manager.socket.path().as_os_str().to_owned()];
        let child = bare.envs(BARE.into_iter().zip(told)).spawn().expect("it starts");
        let prober = Self { manager, child };
        prober.until("READY=1");
        prober
    }

    /// The CPU time of each of so many probes, and how often it slept in all of them.
    fn round(&mut self, probes: u64) -> (Duration, u64) {
        // What waited meanwhile is not of this round.
        self.pings(1);
        let (cpu, switches) = (self.cpu(), self.switches());
        self.pings(probes);
        let cpu = self.cpu().saturating_sub(cpu) / u32::try_from(probes).unwrap_or(u32::MAX);
        (cpu, self.switches() - switches)
    }

    /// Does this while the prober stands still.
    fn paused<T>(&self, work: impl FnOnce() -> T) -> T {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("it is stopped");
        let done = work();
        rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("it goes on");
        done
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    fn cpu(&self) -> Duration {
        on_cpu(&self.file("schedstat"))
    }

    fn switches(&self) -> u64 {
        let status = fs::read_to_string(self.file("status")).expect("status");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.and_then(|count| count.trim().parse().ok()).expect("a number")
    }

    fn memory(&self) -> Memory {
        Memory::of(i32::try_from(self.child.id()).expect("a pid")).expect("memory")
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        // COMMAND gets the signal when its parent ends.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
