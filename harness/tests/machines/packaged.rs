//! What services need as Debian packages them; and `sd-watchdog guard` beside some of them: with their own units, which nobody wrote with a guard in
//! mind (`Restart=no`, `Type=forking`, `KillMode=process`).

use std::time::Duration;

use harness::machine::Machine;

use crate::guard::{Ward, ok, sh};
use crate::guard_restarts::{RESTART, Way, calm, said};
use crate::lab::{Backend, eventually, root};

/// What a package's service needs in a machine, which has the host's `/usr` and nothing of its `/etc`.
pub struct Package {
    /// The program whose absence says that the package is not installed, and the package.
    pub needs: (&'static str, &'static str),
    /// The unit, without `.service`.
    pub unit: String,
    user: &'static str,
    /// Files that it reads.
    files: &'static [(&'static str, &'static str)],
    /// What the package's installation does once.
    prepare: String,
    /// How it is probed.
    pub options: &'static str,
}

const DNSMASQ: &str = "no-resolv\nlisten-address=127.0.0.1\nbind-interfaces\nuser=dnsmasq\n";
const TINYPROXY: &str =
    "User tinyproxy\nGroup tinyproxy\nPort 8888\nListen 127.0.0.1\nStatHost \"tinyproxy.stats\"\n";

/// As packaged, but for what only the packages of modules bring.
const LIGHTTPD: &str = "\
server.modules = ( \"mod_indexfile\", \"mod_access\", \"mod_alias\", \"mod_redirect\", \"mod_staticfile\" )
server.document-root = \"/var/www/html\"
server.upload-dirs = ( \"/var/cache/lighttpd/uploads\" )
server.errorlog = \"/var/log/lighttpd/error.log\"
server.pid-file = \"/run/lighttpd.pid\"
server.username = \"www-data\"
server.groupname = \"www-data\"
server.port = 80
index-file.names = ( \"index.html\" )
";
const MEMCACHED: &str = "-d\nlogfile /var/log/memcached.log\n-m 64\n-p 11211\n-u memcache\n-l 127.0.0.1\n-P /run/memcached/memcached.pid\n";
const MOSQUITTO: &str = "\
pid_file /run/mosquitto/mosquitto.pid
persistence true
persistence_location /var/lib/mosquitto/
log_dest file /var/log/mosquitto/mosquitto.log
include_dir /etc/mosquitto/conf.d
";
/// As packaged, with somebody to answer.
const HAPROXY: &str = "\
global
\tlog /dev/log local0
\tlog /dev/log local1 notice
\tchroot /var/lib/haproxy
\tstats socket /run/haproxy/admin.sock mode 660 level admin
\tstats timeout 30s
\tuser haproxy
\tgroup haproxy
\tdaemon
defaults
\tlog global
\tmode http
\toption httplog
\toption dontlognull
\toption dontlog-normal
\ttimeout connect 5000
\ttimeout client 50000
\ttimeout server 50000
frontend here
\tbind 127.0.0.1:8080
\thttp-request return status 200
";

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

    pub fn lighttpd() -> Self {
        Self {
            needs: ("/usr/sbin/lighttpd", "lighttpd"),
            unit: "lighttpd".into(),
            user: "www-data",
            files: &[("/etc/lighttpd/lighttpd.conf", LIGHTTPD), ("/var/www/html/index.html", "here")],
            prepare: "install -d -o www-data /var/log/lighttpd /var/cache/lighttpd/uploads".into(),
            options: "--http http://127.0.0.1/",
        }
    }

    pub fn memcached() -> Self {
        Self {
            needs: ("/usr/share/memcached/scripts/systemd-memcached-wrapper", "memcached"),
            unit: "memcached".into(),
            user: "memcache",
            files: &[("/etc/memcached.conf", MEMCACHED)],
            prepare: "install -d -o memcache /run/memcached".into(),
            options: r"--tcp 127.0.0.1:11211 --send 'version\r\n' --expect VERSION",
        }
    }

    pub fn mosquitto() -> Self {
        Self {
            needs: ("/usr/sbin/mosquitto", "mosquitto"),
            unit: "mosquitto".into(),
            user: "mosquitto",
            files: &[("/etc/mosquitto/mosquitto.conf", MOSQUITTO)],
            prepare: "install -d -o mosquitto /var/lib/mosquitto && mkdir -p /etc/mosquitto/conf.d".into(),
            // CONNECT of a client named "p" in a clean session, and CONNACK that takes it (MQTT 3.1.1, 3.1 and 3.2).
            options: r"--tcp 127.0.0.1:1883 --send '\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01p' --expect '\x20\x02\x00\x00'",
        }
    }

    pub fn haproxy() -> Self {
        Self {
            needs: ("/usr/sbin/haproxy", "haproxy"),
            unit: "haproxy".into(),
            user: "haproxy",
            files: &[("/etc/haproxy/haproxy.cfg", HAPROXY)],
            // The unit binds /dev/log to where it is in the chroot.
            prepare: "install -d -o haproxy /run/haproxy && mkdir -p /var/lib/haproxy/dev && touch /var/lib/haproxy/dev/log \
                      && { [ -e /dev/log ] || ln -s /run/systemd/journal/dev-log /dev/log; }"
                .into(),
            options: "--http http://127.0.0.1:8080/",
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
        self.install(ward.0.as_ref(), 150);
        ward
    }

    /// Does what its installation would have done, with a user of this number.
    pub fn install(&self, machine: &dyn Machine, uid: u32) {
        let user = self.user;
        ok(
            machine,
            &format!(
                "echo {user}:x:{uid}:{uid}::/:/bin/sh >>/etc/passwd && echo {user}:x:{uid}: >>/etc/group"
            ),
        );
        for (path, content) in self.files {
            machine.put(path, content.as_bytes(), 0o644).expect("put");
        }
        let prepared =
            machine.run(&["sh", "-c", &self.prepare], Duration::from_secs(60)).expect("the shell runs");
        assert!(prepared.status.success(), "{prepared:?}");
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
