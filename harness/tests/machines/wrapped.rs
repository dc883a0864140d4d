//! Services as Debian packages them, with Debian's own units: alone, and behind the drop-in that `sd-watchdog unit` prints.

use std::time::{Duration, Instant};

use harness::machine::Machine;

use crate::guard::ok;
use crate::lab::{Backend, eventually, with_programs};
use crate::packaged::Package;

/// How much longer a stop may take than without us: what a busy host does to either.
const ABOUT_AS_FAST: Duration = Duration::from_secs(1);

const PATIENCE: Duration = Duration::from_secs(50);

/// A service, and what it is asked.
struct Peer {
    package: Package,
    /// Its command, where its unit is not to be wrapped as it is.
    command: &'static str,
    reloads: bool,
    /// Where it logs, if not to the journal.
    log: &'static str,
}

/// What can be seen of a life of it from outside.
#[derive(Debug, PartialEq, Eq)]
struct Life {
    /// What systemd says of it after its stop.
    end: String,
    /// What it says itself at its end: in the journal, with the name it goes by, and in its own log.
    farewell: Vec<String>,
}

struct Seen<'a> {
    machine: &'a dyn Machine,
    name: &'a str,
    options: &'a str,
    log: &'a str,
    what: &'a str,
}

impl Seen<'_> {
    fn shown(&self, properties: &str) -> String {
        ok(self.machine, &format!("systemctl show -p {properties} {}", self.name))
    }

    fn journal(&self) -> String {
        ok(self.machine, &format!("journalctl --sync; journalctl --quiet --no-pager -u {}", self.name))
    }

    fn answers(&self) {
        let check = format!("/usr/local/bin/sd-watchdog check --timeout 2s {}", self.options);
        let output =
            self.machine.run(&["sh", "-c", &check], Duration::from_secs(20)).expect("the shell runs");
        let (name, what) = (self.name, self.what);
        assert!(output.status.success(), "{name} {what}: {output:?}\n{}", self.journal());
    }

    /// Waits for it, and says what the journal has if it does not come.
    fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begin = Instant::now();
        let what = format!("{} {} {what}", self.name, self.what);
        eventually(&what, || {
            assert!(begin.elapsed() < PATIENCE, "waited {PATIENCE:?} for this: {what}\n{}", self.journal());
            holds()
        });
    }

    /// Does something to it.
    fn systemctl(&self, verb: &str) {
        let command = format!("systemctl {verb} {}", self.name);
        let output = self.machine.run(&["sh", "-c", &command], Duration::from_secs(20));
        let output = output.unwrap_or_else(|error| panic!("{command}: {error}\n{}", self.journal()));
        assert!(output.status.success(), "{}, {command}: {output:?}\n{}", self.what, self.journal());
    }

    /// Started, asked, reloaded, asked again.
    fn serve(&self, reloads: bool) {
        self.systemctl("start");
        let check = format!("/usr/local/bin/sd-watchdog check {}", self.options);
        self.eventually("listens", || {
            self.machine.run(&["sh", "-c", &check], Duration::from_secs(20)).expect("runs").status.success()
        });
        if !reloads {
            return;
        }
        let stands = "MainPID,NRestarts,ActiveState,Result,InvocationID";
        let before = self.shown(stands);
        self.systemctl("reload");
        self.eventually("is reloaded", || self.shown("ActiveState") == "ActiveState=active");
        self.answers();
        assert_eq!(self.shown(stands), before, "{} {}\n{}", self.name, self.what, self.journal());
    }

    fn last_logged(&self) -> Option<String> {
        (!self.log.is_empty()).then(|| without_digits(&ok(self.machine, &format!("tail -n 1 {}", self.log))))
    }

    /// Stopped: what came of that, and how long it took.
    fn stop(&self) -> (Life, Duration) {
        let before = self.journal();
        let begin = Instant::now();
        self.systemctl("stop");
        let took = begin.elapsed();
        let end = self.shown("Result,ExecMainCode,ExecMainStatus,ActiveState,NRestarts");
        let journal = self.journal();
        let after = journal.lines().skip(before.lines().count());
        (Life { end, farewell: after.filter_map(own_line).chain(self.last_logged()).collect() }, took)
    }
}

fn without_digits(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_digit() { '#' } else { letter }).collect()
}

/// `lighttpd: server stopped by UID = #` of a line of the service itself.
fn own_line(line: &str) -> Option<String> {
    let (_, line) = line.split_once(" machine ")?;
    let (who, text) = line.split_once(": ")?;
    let who = who.split('[').next()?;
    let text = without_digits(text);
    (!["systemd", "sd-watchdog"].contains(&who) && !text.starts_with("sd-watchdog: "))
        .then(|| format!("{who}: {text}"))
}

