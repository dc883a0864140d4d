//! `sd-watchdog check`, `unit`, `completions` and `man`, as programs.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

use common::program;

fn sd_watchdog(arguments: &[&str]) -> Command {
    let mut program = Command::new(program());
    program.args(arguments);
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"] {
        program.env_remove(name);
    }
    program
}

fn run(arguments: &[&str]) -> Output {
    sd_watchdog(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Answers one request with `status`.
fn server(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/healthz", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).unwrap() > 0);
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    });
    url
}

#[test]
fn check_says_healthy_and_exits_with_0() {
    let url = server("200 OK");
    let output = run(&["check", "--http", &url]);
    let said = text(&output.stdout);
    assert!(said.starts_with(&format!("healthy: {url} answered in ")) && said.ends_with("s\n"), "{said}");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn check_says_why_it_is_unhealthy_on_standard_output_and_exits_with_1() {
    let unavailable = server("503 Service Unavailable");
    for (url, reason) in [(&*unavailable, "status 503\n"), ("http://127.0.0.1:1/", "connection refused\n")] {
        let output = run(&["check", "--http", url]);
        let said = text(&output.stdout);
        assert!(said.starts_with("unhealthy: ") && said.ends_with(reason), "{said}");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    }
}

#[test]
fn check_says_that_it_cannot_tell_and_exits_with_3() {
    for probe in ["--exec=/nonexistent", "--http=http://nonexistent.invalid/"] {
        let output = run(&["check", probe, "--timeout=20s"]);
        let said = text(&output.stdout);
        assert!(said.starts_with("cannot probe: "), "{said}");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), ""));
    }
}

#[cfg(feature = "tls")]
#[test]
fn check_warns_of_a_key_that_everybody_can_read() {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    let made = rcgen::generate_simple_self_signed(vec!["probe".to_owned()]).unwrap();
    write(&cert, made.cert.pem()).unwrap();
    write(&key, made.signing_key.serialize_pem()).unwrap();
    let [cert, key_path] = [&cert, &key].map(|path| path.to_str().unwrap());
    let warning =
        format!("everybody on this machine can read the key in --key {key_path}: chmod o= {key_path}");
    for (mode, is_said) in [(0o644, true), (0o640, false)] {
        set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let output = run(&[
            "check",
            "--http",
            "https://127.0.0.1:1/",
            "--insecure",
            "--cert",
            cert,
            "--key",
            key_path,
        ]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(text(&output.stderr).contains(&warning), is_said, "{output:?}");
    }
}

#[test]
fn check_prints_one_object_with_the_outcome_of_each_probe() {
    let (healthy, unavailable) = (server("200 OK"), server("503 Service Unavailable"));
    let command = r#"sh -c "printf %s '\"no\\'; exit 1""#;
    let output = run(&["check", "--json", "--exec", command, "--http", &healthy, "--http", &unavailable]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), ""));
    assert!(text(&output.stdout).ends_with("}\n") && text(&output.stdout).lines().count() == 1, "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let status = format!("{unavailable}: status 503");
    assert_eq!(
        (&said["outcome"], &said["cause"], &said["reason"]),
        (&"unhealthy".into(), &"status".into(), &status.clone().into())
    );
    let probes = said["probes"].as_array().unwrap();
    let took: Vec<u64> = probes.iter().map(|row| row["took_usec"].as_u64().unwrap()).collect();
    assert!(took.iter().all(|took| *took > 0 && *took <= said["took_usec"].as_u64().unwrap()), "{said}");
    let rows: Vec<_> = probes
        .iter()
        .map(|row| (&row["probe"], &row["outcome"], row.get("cause"), row.get("reason")))
        .collect();
    let name = format!("exec '{command}'");
    let reason = format!("{name}: exit code 1: \"no\\");
    assert_eq!(
        rows,
        [
            (&healthy.into(), &"healthy".into(), None, None),
            (&unavailable.into(), &"unhealthy".into(), Some(&"status".into()), Some(&status.into())),
            (&name.into(), &"unhealthy".into(), Some(&"exec".into()), Some(&reason.into())),
        ]
    );
    for (probe, code, outcome) in [("--exec=true", 0, "healthy"), ("--exec=/nonexistent", 3, "cannot_probe")]
    {
        let output = run(&["check", probe, "--json"]);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &said["outcome"]), (Some(code), &outcome.into()), "{said}");
        assert_eq!(said.get("reason").is_some(), code != 0, "{said}");
    }
    assert_eq!(run(&["check", "--exec=true", "--json", "--quiet"]).status.code(), Some(2));
}

