//! The table: every directive of the five manual pages that a service has to do with, in rows of those that share a fate. It is
//! what README.md shows; that [`decide`](super::decide()) does nothing else is tested.

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Another value has the effect that the unit's own had.
    Translated,
    /// It stays, and does not have the effect any more, or not only that: it is named, with consequence and remedy.
    Named,
    /// A unit that has it is not wrapped.
    Refused,
    /// It stays, and has the effect that it had.
    Kept,
}

/// Directives that share a fate.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Of systemd 262 and older ones; names that have an older one as well stand here by the newer.
    pub names: &'static [&'static str],
    /// How a long list of them is shown.
    pub shown: Option<&'static str>,
    /// What becomes of them, by their value.
    pub fates: &'static [(Fate, &'static str)],
}

const fn row(names: &'static [&'static str], fates: &'static [(Fate, &'static str)]) -> Row {
    Row { names, shown: None, fates }
}

const fn kept(names: &'static [&'static str], why: &'static [(Fate, &'static str)]) -> Row {
    row(names, why)
}

const fn shown(shown: &'static str, row: Row) -> Row {
    Row { shown: Some(shown), ..row }
}

use self::Fate::{Kept, Named, Refused, Translated};

/// All of them, each once.
pub const TABLE: &[Row] = &[
    // What is translated.
    row(
        &["Type"],
        &[
            (
                Translated,
                "`simple`, `exec`, `idle` to `notify`; `notify` and `notify-reload` stay, with `--child-ready require`",
            ),
            (Named, "`idle`: it no longer waits for other jobs"),
            (
                Refused,
                "`forking` (its main process is another), `dbus` (its name would not be waited for), `oneshot` (it is to end)",
            ),
        ],
    ),
    row(
        &["NotifyAccess"],
        &[
            (Translated, "to `main`: `sd-watchdog` listens to the unit's processes itself"),
            (
                Named,
                "`exec`, `all` beside commands other than `ExecStart=`: what those say to systemd is not heard; beside \
                 `WatchdogSec=`: pings may come from a process that is not the main one, and are not asked for",
            ),
        ],
    ),
    row(
        &["ExecStart"],
        &[
            (Translated, "behind `sd-watchdog`, with its prefixes, quotes, variables and specifiers"),
            (
                Named,
                "a program without a path, where the unit sets its own `PATH`: another may be found; options of an `sd-watchdog` that \
                 stands there already: those that are given anew count",
            ),
            (
                Refused,
                "several; `sd-watchdog guard` itself; the prefix `@` with another name, the prefix `\\|`",
            ),
        ],
    ),
    row(
        &["WatchdogSec"],
        &[(
            Translated,
            "the unit's own stays, and the service still has to ping (`--child-pings require`), unless `NotifyAccess=` is `exec` or \
             `all`; else `--watchdog-sec`, 5 s",
        )],
    ),
    row(
        &["Restart"],
        &[
            (
                Translated,
                "`no` to `on-watchdog`, `on-abort` to `on-abnormal`, `on-success` to `always`; others stay",
            ),
            (Named, "`on-abort`, `on-success`: it is restarted after a timeout, or after a failure, too"),
        ],
    ),
    row(
        &["TimeoutAbortSec"],
        &[
            (
                Translated,
                "the unit's own stays, as does `TimeoutStopSec=` in its place up to 10 s; else 10 s",
            ),
            (Named, "`infinity`: what is hung, and ignores SIGABRT, is never ended"),
        ],
    ),
    row(
        &["PIDFile"],
        &[
            (
                Translated,
                "to none: systemd would follow the process in it, and hear us no more. The file is removed, as by systemd, in an \
                 `ExecStopPost=`",
            ),
            (Named, "with `RootDirectory=`: there it is not removed"),
        ],
    ),
    row(
        &["ExecStopPost"],
        &[(Translated, "stays; one more removes the file of `PIDFile=`, where there is one")],
    ),
    row(
        &["KillSignal", "RestartKillSignal"],
        &[
            (Translated, "stay, and are a stop to `sd-watchdog` as well (`--stop-signal`)"),
            (Refused, "what is no signal: systemd passes over it, and stops by SIGTERM"),
        ],
    ),
    row(
        &["ReloadSignal"],
        &[
            (
                Translated,
                "stays; with `Type=notify-reload` it is a reload to `sd-watchdog` as well (`--reload-signal`)",
            ),
            (Named, "one that stops the unit as well"),
            (Refused, "with `Type=notify-reload`, what is no signal: systemd passes over it"),
        ],
    ),
    row(
        &["ExecReload", "ExecReloadPost", "ExecStop"],
        &[
            (
                Translated,
                "stay; `kill -SIG $MAINPID` reaches the service, and SIG is `--reload-signal` or `--stop-signal`; in both it is the \
                 former. `ExecStop=`: probes go on meanwhile; before a trigger systemd is asked whether it is stopping the unit",
            ),
            (
                Named,
                "`$MAINPID` for anything else: it is the process of `sd-watchdog`. Several signals in `ExecReload=`: SIGHUP, or \
                 without it the last, is the reload. One that is `KillSignal=` or `RestartKillSignal=` as well: a reload would be the end",
            ),
        ],
    ),
    row(
        &["CapabilityBoundingSet", "AmbientCapabilities"],
        &[
            (
                Translated,
                "stay; with CAP_KILL, where root's service may change its user and has to get signals from `sd-watchdog` \
                 (`KillMode=mixed` or `process`, `notify-reload`, `kill $MAINPID`)",
            ),
            (
                Named,
                "CAP_KILL where it is added: the service has it too; the same with a `User=`: add it yourself",
            ),
        ],
    ),
    row(
        &["SyslogIdentifier"],
        &[(
            Translated,
            "the unit's own stays; else the name of the service's program, which is systemd's default without us; the lines of the \
             unit's other commands are under it too",
        )],
    ),
    row(
        &["RestrictAddressFamilies"],
        &[
            (
                Translated,
                "stays; what probes, systemd and the hang report need is added, or taken off a `~` list",
            ),
            (
                Named,
                "what is added: the service may use it too. Beside `--exec`: it holds for that command too",
            ),
        ],
    ),
    row(
        &[
            "RootDirectory",
            "RootImage",
            "RootMStack",
            "TemporaryFileSystem",
            "BindPaths",
            "BindReadOnlyPaths",
            "MountImages",
            "PrivateTmp",
        ],
        &[
            (
                Translated,
                "stay; where `sd-watchdog` is not to be seen behind them, it is bound there (`BindReadOnlyPaths=`)",
            ),
            (Named, "`RootDirectory=`, `RootImage=` beside `--exec`: the command must be in there"),
            (Refused, "`RootDirectory=` with the prefix `+`, behind which nothing is bound"),
        ],
    ),
    row(
        &["NoExecPaths", "ExecPaths"],
        &[
            (Translated, "stay; `sd-watchdog` is added to `ExecPaths=` where it could not be executed"),
            (Named, "beside `--exec`: they hold for that command too"),
        ],
    ),
    // What is named.
    row(
        &["ExecStartPost"],
        &[(
            Named,
            "stays; runs after the first healthy probe. Health that waits for it never comes: use `ExecStartPre=`",
        )],
    ),
    row(
        &["TimeoutStartSec", "TimeoutSec", "JobTimeoutSec", "JobRunningTimeoutSec"],
        &[(
            Named,
            "stay; with `Type=simple`, `exec` or `idle` they now limit the time to the first healthy probe \
             (`--start-timeout` extends `TimeoutStartSec=`). The default is infinity with `Type=oneshot`, and then no more",
        )],
    ),
    row(
        &["RemainAfterExit"],
        &[(Named, "stays; once the service has ended nobody probes it, and the unit is active all the same")],
    ),
    row(
        &["RestartPreventExitStatus"],
        &[(
            Named,
            "stays; with `WatchdogSignal=` or SIGKILL in it a service that hangs is ended and not started again",
        )],
    ),
    row(
        &["SendSIGKILL"],
        &[(Named, "`no`: what hangs, and ignores SIGABRT, stays beside the one that is started next")],
    ),
    row(
        &["SystemCallFilter"],
        &[(
            Named,
            "an allow list without `@system-service`, or a group or call denied that `sd-watchdog` needs, like `~@ipc` or `~kill`: it may \
             be ended for it",
        )],
    ),
    row(
        &["AppArmorProfile", "SELinuxContext"],
        &[(
            Named,
            "they are `sd-watchdog`'s, and how the service changes from there is the policy's. Where SELinux is in use and nothing is set, \
             the domain follows from the type of our file",
        )],
    ),
    row(
        &[
            "IPAddressDeny",
            "RestrictNetworkInterfaces",
            "BindNetworkInterface",
            "IPIngressFilterPath",
            "IPEgressFilterPath",
            "BPFProgram",
        ],
        &[(
            Named,
            "stay, and hold for the probes, which come from within the unit. `IPAddressDeny=` is held against `IPAddressAllow=` and \
             where they go; what the command of `--exec` does nobody knows",
        )],
    ),
    row(
        &["SocketBindDeny", "PrivateNetwork", "NetworkNamespacePath"],
        &[(Named, "stay, and hold for `--metrics`: nobody may get there")],
    ),
    row(
        &["MountAPIVFS"],
        &[(
            Named,
            "`no` with `RootDirectory=`, `RootImage=` or `RootMStack=`: `sd-watchdog` needs `/proc` in there",
        )],
    ),
    row(&["RestrictFileSystems"], &[(Named, "stays; `sd-watchdog` reads `/proc` and the control group")]),
    row(&["PrivatePIDs"], &[(Named, "stays; `sd-watchdog` is process 1 in it, not the service")]),
    row(
        &["StandardInput", "UtmpIdentifier"],
        &[(
            Named,
            "a terminal, or the socket of one connection: the session is `sd-watchdog`'s. `UtmpIdentifier=`: so is the process",
        )],
    ),
    row(&["LogLevelMax"], &[(Named, "below `info`: it hides hang reports and what `sd-watchdog` says")]),
    row(
        &["LimitCPU"],
        &[(Named, "stays, and counts for `sd-watchdog` too, which it ends after that much of probing")],
    ),
    row(
        &[
            "TasksMax",
            "LimitNPROC",
            "MemoryMax",
            "MemoryHigh",
            "LimitAS",
            "LimitDATA",
            "LimitMEMLOCK",
            "LimitNOFILE",
        ],
        &[
            (Kept, "`sd-watchdog` counts too: two processes, some MiB, some 16 descriptors"),
            (
                Named,
                "`TasksMax=`, or `LimitNPROC=` of a user other than root, below 16; `MemoryMax=`, `MemoryHigh=` or `LimitAS=` below \
                 32 MiB; `LimitNOFILE=` below 24",
            ),
        ],
    ),
    // What is refused.
    row(
        &["Delegate", "DelegateSubgroup", "CoredumpReceive"],
        &[(
            Refused,
            "`Delegate=`: `sd-watchdog` would sit in the control group that the service is to manage (EBUSY)",
        )],
    ),
    row(
        &["ExitType"],
        &[(Refused, "`cgroup`: the unit lives on without its main process, and so without pings")],
    ),
    row(
        &["KillMode"],
        &[
            (Kept, "each process gets what it would get without us"),
            (Refused, "`none`: what hangs is not ended, and a second one is started beside it"),
        ],
    ),
    row(
        &["CPUSchedulingResetOnFork", "CPUSchedulingPolicy", "CPUSchedulingPriority"],
        &[
            (Kept, "the service inherits them"),
            (Refused, "`CPUSchedulingResetOnFork=yes`: it does not, since it is started by a fork"),
        ],
    ),
    row(
        &["InaccessiblePaths", "ProtectHome"],
        &[
            (Kept, "the service sees what it saw"),
            (Named, "`InaccessiblePaths=` beside `--exec`: it holds for that command too"),
            (Refused, "where they hide `sd-watchdog` itself: put it elsewhere"),
        ],
    ),
    // What is kept.
    kept(
        &["BusName"],
        &[(
            Kept,
            "systemd takes its owner for the main process only where it knows none (`Type=dbus`: above)",
        )],
    ),
    shown(
        "the rest of systemd.service(5): `ExecStartPre=`, `RestartSec=`, `SuccessExitStatus=`, `TimeoutStopSec=`, …",
        kept(
            &[
                "ExecStartPre",
                "ExecCondition",
                "RestartSec",
                "RestartSteps",
                "RestartMaxDelaySec",
                "RestartRandomizedDelaySec",
                "RestartMode",
                "RestartForceExitStatus",
                "SuccessExitStatus",
                "TimeoutStopSec",
                "TimeoutStartFailureMode",
                "TimeoutStopFailureMode",
                "RuntimeMaxSec",
                "RuntimeRandomizedExtraSec",
                "GuessMainPID",
                "RootDirectoryStartOnly",
                "PermissionsStartOnly",
                "OOMPolicy",
                "RefreshOnReload",
                "LUOSession",
                "USBFunctionDescriptors",
                "USBFunctionStrings",
            ],
            &[(Kept, "they do not ask which process is the main one, or it ends as COMMAND ends")],
        ),
    ),
    row(
        &["Sockets"],
        &[
            (Kept, "socket activation passes through"),
            (
                Named,
                "a service that a socket starts, and that exits when it is idle: with probes it never is",
            ),
        ],
    ),
    kept(
        &["OpenFile", "NonBlocking", "FileDescriptorStoreMax", "FileDescriptorStorePreserve"],
        &[(Kept, "descriptors are passed through, both ways")],
    ),
    kept(
        &["SendSIGHUP", "FinalKillSignal", "WatchdogSignal"],
        &[(Kept, "who gets a signal gets it once, as without us")],
    ),
    shown(
        "users, privileges, security labels: `User=`, `NoNewPrivileges=`, …",
        kept(
            &[
                "User",
                "Group",
                "DynamicUser",
                "SupplementaryGroups",
                "SetLoginEnvironment",
                "PAMName",
                "NoNewPrivileges",
                "SecureBits",
                "SmackProcessLabel",
                "KeyringMode",
                "LockPersonality",
                "Personality",
                "RemoveIPC",
                "UtmpMode",
            ],
            &[(Kept, "`sd-watchdog` runs as what the service is to be, and the service inherits it")],
        ),
    ),
    shown(
        "limits and scheduling: `Limit…=`, `Nice=`, `CPUAffinity=`, `OOMScoreAdjust=`, `UMask=`, …",
        kept(
            &[
                "LimitFSIZE",
                "LimitSTACK",
                "LimitCORE",
                "LimitRSS",
                "LimitLOCKS",
                "LimitSIGPENDING",
                "LimitMSGQUEUE",
                "LimitNICE",
                "LimitRTPRIO",
                "LimitRTTIME",
                "UMask",
                "CoredumpFilter",
                "OOMScoreAdjust",
                "TimerSlackNSec",
                "IgnoreSIGPIPE",
                "Nice",
                "CPUAffinity",
                "NUMAPolicy",
                "NUMAMask",
                "IOSchedulingClass",
                "IOSchedulingPriority",
                "MemoryKSM",
                "MemoryTHP",
            ],
            &[(Kept, "the service inherits them; its core dump is its own")],
        ),
    ),
    shown(
        "the file system and namespaces: `ProtectSystem=`, `ReadWritePaths=`, `PrivateUsers=`, `StateDirectory=`, …",
        kept(
            &[
                "ExecSearchPath",
                "WorkingDirectory",
                "RootImageOptions",
                "RootEphemeral",
                "RootHash",
                "RootHashSignature",
                "RootVerity",
                "RootImagePolicy",
                "MountImagePolicy",
                "ExtensionImagePolicy",
                "BindLogSockets",
                "ProtectProc",
                "ProcSubset",
                "ExtensionImages",
                "ExtensionDirectories",
                "ProtectSystem",
                "RuntimeDirectory",
                "StateDirectory",
                "CacheDirectory",
                "LogsDirectory",
                "ConfigurationDirectory",
                "RuntimeDirectoryMode",
                "StateDirectoryMode",
                "CacheDirectoryMode",
                "LogsDirectoryMode",
                "ConfigurationDirectoryMode",
                "StateDirectoryQuota",
                "CacheDirectoryQuota",
                "LogsDirectoryQuota",
                "StateDirectoryAccounting",
                "CacheDirectoryAccounting",
                "LogsDirectoryAccounting",
                "RuntimeDirectoryPreserve",
                "TimeoutCleanSec",
                "ReadWritePaths",
                "ReadOnlyPaths",
                "PrivateDevices",
                "UserNamespacePath",
                "PrivateIPC",
                "IPCNamespacePath",
                "PrivateUsers",
                "ProtectHostname",
                "ProtectClock",
                "ProtectKernelTunables",
                "ProtectKernelModules",
                "ProtectKernelLogs",
                "ProtectControlGroups",
                "RestrictNamespaces",
                "DelegateNamespaces",
                "PrivateBPF",
                "BPFDelegateCommands",
                "BPFDelegateMaps",
                "BPFDelegatePrograms",
                "BPFDelegateAttachments",
                "MemoryDenyWriteExecute",
                "RestrictRealtime",
                "RestrictSUIDSGID",
                "PrivateMounts",
                "MountFlags",
                "SystemCallErrorNumber",
                "SystemCallArchitectures",
                "SystemCallLog",
            ],
            &[(
                Kept,
                "both live in them: `sd-watchdog` needs no more than its program, `/proc` and its sockets",
            )],
        ),
    ),
    shown(
        "environment and credentials: `Environment=`, `LoadCredential=`, …",
        kept(
            &[
                "Environment",
                "EnvironmentFile",
                "PassEnvironment",
                "UnsetEnvironment",
                "LoadCredential",
                "LoadCredentialEncrypted",
                "ImportCredential",
                "SetCredential",
                "SetCredentialEncrypted",
            ],
            &[(Kept, "passed on, except for `NOTIFY_SOCKET` and `WATCHDOG_USEC`")],
        ),
    ),
    shown(
        "output and terminals: `StandardOutput=`, `Log…=`, `Syslog…=`, `TTY…=`",
        kept(
            &[
                "StandardOutput",
                "StandardError",
                "StandardInputText",
                "StandardInputData",
                "LogExtraFields",
                "LogRateLimitIntervalSec",
                "LogRateLimitBurst",
                "LogFilterPatterns",
                "LogNamespace",
                "SyslogFacility",
                "SyslogLevel",
                "SyslogLevelPrefix",
                "TTYPath",
                "TTYReset",
                "TTYVHangup",
                "TTYColumns",
                "TTYRows",
                "TTYVTDisallocate",
            ],
            &[(Kept, "the service's streams are its own; what `sd-watchdog` says goes to the journal")],
        ),
    ),
    shown(
        "the control group: `CPUQuota=`, `IOWeight=`, `DeviceAllow=`, `Slice=`, …",
        kept(
            &[
                "CPUWeight",
                "StartupCPUWeight",
                "CPUQuota",
                "CPUQuotaPeriodSec",
                "AllowedCPUs",
                "StartupAllowedCPUs",
                "MemoryAccounting",
                "MemoryMin",
                "MemoryLow",
                "StartupMemoryLow",
                "DefaultMemoryMin",
                "DefaultMemoryLow",
                "DefaultStartupMemoryLow",
                "StartupMemoryHigh",
                "StartupMemoryMax",
                "MemorySwapMax",
                "StartupMemorySwapMax",
                "MemoryZSwapMax",
                "StartupMemoryZSwapMax",
                "MemoryZSwapWriteback",
                "AllowedMemoryNodes",
                "StartupAllowedMemoryNodes",
                "CPUSetPartition",
                "TasksAccounting",
                "IOAccounting",
                "IOWeight",
                "StartupIOWeight",
                "IODeviceWeight",
                "IOReadBandwidthMax",
                "IOWriteBandwidthMax",
                "IOReadIOPSMax",
                "IOWriteIOPSMax",
                "IODeviceLatencyTargetSec",
                "IPAccounting",
                "IPAddressAllow",
                "SocketBindAllow",
                "NFTSet",
                "DeviceAllow",
                "DevicePolicy",
                "Slice",
                "DisableControllers",
                "ManagedOOMSwap",
                "ManagedOOMMemoryPressure",
                "ManagedOOMMemoryPressureLimit",
                "ManagedOOMMemoryPressureDurationSec",
                "ManagedOOMPreference",
                "OOMRules",
                "MemoryPressureWatch",
                "MemoryPressureThresholdSec",
                "CPUPressureWatch",
                "CPUPressureThresholdSec",
                "IOPressureWatch",
                "IOPressureThresholdSec",
            ],
            &[(
                Kept,
                "both are in it: where it keeps the service from running, that is no hang (`--pressure`)",
            )],
        ),
    ),
    shown(
        "what older systemd had: `CPUAccounting=`, `CPUShares=`, `MemoryLimit=`, `BlockIO…=`",
        kept(
            &[
                "CPUAccounting",
                "CPUShares",
                "StartupCPUShares",
                "MemoryLimit",
                "BlockIOAccounting",
                "BlockIOWeight",
                "StartupBlockIOWeight",
                "BlockIODeviceWeight",
                "BlockIOReadBandwidth",
                "BlockIOWriteBandwidth",
                "NetClass",
                "Capabilities",
                "LogRateLimitInterval",
                "OnFailureIsolate",
            ],
            &[(Kept, "as those of today")],
        ),
    ),
    shown(
        "all else of `[Unit]` and `[Install]`: `After=`, `Requires=`, `Condition…=`, `StartLimit…=`, `OnFailure=`, `WantedBy=`, …",
        kept(
            &[
                "Description",
                "Documentation",
                "Wants",
                "Requires",
                "Requisite",
                "BindsTo",
                "PartOf",
                "Upholds",
                "Conflicts",
                "Before",
                "After",
                "OnFailure",
                "OnSuccess",
                "PropagatesReloadTo",
                "ReloadPropagatedFrom",
                "PropagatesStopTo",
                "StopPropagatedFrom",
                "JoinsNamespaceOf",
                "RequiresMountsFor",
                "WantsMountsFor",
                "OnSuccessJobMode",
                "OnFailureJobMode",
                "IgnoreOnIsolate",
                "StopWhenUnneeded",
                "RefuseManualStart",
                "RefuseManualStop",
                "AllowIsolate",
                "DefaultDependencies",
                "SurviveFinalKillSignal",
                "CollectMode",
                "FailureAction",
                "SuccessAction",
                "FailureActionExitStatus",
                "SuccessActionExitStatus",
                "JobTimeoutAction",
                "JobTimeoutRebootArgument",
                "StartLimitIntervalSec",
                "StartLimitBurst",
                "StartLimitAction",
                "RebootArgument",
                "SourcePath",
                "ConditionArchitecture",
                "ConditionFirmware",
                "ConditionVirtualization",
                "ConditionHost",
                "ConditionFraction",
                "ConditionKernelCommandLine",
                "ConditionKernelVersion",
                "ConditionVersion",
                "ConditionCredential",
                "ConditionEnvironment",
                "ConditionSecurity",
                "ConditionCapability",
                "ConditionACPower",
                "ConditionNeedsUpdate",
                "ConditionFirstBoot",
                "ConditionPathExists",
                "ConditionPathExistsGlob",
                "ConditionPathIsDirectory",
                "ConditionPathIsSymbolicLink",
                "ConditionPathIsMountPoint",
                "ConditionPathIsReadWrite",
                "ConditionPathIsEncrypted",
                "ConditionPathIsSocket",
                "ConditionDirectoryNotEmpty",
                "ConditionFileNotEmpty",
                "ConditionFileIsExecutable",
                "ConditionUser",
                "ConditionGroup",
                "ConditionControlGroupController",
                "ConditionMemory",
                "ConditionCPUs",
                "ConditionCPUFeature",
                "ConditionOSRelease",
                "ConditionMachineTag",
                "ConditionMemoryPressure",
                "ConditionCPUPressure",
                "ConditionIOPressure",
                "ConditionKernelModuleLoaded",
                "AssertArchitecture",
                "AssertVirtualization",
                "AssertHost",
                "AssertFraction",
                "AssertKernelCommandLine",
                "AssertKernelVersion",
                "AssertVersion",
                "AssertCredential",
                "AssertEnvironment",
                "AssertSecurity",
                "AssertCapability",
                "AssertACPower",
                "AssertNeedsUpdate",
                "AssertFirstBoot",
                "AssertPathExists",
                "AssertPathExistsGlob",
                "AssertPathIsDirectory",
                "AssertPathIsSymbolicLink",
                "AssertPathIsMountPoint",
                "AssertPathIsReadWrite",
                "AssertPathIsEncrypted",
                "AssertPathIsSocket",
                "AssertDirectoryNotEmpty",
                "AssertFileNotEmpty",
                "AssertFileIsExecutable",
                "AssertUser",
                "AssertGroup",
                "AssertControlGroupController",
                "AssertMemory",
                "AssertCPUs",
                "AssertCPUFeature",
                "AssertOSRelease",
                "AssertMachineTag",
                "AssertMemoryPressure",
                "AssertCPUPressure",
                "AssertIOPressure",
                "AssertKernelModuleLoaded",
                "Alias",
                "WantedBy",
                "RequiredBy",
                "UpheldBy",
                "Also",
                "DefaultInstance",
            ],
            &[(Kept, "\"active\" now means \"answers\", and what is ordered after the unit waits for that")],
        ),
    ),
];

/// Those of `[Install]`, of the last row.
const INSTALL: [&str; 6] = ["Alias", "WantedBy", "RequiredBy", "UpheldBy", "Also", "DefaultInstance"];
/// Those of `[Unit]` that stand in other rows than the last.
const UNIT: [&str; 3] = ["JobTimeoutSec", "JobRunningTimeoutSec", "OnFailureIsolate"];

/// The row of a directive; in another section systemd passes over it.
pub fn find(section: &str, name: &str) -> Option<&'static Row> {
    let of_unit = TABLE.last().is_some_and(|row| row.names.contains(&name)) || UNIT.contains(&name);
    let own = match (INSTALL.contains(&name), of_unit) {
        (true, _) => "Install",
        (false, true) => "Unit",
        (false, false) => "Service",
    };
    TABLE.iter().find(|row| own == section && row.names.contains(&name))
}
