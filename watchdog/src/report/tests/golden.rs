//! What a whole report looks like.

use crate::kernel::cgroup::{Psi, Resource, Stall};

use super::*;

fn pressure(resource: Resource, avg10: f32) -> (Resource, Psi) {
    (resource, Psi { some: Stall { avg10, total_usec: 7 }, full: None })
}

fn deadlock() -> Report {
    let stack = ["futex_wait_queue+0x69/0xd0", "futex_wait+0x177/0x270", "do_futex+0xc6/0x190"];
    let worker = |tid| Thread {
        comm: format!("worker-{}", tid - 4243),
        stack: stack.map(str::to_owned).to_vec(),
        cpu: Duration::from_millis(40),
        ..thread(tid, 'S', "futex_wait_queue", Some(call("futex", None)))
    };
    let main = Thread {
        comm: "buggy_server".to_owned(),
        ..thread(4242, 'S', "futex_wait_queue", Some(call("futex", None)))
    };
    let main = Process {
        comm: "buggy_server".to_owned(),
        command_line: Some(
            "/usr/local/bin/buggy_server --listen 127.0.0.1:8080 --name 'the patient'".to_owned(),
        ),
        descriptors: Some(1000),
        descriptor_limit: Some(1024),
        resident: Some(12_900_000),
        swapped: Some(0),
        ..process(4242, 'S', std::iter::once(main).chain((4243..4255).map(worker)).collect())
    };
    let logger = Process {
        comm: "logger".to_owned(),
        ppid: 4242,
        command_line: Some("logger -t buggy".to_owned()),
        descriptors: Some(3),
        descriptor_limit: Some(u64::MAX),
        resident: Some(1 << 20),
        ..process(4300, 'S', vec![thread(4300, 'S', "pipe_read", Some(call("read", Some((0, "pipe:[77]")))))])
    };
    let now = Instant::now();
    let probe = |before, took, outcome| ProbeRecord {
        at: now.checked_sub(Duration::from_millis(before)).unwrap(),
        took: Duration::from_micros(took),
        outcome,
    };
    let timeout =
        || Err("http://127.0.0.1:8080/healthz: no answer in 500 ms after the request was sent".to_owned());
    let snapshot = Snapshot {
        taken_at: now,
        sockets: vec![
            Socket {
                address: "127.0.0.1:8080".to_owned(),
                depth: Some(3),
                limit: Some(128),
                pids: vec![4242],
            },
            Socket { address: "/run/buggy.sock".to_owned(), depth: None, limit: None, pids: vec![4242] },
        ],
        figures: Some(Figures {
            pressure: vec![
                pressure(Resource::Cpu, 1.5),
                pressure(Resource::Memory, 0.0),
                pressure(Resource::Io, 0.25),
            ],
            memory: Some(500 << 20),
            memory_max: Some(512 << 20),
            memory_peak: Some(511 << 20),
            out_of_memory: Some(1),
            tasks: Some(14),
            tasks_max: Some(u64::MAX),
            throttled: Some(Throttled { periods: 230, throttled: 12, time: Duration::from_millis(1_200) }),
            ..Figures::default()
        }),
        gaps: vec![Gap { field: Field::AcceptQueues, why: "not readable (Permission denied)".to_owned() }],
        ..snapshot(vec![main, logger])
    };
    let context = Context {
        unit: Some((Manager::System, "buggy.service".to_owned())),
        reason: "3 probes in a row failed".to_owned(),
        is_certain: true,
        probes: vec![
            probe(3_104, 1_234, Ok(())),
            probe(1_020, 500_123, timeout()),
            probe(0, 500_021, timeout()),
        ],
    };
    Report { id: ReportId(0x0123_4567_89ab_cdef), ..Report::new(snapshot, context) }
}

#[test]
fn a_report_of_a_service_that_could_not_be_probed_does_not_call_it_hung() {
    let report = deadlock();
    let context = Context { is_certain: false, ..report.context };
    let summary = Report::new(report.snapshot, context).summary();
    assert!(summary.starts_with("buggy.service may hang: "), "{summary}");
}

#[test]
fn a_deadlock_is_summed_up_on_one_screen() {
    insta::assert_snapshot!(deadlock().summary());
}

#[test]
fn tools_find_everything_in_fields() {
    let entries: Vec<String> = deadlock()
        .entries()
        .iter()
        .map(|entry| {
            let field = |(name, value): (&str, &[u8])| {
                format!("{name}={}", String::from_utf8_lossy(value).replace('\n', "\n    "))
            };
            // The summary has its own test.
            let is_shown = |(name, value): &(&str, &[u8])| *name != "MESSAGE" || value.len() < 1024;
            entry.fields().filter(is_shown).map(field).collect::<Vec<_>>().join("\n")
        })
        .collect();
    insta::assert_snapshot!(entries.join("\n\n"));
}

