//! The texts with their gaps filled. They stand in files of their own, to be read as units.

use std::fmt::Write;
use std::time::Duration;

use super::source::Source;
use crate::unit::value::span;
use crate::unit::{Scope, UnitName};
use crate::words::span::Span;

const WHOLE: &str = include_str!("whole.service");
const DROP_IN: &str = include_str!("drop-in.conf");

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
        template
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

/// A drop-in for `unit`, which is `source` as far as it is known. `program` is where sd-watchdog is, quoted; `families` are those
/// that it needs.
pub fn drop_in(
    unit: &UnitName,
    scope: Scope,
    source: Option<&Source>,
    program: &str,
    families: &[&str],
    service: &Service<'_>,
) -> String {
    // What is there already is said again all the same: it may stand in the drop-in that this one takes the place of.
    let mut more = match source {
        Some(source) => format!(
            "# After a hang systemd has to start it again: as the unit has it, or else for that alone.\nRestart={}\n",
            source.restart().unwrap_or("on-watchdog")
        ),
        None => {
            "# After a hang and after a crash. Take this out if the unit says it, or more, itself.\nRestart=on-failure\n"
                .to_owned()
        }
    };
    if let Some(root) = source.and_then(Source::root) {
        let _ = writeln!(
            more,
            "# The service sees {root} as /: sd-watchdog must be in there too, with the libraries it is linked to.\n\
             BindReadOnlyPaths={program}"
        );
    }
    if source.is_some_and(Source::restricts_address_families) {
        let _ = writeln!(
            more,
            "# For probes, for systemd, and for the kernel's list of sockets in the hang report; beside the unit's own.\n\
             RestrictAddressFamilies={}",
            families.join(" ")
        );
    }
    if let Some(commands) = source.map(Source::exec_stop).filter(|commands| !commands.is_empty()) {
        more.push_str(
            "# While these of the unit run, sd-watchdog probes on: before it triggers it asks systemd, which then says that it\n\
             # is stopping the unit.\n",
        );
        for command in commands {
            let _ = writeln!(more, "# ExecStop={command}");
        }
    }
    let kind = match source.map(Source::kind) {
        Some("notify-reload") => "notify-reload",
        _ => "notify",
    };
    let (directory, systemctl) = match scope {
        Scope::System => ("/etc/systemd/system", "systemctl"),
        Scope::User => ("~/.config/systemd/user", "systemctl --user"),
    };
    // Of a template there are only instances to restart.
    let running =
        if unit.is_template() { format!("'{}@*.service'", unit.prefix()) } else { unit.to_string() };
    let text = DROP_IN.replace("@DIRECTORY@", directory).replace("@SYSTEMCTL@", systemctl);
    let text = text.replace("@RUNNING@", &running).replace("@UNIT@", unit.as_str());
    service.fill(&text.replace("@TYPE@", kind).replace("@MORE@", &more))
}
