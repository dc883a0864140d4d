//! What a scenario brings into its machine, and what a package's service finds there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use harness::machine::Machine;
use harness::scenario::{Loader, Scenario};
use libtest_mimic::Completion;
use tempfile::TempDir;

use crate::lab::{Backend, hangproof, output_of, root, run_on};

/// A scenario of a file in a directory with others.
fn read(directory: &Path, text: &str) -> Scenario {
    let path = directory.join("my.toml");
    fs::write(&path, text).expect("written");
    let loader = Loader { host_files: true, tree: root(), set: Vec::new() };
    loader.load_all([&*path.to_string_lossy()]).unwrap_or_else(|error| panic!("{error}")).swap_remove(0)
}

fn passes(machine: &dyn Machine, scenario: &Scenario) {
    let ended = run_on(machine, scenario, 1);
    assert!(ended.error.is_none(), "{}", ended.error.expect("an error"));
    let trial = ended.result.expect("a result").trials.pop().expect("a trial");
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
}

fn sh(machine: &dyn Machine, command: &str) -> String {
    let output = machine.run(&["sh", "-c", command], Duration::from_secs(10)).expect("it runs");
    format!("{}{}", output.stdout, output.stderr).trim().to_owned()
}

pub fn files_come_with_the_mode_of_their_source_and_with_their_owner(backend: Backend) {
    let directory = TempDir::new().expect("a directory");
    let here = directory.path();
    let put = |path: &str, content: &str, mode: u32| {
        fs::create_dir_all(here.join(path).parent().expect("one")).expect("made");
        fs::write(here.join(path), content).expect("written");
        fs::set_permissions(here.join(path), fs::Permissions::from_mode(mode)).expect("set");
    };
    put("run.sh", "#!/bin/sh\nexec /usr/local/bin/buggy_server --notify=gated\n", 0o755);
    put("key", "secret", 0o600);
    put("etc/conf.d/a.conf", "a", 0o640);
    symlink("conf.d/a.conf", here.join("etc/current")).expect("linked");
    let text = r#"
extends = "undisturbed"
[service]
users = ["keeper"]
enabled = true
files = { "/opt/app/run.sh" = "run.sh", "/etc/my/key" = { from = "key", owner = "keeper:keeper" }, "/etc/my/etc" = "etc", "/etc/my/text" = { text = "t", mode = "0400" } }
directories = { "/var/lib/my" = { owner = "keeper", mode = "0710" } }
override = { Service = { ExecStart = ["", "/opt/app/run.sh"], DynamicUser = false, User = "www-data", SupplementaryGroups = "tls" } }
"#;
    let mut machine = backend.boot();
    passes(machine.as_ref(), &read(here, text));
    let of = |path: &str| sh(machine.as_ref(), &format!("stat -c '%a %U:%G' {path}"));
    for (path, expected) in [
        ("/opt/app/run.sh", "755 root:root"),
        ("/etc/my/key", "600 keeper:keeper"),
        ("/etc/my/etc/conf.d/a.conf", "640 root:root"),
        ("/etc/my/text", "400 root:root"),
        ("/var/lib/my", "710 keeper:root"),
    ] {
        assert_eq!(of(path), expected, "{path}");
    }
    assert_eq!(
        sh(machine.as_ref(), "readlink /etc/my/etc/current; cat /etc/my/etc/current"),
        "conf.d/a.conf\na"
    );
    let user = "stat -c %U /proc/$(systemctl show --value --property=MainPID buggy_server); id -nG www-data >/dev/null && systemctl is-enabled buggy_server";
    assert_eq!(sh(machine.as_ref(), user), "www-data\nenabled");
    machine.close().expect("it closes");
}

/// A run of the program in this directory.
fn program(directory: &Path, arguments: &[&str]) -> (Output, String) {
    let root = root();
    let mut command = Command::new(hangproof());
    command.args(arguments).args(["--machine", "namespace", "--root", &root.to_string_lossy()]);
    let output = output_of(command.current_dir(directory));
    let said =
        [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    (output, said)
}

pub fn a_limit_that_nothing_enforces_is_named_and_a_controller_that_is_required_is_skipped_for(
    backend: Backend,
) -> Completion {
    let mut machine = backend.boot();
    let there = sh(machine.as_ref(), "cat /sys/fs/cgroup/cgroup.controllers");
    machine.close().expect("it closes");
    if there.split_whitespace().any(|controller| controller == "memory") {
        return Completion::ignored_with("the machine has the controller");
    }
    let directory = TempDir::new().expect("a directory");
    let limited = "extends = \"undisturbed\"\n[service.override.Service]\nMemoryMax = \"1G\"\n";
    fs::write(directory.path().join("limited.toml"), limited).expect("written");
    let required = format!("{limited}[service.requires]\ncontrollers = [\"memory\"]\n");
    fs::write(directory.path().join("required.toml"), required).expect("written");
    let (output, said) = program(directory.path(), &["run", "limited.toml", "--report", "r.jsonl"]);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("MemoryMax=1G has no effect: the machine has no cgroup controller memory"),
        "{said}"
    );
    let replayed =
        Command::new(hangproof()).args(["replay", "r.jsonl"]).current_dir(directory.path()).output();
    assert_eq!(replayed.expect("it runs").stdout, output.stdout, "a replay shows what the run has shown");
    let (output, said) = program(directory.path(), &["run", "required.toml"]);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("SKIP  needs the cgroup controller memory, and the machine has "), "{said}");
    Completion::Completed
}

