//! `sd-watchdog guard` beside a service that knows nothing of it, by the unit template that ships.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::machine::{Machine, Output};
use harness::scenario::service::{File, Permissions, Source};
use libtest_mimic::Completion;

use crate::lab::{Backend, eventually, scenario, with_programs};

const PATIENCE: Duration = Duration::from_secs(60);
/// A hang is noticed within 0.42 of it.
pub const OPTIONS: &str = "--http http://127.0.0.1:8080/healthz --watchdog 2s";

pub fn sh(machine: &dyn Machine, command: &str) -> Output {
    machine.run(&["sh", "-c", command], PATIENCE).expect("the shell runs")
}

pub fn ok(machine: &dyn Machine, command: &str) -> String {
    let output = sh(machine, command);
    assert!(output.status.success(), "{command}: {output:?}");
    output.stdout.trim().to_owned()
}

/// A machine with a service, unguarded as yet, and the service's name without `.service`.
pub struct Ward(pub Box<dyn Machine>, pub String);

impl Ward {
    /// With `patient.service`, which is still to be written.
    pub fn open(backend: Backend, options: &str) -> Self {
        Self::with(backend, "patient", options)
    }

    pub fn with(backend: Backend, name: &str, options: &str) -> Self {
        let ward = Self(with_programs(backend), name.to_owned());
        let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../watchdog/units");
        let template = fs::read_to_string(units.join("sd-watchdog@.service")).expect("it ships");
        ward.put("/etc/systemd/system/sd-watchdog@.service", &template);
        let conf = format!("SD_WATCHDOG_OPTIONS=\"--verbose {options}\"\n");
        ward.put(&format!("/etc/sd-watchdog/{name}.conf"), &conf);
        ward
    }

    pub fn put(&self, path: &str, content: &str) {
        self.0.put(path, content.as_bytes(), 0o644).expect("put");
    }

    /// (Re)writes the service's settings and starts it.
    fn patient(&self, service: &str) {
        let unit = format!(
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nTimeoutStopSec=2\nRestartSec=0\n{service}\n[Install]\nWantedBy=multi-user.target\n"
        );
        self.put("/etc/systemd/system/patient.service", &unit);
        ok(
            self.0.as_ref(),
            "systemctl daemon-reload && systemctl enable patient && systemctl restart patient",
        );
    }

    pub fn guard(&self) {
        let started = sh(self.0.as_ref(), &format!("systemctl restart {}", self.guards()));
        assert!(started.status.success(), "{}", self.journal());
        self.is_healthy();
    }

    /// Waits until the guard has had a healthy answer of the main process that runs now, and returns that.
    pub fn is_healthy(&self) -> String {
        let pid = self.shown(&self.1, "MainPID");
        self.says(&format!("(active, pid {pid}): healthy, answered in "));
        pid
    }

    /// The guard's unit.
    pub fn guards(&self) -> String {
        format!("sd-watchdog@{}", self.1)
    }

    pub fn shown(&self, unit: &str, property: &str) -> String {
        ok(self.0.as_ref(), &format!("systemctl show -P {property} {unit}"))
    }

