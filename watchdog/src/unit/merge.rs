//! Assignments in their order, and what is in effect at the end: the parsers in src/core/load-fragment.c of systemd, and
//! what its src/core/service.c adds to them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::lines::{Assigned, Complaint, Fault, Lines};
use super::read::{self, Change};
use super::specifier::Subject;
use super::table::{self, Kind, Row, TABLE};
use super::value::{Statuses, Value};
use super::{Assignment, Load};
use crate::systemd::dbus::Property;

/// What the manager says of a unit, by the names of its properties.
pub type Properties = BTreeMap<String, Property>;

/// What system.conf has for all units (systemd-system.conf(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    /// `DefaultTimeoutStartSec=`
    pub timeout_start: Option<Option<Duration>>,
    /// `DefaultTimeoutStopSec=`
    pub timeout_stop: Option<Option<Duration>>,
    /// `DefaultTimeoutAbortSec=`
    pub timeout_abort: Option<Option<Duration>>,
    /// `DefaultRestartSec=`
    pub restart: Option<Option<Duration>>,
}

/// What is in effect, by section and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, BTreeMap<String, Entry>>);

/// Of one directive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// What is in effect.
    pub value: Option<Value>,
    /// By what.
    pub set_by: Vec<Assignment>,
}

/// What files make of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What they say.
    pub values: Values,
    /// Of each file, what was passed over in it.
    pub complaints: Vec<Vec<Complaint>>,
    /// Why systemd would not load it.
    pub refused: Option<String>,
}

impl Values {
    /// A directive's entry, by the name it is kept under.
    pub fn get(&self, section: &str, name: &str) -> Option<&Entry> {
        let (section, name) = table::canonical(section, name);
        self.0.get(section)?.get(name)
    }

    /// Of all directives that there is something to say about.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Entry)> {
        self.0.iter().flat_map(|(section, entries)| {
            entries.iter().map(|(name, entry)| (section.as_str(), name.as_str(), entry))
        })
    }

    fn entry(&mut self, section: &str, name: &str) -> &mut Entry {
        self.0.entry(section.to_owned()).or_default().entry(name.to_owned()).or_default()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.get("Service", name)?.value.as_ref()
    }

    fn is_set(&self, name: &str) -> bool {
        self.get("Service", name).is_some_and(|entry| !entry.set_by.is_empty())
    }
}

/// What files say, the unit's own first if `has_own`.
pub fn merge<'l>(files: impl IntoIterator<Item = &'l Lines>, has_own: bool, subject: Subject<'_>) -> Merged {
    let mut merged = Merged { values: Values::default(), complaints: Vec::new(), refused: None };
    for (index, lines) in files.into_iter().enumerate() {
        let mut complaints = lines.complaints.clone();
        let mut fatal = lines.complaints.iter().find(|complaint| complaint.fault.is_fatal()).cloned();
        for assigned in &lines.assigned {
            for fault in assign(&mut merged.values, index, assigned, subject) {
                complaints.push(Complaint { line: assigned.line, fault });
            }
            let last = complaints.last().filter(|last| last.line == assigned.line && last.fault.is_fatal());
            if let Some(last) = last {
                fatal = Some(last.clone());
                break;
            }
        }
        if let Some(Complaint { line, fault }) = fatal.filter(|_| has_own && index == 0) {
            merged.refused = Some(format!("line {line}: {fault}"));
        }
        complaints.sort_by_key(|complaint| complaint.line);
        merged.complaints.push(complaints);
    }
    for row in TABLE {
        if let Some(Value::List(list)) = &mut merged.values.entry(row.section, row.name).value {
            read::settle(row.kind, list);
        }
    }
    merged
}

