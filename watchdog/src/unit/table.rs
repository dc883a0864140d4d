//! The directives that are understood: what each can be, and as which property the manager has it
//! (src/core/load-fragment-gperf.gperf.in, src/core/dbus-*.c of systemd). Others are lines of text, and the files' alone.
//!
//! Some that are understood are the files' alone, since what the manager says of them is something else:
//!
//! | directive | its property |
//! |---|---|
//! | `SystemCallFilter=` | has system calls, not the groups (`@system-service`) that are written, and which those are its build says |
//! | `RestrictNamespaces=` | is a mask of flags |
//! | `StandardInput=`, `StandardOutput=`, `StandardError=` | have no path: `file` |
//! | `WorkingDirectory=` | has another sign for `-` |
//! | `TasksMax=` | is a number where a share is written |
//! | `PrivateTmp=`, `PrivateUsers=`, `ProtectHostname=`, `ProtectControlGroups=` | are flags, until a later version has words in another one |
//! | `WatchdogSec=` | is what the service said last (WATCHDOG_USEC=), not what its next start has |
//! | dependencies | has those too that systemd adds by itself |

/// What a directive can be, and what an empty or an invalid value does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line; an empty one takes back what was set.
    Text,
    /// An absolute path; an empty one takes back what was set, another does not count.
    Path,
    /// The same, and an invalid one is fatal.
    FatalPath,
    /// The same, below /run (`%t`) where it is relative.
    PidFile,
    /// The same, or `~`; with `-` in front an invalid one does not count.
    WorkingDirectory,
    /// A user or a group: an invalid one is fatal.
    Account,
    /// Several.
    Accounts,
    /// A name on the bus: an empty one does not count.
    BusName,
    /// One of these words: another, and an empty value, does not count.
    Word(&'static [&'static str]),
    /// The same, but an empty value is the first of them.
    WordOrFirst(&'static [&'static str]),
    /// A flag, or one of these words: another, and an empty value, does not count.
    FlagOr(&'static [&'static str]),
    /// An empty value does not count, nor what is none.
    Flag,
    /// What is none is fatal.
    FatalFlag,
    /// As with a flag, for a time.
    Time,
    /// A time of 0 is infinity.
    TimeOrNone,
    /// A time that an empty value takes back.
    OptionalTime,
    /// An empty value does not count, nor what is no signal.
    Signal,
    /// An empty value does not count, nor what is no number.
    Number,
    /// In bytes; an empty value takes back what was set.
    Size,
    /// Controllers, or a flag.
    Delegate,
    /// Exit codes and signals; an empty value takes all back.
    Statuses,
    /// Command lines; an empty value takes all back.
    Commands,
    /// `A=1 "B=2 3"`: the last of each name counts; an empty value takes all back.
    Environment,
    /// Words, quoted and escaped; an empty value takes all back.
    Words,
    /// Absolute paths, as [`Words`](Self::Words), with `-` and `+` in front.
    Paths,
    /// A path a line, with `-` in front or not: `EnvironmentFile=`
    EnvironmentFiles,
    /// `SOURCE:DESTINATION:OPTION`
    Binds,
    /// `PATH:OPTIONS`
    Temporary,
    /// `NAME:LINK`, below a directory of systemd's.
    Directories,
    /// Names of capabilities, `~` for all but those.
    Capabilities(Bounding),
    /// Names of address families, `~` for all but those, `none`.
    Families,
    /// Words; nothing takes them back.
    Dependencies,
    /// Lines; an empty one takes all back.
    Lines,
}