#[test]
fn check_keeps_its_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let output = run(&["check", "--http", &url, "--timeout", "50ms"]);
    let said = text(&output.stdout);
    assert!(said.ends_with("no answer in 50 ms after the request was sent\n"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_version_is_told_wherever_it_is_asked_for() {
    for arguments in [&["--version"][..], &["check", "--version"], &["unit", "-V"]] {
        let output = run(arguments);
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).ends_with(concat!(" ", env!("CARGO_PKG_VERSION"), "\n")), "{output:?}");
    }
}

#[test]
fn check_is_quiet_when_it_is_to_be() {
    let output = run(&["check", "--quiet", "--http", "http://127.0.0.1:1/"]);
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(1), "", ""));
}

#[test]
fn check_exits_with_2_when_it_is_asked_nonsense() {
    for arguments in [
        &["check"][..],
        &["check", "--http", "nonsense"],
        &["check", "--http=http://a/", "--timeout=0s"],
        &["check", "--http=http://127.0.0.1:1/", "--timeout=500000000000y"],
    ] {
        let output = run(arguments);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let zero = run(&["check", "--http=http://a/", "--timeout=0s"]);
    assert!(text(&zero.stderr).contains("give it at least 100us, or leave it out for 5s"), "{zero:?}");
}

#[test]
fn check_leaves_no_process_behind_not_even_one_that_nobody_waits_for() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let sleeper = format!("echo $$ > {}; exec sleep 1000", file.display());
    let daemon = format!("setsid -f sh -c \"{}\"", sleeper.replace('$', "\\$"));
    let daemon = format!("{daemon}; until test -s {}; do sleep 0.01; done", file.display());
    for (script, timeout, code) in [(&daemon, "30s", 0), (&sleeper, "1s", 1)] {
        let _ = std::fs::remove_file(&file);
        let output = run(&["check", "--timeout", timeout, "--exec", &format!("sh -c '{script}'")]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let pid = std::fs::read_to_string(&file).unwrap();
        let process = std::path::Path::new("/proc").join(pid.trim());
        assert!(!process.exists(), "{script}: {:?}", std::fs::read_to_string(process.join("stat")));
    }
}

/// The tree of another system: nothing of the one that runs is asked, and no link leads out of it.
#[test]
fn unit_wraps_what_a_tree_or_a_file_has() {
    let tree = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = tree.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("usr/lib/systemd/system/a.service", "[Service]\nType=exec\nRestart=always\nExecStart=/bin/old\n");
    write("etc/systemd/system/a.service.d/x.conf", "\u{feff}[Service]\nExecStart=\nExecStart=/bin/a $X\n");
    write("usr/lib/systemd/system/masked.service", "");
    write("opt/linked.service", "[Service]\nExecStart=/bin/linked\n");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, tree.path().join("etc/systemd/system").join(name)).unwrap();
    };
    link("/usr/lib/systemd/system/a.service", "alias.service");
    link("/opt/linked.service", "linked.service");
    let unit = |arguments: &[&str]| {
        let mut program = sd_watchdog(&["unit", "--http=http://127.0.0.1:8080/", "--drop-in"]);
        program.args(arguments).env("PATH", "/nonexistent").env("SYSTEMD_COLORS", "1").output().unwrap()
    };
    let root = tree.path().to_str().unwrap();
    let file = tree.path().join("usr/lib/systemd/system/a.service");
    for (arguments, command) in [
        (&["a", "--root", root][..], "/bin/a $X"),
        (&["alias", "--root", root], "/bin/a $X"),
        (&["linked", "--root", root], "/bin/linked"),
        (&[file.to_str().unwrap()], "/bin/old"),
    ] {
        let output = unit(arguments);
        let expected =
            format!("ExecStart={} \\\n    --http http://127.0.0.1:8080/ \\\n    -- {command}\n", program());
        assert!(text(&output.stdout).contains(&expected), "{}", text(&output.stdout));
        assert_eq!(output.status.code(), Some(0));
        // What is not as before is said in both.
        let named = "TimeoutStartSec=90s (the default): now limits the time to the first healthy probe too; ";
        let said = text(&output.stderr);
        assert!(text(&output.stdout).contains(&format!("\n# - {named}")), "{}", text(&output.stdout));
        assert!(said.contains(&format!(".service: {named}")) && said.lines().count() == 1, "{said}");
    }
    for (name, expected) in [
        ("b", format!("there is no b.service in {root}: is the name right?")),
        ("masked", "masked.service is masked: systemd starts nothing of it; systemctl unmask".to_owned()),
    ] {
        let output = unit(&[name, "--root", root]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
        assert!(text(&output.stderr).starts_with(&format!("sd-watchdog: {expected}")), "{output:?}");
    }
}

