use std::path::PathBuf;
use std::sync::mpsc::TrySendError;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::kernel::cgroup::Cgroup;

use super::*;
use crate::report::diagnosis::diagnose;

/// No process has this id or a higher one: the kernel's are below 2^22.
const NO_PID: i32 = 1 << 22;

/// A `/proc` and a control group made of files.
struct Fake {
    root: tempfile::TempDir,
}

impl Fake {
    fn new(pids: &[i32]) -> Self {
        let fake = Self { root: tempfile::tempdir().unwrap() };
        let unit = fake.root.path().join("cgroup/a.service");
        let mountinfo = format!("1 2 0:3 / {} rw - cgroup2 cgroup2 rw\n", unit.parent().unwrap().display());
        fake.write("proc/self/mountinfo", &mountinfo);
        let procs: Vec<_> = pids.iter().map(ToString::to_string).collect();
        fake.write("cgroup/a.service/cgroup.procs", &procs.join("\n"));
        for pid in pids {
            let stat = format!("{pid} (p{pid}) S 1 1 1 0 -1 4194560 1 0 0 0 1 0 0 0 20 0 1 0 12 0 0");
            fake.write(&format!("proc/{pid}/stat"), &stat);
            fake.write(&format!("proc/{pid}/task/{pid}/stat"), &stat);
            fake.write(&format!("proc/{pid}/cmdline"), &format!("program\0{pid}\0"));
        }
        fake
    }

