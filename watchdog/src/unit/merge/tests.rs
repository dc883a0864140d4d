use std::fmt::Write;

use crate::systemd::dbus::{CommandProperty, Property};
use crate::unit::{Directive, Load, Scope, Unit, UnitName};

use super::super::{Made, files, search};
use super::*;

/// Of `[Service]` sections: the unit's own, then drop-ins.
fn unit(texts: &[&str]) -> Unit {
    let texts: Vec<(String, String)> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| (format!("/{index}"), format!("[Service]\n{text}\n")))
        .collect();
    let name = UnitName::new("a-b@c").expect("a name");
    Unit::of_texts(&name, texts.iter().map(|(path, text)| (path.as_str(), text.as_bytes())))
}

/// `VALUE (FILE:LINE …)`
fn shown(Directive { value, set_by }: Directive<'_>) -> String {
    let mut text = value.map_or("-".to_owned(), ToString::to_string);
    if !set_by.is_empty() {
        let places: Vec<String> = set_by.iter().map(|set| format!("{}:{}", set.file, set.line)).collect();
        write!(text, " ({})", places.join(" ")).expect("a string takes all");
    }
    text
}

#[track_caller]
fn check(name: &str, texts: &[&str], expected: &str) {
    let unit = unit(texts);
    assert_eq!(shown(unit.get("Service", name)), expected, "{texts:?}");
}

#[test]
fn an_empty_or_invalid_word_does_not_count_unless_it_takes_back() {
    check("Type", &["Type=forking", "Type="], "forking (0:2)");
    check("Type", &["Type=forking", "Type=nonsense"], "forking (0:2)");
    check("Type", &["Type=forking", "Type=exec"], "exec (1:2)");
    check("Restart", &["Restart=always", "Restart=", "Restart=never"], "always (0:2)");
    check("KillMode", &["KillMode=process", "KillMode="], "control-group (1:2)");
    check("KillMode", &["KillMode=process", "KillMode=all"], "process (0:2)");
    check("KillSignal", &["KillSignal=SIGQUIT", "KillSignal=", "KillSignal=sigint"], "SIGQUIT (0:2)");
    check("WatchdogSec", &["WatchdogSec=30", "WatchdogSec=", "WatchdogSec=%i"], "30s (0:2)");
    check("FileDescriptorStorePreserve", &["FileDescriptorStorePreserve=on-success"], "on-success (0:2)");
    check("RootMStack", &["RootMStack=/a//b.mstack", "RootMStack="], "-");
    check("TimeoutStartSec", &["TimeoutStartSec=0"], "infinity (0:2)");
    check("TimeoutStopSec", &["TimeoutSec=5", "TimeoutStopSec=7"], "7s (1:2)");
    check("TimeoutStartSec", &["TimeoutStartSec=1", "TimeoutSec=5"], "5s (1:2)");
    check("TimeoutAbortSec", &["TimeoutStopSec=7\nTimeoutAbortSec=5", "TimeoutAbortSec="], "7s");
    check("SendSIGKILL", &["SendSIGKILL=no", "SendSIGKILL=", "SendSIGKILL=never"], "no (0:2)");
    check("BusName", &["BusName=a.b", "BusName=", "BusName=c"], "a.b (0:2)");
    check("PIDFile", &["PIDFile=%p.pid", "PIDFile=%z"], "/run/a-b.pid (0:2)");
    check("PIDFile", &["PIDFile=/var/run/x.pid"], "/run/x.pid (0:2)");
    check("PIDFile", &["PIDFile=/x.pid", "PIDFile="], "-");
    check("TTYPath", &["TTYPath=/a//b/", "TTYPath=c"], "/a/b (0:2)");
    check("WorkingDirectory", &["WorkingDirectory=-~", "WorkingDirectory=-c"], "-~ (0:2)");
    check("RootDirectory", &["RootDirectory=/a", "RootDirectory="], "-");
    check("RootDirectory", &["RootDirectory=/srv/%H"], "/srv/%H (0:2)");
    check("BusName", &["BusName=a.%H", "BusName=a b.%H"], "a.%H (0:2)");
    check("SyslogIdentifier", &["SyslogIdentifier=100%% %i"], "100%% c (0:2)");
    check("ProtectSystem", &["ProtectSystem=strict", "ProtectSystem="], "strict (0:2)");
    check("ProtectSystem", &["ProtectSystem=on"], "yes (0:2)");
    check("User", &["User=0  'a\\b"], "0  'a\\b (0:2)");
    check("Delegate", &["Delegate="], "yes (0:2)");
    check("Delegate", &["Delegate=no", "Delegate=cpu 'x"], "no (0:2)");
    check("MemoryMax", &["MemoryMax=1G", "MemoryMax=x", "MemoryMax=0"], "1073741824 (0:2)");
}