/// What nobody would call a unit: a clear word, in time.
#[test]
fn unit_says_of_a_file_that_is_none_what_it_is() {
    use std::io::Write;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(format!("{name}.service"));
    let write = |name: &str, bytes: &[u8]| std::fs::write(path(name), bytes).unwrap();
    let plain = b"[Service]\nExecStart=/bin/a\n";
    write("long", &[b"[Service]\nExecStart=/bin/a ".as_slice(), &vec![b'x'; 10_000_000]].concat());
    write("zeros", &vec![0; 10_000_000]);
    // systemd ends a line at a zero.
    write("zero", b"[Service]\nExecStart=/bin/a\0Restart=always\0b c\n");
    write("empty", b"");
    write("huge", plain);
    std::fs::File::options().write(true).open(path("huge")).unwrap().set_len(70 << 20).unwrap();
    std::fs::create_dir(path("directory")).unwrap();
    nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("loop.service", path("loop")).unwrap();
    let mut many = std::io::BufWriter::new(std::fs::File::create(path("many")).unwrap());
    many.write_all(plain).unwrap();
    for index in 0..50_000 {
        writeln!(many, "Environment=A{index}={:040}\nExecStartPre=/bin/b {index}\nAfter=c{index}.service", 0)
            .unwrap();
    }
    drop(many);
    let unit = |name: &str| {
        let path = path(name);
        let arguments = ["unit", "--http=http://127.0.0.1:8080/", "--drop-in", path.to_str().unwrap()];
        let begin = std::time::Instant::now();
        let output = sd_watchdog(&arguments).output().unwrap();
        assert!(begin.elapsed() < std::time::Duration::from_secs(60), "{name}: {:?}", begin.elapsed());
        output
    };
    for (name, expected) in [
        ("long", "systemd does not load long.service: line 2: the line is too long (1 MiB at most"),
        ("zeros", "systemd does not load zeros.service: it has no ExecStart="),
        ("huge", "huge.service is longer than 64 MiB: that is no unit"),
        ("empty", "empty.service is masked: "),
        ("directory", "directory.service is neither a file nor /dev/null"),
        ("fifo", "fifo.service is neither a file nor /dev/null"),
        ("loop", "loop.service cannot be read: Too many levels of symbolic links"),
        ("absent", "absent.service cannot be read: No such file or directory"),
    ] {
        let output = unit(name);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{name}: {output:?}");
        assert!(text(&output.stderr).contains(expected), "{name}: {output:?}");
    }
    for name in ["zero", "many"] {
        let output = unit(name);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains("    -- /bin/a\n"), "{name}");
    }
    assert!(!text(&unit("zero").stdout).contains("\nRestart="));
}

