//! `install.sh`, into a directory that stands for a machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot even ask has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, starts_with};
use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh");

/// A directory with two stand-in programs, and one to install them into.
struct Machine {
    programs: TempDir,
    root: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { programs: TempDir::new().unwrap(), root: TempDir::new().unwrap() };
        for name in ["buggy_server", "sd-watchdog"] {
            machine.build(name, "first");
        }
        machine
    }

    fn build(&self, name: &str, text: &str) {
        let path = self.programs.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn script(&self) -> Command {
        let mut command = Command::new("sh");
        command.arg(SCRIPT).env_remove("PREFIX");
        command.env("DESTDIR", self.root.path()).env("BINDIR", self.programs.path());
        command
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![self.root.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { directories.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files.iter().map(|path| path.strip_prefix(self.root.path()).unwrap().to_owned()).collect()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.root.path().join(path)).unwrap().permissions().mode() & 0o7777
    }
}

#[test]
fn it_installs_two_programs_and_the_unit() {
    let machine = Machine::new();
    machine.script().assert().success().stdout(contains("systemctl enable --now buggy_server"));
    let expected = [
        "etc/systemd/system/buggy_server.service",
        "usr/local/bin/buggy_server",
        "usr/local/bin/sd-watchdog",
    ];
    assert_eq!(machine.files(), expected.map(PathBuf::from));
    assert_eq!(expected.map(|path| machine.mode(path)), [0o644, 0o755, 0o755]);
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("buggy_server.service");
    assert_eq!(fs::read(machine.root.path().join(expected[0])).unwrap(), fs::read(unit).unwrap());
}

#[test]
fn a_second_run_changes_nothing_but_what_is_new() {
    let machine = Machine::new();
    machine.script().assert().success().stdout(contains("unchanged").not());
    machine
        .script()
        .assert()
        .success()
        .stdout(contains("unchanged").count(3).and(contains("installed").not()));
    machine.build("buggy_server", "second");
    machine
        .script()
        .assert()
        .success()
        .stdout(contains("unchanged").count(2).and(contains("installed  ").count(1)));
    assert_eq!(fs::read_to_string(machine.root.path().join("usr/local/bin/buggy_server")).unwrap(), "second");
}

#[test]
fn the_unit_follows_the_prefix() {
    let machine = Machine::new();
    machine.script().env("PREFIX", "/opt/hang").assert().success();
    let unit =
        fs::read_to_string(machine.root.path().join("etc/systemd/system/buggy_server.service")).unwrap();
    assert!(
        unit.contains("\nExecStart=/opt/hang/bin/sd-watchdog ")
            && unit.contains(" /opt/hang/bin/buggy_server ")
    );
    assert!(!unit.contains("/usr/local"), "{unit}");
    machine.script().env("PREFIX", "relative").assert().code(1).stderr(contains("absolute"));
}

#[test]
fn uninstalling_leaves_nothing_and_may_be_repeated() {
    let machine = Machine::new();
    machine.script().assert().success();
    let theirs = machine.root.path().join("usr/local/bin/theirs");
    fs::write(&theirs, "").unwrap();
    machine.script().arg("--uninstall").assert().success().stdout(contains("removed").count(3));
    assert_eq!(machine.files(), [PathBuf::from("usr/local/bin/theirs")]);
    machine.script().arg("--uninstall").assert().success().stdout(contains("not there").count(3));
}

#[test]
fn without_the_programs_it_says_how_to_build_them_and_installs_nothing() {
    let machine = Machine::new();
    fs::remove_file(machine.programs.path().join("sd-watchdog")).unwrap();
    machine
        .script()
        .assert()
        .code(1)
        .stderr(contains("cargo build --profile dist -p watchdog && cargo build --profile dist -p server"));
    assert!(machine.files().is_empty());
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let machine = Machine::new();
    machine.script().arg("--purge").assert().code(2).stderr(contains("unknown option '--purge'"));
    machine.script().arg("--help").assert().success().stdout(starts_with("Usage: "));
    assert!(machine.files().is_empty());
}
