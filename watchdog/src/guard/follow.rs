//! Follows UNIT over whatever connection to systemd there is, and connects again when it is lost.
//!
//! `systemctl daemon-reexec` closes every connection to PID 1 and is back within a second. `daemon-reload` closes none,
//! but the unit behind our name may be another one afterwards.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::guard::bus::{Bus, BusError, Change, Changes, Handle};
use crate::guard::settings::Settings;
use crate::guard::unit::{Instance, Job, Standing, Unit};
use crate::kernel::alarm::sleep;
use crate::systemd::job::JobType;
use crate::systemd::scope::Scope;
use crate::unit::UnitName;

/// From one attempt to connect to the next: the first, and the longest. Each is twice the one before.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What the follower has to tell.
#[derive(Debug)]
pub enum News {
    /// Connected; calls go there.
    Connected(Rc<Line>),
    /// How UNIT stands.
    Unit(Unit),
    /// Its settings, each time that it begins to run, and when systemd has read its configuration again.
    Settings(Settings),
    /// The connection is gone, or could not be had.
    Lost(String),
}

/// A connection, and UNIT in it.
#[derive(Debug)]
pub struct Line {
    /// The connection.
    pub bus: Bus,
    /// UNIT
    pub handle: Handle,
}

/// Tells its news for ever. `first` is a connection that is there already.
pub async fn follow(scope: Scope, name: &UnitName, first: (Bus, Changes), news: &UnboundedSender<News>) {
    let (shortest, longest) = BACK_OFF;
    let (mut bus, mut pause) = (Some(first), shortest);
    loop {
        let connected = match bus.take() {
            Some(bus) => Ok(bus),
            None => Bus::connect(scope).await,
        };
        let why = match connected {
            Ok(bus) => match attend(name, bus, news).await {
                // It worked, so the next attempt may be soon.
                Ok(why) => {
                    pause = shortest;
                    why
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        tell(news, News::Lost(why));
        sleep(pause).await;
        pause = (2 * pause).min(longest);
    }
}

/// Follows UNIT over one connection, and says why that ended.
async fn attend(
    name: &UnitName,
    (bus, mut changes): (Bus, Changes),
    news: &UnboundedSender<News>,
) -> Result<String, BusError> {
    let handle = bus.load(name).await?;
    // The first look tells the unit's own name, by which systemd signals.
    let id = bus.look(&handle).await?.id;
    bus.watch(&handle, &id).await?;
    let line = Rc::new(Line { bus, handle });
    let mut unit = line.bus.look(&line.handle).await?;
    tell(news, News::Connected(Rc::clone(&line)));
    tell(news, News::Unit(unit.clone()));
    let mut told = unit.clone();
    let mut settings_of = None;
    loop {
        tell_settings(&line, &told, &mut settings_of, news).await?;
        match changes.next().await {
            Some(Change::Properties { values, complete }) => {
                for (property, value) in values {
                    unit.set(&property, value);
                }
                if complete {
                    ask_for_job(&line, &mut changes, &mut unit).await?;
                    tell_unit(&unit, &mut told, news);
                }
            }
            // As a rule its id has come already, with the properties.
            Some(Change::Job(id)) if unit.job.is_none_or(|job| job.id != id) => {
                let mut with_job = Unit { job: Some(Job { id, kind: None }), ..unit.clone() };
                ask_for_job(&line, &mut changes, &mut with_job).await?;
                // UNIT may have a `nop` beside another job.
                if with_job.job.is_some_and(|job| job.kind != Some(JobType::Neither)) {
                    unit = with_job;
                    tell_unit(&unit, &mut told, news);
                }
            }
            Some(Change::Job(_) | Change::JobInvalid(_)) => {}
            Some(Change::Reloaded) => {
                // An alias may lead elsewhere now. The other object has signals of its own: start over with it.
                if line.bus.load(name).await? != line.handle {
                    return Ok("the unit's name leads to another unit".to_owned());
                }
                unit = line.bus.look(&line.handle).await?;
                (told, settings_of) = (unit.clone(), None);
                tell(news, News::Unit(unit.clone()));
            }
            Some(Change::Moved) => return Ok("it is being executed anew".to_owned()),
            None => return Ok(line.bus.why_closed()),
        }
    }
}

/// Asks what UNIT's job does. It may do something else by now than when it was asked for last.
///
/// Where it is over, what was known of it still holds. If that is nothing, it was a reload of a unit that is not active; or else
/// what it has done is to be seen in the unit: the job is kept beside how that stands now.
async fn ask_for_job(line: &Line, changes: &mut Changes, unit: &mut Unit) -> Result<(), BusError> {
    let Some(job) = unit.job else { return Ok(()) };
    match line.bus.job_type(job.id).await? {
        Some(kind) => unit.job = Some(Job { kind: Some(kind), ..job }),
        None if job.kind.is_some() => {}
        None if changes.hold(&Change::JobInvalid(job.id)) => {
            unit.job = Some(Job { kind: Some(JobType::Neither), ..job });
        }
        None => {
            *unit = line.bus.look(&line.handle).await?;
            unit.job = unit.job.or(Some(job));
        }
    }
    Ok(())
}

fn tell_unit(unit: &Unit, told: &mut Unit, news: &UnboundedSender<News>) {
    if unit != told {
        told.clone_from(unit);
        tell(news, News::Unit(unit.clone()));
    }
}

/// What a hang would come to is to be known before there is one.
async fn tell_settings(
    line: &Line,
    unit: &Unit,
    told: &mut Option<Instance>,
    news: &UnboundedSender<News>,
) -> Result<(), BusError> {
    let now = match unit.standing() {
        Standing::Serving(instance) => Some(instance),
        Standing::Dead | Standing::Between => None,
    };
    if now.is_some() && *told != now {
        tell(news, News::Settings(line.bus.settings(&line.handle).await?));
    }
    *told = now;
    Ok(())
}

/// Nobody listens any more only when all ends.
fn tell(news: &UnboundedSender<News>, what: News) {
    let _ = news.send(what);
}
