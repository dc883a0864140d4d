//! `install.sh`, into a directory that stands for a machine or a package.

#![cfg(feature = "manual")]
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

use common::program;

const ALWAYS: [&str; 12] = [
    "bin/sd-watchdog",
    "share/bash-completion/completions/sd-watchdog",
    "share/doc/sd-watchdog/CHANGELOG.md",
    "share/doc/sd-watchdog/LICENSE-APACHE",
    "share/doc/sd-watchdog/LICENSE-MIT",
    "share/doc/sd-watchdog/README.md",
    "share/fish/vendor_completions.d/sd-watchdog.fish",
    "share/man/man1/sd-watchdog-check.1",
    "share/man/man1/sd-watchdog-guard.1",
    "share/man/man1/sd-watchdog-unit.1",
    "share/man/man1/sd-watchdog.1",
    "share/zsh/site-functions/_sd-watchdog",
];

fn script(root: &Path) -> Command {
    // A host that is strict about new files must not make strict ones for others.
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec sh \"$@\"", "sh"]);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh"));
    command.env_remove("NATIVE").env("PREFIX", "/usr").env("DESTDIR", root);
    command.env("BINDIR", Path::new(program()).parent().unwrap());
    command
}

/// All files under `root`, sorted.
fn files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

#[test]
fn everything_goes_where_a_distribution_has_it_and_is_readable_for_all() {
    let root = TempDir::new().unwrap();
    script(root.path()).assert().success();
    let installed = files(root.path());
    for file in ALWAYS {
        assert!(installed.contains(&format!("usr/{file}")), "{file}: {installed:?}");
    }
    for file in &installed {
        let mode = fs::metadata(root.path().join(file)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, if file.starts_with("usr/bin/") { 0o755 } else { 0o644 }, "{file}");
    }
    let directory = |path: &Path| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o7777;
    for path in installed.iter().flat_map(|file| Path::new(file).ancestors().skip(1)) {
        if path != Path::new("") {
            assert_eq!(directory(path), 0o755, "{}", path.display());
        }
    }
    let page = fs::read_to_string(root.path().join("usr/share/man/man1/sd-watchdog.1")).unwrap();
    assert!(page.contains(".TH SD-WATCHDOG 1 "), "{page}");
}

#[test]
fn a_second_run_changes_nothing() {
    let root = TempDir::new().unwrap();
    script(root.path()).assert().success();
    let output = script(root.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().all(|line| line.starts_with("unchanged  ")), "{said}");
}

#[test]
fn uninstalling_leaves_nothing_of_it_and_all_of_others() {
    let root = TempDir::new().unwrap();
    script(root.path()).assert().success();
    fs::write(root.path().join("usr/bin/theirs"), "").unwrap();
    script(root.path()).arg("--uninstall").assert().success();
    assert_eq!(files(root.path()), ["usr/bin/theirs"]);
    script(root.path()).arg("--uninstall").assert().success();
}

#[test]
fn without_a_program_that_runs_nothing_is_installed() {
    let root = TempDir::new().unwrap();
    let nothing = TempDir::new().unwrap();
    let output = script(root.path()).env("BINDIR", nothing.path()).assert().code(1).get_output().clone();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cargo build --profile dist -p watchdog"), "{said}");
    script(root.path()).env("NATIVE", "/bin/false").assert().failure();
    script(root.path()).env("PREFIX", "relative").assert().code(1);
    script(root.path()).arg("--purge").assert().code(2);
    assert_eq!(files(root.path()), [""; 0]);
}