/// Of all that is in the unit, but for what is ours.
///
/// What has ended meanwhile, as `systemctl show` after READY=1, is passed over.
const STOP_ALL: &str = "for pid in $(cat /sys/fs/cgroup$(systemctl show -P ControlGroup NAME)/cgroup.procs); do \
    case $(cat /proc/$pid/comm) in sd-* | systemctl | '') ;; *) kill -STOP $pid && echo $pid ;; esac; done; true";

impl Peer {
    fn all() -> [Self; 5] {
        let [lighttpd, memcached, mosquitto, haproxy] =
            [Package::lighttpd, Package::memcached, Package::mosquitto, Package::haproxy].map(|it| it());
        [
            Self { package: lighttpd, command: "", reloads: true, log: "/var/log/lighttpd/error.log" },
            Self { package: memcached, command: "", reloads: false, log: "" },
            Self { package: mosquitto, command: "", reloads: true, log: "/var/log/mosquitto/mosquitto.log" },
            Self { package: haproxy, command: "", reloads: true, log: "" },
            Self { package: Package::dnsmasq(), command: "-- /usr/sbin/dnsmasq -k", reloads: true, log: "" },
        ]
    }

    fn is_as_clean_behind_its_drop_in(&self, machine: &dyn Machine) {
        let (name, options) = (&*self.package.unit, self.package.options);
        let alone = Seen { machine, name, options, log: self.log, what: "alone" };
        alone.serve(self.reloads);
        let (without, quick) = alone.stop();
        assert!(without.end.contains("ExecMainCode=1"), "{name}: {without:?}\n{}", alone.journal());

        let wrapped = Seen { what: "wrapped", ..alone };
        let print = format!("/usr/local/bin/sd-watchdog unit --drop-in {name} --watchdog-sec 2s {options}");
        let folder = format!("/etc/systemd/system/{name}.service.d");
        if !self.command.is_empty() {
            let refused = machine.run(&["sh", "-c", &print], Duration::from_secs(20)).expect("runs");
            assert!(!refused.status.success() && refused.stderr.contains("sd-watchdog guard"), "{refused:?}");
        }
        ok(
            machine,
            &format!(
                "mkdir -p {folder} && {print} {} >{folder}/zz-watchdog.conf && systemctl daemon-reload",
                self.command
            ),
        );
        wrapped.serve(self.reloads);
        let main = wrapped.shown("MainPID");
        let comm = ok(machine, &format!("cat /proc/{}/comm", main.trim_start_matches("MainPID=")));
        assert_eq!(comm, "sd-watchdog", "{name}\n{}", wrapped.journal());
        let (with, took) = wrapped.stop();
        assert_eq!(with, without, "{name}\n{}", wrapped.journal());
        assert!(
            took <= quick + ABOUT_AS_FAST,
            "{name}: {took:?}, and {quick:?} alone\n{}",
            wrapped.journal()
        );

        wrapped.systemctl("start");
        assert!(!ok(machine, &STOP_ALL.replace("NAME", name)).is_empty(), "{name}: nothing was stopped");
        wrapped.eventually("is back after its hang", || {
            wrapped.shown("NRestarts,ActiveState") == "NRestarts=1\nActiveState=active"
        });
        wrapped.answers();
        let journal = wrapped.journal();
        assert!(journal.contains("Watchdog request (last status: hung, "), "{name}\n{journal}");
        assert!(!journal.contains("for the main process of"), "{name}\n{journal}");
    }
}

pub fn a_packaged_service_is_as_clean_behind_its_drop_in_and_recovers_from_a_hang(backend: Backend) {
    let mut machine = with_programs(backend);
    let peers = Peer::all();
    // systemd forgets of an inactive unit how it ended, unless another refers to it.
    let names: Vec<String> = peers.iter().map(|peer| format!("{}.service", peer.package.unit)).collect();
    let keep = format!("[Unit]\nAfter={}\n", names.join(" "));
    machine.put("/etc/systemd/system/keep.target", keep.as_bytes(), 0o644).expect("put");
    ok(machine.as_ref(), "systemctl daemon-reload && systemctl start keep.target");
    for (number, peer) in (150..).zip(peers) {
        peer.package.install(machine.as_ref(), number);
        peer.is_as_clean_behind_its_drop_in(machine.as_ref());
    }
    machine.close().expect("closes");
}

/// The programs that must be there, and their packages.
pub fn needs() -> impl Iterator<Item = (String, String)> {
    Peer::all().into_iter().map(|peer| (peer.package.needs.0.to_owned(), peer.package.needs.1.to_owned()))
}