#[test]
fn a_report_cut_short_says_what_is_missing() {
    let mut report = deadlock();
    report.snapshot.cut = Some(Cut::Processes);
    report.snapshot.total = Some(12);
    report.snapshot.took = Duration::from_millis(500);
    let summary = report.summary();
    assert!(summary.contains("\n  cut short after 500 ms: 2 of 12 processes\n"), "{summary}");
    let entry = &report.entries()[0];
    assert_eq!(entry.text("HANGPROOF_CUT_SHORT"), Some("2 of 12 processes"));
}

#[test]
fn the_headline_says_how_many_of_all_processes_were_read() {
    let read = (1..88).map(|pid| process(pid, 'S', vec![thread(pid, 'S', "pipe_read", None); 5])).collect();
    let part = Snapshot { total: Some(401), late: 314, ..snapshot(read) };
    let glance = |processes| Some(Glance { processes, threads: 2_005, stopped: 0 });
    let figures = |tasks| Some(Figures { tasks, ..Figures::default() });
    for (glance, figures, threads, expected) in [
        (glance(401), figures(Some(2_007)), Some("2005"), "87 of 401 processes, 435 of 2005 threads:"),
        (glance(400), figures(Some(2_007)), Some("2007"), "87 of 401 processes, 435 of 2007 threads:"),
        (None, figures(None), None, "87 of 401 processes, 435 threads:"),
    ] {
        let snapshot = Snapshot { glance, figures, ..part.clone() };
        let report = Report::new(snapshot, deadlock().context);
        let summary = report.summary();
        assert!(summary.lines().any(|line| line == expected), "{expected}: {summary}");
        assert!(summary.contains("  cut short after 4.2 ms: 87 of 401 processes\n"), "{summary}");
        let entry = &report.entries()[0];
        let field = |name| entry.text(name);
        assert_eq!(
            (field("HANGPROOF_PROCESSES"), field("HANGPROOF_PROCESSES_READ")),
            (Some("401"), Some("87"))
        );
        assert_eq!(field("HANGPROOF_THREADS"), threads);
    }
}

#[test]
fn the_summary_of_a_big_unit_fits_a_screen_still() {
    let threads = |pid: i32| -> Vec<_> {
        (0..300)
            .map(|n| thread(pid * 1000 + n, 'S', &format!("place_{}", n % 50), Some(call("futex", None))))
            .collect()
    };
    let processes: Vec<_> = (1..400).map(|pid| process(pid, 'S', threads(pid))).collect();
    let report = deadlock();
    let sockets =
        (0..100).map(|port| Socket { address: format!("[::]:{port}"), ..report.snapshot.sockets[0].clone() });
    let probes = report.context.probes.iter().cycle().take(100).cloned().collect();
    let big =
        Snapshot { sockets: sockets.collect(), figures: report.snapshot.figures, ..snapshot(processes) };
    let summary = Report::new(big, Context { probes, ..report.context }).summary();
    assert!(summary.lines().count() <= 62, "{} lines:\n{summary}", summary.lines().count());
    assert!(summary.contains("399 processes, 119700 threads:"), "{summary}");
    assert!(summary.contains("\n  and 393 more processes\n"), "{summary}");
}

#[test]
fn the_output_of_a_command_is_an_entry_of_the_same_report() {
    let id = ReportId::random();
    let argv = ["gdb", "-p", "7", "-ex", "bt full"].map(std::ffi::OsString::from);
    let output = b"#0 futex_wait\n#1 \xff\n";
    let of = |manager| {
        let unit = (manager, "a.service".to_owned());
        command_entry(&argv, output, "exited with code 0", id, Some(&unit))
    };
    let entry = of(Manager::System);
    assert_eq!(
        entry.text("MESSAGE"),
        Some("gdb -p 7 -ex 'bt full': exited with code 0\n#0 futex_wait\n#1 \u{fffd}")
    );
    assert_eq!(entry.text("HANGPROOF_REPORT_ID"), Some(&*id.to_string()));
    assert_eq!(entry.text("OBJECT_SYSTEMD_UNIT"), Some("a.service"));
    let users = of(Manager::User);
    let fields = (users.text("OBJECT_SYSTEMD_USER_UNIT"), users.text("HANGPROOF_UNIT"));
    assert_eq!((fields, users.text("OBJECT_SYSTEMD_UNIT")), ((Some("a.service"), Some("a.service")), None));
    assert!(entry.fields().any(|field| field == ("HANGPROOF_COMMAND_OUTPUT", b"#0 futex_wait\n#1 \xff\n")));
    let silent = command_entry(&argv[..1], b"\n", "killed after 400 ms", id, None);
    assert_eq!(silent.text("MESSAGE"), Some("gdb: killed after 400 ms, without a word"));
    assert_eq!(silent.text("OBJECT_SYSTEMD_UNIT"), None);
}

#[test]
fn every_report_has_an_id_of_its_own() {
    let (one, another) = (ReportId::random().to_string(), ReportId::random().to_string());
    assert_eq!(one.len(), 32);
    assert_ne!(one, another);
}
