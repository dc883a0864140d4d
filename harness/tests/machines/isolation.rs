//! What a machine can do to its host: nothing by accident. `docs/isolation.md` says what it can do on purpose.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use harness::machine::Machine;
use harness::machine::namespace::NamespaceMachine;
use libtest_mimic::Completion;
use nix::sched::CloneFlags;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use crate::lab::{Backend, eventually, root};

const PATIENCE: Duration = Duration::from_secs(60);
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// How a script ended, and what it said.
type Tried = (bool, String);

/// Runs a script in the machine as a command of the harness and as a service of systemd's: both are root.
fn both_ways(machine: &dyn Machine, script: &str) -> [Tried; 2] {
    [as_command(machine, script), as_service(machine, script, "")]
}

fn as_command(machine: &dyn Machine, script: &str) -> Tried {
    let output = machine.run(&["sh", "-c", script], PATIENCE).expect("it ends");
    (output.status.success(), format!("{}{}", output.stdout, output.stderr))
}

fn as_service(machine: &dyn Machine, script: &str, settings: &str) -> Tried {
    let unit = format!(
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/sh /run/script\nStandardOutput=file:/run/said\n\
         StandardError=file:/run/said\n{settings}\n"
    );
    machine.put("/run/script", script.as_bytes(), 0o644).expect("put");
    machine.put("/run/systemd/system/tries.service", unit.as_bytes(), 0o644).expect("put");
    // Emptied here: `truncate:` came with systemd 248. And without a limit: 257 counts starts on across a reload.
    let ask = "rm -f /run/said; systemctl daemon-reload; systemctl start tries; cat /run/said";
    let (_, said) = as_command(machine, ask);
    let argv = ["systemctl", "show", "--value", "--property=Result", "tries.service"];
    let result = machine.run(&argv, PATIENCE).expect("it ends").stdout;
    (result.trim() == "success", said)
}

pub fn a_device_that_is_changed_in_a_machine_is_the_machines_own(backend: Backend) {
    let machine = backend.boot();
    let of_host = || {
        DEVICES.map(|name| {
            let node = fs::metadata(format!("/dev/{name}")).expect("it is there");
            (name, node.mode(), node.uid(), node.ctime(), node.ctime_nsec())
        })
    };
    let before = of_host();
    for name in DEVICES {
        both_ways(machine.as_ref(), &format!("chmod 640 /dev/{name}; chown 1:1 /dev/{name}"));
    }
    assert_eq!(of_host(), before, "the host's are as they were");
    let works = "head -c 1 /dev/zero >/dev/null && head -c 1 /dev/urandom >/dev/null && \
                 ! echo x 2>/dev/null >/dev/full";
    for (success, said) in both_ways(machine.as_ref(), works) {
        assert!(success, "{said}");
    }
    let (success, said) = as_service(machine.as_ref(), works, "PrivateDevices=yes");
    assert!(success, "a unit has devices of its own where it asks for them: {said}");
}

pub fn what_belongs_to_the_host_is_refused_to_commands_and_services(backend: Backend) {
    let machine = backend.boot();
    // Each would change nothing if it were allowed: it sets what is already so.
    let refused = [
        ("the clock", "date --set=\"$(date --iso-8601=ns)\"", "not permitted"),
        ("a disk", "mknod /tmp/disk b 7 0", "not permitted"),
        ("a device", "mknod /tmp/null c 1 3", "not permitted"),
        ("a sysctl", "f=/proc/sys/kernel/panic; read -r v <$f; echo $v >$f", "Read-only"),
        ("a sysctl", "f=/proc/sys/vm/swappiness; read -r v <$f; echo $v >$f", "Read-only"),
        ("interrupts", "touch /proc/irq", "Read-only"),
        ("a bus", "touch /proc/bus", "Read-only"),
        ("file systems", "touch /proc/fs", "Read-only"),
        ("the kernel's settings", "touch /sys/kernel", "Read-only"),
        ("programs", "touch /usr/bin/env", "Read-only"),
    ];
    for (what, script, reason) in refused {
        for (success, said) in both_ways(machine.as_ref(), script) {
            assert!(!success, "{what} can be changed: {script}");
            assert!(said.contains(reason), "{what}: {said}");
        }
    }
    // An order to restart the host goes nowhere, and its memory shows nothing.
    let covered = "for name in sysrq-trigger kcore kmsg; do \
                   [ ! -e /proc/$name ] || [ \"$(stat --format=%t:%T /proc/$name)\" = 1:3 ] || echo $name; done";
    for tried in both_ways(machine.as_ref(), covered) {
        assert_eq!(tried, (true, String::new()), "each is /dev/null");
    }
}

pub fn no_remount_makes_the_hosts_programs_writable(backend: Backend) -> Completion {
    let namespaces = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    if matches!(namespaces.trim(), "" | "0") {
        return Completion::ignored_with("needs user namespaces");
    }
    if !root().join("usr/bin/mount").exists() {
        return Completion::ignored_with("needs /usr/bin/mount: apt-get install mount");
    }
    let machine = backend.boot();
    let elsewhere = "mkdir -p /run/usr && mount --bind /usr /run/usr && mount -o remount,bind,rw /run/usr";
    for script in ["mount -o remount,bind,rw /usr", "mount -o remount,bind,rw /etc/alternatives", elsewhere] {
        for (success, said) in both_ways(machine.as_ref(), script) {
            assert!(!success && said.contains("denied"), "{script}: {said}");
        }
    }
    Completion::Completed
}

pub fn what_the_host_has_mounted_below_its_usr_is_read_only_too(_: Backend) {
    let tried = std::thread::spawn(|| {
        // A mount of this thread's own, which stands for the host's.
        nix::sched::unshare(CloneFlags::CLONE_NEWNS).expect("root may");
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).expect("private");
        mount(c"tmpfs", "/usr/src", c"tmpfs", MountFlags::NODEV, None).expect("mounted");
        fs::create_dir("/usr/src/there").expect("it is writable here");
        let machine = NamespaceMachine::boot(Path::new("/")).expect("a machine boots");
        as_command(&machine, "ls /usr/src; touch /usr/src/there")
    });
    let (success, said) = tried.join().expect("no panic");
    assert!(!success && said.starts_with("there\n") && said.contains("Read-only"), "{said}");
}

pub fn a_command_may_do_what_pid_1_may_and_runs_in_a_cgroup_of_the_machine(backend: Backend) {
    let machine = backend.boot();
    let sets = |pid: &str| {
        let argv = ["grep", "--extended-regexp", "^Cap(Prm|Eff|Bnd|Amb)", &format!("/proc/{pid}/status")];
        machine.run(&argv, PATIENCE).expect("grep runs").stdout
    };
    assert_eq!(sets("self"), sets("1"), "no more than PID 1, and no less");
    let own = machine.run(&["cat", "/proc/self/cgroup"], PATIENCE).expect("cat runs").stdout;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).expect("it is in cgroup2").to_owned();
    assert_eq!(own, "/hangproof-commands", "of the machine, and of none of systemd's units");
    let stream = machine.start(&["sleep", "infinity"]).expect("starts");
    let procs = || machine.run(&["cat", "/sys/fs/cgroup/hangproof-commands/cgroup.procs"], PATIENCE);
    // The reader, too, is there.
    eventually("both are in it", || procs().expect("cat runs").stdout.lines().count() == 2);
    drop(stream);
    eventually("one of them is gone", || procs().expect("cat runs").stdout.lines().count() == 1);
}
