//! Units behind the drop-in that is printed for them: what systemd has of them then, and that they run.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use harness::machine::namespace::NamespaceMachine;
use harness::machine::{Machine, Output};

use crate::lab::{Backend, eventually, programs, root, version};

const PATIENCE: Duration = Duration::from_secs(120);
const TOOLS: &str = "/opt/tools";

fn sh(machine: &dyn Machine, command: &str) -> Output {
    machine.run(&["sh", "-c", command], PATIENCE).expect("the shell runs")
}

fn put(machine: &dyn Machine, path: &str) {
    let name = path.rsplit('/').next().unwrap_or(path);
    let content = std::fs::read(programs().path(name)).expect("it is built");
    machine.put(path, &content, 0o755).expect("put");
}

/// What `--dry-run` says, held against `systemctl show` before and after: of every unit of this tree that can be wrapped, and of
/// one that has what they have not.
pub fn what_changes_is_what_systemd_says_and_nothing_else(_: Backend) {
    let mut machine = NamespaceMachine::boot(&root()).expect("a machine boots");
    put(&machine, "/usr/local/bin/sd-watchdog");
    let odd = "[Service]\nExecStart=/bin/sleep 1000\nPIDFile=odd.pid\nRestart=on-success\nTimeoutStopSec=5\n\
               KillMode=process\nCapabilityBoundingSet=CAP_SETUID\nRestrictAddressFamilies=~AF_NETLINK AF_PACKET\n\
               NoExecPaths=/\nExecPaths=/usr/bin\nTemporaryFileSystem=/usr/local/bin\nExecStopPost=/bin/true\n";
    machine.put("/etc/systemd/system/odd.service", odd.as_bytes(), 0o644).expect("put");
    let shown = sh(
        &machine,
        "cd /tmp && systemctl daemon-reload
         for path in /etc/systemd/system/odd.service /usr/lib/systemd/system/*[!@].service; do
             unit=$(basename $path)
             sd-watchdog unit --drop-in $unit --http http://127.0.0.1/ --dry-run >$unit.conf 2>/dev/null || continue
             [ $(systemctl show -P Id $unit) = $unit ] || continue
             systemctl show --all $unit >$unit.before
             mkdir -p /etc/systemd/system/$unit.d && cp $unit.conf /etc/systemd/system/$unit.d/zz-watchdog.conf
             echo $unit
         done
         systemctl daemon-reload
         for unit in *.before; do systemctl show --all ${unit%.before} >${unit%.before}.after; done",
    );
    let units: Vec<&str> = shown.stdout.lines().collect();
    assert!(units.len() > 3, "{shown:?}");
    let mut wrong = String::new();
    for unit in units {
        let file = |name: &str| sh(&machine, &format!("cat /tmp/{unit}.{name}")).stdout;
        let (before, after) = (properties(&file("before")), properties(&file("after")));
        let theirs: BTreeSet<String> =
            before.symmetric_difference(&after).filter_map(|line| directive(line)).collect();
        let printed = file("conf");
        let said = printed.split("\n# Before → after:\n").nth(1).unwrap_or_default();
        let names = said.lines().filter_map(|line| Some(line.strip_prefix("# - ")?.split_once('=')?.0));
        // The property is what the service said last; and the name of lines is not compared.
        let names = names.filter(|name| !["WatchdogSec", "SyslogIdentifier"].contains(name));
        // What the unit says of these counts from the next upgrade on, and so does what is printed.
        let names = names.filter(|name| *name != "ExecPaths" || version(&machine) >= 248);
        let ours: BTreeSet<String> = names.map(ToOwned::to_owned).collect();
        if ours != theirs {
            let _ = writeln!(wrong, "{unit}: said {ours:?}, changed {theirs:?}");
        }
    }
    machine.close().expect("it closes");
    assert!(wrong.is_empty(), "{wrong}");
}

/// The lines of `systemctl show`. Units that one depends on are in no order, which is another after each reload.
fn properties(shown: &str) -> BTreeSet<String> {
    let sorted = |line: &str| {
        let mut words: Vec<&str> = line.split_once('=')?.1.split(' ').collect();
        words.sort_unstable();
        Some(format!("{}={}", line.split_once('=')?.0, words.join(" ")))
    };
    shown.lines().filter_map(sorted).collect()
}

/// What follows from the files, and not from what is in them; the name under which lines appear, which of the service is as before;
/// and what changes while a unit runs.
const OTHERS: [&str; 5] =
    ["DropInPaths", "NeedDaemonReload", "SyslogIdentifier", "WatchdogUSec", "CPUUsageNSec"];

/// The directive of a line of `systemctl show`; none of what is not one.
fn directive(line: &str) -> Option<String> {
    let name = line.split_once('=')?.0;
    if OTHERS.contains(&name) {
        return None;
    }
    let name = name.strip_suffix("Ex").filter(|name| name.starts_with("Exec")).unwrap_or(name);
    Some(name.strip_suffix("USec").map_or(name.to_owned(), |name| format!("{name}Sec")))
}

/// A unit whose sandbox hides `sd-watchdog`, has no process followed, and is to be started again when it has ended well.
pub fn a_unit_runs_behind_its_drop_in_as_it_did_before(backend: Backend) {
    let mut machine = backend.boot();
    put(machine.as_ref(), "/usr/local/bin/buggy_server");
    put(machine.as_ref(), &format!("{TOOLS}/sd-watchdog"));
    let unit = "[Service]\nExecStart=/usr/local/bin/buggy_server\nPIDFile=odd.pid\nRestart=on-success\nRestartSec=0\n\
                RestrictAddressFamilies=~AF_NETLINK\nNoExecPaths=/\nExecPaths=/usr /lib -/lib64\n\
                TemporaryFileSystem=/opt:ro\nExecStartPre=/bin/sh -c 'echo 1 >/run/odd.pid'\nLimitCORE=0\n";
    machine.put("/etc/systemd/system/odd.service", unit.as_bytes(), 0o644).expect("put");
    let begun = sh(
        machine.as_ref(),
        &format!(
            "mkdir -p /etc/systemd/system/odd.service.d && systemctl daemon-reload &&
             {TOOLS}/sd-watchdog unit --drop-in odd --http http://127.0.0.1:8080/healthz >/etc/systemd/system/odd.service.d/x.conf &&
             systemctl daemon-reload && systemctl start odd"
        ),
    );
    let journal = || sh(machine.as_ref(), "journalctl --no-pager -o short-monotonic -u odd").stdout;
    assert!(begun.status.success(), "{begun:?}\n{}", journal());
    let show = |property: &str| {
        sh(machine.as_ref(), &format!("systemctl show -P {property} odd")).stdout.trim().to_owned()
    };
    let name = |pid: &str| sh(machine.as_ref(), &format!("cat /proc/{pid}/comm")).stdout.trim().to_owned();
    assert_eq!(name(&show("MainPID")), "sd-watchdog", "{}", journal());
    assert!(
        !sh(machine.as_ref(), "journalctl --no-pager -o cat -t buggy_server").stdout.is_empty(),
        "{}",
        journal()
    );
    // It ends well, as a server does that was asked by somebody else.
    sh(machine.as_ref(), "kill -TERM $(pidof buggy_server)");
    eventually("it is started again", || show("NRestarts") == "1" && show("ActiveState") == "active");
    let stopped = sh(machine.as_ref(), "systemctl stop odd; ls /run/odd.pid");
    assert!(stopped.stdout.is_empty(), "{stopped:?}");
    // Where the start takes longer than it may, it is said what its limit is.
    let late = "[Service]\nTimeoutStartSec=2\nExecStart=\nExecStart=/opt/tools/sd-watchdog --http http://127.0.0.1:9/ -- /bin/sleep 99\n\
                TemporaryFileSystem=\nNoExecPaths=\n";
    machine.put("/etc/systemd/system/odd.service.d/y.conf", late.as_bytes(), 0o644).expect("put");
    sh(machine.as_ref(), "systemctl daemon-reload; systemctl start odd");
    let said = journal();
    assert!(
        said.contains("stopped before it was ever healthy: ") && said.contains("TimeoutStartSec="),
        "{said}"
    );
    machine.close().expect("closes");
}
