//! How long machines take, beside a shell script that boots the same systemd in the same way; and how long a replay does.
//!
//! `cargo bench -p harness`. Nothing is asserted: the figures are for people, and their ratios hold across computers.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use harness::machine::namespace::NamespaceMachine;
use harness::machine::{Machine, docker};
use harness::model::ask::{Answer, Ask};
use harness::model::asks::Asks;
use harness::model::case::{CaseId, Plan};
use harness::model::clock::Usec;
use harness::model::entry::Entry;
use harness::model::moment::{Journal, Moment, What};
use harness::model::recording::Recording;
use harness::model::result::RunResult;
use harness::progress::Silent;
use harness::record::{Recorder, Sink as _};
use harness::report::{json, junit, table, trace};

#[path = "machines/asking.rs"]
mod asking;
#[path = "machines/page.rs"]
mod page;

const BOOTS: usize = 30;
/// More than a host's inotify instances are usually enough for: the others wait for their turn.
const AT_ONCE: [usize; 2] = [10, 64];
const RUNS: usize = 5;
const MANY: usize = 10;

fn main() {
    // `cargo test --benches` runs this too, to see that it works.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let count: fn(usize) -> usize = if quick { |_| 1 } else { |many| many };

    // `cargo bench -p harness -- asking`: what needs no machine.
    if std::env::args().any(|argument| argument == "asking") {
        return asking::cost(quick);
    }
    // `cargo bench -p harness -- page SECONDS`: neither does this.
    let mut after_page = std::env::args().skip_while(|argument| argument != "page");
    if after_page.next().is_some() {
        let seconds = after_page.next().and_then(|seconds| seconds.parse().ok());
        return page::cost(Duration::from_secs(seconds.unwrap_or(60)));
    }
    println!("Spawn to READY=1, one machine after another ({} boots each, interleaved)", count(BOOTS));
    let (mut ours, mut shell) = (Vec::new(), Vec::new());
    for _ in 0..count(BOOTS) {
        ours.push(boot());
        shell.push(boot_by_shell());
    }
    let ours = row("hangproof", ours, None);
    row("shell script with unshare(1)", shell, Some(ours));

    for machines in AT_ONCE.map(count) {
        println!("\n{machines} machines at once, until the last is ready ({} rounds)", count(RUNS));
        let ours = row("hangproof", (0..count(RUNS)).map(|_| at_once(machines, boot)).collect(), None);
        // The script knows of no limit: many of it at once do not come up.
        if machines <= AT_ONCE[0] {
            let rounds = (0..count(RUNS)).map(|_| at_once(machines, boot_by_shell)).collect();
            row("shell script with unshare(1)", rounds, Some(ours));
        }
    }

    println!("\nThe classic scenario as a program, from start to exit ({} runs)", count(RUNS));
    let runs = (0..count(RUNS)).map(|_| classic()).collect::<Vec<_>>();
    row("hangproof", runs.iter().map(|run| run.0).collect(), None);
    row("  of which the recovery", runs.iter().map(|run| run.1).collect(), None);
    row("  and everything else", runs.iter().map(|run| run.0.saturating_sub(run.1)).collect(), None);

    trials(quick);
    replaying(count);
    reporting(count);
    asking::cost(quick);
    page::cost(Duration::from_secs(if quick { 1 } else { 60 }));
    containers(count);
}

/// What a trial costs among few and among many, on as many machines as the host carries; and how long two hundred hangs take.
fn trials(quick: bool) {
    let (sizes, hangs): (&[u32], _) = if quick { (&[1, 2], 1) } else { (&[10, 30, 100, 300, 1000], 200) };
    println!("\nA trial among many (crash, --jobs auto), recovery and all");
    let each = |trials: u32| {
        let wall = program(&["run", "crash", "--jobs", "auto", "--trials", &trials.to_string()]).0;
        (trials, wall / trials)
    };
    plot("trials", &sizes.iter().map(|trials| each(*trials)).collect::<Vec<_>>());
    println!("\n{hangs} hangs (mute, WatchdogSec=1s, --jobs auto), from start to exit");
    let arguments =
        ["run", "mute", "--set", "WatchdogSec=1s", "--jobs", "auto", "--trials", &hangs.to_string()];
    row("hangproof", vec![program(&arguments).0], None);
}