/// Takes one assignment in; what is wrong with it.
fn assign(values: &mut Values, file: usize, assigned: &Assigned, subject: Subject<'_>) -> Vec<Fault> {
    let Assigned { section, key, value: text, line } = assigned;
    let mut faults = Vec::new();
    for (section, name) in table::targets(section, key) {
        let row = table::find(section, name);
        let entry = values.entry(section, name);
        let this = Assignment { file, line: *line, text: text.clone() };
        let outcome = read::read(row, &mut entry.value, text, subject);
        match outcome.change {
            Some(Change::Set(value)) => *entry = Entry { value: Some(value), set_by: vec![this] },
            Some(Change::Add(value)) => {
                entry.value = Some(value);
                entry.set_by.push(this);
            }
            Some(Change::Unset) => *entry = Entry::default(),
            None => {}
        }
        if let Some((why, is_fatal)) = outcome.fault {
            faults.push(Fault::Value { key: key.clone(), why, is_fatal });
        }
    }
    faults
}

/// Puts the manager's word over that of the files, and defaults where nobody says anything.
pub fn complete(values: &mut Values, manager: Option<&Properties>, defaults: Defaults) {
    let mut told = Vec::new();
    for row in TABLE {
        let property = row.property.and_then(|name| manager?.get(name));
        let Some(value) = property.and_then(|property| read::of_property(row.kind, property)) else {
            continue;
        };
        told.push((row.section, row.name));
        let entry = values.entry(row.section, row.name);
        entry.value = agreed(row.kind, entry.value.take(), value);
    }
    for row in TABLE.iter().filter(|row| !told.contains(&(row.section, row.name))) {
        let default = default(row, defaults);
        let entry = values.entry(row.section, row.name);
        if entry.value.is_none() {
            entry.value = default;
        }
    }
    derive(values, &told);
}

/// How commands are written is the files' to say, as long as they are the same commands.
fn agreed(kind: Kind, files: Option<Value>, manager: Option<Value>) -> Option<Value> {
    match (files, manager) {
        (Some(Value::Commands(files)), Some(Value::Commands(manager))) => {
            let is_same = files.len() == manager.len()
                && files.iter().zip(&manager).all(|(files, manager)| files.fits(manager));
            Some(Value::Commands(if is_same { files } else { manager }))
        }
        // The manager has no links in this property, and an order of its own.
        (Some(Value::List(files)), Some(Value::List(manager))) if kind == Kind::Directories => {
            let names: BTreeSet<&str> = files.iter().filter_map(|entry| entry.split(':').next()).collect();
            let is_same = names == manager.iter().map(String::as_str).collect();
            Some(Value::List(if is_same { files } else { manager }))
        }
        (_, manager) => manager,
    }
}

fn default(row: &Row, defaults: Defaults) -> Option<Value> {
    let of_manager = match (row.section, row.name) {
        ("Service", "TimeoutStartSec") => defaults.timeout_start,
        ("Service", "TimeoutStopSec") => defaults.timeout_stop,
        ("Service", "TimeoutAbortSec") => defaults.timeout_abort,
        ("Service", "RestartSec") => defaults.restart,
        _ => None,
    };
    let of_systemd = row.default.and_then(|text| read::plain(row.kind, text));
    of_manager.map(Value::Time).or(of_systemd)
}