impl Kind {
    /// An empty value takes back what was set.
    pub fn is_taken_back(self) -> bool {
        match self {
            Self::Text
            | Self::Path
            | Self::FatalPath
            | Self::PidFile
            | Self::WorkingDirectory
            | Self::Account
            | Self::Accounts
            | Self::OptionalTime
            | Self::Size
            | Self::Statuses
            | Self::Commands
            | Self::Environment
            | Self::Words
            | Self::Paths
            | Self::EnvironmentFiles
            | Self::Binds
            | Self::Temporary
            | Self::Directories
            | Self::Families
            | Self::Lines => true,
            Self::BusName
            | Self::Word(_)
            | Self::WordOrFirst(_)
            | Self::FlagOr(_)
            | Self::Flag
            | Self::FatalFlag
            | Self::Time
            | Self::TimeOrNone
            | Self::Signal
            | Self::Number
            | Self::Delegate
            | Self::Capabilities(_)
            | Self::Dependencies => false,
        }
    }
}

/// What a set of capabilities is if nobody says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounding {
    /// All: `CapabilityBoundingSet=`
    All,
    /// None: `AmbientCapabilities=`
    None,
}

/// A directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// `Service`
    pub section: &'static str,
    /// `KillMode`
    pub name: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// The manager's property, where it says the same.
    pub property: Option<&'static str>,
    /// What is in effect where no file and no manager says anything, as a unit has it.
    pub default: Option<&'static str>,
}

/// The directive of this name, where older names of it lead to it.
pub fn find(section: &str, name: &str) -> Option<&'static Row> {
    let (section, name) = canonical(section, name);
    TABLE.iter().find(|row| row.section == section && row.name == name)
}

/// The name under which a directive is kept that has several.
pub fn canonical<'n>(section: &'n str, name: &'n str) -> (&'n str, &'n str) {
    match (section, name) {
        ("Unit" | "Service", "StartLimitInterval") => ("Unit", "StartLimitIntervalSec"),
        ("Service", "StartLimitBurst" | "StartLimitAction" | "FailureAction" | "RebootArgument") => {
            ("Unit", name)
        }
        ("Unit", "BindTo") => ("Unit", "BindsTo"),
        ("Unit", "PropagateReloadTo") => ("Unit", "PropagatesReloadTo"),
        ("Unit", "PropagateReloadFrom") => ("Unit", "ReloadPropagatedFrom"),
        ("Service", "ReadWriteDirectories") => ("Service", "ReadWritePaths"),
        ("Service", "ReadOnlyDirectories") => ("Service", "ReadOnlyPaths"),
        ("Service", "InaccessibleDirectories") => ("Service", "InaccessiblePaths"),
        other => other,
    }
}

/// All that one assignment sets.
pub fn targets<'n>(section: &'n str, name: &'n str) -> Vec<(&'n str, &'n str)> {
    match (section, name) {
        ("Service", "TimeoutSec") => vec![("Service", "TimeoutStartSec"), ("Service", "TimeoutStopSec")],
        _ => vec![canonical(section, name)],
    }
}

/// With one of these, and no `Type=` nor `BusName=`, a service is of `Type=exec`, from systemd 257 on (systemd.service(5)).
pub const CREDENTIALS: [&str; 5] = [
    "LoadCredential",
    "LoadCredentialEncrypted",
    "SetCredential",
    "SetCredentialEncrypted",
    "ImportCredential",
];

/// What follows from these where it is not set itself: `service_add_extras` in systemd's src/core/service.c.
pub fn derived_from(name: &str) -> &'static [&'static str] {
    match name {
        "Type" => &[
            "BusName",
            "ExecStart",
            CREDENTIALS[0],
            CREDENTIALS[1],
            CREDENTIALS[2],
            CREDENTIALS[3],
            CREDENTIALS[4],
        ],
        "NotifyAccess" => &["Type", "WatchdogSec", "FileDescriptorStoreMax"],
        "TimeoutStartSec" => &["Type", "TimeoutSec"],
        "TimeoutStopSec" => &["TimeoutSec"],
        "TimeoutAbortSec" => &["TimeoutStopSec", "TimeoutSec"],
        "RestartKillSignal" => &["KillSignal"],
        "OOMPolicy" => &["Delegate"],
        _ => &[],
    }
}

