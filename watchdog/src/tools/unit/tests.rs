use std::process::Command;

use clap::{CommandFactory, Parser};

use super::*;
use crate::cli::{Cli, Sub};

/// `sd-watchdog unit ARGUMENTS`, where the unit's file is `source`.
fn print(arguments: &[&str], source: Option<&str>) -> Result<String, String> {
    print_of(arguments, &source.into_iter().collect::<Vec<_>>())
}

/// The same, where the unit has these files.
fn print_of(arguments: &[&str], texts: &[&str]) -> Result<String, String> {
    let paths: Vec<String> = (0..texts.len()).map(|index| format!("/{index}")).collect();
    let files: Vec<_> = paths.iter().map(String::as_str).zip(texts.iter().copied()).collect();
    print_of_files(arguments, &files)
}

/// The same, where they are called so.
fn print_of_files(arguments: &[&str], files: &[(&str, &str)]) -> Result<String, String> {
    let words = ["sd-watchdog", "unit"].iter().chain(arguments);
    let line = Line::try_parse_from(words.map(OsString::from)).expect("a good command line");
    let Some(Sub::Unit(args)) = &line.cli.subcommand else { panic!("not sd-watchdog unit") };
    let program = Path::new("/usr/bin/sd-watchdog");
    let options = options::given(&line.matches);
    let next_options = options::given_behind_next(&line.next_matches);
    let read = || {
        let name = name_of(args.drop_in.as_deref().unwrap_or_default())?;
        if files.is_empty() {
            return Err(UnitError::NotFound { unit: name, place: String::new() });
        }
        let files = files.iter().map(|(path, text)| (*path, text.as_bytes()));
        usable(Unit::of_texts(&name, files), String::new())
    };
    let (directory, is_watchdog_given) = (Path::new("/srv"), options::is_watchdog_given(&line.matches));
    let next = &line.next;
    let plan = Plan {
        program,
        options: &options,
        next_options: &next_options,
        directory,
        is_watchdog_given,
        args,
        next,
        has_selinux: false,
    };
    plan.text(read).map_err(|error| error.to_string())
}

/// The directives, without the comments.
fn directives(text: &str) -> Vec<String> {
    let text = text.replace("\\\n    ", "");
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(ToOwned::to_owned).collect()
}

const HTTP: &str = "--http=http://127.0.0.1:8080/healthz";

#[test]
fn a_whole_unit_has_the_options_and_the_command_as_systemd_must_read_them() {
    let text = print(
        &[HTTP, "--timeout", "300ms", "--header=A: 100%", "--", "/opt/my server/run.sh", "--price", "$5"],
        None,
    )
    .expect("printed");
    let directives = directives(&text);
    let has = |line: &str| directives.iter().any(|directive| directive == line);
    assert!(
        has(
            "ExecStart=/usr/bin/sd-watchdog --http http://127.0.0.1:8080/healthz --timeout 300ms --header \"A: 100%%\" \
         -- \"/opt/my server/run.sh\" --price $$5"
        ),
        "{text}"
    );
    assert!(has("Description=run, guarded by sd-watchdog"), "{text}");
    assert!(has("WatchdogSec=5s") && has("Type=notify") && has("NotifyAccess=main"), "{text}");
    assert!(text.contains("finds a hang within 1.5 s;"), "{text}");
}