    /// Waits until the guard's status has this in it.
    pub fn says(&self, wanted: &str) {
        let mut last = String::new();
        let mut says = || {
            last = self.shown(&self.guards(), "StatusText");
            last.contains(wanted)
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(15);
        while !says() {
            assert!(std::time::Instant::now() < deadline, "{wanted:?}, but: {last:?}\n{}", self.journal());
        }
    }

    pub fn inject(&self, fault: &str) {
        ok(self.0.as_ref(), &format!("buggy_server inject {fault}"));
    }

    /// Waits until another main process serves than `before`.
    pub fn recovers(&self, before: &str, what: &str) {
        eventually(&format!("{what} is back"), || {
            let pid = self.shown("patient", "MainPID");
            pid != before
                && pid != "0"
                && sh(self.0.as_ref(), "buggy_server status").stdout.contains("healthy")
        });
    }

    pub fn journal(&self) -> String {
        let name = &self.1;
        ok(
            self.0.as_ref(),
            &format!("journalctl --no-pager -o short-monotonic -u 'sd-watchdog@*' -u {name} | tail -n 60"),
        )
    }

    pub fn close(mut self) {
        self.0.close().expect("closes");
    }
}

pub const DIRECT: &str = "ExecStart=/usr/local/bin/buggy_server";
const FORKING: &str = "Type=forking\nPIDFile=/run/patient.pid\n\
    ExecStart=/bin/sh -c '/usr/local/bin/buggy_server & echo $! >/run/patient.pid'";

pub fn a_service_that_is_not_wrapped_comes_back_as_its_own_restart_says(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    ward.patient(&format!("{DIRECT}\nRestart=always"));
    ward.guard();
    let guard = ward.shown("sd-watchdog@patient", "MainPID");
    for (service, by_systemd) in [
        (format!("Type=exec\n{DIRECT}\nRestart=on-failure"), true),
        (format!("Type=simple\n{DIRECT}\nRestart=on-watchdog\nKillMode=mixed"), false),
        (format!("{FORKING}\nRestart=on-abnormal"), true),
    ] {
        ward.patient(&service);
        let before = ward.is_healthy();
        ward.inject("mute");
        ward.recovers(&before, &service);
        assert_eq!(ward.shown("patient", "NRestarts"), if by_systemd { "1" } else { "0" }, "{service}");
        ward.is_healthy();
    }
    ward.says("3 restarts");
    assert_eq!(
        ward.shown("sd-watchdog@patient", "MainPID"),
        guard,
        "daemon-reload does not disturb the guard"
    );
    ward.close();
}

pub fn a_unit_that_does_not_exist_yet_is_waited_for(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    ok(ward.0.as_ref(), "systemctl start sd-watchdog@patient");
    ward.says("(not there): left alone");
    ok(ward.0.as_ref(), "systemd-run --unit=patient /usr/local/bin/buggy_server");
    ward.is_healthy();
    ok(ward.0.as_ref(), "systemctl stop patient");
    ward.says("(inactive): left alone");
    ward.close();
}

pub fn a_stopped_process_dies_of_the_watchdogs_signal(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    ward.patient(&format!("{DIRECT}\nRestart=always\nTimeoutAbortSec=1h"));
    ward.guard();
    let before = ward.shown("patient", "MainPID");
    ok(ward.0.as_ref(), &format!("kill -STOP {before}"));
    ward.recovers(&before, "the stopped process");
    ward.close();
}

pub fn a_hung_service_that_is_stopped_stays_down_and_is_guarded_when_it_is_started_again(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    // SIGURG does nothing to it, so that the stop comes while the guard waits for its end.
    ward.patient(&format!("{DIRECT}\nRestart=always\nTimeoutAbortSec=1h\nWatchdogSignal=SIGURG"));
    ward.guard();
    ward.inject("mute");
    ward.says("was sent the watchdog's signal");
    ok(ward.0.as_ref(), "systemctl stop patient");
    ward.says("(inactive): left alone");
    assert_eq!(ward.shown("patient", "ActiveState"), "inactive", "{}", ward.journal());
    ward.patient(&format!("{DIRECT}\nRestart=always"));
    let before = ward.is_healthy();
    ward.inject("mute");
    ward.recovers(&before, "the service");
    ward.close();
}

pub fn a_service_that_was_ended_too_often_is_left_alone_and_loudly_so(backend: Backend) {
    let ward = Ward::open(backend, &format!("{OPTIONS} --max-restarts 1"));
    ward.patient(&format!("{DIRECT}\nRestart=always"));
    ward.guard();
    let before = ward.shown("patient", "MainPID");
    ward.inject("mute");
    ward.recovers(&before, "the service");
    let before = ward.is_healthy();
    ward.inject("mute");
    ward.says("hung, and ended too often already");
    assert_eq!(ward.shown("patient", "MainPID"), before);
    assert_eq!(ward.journal().matches("HANGS AND IS LEFT ALONE").count(), 1, "{}", ward.journal());
    ward.close();
}

pub fn a_dry_run_reports_a_hang_in_the_units_journal_and_does_nothing_about_it(backend: Backend) {
    let ward = Ward::open(backend, &format!("{OPTIONS} --dry-run"));
    ward.patient(&format!("{DIRECT}\nRestart=always"));
    ward.guard();
    let before = ward.is_healthy();
    ward.inject("mute");
    ward.says("hung, and would have been ended");
    eventually("the report is in the unit's journal", || {
        let journal =
            sh(ward.0.as_ref(), "journalctl --no-pager -u patient -g '^patient.service hangs: '").stdout;
        journal.matches("would be sent SIGABRT").count() == 1
    });
    ok(ward.0.as_ref(), "buggy_server heal");
    assert_eq!(ward.is_healthy(), before, "{}", ward.journal());
    ward.close();
}

/// An HTTP server each answer of which takes 100 ms of CPU.
const SLOW_SERVER: &str = r#"
use strict;
use IO::Socket::INET;
$SIG{PIPE} = 'IGNORE';
sub used { my ($user, $system) = times; $user + $system }
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8080', Listen => 64, ReuseAddr => 1) or die $!;
while (1) {
    my $client = $listener->accept or next;
    while (defined(my $line = <$client>)) { last unless $line =~ /\S/ }
    my $enough = used() + 0.1;
    1 while used() < $enough;
    print $client "HTTP/1.0 200 OK\r\n\r\n";
}
"#;

pub fn a_starved_service_is_not_taken_for_one_that_hangs(backend: Backend) -> Completion {
    // Within 3.7 s a hang would be called.
    let ward = Ward::open(
        backend,
        "--http http://127.0.0.1:8080/ --watchdog 30s --interval 500ms --timeout 1s --retry-interval 100ms",
    );
    let machine = ward.0.as_ref();
    if !sh(machine, "command -v perl").status.success() {
        ward.close();
        return Completion::ignored_with("needs perl in the machine");
    }
    let cpu = ok(machine, "sed -n 's/^Cpus_allowed_list:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/self/status");
    ward.put("/usr/local/bin/slow_server", SLOW_SERVER);
    ward.patient(&format!("ExecStart=perl /usr/local/bin/slow_server\nCPUAffinity={cpu}\nRestart=always"));
    ward.guard();
    let before = ward.is_healthy();
    ok(machine, &format!("systemd-run --unit=hog --property=CPUAffinity={cpu} sh -c 'while :; do :; done'"));
    // Whichever the kernel goes by: the process, its session (autogroup), or its control group.
    let share = |policy: &str, nice: u8, weight: u8| {
        ok(machine, &format!("chrt --{policy} --pid 0 {before}"));
        sh(machine, &format!("echo {nice} >/proc/{before}/autogroup"));
        ok(machine, &format!("systemctl set-property --runtime patient CPUWeight={weight}"));
    };
    share("idle", 19, 1);
    ward.says(", waiting for CPU ");
    ok(machine, "systemctl stop hog");
    share("other", 0, 100);
    assert_eq!(ward.is_healthy(), before, "{}", ward.journal());
    ward.close();
    Completion::Completed
}

pub fn a_guard_outlives_daemon_reexec_and_respects_maintenance(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    ward.patient(&format!("{DIRECT}\nRestart=always"));
    ward.guard();
    let (guard, before) = (ward.shown("sd-watchdog@patient", "MainPID"), ward.shown("patient", "MainPID"));
    ok(ward.0.as_ref(), "systemctl daemon-reexec");
    ok(ward.0.as_ref(), "touch /run/sd-watchdog/patient.service.maintenance");
    ward.says("left alone: maintenance");
    ward.inject("mute");
    assert_eq!(ward.shown("patient", "MainPID"), before);
    ok(ward.0.as_ref(), "rm /run/sd-watchdog/patient.service.maintenance");
    ward.recovers(&before, "the service");
    assert_eq!(ward.shown("sd-watchdog@patient", "MainPID"), guard, "{}", ward.journal());
    ward.close();
}

pub fn the_system_bus_serves_where_the_private_socket_does_not(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    if !sh(ward.0.as_ref(), "command -v dbus-daemon").status.success() {
        return ward.close();
    }
    ok(
        ward.0.as_ref(),
        "getent passwd messagebus || echo 'messagebus:x:100:100::/nonexistent:/bin/false' >>/etc/passwd",
    );
    ok(ward.0.as_ref(), "getent group messagebus || echo 'messagebus:x:100:' >>/etc/group");
    ok(ward.0.as_ref(), "systemctl start dbus.socket");
    ward.put(
        "/etc/systemd/system/sd-watchdog@.service.d/bus.conf",
        "[Service]\nInaccessiblePaths=/run/systemd/private\n",
    );
    ward.patient(&format!("{DIRECT}\nRestart=on-watchdog"));
    ward.guard();
    for command in ["true", "systemctl daemon-reexec", "systemctl restart dbus"] {
        ok(ward.0.as_ref(), command);
        let before = ward.is_healthy();
        ward.inject("mute");
        ward.recovers(&before, command);
        ward.is_healthy();
    }
    ward.close();
}

pub fn the_options_in_the_example_file_arrive_as_they_are_meant(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../watchdog/units/sd-watchdog.env.example");
    let example = fs::read_to_string(example).expect("it ships");
    let lines = example.lines().map(|line| line.trim_start_matches('#'));
    let mut arrived = Vec::new();
    for line in lines.filter(|line| line.starts_with("SD_WATCHDOG_OPTIONS=")) {
        ward.put("/run/options", line);
        let unit = "[Service]\nType=oneshot\nEnvironmentFile=/run/options\n\
            ExecStart=/bin/sh -c 'printf \"<%%s>\" \"$$@\" >/run/words' sh $SD_WATCHDOG_OPTIONS\n";
        ward.put("/etc/systemd/system/words.service", unit);
        ok(ward.0.as_ref(), "systemctl daemon-reload && systemctl start words");
        arrived.push(ok(ward.0.as_ref(), "cat /run/words"));
    }
    assert_eq!(
        arrived,
        [
            "<--http><http://127.0.0.1:8080/healthz><--watchdog><10s>",
            "<--exec><pg_isready --quiet><--watchdog><1min><--dry-run>",
            r"<--tcp><127.0.0.1:6379><--send><PING\r\n><--expect><+PONG>",
            "<--tcp><127.0.0.1:25><--expect><220><--max-restarts><2><--restart-window><1day>\
             <--on-hang-exec><gdb -p %p -batch -ex \"thread apply all bt\">",
        ]
    );
    ward.close();
}

/// The guard comes back with what is left of its budget, whoever restarts it.
pub fn a_guard_that_is_restarted_has_no_new_budget(backend: Backend) {
    let ward = Ward::open(backend, &format!("{OPTIONS} --max-restarts 1"));
    ward.patient(&format!("{DIRECT}\nRestart=always"));
    ward.guard();
    let before = ward.is_healthy();
    ward.inject("mute");
    ward.recovers(&before, "the service");
    let survivor = ward.is_healthy();
    ok(ward.0.as_ref(), "systemctl restart sd-watchdog@patient");
    ward.is_healthy();
    ward.inject("mute");
    ward.says("hung, and ended too often already");
    assert_eq!(ward.shown("patient", "MainPID"), survivor, "{}", ward.journal());
    ward.close();
}

pub fn a_service_that_systemd_gives_up_is_said_to_stay_down(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    for restart in ["always", "on-watchdog"] {
        let limit = "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h";
        ward.patient(&format!("{DIRECT}\nRestart={restart}\n{limit}"));
        ward.guard();
        ward.inject("mute");
        ward.says("left alone: stays down after its hang");
        assert!(ward.journal().contains("patient.service STAYS DOWN"), "{}", ward.journal());
        // Its starts so far are forgotten, for the next one here.
        ok(ward.0.as_ref(), "systemctl stop sd-watchdog@patient; systemctl reset-failed patient");
    }
    ward.close();
}

/// What of the guard's start makes it late.
const LATE: &str = "/etc/systemd/system/sd-watchdog@.service.d/late.conf";

pub fn a_fault_waits_for_a_guard_that_comes_late(backend: Backend) {
    // Behind the first answers that clients get; before, the fault was there first, and the guard does not end what it has
    // never seen healthy.
    let late = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&late, "[Service]\nExecStartPre=/bin/sleep 2\n").expect("written");
    let mut scenario = scenario("guard-restart-no");
    let late = File { source: Source::file(late.path()), permissions: Permissions::default() };
    scenario.service.files.insert(LATE.into(), late);
    let trial = backend.trial(&scenario);
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
}

pub fn a_guard_that_sees_nothing_healthy_is_named_with_its_status(backend: Backend) {
    let mut scenario = scenario("guard-restart-no");
    let options = "/etc/sd-watchdog/buggy_server.conf";
    let wrong_port = crate::lab::scenario("guard-wrong-port").service.files[options].clone();
    scenario.service.files.insert(options.into(), wrong_port);
    let error = backend.try_run(&scenario, 1).error.expect("it is not guarded").to_string();
    assert!(
        error.contains("sd-watchdog@buggy_server.service, its guard, has not seen it healthy within 5 s"),
        "{error}"
    );
    assert!(error.contains("connection refused"), "{error}");
}
