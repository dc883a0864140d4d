//! Whether the program of `sd-watchdog` is to be seen, and executed, from within the unit (systemd.exec(5), "Sandboxing").

use std::path::PathBuf;

use super::decide::Subject;
use super::facts::Facts;
use crate::unit::words::{Escapes, Rules, first};

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is there.
    There,
    /// It is not, unless it is bound there; by this directive.
    Away(&'static str),
    /// It is not, and what is bound there would be hidden as well (`drop_inaccessible` in systemd's src/core/namespace.c).
    Hidden(&'static str),
}

/// What `ProtectHome=` is about.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// Whether it is to be seen. To a command with the prefix `+` nothing is hidden but by `RootDirectory=` (`needs_sandboxing` and
/// `apply_root_directory` in systemd's src/core/exec-invoke.c).
pub fn of(facts: Facts<'_>, subject: &Subject<'_>) -> Reach {
    let program = subject.program;
    if subject.flags().is_privileged {
        return root_directory(facts).map_or(Reach::There, |_| Reach::Hidden("RootDirectory"));
    }
    let under = |paths: &[&str]| paths.iter().any(|path| program.starts_with(path));
    let home = facts.0.value("ProtectHome");
    if under(&HOMES) && facts.is_yes("ProtectHome") {
        return Reach::Hidden("ProtectHome");
    }
    if paths(facts.list("InaccessiblePaths")).any(|path| program.starts_with(path)) {
        return Reach::Hidden("InaccessiblePaths");
    }
    if root(facts).is_some() {
        return Reach::Away("RootDirectory");
    }
    if under(&HOMES) && home.and_then(|home| home.text()) == Some("tmpfs") {
        return Reach::Away("ProtectHome");
    }
    let is_private = facts.0.value("PrivateTmp").is_some_and(|value| value.flag() != Some(false));
    if under(&["/tmp", "/var/tmp"]) && (is_private || facts.is_yes("DynamicUser")) {
        return Reach::Away("PrivateTmp");
    }
    let covers = |path: &str| program.starts_with(path);
    // `TemporaryFileSystem=/var:ro`
    let temporary = facts.list("TemporaryFileSystem").iter();
    if temporary.map(|entry| entry.split(':').next().unwrap_or_default()).any(covers) {
        return Reach::Away("TemporaryFileSystem");
    }
    // `BindPaths=/srv/a:/usr/bin`, `MountImages=/srv/a.raw:/usr:root:ro`
    let is_covered = |entry: &String| {
        let mut parts = entry.trim_start_matches('-').split(':');
        let (source, destination) = (parts.next(), parts.next());
        source != destination && destination.is_some_and(covers)
    };
    for name in ["BindPaths", "BindReadOnlyPaths"] {
        if facts.list(name).iter().any(is_covered) {
            return Reach::Away(name);
        }
    }
    if words(facts, "MountImages").any(|entry| is_covered(&entry)) {
        return Reach::Away("MountImages");
    }
    Reach::There
}

/// It cannot be executed: `NoExecPaths=` names what it is in more narrowly than `ExecPaths=`.
pub fn is_noexec(facts: Facts<'_>, subject: &Subject<'_>) -> bool {
    let program = subject.program;
    if subject.flags().is_privileged {
        return false;
    }
    let longest = |name| {
        let lengths = paths(facts.list(name)).filter(|path| program.starts_with(path));
        lengths.map(|path| path.components().count()).max().unwrap_or(0)
    };
    longest("NoExecPaths") > longest("ExecPaths")
}

/// `RootDirectory=`, `RootImage=` or, from systemd 260 on, `RootMStack=`.
pub fn root(facts: Facts<'_>) -> Option<&str> {
    root_directory(facts)
        .or_else(|| ["RootImage", "RootMStack"].into_iter().find_map(|name| facts.text_or_written(name)))
}

/// Another one than the system's.
pub fn root_directory(facts: Facts<'_>) -> Option<&str> {
    facts.text_or_written("RootDirectory").filter(|root| *root != "/")
}

/// The words of lines that are known as lines alone, unquoted.
fn words(facts: Facts<'_>, name: &str) -> impl Iterator<Item = String> {
    let lines = facts.list(name).iter();
    lines.flat_map(|line| {
        let mut rest = line.as_str();
        let next = move || first(&mut rest, Rules { quotes: true, escapes: Escapes::Literal }).ok().flatten();
        std::iter::from_fn(next).map(|found| String::from_utf8_lossy(&found.bytes).into_owned())
    })
}

/// Paths of a list that may have `-` and `+` in front.
fn paths(list: &[String]) -> impl Iterator<Item = PathBuf> {
    list.iter().map(|word| PathBuf::from(word.trim_start_matches(['-', '+'])))
}