/// What reports of many trials take, beside the largest of them as any JSON.
fn reporting(count: fn(usize) -> usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/trigger.jsonl");
    let text = fs::read(path).expect("it ships");
    let story = Recording::read(text.as_slice()).expect("a recording").stories.swap_remove(0);
    let mut costs = Vec::new();
    for trials in [count(100), count(300), count(1000)] {
        let stories = (1..=u32::try_from(trials).expect("few")).map(|trial| {
            let mut story = story.clone();
            (story.case, story.plan.trial) = (CaseId::of("bench", trial), trial);
            story
        });
        let stories = stories.collect::<Vec<_>>();
        let runs = RunResult::all_of(&stories);
        println!("\nReports of {trials} trials ({} times)", count(RUNS));
        let times = |work: &dyn Fn()| {
            let time = || {
                let begin = Instant::now();
                work();
                begin.elapsed()
            };
            (0..count(RUNS)).map(|_| time()).collect::<Vec<_>>()
        };
        let json = || serde_json::to_vec_pretty(&json::Document::of(&[], &runs)).expect("JSON");
        let text = json();
        let parsed = times(&|| drop(serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")));
        let parsed = row("that of .json parsed as any", parsed, None);
        row("results of stories", times(&|| assert_eq!(RunResult::all_of(&stories).len(), 1)), Some(parsed));
        let whole = row(".json", times(&|| drop(json())), Some(parsed));
        costs.push(each_of(trials, whole));
        row(".xml", times(&|| drop(junit::document(&runs).expect("XML"))), Some(parsed));
        row(".trace.json", times(&|| drop(trace::document(&runs).to_string())), Some(parsed));
        row("terminal", times(&|| drop(table::render(&runs[0], 100))), Some(parsed));
    }
    println!("\nA trial's part of a .json");
    plot("trials", &costs);
}

/// Reading a recording and coming to its verdicts, beside a mere parse of its lines: a trial's entries, and asks in batches.
fn replaying(count: fn(usize) -> usize) {
    let mut costs = Vec::new();
    for trials in [count(10), count(100), count(1000)] {
        let recording = recording_of(trials);
        let moments = recording.lines().count();
        let read = || {
            let begin = Instant::now();
            let read = Recording::read(recording.as_bytes()).expect("a recording");
            assert_eq!(RunResult::all_of(&read.stories).len(), 1);
            begin.elapsed()
        };
        let parse = || {
            let begin = Instant::now();
            let lines = recording.lines().map(serde_json::from_str::<serde_json::Value>);
            assert!(lines.into_iter().all(|line| line.is_ok()));
            begin.elapsed()
        };
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for _ in 0..count(RUNS) {
            ours.push(read());
            others.push(parse());
        }
        println!(
            "\nA recording of {trials} trials, {moments} moments, {} kB ({} times)",
            recording.len() / 1000,
            count(RUNS)
        );
        let others = row("each line as any JSON", others, None);
        let ours = row("replayed to its verdicts", ours, Some(others));
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = moments as f64 / ours.as_secs_f64();
        println!("  {rate:.0} moments a second");
        costs.push(each_of(trials, ours));
    }
    println!("\nA trial's part of a replay");
    plot("trials", &costs);
}

/// Of so many trials, each with two hundred entries and two seconds of asks.
fn recording_of(trials: usize) -> String {
    let (sheet, mut recorder) = (Sheet::default(), Recorder::default());
    recorder.add("bench.jsonl".into(), sheet.clone());
    let plan = |trial| Plan {
        scenario: "bench".into(),
        description: "as many as there are".into(),
        unit: "x.service".into(),
        trial,
        seed: 1,
        fault: None,
        heal_after_usec: None,
        then: Vec::new(),
        expect: serde_json::from_str(r#"{"outcome":"undisturbed"}"#).expect("an expectation"),
        observed: None,
        ask_interval_usec: None,
    };
    for trial in 1..=u32::try_from(trials).expect("few") {
        let (case, begin) = (CaseId::of("bench", trial), Usec(u64::from(trial) * 10_000_000));
        let mut tell = |at, what| recorder.take(&Moment { at, case, what }).expect("memory");
        tell(begin, What::Planned(Box::new(plan(trial))));
        tell(begin, What::Began);
        for tick in 0..200 {
            let at = begin + Duration::from_millis(10) * tick;
            let ask = Ask { asked: at, known: at + Duration::from_micros(467), answer: Answer::Good };
            tell(at, What::Asks(Asks(vec![ask])));
            let entry = format!(
                r#"{{"CODE_FUNC":"job_emit_start_message","INVOCATION_ID":"0b4ddee002fb469b9b3c0e5af0cf84a1","MESSAGE":"GET /healthz 200 in 0.4 ms","PRIORITY":"6","SYSLOG_IDENTIFIER":"x","_COMM":"x","_PID":"12","_SYSTEMD_UNIT":"x.service","__MONOTONIC_TIMESTAMP":"{}"}}"#,
                at.0
            );
            tell(at, What::Journal(Journal { entry: Entry::parse(&entry).expect("an entry") }));
        }
        tell(begin + Duration::from_secs(2), What::Ended);
    }
    drop(recorder);
    String::from_utf8(sheet.bytes()).expect("JSON is text")
}

/// A file in memory.
#[derive(Clone, Default)]
struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("nobody panicked").clone()
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The same on Docker, beside what people do by hand; nothing where there is no engine or no image.
fn containers(count: fn(usize) -> usize) {
    let image = "hangproof:trixie";
    if let Err(error) = docker::available() {
        println!("\nContainers: {error}");
        return;
    }
    let mut inspect = Command::new("docker");
    inspect.args(["image", "inspect", image]).stdout(Stdio::null()).stderr(Stdio::null());
    if !inspect.status().is_ok_and(|status| status.success()) {
        println!(
            "\nContainers: no engine with the image {image} (docker build -f docker/Dockerfile -t {image} .)"
        );
        return;
    }
    println!("\nContainer create to READY=1 ({} each, interleaved)", count(RUNS));
    let (mut ours, mut by_hand) = (Vec::new(), Vec::new());
    for _ in 0..count(RUNS) {
        ours.push(boot_container(image));
        by_hand.push(docker_run(image));
    }
    let ours = row("hangproof", ours, None);
    row("docker run, is-system-running", by_hand, Some(ours));

    println!(
        "\nA trial beside its recovery: what the harness itself takes (crash, {} trials each)",
        count(MANY)
    );
    let overhead = |backend| vec![overhead(backend, count(MANY))];
    let namespaces = row("in namespaces", overhead("namespace"), None);
    row("in a container", overhead("docker"), Some(namespaces));
}

fn boot_container(image: &str) -> Duration {
    let mut machine = docker::boot(Some(image), &Silent).expect("a container boots");
    let booted = Duration::from_secs_f64(machine.description().boot_ms / 1e3);
    machine.close().expect("it closes");
    booted
}

fn docker_run(image: &str) -> Duration {
    let begin = Instant::now();
    let script = "id=$(docker run -d --cap-add SYS_ADMIN --security-opt apparmor=unconfined --cgroupns private \
        --tmpfs /run --tmpfs /tmp \"$1\") || exit 1
        until docker exec \"$id\" systemctl is-system-running --wait 2>/dev/null | grep -Eq 'running|degraded'; do :; done
        echo \"$id\"";
    let output = Command::new("sh").args(["-c", script, "sh", image]).output().expect("sh runs");
    let booted = begin.elapsed();
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let removed = Command::new("docker").args(["rm", "--force", &id]).stdout(Stdio::null()).status();
    assert!(removed.is_ok_and(|status| status.success()), "{output:?}");
    booted
}

/// What a trial takes, less its recovery: the difference between many trials and one.
fn overhead(backend: &str, trials: usize) -> Duration {
    let total = |trials: usize| {
        let (wall, recoveries) =
            program(&["run", "crash", "--machine", backend, "--trials", &trials.to_string()]);
        wall.saturating_sub(recoveries)
    };
    let one = total(1);
    total(trials + 1).saturating_sub(one) / u32::try_from(trials).expect("few")
}

/// Prints a row and returns the median; beside another median, how many times as long this one is.
fn row(name: &str, mut lengths: Vec<Duration>, other: Option<Duration>) -> Duration {
    lengths.sort_unstable();
    let ms = |length: Duration| length.as_secs_f64() * 1e3;
    let (p50, max) = (lengths[lengths.len() / 2], lengths[lengths.len() - 1]);
    let ratio = other.map(|other| format!("   {:.2} × as long", ms(p50) / ms(other))).unwrap_or_default();
    println!(
        "  {name:<30} min {:>8.1} ms   p50 {:>8.1} ms   max {:>8.1} ms{ratio}",
        ms(lengths[0]),
        ms(p50),
        ms(max)
    );
    p50
}

/// What one of so many has cost, where all cost so much.
fn each_of(count: usize, all: Duration) -> (u32, Duration) {
    let count = u32::try_from(count).expect("few");
    (count, all / count)
}

/// Draws what one of so many has cost, for each number: where that does not depend on the number, the bars end below each other.
fn plot(of: &str, each: &[(u32, Duration)]) {
    const WIDTH: f64 = 40.0;
    let most = each.iter().map(|(_, cost)| *cost).max().unwrap_or_default();
    for (count, cost) in each {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the width"
        )]
        let length = (cost.as_secs_f64() / most.as_secs_f64() * WIDTH).round() as usize;
        let (bar, ms) = ("█".repeat(length), cost.as_secs_f64() * 1e3);
        println!("  of {count:>5} {of:<8} {ms:>10.3} ms each   {bar}");
    }
}

fn boot() -> Duration {
    let begin = Instant::now();
    let mut machine = NamespaceMachine::boot(Path::new("/")).expect("a machine boots");
    let booted = Duration::from_secs_f64(machine.description().boot_ms / 1e3);
    assert!(booted <= begin.elapsed());
    machine.close().expect("it closes");
    booted
}

fn boot_by_shell() -> Duration {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("bench-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(&name);
    fs::create_dir(&directory).expect("a directory");
    let socket = directory.join("notify");
    let notify = UnixDatagram::bind(&socket).expect("a socket");
    notify.set_read_timeout(Some(Duration::from_secs(20))).expect("a deadline");
    let cgroup = cgroup2().join(&name);
    fs::create_dir(&cgroup).expect("a cgroup");

    let begin = Instant::now();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/prototype.sh");
    let mut child =
        Command::new(script).arg(&cgroup).arg(&socket).stdin(Stdio::null()).spawn().expect("sh runs");
    let mut datagram = [0; 4096];
    loop {
        let length = notify.recv(&mut datagram).expect("READY=1 within 20 s");
        if datagram[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
            break;
        }
    }
    let booted = begin.elapsed();

    fs::write(cgroup.join("cgroup.kill"), "1").expect("killed");
    child.wait().expect("ended");
    remove(&cgroup);
    fs::remove_dir_all(&directory).expect("removed");
    booted
}

fn cgroup2() -> PathBuf {
    let unified = Path::new("/sys/fs/cgroup/unified");
    if unified.exists() { unified.into() } else { "/sys/fs/cgroup".into() }
}

/// Removes a cgroup as soon as its last process is gone.
fn remove(directory: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while directory.exists() {
        for child in fs::read_dir(directory).into_iter().flatten().flatten() {
            if child.path().is_dir() {
                remove(&child.path());
            }
        }
        let removed = fs::remove_dir(directory);
        assert!(removed.is_ok() || Instant::now() < deadline, "{}: {removed:?}", directory.display());
    }
}

fn at_once(machines: usize, boot: fn() -> Duration) -> Duration {
    let boots = (0..machines).map(|_| thread::spawn(boot)).collect::<Vec<_>>();
    boots.into_iter().map(|boot| boot.join().expect("booted")).max().expect("some")
}

fn classic() -> (Duration, Duration) {
    program(&["run", "classic", "--machine", "namespace"])
}

/// The wall clock of a run, and the sum of its recoveries.
fn program(arguments: &[&str]) -> (Duration, Duration) {
    let report = std::env::temp_dir().join(format!("bench-{}.json", std::process::id()));
    let begin = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_hangproof"))
        .args(arguments)
        .arg("--report")
        .arg(&report)
        .env_remove("CARGO")
        .stdout(Stdio::null())
        .status()
        .expect("hangproof runs");
    let total = begin.elapsed();
    // On a busy host a trial may be unsound (4); its time is one all the same.
    assert!(matches!(status.code(), Some(0 | 4)), "hangproof {arguments:?}: {status}");
    if !status.success() {
        println!("  not all trials of hangproof {arguments:?} are sound");
    }
    let text = fs::read_to_string(&report).expect("a report");
    fs::remove_file(&report).expect("removed");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let trials = report["runs"][0]["trials"].as_array().expect("trials");
    let recoveries = trials.iter().filter_map(|trial| trial["phases"]["recovery_ms"].as_f64());
    (total, Duration::from_secs_f64(recoveries.sum::<f64>() / 1e3))
}
