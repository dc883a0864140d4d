//! What a job of systemd's does to its unit: `JobType` of `org.freedesktop.systemd1.Job`.
//!
//! | JobType | where the unit is active | where it is not |
//! |---|---|---|
//! | `stop` | ends it | ends it, if it is on its way down or up |
//! | `restart` | ends it, and is turned into `start` then | starts it |
//! | `start` | nothing | starts it, when it has ended |
//! | `reload`, `verify-active`, `nop` | does neither | does neither, and fails |
//!
//! These are all that a job can be once it is queued. What else one can ask for depends on how the unit stands then
//! (`job_type_collapse` in systemd's src/core/job.c): `reload-or-start` is `reload` of an active unit and `start` of another one,
//! `try-restart` and `try-reload` are `restart` and `reload`, or `nop`. What is asked for while another job waits is merged with
//! that, so the type of a job can change (`job_merging_table` there), from `reload` to `restart`, say.

use crate::systemd::dbus::names::MANAGER_PATH;
use crate::systemd::dbus::{CallError, Connection, Property};

const JOB: &str = "org.freedesktop.systemd1.Job";

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobType {
    /// It ends the unit.
    Stop,
    /// It ends the unit and starts it.
    Restart,
    /// It starts the unit, unless that is active.
    Start,
    /// It neither ends nor starts it.
    Neither,
    /// A type of a later systemd: nobody knows.
    Strange,
}

impl JobType {
    /// As systemd has it.
    fn new(word: &str) -> Self {
        match word {
            "stop" => Self::Stop,
            "restart" | "try-restart" => Self::Restart,
            "start" | "reload-or-start" => Self::Start,
            "reload" | "try-reload" | "verify-active" | "nop" => Self::Neither,
            _ => Self::Strange,
        }
    }

    /// Of the job with this id; [`None`] where there is none any more.
    pub async fn ask(connection: &Connection, id: u32) -> Result<Option<Self>, CallError> {
        match connection.property(&format!("{MANAGER_PATH}/job/{id}"), JOB, "JobType").await {
            Ok(Some(Property::Text(word))) => Ok(Some(Self::new(&word))),
            Ok(_) => Err(CallError::Malformed),
            Err(error) if error.is_refusal() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `job_type_table` in systemd's src/core/job.c.
    #[test]
    fn every_type_of_job_is_known_by_what_it_does() {
        for (word, expected) in [
            ("start", JobType::Start),
            ("verify-active", JobType::Neither),
            ("stop", JobType::Stop),
            ("reload", JobType::Neither),
            ("reload-or-start", JobType::Start),
            ("restart", JobType::Restart),
            ("try-restart", JobType::Restart),
            ("try-reload", JobType::Neither),
            ("nop", JobType::Neither),
            ("a-later-word", JobType::Strange),
            ("", JobType::Strange),
        ] {
            assert_eq!(JobType::new(word), expected, "{word}");
        }
    }
}
