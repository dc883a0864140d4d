//! A service of a user's manager (`systemctl --user`), while the system's has another of the same name.

use std::fs;
use std::time::{Duration, Instant};

use harness::machine::Machine;

use crate::guard::{OPTIONS, ok, sh};
use crate::lab::{Backend, programs};

/// The manager alone, without a login: what logind and PAM do for it is little.
const MANAGER: &str = "[Service]\nUser=%i\nType=notify\nExecStart=/lib/systemd/systemd --user\n\
    ExecStartPre=+/usr/bin/install -d -o %i -m 0700 /run/user/%i\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n\
    Slice=user-%i.slice\nKillMode=mixed\nDelegate=pids memory\n";
/// As the user.
const AS_USER: &str = "setpriv --reuid 1000 --regid 1000 --clear-groups \
    env HOME=/tmp XDG_RUNTIME_DIR=/run/user/1000";
const RUNTIME: &str = "/run/user/1000";
const SERVICE: &str = "[Service]\nRestartSec=0\nTimeoutStopSec=2\n";

/// A machine with both managers, and `patient.service` in each.
struct Both(Box<dyn Machine>, String);

impl Both {
    fn open(backend: Backend) -> Self {
        let machine = backend.boot();
        for name in ["buggy_server", "sd-watchdog"] {
            let content = fs::read(programs().path(name)).expect("it is built");
            machine.put(&format!("/usr/local/bin/{name}"), &content, 0o755).expect("put");
        }
        let mut both = Self(machine, String::new());
        both.put("/etc/systemd/system/user@.service", MANAGER);
        both.put(
            "/etc/systemd/system/patient.service",
            "[Service]\nRestart=always\nRestartSec=0\nExecStart=sleep infinity\n",
        );
        ok(
            both.0.as_ref(),
            "echo 'somebody:x:1000:1000::/tmp:/bin/sh' >>/etc/passwd; echo 'somebody:x:1000:' >>/etc/group; \
             systemctl daemon-reload && systemctl start user@1000 patient",
        );
        // It has restarts of its own, more than the user's will have.
        for restarts in ["1", "2"] {
            ok(both.0.as_ref(), "systemctl kill -s KILL patient");
            both.until("the system's service is back", || {
                // One at a time: the order of several is systemctl's, and 262 has another than those before it.
                let shown = |property| ok(both.0.as_ref(), &format!("systemctl show -P {property} patient"));
                shown("NRestarts") == restarts && shown("SubState") == "running"
            });
        }
        both.1 = ok(both.0.as_ref(), "systemctl show -P MainPID patient");
        both
    }

    fn put(&self, path: &str, content: &str) {
        self.0.put(path, content.as_bytes(), 0o644).expect("put");
    }

    /// `systemctl --user`, with these arguments.
    fn user(&self, arguments: &str) -> String {
        ok(self.0.as_ref(), &format!("{AS_USER} systemctl --user {arguments}"))
    }

    /// A unit of the user's, which is started.
    fn start(&self, name: &str, unit: &str) {
        self.put(&format!("/etc/systemd/user/{name}.service"), unit);
        let started = sh(
            self.0.as_ref(),
            &format!("{AS_USER} systemctl --user daemon-reload && {AS_USER} systemctl --user restart {name}"),
        );
        assert!(started.status.success(), "{started:?}\n{}", self.journal());
    }

    fn pid(&self) -> String {
        self.user("show -P MainPID patient")
    }

    fn status(&self, unit: &str) -> String {
        self.user(&format!("show -P StatusText {unit}"))
    }

    /// Hangs the user's service, and waits until it is back.
    fn hang(&self, what: &str) {
        let before = self.pid();
        ok(self.0.as_ref(), "buggy_server inject mute");
        self.until(&format!("{what} is back"), || {
            let pid = self.pid();
            pid != before
                && pid != "0"
                && sh(self.0.as_ref(), "buggy_server status").stdout.contains("healthy")
        });
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < deadline, "waited 20 s for this: {what}\n{}", self.journal());
        }
    }

    fn journal(&self) -> String {
        ok(self.0.as_ref(), "journalctl --no-pager -o short-monotonic | tail -n 60")
    }

    fn close(mut self) {
        let pid = ok(self.0.as_ref(), "systemctl show -P MainPID patient");
        assert_eq!(pid, self.1, "the system's service of that name has been left alone");
        self.0.close().expect("closes");
    }
}

