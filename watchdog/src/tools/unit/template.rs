//! The texts with their gaps filled. They stand in files of their own, to be read as units.

use std::fmt::{Display, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::directives::{Changed, Decision, Difference, shown};
use crate::unit::value::span;
use crate::unit::{Scope, UnitName};
use crate::words::span::Span;

const WHOLE: &str = include_str!("whole.service");
const DROP_IN: &str = include_str!("drop-in.conf");

/// What a drop-in is called. systemd reads them in the order of their names, and what is said last counts: it is to be behind
/// `override.conf` of `systemctl edit`, which may have an `ExecStart=` in it.
pub const FILE: &str = "zz-watchdog.conf";

/// What both have.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// The value of `ExecStart=`.
    pub exec_start: &'a str,
    /// `WatchdogSec=`
    pub watchdog: Duration,
    /// It is the unit's own: the service pings by itself, and is asked for it.
    pub pings: bool,
    /// Within what time sd-watchdog finds a hang itself; [`None`] if it leaves that to systemd.
    pub bound: Option<Duration>,
    /// A header on the command line that is a secret, by its name.
    pub secret: Option<&'a str>,
    /// Nothing is restarted for a hang.
    pub is_dry: bool,
    /// COMMAND as it stands in the unit, where it was given in place of the unit's own.
    pub command: Option<&'a str>,
}

impl Service<'_> {
    fn fill(&self, template: &str) -> String {
        let bound = match self.bound {
            Some(bound) => format!(
                "sd-watchdog finds a hang within {}; this is the net\n# below that, should sd-watchdog itself stall.",
                Span(bound)
            ),
            None => "systemd's timer may be late by up to 250 ms.".to_owned(),
        };
        let pings = if self.pings {
            "# The service has pinged by itself. It still has to (--child-pings require): one more probe, that sd-watchdog makes.\n"
        } else {
            ""
        };
        let secret = self.secret.map_or(String::new(), |name| {
            format!(
                "# Everybody on this machine can read this {name}, here and in the process list. Better have it in a file,\n\
                 # with LoadCredential=headers:PATH and, in place of --header, --header-file %d/headers.\n"
            )
        });
        let also = if self.is_dry { "a hang is only said (--dry-run)" } else { "this also if it hangs" };
        template
            .replace("@ALSO@", also)
            .replace("ExecStart=@EXEC_START@", &format!("{secret}ExecStart=@EXEC_START@"))
            .replace("WatchdogSec=@WATCHDOG_SEC@", &format!("{pings}WatchdogSec=@WATCHDOG_SEC@"))
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@BOUND@", &bound)
            .replace("@WATCHDOG_SEC@", &span(self.watchdog))
            // Last, since what people wrote may look like a gap.
            .replace("@EXEC_START@", self.exec_start)
    }
}

/// A unit of one's own; `runtime_directory` is where its figures are, in `/run`.
pub fn whole(name: &str, runtime_directory: Option<&str>, service: &Service<'_>) -> String {
    let metrics = runtime_directory.map_or(String::new(), |directory| {
        format!(
            "# Where --metrics-file is, for all to read. It is gone when the service is.\n\
             RuntimeDirectory={directory}\nRuntimeDirectoryMode=0755\n"
        )
    });
    service.fill(&WHOLE.replace("@NAME@", name).replace("@METRICS@", &metrics))
}

/// A drop-in for `unit`, of which this was decided, in place of `older` ones; what is not as before stands at its end.
pub fn drop_in(
    unit: &UnitName,
    scope: Scope,
    older: &[PathBuf],
    decision: &Decision,
    service: &Service<'_>,
) -> String {
    let mut more = String::new();
    for setting in &decision.settings {
        comment(&mut more, "", &setting.why);
        for line in &setting.lines {
            let _ = writeln!(more, "{line}");
        }
    }
    let mut rest = String::new();
    if !decision.named.is_empty() {
        rest.push_str("\n# Not as it was without sd-watchdog:\n");
    }
    for named in &decision.named {
        comment(&mut rest, "- ", named);
    }
    let (directory, systemctl) = match scope {
        Scope::System => ("/etc/systemd/system", "systemctl"),
        Scope::User => ("~/.config/systemd/user", "systemctl --user"),
    };
    // Of a template there are only instances to restart.
    let running =
        if unit.is_template() { format!("'{}@*.service'", unit.prefix()) } else { unit.to_string() };
    let mut others = String::new();
    for path in older {
        comment(
            &mut others,
            "",
            format_args!("It takes the place of {}: remove that first.", path.display()),
        );
    }
    let text = DROP_IN.replace("@DIRECTORY@", directory).replace("@SYSTEMCTL@", systemctl);
    let text = text.replace("@FILE@", FILE).replace("@OLDER@", &others);
    let does = if service.is_dry {
        "Says in the log if @UNIT@ hangs, and no more (--dry-run)"
    } else {
        "Makes systemd restart @UNIT@ if it hangs"
    };
    let text = text.replace("@DOES@", does).replace("@RUNNING@", &running).replace("@UNIT@", unit.as_str());
    let whose = match service.command {
        None => "The service's own command, behind sd-watchdog. The empty line takes the old one away.",
        Some(_) => "COMMAND, as it was given, behind sd-watchdog. The empty line takes the unit's own away.",
    };
    let text = text.replace("@TYPE@", decision.kind).replace("@WHOSE@", whose);
    // What people wrote may look like a gap.
    let (front, back) = text.split_once("@MORE@").unwrap_or_default();
    format!("{}{more}{}{rest}", service.fill(front), service.fill(back))
}

/// What a `--dry-run` says besides: every directive that is another, and those that are the same. `command` was given in place of
/// the unit's own.
pub fn difference(difference: &Difference, command: Option<&str>) -> String {
    let wrapped = match command {
        None => "the same, behind sd-watchdog".to_owned(),
        Some(command) => format!("{command}, behind sd-watchdog"),
    };
    let mut text = String::from("\n# Before → after:\n");
    for Changed { section, name, before, after } in &difference.changed {
        let before = if before.is_empty() { "(not set)" } else { before };
        let after = match name.as_str() {
            "ExecStart" => &wrapped,
            _ if after.is_empty() => "(not set)",
            _ => after,
        };
        comment(&mut text, "- ", format_args!("{}{before} → {after}", shown(section, name)));
    }
    if !difference.kept.is_empty() {
        comment(&mut text, "", format_args!("Set by the unit, and kept: {}", difference.kept.join(" ")));
    }
    text
}

/// A comment, in lines of at most 120 characters where words allow it; those after the first are indented as `mark` is long.
fn comment(into: &mut String, mark: &str, text: impl Display) {
    const WIDTH: usize = 118;
    let text = text.to_string();
    let indent = " ".repeat(mark.len());
    let mut line = format!("# {mark}");
    let mut is_first = true;
    for word in text.split_whitespace() {
        if !is_first && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(into, "{line}");
            line = format!("# {indent}");
            is_first = true;
        }
        if !is_first {
            line.push(' ');
        }
        line.push_str(word);
        is_first = false;
    }
    let _ = writeln!(into, "{line}");
}
