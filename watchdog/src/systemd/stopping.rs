//! Whether the unit that we ourselves are in is being stopped, for a service that is wrapped. Asked once, when a hang is to
//! be called.

use std::io;
use std::time::Instant;

use crate::kernel::alarm;
use crate::systemd::dbus::names::UNIT;
use crate::systemd::dbus::{CallError, Property};
use crate::systemd::job::JobType;
use crate::systemd::own_unit::OwnUnit;

/// What systemd is about to do with our unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// Nothing.
    RunsOn,
    /// To stop it; that may be called off still.
    IsToStop,
    /// It stops it.
    Stops,
}

/// Whether systemd is stopping our unit, or has that queued (`restart` stops it first). What cannot be found out until
/// then counts as no.
pub async fn course(until: Instant) -> Course {
    match alarm::timeout_at(until, ask()).await {
        Ok(Ok(course)) => course,
        Ok(Err(error)) => {
            tracing::debug!("systemd cannot be asked whether it is stopping the unit: {error}");
            Course::RunsOn
        }
        Err(_) => {
            tracing::debug!("systemd has not said in time whether it is stopping the unit");
            Course::RunsOn
        }
    }
}

async fn ask() -> io::Result<Course> {
    stands(&OwnUnit::find().await?).await.map_err(io::Error::other)
}

async fn stands(unit: &OwnUnit) -> Result<Course, CallError> {
    if let Some(Property::Text(state)) = unit.get(UNIT, "ActiveState").await?
        && state == "deactivating"
    {
        return Ok(Course::Stops);
    }
    let Some(Property::Unsigned(job @ 1..)) = unit.get(UNIT, "Job").await? else { return Ok(Course::RunsOn) };
    let job = u32::try_from(job).map_err(|_| CallError::Malformed)?;
    Ok(match unit.job_type(job).await? {
        Some(JobType::Stop | JobType::Restart) => Course::IsToStop,
        _ => Course::RunsOn,
    })
}

#[cfg(test)]
mod tests;
