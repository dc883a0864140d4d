//! What asking costs the instrument itself, beside bare blocking sockets, which do not even look at what they get.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::machine::{Machine, MachineError, Network, Output, Stream};
use harness::model::description::Description;
use harness::model::load::Tally;
use harness::run::load::Loading;
use harness::run::observer::{Client, Observer};
use harness::scenario::{Load, Observe};

const TICK: Duration = Duration::from_millis(10);
const RATE: u32 = 5000;
const SERVERS: usize = 4;

/// Prints the CPU time of an ask at 100 a second, and of a request of a load at 5,000, with how late they were.
pub fn cost(quick: bool) {
    let length = Duration::from_secs(if quick { 1 } else { 10 });
    let service = serve();
    let network = Network::Address(service);
    let observe = Observe::http(&format!("http://{service}/")).expect("a URL");
    let client = || Client::new(&observe, &network, |_| Ok(Vec::new())).expect("a client");

    println!("\nCPU time of an ask over HTTP, 100 a second for {length:?}");
    let here =
        Here(Description { backend: "none".into(), systemd: String::new(), boot_ms: 0.0 }, network.clone());
    let asks = Arc::new(AtomicU64::new(0));
    let (cpu, late) = thread::scope(|scope| {
        let asked = Arc::clone(&asks);
        let count = move |ask: harness::model::ask::Ask| {
            assert!(ask.is_good(), "{ask:?}");
            asked.fetch_add(1, Ordering::Relaxed);
        };
        let observer = Observer::start(scope, &here, client(), TICK, count).expect("it asks");
        pause(length);
        (cpu_of("observer"), observer.lateness())
    });
    let bare = bare(service, length, TICK);
    row("the observer", cpu, asks.load(Ordering::Relaxed), Some(bare));
    println!("  at most {:.1} ms late", late.as_secs_f64() * 1e3);

    println!("\nCPU time of a request of [load], {RATE} a second for {length:?}");
    let timeout = Duration::from_secs(1);
    let plan = Load { question: observe.question.clone(), rate: RATE, connections: 2 * RATE, timeout };
    let loading = Loading::new(&plan, &network, |_| Ok(Vec::new())).expect("a load");
    let load = loading.start().expect("it asks");
    pause(length);
    let cpu = cpu_of("load");
    let mut tally = Tally::default();
    tally.add(&load.batch());
    drop(load);
    let all = tally.all();
    let bare = self::bare(service, length, Duration::ZERO);
    row("the load", cpu, all.good + all.failed, Some(bare));
    let late = tally.late.as_secs_f64() * 1e3;
    println!(
        "  {} of {} failed, {} not made in time, at most {late:.1} ms late",
        all.failed,
        all.all(),
        all.unasked
    );
    if let Some((reason, count)) = tally.failures().first() {
        println!("  {count} × {reason}: this computer is too busy for so many, and their cost is no measure");
    }
    let kept = serde_json::to_string(&Tally::take(&mut tally, 0)).expect("JSON").len();
    println!("  {kept} bytes of recording for all of them");
}

#[expect(clippy::disallowed_methods, reason = "what is measured is what happens in so long a time")]
fn pause(length: Duration) {
    thread::sleep(length);
}

/// The same by one thread that asks, waits for the end of the answer, and asks again when the next is due: CPU time and count.
fn bare(service: SocketAddr, length: Duration, interval: Duration) -> (Duration, u64) {
    let asking = thread::Builder::new().name("bare".into()).spawn(move || {
        let begin = Instant::now();
        let mut count = 0_u32;
        let mut answer = Vec::new();
        while begin.elapsed() < length {
            pause((interval * count).saturating_sub(begin.elapsed()));
            let mut stream = TcpStream::connect(service).expect("it listens");
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("asked");
            answer.clear();
            stream.read_to_end(&mut answer).expect("an answer");
            count += 1;
        }
        (cpu_of("bare"), u64::from(count))
    });
    asking.expect("a thread").join().expect("it asks")
}

fn row(name: &str, cpu: Duration, count: u64, bare: Option<(Duration, u64)>) {
    #[expect(clippy::cast_precision_loss, reason = "a count of thousands")]
    let each = |cpu: Duration, count: u64| cpu.as_secs_f64() * 1e6 / count as f64;
    let ours = each(cpu, count);
    println!("  {name:<30} {ours:>8.1} µs");
    if let Some((cpu, count)) = bare {
        let theirs = each(cpu, count);
        println!("  {:<30} {theirs:>8.1} µs   {:.2} × as long", "bare blocking sockets", theirs / ours);
    }
}

/// How long this process's thread of that name has had a CPU.
fn cpu_of(name: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("threads").map(|task| task.expect("a thread").path());
    let spent =
        tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    let nanoseconds = spent.map(|task| {
        let statistics = fs::read_to_string(task.join("schedstat")).expect("statistics");
        statistics.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// A service that answers each at once, on threads of its own.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    for _ in 0..SERVERS {
        let listener = listener.try_clone().expect("a descriptor");
        thread::spawn(move || {
            let mut question = [0; 1024];
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.read(&mut question);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        });
    }
    address
}

/// This computer, as far as an observer asks for it.
struct Here(Description, Network);

impl Machine for Here {
    fn description(&self) -> &Description {
        &self.0
    }

    fn put(&self, _: &str, _: &[u8], _: u32) -> Result<(), MachineError> {
        unreachable!("nobody puts anything here")
    }

    fn run(&self, _: &[&str], _: Duration) -> Result<Output, MachineError> {
        unreachable!("no command asks")
    }

    fn start(&self, _: &[&str]) -> Result<Stream, MachineError> {
        unreachable!("no command asks")
    }

    fn cgroup(&self) -> Option<PathBuf> {
        None
    }

    fn network(&self) -> Network {
        self.1.clone()
    }

    fn obituary(&self) -> Option<String> {
        None
    }

    fn close(&mut self) -> Result<(), MachineError> {
        Ok(())
    }
}
