//! The table is README.md's and the manual pages'; and what is decided is what it says.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use super::table::{Fate, Row, TABLE, find};
use super::*;
use crate::cli::{ChildPings, WrapperArgs};
use crate::tools::unit::UnitError;
use crate::unit::{Unit, UnitName, table as read};

const PROGRAM: &str = "/usr/bin/sd-watchdog";

fn unit(service: &str) -> Unit {
    let text = format!("[Service]\n{service}\n");
    Unit::of_texts(&UnitName::new("a").expect("a name"), [("/a.service", text.as_bytes())])
}

/// The options as they are typed, about what stands between.
fn wrapper(options: &[&str]) -> WrapperArgs {
    let mut wrapper = WrapperArgs::default();
    if options.windows(2).any(|pair| pair == ["--child-pings", "require"]) {
        wrapper.child_pings = ChildPings::Require;
    }
    wrapper
}

/// What becomes of a unit of this `[Service]`, behind a program there, with these options and this COMMAND.
fn decided_of(
    service: &str,
    program: &str,
    options: &[&str],
    command: Option<&str>,
) -> Result<Decision, UnitError> {
    let unit = unit(service);
    let wrapper = wrapper(options);
    let options: Vec<OsString> = options.iter().map(OsString::from).collect();
    let command: Option<Vec<OsString>> = command.map(|program| vec![program.into()]);
    if command.is_none() {
        super::command(&unit).map_err(|source| UnitError::not_wrappable(&unit, source))?;
    }
    decide(&Subject {
        unit: Some(&unit),
        command: command.as_deref(),
        identifier: "a",
        program: Path::new(program),
        options: &options,
        wrapper: &wrapper,
        has_selinux: false,
    })
}

fn decided(service: &str) -> Decision {
    let service = format!("ExecStart=/bin/a\n{service}");
    decided_of(&service, PROGRAM, &["--http", "http://127.0.0.1:8080/"], None)
        .unwrap_or_else(|error| panic!("{service}: {error}"))
}

/// The lines that it sets, except for those that every plain unit gets.
fn set(decision: &Decision) -> Vec<&str> {
    const ALWAYS: [&str; 2] = ["TimeoutAbortSec=10s", "SyslogIdentifier=a"];
    let lines = decision.settings.iter().flat_map(|setting| &setting.lines).map(String::as_str);
    lines.filter(|line| !ALWAYS.contains(line) && *line != "Restart=on-watchdog").collect()
}

/// The directives that it names, except for that limit, which every `Type=simple` has.
fn names(decision: &Decision) -> Vec<&str> {
    let names = decision.named.iter().filter(|named| named.to_string() != PLAIN_LIMIT);
    names.map(|named| named.directive.as_str()).collect()
}

const PLAIN_LIMIT: &str = "TimeoutStartSec=90s (the default): now limits the time to the first healthy probe too; if the service may need \
     longer until it answers, raise it, or give --start-timeout";