/// `service_add_extras` in systemd's src/core/service.c. What the manager has told is so already.
fn derive(values: &mut Values, told: &[(&str, &str)]) {
    let is_told = |name: &str| told.contains(&("Service", name));
    if !is_told("Type") && values.value("Type").is_none() {
        let has_credentials = table::CREDENTIALS.iter().any(|name| values.value(name).is_some());
        let kind = match (values.value("BusName"), values.value("ExecStart")) {
            (Some(_), _) => "dbus",
            (None, _) if has_credentials => "exec",
            (None, Some(_)) => "simple",
            (None, None) => "oneshot",
        };
        values.entry("Service", "Type").value = Some(Value::Text(kind.to_owned()));
    }
    let kind = values.value("Type").and_then(Value::text).unwrap_or_default().to_owned();
    if !is_told("TimeoutStartSec") && kind == "oneshot" && !values.is_set("TimeoutStartSec") {
        values.entry("Service", "TimeoutStartSec").value = Some(Value::Time(None));
    }
    if !is_told("NotifyAccess") {
        let is_none =
            values.value("NotifyAccess").and_then(Value::text).is_none_or(|access| access == "none");
        let is_pinged =
            values.value("WatchdogSec").and_then(Value::time).flatten().is_some_and(|time| !time.is_zero());
        let stores = matches!(values.value("FileDescriptorStoreMax"), Some(Value::Number(Some(1..))));
        let is_heard = kind.starts_with("notify") || is_pinged || stores;
        if is_none {
            let access = if is_heard { "main" } else { "none" };
            values.entry("Service", "NotifyAccess").value = Some(Value::Text(access.to_owned()));
        }
    }
    for (name, like) in [("TimeoutAbortSec", "TimeoutStopSec"), ("RestartKillSignal", "KillSignal")] {
        if !is_told(name) && values.value(name).is_none() {
            values.entry("Service", name).value = values.value(like).cloned();
        }
    }
    if !is_told("OOMPolicy") && values.value("OOMPolicy").is_none() {
        let is_delegated = values.value("Delegate").and_then(Value::flag) == Some(true);
        let policy = if is_delegated { "continue" } else { "stop" };
        values.entry("Service", "OOMPolicy").value = Some(Value::Text(policy.to_owned()));
    }
}

/// Why systemd would not load a service with these values: `service_verify` in its src/core/service.c.
pub fn verify(values: &Values) -> Load {
    let commands = |name| values.value(name).map_or(0, |value| value.commands().len());
    let text = |name| values.value(name).and_then(Value::text).unwrap_or_default();
    let is_oneshot = text("Type") == "oneshot";
    let has_success_action = values
        .get("Unit", "SuccessAction")
        .and_then(|entry| entry.value.as_ref()?.text())
        .is_some_and(|action| action != "none");
    let remains = values.value("RemainAfterExit").and_then(Value::flag) == Some(true);
    let refused = |why: &str| Load::Refused(why.to_owned());
    let forced = matches!(values.value("RestartForceExitStatus"), Some(Value::Statuses(set)) if *set != Statuses::default());
    match commands("ExecStart") {
        0 if commands("ExecStop") == 0 && !has_success_action => {
            refused("it has no ExecStart=, ExecStop= or SuccessAction=")
        }
        0 if !is_oneshot => refused("it has no ExecStart=, which only Type=oneshot may do without"),
        0 if !remains && !has_success_action => {
            refused("it has no ExecStart=, no SuccessAction= and no RemainAfterExit=yes")
        }
        2.. if !is_oneshot => refused("it has more than one ExecStart=, which only Type=oneshot may have"),
        _ if is_oneshot && matches!(text("Restart"), "always" | "on-success") => {
            refused("Type=oneshot cannot have this Restart=")
        }
        _ if is_oneshot && forced => refused("Type=oneshot cannot have RestartForceExitStatus="),
        _ if is_oneshot && text("ExitType") == "cgroup" => {
            refused("Type=oneshot cannot have ExitType=cgroup")
        }
        _ if text("Type") == "dbus" && values.value("BusName").is_none() => {
            refused("Type=dbus needs BusName=")
        }
        _ if values.value("PAMName").is_some() && !matches!(text("KillMode"), "control-group" | "mixed") => {
            refused("PAMName= needs KillMode=control-group or mixed")
        }
        _ => Load::Loaded,
    }
}

/// What a unit whose file names these depends on: which properties say nothing any more where these are taken away.
pub fn overshadowed(names: &[(String, String)]) -> Vec<&'static str> {
    let is_out = |section: &str, name: &str| {
        names
            .iter()
            .any(|(other_section, other)| table::targets(other_section, other).contains(&(section, name)))
    };
    let properties = TABLE.iter().filter(|row| {
        is_out(row.section, row.name)
            || table::derived_from(row.name).iter().any(|base| is_out("Service", base))
    });
    properties.filter_map(|row| row.property).collect()
}

#[cfg(test)]
mod tests;
