//! A guard ends nothing that would stay dead: every `Restart=`, however the service was started, and what came since.

use std::time::Duration;

use harness::model::clock::Usec;
use libtest_mimic::Completion;

use crate::guard::{DIRECT, OPTIONS, Ward, ok, sh};
use crate::lab::{Backend, eventually};

/// Every `Restart=`, and whether systemd, or a guard that goes by it, starts the service again after SIGABRT.
pub const RESTART: [(&str, bool); 7] = [
    ("no", false),
    ("on-success", false),
    ("on-failure", true),
    ("on-abnormal", true),
    ("on-abort", true),
    ("on-watchdog", true),
    ("always", true),
];

/// Three times what it takes until a hang is acted upon, where W is 2 s.
const CALM: Duration = Duration::from_secs(4);

/// Who started a service.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// `systemctl start`; it is not enabled.
    ByHand,
    /// Another unit's Wants=; it cannot be enabled itself.
    Wanted,
    /// `systemctl enable --now`
    Enabled,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::ByHand, Self::Wanted, Self::Enabled];

    /// Starts it anew.
    pub fn start(self, ward: &Ward) {
        let name = &ward.1;
        ward.put("/etc/systemd/system/other.target", &format!("[Unit]\nWants={name}.service\n"));
        ok(ward.0.as_ref(), &format!("systemctl daemon-reload; systemctl stop other.target {name}"));
        let command = match self {
            Self::ByHand => format!("systemctl disable --quiet {name}; systemctl start {name}"),
            Self::Wanted => format!("systemctl disable --quiet {name}; systemctl start other.target"),
            Self::Enabled => format!("systemctl enable --quiet --now {name}"),
        };
        ok(ward.0.as_ref(), &command);
        eventually(&format!("{name} is started, {self:?}"), || ward.shown(name, "ActiveState") == "active");
    }
}

/// Writes the service and starts it.
fn patient(ward: &Ward, way: Way, service: &str) {
    let install = if matches!(way, Way::Wanted) { "" } else { "[Install]\nWantedBy=multi-user.target\n" };
    let unit = format!(
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=exec\n{DIRECT}\nTimeoutStopSec=2\nRestartSec=0\n{service}\n{install}"
    );
    ward.put("/etc/systemd/system/patient.service", &unit);
    way.start(ward);
}

/// What the guard that runs now has said, from its start on.
pub fn said(ward: &Ward) -> String {
    let invocation = ward.shown(&ward.guards(), "InvocationID");
    ok(ward.0.as_ref(), &format!("journalctl --quiet --no-pager -o cat _SYSTEMD_INVOCATION_ID={invocation}"))
}

/// Waits until a hang, had it been acted upon, would have been: nothing tells that nothing happens.
pub fn calm(ward: &Ward, what: &str, before: &str) {
    let until = Usec::now() + CALM;
    eventually(&format!("{what}: {} s are over", CALM.as_secs()), || Usec::now() > until);
    let now = ["MainPID", "ActiveState"].map(|property| ward.shown(&ward.1, property));
    assert_eq!(now, [before, "active"], "{what}\n{}", ward.journal());
}

fn comes_back_whatever_its_restart_says(backend: Backend, way: Way) {
    let ward = Ward::open(backend, &format!("{OPTIONS} --max-restarts 100"));
    for (restart, _) in RESTART {
        let what = format!("Restart={restart}, started {way:?}");
        patient(&ward, way, &format!("Restart={restart}"));
        ward.guard();
        let before = ward.is_healthy();
        ward.inject("mute");
        ward.recovers(&before, &what);
        ward.is_healthy();
        let said = said(&ward);
        assert!(!said.contains("not started again") && !said.contains("STAYS DOWN"), "{what}: {said}");
    }
    ward.close();
}

pub fn a_service_started_by_hand_comes_back_whatever_its_restart_says(backend: Backend) {
    comes_back_whatever_its_restart_says(backend, Way::ByHand);
}

/// systemd restarts nothing that is active.
pub fn a_service_that_remains_active_after_its_exit_comes_back(backend: Backend) {
    let ward = Ward::open(backend, OPTIONS);
    for restart in ["no", "always"] {
        let service = format!("Restart={restart}\nRemainAfterExit=yes\nSuccessExitStatus=SIGABRT");
        patient(&ward, Way::ByHand, &service);
        ward.guard();
        let before = ward.is_healthy();
        ward.inject("mute");
        ward.recovers(&before, &service);
        ward.is_healthy();
    }
    ward.close();
}

/// As `systemctl freeze` does, which wants a system bus, and container tools; systemd announces neither.
pub fn a_frozen_service_is_not_ended_and_is_watched_when_it_has_thawed(backend: Backend) -> Completion {
    let ward = Ward::open(backend, OPTIONS);
    patient(&ward, Way::ByHand, "Restart=always");
    ward.guard();
    let before = ward.is_healthy();
    let group = ward.shown("patient", "ControlGroup");
    let find = format!(
        "ls -d /sys/fs/cgroup{group}/cgroup.freeze /sys/fs/cgroup/unified{group}/cgroup.freeze || true"
    );
    let freezer = ok(ward.0.as_ref(), &find);
    if freezer.is_empty() {
        ward.close();
        return Completion::ignored_with("needs the service in cgroup2");
    }
    ok(ward.0.as_ref(), &format!("echo 1 >{freezer}"));
    calm(&ward, "frozen", &before);
    ward.says("frozen by the cgroup freezer");
    ok(ward.0.as_ref(), &format!("echo 0 >{freezer}"));
    assert_eq!(ward.is_healthy(), before);
    ward.inject("mute");
    ward.recovers(&before, "thawed, and then hung");
    ward.close();
    Completion::Completed
}

