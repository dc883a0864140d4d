//! The decision on a unit.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use nix::libc::SIGHUP;

use super::facts::Facts;
use super::named::{self, Named};
use super::reach::{self, Reach};
use super::refused::{self, NotWrappable};
use super::signals;
use super::translate;
use crate::cli::{ChildPings, ChildReady, WrapperArgs};
use crate::service::signals::number;
use crate::tools::unit::UnitError;
use crate::unit::{Flags, Unit};

/// What is to be wrapped, and how.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The unit, without a drop-in of ours; [`None`]: it is not known, since COMMAND was given.
    pub unit: Option<&'a Unit>,
    /// COMMAND, if it was given.
    pub command: Option<&'a [OsString]>,
    /// What the service's program is called, as a unit has it.
    pub identifier: &'a str,
    /// Where `sd-watchdog` is.
    pub program: &'a Path,
    /// Its options, as they were typed.
    pub options: &'a [OsString],
    /// Those about what stands between.
    pub wrapper: &'a WrapperArgs,
    /// SELinux is in use where the unit runs.
    pub has_selinux: bool,
}

/// What the drop-in sets, and what is to be said.
#[derive(Debug, Clone)]
pub struct Decision {
    /// `Type=`
    pub kind: &'static str,
    /// The unit's own `WatchdogSec=`.
    pub watchdog: Option<Duration>,
    /// By which the service pings itself.
    pub pings: bool,
    /// Further options of `sd-watchdog`.
    pub options: Vec<OsString>,
    /// With these.
    pub wrapper: WrapperArgs,
    /// What else is set, in order.
    pub settings: Vec<Setting>,
    /// What is not as before.
    pub named: Vec<Named>,
}

/// Lines of a drop-in that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The reason, without the `#`.
    pub why: String,
    /// `Restart=always`
    pub lines: Vec<String>,
}

impl Setting {
    pub(super) fn new<const N: usize>(why: &str, lines: [String; N]) -> Self {
        Self { why: why.to_owned(), lines: lines.into() }
    }
}

impl Subject<'_> {
    /// Whether an option was typed.
    pub fn is_typed(&self, name: &str) -> bool {
        self.options.iter().any(|option| option == name)
    }

    /// The prefixes that the service's command has behind the drop-in.
    pub fn flags(&self) -> Flags {
        match (self.command, self.unit.map(|unit| unit.commands("ExecStart"))) {
            (None, Some([command, ..])) => command.flags,
            _ => Flags::default(),
        }
    }

    /// Whether anything is to be reached over IP.
    pub fn probes_internet(&self) -> bool {
        ["--http", "--tcp", "--grpc", "--metrics"].into_iter().any(|name| self.is_typed(name))
    }

    /// What sd-watchdog itself opens: systemd's socket, the kernel's list of sockets, and where it probes.
    pub fn families(&self) -> Vec<&'static str> {
        let mut families = vec!["AF_UNIX", "AF_NETLINK"];
        if self.probes_internet() {
            families.extend(["AF_INET", "AF_INET6"]);
        }
        families
    }
}

/// What becomes of a unit; an error, if it is not to be wrapped.
pub fn decide(subject: &Subject<'_>) -> Result<Decision, UnitError> {
    let mut decision = Decision {
        kind: "notify",
        watchdog: None,
        pings: false,
        options: Vec::new(),
        wrapper: subject.wrapper.clone(),
        settings: Vec::new(),
        named: Vec::new(),
    };
    let Some(unit) = subject.unit else {
        decision.settings = translate::of_unknown();
        decision.named.extend(named::of_unknown(subject));
        return Ok(decision);
    };
    let facts = Facts(unit);
    let refuse = |source| UnitError::not_wrappable(unit, source);
    if subject.command.is_none() {
        let refusals = refused::by_directives(facts);
        if !refusals.is_empty() {
            return Err(refuse(NotWrappable::Directives(refusals)));
        }
        if let Some(no_signal) = signals::that_is_none(facts) {
            return Err(refuse(NotWrappable::NoSignal(no_signal)));
        }
    }
    if let Reach::Hidden(by) = reach::of(facts, subject) {
        return Err(refuse(refused::hidden(facts, by, subject.program)));
    }
    if facts.kind() == "notify-reload" {
        decision.kind = "notify-reload";
    }
    decision.watchdog = facts.watchdog();
    decision.pings = facts.pings();
    if facts.is_notify()
        && !facts.is_wrapped()
        && subject.command.is_none()
        && !subject.is_typed("--child-ready")
    {
        decision.wrapper.child_ready = ChildReady::Require;
        decision.add("--child-ready", "require");
    }
    if decision.pings && !facts.hears_all() && !subject.is_typed("--child-pings") {
        decision.wrapper.child_pings = ChildPings::Require;
        decision.add("--child-pings", "require");
    }
    let stop_signals = signals::that_stop(facts, subject.wrapper.reload_signal.as_deref());
    for signal in &stop_signals {
        let is_given = decision.wrapper.stop_signal.iter().any(|given| number(given) == Some(*signal));
        if !is_given {
            let name = signals::option(*signal);
            decision.add("--stop-signal", &name);
            decision.wrapper.stop_signal.push(name);
        }
    }
    // SIGHUP is one anyway.
    if let Some(signal) = signals::that_reloads(facts, &stop_signals).filter(|signal| *signal != SIGHUP)
        && !subject.is_typed("--reload-signal")
        && !decision.wrapper.stop_signal.iter().any(|given| number(given) == Some(signal))
    {
        let name = signals::option(signal);
        decision.add("--reload-signal", &name);
        decision.wrapper.reload_signal = Some(name);
    }
    decision.settings = translate::all(subject, facts)?;
    decision.named = named::all(subject, facts);
    Ok(decision)
}

impl Decision {
    fn add(&mut self, option: &str, value: &str) {
        self.options.extend([option, value].map(OsString::from));
    }
}
