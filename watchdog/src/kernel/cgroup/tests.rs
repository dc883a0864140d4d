use std::process::{Command, Stdio};

use super::*;

/// A `/proc` whose mountinfo says that cgroup2 is mounted at `cgroup`.
fn proc_of(root: &Path, membership: &str) -> PathBuf {
    let proc = root.join("proc");
    let cgroup = root.join("cgroup");
    std::fs::create_dir_all(proc.join("self")).unwrap();
    let mountinfo = format!("1 2 0:3 / {} rw - cgroup2 cgroup2 rw\n", cgroup.display());
    std::fs::write(proc.join("self/mountinfo"), mountinfo).unwrap();
    std::fs::write(proc.join("self/cgroup"), membership).unwrap();
    proc
}

fn group(directory: &Path, procs: &str) {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("cgroup.procs"), procs).unwrap();
    std::fs::write(directory.join("cgroup.events"), "populated 1\n").unwrap();
}

#[test]
fn the_processes_of_groups_below_are_listed_too_and_those_without_a_pid_here_are_not() {
    let root = tempfile::tempdir().unwrap();
    let proc = proc_of(root.path(), "0::/a.service\n");
    let unit = root.path().join("cgroup/a.service");
    group(&unit, "30\n0\n");
    group(&unit.join("worker/deep"), "12\n7\n");
    group(&unit.join("worker"), "");
    for cgroup in [Cgroup::own_in(&proc), Cgroup::at_in("/a.service", &proc)] {
        let listing = cgroup.list().unwrap();
        assert_eq!(listing, Listing { pids: vec![7, 12, 30], by_descent: None });
    }
}

#[test]
fn files_are_read_without_the_newline_and_errors_name_the_file() {
    let root = tempfile::tempdir().unwrap();
    let proc = proc_of(root.path(), "0::/a.service\n");
    let unit = root.path().join("cgroup/a.service");
    group(&unit, "");
    std::fs::write(unit.join("memory.current"), "4096\n").unwrap();
    std::fs::write(unit.join("cpu.pressure"), "some avg10=1.50 avg60=0.00 avg300=0.00 total=12\n").unwrap();
    std::fs::write(unit.join("io.pressure"), "?\n").unwrap();
    let cgroup = Cgroup::at_in("/a.service", &proc);
    assert_eq!(cgroup.read("memory.current").unwrap(), "4096");
    let some = Stall { avg10: 1.5, total_usec: 12 };
    assert_eq!(cgroup.pressure(Resource::Cpu).unwrap(), Psi { some, full: None });
    let missing = cgroup.pressure(Resource::Memory).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    assert!(missing.to_string().contains("a.service/memory.pressure: "), "{missing}");
    assert!(cgroup.pressure(Resource::Io).unwrap_err().to_string().contains("not as the kernel writes it"));
}

#[test]
fn where_there_is_no_group_our_descendants_are_taken_and_that_is_said() {
    let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut child = child.expect("cat");
    let cgroup =
        Cgroup { place: Err("nothing is mounted".to_owned()), proc: PathBuf::from("/proc"), own: true };
    let listing = cgroup.list().unwrap();
    assert!(listing.pids.contains(&own_pid()), "{listing:?}");
    assert!(listing.pids.contains(&i32::try_from(child.id()).unwrap()), "{listing:?}");
    assert!(!listing.pids.contains(&1), "{listing:?}");
    assert_eq!(listing.by_descent.as_deref(), Some("no control group: nothing is mounted"));
    drop(child.stdin.take());
    child.wait().unwrap();

    let unit = Cgroup { own: false, ..cgroup };
    assert!(unit.pids().unwrap_err().to_string().contains("nothing is mounted"));
}

#[test]
fn the_root_group_is_not_taken_for_a_units() {
    let root = tempfile::tempdir().unwrap();
    let proc = proc_of(root.path(), "0::/\n");
    std::fs::create_dir_all(root.path().join("cgroup")).unwrap();
    std::fs::write(root.path().join("cgroup/cgroup.procs"), "1\n").unwrap();
    let error = Cgroup::own_in(&proc).read("memory.current").unwrap_err().to_string();
    assert!(error.contains("in the root control group, with everything else"), "{error}");

    // The root of a container's namespace is not the machine's.
    group(&root.path().join("cgroup"), "1\n");
    assert_eq!(Cgroup::own_in(&proc).pids().unwrap(), [1]);
}

#[test]
fn a_process_is_beside_us_where_systemd_looks_for_it() {
    for (ours, its, expected) in [
        ("0::/system.slice/a.service\n", "0::/system.slice/a.service\n", true),
        ("0::/system.slice/a.service\n", "0::/system.slice/a.service/sub\n", true),
        ("0::/system.slice/a.service\n", "0::/system.slice/a.service2\n", false),
        ("0::/system.slice/a.service\n", "0::/user.slice/session-1.scope\n", false),
        ("0::/\n", "0::/a\n", true),
        ("1:name=systemd:/a\n0::/a\n", "1:name=systemd:/a\n0::/a\n", true),
        ("1:name=systemd:/a\n0::/a\n", "1:name=systemd:/b\n0::/a\n", false),
        ("", "0::/a\n", true),
    ] {
        let [ours, its] = [ours, its].map(|text| Membership::from(text.to_owned()));
        assert_eq!(is_beside(&ours, &its), expected, "{ours:?} {its:?}");
    }
    assert!(is_beside_us(own_pid()) && is_beside_us(i32::MAX));
}

#[test]
fn a_unit_that_is_not_there_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let proc = proc_of(root.path(), "0::/\n");
    let error = Cgroup::at_in("/system.slice/none.service", &proc).pids().unwrap_err().to_string();
    assert_eq!(error, "no control group: /system.slice/none.service is not here");
}

#[test]
fn pressure_is_read_as_every_kernel_writes_it() {
    let stall = |avg10, total_usec| Stall { avg10, total_usec };
    for (text, expected) in [
        (
            "some avg10=12.34 avg60=3.00 avg300=0.50 total=123456\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=7\n",
            Some(Psi { some: stall(12.34, 123_456), full: Some(stall(1.0, 7)) }),
        ),
        ("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", Some(Psi { some: stall(0.0, 0), full: None })),
        ("full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", None),
        ("some avg10=x total=0\n", None),
        ("", None),
    ] {
        assert_eq!(Psi::parse(text), expected, "{text}");
    }
}

#[test]
fn what_the_kernel_says_of_a_threaded_group_is_known_as_such() {
    // Such a group cannot be made without a cgroup2 of one's own; reading its cgroup.procs gives EOPNOTSUPP.
    let error = io::Error::from(rustix::io::Errno::OPNOTSUPP);
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
}