#[test]
fn unit_says_what_to_do_where_systemd_cannot_be_asked() {
    // A user's manager that is nowhere, and one that takes the connection and says nothing.
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("systemd")).unwrap();
    let socket = directory.path().join("systemd/private");
    let ask = || {
        let mut program = sd_watchdog(&["unit", "--http=http://127.0.0.1:8080/", "--user", "--drop-in", "a"]);
        program
            .env("XDG_RUNTIME_DIR", directory.path())
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .output()
            .unwrap()
    };
    let output = ask();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    let expected = format!("sd-watchdog: systemd cannot be asked, neither at {} (", socket.display());
    assert!(text(&output.stderr).starts_with(&expected), "{output:?}");
    assert!(text(&output.stderr).contains("--root / reads the files instead"), "{output:?}");
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let begin = std::time::Instant::now();
    let output = ask();
    assert!(
        text(&output.stderr).starts_with("sd-watchdog: systemd does not answer in 5 s; --root /"),
        "{output:?}"
    );
    assert!(begin.elapsed() < std::time::Duration::from_secs(20));
}

#[cfg(feature = "manual")]
#[test]
fn completions_are_scripts_that_know_the_options() {
    for (shell, word) in [("bash", "--on-hang-exec"), ("zsh", "--on-hang-exec"), ("fish", "on-hang-exec")] {
        let output = run(&["completions", shell]);
        assert!(output.status.success() && text(&output.stdout).contains(word), "{shell}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("script");
        std::fs::write(&file, run(&["completions", shell]).stdout).unwrap();
        match Command::new(shell).arg("-n").arg(&file).status() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                eprintln!("{shell} is not installed: skipped");
            }
            status => assert!(status.unwrap().success(), "{shell}"),
        }
    }
}

#[cfg(feature = "manual")]
#[test]
fn bash_completes_the_options_of_the_program_and_of_its_subcommands() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("sd-watchdog.bash");
    std::fs::write(&script, run(&["completions", "bash"]).stdout).unwrap();
    for (words, expected) in [
        (&["--on-hang-e"][..], &["--on-hang-exec"][..]),
        (&["check", "--ex"], &["--exec", "--expect"]),
        (&["guard", "--max"], &["--max-restarts"]),
        (&["unit", "--http=http://a/", "--drop"], &["--drop-in"]),
    ] {
        // As bash does it: the function gets the command, the word and the one before it.
        let complete = "source \"$1\"; shift; COMP_WORDS=(sd-watchdog \"$@\"); COMP_CWORD=$#; \
                        name=$(complete -p sd-watchdog | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
                        $name sd-watchdog \"${@: -1}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                        printf '%s\\n' \"${COMPREPLY[@]}\"";
        let output =
            Command::new("bash").args(["-c", complete, "bash"]).arg(&script).args(words).output().unwrap();
        let mut found: Vec<_> = text(&output.stdout).lines().collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn what_cannot_be_printed_is_no_success_but_a_verdict_stands() {
    let unit = ["unit", "--http=http://a/", "--", "/bin/a"];
    for (arguments, expected) in [
        (&["--help"][..], 70),
        (&["--version"], 70),
        (&unit, 70),
        #[cfg(feature = "manual")]
        (&["completions", "bash"], 70),
        (&["check", "--http=http://127.0.0.1:1/"], 1),
        (&["check", "--exec=true"], 0),
    ] {
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        for stdout in [std::process::Stdio::from(closed), full.into()] {
            let output = sd_watchdog(arguments).stdout(stdout).output().unwrap();
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}");
            let said = text(&output.stderr);
            assert_eq!(said.starts_with("sd-watchdog: cannot print: "), expected == 70, "{said}");
        }
    }
}

#[cfg(feature = "manual")]
#[test]
fn man_writes_a_page_for_each_use_and_says_where_it_cannot() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man/man1");
    assert!(run(&["man", pages.to_str().unwrap()]).status.success());
    let mut names: Vec<_> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = ["sd-watchdog-check.1", "sd-watchdog-guard.1", "sd-watchdog-unit.1", "sd-watchdog.1"];
    assert_eq!(names, expected);
    let output = run(&["man", "/proc/nowhere"]);
    assert_eq!(output.status.code(), Some(70));
    let said = text(&output.stderr);
    assert!(said.starts_with("sd-watchdog: cannot make the directory /proc/nowhere: "), "{said}");
}