#[test]
fn lists_are_added_to_and_emptied() {
    check("ExecStart", &["ExecStart=/bin/a", "ExecStart=", "ExecStart=/bin/b %i"], "/bin/b %i (2:2)");
    check("ExecStart", &["ExecStart=/bin/a", "ExecStart=/bin/b"], "/bin/a ; /bin/b (0:2 1:2)");
    check("ExecStop", &["ExecStop=/bin/a ; -/bin/b c", "ExecStop=-bin/x"], "/bin/a ; -/bin/b c (0:2)");
    check(
        "Environment",
        &["Environment=A=1 \"B=2 3\"", "Environment=A=4 C=%i -=x"],
        "A=4 \"B=2 3\" C=c (0:2 1:2)",
    );
    check("Environment", &["Environment=A=1", "Environment="], "-");
    check(
        "RestartPreventExitStatus",
        &["RestartPreventExitStatus=2 SIGKILL", "RestartPreventExitStatus=TEMPFAIL 1 x"],
        "1 2 75 SIGKILL (0:2 1:2)",
    );
    check("SuccessExitStatus", &["SuccessExitStatus=2", "SuccessExitStatus="], "-");
    let families = "RestrictAddressFamilies";
    check(
        families,
        &["RestrictAddressFamilies=AF_UNIX AF_INET", "RestrictAddressFamilies=~AF_INET"],
        "AF_UNIX (0:2 1:2)",
    );
    check(
        families,
        &["RestrictAddressFamilies=~AF_PACKET AF_INET", "RestrictAddressFamilies=AF_INET"],
        "~AF_PACKET (0:2 1:2)",
    );
    check(families, &["RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies=none"], " (1:2)");
    check(families, &["RestrictAddressFamilies=AF_INET", "RestrictAddressFamilies="], "-");
    let bounding = "CapabilityBoundingSet";
    check(bounding, &["CapabilityBoundingSet=CAP_KILL cap_setuid 0"], "CAP_CHOWN CAP_KILL CAP_SETUID (0:2)");
    check(
        bounding,
        &["CapabilityBoundingSet=CAP_KILL CAP_CHOWN", "CapabilityBoundingSet=~CAP_CHOWN"],
        "CAP_KILL (0:2 1:2)",
    );
    check(bounding, &["CapabilityBoundingSet=CAP_KILL", "CapabilityBoundingSet="], " (1:2)");
    check(bounding, &["CapabilityBoundingSet=CAP_KILL", "CapabilityBoundingSet=~"], "-");
    check("AmbientCapabilities", &["AmbientCapabilities=CAP_KILL", "AmbientCapabilities="], "-");
    check("ReadOnlyPaths", &["ReadOnlyPaths=/a -/b//c", "ReadOnlyPaths=d +/e"], "/a -/b/c +/e (0:2 1:2)");
    check("Environment", &["Environment=1=2", "SuccessExitStatus=300"], "-");
    check("LoadCredential", &["LoadCredential=a:/b", "LoadCredential=c:/d e"], "a:/b \"c:/d e\" (0:2 1:2)");
    check("Whatever", &["Whatever=1", "Whatever=2"], "1 2 (0:2 1:2)");
}