    fn proc(&self) -> PathBuf {
        self.root.path().join("proc")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Whoever reads this file now waits.
    fn block(&self, path: &str) -> Blocked {
        let path = self.root.path().join(path);
        std::fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        Blocked(path)
    }

    fn scope(&self, main: i32) -> Scope {
        Scope::of(Cgroup::at_in("/a.service", &self.proc()), Some(main)).proc(self.proc())
    }
}

/// A file that blocks its readers until this is dropped.
struct Blocked(PathBuf);

impl Drop for Blocked {
    fn drop(&mut self) {
        let writer = std::fs::OpenOptions::new().read(true).write(true).open(&self.0);
        let _ = std::fs::remove_file(&self.0);
        drop(writer);
    }
}

async fn gather(scope: Scope, budget: Duration) -> (Snapshot, Collector) {
    let deadline = Instant::now() + budget;
    let mut collector = Collector::start(&scope, budget);
    let snapshot = collector.gather(deadline).await;
    (snapshot, collector)
}

fn pids(snapshot: &Snapshot) -> Vec<i32> {
    snapshot.processes.iter().map(|process| process.pid).collect()
}

#[tokio::test]
async fn the_main_process_comes_first_and_those_left_out_do_not_come() {
    let fake = Fake::new(&[3, 4, 5, 6]);
    let (snapshot, mut collector) = gather(fake.scope(5).without(4), Duration::from_secs(30)).await;
    assert_eq!((pids(&snapshot), snapshot.total, snapshot.cut), (vec![5, 3, 6], Some(3), None));
    assert_eq!(snapshot.processes[0].command_line.as_deref(), Some("program 5"));
    assert_eq!((snapshot.processes[0].comm.as_str(), snapshot.processes[0].thread_count), ("p5", 1));
    let again = collector.gather(Instant::now()).await;
    assert_eq!(pids(&again), pids(&snapshot));
}

#[tokio::test]
async fn a_process_that_ended_meanwhile_is_neither_counted_nor_a_gap() {
    let fake = Fake::new(&[4, NO_PID]);
    std::fs::remove_dir_all(fake.proc().join(NO_PID.to_string())).unwrap();
    let (snapshot, _) = gather(fake.scope(4), Duration::from_secs(30)).await;
    assert_eq!((pids(&snapshot), snapshot.total), (vec![4], Some(1)));
    assert!(snapshot.gap(Field::Processes).is_none(), "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn a_process_that_proc_hides_is_a_gap() {
    let fake = Fake::new(&[4, 1]);
    fake.write("proc/self/stat", "");
    std::fs::remove_dir_all(fake.proc().join("1")).unwrap();
    let (snapshot, _) = gather(fake.scope(4), Duration::from_secs(30)).await;
    assert_eq!((pids(&snapshot), snapshot.total), (vec![4], Some(2)));
    let told = snapshot.gap(Field::Processes).unwrap().to_string();
    assert_eq!(told, "processes: some are hidden from this user (ProtectProc=, hidepid=)");
}

#[tokio::test]
async fn without_proc_nothing_is_claimed_of_processes_that_cannot_be_seen() {
    let proc = tempfile::tempdir().unwrap();
    // As the wrapper sees itself and the service; the service is this process here, which lives.
    let main = std::process::id().try_into().unwrap();
    let scope = Scope::of(Cgroup::own_in(proc.path()), Some(main)).proc(proc.path().to_owned());
    let scope = Scope { left_out: vec![NO_PID], ..scope };
    let (snapshot, _) = gather(scope, Duration::from_secs(30)).await;
    assert_eq!((pids(&snapshot), snapshot.total), (vec![], Some(1)));
    let told = snapshot.gap(Field::Processes).unwrap().to_string();
    assert_eq!(
        told,
        "processes: they cannot be seen: /proc is not mounted here, or something else is mounted over it"
    );
    assert_eq!(diagnose(&snapshot), None);
}

#[tokio::test]
async fn a_main_process_that_its_group_does_not_list_is_reported_first() {
    let fake = Fake::new(&[3, 4]);
    fake.write("cgroup/a.service/cgroup.procs", "3\n");
    let (snapshot, _) = gather(fake.scope(4), Duration::from_secs(30)).await;
    assert_eq!((pids(&snapshot), snapshot.total), (vec![4, 3], Some(2)));
}

#[tokio::test]
async fn what_was_read_before_a_process_that_blocks_is_reported_at_the_deadline() {
    let fake = Fake::new(&[3, 4, 5, 6]);
    let _blocked = fake.block("proc/5/task/5/stat");
    let budget = Duration::from_millis(200);
    let started = Instant::now();
    let (snapshot, _) = gather(fake.scope(3), budget).await;
    assert!(started.elapsed() >= budget && started.elapsed() < Duration::from_secs(10));
    assert_eq!((pids(&snapshot), snapshot.cut), (vec![3, 4], Some(Cut::Processes)));
    assert_eq!(snapshot.missing().as_deref(), Some("2 of 4 processes"));
    // These take as long with a thousand processes as with one.
    assert!(snapshot.figures.is_some());
    assert_eq!(snapshot.glance, Some(Glance { processes: 4, threads: 4, stopped: 0 }));
    assert_eq!(snapshot.thread_total(), Some(4));
}

#[tokio::test]
async fn processes_that_run_or_are_stuck_are_read_before_those_that_sleep() {
    let fake = Fake::new(&[3, 4, 5, 6, 7]);
    for (pid, state) in [(4, 'R'), (6, 'T'), (7, 'D')] {
        let stat = format!("{pid} (p{pid}) {state} 1 1 1 0 -1 4194560 1 0 0 0 1 0 0 0 20 0 1 0 12 0 0");
        fake.write(&format!("proc/{pid}/stat"), &stat);
    }
    let (snapshot, _) = gather(fake.scope(5), Duration::from_secs(30)).await;
    assert_eq!(pids(&snapshot), [5, 4, 7, 6, 3]);
    assert_eq!(snapshot.glance, Some(Glance { processes: 5, threads: 5, stopped: 1 }));
}

#[tokio::test]
async fn what_there_is_no_time_for_is_counted_and_what_was_read_is_complete() {
    let fake = Fake::new(&[3, 4, 5]);
    let mut collector = Collector::start(&fake.scope(4), Duration::ZERO);
    let snapshot = collector.gather(Instant::now() + Duration::from_secs(30)).await;
    assert_eq!((pids(&snapshot), snapshot.total, snapshot.late), (vec![4], Some(3), 2));
    assert_eq!((snapshot.cut, snapshot.missing().as_deref()), (None, Some("1 of 3 processes")));
    assert_eq!((snapshot.thread_count(), snapshot.thread_total()), (1, Some(3)));
    assert_eq!(snapshot.processes[0].command_line.as_deref(), Some("program 4"));
    assert!(snapshot.figures.is_some());
}

#[tokio::test]
async fn a_locked_address_space_costs_command_lines_and_nothing_else() {
    let fake = Fake::new(&[3, 4, 5]);
    let _blocked = fake.block("proc/4/cmdline");
    let (snapshot, _) = gather(fake.scope(3), Duration::from_millis(200)).await;
    assert_eq!((pids(&snapshot), snapshot.cut), (vec![3, 4, 5], Some(Cut::CommandLine(4))));
    assert!(snapshot.figures.is_some());
    let lines: Vec<_> = snapshot.processes.iter().map(|process| process.command_line.as_deref()).collect();
    assert_eq!(lines, [Some("program 3"), None, None]);
}

#[test]
fn a_collector_that_nobody_waits_for_reads_no_further_process() {
    let fake = Fake::new(&[3, 4]);
    let first = fake.block("proc/3/task/3/stat");
    let _second = fake.block("proc/4/task/4/stat");
    let Collector { events, stop, .. } = Collector::start(&fake.scope(3), Duration::from_secs(30));
    drop(events);
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !matches!(stop.try_send(()), Err(TrySendError::Disconnected(()))) {
        assert!(Instant::now() < deadline, "the thread did not end");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_kernel_that_hides_things_gives_one_gap_for_each_kind() {
    let fake = Fake::new(&[3, 4, 5]);
    let (snapshot, _) = gather(fake.scope(3), Duration::from_secs(30)).await;
    let told: Vec<_> = snapshot.gaps.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "system calls: not readable (No such file or directory)",
            "wait channels: not readable (No such file or directory)",
            "kernel stacks: not readable (No such file or directory)",
            "open files: not readable (No such file or directory)",
            "pressure: not readable (no cpu.pressure in its control group)",
            "memory of the unit: not readable (no memory.current in its control group)",
            "tasks of the unit: not readable (no pids.current in its control group)",
        ]
    );
}

#[tokio::test]
async fn more_processes_than_a_report_holds_are_counted() {
    let many: Vec<i32> = (0..600).map(|number| NO_PID + number).collect();
    let fake = Fake::new(&many);
    let (snapshot, _) = gather(fake.scope(NO_PID), Duration::from_secs(30)).await;
    assert_eq!((snapshot.processes.len(), snapshot.total), (MAX_PROCESSES, Some(600)));
    assert_eq!(snapshot.gap(Field::Processes).unwrap().to_string(), "processes: the first 512 of 600");
}

#[tokio::test]
async fn without_a_control_group_the_main_process_is_reported() {
    let fake = Fake::new(&[3, 4]);
    let cgroup = Cgroup::at_in("/b.service", &fake.proc());
    let (snapshot, _) = gather(Scope::of(cgroup, Some(4)).proc(fake.proc()), Duration::from_secs(30)).await;
    assert_eq!(pids(&snapshot), [4]);
    let told = snapshot.gap(Field::Processes).unwrap().to_string();
    assert!(told.starts_with("processes: only the main one (no control group"), "{told}");
}

#[test]
fn shares_of_a_cpu_are_percents() {
    let millis = Duration::from_millis;
    for (cpu, elapsed, expected) in [(0, 50, 0), (49, 50, 98), (50, 50, 100), (60, 50, 100), (1, 0, 100)] {
        assert_eq!(percent(millis(cpu), millis(elapsed)), expected);
    }
}
