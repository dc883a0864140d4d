//! Reports on real processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process};

use crate::kernel::cgroup::Cgroup;

use super::*;

const BUDGET: Duration = Duration::from_secs(30);

/// A process of ours, killed at the end.
struct Patient(Child);

impl Patient {
    /// This test program again, as [`patient`].
    fn start(behaviour: &str) -> (Self, String) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "report::tests::live::patient", "--ignored", "--nocapture", "--test-threads=1"])
            .env("PATIENT", behaviour)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.find_map(|line| line.unwrap().strip_prefix("patient: ").map(str::to_owned));
        (Self(child), said.expect("the patient starts"))
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn scope(&self) -> Scope {
        Scope::of(Cgroup::at("/none.service"), Some(self.pid()))
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "a process for the other tests to report on"]
fn patient() {
    let lock = Mutex::new(());
    let _held = lock.lock().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        match std::env::var("PATIENT").as_deref() {
            Ok("deadlock") => {
                for _ in 0..5 {
                    scope.spawn(|| drop(lock.lock()));
                }
            }
            Ok("five") => {
                for _ in 0..3 {
                    scope.spawn(|| drop(lock.lock()));
                }
            }
            Ok("ten") => {
                for _ in 0..8 {
                    scope.spawn(|| drop(lock.lock()));
                }
            }
            Ok("busy") => {
                scope.spawn(|| {
                    loop {
                        std::hint::spin_loop();
                    }
                });
            }
            _ => {}
        }
        println!("\npatient: {address}");
        std::io::stdout().flush().unwrap();
        let _ = std::io::stdin().read(&mut [0]);
    });
}

/// Reports until the report is as expected.
async fn until(scope: &Scope, is_expected: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let deadline = Instant::now() + BUDGET;
    loop {
        let snapshot = Collector::start(scope, BUDGET).gather(deadline).await;
        if is_expected(&snapshot) {
            return snapshot;
        }
        assert!(Instant::now() < deadline, "{snapshot:#?}");
        tokio::task::yield_now().await;
    }
}

fn in_call(snapshot: &Snapshot, name: &str) -> usize {
    let threads = snapshot.processes.iter().flat_map(|process| &process.threads);
    threads.filter(|thread| thread.call.as_ref().and_then(Call::name) == Some(name)).count()
}

#[tokio::test]
async fn a_deadlock_shows_its_threads_their_calls_and_who_waits_at_the_door() {
    let (patient, address) = Patient::start("deadlock");
    let _waiting = [TcpStream::connect(&address).unwrap(), TcpStream::connect(&address).unwrap()];
    // The test's main thread waits for its test; five wait for the lock; one reads.
    let snapshot = until(&patient.scope(), |found| {
        // The state of the process is read before its threads are.
        let sleeps = found.processes.first().is_some_and(|process| process.state == 'S');
        sleeps && in_call(found, "futex") == 6 && in_call(found, "read") == 1
    })
    .await;
    let process = &snapshot.processes[0];
    assert_eq!((process.pid, process.state, process.thread_count), (patient.pid(), 'S', 7));
    assert!(process.command_line.as_deref().unwrap().ends_with("--nocapture --test-threads=1"));
    assert!(process.descriptors.unwrap() >= 4 && process.descriptor_limit.unwrap() >= 64);
    assert!(process.resident.unwrap() > 4096);
    let call = |name| {
        process
            .threads
            .iter()
            .filter_map(|thread| thread.call.as_ref())
            .find(|call| call.name() == Some(name))
    };
    assert!(call("read").unwrap().to_string().starts_with("read(fd 0 → pipe:["), "{:?}", call("read"));
    assert!(process.threads.iter().all(|thread| thread.wait_channel.is_some()), "{process:#?}");
    let [socket] = &snapshot.sockets[..] else { panic!("{:?}", snapshot.sockets) };
    assert_eq!((&socket.address, socket.depth, &socket.pids), (&address, Some(2), &vec![patient.pid()]));
    assert!(socket.limit.unwrap() >= 16);
    let told = diagnose(&snapshot).unwrap();
    for part in [
        "6 of 7 threads wait in futex: perhaps a deadlock",
        "2 connections wait to be accepted at 127.0.0.1:",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[tokio::test]
async fn a_busy_loop_is_measured() {
    let (patient, _) = Patient::start("busy");
    let is_busy =
        |found: &Snapshot| diagnose(found).is_some_and(|told| told.starts_with("1 of 3 threads is busy ("));
    let snapshot = until(&patient.scope(), is_busy).await;
    assert!(snapshot.measured.unwrap() >= Duration::from_millis(45), "{:?}", snapshot.measured);
}

#[tokio::test]
async fn a_stopped_process_is_told_from_a_sleeping_one() {
    let (patient, _) = Patient::start("idle");
    kill_process(Pid::from_raw(patient.pid()).unwrap(), Signal::STOP).unwrap();
    let snapshot =
        until(&patient.scope(), |found| found.processes.iter().any(|process| process.state == 'T')).await;
    let told = diagnose(&snapshot).unwrap();
    assert!(told.contains(&format!("({}) is stopped by a signal (state T)", patient.pid())), "{told}");
}

#[tokio::test]
async fn what_this_user_may_not_see_is_said_once_with_the_remedy() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let (patients, scope) = {
        let patients = [Patient::start("idle").0, Patient::start("idle").0];
        let scope = patients[0].scope();
        (patients, scope)
    };
    // Linux keeps credentials by thread, and the collector's thread gets those of the one that starts it.
    let collector = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(65_534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        Collector::start(&scope, BUDGET)
    });
    let mut collector = collector.join().unwrap();
    let snapshot = collector.gather(Instant::now() + BUDGET).await;
    assert_eq!(snapshot.processes[0].pid, patients[0].pid());
    assert_eq!(snapshot.processes[0].state, 'S');
    let refused = [Field::Calls, Field::WaitChannels, Field::Stacks, Field::Descriptors];
    for field in refused {
        assert!(snapshot.gap(field).is_some(), "{field:?}: {:?}", snapshot.gaps);
    }
    let told = snapshot.gap(Field::Stacks).unwrap().to_string();
    assert_eq!(told, "kernel stacks: not readable (Permission denied): needs CAP_SYS_ADMIN");
    let summary = Report::new(
        snapshot,
        Context { unit: None, reason: "3 of 3".to_owned(), is_certain: true, probes: Vec::new() },
    )
    .summary();
    assert_eq!(summary.matches("needs CAP_SYS_ADMIN").count(), 1, "{summary}");
}