#[test]
fn what_is_not_set_follows_from_what_is() {
    for (text, name, expected) in [
        ("ExecStart=/bin/a", "Type", "simple"),
        ("ExecStart=/bin/a\nBusName=a.b", "Type", "dbus"),
        ("ExecStop=/bin/a", "Type", "oneshot"),
        ("ExecStart=/bin/a\nLoadCredential=a:/b", "Type", "exec"),
        ("ExecStart=/bin/a\nImportCredential=a", "Type", "exec"),
        ("ExecStart=/bin/a\nSetCredentialEncrypted=a:b\nSetCredentialEncrypted=", "Type", "simple"),
        ("ExecStart=/bin/a\nBusName=a.b\nSetCredential=a:b", "Type", "dbus"),
        ("ExecStop=/bin/a", "TimeoutStartSec", "infinity"),
        ("ExecStart=/bin/a", "TimeoutStartSec", "90s"),
        ("ExecStart=/bin/a", "NotifyAccess", "none"),
        ("Type=notify", "NotifyAccess", "main"),
        ("WatchdogSec=1", "NotifyAccess", "main"),
        ("NotifyAccess=all\nWatchdogSec=1", "NotifyAccess", "all (0:2)"),
        ("KillSignal=SIGINT", "RestartKillSignal", "SIGINT"),
        ("TimeoutStopSec=3", "TimeoutAbortSec", "3s"),
        ("Delegate=yes", "OOMPolicy", "continue"),
        ("", "Restart", "no"),
        ("", "KillMode", "control-group"),
    ] {
        check(name, &[text], expected);
    }
}

#[test]
fn of_a_file_that_systemd_stops_to_read_only_the_beginning_counts() {
    let drop_in = "Restart=always\nExecStart=bin/x\nKillMode=process";
    check("Restart", &["ExecStart=/bin/a", drop_in], "always (1:2)");
    check("KillMode", &["ExecStart=/bin/a", drop_in], "control-group");
    check("KillMode", &["ExecStart=/bin/a", "[Service\nKillMode=process"], "control-group");
    assert_eq!(unit(&["ExecStart=/bin/a", drop_in]).load, Load::Loaded);
    for (text, why) in [
        (drop_in, "line 3: ExecStart=: "),
        ("ExecStart=/bin/a\n[Service", "line 3: \"[Service\" is no section"),
        ("ExecStart=/bin/a\nUser=a:b", "line 3: User=: "),
        ("ExecStart=/bin/a\nPIDFile=a/../b", "line 3: PIDFile=: "),
        ("ExecStart=/bin/a\nRootDirectory=a", "line 3: RootDirectory=: "),
        ("ExecStart=/bin/a\nWorkingDirectory=a", "line 3: WorkingDirectory=: "),
        ("ExecStart=/bin/a\nDynamicUser=", "line 3: DynamicUser=: "),
        ("ExecStart=/bin/a\nSupplementaryGroups=a b:c", "line 3: SupplementaryGroups=: "),
        ("", "it has no ExecStart=, ExecStop= or SuccessAction="),
        ("ExecStop=/bin/a\nType=simple", "it has no ExecStart=, which only"),
        ("ExecStop=/bin/a\nRemainAfterExit=yes\nSetCredential=a:b", "it has no ExecStart=, which only"),
        ("ExecStart=/bin/a\nExecStart=/bin/b", "it has more than one ExecStart="),
        ("ExecStart=/bin/a\nType=oneshot\nRestart=always", "Type=oneshot cannot have this Restart="),
        ("ExecStart=/bin/a\nType=dbus", "Type=dbus needs BusName="),
    ] {
        let load = unit(&[text]).load;
        let Load::Refused(said) = &load else { panic!("{text}: {load:?}") };
        assert!(said.starts_with(why), "{text}: {said}");
    }
    for text in ["Type=oneshot\nExecStart=/bin/a\nExecStart=/bin/b", "ExecStop=/bin/a\nRemainAfterExit=yes"] {
        assert_eq!(unit(&[text]).load, Load::Loaded, "{text}");
    }
}

