//! What the live page takes with many who look at it: `cargo bench -p harness -- page`, or `-- page SECONDS`.
//!
//! Clients of events hang on, and one of them does not read. Tellings come at the rate of a demo, with bursts as of a hang. It is
//! measured how long after it was told each was in a client's hands, and how the memory grows.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::model::clock::Usec;
use harness::page::hub::Hub;
use harness::page::ring::{Bounds, Keep};
use harness::page::server::deed::Deed;
use harness::page::server::stage::{Format, Refused, Stage};
use harness::page::server::{Assets, Options, Server};

const CLIENTS: usize = 200;
/// As in a demo: answers ten times a second, and lines, events and phases of a hang in bursts.
const EVERY: Duration = Duration::from_millis(100);
const BURST: usize = 40;

#[derive(Debug)]
struct Nobody;

impl Stage for Nobody {
    fn deed(&self, _: Deed) -> Result<String, Refused> {
        Err(Refused::Impossible("a benchmark".into()))
    }

    fn export(&self, _: Format) -> Result<Vec<u8>, Refused> {
        Ok(Vec::new())
    }

    fn document(&self, _: &str) -> String {
        String::new()
    }
}

/// Prints the figures of so many seconds.
pub fn cost(length: Duration) {
    println!("\nThe page with {CLIENTS} clients of its events, for {} s", length.as_secs());
    // Small, so that it is full after seconds and what grows then is something else.
    let hub = Hub::new(Bounds { bytes: 1 << 17, ..Bounds::default() });
    let assets = Assets { script: "", style: "", icon: "" };
    let options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::new(assets) };
    let server = Server::start(&options, hub.clone(), Arc::new(Nobody)).expect("it starts");
    let told = Arc::new(AtomicU64::new(0));
    let clients = (0..CLIENTS).map(|_| {
        let stream = follow(&server);
        let told = Arc::clone(&told);
        thread::Builder::new().stack_size(128 << 10).spawn(move || lateness(stream, &told)).expect("a thread")
    });
    let clients = clients.collect::<Vec<_>>();
    // One that does not read at all: nobody waits for it.
    let _deaf = follow(&server);

    let begin = Instant::now();
    let (mut next, mut round, mut quarters) = (begin, 0_usize, Vec::new());
    while begin.elapsed() < length {
        round += 1;
        let count = if round.is_multiple_of(50) { BURST } else { 1 };
        for _ in 0..count {
            let at = Usec::now();
            let text = "x".repeat(300);
            let write = |id| format!("{{\"id\":{id},\"at\":{},\"text\":\"{text}\"}}", at.0).into();
            told.store(hub.tell_json(at, Keep::Passing, write), Ordering::Relaxed);
        }
        if begin.elapsed() * 4 > length * (u32::try_from(quarters.len()).expect("few") + 1) {
            quarters.push(resident());
        }
        next += EVERY;
        thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
    let (tellings, bytes) = hub.size();
    quarters.push(resident());
    println!("  memory after each quarter, in kB: {quarters:?}");
    println!("  {} told; {tellings} tellings, {} kB in the ring", hub.head(), bytes / 1000);
    println!("  {} clients follow at the end", server.followers());
    // Those that were told last are on their way.
    thread::park_timeout(Duration::from_secs(2));
    drop(server);
    let mut all = Vec::new();
    for client in clients {
        let (lateness, missing) = client.join().expect("it ends");
        assert_eq!(missing, 0, "a client missed something");
        all.extend(lateness);
    }
    all.sort_unstable();
    let at =
        |permille: usize| Duration::from_micros(all[(all.len() - 1) * permille / 1000]).as_secs_f64() * 1e3;
    println!(
        "  told to read by a client: p50 {:.2} ms   p99 {:.2} ms   p99.9 {:.2} ms   max {:.2} ms   ({} in all)",
        at(500),
        at(990),
        at(999),
        at(1000),
        all.len()
    );
}

fn follow(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    stream.write_all(b"GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("an answer");
    stream
}

/// By how many microseconds each was late, and how many never came.
fn lateness(stream: TcpStream, told: &AtomicU64) -> (Vec<u64>, u64) {
    // What the clients of this benchmark keep is there from the beginning, each page of it: what grows is not theirs.
    let (mut late, mut had, mut missing) = (vec![1; 16 << 10], 0, 0);
    late.clear();
    for line in BufReader::with_capacity(4096, stream).lines() {
        let Ok(line) = line else { break };
        let Some(json) = line.strip_prefix("data: {\"id\":").filter(|json| json.contains("\"at\":")) else {
            continue;
        };
        let number = |text: &str| text.split(',').next().and_then(|digits| digits.parse::<u64>().ok());
        let id = number(json).expect("an id");
        let at = json.split_once("\"at\":").and_then(|(_, rest)| number(rest)).expect("a time");
        late.push(u64::try_from((Usec::now() - Usec(at)).as_micros()).expect("short"));
        missing += id - had - 1;
        had = id;
    }
    (late, missing + told.load(Ordering::Relaxed) - had)
}

fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}
