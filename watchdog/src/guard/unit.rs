//! What systemd says of UNIT at one moment, and what that means for us.
//!
//! The words are those of `unit_active_state_to_string` (systemd's src/basic/unit-def.c) and of
//! `service_state_to_string` there. Words that are not known here, of a later systemd, mean: leave it alone.

use std::fmt::Write as _;

use crate::systemd::dbus::Property;
use crate::systemd::job::JobType;

/// The properties that follow UNIT's life. systemd announces changes of all of them, but of LoadState.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// Its own name, where ours is an alias.
    pub id: String,
    /// LoadState: `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// ActiveState: `active`, `inactive`, …
    pub active: String,
    /// SubState: `running`, `exited`, …
    pub sub: String,
    /// MainPID; 0 where there is none, or none is known (Type=forking without PIDFile=).
    pub main_pid: u32,
    /// InvocationID: differs from start to start.
    pub invocation: Vec<u8>,
    /// Job: what systemd has been told to do about it and has not done yet.
    pub job: Option<Job>,
    /// Result: `success`, `signal`, `core-dump`, …
    pub result: String,
    /// ExecMainCode and ExecMainStatus: how the last main process ended, as in waitid(2).
    pub exit: (i32, i32),
}

/// A job of systemd's for UNIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: u32,
    /// What it does; [`None`]: it was over before systemd could be asked.
    pub kind: Option<JobType>,
}

/// One life of the service. Another main process or another start is another instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// MainPID
    pub main_pid: u32,
    /// InvocationID
    pub invocation: Vec<u8>,
}

impl Instance {
    /// `5f3e…/1234`
    pub fn id(&self) -> String {
        let mut id = String::new();
        for byte in &self.invocation {
            // Writing to a string does not fail.
            let _ = write!(id, "{byte:02x}");
        }
        let _ = write!(id, "/{}", self.main_pid);
        id
    }

    /// Of such an id.
    pub fn of_id(id: &str) -> Option<Self> {
        let (digits, main_pid) = id.split_once('/')?;
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let invocation = (0..digits.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?;
        Some(Self { main_pid: main_pid.parse().ok()?, invocation })
    }
}

/// What UNIT's state means for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there to be probed.
    Serving(Instance),
    /// It has ended, and systemd does nothing about it: it is `inactive` or `failed`, or with RemainAfterExit= still `active`.
    Dead,
    /// Neither: it is on its way up or down, reloading …
    Between,
}

impl Unit {
    /// What this means for us.
    pub fn standing(&self) -> Standing {
        match (self.active.as_str(), self.sub.as_str()) {
            ("active", "running") => {
                Standing::Serving(Instance { main_pid: self.main_pid, invocation: self.invocation.clone() })
            }
            // From 254 on systemd goes through these on its way to auto-restart.
            (_, "failed-before-auto-restart" | "dead-before-auto-restart") => Standing::Between,
            ("inactive" | "failed", _) | ("active", "exited") => Standing::Dead,
            _ => Standing::Between,
        }
    }

    /// It has ended, and systemd takes it for active all the same (RemainAfterExit=, and an exit that it calls clean).
    pub fn is_exited(&self) -> bool {
        self.active == "active" && self.standing() == Standing::Dead
    }

    /// It is on its way down.
    pub fn is_going(&self) -> bool {
        self.active == "deactivating"
    }

    /// It is on its way up, or is to be.
    pub fn is_coming(&self) -> bool {
        matches!(self.job_type(), Some(JobType::Start | JobType::Restart))
            || self.standing() == Standing::Between && !self.is_going() && !self.is_reloading()
    }

    /// It is reloading, by `systemctl reload` or by its own word.
    pub fn is_reloading(&self) -> bool {
        matches!(self.active.as_str(), "reloading" | "refreshing")
    }

    /// What becomes of it has been ordered by somebody: systemd ends it, or starts it, for a job. Of a unit that is active, `start`
    /// makes nothing ([`JobType`]).
    ///
    /// Jobs that are over before we can ask are those for which systemd has nothing to do. Where the unit is not active that may
    /// have been `stop`; where it is, it was none that matters.
    pub fn is_ordered(&self) -> bool {
        let Some(job) = self.job else { return false };
        match job.kind {
            Some(JobType::Stop | JobType::Restart | JobType::Strange) => true,
            Some(JobType::Start) => self.active != "active" && !self.is_reloading(),
            Some(JobType::Neither) => false,
            None => self.standing() == Standing::Dead && !self.is_exited(),
        }
    }