#[test]
fn what_is_passed_over_is_said_with_its_line() {
    let unit = unit(&["Type=x\nnonsense\nExecStart=/bin/a", "Restart=perhaps"]);
    let said: Vec<String> = unit
        .files
        .iter()
        .flat_map(|file| {
            file.complaints
                .iter()
                .map(|complaint| format!("{}:{} {}", file.path.display(), complaint.line, complaint.fault))
        })
        .collect();
    assert_eq!(
        said,
        [
            "/0:2 Type=: \"x\" is nothing that it can be",
            "/0:3 there is no = in the line",
            "/1:2 Restart=: \"perhaps\" is nothing that it can be",
        ]
    );
}

fn of_manager(texts: &[&str], properties: &[(&str, Property)]) -> Unit {
    let files: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            files::file(format!("/{index}").into(), format!("[Service]\n{text}\n").as_bytes())
        })
        .collect();
    let name = UnitName::new("a").expect("a name");
    Unit::made(Made {
        found: search::Found {
            names: ["a.service".to_owned()].into(),
            name,
            fragment: Some("/0".into()),
            drop_ins: Vec::new(),
        },
        load: Load::Loaded,
        files,
        scope: Scope::System,
        defaults: Defaults::default(),
        properties: Some(
            properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        ),
        is_transient: false,
        needs_reload: false,
    })
}

fn exec(path: &str, argv: &[&str]) -> Property {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    Property::Commands(vec![CommandProperty { path: path.to_owned(), argv, flags: Vec::new() }])
}

#[test]
fn the_managers_word_counts_and_how_it_is_written_is_the_files() {
    let same =
        of_manager(&["ExecStart=/bin/a  '%H'"], &[("ExecStartEx", exec("/bin/a", &["/bin/a", "host"]))]);
    assert_eq!(shown(same.get("Service", "ExecStart")), "/bin/a '%H' (0:2)");
    let other =
        of_manager(&["ExecStart=/bin/a b"], &[("ExecStartEx", exec("/bin/x", &["/bin/x", "100%", "c d"]))]);
    assert_eq!(shown(other.get("Service", "ExecStart")), "/bin/x 100%% \"c d\" (0:2)");
    let unit = of_manager(
        &["KillSignal=SIGQUIT\nUser=%H"],
        &[
            ("KillSignal", Property::Signed(2)),
            ("User", Property::Text("host".into())),
            ("TimeoutStopUSec", Property::Unsigned(7_000_000)),
            ("TimeoutStartUSec", Property::Unsigned(u64::MAX)),
            ("CapabilityBoundingSet", Property::Unsigned(1 << 5)),
            ("RestrictAddressFamilies", Property::Filter(false, vec!["AF_PACKET".into()])),
            ("Type", Property::Text("a-later-one".into())),
        ],
    );
    for (name, expected) in [
        ("KillSignal", "SIGINT (0:2)"),
        ("User", "host (0:3)"),
        ("TimeoutStopSec", "7s"),
        ("TimeoutStartSec", "infinity"),
        ("CapabilityBoundingSet", "CAP_KILL"),
        ("RestrictAddressFamilies", "~AF_PACKET"),
        ("Type", "a-later-one"),
        ("Restart", "no"),
    ] {
        assert_eq!(shown(unit.get("Service", name)), expected, "{name}");
    }
}

#[test]
fn a_relative_pid_file_of_a_user_is_below_the_users_runtime_directory() {
    let name = UnitName::new("a").expect("a name");
    let path = "/a.service";
    let file = files::file(path.into(), b"[Service]\nExecStart=/bin/a\nPIDFile=a.pid\n");
    let names = [name.as_str().to_owned()].into();
    let found = search::Found { name, names, fragment: Some(path.into()), drop_ins: Vec::new() };
    let made = Made::of_files(found, Load::Loaded, vec![file]);
    let unit = Unit::made(Made { scope: Scope::User, ..made });
    assert_eq!(unit.value("PIDFile"), Some(&Value::Unresolved("%t/a.pid".to_owned())));
}

