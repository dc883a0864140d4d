//! Implementations of sd_notify(3) that are not ours, each as a program that speaks to a relay.
//!
//! What of a program is not installed is said, and in CI (`CI=true`) is a failure; what an older version does not have is
//! said by name.

use std::path::Path;
use std::process::Output;

use super::*;
use crate::systemd::message::WatchdogWord;

/// What is heard of a peer.
#[derive(Debug, Clone, PartialEq)]
struct Heard {
    by: Speaker,
    said: Notification,
    /// For systemd, with so many descriptors.
    pass_on: Option<(String, usize)>,
}

/// As whom it spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Itself,
    /// As its parent, which COMMAND is here.
    Command,
    Other(i32),
}

impl Heard {
    fn new(said: Notification) -> Self {
        Self { by: Speaker::Itself, said, pass_on: None }
    }

    fn passed_on(words: &str, descriptors: usize) -> Self {
        let stores = words.contains("FDSTORE=1");
        let said = Notification { stores, ..Notification::default() };
        Self { pass_on: Some((words.to_owned(), descriptors)), ..Self::new(said) }
    }

    fn barrier() -> Self {
        let said = Notification { barrier: true, ..Notification::default() };
        Self { pass_on: Some(("BARRIER=1".to_owned(), 1)), ..Self::new(said) }
    }

    fn by_command(self) -> Self {
        Self { by: Speaker::Command, ..self }
    }
}

fn ready() -> Notification {
    Notification { ready: true, ..Notification::default() }
}

fn stopping() -> Notification {
    Notification { stopping: true, ..Notification::default() }
}

fn watchdog(word: WatchdogWord) -> Notification {
    Notification { watchdog: Some(word), ..Notification::default() }
}

fn reloading(monotonic_usec: Option<u64>) -> Notification {
    Notification { reloading: Some(Reloading { monotonic_usec }), ..Notification::default() }
}

/// At both kinds of addresses. The directory is that of the path.
fn relays() -> ([Relay; 2], tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let surroundings = Surroundings {
        unit: Some("a.service".to_owned()),
        runtime_directory: Some(directory.path().into()),
        ..Surroundings::default()
    };
    let at_path = Relay::at_home(Home::find(), &surroundings).expect("a relay");
    assert!(at_path.address().to_string_lossy().starts_with('/'));
    ([at_path, relay()], directory)
}

/// Lets a peer speak to its end. Every barrier is passed as soon as it is heard.
async fn hear(relay: &Relay, mut peer: Command) -> (Vec<Heard>, Output) {
    peer.env("NOTIFY_SOCKET", relay.address()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = peer.spawn().expect("a process");
    let pid = child.id().cast_signed();
    let speaker = |is| match is {
        is if is == pid => Speaker::Itself,
        is if is == own_pid() => Speaker::Command,
        other => Speaker::Other(other),
    };
    let heard = |Received { pid, said, pass_on }| {
        let pass_on = pass_on.as_ref().map(|datagram| {
            (String::from_utf8_lossy(&datagram.bytes).into_owned(), datagram.descriptors.len())
        });
        Heard { by: speaker(pid), said, pass_on }
    };
    let (over, mut end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || over.send(child.wait_with_output()));
    let mut all = Vec::new();
    let listening = async {
        loop {
            tokio::select! {
                output = &mut end => return output.expect("its end").expect("its output"),
                () = relay.wait() => {}
            }
            if let Next::Notification(received) = relay.take(own_pid(), None).expect("received") {
                all.push(heard(*received));
            }
        }
    };
    let output = alarm::timeout(AMPLE, listening).await.expect("it ends in time");
    all.extend(relay.last_words(own_pid(), None).map(heard));
    (all, output)
}

/// What is heard of a peer at either address.
async fn assert_heard(peer: impl Fn() -> Command, expected: &[Heard]) {
    let (relays, _directory) = relays();
    for relay in &relays {
        let (heard, output) = hear(relay, peer()).await;
        assert!(output.status.success(), "{}: {output:?}", relay.address().display());
        assert_eq!(heard, expected, "{}", relay.address().display());
    }
}

/// Whether a test can be made; it needs this of that Debian package.
fn is_there(what: &str, package: &str, found: bool) -> bool {
    if !found {
        assert!(std::env::var_os("CI").is_none(), "in CI there must be {what}: apt-get install {package}");
        tell(&format!("skipped: needs {what}: apt-get install {package}"));
    }
    found
}

/// Debian's, which its packages are for.
fn python(script: &str) -> Command {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script]);
    python
}