fn options(decision: &Decision) -> String {
    decision.options.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// `[Service]`, what is set besides, which options are added, what is named.
type Case = (&'static str, &'static [&'static str], &'static str, &'static [&'static str]);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("", &[], "", &[]),
    ("Type=exec", &[], "", &[]),
    ("Type=idle", &[], "", &["Type"]),
    ("Type=notify", &[], "--child-ready require", &[]),
    ("Type=notify\nWatchdogSec=30", &[], "--child-ready require --child-pings require", &[]),
    ("Type=notify-reload", &[], "--child-ready require", &[]),
    ("Type=notify-reload\nReloadSignal=SIGUSR1", &[], "--child-ready require --reload-signal SIGUSR1", &[]),
    ("Type=notify\nReloadSignal=SIGUSR1", &[], "--child-ready require", &[]),
    ("Type=notify\nNotifyAccess=all", &[], "--child-ready require", &[]),
    ("Type=notify\nNotifyAccess=all\nExecStartPre=/bin/b", &[], "--child-ready require", &["NotifyAccess"]),
    // Whose pings they are nobody knows.
    ("NotifyAccess=all\nWatchdogSec=30", &[], "", &["NotifyAccess"]),
    ("Type=notify\nNotifyAccess=exec\nWatchdogSec=30", &[], "--child-ready require", &["NotifyAccess"]),
    ("Type=notify\nNotifyAccess=main\nWatchdogSec=30", &[], "--child-ready require --child-pings require", &[]),
    // B4
    ("Restart=on-success", &["Restart=always"], "", &["Restart"]),
    ("Restart=on-abort", &["Restart=on-abnormal"], "", &["Restart"]),
    ("Restart=on-failure", &[], "", &[]),
    ("RestartPreventExitStatus=SIGABRT 3", &[], "", &["RestartPreventExitStatus"]),
    ("RestartPreventExitStatus=SIGTERM 3", &[], "", &[]),
    ("WatchdogSignal=SIGQUIT\nRestartPreventExitStatus=SIGABRT", &[], "", &[]),
    ("WatchdogSignal=SIGQUIT\nRestartPreventExitStatus=SIGQUIT", &[], "", &["RestartPreventExitStatus"]),
    ("SendSIGKILL=no", &[], "", &["SendSIGKILL"]),
    ("TimeoutAbortSec=infinity", &[], "", &["TimeoutAbortSec"]),
    ("TimeoutAbortSec=30", &[], "", &[]),
    // B14
    ("PIDFile=a.pid", &["PIDFile=", "ExecStopPost=-+/bin/rm -f /run/a.pid"], "", &[]),
    ("PIDFile=/run/a b$%%c", &["PIDFile=", "ExecStopPost=-+/bin/rm -f \"/run/a b$$%%c\""], "", &[]),
    ("PIDFile=/run/%H.pid", &["PIDFile=", "ExecStopPost=-+/bin/rm -f /run/%H.pid"], "", &[]),
    ("PIDFile=%H.pid", &["PIDFile=", "ExecStopPost=-+/bin/rm -f %t/%H.pid"], "", &[]),
    ("PIDFile=a.pid\nRootDirectory=/srv/a", &["PIDFile=", "BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &["PIDFile"]),
    ("PIDFile=a.pid\nRootDirectory=/srv/a\nRootDirectoryStartOnly=yes",
     &["PIDFile=", "ExecStopPost=-+/bin/rm -f /run/a.pid", "BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    // B3, B5
    ("ExecStartPost=/bin/touch /run/unsealed", &[], "", &["ExecStartPost"]),
    ("Type=notify\nExecStartPost=/bin/b", &[], "--child-ready require", &["ExecStartPost"]),
    ("TimeoutStartSec=5", &[], "", &["TimeoutStartSec"]),
    ("TimeoutStartSec=infinity", &[], "", &[]),
    ("Type=notify\nTimeoutStartSec=5", &[], "--child-ready require", &[]),
    ("[Unit]\nJobTimeoutSec=5\nJobRunningTimeoutSec=4", &[], "", &["JobTimeoutSec", "JobRunningTimeoutSec"]),
    ("Sockets=b.socket", &[], "", &["Sockets"]),
    ("[Unit]\nRequires=dbus.socket\nAfter=b.socket a.socket", &[], "", &["Sockets"]),
    ("[Install]\nAlso=a.socket", &[], "", &["Sockets"]),
    ("[Unit]\nRequires=dbus.socket", &[], "", &[]),
    ("RemainAfterExit=yes", &[], "", &["RemainAfterExit"]),
    ("Environment=PATH=/opt/bin", &[], "", &[]),
    ("ExecStart=\nExecStart=a -b\nEnvironment=PATH=/opt/bin", &[], "", &["ExecStart"]),
    // B9, and kill in commands
    ("KillSignal=SIGTERM\nRestartKillSignal=SIGKILL", &[], "", &[]),
    ("KillSignal=SIGRTMAX-3", &[], "--stop-signal SIGRTMIN+27", &[]),
    ("KillSignal=SIGSTKFLT", &[], "--stop-signal SIGSTKFLT", &[]),
    ("KillSignal=33", &[], "--stop-signal 33", &[]),
    ("KillSignal=SIGQUIT\nKillSignal=", &[], "--stop-signal SIGQUIT", &[]),
    ("KillSignal=RTMIN+3\nRestartKillSignal=SIGINT", &[], "--stop-signal SIGRTMIN+3 --stop-signal SIGINT", &[]),
    ("KillSignal=SIGINT\nExecStop=/bin/kill -s INT ${MAINPID}", &[], "--stop-signal SIGINT", &[]),
    ("ExecStop=/bin/kill $MAINPID", &[], "", &[]),
    ("ExecStop=/bin/kill -WINCH $MAINPID", &[], "--stop-signal SIGWINCH", &[]),
    ("ExecStop=/bin/kill -s KILL $MAINPID", &[], "", &[]),
    ("ExecStop=/bin/kill -- -$MAINPID", &[], "", &["ExecStop"]),
    ("ExecStop=/bin/drain --pid $MAINPID", &[], "", &["ExecStop"]),
    ("ExecStop=/bin/sh -c 'kill -QUIT $$MAINPID && sleep 1'", &[], "--stop-signal SIGQUIT", &[]),
    ("ExecStop=/bin/sh -c 'kill -INT $MAINPID; tail --pid=$MAINPID -f /dev/null'", &[], "--stop-signal SIGINT", &["ExecStop"]),
    ("ExecReload=/bin/kill -HUP $MAINPID", &[], "", &[]),
    ("ExecReload=/bin/a -t\nExecReload=/bin/kill -USR2 $MAINPID", &[], "--reload-signal SIGUSR2", &[]),
    ("ExecReload=/bin/kill --signal USR1 $MAINPID", &[], "--reload-signal SIGUSR1", &[]),
    ("ExecReload=/usr/bin/kill -n 10 $MAINPID", &[], "--reload-signal SIGUSR1", &[]),
    ("ExecReload=/bin/kill -sUSR1 $MAINPID", &[], "--reload-signal SIGUSR1", &[]),
    ("ExecReload=/bin/kill -USR1 $MAINPID ; /bin/kill -HUP $MAINPID", &[], "", &["ExecReload"]),
    ("ExecReload=/bin/kill -HUP $MAINPID\nExecReload=/bin/kill -USR2 $MAINPID", &[], "", &["ExecReload"]),
    ("ExecReload=/bin/kill -HUP $MAINPID ; /bin/kill -HUP $MAINPID", &[], "", &[]),
    ("ExecReload=/bin/kill -USR1 $MAINPID\nKillSignal=USR1", &[], "--stop-signal SIGUSR1", &["ExecReload"]),
    ("ExecReload=/bin/kill -HUP $MAINPID\nKillSignal=SIGHUP", &[], "--stop-signal SIGHUP", &["ExecReload"]),
    ("Type=notify-reload\nKillSignal=SIGHUP", &[], "--child-ready require --stop-signal SIGHUP", &["ReloadSignal"]),
    ("ExecReload=kill -HUP $MAINPID ; kill -USR2 $MAINPID\nKillSignal=HUP", &[], "--stop-signal SIGHUP --reload-signal SIGUSR2", &["ExecReload"]),
    ("ExecReload=kill -USR1 $MAINPID\nExecStop=/bin/sh -c 'kill -USR1 $MAINPID; sleep 1; kill -TERM $MAINPID'", &[], "--reload-signal SIGUSR1", &[]),
    ("ExecReload=kill -HUP $MAINPID ; kill -USR2 $MAINPID\nExecStop=kill -USR2 $MAINPID", &[], "", &["ExecReload"]),
    ("ExecReload=/bin/reload\nExecReloadPost=kill -USR1 $MAINPID\nExecStop=kill -USR1 $MAINPID", &[], "", &[]),
    ("Type=notify-reload\nExecStop=kill -HUP $MAINPID", &[], "--child-ready require", &[]),
    ("Type=notify-reload\nExecStop=kill -QUIT $MAINPID", &[], "--child-ready require --stop-signal SIGQUIT", &[]),
    ("ExecStop=kill -HUP $MAINPID", &[], "--stop-signal SIGHUP", &[]),
    ("ExecReload=/bin/kill -0 $MAINPID", &[], "", &[]),
    ("ExecStop=/bin/sh -c 'kill -INT $MAINPID; while kill -s 0 $MAINPID; do sleep 1; done'", &[], "--stop-signal SIGINT", &[]),
    ("ExecStop=/bin/sh -ec 'kill -INT $MAINPID'", &[], "--stop-signal SIGINT", &[]),
    ("ExecStop=/bin/bash -eu -o pipefail -lc 'kill -INT $MAINPID'", &[], "--stop-signal SIGINT", &[]),
    ("ExecStop=/bin/bash -euo pipefail -c 'kill -INT $MAINPID'", &[], "--stop-signal SIGINT", &[]),
    ("ExecStop=/usr/bin/env -i A=b bash -c 'kill -INT $MAINPID'", &[], "--stop-signal SIGINT", &[]),
    ("ExecStop=/usr/bin/env kill -INT $MAINPID", &[], "--stop-signal SIGINT", &[]),
    ("ExecStop=/bin/bash /usr/bin/stop -c 'kill -INT $MAINPID'", &[], "", &["ExecStop"]),
    ("ExecReload=/bin/kill -USR1 $MAINPID\nExecReload=/bin/kill -USR2 $MAINPID", &[], "--reload-signal SIGUSR2", &["ExecReload"]),
    ("KillSignal=SIGNONSENSE\nKillSignal=SIGINT", &[], "--stop-signal SIGINT", &[]),
    ("ReloadSignal=SIGNONSENSE", &[], "", &[]),
    ("ExecReload=/bin/reload", &[], "", &[]),
    // B15
    ("CapabilityBoundingSet=CAP_SETUID CAP_SETGID", &[], "", &[]),
    ("CapabilityBoundingSet=CAP_SETUID\nKillMode=mixed", &["CapabilityBoundingSet=CAP_KILL"], "", &["CapabilityBoundingSet"]),
    ("CapabilityBoundingSet=CAP_SETUID\nExecReload=kill -HUP $MAINPID", &["CapabilityBoundingSet=CAP_KILL"], "", &["CapabilityBoundingSet"]),
    ("CapabilityBoundingSet=~CAP_KILL\nKillMode=process", &["CapabilityBoundingSet=CAP_KILL"], "", &["CapabilityBoundingSet"]),
    ("CapabilityBoundingSet=CAP_CHOWN\nKillMode=process", &[], "", &[]),
    ("CapabilityBoundingSet=CAP_SETUID\nKillMode=process\nUser=a", &[], "", &[]),
    ("AmbientCapabilities=CAP_SETUID\nKillMode=process\nUser=a", &[], "", &["AmbientCapabilities"]),
    ("AmbientCapabilities=CAP_SETUID CAP_KILL\nKillMode=process\nUser=a", &[], "", &[]),
    ("ExecStart=\nExecStart=!/bin/a\nCapabilityBoundingSet=CAP_SETUID\nKillMode=process\nUser=a", &["CapabilityBoundingSet=CAP_KILL"], "", &["CapabilityBoundingSet"]),
    ("ExecStart=\nExecStart=+/bin/a\nCapabilityBoundingSet=CAP_SETUID\nKillMode=process\nUser=a", &[], "", &[]),
    ("ExecStart=\nExecStart=+/bin/a\nAmbientCapabilities=CAP_SETUID\nKillMode=process\nUser=a", &[], "", &[]),
    ("CapabilityBoundingSet=CAP_SETUID\nKillMode=process\nUser=%H", &[], "", &[]),
    // B17
    ("SyslogIdentifier=b", &[], "", &[]),
    ("RestrictAddressFamilies=AF_UNIX", &["RestrictAddressFamilies=AF_NETLINK AF_INET AF_INET6"], "", &["RestrictAddressFamilies"]),
    ("RestrictAddressFamilies=none", &["RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6"], "", &["RestrictAddressFamilies"]),
    ("RestrictAddressFamilies=~AF_PACKET AF_NETLINK", &["RestrictAddressFamilies=AF_NETLINK"], "", &["RestrictAddressFamilies"]),
    ("RestrictAddressFamilies=~AF_PACKET", &[], "", &[]),
    ("RootDirectory=/srv/a", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("RootDirectory=/srv/%H", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("RootImage=/srv/%H", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("RootMStack=/srv/a.mstack", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("RootMStack=/srv/a.mstack\nMountAPIVFS=no", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &["MountAPIVFS"]),
    ("RootDirectory=/", &[], "", &[]),
    ("ExecStart=\nExecStart=+/bin/a\nTemporaryFileSystem=/usr/bin\nInaccessiblePaths=/usr/bin\nNoExecPaths=/", &[], "", &[]),
    ("TemporaryFileSystem=/usr/bin:ro", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("TemporaryFileSystem=/var:ro", &[], "", &[]),
    ("BindPaths=/srv/bin:/usr/bin", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("BindPaths=/usr/bin", &[], "", &[]),
    ("BindPaths=\"/srv/a b:/usr/bin\" /c", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("BindReadOnlyPaths=-/srv/bin:/usr:norbind", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("MountImages=/srv/a.raw:/usr:root:ro", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("MountImages=/srv/a.raw:/srv/b", &[], "", &[]),
    ("MountAPIVFS=no", &[], "", &[]),
    ("MountAPIVFS=no\nRootDirectory=/srv/a", &["BindReadOnlyPaths=/usr/bin/sd-watchdog"], "", &["MountAPIVFS"]),
    ("DefaultMemoryLow=1M\nDefaultMemoryMin=1M\nDefaultStartupMemoryLow=1M\nNetClass=1", &[], "", &[]),
    ("NoExecPaths=/\nExecPaths=/usr/bin/a /usr/lib", &["ExecPaths=/usr/bin/sd-watchdog"], "", &[]),
    ("NoExecPaths=/\nExecPaths=/usr", &[], "", &[]),
    ("InaccessiblePaths=/srv -/home", &[], "", &[]),
    ("ProtectHome=yes\nPrivateTmp=yes", &[], "", &[]),
    // The sandbox, as it holds for us.
    ("SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources", &[], "", &[]),
    ("SystemCallFilter=~@clock @module", &[], "", &[]),
    ("SystemCallFilter=@basic-io @file-system", &[], "", &["SystemCallFilter"]),
    ("SystemCallFilter=~@ipc:EPERM", &[], "", &["SystemCallFilter"]),
    ("SystemCallFilter=~@timer", &[], "", &["SystemCallFilter"]),
    ("SystemCallFilter=~timerfd_settime", &[], "", &["SystemCallFilter"]),
    ("SystemCallFilter=~ptrace kill:EPERM", &[], "", &["SystemCallFilter"]),
    ("SystemCallFilter=@system-service\nSystemCallFilter=~execve", &[], "", &["SystemCallFilter"]),
    ("SystemCallFilter=~ptrace mount", &[], "", &[]),
    ("IPAddressDeny=any", &[], "", &["IPAddressDeny"]),
    ("IPAddressDeny=any\nIPAddressAllow=localhost 10.0.0.0/8", &[], "", &[]),
    ("RestrictNetworkInterfaces=eth0", &[], "", &["RestrictNetworkInterfaces"]),
    ("RestrictNetworkInterfaces=eth0 lo", &[], "", &[]),
    ("RestrictNetworkInterfaces=~lo", &[], "", &["RestrictNetworkInterfaces"]),
    ("RestrictNetworkInterfaces=~eth0", &[], "", &[]),
    ("BindNetworkInterface=vrf-a", &[], "", &["BindNetworkInterface"]),
    ("AppArmorProfile=a", &[], "", &["AppArmorProfile"]),
    ("SELinuxContext=a", &[], "", &["SELinuxContext"]),
    ("RestrictFileSystems=ext4", &[], "", &["RestrictFileSystems"]),
    ("PrivatePIDs=yes", &[], "", &["PrivatePIDs"]),
    ("StandardInput=tty-force", &[], "", &["StandardInput"]),
    ("StandardInput=socket", &[], "", &["StandardInput"]),
    ("StandardInput=null", &[], "", &[]),
    ("UtmpIdentifier=a", &[], "", &["UtmpIdentifier"]),
    ("LogLevelMax=warning", &[], "", &["LogLevelMax"]),
    ("LogLevelMax=info", &[], "", &[]),
    ("LimitCPU=60", &[], "", &["LimitCPU"]),
    ("TasksMax=4", &[], "", &["TasksMax"]),
    ("LimitNPROC=1", &[], "", &[]),
    ("LimitNPROC=1\nUser=a", &[], "", &["LimitNPROC"]),
    ("LimitNPROC=4:64\nDynamicUser=yes", &[], "", &["LimitNPROC"]),
    ("LimitNPROC=infinity\nUser=a", &[], "", &[]),
    ("LimitNPROC=16\nUser=a", &[], "", &[]),
    ("LimitNOFILE=11", &[], "", &["LimitNOFILE"]),
    ("LimitNOFILE=24:11", &[], "", &[]),
    ("LimitAS=16M\nLimitDATA=4M", &[], "", &["LimitAS"]),
    ("LimitAS=1G", &[], "", &[]),
    ("MemoryMax=8M\nMemoryHigh=1G", &[], "", &["MemoryMax"]),
    ("CPUSchedulingPolicy=fifo", &[], "", &[]),
    ("CPUSchedulingResetOnFork=yes", &[], "", &[]),
    ("KillMode=process", &[], "", &[]),
    ("BusName=a.b\nType=notify", &[], "--child-ready require", &[]),
    // What nobody knows here.
    ("Frobnicate=yes", &[], "", &["Frobnicate"]),
    ("[Unit]\nKillMode=none", &[], "", &["KillMode"]),
    ("After=b", &[], "", &["After"]),
    ("X-Ours=yes\n[X-Theirs]\nA=b", &[], "", &[]),
    // It is there already.
    ("ExecStart=\nExecStart=/bin/sd-watchdog --http x -- /bin/a\nType=notify\nWatchdogSec=5\nExecStartPost=/bin/b", &[], "", &["ExecStart"]),
    ("ExecStart=\nExecStart=/bin/sd-watchdog --http -- /bin/a\nType=notify\nWatchdogSec=5\nExecStartPost=/bin/b", &[], "", &[]),
];

#[test]
fn each_directive_is_kept_translated_or_named() {
    for (service, lines, added, named) in CASES {
        let decision = decided(service);
        assert_eq!(set(&decision), *lines, "{service}");
        assert_eq!(options(&decision), *added, "{service}");
        assert_eq!(names(&decision), *named, "{service}: {:?}", decision.named);
    }
}

/// Of a directive, whichever section it is in.
fn row_of(name: &str) -> Option<&'static Row> {
    ["Service", "Unit", "Install"].iter().find_map(|section| find(section, name))
}

/// The lines that stand in every drop-in.
fn drop_in(decision: &Decision) -> String {
    let lines =
        decision.settings.iter().flat_map(|setting| &setting.lines).cloned().collect::<Vec<_>>().join("\n");
    let Decision { kind, .. } = decision;
    format!("[Service]\nType={kind}\nNotifyAccess=main\nWatchdogSec=5\nExecStart=\nExecStart=/x\n{lines}\n")
}

#[test]
fn nothing_is_done_that_the_table_does_not_say() {
    let has = |name: &str, fate: Fate| {
        row_of(name).is_some_and(|row| row.fates.iter().any(|(other, _)| *other == fate))
    };
    for (service, ..) in CASES {
        let before = unit(&format!("ExecStart=/bin/a\n{service}"));
        let decision = decided(service);
        let after = before.with(Path::new("/drop-in"), &drop_in(&decision));
        for changed in &difference(&before, &after).changed {
            assert!(has(&changed.name, Fate::Translated), "{service}: {changed:?}");
        }
        for named in &decision.named {
            let is_unknown = named.consequence.starts_with("sd-watchdog knows no such directive");
            assert!(is_unknown || has(&named.directive, Fate::Named), "{service}: {named}");
        }
    }
    for (service, name, _) in REFUSED {
        assert!(has(name, Fate::Refused), "{service}");
    }
}

/// `[Service]`, the directive, the reason.
const REFUSED: &[(&str, &str, &str)] = &[
    ("Type=forking", "Type", "is Type=forking: "),
    // An empty word is none: it is forking still.
    ("Type=forking\nType=", "Type", "is Type=forking: "),
    ("Type=dbus\nBusName=a.b", "Type", "is Type=dbus: "),
    ("BusName=a.b", "Type", "is Type=dbus: "),
    ("Type=oneshot", "Type", "is Type=oneshot: "),
    ("ExecStart=\nExecStart=/bin/sd-watchdog guard b --http x", "ExecStart", "runs sd-watchdog itself, "),
    (
        "ExecStart=\nExecStart=sd-watchdog guard b --exec 'x --' -- y",
        "ExecStart",
        "runs sd-watchdog itself, ",
    ),
    ("ExecStart=/bin/b", "ExecStart", "has 2 commands in ExecStart=: "),
    (
        "Delegate=yes",
        "Delegate",
        "has Delegate=yes (/a.service:3): sd-watchdog would sit in the control group",
    ),
    ("Delegate=cpu memory", "Delegate", "has Delegate=cpu memory (/a.service:3): "),
    (
        "Delegate=yes\nKillMode=none",
        "KillMode",
        "has Delegate=yes (/a.service:3): sd-watchdog would sit in the control group that the service is to manage, which could \
         enable no controller in it (EBUSY); and KillMode=none (/a.service:4): what hangs is not ended, and another one would \
         be started beside it; use: sd-watchdog guard a.service",
    ),
    ("ExitType=cgroup", "ExitType", "has ExitType=cgroup (/a.service:3): "),
    ("KillMode=none", "KillMode", "has KillMode=none (/a.service:3): "),
    (
        "CPUSchedulingPolicy=rr\nCPUSchedulingResetOnFork=true",
        "CPUSchedulingResetOnFork",
        "has CPUSchedulingResetOnFork=true (/a.service:4): ",
    ),
    (
        "InaccessiblePaths=-/usr/bin",
        "InaccessiblePaths",
        "has InaccessiblePaths= (/a.service:3), which hides /usr/bin/sd-watchdog",
    ),
    (
        "ExecStart=\nExecStart=+/bin/a\nRootDirectory=/srv/a",
        "RootDirectory",
        "has RootDirectory= (/a.service:5), which hides /usr/bin/sd-watchdog from it, so that it could not be started; use: ",
    ),
    ("KillSignal=SIGNONSENSE", "KillSignal", "has KillSignal=SIGNONSENSE (/a.service:3), which is no signal"),
    (
        "KillSignal=SIGINT\nKillSignal=SIG\\\n NONSENSE",
        "KillSignal",
        "has KillSignal=SIG  NONSENSE (/a.service:5), which is no signal",
    ),
    (
        "Type=notify-reload\nReloadSignal=HOP",
        "ReloadSignal",
        "has ReloadSignal=HOP (/a.service:4), which is no signal: systemd passes over it, and has the service reload by",
    ),
    (
        "RestartKillSignal=65",
        "RestartKillSignal",
        "has RestartKillSignal=65 (/a.service:3), which is no signal",
    ),
];

#[test]
fn what_cannot_be_wrapped_is_refused_with_the_reason() {
    for (service, _, expected) in REFUSED {
        let service = format!("ExecStart=/bin/a\n{service}");
        let error = decided_of(&service, PROGRAM, &[], None).expect_err(&service).to_string();
        assert!(error.starts_with(&format!("a.service {expected}")), "{service}: {error}");
    }
    for service in ["ExecStop=/bin/a", "Type=notify"] {
        let error = decided_of(service, PROGRAM, &[], None).expect_err(service).to_string();
        assert!(error.starts_with("a.service has no ExecStart=: "), "{service}: {error}");
    }
}

#[test]
fn with_command_given_what_is_about_execstart_and_type_is_no_reason_and_the_rest_is_named() {
    for (service, expected) in [
        ("Type=forking\nPIDFile=/run/a.pid", &[][..]),
        ("Type=oneshot", &["TimeoutStartSec"]),
        ("Type=oneshot\nTimeoutStartSec=infinity", &[]),
        ("ExecStart=/bin/b", &[]),
        ("BusName=a.b", &["Type"]),
        ("Delegate=yes", &["Delegate"]),
        ("ExitType=cgroup", &["ExitType"]),
        ("KillMode=none", &["KillMode"]),
        ("Delegate=yes\nKillMode=none", &["Delegate", "KillMode"]),
        ("KillSignal=SIGNONSENSE", &["KillSignal"]),
    ] {
        let service = format!("ExecStart=/bin/a\n{service}");
        let decision = decided_of(&service, PROGRAM, &[], Some("/bin/c")).expect("it is no reason");
        assert_eq!(names(&decision), expected, "{service}");
        assert_eq!(options(&decision), "", "{service}");
    }
}

#[test]
fn with_command_given_what_hides_sd_watchdog_is_a_reason_all_the_same() {
    let service = "ExecStart=/bin/a\nInaccessiblePaths=/usr";
    let error = decided_of(service, PROGRAM, &[], Some("/bin/c")).expect_err("it could not be started");
    assert!(error.to_string().contains("hides /usr/bin/sd-watchdog"), "{error}");
}

#[test]
fn the_guard_that_is_named_is_this_units() {
    for (name, scope, expected) in [
        ("a", Scope::System, "guard a.service"),
        ("a@b", Scope::User, "guard --user a@b.service"),
        ("a@", Scope::System, "guard a@INSTANCE.service"),
    ] {
        let name = UnitName::new(name).expect("a name");
        let text = &b"[Service]\nExecStart=/bin/a\nKillMode=none"[..];
        let mut unit = Unit::of_texts(&name, [("/x", text)]);
        unit.scope = scope;
        let wrapper = WrapperArgs::default();
        let subject = |command| Subject {
            unit: Some(&unit),
            command,
            identifier: "a",
            program: Path::new(PROGRAM),
            options: &[],
            wrapper: &wrapper,
            has_selinux: false,
        };
        let refused = decide(&subject(None)).expect_err("it is refused").to_string();
        assert!(refused.ends_with(&format!("; use: sd-watchdog {expected}")), "{refused}");
        let named = decide(&subject(Some(&["/bin/a".into()]))).expect("it is named").named[0].to_string();
        assert!(named.ends_with(&format!("; use instead: sd-watchdog {expected}")), "{named}");
    }
}

#[test]
fn where_selinux_is_in_use_the_domain_is_named_whether_it_is_set_or_not() {
    for (service, expected) in [
        ("", "SELinuxContext= (not set, where SELinux is in use): the domain follows "),
        ("SELinuxContext=a", "SELinuxContext=a (/a.service:3): is sd-watchdog's now;"),
    ] {
        let unit = unit(&format!("ExecStart=/bin/a\n{service}"));
        let wrapper = WrapperArgs::default();
        let subject = |has_selinux| Subject {
            unit: Some(&unit),
            command: None,
            identifier: "a",
            program: Path::new(PROGRAM),
            options: &[],
            wrapper: &wrapper,
            has_selinux,
        };
        let named = |has_selinux| decide(&subject(has_selinux)).expect("it can be wrapped").named;
        let of_selinux: Vec<String> = named(true)
            .iter()
            .map(ToString::to_string)
            .filter(|named| named.starts_with("SELinux"))
            .collect();
        assert!(matches!(&of_selinux[..], [one] if one.starts_with(expected)), "{of_selinux:?}");
        assert_eq!(named(false).len() + usize::from(service.is_empty()), named(true).len());
    }
}

#[test]
fn a_program_in_a_home_directory_or_in_tmp_is_seen_where_it_can_be_and_refused_where_not() {
    for (program, service, expected) in [
        ("/home/a/sd-watchdog", "ProtectHome=tmpfs", Some("BindReadOnlyPaths=/home/a/sd-watchdog")),
        ("/home/a/sd-watchdog", "ProtectHome=read-only", Some("")),
        ("/home/a/sd-watchdog", "ProtectHome=yes", None),
        ("/tmp/sd-watchdog", "PrivateTmp=yes", Some("BindReadOnlyPaths=/tmp/sd-watchdog")),
        ("/tmp/sd-watchdog", "PrivateTmp=no", Some("")),
        ("/tmp/sd-watchdog", "DynamicUser=yes", Some("BindReadOnlyPaths=/tmp/sd-watchdog")),
    ] {
        let decision = decided_of(&format!("ExecStart=/bin/a\n{service}"), program, &[], None);
        let found = decision.as_ref().ok().map(|decision| set(decision).join(" "));
        assert_eq!(found.as_deref(), expected, "{program}, {service}: {decision:?}");
    }
}

#[test]
fn what_holds_for_the_command_of_a_probe_is_named_once() {
    let exec = &["--exec", "pg_isready -q"][..];
    for (service, options, expected) in [
        (
            "IPAddressDeny=any",
            exec,
            "IPAddressDeny=any (/a.service:3): holds for the command of --exec too, which runs within the unit; ",
        ),
        (
            "RestrictAddressFamilies=AF_UNIX AF_NETLINK\nNoExecPaths=/\nRootDirectory=/srv/a",
            exec,
            "RestrictAddressFamilies=AF_UNIX AF_NETLINK (/a.service:3): holds for the command of --exec too, which runs within the unit, \
             as does NoExecPaths=, as does RootDirectory=; ",
        ),
        ("InaccessiblePaths=/srv", &["--unix", "/run/x"], ""),
        ("ProtectHome=yes", exec, ""),
    ] {
        let decision = decided_of(&format!("ExecStart=/bin/a\n{service}"), PROGRAM, options, None);
        let named: Vec<String> =
            decision.expect("it can be wrapped").named.iter().map(ToString::to_string).collect();
        let of_command: Vec<&String> = named.iter().filter(|named| named.contains("--exec")).collect();
        match of_command[..] {
            [] => assert_eq!(expected, "", "{service}: {named:#?}"),
            [one] => assert!(!expected.is_empty() && one.starts_with(expected), "{service}: {one}"),
            _ => panic!("{named:#?}"),
        }
    }
}

#[test]
fn what_was_typed_is_not_said_again() {
    let typed = |service: &str, options: &[&str]| {
        let decision = decided_of(&format!("ExecStart=/bin/a\n{service}"), PROGRAM, options, None);
        decision.expect("it can be wrapped")
    };
    assert_eq!(options(&typed("Type=notify", &["--child-ready", "ignore"])), "");
    assert_eq!(options(&typed("WatchdogSec=3", &["--child-pings", "ignore"])), "");
    let all = "NotifyAccess=all\nWatchdogSec=3";
    assert_eq!(names(&typed(all, &["--child-pings", "ignore"])), [""; 0]);
    let required = typed(all, &["--child-pings", "require"]);
    let is_said = |named: &Named| named.consequence.contains("the service is ended as if it hung");
    assert!(required.named.iter().any(is_said), "{required:?}");
    assert_eq!(options(&typed("ExecReload=kill -USR1 $MAINPID", &["--reload-signal", "none"])), "");
    assert!(typed("TimeoutStartSec=5", &["--start-timeout", "1min"]).named.is_empty());
    // Where they go is what counts.
    for (service, options, is_named) in [
        ("IPAddressDeny=any\nIPAddressAllow=localhost", &["--http", "http://localhost/"][..], false),
        (
            "IPAddressDeny=any\nIPAddressAllow=localhost",
            &["--http", "http://localhost/", "--tcp", "10.0.0.5:1"],
            true,
        ),
        ("IPAddressDeny=any\nIPAddressAllow=127.0.0.1", &["--tcp", "localhost:1"], false),
        ("IPAddressDeny=10.0.0.0/8", &["--tcp", "[::1]:1"], false),
        ("IPAddressDeny=10.0.0.0/8", &["--grpc", "10.1.1.1:1/a"], true),
        ("IPAddressDeny=any\nIPAddressAllow=localhost", &["--http", "http://a.example/"], true),
        ("IPAddressDeny=any\nIPAddressAllow=any", &["--http", "http://a.example/"], false),
        ("IPAddressAllow=localhost", &["--http", "http://a.example/"], false),
        ("IPAddressDeny=any\nIPAddressDeny=", &["--http", "http://a.example/"], false),
    ] {
        let named = names(&typed(service, options)) == ["IPAddressDeny"];
        assert_eq!(named, is_named, "{service} {options:?}");
    }
    // Without a probe over IP nothing of it is held up.
    assert_eq!(names(&typed("IPAddressDeny=any", &["--unix"])), [""; 0]);
    assert_eq!(names(&typed("PrivateNetwork=yes", &["--http", "--metrics"])), ["PrivateNetwork"]);
}

#[test]
fn what_is_named_says_where_what_and_what_to_do() {
    let long = format!("ExecStartPost=/bin/b {}", "c".repeat(80));
    assert_eq!(
        decided(&long).named[0].to_string(),
        format!(
            "ExecStartPost=/bin/b {}… (/a.service:3): runs after the first healthy probe; health that waits for it never comes, \
             and the start times out; if so, move it to ExecStartPre=",
            "c".repeat(53)
        )
    );
    assert_eq!(decided("").named[0].to_string(), PLAIN_LIMIT);
}

#[test]
fn options_of_an_sd_watchdog_that_is_there_are_named_unless_they_are_given_anew() {
    let named = |options: &[&str]| {
        let service = "ExecStart=/bin/sd-watchdog --http=x/y --metrics 'a b' -- /bin/a\nType=notify";
        decided_of(service, PROGRAM, options, None).expect("it can be wrapped").named
    };
    assert_eq!(named(&["--metrics", "a b", "--http", "x/y", "--timeout", "1s"]), []);
    let lost = named(&["--http", "x/y"]);
    assert!(
        lost[0].to_string().ends_with(
            "in place of which those count that are given here: --http=x/y --metrics 'a b'; give again what is to stay"
        ),
        "{lost:?}"
    );
}

#[test]
fn every_directive_that_is_read_has_a_fate_and_stands_in_the_table_once() {
    let all: Vec<&str> = TABLE.iter().flat_map(|row| row.names).copied().collect();
    for (index, name) in all.iter().enumerate() {
        assert!(!all[index + 1..].contains(name), "{name} stands there twice");
    }
    for row in read::TABLE {
        assert!(find(row.section, row.name).is_some(), "[{}] {} has no fate", row.section, row.name);
    }
}

/// The directives of the manual pages that are installed here.
fn of_manual_pages() -> Option<Vec<String>> {
    let mut names = Vec::new();
    for page in ["service", "exec", "kill", "resource-control", "unit"] {
        let path = Command::new("man").args(["-w", "5", &format!("systemd.{page}")]).output().ok()?;
        let path = String::from_utf8(path.stdout).ok()?;
        let text = Command::new("zcat")
            .args(["-f", path.trim()])
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let text = String::from_utf8_lossy(&text.stdout).replace("\\-", "-");
        // `.PP`, the names, `.RS 4`
        for block in text.split("\n.PP\n").filter(|block| block.contains("\n.RS 4")) {
            let head = block.split("\n.RS 4").next().unwrap_or_default();
            let is_heading = head.lines().all(|line| line.starts_with("\\fI") || line.starts_with(".br"));
            let words = head.split("\\fI").skip(1).filter_map(|word| word.split_once("=\\fR"));
            if is_heading {
                names.extend(
                    words
                        .map(|(name, _)| name.to_owned())
                        .filter(|name| name.starts_with(char::is_uppercase)),
                );
            }
        }
    }
    (names.len() > 100).then_some(names)
}

#[test]
fn every_directive_of_the_manual_pages_has_a_fate() {
    let Some(names) = of_manual_pages() else {
        eprintln!("skipped: the manual pages of systemd are not installed here");
        return;
    };
    let missing: Vec<&String> =
        names.iter().filter(|name| row_of(read::canonical("Service", name).1).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The table as README.md has it.
fn rendered() -> String {
    let said = |row: &Row| {
        let fates = row.fates.iter().map(|(fate, text)| match fate {
            Fate::Translated => format!("**translated**: {text}"),
            Fate::Named => format!("**named**: {text}"),
            Fate::Refused => format!("**refused**: {text}"),
            Fate::Kept => format!("kept: {text}"),
        });
        fates.collect::<Vec<_>>().join("<br>")
    };
    let mut text = String::from("| directive | what becomes of it |\n|---|---|\n");
    for row in TABLE {
        let names: Vec<String> = row.names.iter().map(|name| format!("`{name}=`")).collect();
        let shown = row.shown.map_or_else(|| names.join(", "), ToOwned::to_owned);
        let _ = writeln!(text, "| {shown} | {} |", said(row));
    }
    text
}

#[test]
fn readme_shows_the_table() {
    let readme = include_str!("../../../../README.md");
    let rendered = rendered();
    assert!(readme.contains(&rendered), "watchdog/README.md is to have:\n{rendered}");
}