pub fn a_unit_that_cannot_be_enabled_is_told_with_systemctls_words(backend: Backend) {
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join("own.service"), "[Service]\nExecStart=/bin/sleep 9\n").expect("written");
    let text = "extends = \"undisturbed\"\n[service]\nunit = \"own.service\"\nenabled = true\n";
    let mut machine = backend.boot();
    let error =
        run_on(machine.as_ref(), &read(directory.path(), text), 1).error.expect("an error").to_string();
    assert!(
        error.starts_with("systemd cannot enable own.service: ") && error.contains("no installation config"),
        "{error}"
    );
    machine.close().expect("it closes");
}

pub fn a_matrix_is_run_case_by_case(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let text = "extends = \"classic\"\n[matrix]\nWatchdogSec = [\"2s\", \"3s\"]\n";
    fs::write(directory.path().join("both.toml"), text).expect("written");
    let (output, said) = program(directory.path(), &["run", "both.toml"]);
    assert!(output.status.success(), "{said}");
    for name in ["both[WatchdogSec=2s]", "both[WatchdogSec=3s]"] {
        assert!(said.contains(&format!("{name}  ")), "{said}");
    }
    assert!(said.contains("within WatchdogSec (2 s)") && said.contains("within WatchdogSec (3 s)"), "{said}");
}

pub fn a_question_is_asked_without_a_file(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let unit = "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=1\nRestart=always\nRestartSec=0\nTimeoutAbortSec=1\nExecStart=/bin/sh -c \
        'systemd-notify --ready; (while sleep 0.2; do systemd-notify WATCHDOG=1; done) & exec systemd-socket-activate --accept --inetd \
        -l 127.0.0.1:7000 /bin/echo hello'\n";
    fs::write(directory.path().join("echo.service"), unit).expect("written");
    let asked = ["run", "--unit", "./echo.service", "--tcp", "127.0.0.1:7000", "--answer", "hello"];
    let (output, said) = program(directory.path(), &asked);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("nothing is done to echo") && said.contains("PASS  undisturbed for 2 s"), "{said}");
    let (output, said) =
        program(directory.path(), &[&asked[..], &["--fault", "sigstop", "--within", "3s"]].concat());
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("sigstop is done to echo") && said.contains("PASS  restarted by the watchdog"),
        "{said}"
    );
}

/// A service as Debian packages it.
pub struct Packaged {
    /// The program whose absence says that the package is not installed, and the package.
    pub program: &'static str,
    pub package: &'static str,
    pub unit: &'static str,
    /// What its scenario says in `[service]` beside the unit.
    service: &'static str,
    /// Where it is asked.
    observe: &'static str,
}

pub const PACKAGED: [Packaged; 6] = [
    Packaged {
        program: "/usr/bin/redis-server",
        package: "redis-server",
        unit: "redis-server",
        service: r#"files = { "/etc/redis" = "tree:/etc/redis" }"#,
        observe: r#"tcp = "127.0.0.1:6379"
send = "PING\r\n"
expect = "+PONG""#,
    },
    Packaged {
        program: "/usr/bin/memcached",
        package: "memcached",
        unit: "memcached",
        service: r#"files = { "/etc/memcached.conf" = "tree:/etc/memcached.conf" }"#,
        observe: r#"tcp = "127.0.0.1:11211"
send = "version\r\n"
expect = "VERSION""#,
    },
    Packaged {
        program: "/usr/sbin/nginx",
        package: "nginx-light",
        unit: "nginx",
        service: r#"users = ["www-data"]
files = { "/etc/nginx" = "tree:/etc/nginx", "/var/www/html" = "tree:/var/www/html" }"#,
        observe: r#"http = "http://127.0.0.1/""#,
    },
    Packaged {
        program: "/usr/sbin/lighttpd",
        package: "lighttpd",
        unit: "lighttpd",
        service: r#"[service.files]
"/etc/lighttpd" = "tree:/etc/lighttpd"
"/etc/mime.types" = "tree:/etc/mime.types"
"/var/www/html" = "tree:/var/www/html""#,
        observe: r#"tcp = "127.0.0.1:80"
send = "GET / HTTP/1.0\r\n\r\n"
expect = "HTTP/1.0 ""#,
    },
    Packaged {
        program: "/usr/bin/tinyproxy",
        package: "tinyproxy",
        unit: "tinyproxy",
        service: r#"files = { "/etc/tinyproxy" = "tree:/etc/tinyproxy" }"#,
        observe: r#"tcp = "127.0.0.1:8888"
send = "GET http://tinyproxy.stats/ HTTP/1.0\r\n\r\n"
expect = "HTTP/1""#,
    },
    Packaged {
        program: "/usr/sbin/mosquitto",
        package: "mosquitto",
        unit: "mosquitto",
        service: r#"users = ["mosquitto"]
files = { "/etc/mosquitto" = "tree:/etc/mosquitto" }"#,
        // CONNECT of a client named "p" in a clean session, and CONNACK that takes it (MQTT 3.1.1, 3.1 and 3.2).
        observe: r#"tcp = "127.0.0.1:1883"
send = "\u0010\r\u0000\u0004MQTT\u0004\u0002\u0000\n\u0000\u0001p"
expect = " \u0002\u0000\u0000""#,
    },
];

/// Its scenario names the unit and its `/etc`, and it serves.
pub fn finds_what_its_package_brings(Packaged { unit, service, observe, .. }: &Packaged) {
    let text = format!(
        "description = \"as packaged\"\n[service]\nunit = \"tree:{unit}.service\"\n{service}\n[observe]\n{observe}\n\
        [expect]\noutcome = \"undisturbed\"\nundisturbed_for = \"1s\"\n"
    );
    let directory = TempDir::new().expect("a directory");
    let mut machine = Backend::Namespace.boot();
    passes(machine.as_ref(), &read(directory.path(), &text));
    machine.close().expect("it closes");
}