const fn row(name: &'static str, kind: Kind, property: Option<&'static str>) -> Row {
    Row { section: "Service", name, kind, property, default: None }
}

/// With a property of the same name.
const fn same(name: &'static str, kind: Kind) -> Row {
    row(name, kind, Some(name))
}

/// With a property of the same name, and this default.
const fn with(name: &'static str, kind: Kind, default: &'static str) -> Row {
    Row { default: Some(default), ..same(name, kind) }
}

const fn unit(name: &'static str, kind: Kind, property: Option<&'static str>) -> Row {
    Row { section: "Unit", ..row(name, kind, property) }
}

const fn no(name: &'static str) -> Row {
    with(name, Kind::Flag, "no")
}

const fn yes(name: &'static str) -> Row {
    with(name, Kind::Flag, "yes")
}

const TYPES: Kind =
    Kind::Word(&["simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"]);
const RESTARTS: Kind =
    Kind::Word(&["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"]);
const FAILURE_MODES: Kind = Kind::Word(&["terminate", "abort", "kill"]);
const ACTIONS: Kind = Kind::Word(&[
    "none",
    "reboot",
    "reboot-force",
    "reboot-immediate",
    "poweroff",
    "poweroff-force",
    "poweroff-immediate",
    "exit",
    "exit-force",
    "soft-reboot",
    "soft-reboot-force",
    "kexec",
    "kexec-force",
    "halt",
    "halt-force",
    "halt-immediate",
]);