#[test]
fn every_directive_has_its_reason_above_it_or_above_its_neighbour() {
    let whole = print(&[HTTP, "--", "/bin/a"], None).expect("printed");
    let drop_in = print(&[HTTP, "--drop-in=a"], Some("[Service]\nExecStart=/bin/a")).expect("printed");
    for text in [whole, drop_in] {
        assert!(!text.contains('@') || text.contains("@system-service"), "a gap is left: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        let body = text.split("[Service]\n").nth(1).unwrap_or_default();
        for paragraph in body.split("\n\n").filter(|paragraph| !paragraph.starts_with("[Install]")) {
            assert!(paragraph.starts_with('#'), "{paragraph}");
        }
    }
}

#[test]
fn a_secret_on_the_command_line_is_warned_of_beside_it() {
    for (header, expected) in [
        (
            "--header=authorization: Bearer x",
            Some("# Everybody on this machine can read this authorization, here"),
        ),
        ("--header=Cookie:x", Some("# Everybody on this machine can read this Cookie, here")),
        ("--header=X-Who: me", None),
    ] {
        let text = print(&[HTTP, header, "--", "/bin/a"], None).expect("a unit");
        let lines: Vec<_> = text.lines().collect();
        let exec_start = lines.iter().position(|line| line.starts_with("ExecStart=")).expect("a command");
        let warning = lines[exec_start - 2];
        assert_eq!(warning.starts_with("# Everybody"), expected.is_some(), "{text}");
        assert!(expected.is_none_or(|expected| warning.starts_with(expected)), "{text}");
    }
}

#[test]
fn a_drop_in_wraps_the_units_own_command_and_adds_what_that_takes() {
    let source = "[Service]\nType=exec\nExecStart=-/usr/sbin/a $OPTIONS \\\n  %i\n";
    let printed = |more: &str| {
        let text = print(&[HTTP, "--drop-in", "a@1"], Some(&format!("{source}{more}"))).expect("printed");
        assert!(text.contains("/etc/systemd/system/a@1.service.d/zz-watchdog.conf"), "{text}");
        directives(&text)
    };
    let always = [
        "[Service]",
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=5s",
        "TimeoutAbortSec=10s",
        "ExecStart=",
        "ExecStart=-/usr/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- /usr/sbin/a $OPTIONS %i",
    ];
    let with = |restart: &[&'static str], more: &[&'static str]| {
        [&always[..5], restart, &["SyslogIdentifier=a"], more, &always[5..]].concat()
    };
    assert_eq!(printed(""), with(&["Restart=on-watchdog"], &[]));
    assert_eq!(printed("Restart=always"), with(&[], &[]));
    assert_eq!(
        printed("Restart=always\nRootDirectory=/srv/a"),
        with(&[], &["BindReadOnlyPaths=/usr/bin/sd-watchdog"])
    );
    assert_eq!(
        printed("Restart=always\nRestrictAddressFamilies=AF_INET AF_UNIX"),
        with(&[], &["RestrictAddressFamilies=AF_NETLINK AF_INET6"])
    );
    assert_eq!(printed("Restart=always\nType=notify-reload")[1], "Type=notify-reload");
}

#[test]
fn a_drop_in_names_the_signals_that_stop_the_unit_and_says_what_else_its_exec_stop_may_do() {
    let source = "[Service]\nKillSignal=SIGQUIT\nRestartKillSignal=SIGINT\nExecStart=/bin/a\nExecStop=/bin/drain $MAINPID\n";
    for (given, expected) in [
        (&[HTTP, "--drop-in=a"][..], " --stop-signal SIGQUIT --stop-signal SIGINT -- /bin/a"),
        (&[HTTP, "--drop-in=a", "--stop-signal=QUIT"], " --stop-signal QUIT --stop-signal SIGINT -- /bin/a"),
    ] {
        let text = print(given, Some(source)).expect("printed");
        let exec_start = directives(&text).pop().expect("a line");
        assert!(exec_start.ends_with(expected), "{exec_start}");
        assert!(text.contains("\n# - ExecStop=/bin/drain $MAINPID (/0:5): $MAINPID in it is "), "{text}");
    }
}

#[test]
fn a_drop_in_keeps_the_time_that_the_unit_has_and_goes_on_asking_it_for_pings() {
    const ASKS: &str = " --child-pings require ";
    for (given, own, watchdog, asks) in [
        (&[HTTP, "--drop-in=a"][..], "", "5s", false),
        (&[HTTP, "--drop-in=a"], "WatchdogSec=0", "5s", false),
        (&[HTTP, "--drop-in=a"], "WatchdogSec=30", "30s", true),
        (&["--drop-in=a"], "WatchdogSec=30", "30s", true),
        (&[HTTP, "--drop-in=a", "--watchdog-sec=2s"], "WatchdogSec=30", "2s", true),
        // systemd passes over it.
        (&[HTTP, "--drop-in=a"], "WatchdogSec=%i", "5s", false),
        (&[HTTP, "--drop-in=a", "--child-pings=ignore"], "WatchdogSec=30", "30s", false),
    ] {
        let source = format!("[Service]\nType=notify\nExecStart=/bin/a\n{own}\n");
        let text = print(given, Some(&source)).expect("printed");
        let directives = directives(&text);
        assert!(directives.contains(&format!("WatchdogSec={watchdog}")), "{given:?}, {own}: {text}");
        assert_eq!(directives.last().expect("a line").contains(ASKS), asks, "{given:?}, {own}: {text}");
        assert_eq!(text.contains("\n# The service has pinged by itself."), asks, "{text}");
    }
}

#[test]
fn paths_are_those_of_where_they_were_typed() {
    let given = ["--exec=./check", "--unix=../run/x.sock", "--drop-in=a", "--", "bin/b", "./data"];
    let directives = directives(&print(&given, None).expect("printed"));
    let expected = " --exec /srv/check --unix /srv/../run/x.sock -- /srv/bin/b ./data";
    assert!(directives.last().expect("a line").ends_with(expected), "{directives:?}");
}

#[test]
fn the_directory_of_the_figures_is_made_where_the_sandbox_lets_them_be_written() {
    let printed = |file: &str| print(&[HTTP, "--metrics-file", file, "--", "/bin/a"], None);
    let made = |file: &str| directives(&printed(file).expect("printed"));
    assert!(made("/run/a/x.prom").contains(&"RuntimeDirectory=a".to_owned()));
    assert!(made("/run/a/figures/x.prom").contains(&"RuntimeDirectory=a/figures".to_owned()));
    for file in [
        "/run/x.prom",
        "/var/lib/prometheus/x.prom",
        "x.prom",
        "/run/../etc/x.prom",
        "/run/systemd/x",
        "/run/node-exporter/x.prom",
    ] {
        let error = printed(file).expect_err("cannot be written");
        assert!(error.contains("use --metrics-file /run/a/a.prom, "), "{error}");
    }
}

#[test]
fn a_command_that_is_given_needs_no_unit_and_is_what_counts() {
    let options = [HTTP, "--drop-in=a", "--", "/bin/b", "-x"];
    for (source, restart) in [
        (None, Some("Restart=on-failure")),
        (Some("[Service]\nType=forking\nRestart=always\nExecStart=/bin/a -d"), None),
        (Some("[Service]\nType=forking\nRestart=no\nExecStart=/bin/a -d"), Some("Restart=on-watchdog")),
    ] {
        let directives = directives(&print(&options, source).expect("printed"));
        let exec_start = directives.last().expect("a line");
        assert!(exec_start.ends_with(" -- /bin/b -x"), "{exec_start}");
        let found = directives.iter().find(|line| line.starts_with("Restart="));
        assert_eq!(found.map(String::as_str), restart);
    }
    let printed = print(&[&["--dry-run"], &options[..]].concat(), Some("[Service]\nExecStart=/bin/a -d"))
        .expect("printed");
    assert!(printed.contains("\n# - ExecStart=/bin/a -d → /bin/b -x, behind sd-watchdog\n"), "{printed}");
    assert!(printed.contains("\n# COMMAND, as it was given, behind sd-watchdog."), "{printed}");
}

#[test]
fn of_a_unit_that_is_not_known_the_default_of_the_start_is_named() {
    let named = |options: &[&str]| {
        let text = print(&[options, &["--drop-in=a", "--", "/bin/b"]].concat(), None).expect("printed");
        text.contains("\n# - TimeoutStartSec= (90 s, if nobody says it): now limits the time to the first ")
    };
    assert!(named(&[HTTP]));
    assert!(!named(&[HTTP, "--start-timeout=5min"]));
}

#[test]
fn what_is_printed_by_a_second_run_is_the_same_as_by_the_first() {
    for more in [
        "",
        "Restart=no",
        "Restart=always",
        "RootDirectory=/srv/a",
        "RestrictAddressFamilies=AF_INET",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "RestrictAddressFamilies=~AF_PACKET",
        "Type=notify-reload",
        "KillSignal=SIGQUIT\nExecStop=/bin/b",
        "WatchdogSec=30",
    ] {
        let source = format!("[Service]\nExecStart=/bin/a 'b -- c'\n{more}\n");
        let first = print_of_files(&[HTTP, "--drop-in=a"], &[("/a.service", &source)]).expect("printed");
        let files = [("/a.service", &source[..]), ("/a.service.d/zz-watchdog.conf", &first)];
        let second = print_of_files(&[HTTP, "--drop-in=a"], &files).expect("printed");
        assert_eq!(second, first, "{more}");
    }
}

#[test]
fn an_older_drop_in_of_another_name_is_named_since_both_would_count() {
    let source = "[Service]\nExecStart=/bin/a\n";
    let first = print(&[HTTP, "--drop-in=a"], Some(source)).expect("printed");
    let files = [("/a.service", source), ("/a.service.d/50-watchdog.conf", &first)];
    let second = print_of_files(&[HTTP, "--drop-in=a"], &files).expect("printed");
    assert!(
        second.contains("\n# It takes the place of /a.service.d/50-watchdog.conf: remove that first.\n"),
        "{second}"
    );
    assert_eq!(directives(&second), directives(&first));
}

#[test]
fn what_somebody_added_to_the_drop_in_is_named_and_a_units_own_file_is_none() {
    const OTHER: &str = "/a.service.d/zz-watchdog.conf";
    let source = "[Service]\nExecStart=/bin/a\n";
    let first = print(&[HTTP, "--drop-in=a"], Some(source)).expect("printed");
    let added = format!("{}\n[Service]\nLimitNOFILE=9\n", first.replace("WatchdogSec=5s", "WatchdogSec=7"));
    let named = |arguments: &[&str]| {
        let text = print_of_files(arguments, &[("/a.service", source), (OTHER, &added)]).expect("printed");
        let named: Vec<String> =
            text.lines().filter(|line| line.contains(OTHER)).map(ToOwned::to_owned).collect();
        named
    };
    let lines = named(&[HTTP, "--drop-in=a", "--timeout=1ms"]);
    assert!(
        matches!(&lines[..], [put, watchdog, limit] if put.starts_with("# Put it at ")
        && watchdog.starts_with("# - WatchdogSec=7 (/a.service.d/zz-watchdog.conf:12): is in the drop-in that ")
        && limit.starts_with("# - LimitNOFILE=9 (")),
        "{lines:#?}"
    );
    assert_eq!(named(&[HTTP, "--drop-in=a", "--watchdog-sec=3s"]).len(), 2);
    // The words in the unit's own file say nothing.
    let printed =
        print_of_files(&["--tcp=127.0.0.1:1", "--drop-in=a"], &[("/a.service", &first)]).expect("printed");
    assert!(printed.contains("\n# - ExecStart="), "its options count as somebody's: {printed}");
}

/// A marker of Ansible's in front, the first line gone, no comment left: it is overwritten all the same.
#[test]
fn what_has_the_printed_name_is_taken_off_and_what_it_loses_is_named_whoever_wrote_it() {
    const OURS: &str = "/etc/systemd/system/a.service.d/zz-watchdog.conf";
    let source = "[Service]\nExecStart=/usr/bin/x\nPIDFile=/run/a.pid\nRestart=on-success\n";
    let print = |arguments: &[&str], there: &str| {
        let arguments = [&["--drop-in=a"], arguments].concat();
        print_of_files(&arguments, &[("/a.service", source), (OURS, there)]).expect("printed")
    };
    let first = print_of_files(&[HTTP, "--drop-in=a"], &[("/a.service", source)]).expect("printed");
    let lines: Vec<&str> = first.lines().collect();
    let marked = format!("# Ansible managed\n{first}");
    let beheaded = lines[1..].join("\n");
    let stripped = directives(&first).join("\n");
    for there in [&marked, &beheaded, &stripped] {
        assert_eq!(print(&[HTTP], there), first, "{there}");
    }
    let printed = print(&["--tcp=127.0.0.1:1"], &format!("{marked}\n[Service]\nLimitNOFILE=9\n"));
    let named = |printed: &str| {
        let named = printed.lines().filter(|line| line.contains(OURS) && line.starts_with("# - "));
        named.map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(named(&printed), ["LimitNOFILE=9"], "{printed}");
    // Somebody's own, of that name.
    let printed = print(&[HTTP], "[Service]\nExecStart=\nExecStart=/bin/theirs\nPIDFile=/run/b.pid\n");
    assert_eq!(named(&printed), ["ExecStart=/bin/theirs", "PIDFile=/run/b.pid"], "{printed}");
    assert_eq!(directives(&printed), directives(&first));
}

/// `systemctl edit` writes `override.conf`, which was read behind 50-watchdog.conf: the start of a service that was not wrapped
/// timed out.
#[test]
fn what_is_printed_has_the_last_word_and_what_is_read_behind_it_is_named() {
    const EDITED: &str = "ExecStart=\nExecStart=/bin/b\nType=exec\nWatchdogSec=30\nTimeoutAbortSec=3";
    let with = |name: &str, text: &str| {
        let text = format!("[Service]\n{text}\n");
        let files = [("/a.service", "[Service]\nExecStart=/bin/a\n"), (name, &text)];
        let printed = print_of_files(&[HTTP, "--drop-in=a", "--dry-run"], &files).expect("printed");
        let named: Vec<_> = printed.split("\n# Before").next().unwrap_or_default().lines().collect();
        named.join("\n").replace("\n#   ", " ")
    };
    let behind = " is read behind this drop-in, and undoes its ";
    assert!(!with("/a.service.d/override.conf", EDITED).contains(behind));
    let last = with("/a.service.d/zzz.conf", EDITED);
    for undone in [
        "# - ExecStart=/bin/b (/a.service.d/zzz.conf:3): /a.service.d/zzz.conf is read behind this drop-in, and undoes its \
         ExecStart=/usr/bin/sd-watchdog ",
        "# - Type=exec (/a.service.d/zzz.conf:4): /a.service.d/zzz.conf is read behind this drop-in, and undoes its \
         Type=notify; give that file a name that comes before zz-watchdog.conf",
    ] {
        assert!(last.contains(undone), "{last}");
    }
    assert_eq!(last.matches(behind).count(), 2, "{last}");
    let followed = with("/a.service.d/zzz.conf", "PIDFile=/run/a.pid");
    assert!(followed.contains("undoes its PIDFile=none;"), "{followed}");
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    let forking = "[Service]\nType=forking\nExecStart=/bin/a";
    for (arguments, source, expected) in [
        (&[HTTP][..], None, "which COMMAND? Give it after --"),
        (&["--", "a"], None, "there is nothing to probe"),
        (&[HTTP, "--timeout=2s", "--", "a"], None, "interval 500 ms + 3 × timeout 2 s"),
        (&[HTTP, "--watchdog-sec=1ms", "--", "a"], None, "WatchdogSec is 1 ms, too short"),
        (&[HTTP, "--drop-in=a.socket"], None, "\"a.socket\" is not a service"),
        (&[HTTP, "--drop-in=../a"], None, "\"../a\" is not a service"),
        (&[HTTP, "--drop-in=a"], None, "there is no a.service: is the name right?"),
        (&[HTTP, "--drop-in=a"], Some(forking), "a.service is Type=forking: "),
        (
            &[HTTP, "--drop-in=a"],
            Some("[Service]\nExecStart=/bin/a 'b"),
            "systemd does not load a.service: line 2: ExecStart=: a quote in it is not closed; mend it first",
        ),
        (
            &[HTTP, "--drop-in=a", "--reload-signal=USR1"],
            Some("[Service]\nExecStart=/bin/a\nKillSignal=SIGUSR1"),
            "--reload-signal \"USR1\" is a stop signal",
        ),
        (
            &[HTTP, "--drop-in=a"],
            Some("[Service]\nExecStart=@/bin/a b"),
            "a.service: ExecStart=@/bin/a b: with the prefix @ its first argument",
        ),
    ] {
        let error = print(arguments, source).expect_err("cannot work");
        assert!(error.starts_with(expected), "{error}");
    }
}

/// systemd-analyze(1) knows what systemd would make of it.
#[test]
fn systemd_finds_nothing_to_complain_about() {
    let directory = tempfile::tempdir().expect("a directory");
    // Must be there to be run.
    let program = std::env::current_exe().expect("a path");
    let words = [
        "sd-watchdog",
        "unit",
        "--http=http://127.0.0.1:8080/?a=%20$b;'c'",
        "--header=A: \"b\\c\"",
        "--on-hang-exec",
        "gdb -p %p",
        "--metrics-file=/run/sleep/figures.prom",
        "--",
        "/bin/sleep",
        "1000",
        "a b",
        ";",
        "",
    ];
    let matches = Cli::command().try_get_matches_from(words).expect("a good command line");
    let Some(Sub::Unit(args)) = Cli::parse_from(words).subcommand else { panic!("not sd-watchdog unit") };
    let options = options::given(&matches);
    let plan = Plan {
        program: &program,
        options: &options,
        directory: directory.path(),
        is_watchdog_given: false,
        args: &args,
        next_options: &[],
        next: &[],
        has_selinux: false,
    };
    let whole = plan.text(|| panic!("there is nothing to read")).expect("printed");
    fs(directory.path().join("whole.service"), &whole);
    fs(directory.path().join("plain.service"), "[Service]\nExecStart=/bin/sleep 1000 a$$b \"%%\"\n");
    let drop_in = UnitArgs { drop_in: Some("plain".to_owned()), command: Vec::new(), ..(*args).clone() };
    let drop_in = Plan { args: &drop_in, ..plan }
        .text(|| read(&directory.path().join("plain.service").to_string_lossy(), &args))
        .expect("printed");
    std::fs::create_dir(directory.path().join("plain.service.d")).expect("a directory");
    fs(directory.path().join("plain.service.d/zz-watchdog.conf"), &drop_in);

    for unit in ["whole.service", "plain.service"] {
        let analyze = Command::new("systemd-analyze")
            .args(["verify", "--man=no", unit])
            .current_dir(directory.path())
            .env("SYSTEMD_UNIT_PATH", format!("{}:", directory.path().display()))
            .output()
            .expect("systemd-analyze");
        let said = String::from_utf8_lossy(&analyze.stderr);
        let said: Vec<&str> = said.lines().filter(|line| line.contains(unit)).collect();
        assert_eq!(said, [""; 0], "{unit}:\n{whole}\n{drop_in}");
    }
}

fn fs(path: PathBuf, text: &str) {
    std::fs::write(path, text).expect("a file");
}

/// Drop-ins that begin with a byte order mark, an odd number of backslashes, and a word that systemd passes over: what is
/// wrapped is what systemd would run.
#[test]
fn what_is_wrapped_is_what_systemd_would_run() {
    let of = |texts: &[&str]| directives(&print_of(&[HTTP, "--drop-in=a@b"], texts).expect("printed"));
    let wrapped =
        of(&["[Service]\nExecStart=/bin/old", "\u{feff}[Service]\nExecStart=\nExecStart=/bin/new %i"]);
    assert!(wrapped.last().expect("a line").ends_with(" -- /bin/new %i"), "{wrapped:?}");
    let kept = of(&["[Service]\nExecStart=/bin/a\nEnvironment=P=c:\\\\\nKillSignal=SIGQUIT"]);
    assert!(kept.last().expect("a line").contains(" --stop-signal SIGQUIT -- /bin/a"), "{kept:?}");
    let ignored = of(&["[Service]\nExecStart=/bin/a", "ExecStart=\nExecStart=/bin/b"]);
    assert!(ignored.last().expect("a line").ends_with(" -- /bin/a"), "{ignored:?}");
    let forking =
        print_of(&[HTTP, "--drop-in=a"], &["[Service]\nType=forking\nExecStart=/bin/a", "[Service]\nType="]);
    assert!(forking.expect_err("no").contains("is Type=forking"));
}

#[test]
fn a_template_and_a_unit_of_the_users_manager_are_told_where_their_drop_in_belongs() {
    let source = "[Service]\nExecStart=/bin/a %i";
    let text = print(&[HTTP, "--drop-in=a@"], Some(source)).expect("printed");
    assert!(text.contains("/etc/systemd/system/a@.service.d/zz-watchdog.conf"), "{text}");
    assert!(text.contains("systemctl restart 'a@*.service'"), "{text}");
    let text = print(&[HTTP, "--drop-in=a", "--user"], Some(source)).expect("printed");
    assert!(text.contains("~/.config/systemd/user/a.service.d/zz-watchdog.conf"), "{text}");
    assert!(text.contains("systemctl --user daemon-reload && systemctl --user restart a.service"), "{text}");
}

#[test]
fn whether_a_tree_has_selinux_its_own_configuration_says() {
    let tree = tempfile::tempdir().expect("a directory");
    assert!(!has_selinux(Some(tree.path())));
    std::fs::create_dir_all(tree.path().join("etc/selinux")).expect("a directory");
    for (text, expected) in
        [("# SELINUX=enforcing\nSELINUX=disabled\n", false), ("SELINUX=permissive\nSELINUXTYPE=mls\n", true)]
    {
        fs(tree.path().join("etc/selinux/config"), text);
        assert_eq!(has_selinux(Some(tree.path())), expected, "{text}");
    }
}

#[test]
fn a_directory_of_the_units_own_is_left_to_systemd() {
    let given = [HTTP, "--header-file", "%d/headers", "--drop-in=a"];
    let directives = directives(&print(&given, Some("[Service]\nExecStart=/bin/a")).expect("printed"));
    assert!(
        directives.last().expect("a line").contains(" --header-file %d/headers -- /bin/a"),
        "{directives:?}"
    );
}

#[test]
fn a_program_with_a_blank_in_its_path_is_one_path() {
    let words = ["sd-watchdog", "unit", HTTP, "--drop-in=a"];
    let matches = Cli::command().try_get_matches_from(words).expect("a good command line");
    let Some(Sub::Unit(args)) = Cli::parse_from(words).subcommand else { panic!("not sd-watchdog unit") };
    let options = options::given(&matches);
    let plan = Plan {
        program: Path::new("/opt/my tools/sd-watchdog"),
        options: &options,
        directory: Path::new("/srv"),
        is_watchdog_given: false,
        args: &args,
        next_options: &[],
        next: &[],
        has_selinux: false,
    };
    let name = UnitName::new("a").expect("a name");
    let source = b"[Service]\nExecStart=/bin/a\nRootDirectory=/srv/a\n";
    let text = plan.text(|| Ok(Unit::of_texts(&name, [("/a", &source[..])]))).expect("printed");
    assert!(text.contains("\nBindReadOnlyPaths=\"/opt/my tools/sd-watchdog\"\n"), "{text}");
    assert!(text.contains("\nExecStart=\"/opt/my tools/sd-watchdog\" "), "{text}");
}

/// What we print and show is itself by the rules that we have for others' units.
#[test]
fn units_of_ours_need_nothing_more() {
    let ini = |text: &str| {
        let block = text.split("```ini\n").nth(1).and_then(|rest| rest.split("```").next());
        block.expect("a unit").to_owned()
    };
    let whole = print(&[HTTP, "--", "/bin/a"], None).expect("printed");
    for text in [
        whole,
        ini(include_str!("../../../README.md")),
        ini(include_str!("../../../../README.md")),
        include_str!("../../../../server/buggy_server.service").to_owned(),
    ] {
        let printed = print(&[HTTP, "--dry-run", "--drop-in=a"], Some(&text)).expect("printed");
        assert!(!printed.contains("\n# Not as it was") && !printed.contains("--child-"), "{text}\n{printed}");
        let (_, changed) = printed.split_once("\n# Before → after:\n").expect("it is dry");
        let changed: Vec<&str> = changed.lines().filter(|line| line.starts_with("# - ")).collect();
        assert!(matches!(changed[..], [one] if one.starts_with("# - ExecStart=")), "{text}\n{changed:?}");
    }
}

#[test]
fn a_dry_run_says_what_is_before_and_after_and_what_is_kept() {
    let source =
        "[Unit]\nAfter=b\n[Service]\nExecStart=/bin/a\nRestart=no\nPIDFile=a.pid\nTimeoutAbortSec=3\n";
    let dry = print(&[HTTP, "--drop-in=a", "--dry-run"], Some(source)).expect("printed");
    let (drop_in, said) = dry.split_once("\n# Before → after:\n").expect("it is said");
    assert_eq!(
        said,
        "# - ExecStart=/bin/a → the same, behind sd-watchdog\n\
         # - ExecStopPost=(not set) → -+/bin/rm -f /run/a.pid\n\
         # - NotifyAccess=none → main\n\
         # - PIDFile=/run/a.pid → (not set)\n\
         # - Restart=no → on-watchdog\n\
         # - Type=simple → notify\n\
         # - WatchdogSec=0s → 5s\n\
         # Set by the unit, and kept: TimeoutAbortSec= After=\n"
    );
    let wet = print(&[HTTP, "--drop-in=a"], Some(source)).expect("printed");
    assert!(
        wet.starts_with("# Makes systemd restart a.service if it hangs. Printed by sd-watchdog "),
        "{wet}"
    );
    assert!(
        drop_in.starts_with("# Says in the log if a.service hangs, and no more (--dry-run). Printed by "),
        "{dry}"
    );
    let whole = print(&[HTTP, "--dry-run", "--", "/bin/a"], None).expect("printed");
    assert!(whole.contains("systemd restarts what crashes; a hang is only said (--dry-run).\n"), "{whole}");
    let dry: Vec<String> =
        directives(drop_in).into_iter().map(|line| line.replace(" --dry-run", "")).collect();
    assert_eq!(directives(&wet), dry);
    assert!(!wet.contains("Before →"), "{wet}");
}

#[test]
fn a_dry_run_tells_none_from_not_set_and_says_which_lines_get_another_name() {
    let changed = |more: &str| {
        let source = format!("[Service]\nExecStart=/bin/a\n{more}\n");
        let dry = print(&[HTTP, "--drop-in=a", "--dry-run"], Some(&source)).expect("printed");
        dry.split_once("\n# Before → after:\n").expect("it is said").1.to_owned()
    };
    let families = changed("RestrictAddressFamilies=none");
    assert!(
        families.contains("# - RestrictAddressFamilies=none → AF_INET AF_INET6 AF_NETLINK AF_UNIX\n"),
        "{families}"
    );
    let capabilities = changed("CapabilityBoundingSet=");
    assert!(capabilities.contains("Set by the unit, and kept: CapabilityBoundingSet=\n"), "{capabilities}");
    assert!(!changed("ExecStop=/usr/bin/a stop").contains("SyslogIdentifier"));
    assert!(changed("ExecStartPre=/bin/b").contains("# - SyslogIdentifier=(not set) → a\n"));
    // systemd passes over it there.
    let misplaced = changed("[Unit]\nSyslogIdentifier=b\nRestart=always\n[Install]\nWantedBy=c");
    assert!(misplaced.contains("kept: WantedBy= [Unit] Restart= [Unit] SyslogIdentifier=\n"), "{misplaced}");
}

#[test]
fn sets_behind_next_are_handed_on_in_their_order_and_checked() {
    let sets = [
        "--http=http://127.0.0.1/a",
        "--next",
        "--unix=run/x.sock",
        "--ready-only",
        "--next",
        "--exec",
        "./check -q",
        "--timeout=200ms",
        "--header-file=%d/headers",
        "--http=http://127.0.0.1/b",
        "--body=-x",
    ];
    let source = "[Service]\nType=exec\nExecStart=/bin/a\nWatchdogSec=5\nKillSignal=SIGQUIT\n";
    let drop_in = print(&[&["--drop-in", "a"], &sets[..]].concat(), Some(source)).expect("printed");
    let exec =
        directives(&drop_in).into_iter().find(|line| line.starts_with("ExecStart=/")).expect("a command");
    assert_eq!(
        exec,
        "ExecStart=/usr/bin/sd-watchdog --http http://127.0.0.1/a --child-pings require --stop-signal SIGQUIT --next \
         --unix /srv/run/x.sock --ready-only --next --exec \"/srv/check -q\" --timeout 200ms --header-file %d/headers \
         --http http://127.0.0.1/b --body=-x -- /bin/a"
    );
    for (sets, expected) in [
        (&["--tcp=a:1", "--next"][..], "set 2, behind --next: there is nothing to probe"),
        (&["--tcp=a:1", "--next", "--tcp=x"], "set 2, behind --next: --tcp x: no port"),
        (
            &["--tcp=a:1", "--next", "--tcp=b:1", "--timeout=2s"],
            "set 2, behind --next: interval 500 ms + 3 × timeout 2 s + 2 × retry-interval 50 ms = 6.6 s",
        ),
        (&["--tcp=a:1", "--ready-only"], "all probes are --ready-only"),
    ] {
        let error = print(&[sets, &["--", "/bin/a"]].concat(), None).expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}