    fn job_type(&self) -> Option<JobType> {
        self.job?.kind
    }

    /// `active, pid 123`, for people.
    pub fn describe(&self) -> String {
        match (self.active.as_str(), self.load.as_str()) {
            ("active", _) if self.sub == "running" && self.main_pid > 0 => {
                format!("active, pid {}", self.main_pid)
            }
            ("active", _) => format!("active, {}", self.sub),
            ("inactive", "not-found") => "not there".to_owned(),
            ("inactive", "masked") => "masked".to_owned(),
            ("failed", _) => format!("failed, {}", self.result),
            ("activating" | "reloading", _) => format!("{}, {}", self.active, self.sub),
            (active, _) => active.to_owned(),
        }
    }

    /// A property of the interfaces `org.freedesktop.systemd1.Unit` and `….Service` has this value now. Others are
    /// ignored.
    pub fn set(&mut self, property: &str, value: Property) {
        match (property, value) {
            ("Id", Property::Text(text)) => self.id = text,
            ("LoadState", Property::Text(text)) => self.load = text,
            ("ActiveState", Property::Text(text)) => {
                // systemd does not say so when a unit comes into being (transient, or a file put there since).
                if text != "inactive" && self.load == "not-found" {
                    self.load = "loaded".into();
                }
                self.active = text;
            }
            ("SubState", Property::Text(text)) => self.sub = text,
            ("Result", Property::Text(text)) => self.result = text,
            ("MainPID", Property::Unsigned(pid)) => self.main_pid = u32::try_from(pid).unwrap_or(0),
            ("Job", Property::Unsigned(id)) => {
                let id = u32::try_from(id).unwrap_or(0);
                // What is known of it stays known.
                let job = self.job.filter(|job| job.id == id).unwrap_or(Job { id, kind: None });
                self.job = Some(job).filter(|_| id > 0);
            }
            ("InvocationID", Property::Bytes(bytes)) => self.invocation = bytes,
            ("ExecMainCode", Property::Signed(code)) => self.exit.0 = code,
            ("ExecMainStatus", Property::Signed(status)) => self.exit.1 = status,
            _ => {}
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn unit(active: &str, sub: &str) -> Unit {
        Unit {
            id: "nginx.service".into(),
            load: "loaded".into(),
            active: active.into(),
            sub: sub.into(),
            result: "success".into(),
            ..Unit::default()
        }
    }

    pub fn running(main_pid: u32) -> Unit {
        Unit { main_pid, invocation: vec![1], ..unit("active", "running") }
    }

    #[test]
    fn only_a_running_service_is_there_to_be_probed() {
        for (active, sub, serving) in [
            ("active", "running", true),
            ("active", "exited", false),
            ("reloading", "reload", false),
            ("reloading", "reload-notify", false),
            ("refreshing", "refresh-extensions", false),
            ("activating", "start", false),
            ("activating", "auto-restart", false),
            ("deactivating", "stop-sigterm", false),
            ("inactive", "dead", false),
            ("failed", "failed", false),
            ("maintenance", "cleaning", false),
            ("active", "a-later-word", false),
            ("a-later-word", "running", false),
        ] {
            let standing = unit(active, sub).standing();
            assert_eq!(matches!(standing, Standing::Serving(_)), serving, "{active} {sub}");
        }
    }

    #[test]
    fn dead_is_what_systemd_leaves_dead() {
        for (active, sub, dead) in [
            ("inactive", "dead", true),
            ("failed", "failed", true),
            ("active", "exited", true),
            ("activating", "auto-restart", false),
            ("failed", "failed-before-auto-restart", false),
            ("inactive", "dead-before-auto-restart", false),
            ("activating", "auto-restart-queued", false),
            ("deactivating", "final-sigterm", false),
            ("maintenance", "cleaning", false),
            ("active", "running", false),
        ] {
            assert_eq!(unit(active, sub).standing() == Standing::Dead, dead, "{active} {sub}");
        }
    }

    #[test]
    fn a_unit_on_its_way_up_or_down_is_told_from_one_that_runs_on() {
        let job = |kind| Some(Job { id: 5, kind });
        for (active, sub, going, coming, reloading) in [
            ("active", "running", false, false, false),
            ("active", "exited", false, false, false),
            ("reloading", "reload", false, false, true),
            ("reloading", "reload-notify", false, false, true),
            ("refreshing", "refresh-extensions", false, false, true),
            ("activating", "auto-restart", false, true, false),
            ("failed", "failed-before-auto-restart", false, true, false),
            ("deactivating", "stop-sigterm", true, false, false),
            ("failed", "failed", false, false, false),
        ] {
            let unit = unit(active, sub);
            let is = (unit.is_going(), unit.is_coming(), unit.is_reloading());
            assert_eq!(is, (going, coming, reloading), "{active} {sub}");
            for (kind, coming) in [
                (Some(JobType::Start), true),
                (Some(JobType::Restart), true),
                (Some(JobType::Stop), coming),
                (Some(JobType::Neither), coming),
                (Some(JobType::Strange), coming),
                (None, coming),
            ] {
                let unit = Unit { job: job(kind), ..unit.clone() };
                assert_eq!(unit.is_coming(), coming, "{active} {sub} {kind:?}");
            }
        }
    }

    #[test]
    fn what_is_known_of_a_job_stays_known_as_long_as_it_is_the_same() {
        let reload = Some(Job { id: 7, kind: Some(JobType::Neither) });
        for (id, expected) in [(7, reload), (8, Some(Job { id: 8, kind: None })), (0, None)] {
            let mut unit = Unit { job: reload, ..Unit::default() };
            unit.set("Job", Property::Unsigned(id));
            assert_eq!(unit.job, expected, "{id}");
        }
    }

    #[test]
    fn another_main_process_or_another_start_is_another_instance() {
        let standing = |main_pid, invocation| Unit { invocation, ..running(main_pid) }.standing();
        assert_eq!(standing(7, vec![1]), standing(7, vec![1]));
        assert_ne!(standing(7, vec![1]), standing(8, vec![1]));
        assert_ne!(standing(7, vec![1]), standing(7, vec![2]));
    }

    #[test]
    fn an_instance_is_known_by_its_id() {
        for instance in [
            Instance { main_pid: 7, invocation: vec![0x5f, 0x03, 0, 0xff] },
            Instance { main_pid: 0, invocation: vec![] },
        ] {
            assert_eq!(Instance::of_id(&instance.id()), Some(instance));
        }
        for id in ["", "5f", "5f/", "/", "5/7", "5g/7", "5f/-7"] {
            assert_eq!(Instance::of_id(id), None, "{id}");
        }
    }

    #[test]
    fn people_read_what_matters_in_the_state() {
        let not_found = Unit { load: "not-found".into(), ..unit("inactive", "dead") };
        let masked = Unit { load: "masked".into(), ..unit("inactive", "dead") };
        let failed = Unit { result: "core-dump".into(), ..unit("failed", "failed") };
        for (unit, expected) in [
            (running(123), "active, pid 123"),
            (running(0), "active, running"),
            (unit("active", "exited"), "active, exited"),
            (unit("activating", "auto-restart"), "activating, auto-restart"),
            (unit("reloading", "reload"), "reloading, reload"),
            (unit("inactive", "dead"), "inactive"),
            (unit("deactivating", "stop-sigterm"), "deactivating"),
            (not_found, "not there"),
            (masked, "masked"),
            (failed, "failed, core-dump"),
        ] {
            assert_eq!(unit.describe(), expected);
        }
    }

    #[test]
    fn a_unit_that_runs_has_come_into_being() {
        for (load, active, expected) in [
            ("not-found", "activating", "loaded"),
            ("not-found", "inactive", "not-found"),
            ("masked", "active", "masked"),
        ] {
            let mut unit = Unit { load: load.into(), ..Unit::default() };
            unit.set("ActiveState", Property::Text(active.into()));
            assert_eq!(unit.load, expected);
        }
    }

    #[test]
    fn properties_are_taken_over_and_strange_ones_are_not() {
        let mut unit = Unit::default();
        let text = |text: &str| Property::Text(text.into());
        for (name, value) in [
            ("ActiveState", text("active")),
            ("SubState", text("running")),
            ("MainPID", Property::Unsigned(42)),
            ("Job", Property::Unsigned(7)),
            ("InvocationID", Property::Bytes(vec![1, 2])),
            ("ExecMainCode", Property::Signed(2)),
            ("ExecMainStatus", Property::Signed(6)),
            ("Description", text("a web server")),
            ("ActiveState", Property::Unsigned(1)),
        ] {
            unit.set(name, value);
        }
        let expected = Unit {
            active: "active".into(),
            sub: "running".into(),
            main_pid: 42,
            job: Some(Job { id: 7, kind: None }),
            invocation: vec![1, 2],
            exit: (2, 6),
            ..Unit::default()
        };
        assert_eq!(unit, expected);
    }
}