/// `cargo test -p watchdog --release -- --ignored --nocapture how_long`
#[tokio::test]
#[ignore = "a measurement: it prints figures for people"]
async fn how_long_it_takes_to_collect_ten_processes_of_ten_threads() {
    let patients: Vec<_> = (0..10).map(|_| Patient::start("ten").0).collect();
    let (_root, scope) = unit_of(&patients);
    until(&scope, |found| in_call(found, "futex") == 90).await;
    let mut took = Vec::new();
    for _ in 0..200 {
        let snapshot = Collector::start(&scope, BUDGET).gather(Instant::now() + BUDGET).await;
        assert_eq!((snapshot.processes.len(), snapshot.thread_count()), (10, 100));
        took.push(snapshot.took);
    }
    took.sort();
    println!("collected in {:?} (median), {:?} (p99)", took[100], took[198]);
}

/// As above, with `what_a_report_has_of_a_unit_of_many_processes`
#[tokio::test]
#[ignore = "a measurement: it prints figures for people"]
async fn what_a_report_has_of_a_unit_of_many_processes() {
    let patients: Vec<_> = (0..401).map(|_| Patient::start("five").0).collect();
    let (_root, scope) = unit_of(&patients);
    for budget in [100, 200, 450, 5_000, 450].map(Duration::from_millis) {
        let snapshot = Collector::start(&scope, budget).gather(Instant::now() + budget).await;
        println!(
            "{budget:?}: {} of {:?} processes, {} threads, {} sockets, {} command lines, figures: {}, in {:?}, cut {:?}",
            snapshot.processes.len(),
            snapshot.total,
            snapshot.thread_count(),
            snapshot.sockets.len(),
            snapshot.processes.iter().filter(|process| process.command_line.is_some()).count(),
            snapshot.figures.is_some(),
            snapshot.took,
            snapshot.cut,
        );
    }
}

/// A control group of these processes, made of files.
fn unit_of(patients: &[Patient]) -> (tempfile::TempDir, Scope) {
    let root = tempfile::tempdir().unwrap();
    let unit = root.path().join("a.service");
    std::fs::create_dir_all(&unit).unwrap();
    std::fs::create_dir_all(root.path().join("self")).unwrap();
    let mountinfo = format!("1 2 0:3 / {} rw - cgroup2 cgroup2 rw\n", root.path().display());
    std::fs::write(root.path().join("self/mountinfo"), mountinfo).unwrap();
    let pids: Vec<_> = patients.iter().map(|patient| patient.pid().to_string()).collect();
    std::fs::write(unit.join("cgroup.procs"), pids.join("\n")).unwrap();
    let scope = Scope::of(Cgroup::at_in("/a.service", root.path()), Some(patients[0].pid()));
    (root, scope)
}
