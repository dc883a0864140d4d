//! `sd-watchdog guard` beside services as Debian packages them: with their own units, which nobody wrote with a guard in
//! mind (`Restart=no`, `Type=forking`, `KillMode=process`).

use std::time::Duration;

use crate::guard::{Ward, ok, sh};
use crate::guard_restarts::{RESTART, Way, calm, said};
use crate::lab::{Backend, eventually, root};

/// What a package's service needs in a machine, which has the host's `/usr` and nothing of its `/etc`.
pub struct Package {
    /// The program whose absence says that the package is not installed, and the package.
    pub needs: (&'static str, &'static str),
    /// The unit, without `.service`.
    unit: String,
    user: &'static str,
    /// Files that it reads.
    files: &'static [(&'static str, &'static str)],
    /// What the package's installation does once.
    prepare: String,
    /// Options of the guard.
    options: &'static str,
}

const DNSMASQ: &str = "no-resolv\nlisten-address=127.0.0.1\nbind-interfaces\nuser=dnsmasq\n";
const TINYPROXY: &str =
    "User tinyproxy\nGroup tinyproxy\nPort 8888\nListen 127.0.0.1\nStatHost \"tinyproxy.stats\"\n";

impl Package {
    pub fn dnsmasq() -> Self {
        Self {
            needs: ("/usr/share/dnsmasq/systemd-helper", "dnsmasq"),
            unit: "dnsmasq".into(),
            user: "dnsmasq",
            files: &[("/etc/dnsmasq.conf", DNSMASQ), ("/etc/default/dnsmasq", "IGNORE_RESOLVCONF=yes\n")],
            prepare: "mkdir -p /etc/dnsmasq.d /var/lib/misc".into(),
            // A question for localhost's address, over TCP: the answer repeats it (RFC 1035, 4.1 and 4.2.2).
            options: r"--tcp 127.0.0.1:53 --send '\x00\x1b\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01' --expect localhost",
        }
    }

    pub fn tinyproxy() -> Self {
        Self {
            needs: ("/usr/bin/tinyproxy", "tinyproxy"),
            unit: "tinyproxy".into(),
            user: "tinyproxy",
            files: &[("/etc/tinyproxy/tinyproxy.conf", TINYPROXY)],
            prepare: "install -d -o tinyproxy -g tinyproxy /run/tinyproxy /var/log/tinyproxy".into(),
            options: "--http http://127.0.0.1:8888/ --header 'Host: tinyproxy.stats'",
        }
    }

    /// PostgreSQL, of whichever version there is.
    pub fn postgresql() -> Self {
        let versions = std::fs::read_dir(root().join("usr/lib/postgresql"));
        let versions =
            versions.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let version = versions.max().unwrap_or_else(|| "15".into());
        Self {
            needs: ("/usr/bin/pg_ctlcluster", "postgresql"),
            prepare: format!(
                "install -d -o postgres -g postgres /var/lib/postgresql /var/log/postgresql /run/postgresql /etc/postgresql \
                 && pg_createcluster --start-conf=auto {version} main -- --no-sync --locale=C.UTF-8 \
                 && ln -s /usr/lib/postgresql/{version}/bin/pg_isready /usr/local/bin"
            ),
            unit: format!("postgresql@{version}-main"),
            user: "postgres",
            files: &[],
            options: "--exec 'pg_isready --quiet --host /run/postgresql'",
        }
    }

    /// A machine with it, and its guard; `options` come on top.
    fn ward(&self, options: &str) -> Ward {
        // Of four backslashes EnvironmentFile= leaves two, and ExecStart= one.
        let options = format!("{} --watchdog 2s {options}", self.options).replace('\\', r"\\\\");
        let ward = Ward::with(Backend::Namespace, &self.unit, &options);
        let user = self.user;
        ok(
            ward.0.as_ref(),
            &format!("echo {user}:x:150:150::/:/bin/sh >>/etc/passwd && echo {user}:x:150: >>/etc/group"),
        );
        for (path, content) in self.files {
            ward.put(path, content);
        }
        let prepared =
            ward.0.run(&["sh", "-c", &self.prepare], Duration::from_secs(60)).expect("the shell runs");
        assert!(prepared.status.success(), "{prepared:?}");
        ward
    }
}

/// The unit as packaged, except for this.
fn set(ward: &Ward, restart: &str) {
    let content = format!("[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart={restart}\nLimitCORE=0\n");
    ward.put(&format!("/etc/systemd/system/{}.service.d/test.conf", ward.1), &content);
    ok(ward.0.as_ref(), "systemctl daemon-reload");
}

/// Hangs all of it, from outside.
fn stop(ward: &Ward) {
    ok(ward.0.as_ref(), &format!("systemctl kill --signal=SIGSTOP {}", ward.1));
}

fn comes_back(ward: &Ward, what: &str) {
    let before = ward.is_healthy();
    stop(ward);
    eventually(&format!("{what} is back"), || {
        let [pid, state] = ["MainPID", "ActiveState"].map(|property| ward.shown(&ward.1, property));
        pid != before && pid != "0" && state == "active"
    });
    ward.is_healthy();
    let said = said(ward);
    assert!(!said.contains("not started again") && !said.contains("STAYS DOWN"), "{what}: {said}");
}

/// As it comes, in each way of starting it; then with each `Restart=`.
pub fn comes_back_however_it_was_started_and_whatever_its_restart_says(package: &Package) {
    let ward = package.ward("--max-restarts 100");
    set(&ward, "no");
    for way in Way::ALL {
        way.start(&ward);
        ward.guard();
        comes_back(&ward, &format!("{}, started {way:?},", package.unit));
    }
    for (restart, _) in RESTART {
        set(&ward, restart);
        // It takes the unit up anew.
        ward.guard();
        comes_back(&ward, &format!("{}, Restart={restart},", package.unit));
    }
    ward.close();
}

/// As it comes, where nobody is to start it again; and where the guard never saw it healthy.
pub fn is_not_ended_for_good(package: &Package) {
    let ward = package.ward("--restart unit");
    set(&ward, "no");
    Way::Enabled.start(&ward);
    ward.guard();
    let said = said(&ward);
    assert!(said.contains("Restart=no") && said.contains("--restart "), "{said}");
    let before = ward.is_healthy();
    stop(&ward);
    calm(&ward, "stopped", &before);
    ok(ward.0.as_ref(), &format!("systemctl kill --signal=SIGCONT {}", ward.1));
    assert_eq!(ward.is_healthy(), before, "{}", ward.journal());
    let wrong = "SD_WATCHDOG_OPTIONS=\"--tcp 127.0.0.1:1 --watchdog 1s\"\n";
    ward.put(&format!("/etc/sd-watchdog/{}.conf", ward.1), wrong);
    ok(ward.0.as_ref(), &format!("systemctl restart {}", ward.guards()));
    let loud = format!("journalctl --quiet --no-pager -o cat -p warning -u {}", ward.guards());
    eventually("a warning says what is wrong", || {
        sh(ward.0.as_ref(), &loud).stdout.contains("connection refused")
    });
    calm(&ward, "nobody listens on port 1", &before);
    ward.close();
}