fn imports(module: &str) -> bool {
    let import = python(&format!("import {module}")).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn the_module_sdnotify_of_pypi_is_heard() {
    if !is_there("Python's sdnotify", "python3-sdnotify", imports("sdnotify")) {
        return;
    }
    let expected = [
        Heard::new(ready()),
        Heard {
            pass_on: Some(("X_A=1".to_owned(), 0)),
            ..Heard::new(Notification { watchdog: Some(WatchdogWord::Ping), ..status("at work") })
        },
        Heard::new(reloading(Some(17))),
        Heard::passed_on("ERRNO=5", 0),
        Heard::new(status(&"x".repeat(4089))),
        Heard::new(stopping()),
    ];
    assert_heard(|| python(include_str!("sdnotify.py")), &expected).await;
}

#[tokio::test]
async fn python_systemd_is_heard() {
    let found = imports("systemd.daemon");
    if !is_there("python3-systemd", "python3-systemd", found) || !is_root("python3-systemd") {
        return;
    }
    let expected = [
        Heard::new(ready()),
        Heard::new(status("café")),
        Heard::new(watchdog(WatchdogWord::Ping)).by_command(),
        Heard::passed_on("FDSTORE=1\nFDNAME=pipe", 1),
        Heard::passed_on("FDSTOREREMOVE=1\nFDNAME=pipe", 0).by_command(),
        Heard::new(stopping()),
    ];
    assert_heard(|| python(include_str!("python_systemd.py")), &expected).await;
}

#[tokio::test]
async fn what_go_does_when_it_dials_is_heard() {
    if !is_there("Python", "python3", Path::new("/usr/bin/python3").exists()) {
        return;
    }
    let expected = [
        Heard::new(ready()),
        Heard::new(status("at work")),
        Heard::new(watchdog(WatchdogWord::Ping)),
        Heard::new(stopping()),
    ];
    assert_heard(|| python(include_str!("like_go.py")), &expected).await;
}

#[tokio::test]
async fn a_program_with_libsystemd_is_heard() {
    let found = Path::new("/usr/include/systemd/sd-daemon.h").exists();
    if !is_there("libsystemd's header", "gcc libsystemd-dev", found) || !is_root("libsystemd") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("libsystemd");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/systemd/relay/tests/libsystemd.c");
    let compiled = Command::new("gcc")
        .args(["-Wall", "-Werror", "-o"])
        .args([&program, &source])
        .arg("-lsystemd")
        .output()
        .expect("a compiler");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let extend = Some(Duration::from_micros(5));
    let store = Heard::passed_on;
    let mut expected = vec![
        Heard::new(Notification { ready: true, ..status("up") }),
        Heard::new(status("1 of 2")),
        Heard::new(watchdog(WatchdogWord::Ping)).by_command(),
        Heard::new(Notification { extend, ..Notification::default() }).by_command(),
        store("FDSTORE=1\nFDNAME=pipe", 2),
        store("FDSTORE=1", 1).by_command(),
        Heard::barrier(),
        Heard::new(status(&"x".repeat(4089))),
    ];
    let lacks = Command::new(&program).arg("lacks").output().expect("a process").stdout;
    tell(&String::from_utf8_lossy(&lacks));
    if lacks.is_empty() {
        expected.extend([store("FDSTORE=1", 1).by_command(), Heard::barrier().by_command()]);
    }
    expected.push(Heard::new(stopping()));
    let run = || {
        let mut program = Command::new(&program);
        program.env("WATCHDOG_USEC", "2000000").env_remove("WATCHDOG_PID");
        program
    };
    assert_heard(run, &expected).await;
}

/// What `systemd-notify ARGUMENTS` is heard to say, followed by a barrier unless that is not to be waited for.
#[tokio::test]
async fn systemd_notify_is_heard_with_each_of_its_options() {
    let help = Command::new("systemd-notify").arg("--help").output();
    if !is_there("systemd-notify", "systemd", help.is_ok()) || !is_root("systemd-notify") {
        return;
    }
    let help = String::from_utf8_lossy(&help.expect("its help").stdout).into_owned();
    let own_pid = own_pid().unsigned_abs();
    let mainpid = |pid| Notification { mainpid: Some(pid), ..Notification::default() };
    let store = Heard::passed_on("FDSTORE=1\nFDNAME=null", 1);
    let both = Notification { watchdog: Some(WatchdogWord::Ping), ..status("both") };
    for (option, arguments, said) in [
        ("--ready", "--ready", vec![Heard::new(ready())]),
        ("--reloading", "--reloading", vec![Heard::new(reloading(Some(0)))]),
        ("--stopping", "--stopping", vec![Heard::new(stopping())]),
        ("--status", "--status=at|work", vec![Heard::new(status("at work"))]),
        ("--pid", "--pid", vec![Heard::new(mainpid(own_pid))]),
        ("--pid", &format!("--pid={own_pid}"), vec![Heard::new(mainpid(own_pid))]),
        ("--uid", "--uid=nobody --ready", vec![Heard::new(ready())]),
        ("--fd", "--fd=0 --fdname=null", vec![store]),
        ("--exec", "--exec --ready ; true", vec![Heard::new(ready())]),
        ("--booted", "--booted", vec![]),
        ("--booted", "--booted --ready", vec![]),
        ("--no-block", "--no-block --ready", vec![Heard::new(ready())]),
        ("", "WATCHDOG=1 STATUS=both", vec![Heard::new(both)]),
        ("", "X_A=1 ERRNO=5", vec![Heard::passed_on("X_A=1\nERRNO=5", 0)]),
    ] {
        if !help.contains(option) {
            tell(&format!("skipped: systemd-notify {option}: this version does not have it"));
            continue;
        }
        let waits = !said.is_empty() && option != "--no-block";
        let expected: Vec<_> =
            said.into_iter().chain(waits.then(Heard::barrier)).map(Heard::by_command).collect();
        let arguments: Vec<_> = arguments.split(' ').map(|argument| argument.replace('|', " ")).collect();
        let (relays, _directory) = relays();
        for relay in &relays {
            let mut peer = Command::new("systemd-notify");
            peer.args(&arguments).stdin(Stdio::null());
            let (mut heard, output) = hear(relay, peer).await;
            let is_asked = option == "--booted";
            assert!(is_asked || output.status.success(), "{arguments:?}: {output:?}");
            // Later ones say of every failure how they end, and "no" is one.
            let is_end = |heard: &Heard| heard.pass_on == Some(("EXIT_STATUS=1".to_owned(), 0));
            heard.retain(|heard| !(is_asked && is_end(heard)));
            for heard in &mut heard {
                // What the clock says is not the same twice.
                if let Some(Reloading { monotonic_usec: Some(usec) }) = &mut heard.said.reloading {
                    assert_ne!(std::mem::take(usec), 0);
                }
                // As whom it asks for that is not the same in all versions.
                if heard.said.barrier {
                    heard.by = Speaker::Command;
                }
                // Of the process that it names, where the kernel can tell.
                heard.said.kept_back.retain(|line| !line.starts_with("MAINPIDFDID="));
            }
            assert_eq!(heard, expected, "{arguments:?} at {}", relay.address().display());
        }
    }
}

/// Speaks by each function of the crate. The environment is that of a process.
#[test]
#[expect(unsafe_code, reason = "what changes the environment is not safe beside threads that read it")]
fn helper_that_speaks_by_every_function_of_the_crate_sd_notify() {
    use sd_notify::NotifyState as Say;
    if std::env::var_os("TEST_OF_SD_NOTIFY").is_none() {
        return;
    }
    let (_ours, theirs) = pipe();
    sd_notify::booted().expect("known");
    let two_seconds = Some(Duration::from_secs(2));
    assert_eq!(sd_notify::watchdog_enabled(), two_seconds);
    let say = |words: &[Say<'_>]| sd_notify::notify(words).expect("said");
    say(&[Say::Ready, Say::Status("at work")]);
    say(&[Say::Reloading, Say::monotonic_usec_now().expect("the time")]);
    say(&[Say::Errno(2), Say::BusError("a.b.C"), Say::Custom("X_A=1")]);
    say(&[Say::Watchdog]);
    say(&[Say::WatchdogTrigger]);
    say(&[Say::WatchdogUsec(5), Say::ExtendTimeoutUsec(7), Say::MainPid(std::process::id())]);
    let with =
        |words: &[Say<'_>], descriptors: &[_]| sd_notify::notify_with_fds(words, descriptors).expect("said");
    with(&[Say::FdStore, Say::FdName("pipe")], &[theirs.as_fd(), theirs.as_fd()]);
    with(&[Say::Custom("BARRIER=1")], &[theirs.as_fd()]);
    say(&[Say::FdStoreRemove, Say::FdName("pipe")]);
    // SAFETY: no other thread of this process reads or writes the environment at this time: it was started to run this
    // test alone.
    unsafe {
        assert_eq!(sd_notify::watchdog_enabled_and_unset_env(), two_seconds);
        let address = std::env::var_os("NOTIFY_SOCKET").expect("an address");
        let words = [Say::FdStore, Say::FdName("last")];
        sd_notify::notify_with_fds_and_unset_env(&words, &[theirs.as_fd()]).expect("said");
        assert_eq!(std::env::var_os("NOTIFY_SOCKET"), None);
        #[expect(clippy::disallowed_methods, reason = "as above; for the next function that unsets it")]
        std::env::set_var("NOTIFY_SOCKET", address);
        sd_notify::notify_and_unset_env(&[Say::Stopping]).expect("said");
    }
    say(&[Say::Status("to nobody")]);
    assert_eq!(sd_notify::watchdog_enabled(), None);
}

fn crate_sd_notify() -> Command {
    let mut peer = this_program(
        "systemd::relay::tests::peers::helper_that_speaks_by_every_function_of_the_crate_sd_notify",
    );
    peer.env("TEST_OF_SD_NOTIFY", "1").env("WATCHDOG_USEC", "2000000").env_remove("WATCHDOG_PID");
    peer
}

#[tokio::test]
async fn every_function_of_the_crate_sd_notify_is_heard_at_a_path() {
    let ([at_path, _], _directory) = relays();
    let (mut heard, output) = hear(&at_path, crate_sd_notify()).await;
    assert!(output.status.success(), "{output:?}");
    let Some(Heard { said: Notification { mainpid: Some(pid), kept_back, .. }, .. }) =
        heard.iter_mut().find(|heard| heard.said.mainpid.is_some())
    else {
        panic!("no MAINPID: {heard:?}")
    };
    let pid = *pid;
    assert_eq!(std::mem::take(kept_back), ["WATCHDOG_USEC=5"]);
    let time = heard.iter_mut().find_map(|heard| heard.said.reloading.as_mut()).expect("a reload");
    assert_ne!(time.monotonic_usec.replace(0), None);
    let expected = [
        Heard::new(Notification { ready: true, ..status("at work") }),
        Heard::new(reloading(Some(0))),
        Heard::passed_on("ERRNO=2\nBUSERROR=a.b.C\nX_A=1", 0),
        Heard::new(watchdog(WatchdogWord::Ping)),
        Heard::new(watchdog(WatchdogWord::Trigger)),
        Heard::new(Notification {
            extend: Some(Duration::from_micros(7)),
            mainpid: Some(pid),
            ..Notification::default()
        }),
        Heard::passed_on("FDSTORE=1\nFDNAME=pipe", 2),
        Heard::barrier(),
        Heard::passed_on("FDSTOREREMOVE=1\nFDNAME=pipe", 0),
        Heard::passed_on("FDSTORE=1\nFDNAME=last", 1),
        Heard::new(stopping()),
    ];
    assert_eq!(heard, expected);
}

/// It takes every address for a path: what `README.md` says of it, and what a path is for.
#[tokio::test]
async fn the_crate_sd_notify_does_not_get_to_an_abstract_address() {
    let ([_, at_abstract], _directory) = relays();
    let (heard, output) = hear(&at_abstract, crate_sd_notify()).await;
    assert_eq!((heard, output.status.success()), (vec![], false));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No such file or directory"), "{output:?}");
}
