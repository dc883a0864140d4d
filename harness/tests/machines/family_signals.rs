//! Who gets which signal, and how often: of each family of processes alone, and behind `sd-watchdog`, side by side.
//!
//! Each process writes down what it gets. systemd alone is the measure: with `sd-watchdog` in front it is to be the same.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use harness::machine::{Machine, Output};

use crate::lab::{Backend, eventually, programs};

const PATIENCE: Duration = Duration::from_secs(50);
/// What is on its way then is counted at the end.
const SETTLES: Duration = Duration::from_secs(10);

/// `listen LOG ROLE [CHILD…]`, a listener for each of the children too; `+CHILD` in a session of its own. "main" ends at
/// the first signal that ends it; the others stay for the second, as long as there may be one.
const LISTEN: &str = r#"#!/usr/bin/perl
use POSIX;
my ($log, $role, @children) = @ARGV;
open(my $out, '>>', $log) or die;
my ($ends, $since) = (0, 0);
for my $name (qw(TERM HUP USR1 USR2 ABRT)) {
    $SIG{$name} = sub {
        syswrite $out, "$role $name\n";
        if ($name eq 'TERM' || $name eq 'ABRT') { $ends++; $since ||= time; }
    };
}
for my $child (@children) {
    next if fork;
    POSIX::setsid() if $child =~ s/^\+//;
    exec $0, $log, $child;
}
syswrite $out, "$role up\n";
select undef, undef, undef, 0.2 until $ends > ($role ne 'main') || ($since && time - $since > 3);
"#;

struct Family {
    name: &'static str,
    /// `L` is the listener and its log.
    command: &'static str,
    roles: &'static [&'static str],
}

const FAMILIES: [Family; 9] = [
    Family { name: "exec", command: "L main", roles: &["main"] },
    Family { name: "shell", command: "/bin/sh -c 'L child; true'", roles: &["child"] },
    Family { name: "wait", command: "/bin/sh -c 'L child & wait'", roles: &["child"] },
    Family { name: "pipeline", command: "/bin/sh -c 'L left | L right'", roles: &["left", "right"] },
    Family { name: "flock", command: "/usr/bin/flock /run/family/%n.lock L child", roles: &["child"] },
    Family { name: "launcher", command: "L main child", roles: &["main", "child"] },
    Family { name: "prefork", command: "L main one two three", roles: &["main", "one", "two", "three"] },
    Family { name: "session", command: "L main +apart", roles: &["main", "apart"] },
    Family {
        name: "user",
        command: "/usr/bin/setpriv --reuid 65534 --clear-groups L main child",
        roles: &["main", "child"],
    },
];

const MODES: [&str; 4] = ["control-group", "mixed", "process", "none"];

/// What is done to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Reload, `systemctl kill`, the same of the main process, restart, stop.
    Life,
    Hang,
    /// SIGKILL to the main process.
    Death,
}

struct Row {
    family: &'static Family,
    mode: &'static str,
    fate: Fate,
}

/// Differences that are meant to be.
struct Explained {
    fate: Fate,
    mode: &'static str,
    is_main: bool,
    signal: &'static str,
    /// Both alone and behind `sd-watchdog`.
    times: RangeInclusive<usize>,
    because: &'static str,
}

const STOPPED_TWICE: Explained = Explained {
    fate: Fate::Life,
    mode: "control-group",
    is_main: false,
    signal: "TERM",
    times: 2..=4,
    because: "when the main process has ended systemd sends SIGTERM again to what is left, and a process that has not taken \
               the first yet gets the two as one: once or twice in each of two stops",
};

/// The kernel sends SIGTERM (`PR_SET_PDEATHSIG`) to the process that gets SIGKILL alone, unless it has changed its user; and
/// then systemd does as it does to what is left.
const fn of_death(mode: &'static str, most: usize) -> Explained {
    Explained {
        fate: Fate::Death,
        mode,
        is_main: true,
        signal: "TERM",
        times: 0..=most,
        because: "alone it gets SIGKILL",
    }
}

const EXPLAINED: [Explained; 5] = [
    STOPPED_TWICE,
    of_death("control-group", 2),
    of_death("mixed", 1),
    of_death("process", 1),
    of_death("none", 1),
];

/// Of each role and signal, how often.
type Got = BTreeMap<(String, String), usize>;

impl Row {
    fn all() -> Vec<Self> {
        let mut rows = Vec::new();
        for family in &FAMILIES {
            for mode in MODES {
                for fate in [Fate::Life, Fate::Hang, Fate::Death] {
                    rows.push(Self { family, mode, fate });
                }
            }
        }
        rows
    }

    fn name(&self, variant: &str) -> String {
        format!("{:?}-{}-{}-{variant}", self.fate, self.family.name, self.mode).to_lowercase()
    }

    /// A shell has no handlers: a signal that is no stop ends it.
    fn has_main(&self) -> bool {
        self.family.roles.contains(&"main")
    }