/// All of them, each once.
pub const TABLE: &[Row] = &[
    // systemd.service(5)
    same("Type", TYPES),
    with("ExitType", Kind::Word(&["main", "cgroup"]), "main"),
    with("Restart", RESTARTS, "no"),
    with("RestartMode", Kind::Word(&["normal", "direct", "debug"]), "normal"),
    same("PIDFile", Kind::PidFile),
    same("BusName", Kind::BusName),
    yes("GuessMainPID"),
    no("RemainAfterExit"),
    no("RootDirectoryStartOnly"),
    no("PermissionsStartOnly"),
    no("NonBlocking"),
    same("NotifyAccess", Kind::Word(&["none", "main", "exec", "all"])),
    row("Sockets", Kind::Dependencies, None),
    same("OOMPolicy", Kind::Word(&["continue", "stop", "kill"])),
    with("FileDescriptorStoreMax", Kind::Number, "0"),
    with("FileDescriptorStorePreserve", Kind::FlagOr(&["restart", "on-success"]), "restart"),
    row("ExecCondition", Kind::Commands, Some("ExecConditionEx")),
    row("ExecStartPre", Kind::Commands, Some("ExecStartPreEx")),
    row("ExecStart", Kind::Commands, Some("ExecStartEx")),
    row("ExecStartPost", Kind::Commands, Some("ExecStartPostEx")),
    row("ExecReload", Kind::Commands, Some("ExecReloadEx")),
    row("ExecReloadPost", Kind::Commands, Some("ExecReloadPostEx")),
    row("ExecStop", Kind::Commands, Some("ExecStopEx")),
    row("ExecStopPost", Kind::Commands, Some("ExecStopPostEx")),
    Row { default: Some("100ms"), ..row("RestartSec", Kind::Time, Some("RestartUSec")) },
    with("RestartSteps", Kind::Number, "0"),
    row("RestartMaxDelaySec", Kind::Time, Some("RestartMaxDelayUSec")),
    row("RestartRandomizedDelaySec", Kind::Time, Some("RestartRandomizedDelayUSec")),
    Row { default: Some("90s"), ..row("TimeoutStartSec", Kind::TimeOrNone, Some("TimeoutStartUSec")) },
    Row { default: Some("90s"), ..row("TimeoutStopSec", Kind::TimeOrNone, Some("TimeoutStopUSec")) },
    row("TimeoutAbortSec", Kind::OptionalTime, Some("TimeoutAbortUSec")),
    with("TimeoutStartFailureMode", FAILURE_MODES, "terminate"),
    with("TimeoutStopFailureMode", FAILURE_MODES, "terminate"),
    Row { default: Some("infinity"), ..row("RuntimeMaxSec", Kind::Time, Some("RuntimeMaxUSec")) },
    Row {
        default: Some("0s"),
        ..row("RuntimeRandomizedExtraSec", Kind::Time, Some("RuntimeRandomizedExtraUSec"))
    },
    Row { default: Some("0s"), ..row("WatchdogSec", Kind::Time, None) },
    same("RestartPreventExitStatus", Kind::Statuses),
    same("RestartForceExitStatus", Kind::Statuses),
    same("SuccessExitStatus", Kind::Statuses),
    with("ReloadSignal", Kind::Signal, "SIGHUP"),
    // systemd.kill(5)
    with("KillMode", Kind::WordOrFirst(&["control-group", "process", "mixed", "none"]), "control-group"),
    with("KillSignal", Kind::Signal, "SIGTERM"),
    same("RestartKillSignal", Kind::Signal),
    with("FinalKillSignal", Kind::Signal, "SIGKILL"),
    with("WatchdogSignal", Kind::Signal, "SIGABRT"),
    yes("SendSIGKILL"),
    no("SendSIGHUP"),
    // systemd.exec(5)
    same("User", Kind::Account),
    same("Group", Kind::Account),
    with("DynamicUser", Kind::FatalFlag, "no"),
    same("SupplementaryGroups", Kind::Accounts),
    same("PAMName", Kind::Text),
    row("WorkingDirectory", Kind::WorkingDirectory, None),
    same("RootDirectory", Kind::FatalPath),
    same("RootImage", Kind::FatalPath),
    same("RootMStack", Kind::FatalPath),
    yes("IgnoreSIGPIPE"),
    same("Environment", Kind::Environment),
    row("EnvironmentFile", Kind::EnvironmentFiles, Some("EnvironmentFiles")),
    same("PassEnvironment", Kind::Words),
    same("UnsetEnvironment", Kind::Words),
    row("StandardInput", Kind::Text, None),
    row("StandardOutput", Kind::Text, None),
    row("StandardError", Kind::Text, None),
    same("TTYPath", Kind::Path),
    same("SyslogIdentifier", Kind::Text),
    same("LogNamespace", Kind::Text),
    same("UtmpIdentifier", Kind::Text),
    no("NoNewPrivileges"),
    same("CapabilityBoundingSet", Kind::Capabilities(Bounding::All)),
    same("AmbientCapabilities", Kind::Capabilities(Bounding::None)),
    same("RestrictAddressFamilies", Kind::Families),
    row("SystemCallFilter", Kind::Lines, None),
    no("MemoryDenyWriteExecute"),
    no("RestrictRealtime"),
    no("RestrictSUIDSGID"),
    no("LockPersonality"),
    no("RemoveIPC"),
    row("RestrictNamespaces", Kind::Text, None),
    same("ReadWritePaths", Kind::Paths),
    same("ReadOnlyPaths", Kind::Paths),
    same("InaccessiblePaths", Kind::Paths),
    same("ExecPaths", Kind::Paths),
    same("NoExecPaths", Kind::Paths),
    row("ExecSearchPath", Kind::Lines, None),
    same("BindPaths", Kind::Binds),
    same("BindReadOnlyPaths", Kind::Binds),
    same("TemporaryFileSystem", Kind::Temporary),
    same("RuntimeDirectory", Kind::Directories),
    same("StateDirectory", Kind::Directories),
    same("CacheDirectory", Kind::Directories),
    same("LogsDirectory", Kind::Directories),
    same("ConfigurationDirectory", Kind::Directories),
    row("PrivateTmp", Kind::FlagOr(&["connected", "disconnected"]), None),
    row("PrivateUsers", Kind::FlagOr(&["self", "identity", "full", "managed"]), None),
    row("PrivatePIDs", Kind::FlagOr(&[]), None),
    row("ProtectControlGroups", Kind::FlagOr(&["private", "strict"]), None),
    no("PrivateDevices"),
    no("PrivateNetwork"),
    no("PrivateIPC"),
    no("ProtectClock"),
    no("ProtectKernelTunables"),
    no("ProtectKernelModules"),
    no("ProtectKernelLogs"),
    row("PrivateMounts", Kind::Flag, None),
    row("MountAPIVFS", Kind::Flag, None),
    same("NetworkNamespacePath", Kind::Path),
    same("IPCNamespacePath", Kind::Path),
    row("ProtectHostname", Kind::Text, None),
    with("ProtectSystem", Kind::FlagOr(&["full", "strict"]), "no"),
    with("ProtectHome", Kind::FlagOr(&["read-only", "tmpfs"]), "no"),
    with("ProtectProc", Kind::Word(&["default", "noaccess", "invisible", "ptraceable"]), "default"),
    with("ProcSubset", Kind::Word(&["all", "pid"]), "all"),
    row("LoadCredential", Kind::Lines, None),
    row("SetCredential", Kind::Lines, None),
    // systemd.resource-control(5)
    same("Slice", Kind::Text),
    same("Delegate", Kind::Delegate),
    same("MemoryMax", Kind::Size),
    same("MemoryHigh", Kind::Size),
    row("TasksMax", Kind::Size, None),
    row("IPAddressAllow", Kind::Lines, None),
    row("IPAddressDeny", Kind::Lines, None),
    row("DeviceAllow", Kind::Lines, None),
    with("DevicePolicy", Kind::Word(&["auto", "closed", "strict"]), "auto"),
    // systemd.unit(5)
    unit("Description", Kind::Text, None),
    unit("Documentation", Kind::Words, None),
    unit("Requires", Kind::Dependencies, None),
    unit("Requisite", Kind::Dependencies, None),
    unit("Wants", Kind::Dependencies, None),
    unit("BindsTo", Kind::Dependencies, None),
    unit("PartOf", Kind::Dependencies, None),
    unit("Upholds", Kind::Dependencies, None),
    unit("Conflicts", Kind::Dependencies, None),
    unit("Before", Kind::Dependencies, None),
    unit("After", Kind::Dependencies, None),
    unit("OnFailure", Kind::Dependencies, None),
    unit("OnSuccess", Kind::Dependencies, None),
    unit("PropagatesReloadTo", Kind::Dependencies, None),
    unit("ReloadPropagatedFrom", Kind::Dependencies, None),
    unit("JoinsNamespaceOf", Kind::Dependencies, None),
    unit("RequiresMountsFor", Kind::Dependencies, None),
    unit("StartLimitIntervalSec", Kind::Time, Some("StartLimitIntervalUSec")),
    unit("StartLimitBurst", Kind::Number, Some("StartLimitBurst")),
    unit("StartLimitAction", ACTIONS, Some("StartLimitAction")),
    unit("FailureAction", ACTIONS, Some("FailureAction")),
    unit("SuccessAction", ACTIONS, Some("SuccessAction")),
    unit("RefuseManualStart", Kind::Flag, Some("RefuseManualStart")),
    unit("RefuseManualStop", Kind::Flag, Some("RefuseManualStop")),
    unit("StopWhenUnneeded", Kind::Flag, Some("StopWhenUnneeded")),
    unit("DefaultDependencies", Kind::Flag, Some("DefaultDependencies")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_directive_stands_in_the_table_twice() {
        for (index, row) in TABLE.iter().enumerate() {
            let name = |other: &Row| (other.section, other.name);
            assert!(TABLE[index + 1..].iter().all(|other| name(other) != name(row)), "{}", row.name);
            assert_eq!(find(row.section, row.name), Some(row));
        }
    }
}