pub fn a_guard_ends_the_service_of_the_manager_that_is_meant(backend: Backend) {
    let both = Both::open(backend);
    both.start("patient", &format!("{SERVICE}Restart=no\nExecStart=/usr/local/bin/buggy_server\n"));
    let guard = |options: &str| {
        format!(
            "[Service]\nType=notify\nEnvironment=XDG_RUNTIME_DIR={RUNTIME}\n\
             ExecStart=/usr/local/bin/sd-watchdog guard --verbose {OPTIONS} {options} patient\n"
        )
    };
    let healthy = |says: &dyn Fn() -> String| {
        let pid = both.pid();
        both.until(&format!("the guard sees pid {pid}"), || {
            says().contains(&format!("(active, pid {pid}): healthy, answered in "))
        });
    };
    // In a unit of the system's, it has to be told.
    both.put("/etc/systemd/system/outside.service", &format!("{}User=somebody\n", guard("--user")));
    let started = sh(both.0.as_ref(), "systemctl daemon-reload && systemctl start outside");
    assert!(started.status.success(), "{started:?}\n{}", both.journal());
    let says = || ok(both.0.as_ref(), "systemctl show -P StatusText outside");
    healthy(&says);
    both.hang("the service with a guard that is told");
    healthy(&says);
    ok(both.0.as_ref(), "systemctl stop outside");
    // In one of the user's it knows. Its budget goes on.
    both.start("watchdog", &guard("--max-restarts 2"));
    let says = || both.status("watchdog");
    healthy(&says);
    both.hang("the service with a guard beside it");
    healthy(&says);
    let ends = ok(both.0.as_ref(), &format!("cat {RUNTIME}/sd-watchdog/patient.service.restarts"));
    assert_eq!(ends.lines().count(), 2, "{ends}");
    let reports =
        "journalctl -o cat OBJECT_SYSTEMD_USER_UNIT=patient.service HANGPROOF_EVENT=hang_report _UID=1000";
    assert_eq!(
        ok(both.0.as_ref(), &format!("{reports} | grep -c 'patient.service hangs'")),
        "2",
        "{}",
        both.journal()
    );
    let maintenance = format!("{RUNTIME}/sd-watchdog/patient.service.maintenance");
    ok(both.0.as_ref(), &format!("{AS_USER} touch {maintenance}"));
    both.until("maintenance is on", || says().contains("maintenance"));
    ok(both.0.as_ref(), &format!("rm {maintenance}"));
    // Where its own socket is gone, over the user's bus.
    if sh(both.0.as_ref(), "test -e /usr/lib/systemd/user/dbus.socket").status.success() {
        both.user("start dbus.socket");
        both.user("stop watchdog");
        ok(both.0.as_ref(), &format!("rm {RUNTIME}/systemd/private"));
        let socket = format!("DBUS_SESSION_BUS_ADDRESS=unix:path={RUNTIME}/bus");
        let unit = guard("--user")
            .replace("Type=notify\n", &format!("Type=notify\nUser=somebody\nEnvironment={socket}\n"));
        both.put("/etc/systemd/system/outside.service", &unit);
        ok(both.0.as_ref(), "systemctl daemon-reload && systemctl start outside");
        let says = || ok(both.0.as_ref(), "systemctl show -P StatusText outside");
        healthy(&says);
        both.hang("the service with a guard over the bus");
    }
    both.close();
}

pub fn a_wrapped_service_of_a_user_is_restarted_and_counts_its_own_restarts(backend: Backend) {
    let both = Both::open(backend);
    let unit = format!(
        "{SERVICE}Type=notify\nWatchdogSec=2\nRestart=always\n\
         ExecStart=/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- /usr/local/bin/buggy_server\n"
    );
    both.start("patient", &unit);
    both.hang("the wrapped service");
    both.until("it knows of its one restart", || both.status("patient").contains("restarted once"));
    both.close();
}