#[test]
fn a_list_of_address_families_begins_behind_none_and_is_one_with_no_family_in_it() {
    const NAME: &str = "RestrictAddressFamilies";
    let of = |lines: &[&str]| {
        let text: Vec<String> = lines.iter().map(|line| format!("{NAME}={line}")).collect();
        unit(&[&text.join("\n")]).value(NAME).map(ToString::to_string)
    };
    assert_eq!(of(&["none", "~AF_PACKET"]).as_deref(), Some("~AF_PACKET"));
    assert_eq!(of(&["none", "AF_UNIX", "~AF_UNIX"]).as_deref(), Some(""));
    assert_eq!(of(&["x", "~AF_PACKET"]).as_deref(), Some(""));
    assert_eq!(of(&["~x", "AF_PACKET"]).as_deref(), Some("~"));
}

#[test]
fn the_manager_knows_which_socket_starts_a_unit() {
    let texts = |words: &[&str]| Property::Texts(words.iter().map(ToString::to_string).collect());
    let unit = of_manager(&["ExecStart=/bin/a"], &[("TriggeredBy", texts(&["a.socket", "a.timer"]))]);
    assert_eq!(unit.triggered_by(), ["a.socket", "a.timer"]);
    assert_eq!(
        unit.with("/x.conf".as_ref(), "[Service]\nType=notify").triggered_by(),
        ["a.socket", "a.timer"]
    );
}

#[test]
fn without_a_file_the_rest_counts_and_not_what_the_manager_made_of_all() {
    let unit = of_manager(
        &[
            "ExecStart=/bin/a\nKillMode=process\nTimeoutStopSec=7",
            "ExecStart=\nExecStart=/w -- /bin/a\nKillMode=mixed\nTimeoutStopSec=9\nType=notify",
        ],
        &[
            ("ExecStartEx", exec("/w", &["/w", "--", "/bin/a"])),
            ("KillMode", Property::Text("mixed".into())),
            ("TimeoutStopUSec", Property::Unsigned(9_000_000)),
            ("TimeoutAbortUSec", Property::Unsigned(9_000_000)),
            ("NotifyAccess", Property::Text("main".into())),
            ("Type", Property::Text("notify".into())),
            ("Restart", Property::Text("always".into())),
        ],
    );
    assert_eq!(shown(unit.get("Service", "ExecStart")), "/w -- /bin/a (1:3)");
    let unit = unit.without(|file| file.path.as_os_str() == "/1");
    for (name, expected) in [
        ("ExecStart", "/bin/a (0:2)"),
        ("KillMode", "process (0:3)"),
        ("TimeoutStopSec", "7s (0:4)"),
        ("TimeoutAbortSec", "7s"),
        ("Type", "simple"),
        ("NotifyAccess", "none"),
        ("Restart", "always"),
    ] {
        assert_eq!(shown(unit.get("Service", name)), expected, "{name}");
    }
    assert_eq!(unit.files.len(), 1);
}

#[test]
fn a_drop_in_more_is_read_where_its_name_says_whichever_directory_it_is_in() {
    let name = UnitName::new("a").expect("a name");
    let text = |word: &str| format!("[Service]\nEnvironment=A={word}\n");
    let files =
        [("/usr/z/a.service", text("0")), ("/run/a.service.d/b.conf", text("b")), ("/etc/c.conf", text("c"))];
    let unit = Unit::of_texts(&name, files.iter().map(|(path, text)| (*path, text.as_bytes())));
    for (path, files, value) in [
        ("/etc/a.conf", "a.service a.conf b.conf c.conf", "A=c"),
        ("/usr/bb.conf", "a.service b.conf bb.conf c.conf", "A=c"),
        ("/usr/d.conf", "a.service b.conf c.conf d.conf", "A=new"),
        // There is one of each name.
        ("/etc/c.conf", "a.service b.conf c.conf", "A=new"),
    ] {
        let with = unit.with(path.as_ref(), &text("new"));
        let names = with.files.iter().filter_map(|file| file.path.file_name()?.to_str());
        assert_eq!(names.collect::<Vec<_>>().join(" "), files);
        assert_eq!(with.value("Environment").map(ToString::to_string).as_deref(), Some(value), "{path}");
    }
}