    fn unit(&self, variant: &str) -> String {
        let log = format!("/run/family/{}.log", self.name(variant));
        let command = self.family.command.replace("L ", &format!("/usr/local/bin/listen {log} "));
        let (kind, seconds, command) = match (variant, self.fate) {
            ("wrapped", Fate::Hang) => ("Type=notify", 2, format!("{} {command}", wrap(8082))),
            ("wrapped", _) => ("Type=notify", 60, format!("{} {command}", wrap(8080))),
            (_, Fate::Hang) => ("Type=simple\nNotifyAccess=all", 2, command),
            _ => ("Type=simple", 0, command),
        };
        let mode = self.mode;
        // As of Debian's memcached: sd-watchdog may not signal a COMMAND that has changed its user.
        let limits = match (self.family.name, mode, self.fate) {
            ("user", "control-group", Fate::Hang) => "CapabilityBoundingSet=CAP_SETUID CAP_SETGID\n",
            _ => "",
        };
        format!(
            "[Service]\n{kind}\nWatchdogSec={seconds}\nKillMode={mode}\nTimeoutStopSec=20\nLimitCORE=0\n\
             {limits}ExecReload=/bin/kill -HUP $MAINPID\nExecStart={command}\n"
        )
    }
}

fn wrap(port: u16) -> String {
    format!("/usr/local/bin/sd-watchdog --report-budget 0s --http http://127.0.0.1:{port}/healthz --")
}

fn sh(machine: &dyn Machine, command: &str) -> Output {
    machine.run(&["sh", "-c", command], PATIENCE).expect("the shell runs")
}

/// Of each unit.
fn got(machine: &dyn Machine) -> BTreeMap<String, Got> {
    let lines = sh(machine, "cd /run/family && grep -H . *.log").stdout;
    let mut units: BTreeMap<String, Got> = BTreeMap::new();
    for line in lines.lines() {
        let (file, said) = line.split_once(".log:").expect("a file and a line");
        let (role, signal) = said.split_once(' ').expect("a role and a signal");
        *units.entry(file.into()).or_default().entry((role.into(), signal.into())).or_default() += 1;
    }
    units
}

/// Does it to the units, alone and wrapped at the same time.
fn each<'a>(machine: &dyn Machine, what: &str, rows: impl IntoIterator<Item = &'a Row>) {
    let names = rows.into_iter().flat_map(|row| [row.name("alone"), row.name("wrapped")]);
    let names = names.collect::<Vec<_>>().join(" ");
    let done = sh(machine, &what.replace('@', &names));
    assert!(done.status.success(), "{what}: {}", done.stderr);
}

