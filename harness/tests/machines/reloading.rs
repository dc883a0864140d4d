//! A service that drains while it reloads looks like one that hangs.

use crate::guard::{ok, sh};
use crate::lab::{Backend, eventually, with_programs};

/// It drains as long as a download is under way, and accepts nobody meanwhile.
const CONF: &str = "\
server.document-root = \"/srv\"
server.bind = \"127.0.0.1\"
server.port = 8080
server.modules += ( \"mod_staticfile\" )
";
const UNIT: &str = "\
[Service]
Type=notify
WatchdogSec=2
TimeoutStartSec=20
Restart=on-watchdog
RestartSec=0
LimitCORE=0
ExecStart=/usr/local/bin/sd-watchdog --reload-signal USR1 --http http://127.0.0.1:8080/small -- /usr/sbin/lighttpd -D -f /etc/lighttpd.conf
ExecReload=/bin/kill -USR1 $MAINPID
";
/// More than the kernel takes for whoever does not read.
const DOWNLOAD: &str = "truncate --size=64M /srv/large && systemd-run --quiet --unit=download bash -c '\
    exec 3<>/dev/tcp/127.0.0.1/8080; echo -ne \"GET /large HTTP/1.0\\r\\n\\r\\n\" >&3; head --bytes=100 >/dev/null <&3; \
    touch /run/begun; exec sleep infinity'";

pub fn a_service_that_drains_while_it_reloads_is_not_taken_for_one_that_hangs(backend: Backend) {
    let mut machine = with_programs(backend);
    for (path, content) in
        [("/etc/lighttpd.conf", CONF), ("/etc/systemd/system/web.service", UNIT), ("/srv/small", "here")]
    {
        machine.put(path, content.as_bytes(), 0o644).expect("put");
    }
    let machine_ref = machine.as_ref();
    ok(machine_ref, "systemctl daemon-reload && systemctl start web");
    let shown = || ok(machine_ref, "systemctl show -p MainPID -p NRestarts -p ActiveState web");
    let journal = || ok(machine_ref, "journalctl --quiet --no-pager -o short-monotonic -u web");
    let before = shown();

    ok(machine_ref, DOWNLOAD);
    eventually("a download has begun", || sh(machine_ref, "test -e /run/begun").status.success());
    ok(machine_ref, "systemctl reload --no-block web");
    // It is told about once a second, and more seldom on a busy computer.
    eventually("it has drained for longer than W", || {
        let status = ok(machine_ref, "systemctl show -P StatusText web");
        seconds_after(&status, "reloading for ").is_some_and(|seconds| seconds > 3.0)
    });
    let said = journal();
    assert!(said.contains("does not answer while it reloads, which counts as a hang in 1"), "{said}");
    ok(machine_ref, "systemctl stop download");
    eventually("it is reloaded", || journal().contains("reloaded, and healthy after "));
    assert!(!journal().contains("hung"), "{}", journal());
    assert_eq!(shown(), before, "{}", journal());

    // What never comes back is found: when the time of a reload is over, which here is less.
    ok(machine_ref, "sed -i s/TimeoutStartSec=20/TimeoutStartSec=3/ /etc/systemd/system/web.service");
    ok(machine_ref, "systemctl daemon-reload && pkill -STOP -x lighttpd && systemctl reload --no-block web");
    eventually("it is back", || {
        let now = shown();
        now.contains("NRestarts=1") && now.contains("ActiveState=active")
    });
    let said = journal();
    let triggered = said.lines().find(|line| line.contains("Watchdog request")).expect("a trigger");
    assert!(seconds_after(triggered, " since a reload ").is_some_and(|seconds| seconds >= 3.0), "{said}");
    machine.close().expect("closes");
}

/// The seconds that are told in `text` after these words.
fn seconds_after(text: &str, words: &str) -> Option<f64> {
    let (number, rest) = text.split_once(words)?.1.split_once(' ')?;
    rest.starts_with('s').then(|| number.parse().ok())?
}