pub fn a_service_that_another_wants_comes_back_whatever_its_restart_says(backend: Backend) {
    comes_back_whatever_its_restart_says(backend, Way::Wanted);
}

pub fn an_enabled_service_comes_back_whatever_its_restart_says(backend: Backend) {
    comes_back_whatever_its_restart_says(backend, Way::Enabled);
}

pub fn what_nobody_is_to_start_again_is_not_ended_and_that_is_said_at_the_start(backend: Backend) {
    let ward = Ward::open(backend, &format!("{OPTIONS} --restart unit"));
    for (restart, _) in RESTART.iter().filter(|(_, comes_back)| !comes_back) {
        patient(&ward, Way::Enabled, &format!("Restart={restart}"));
        ward.guard();
        let before = ward.is_healthy();
        let said = said(&ward);
        assert!(said.contains(&format!("Restart={restart}")) && said.contains("--restart "), "{said}");
        ward.inject("mute");
        calm(&ward, &format!("Restart={restart}"), &before);
    }
    ward.close();
}

pub fn a_service_comes_back_as_its_own_restart_says_whoever_started_it(backend: Backend) {
    let ward = Ward::open(backend, &format!("{OPTIONS} --max-restarts 100 --restart unit"));
    for (way, (restart, _)) in
        Way::ALL.iter().cycle().zip(RESTART.iter().filter(|(_, comes_back)| *comes_back))
    {
        let what = format!("Restart={restart}, started {way:?}");
        patient(&ward, *way, &format!("Restart={restart}"));
        ward.guard();
        let before = ward.is_healthy();
        ward.inject("mute");
        ward.recovers(&before, &what);
        ward.is_healthy();
    }
    ward.close();
}

pub fn a_guard_that_is_told_to_always_starts_the_service_again(backend: Backend) {
    let ward = Ward::open(backend, &format!("{OPTIONS} --restart always"));
    for way in Way::ALL {
        patient(&ward, way, "Restart=no");
        ward.guard();
        let before = ward.is_healthy();
        ward.inject("mute");
        ward.recovers(&before, &format!("started {way:?}"));
    }
    ward.close();
}

pub fn what_was_disabled_or_masked_since_is_not_ended(backend: Backend) {
    // systemd itself would not start it again after a death by SIGABRT.
    let service = format!(
        "[Service]\nType=exec\n{DIRECT}\nRestart=on-watchdog\n[Install]\nWantedBy=multi-user.target\n"
    );
    let ward = Ward::open(backend, OPTIONS);
    // Not in /etc/systemd/system, where the mask is to be.
    ok(ward.0.as_ref(), "mkdir -p /usr/local/lib/systemd/system");
    ward.put("/usr/local/lib/systemd/system/patient.service", &service);
    for since in ["systemctl mask patient", "systemctl disable patient"] {
        ok(ward.0.as_ref(), "systemctl unmask patient");
        Way::Enabled.start(&ward);
        ward.guard();
        let before = ward.is_healthy();
        ok(ward.0.as_ref(), since);
        ward.inject("mute");
        calm(&ward, since, &before);
        ok(ward.0.as_ref(), "buggy_server heal");
    }
    ward.close();
}

pub fn what_never_was_healthy_is_not_ended_and_that_is_said_loudly(backend: Backend) {
    let ward = Ward::open(backend, "--http http://127.0.0.1:8079/healthz --watchdog 1s");
    patient(&ward, Way::Enabled, "Restart=always");
    let before = ward.shown("patient", "MainPID");
    ok(ward.0.as_ref(), "systemctl start sd-watchdog@patient");
    let loud = "journalctl --quiet --no-pager -o cat -p warning -u sd-watchdog@patient";
    eventually("a warning says what is wrong", || {
        sh(ward.0.as_ref(), loud).stdout.contains("connection refused")
    });
    calm(&ward, "nobody listens on port 8079", &before);
    assert!(sh(ward.0.as_ref(), "buggy_server status").stdout.contains("healthy"), "{}", ward.journal());
    ward.close();
}

pub fn a_command_that_probes_is_reaped_while_the_service_is_stopped(backend: Backend) {
    let ward = Ward::open(backend, "--exec 'sleep 0.1' --interval 10ms --timeout 1s --watchdog 5s");
    patient(&ward, Way::Enabled, "Restart=always");
    ward.guard();
    let guard = ward.shown("sd-watchdog@patient", "MainPID");
    let children = || sh(ward.0.as_ref(), &format!("ps --ppid {guard} -o stat=,args=")).stdout;
    eventually("a probe is under way", || children().contains("sleep"));
    ok(ward.0.as_ref(), "systemctl stop patient");
    ward.says("(inactive): left alone");
    eventually("all that was started for probes is gone", || children().trim().is_empty());
    ward.close();
}