pub fn each_process_gets_what_it_gets_without_sd_watchdog_and_as_often(backend: Backend) {
    let mut machine = backend.boot();
    let there = machine.as_ref();
    for name in ["buggy_server", "sd-watchdog"] {
        let content = std::fs::read(programs().path(name)).expect("it is built");
        there.put(&format!("/usr/local/bin/{name}"), &content, 0o755).expect("put");
    }
    there.put("/usr/local/bin/listen", LISTEN.as_bytes(), 0o755).expect("put");
    for (name, ports) in [
        ("healthy", "127.0.0.1:8080 --control 127.0.0.1:8081"),
        ("hanging", "127.0.0.1:8082 --control 127.0.0.1:8083"),
    ] {
        let unit = format!("[Service]\nExecStart=/usr/local/bin/buggy_server --listen {ports}\n");
        there.put(&format!("/etc/systemd/system/{name}.service"), unit.as_bytes(), 0o644).expect("put");
    }
    let rows = Row::all();
    for row in &rows {
        for variant in ["alone", "wrapped"] {
            let path = format!("/etc/systemd/system/{}.service", row.name(variant));
            there.put(&path, row.unit(variant).as_bytes(), 0o644).expect("put");
        }
    }
    let prepared =
        sh(there, "mkdir -m 1777 /run/family && systemctl daemon-reload && systemctl start healthy hanging");
    assert!(prepared.status.success(), "{prepared:?}");

    let of = |fate| rows.iter().filter(move |row| row.fate == fate);
    let settle = || {
        let until = Instant::now() + SETTLES;
        eventually("what was sent has come", || {
            differences(&rows, &got(there)).is_empty() || Instant::now() > until
        });
    };
    let are_up = |rows: &[&Row], times: usize| {
        let until = Instant::now() + PATIENCE;
        eventually("all are up", || {
            let got = got(there);
            let is_up = |name: &str, role: &str| {
                got.get(name)
                    .and_then(|got| got.get(&(role.into(), "up".into())))
                    .is_some_and(|up| *up >= times)
            };
            let names =
                rows.iter().flat_map(|row| ["alone", "wrapped"].map(|variant| (row, row.name(variant))));
            let down = names.filter(|(row, name)| !row.family.roles.iter().all(|role| is_up(name, role)));
            let down: Vec<_> = down.map(|(_, name)| name).collect();
            assert!(
                down.is_empty() || Instant::now() < until,
                "{down:?} {times}\n{}",
                journal(there, &down[0])
            );
            down.is_empty()
        });
    };
    let (life, deaths): (Vec<_>, Vec<_>) = (of(Fate::Life).collect(), of(Fate::Death).collect());
    each(there, "systemctl start @", life.iter().chain(&deaths).copied());
    are_up(&life, 1);
    are_up(&deaths, 1);
    each(there, "kill -KILL $(systemctl show -P MainPID @)", deaths.iter().copied());
    let talking: Vec<_> = life.iter().copied().filter(|row| row.has_main()).collect();
    each(there, "systemctl reload @", talking.iter().copied());
    each(there, "systemctl kill -s USR1 @", talking.iter().copied());
    each(there, "systemctl kill --kill-who=main -s USR2 @", talking.iter().copied());
    settle();
    // Where none of the processes ends, a second set would be started beside; or would wait for the lock of the first.
    let ends = |row: &&Row| row.mode != "none" && (row.mode, row.family.name) != ("process", "flock");
    let ending: Vec<_> = life.iter().copied().filter(ends).collect();
    each(there, "systemctl restart @", ending.iter().copied());
    are_up(&ending, 2);
    each(there, "systemctl stop @", life.iter().copied());

    let hangs: Vec<_> = of(Fate::Hang).collect();
    each(there, "systemctl start @", hangs.iter().copied());
    sh(there, "buggy_server inject mute --control 127.0.0.1:8083");
    eventually("all hangs are noticed", || {
        let states = hangs.iter().map(|row| row.name("wrapped")).collect::<Vec<_>>().join(" ");
        let shown = sh(there, &format!("systemctl show -P Result {states}")).stdout;
        shown.lines().filter(|line| !line.is_empty()).all(|result| result == "watchdog")
    });
    settle();
    let got = got(there);
    let differences = differences(&rows, &got);
    assert!(differences.is_empty(), "{differences}\n{}", journal(there, &differences));
    for Explained { fate, mode, signal, times, because, .. } in &EXPLAINED {
        println!("{fate:?} {mode} {signal} {times:?}: {because}");
    }
    // What is compared is something.
    let count = |row: &str, role: &str, signal: &str| {
        got.get(row).and_then(|got| got.get(&(role.into(), signal.into()))).copied().unwrap_or_default()
    };
    for (row, role, signal, expected) in [
        ("life-exec-control-group-wrapped", "main", "TERM", 2),
        ("life-exec-control-group-wrapped", "main", "HUP", 1),
        ("life-prefork-control-group-wrapped", "two", "USR1", 1),
        ("life-prefork-mixed-wrapped", "main", "USR1", 1),
        ("life-prefork-process-wrapped", "two", "TERM", 0),
        ("life-user-control-group-wrapped", "main", "USR2", 1),
        ("hang-shell-control-group-wrapped", "child", "ABRT", 1),
        ("hang-user-control-group-wrapped", "main", "ABRT", 1),
        ("hang-exec-mixed-wrapped", "main", "ABRT", 1),
        ("death-shell-control-group-wrapped", "child", "TERM", 1),
    ] {
        assert_eq!(count(row, role, signal), expected, "{row}: {role} {signal}\n{}", journal(there, row));
    }
    machine.close().expect("closes");
}

/// Of what is not explained, a line each.
fn differences(rows: &[Row], got: &BTreeMap<String, Got>) -> String {
    let mut text = String::new();
    let nothing = Got::new();
    for row in rows {
        let [alone, wrapped] =
            ["alone", "wrapped"].map(|variant| got.get(&row.name(variant)).unwrap_or(&nothing));
        for key in alone.keys().chain(wrapped.keys().filter(|key| !alone.contains_key(*key))) {
            let [alone, wrapped] = [alone, wrapped].map(|got| got.get(key).copied().unwrap_or_default());
            let (role, signal) = key;
            let is_explained = EXPLAINED.iter().any(|explained| {
                explained.fate == row.fate
                    && explained.mode == row.mode
                    && explained.is_main == (role == "main")
                    && explained.signal == signal
                    && [alone, wrapped].iter().all(|times| explained.times.contains(times))
            });
            if alone != wrapped && !is_explained {
                let _ = writeln!(
                    text,
                    "{}: {role} {signal}: alone {alone}, wrapped {wrapped}",
                    row.name("wrapped")
                );
            }
        }
    }
    text
}

fn journal(machine: &dyn Machine, differences: &str) -> String {
    let Some(unit) = differences.lines().next().and_then(|line| line.split(':').next()) else {
        return String::new();
    };
    sh(machine, &format!("journalctl --no-pager -o short-monotonic -u {unit}")).stdout
}
