//! Whether systemd takes us for the main process of our unit. With `NotifyAccess=main` it listens to that one alone, and
//! refuses what another says without a word to it ("reception only permitted for main PID", in its own log).
//!
//! It is somebody else where `ExecStart=` has a shell or another program start us, and becomes somebody else where the unit
//! has a `PIDFile=`: after a reload, and when the main process has ended, systemd takes whom it names.

use std::io;
use std::time::Duration;

use crate::kernel::alarm;
use crate::kernel::proc::own_pid;
use crate::systemd::dbus::names::SERVICE;
use crate::systemd::dbus::{CallError, Property};
use crate::systemd::own_unit::OwnUnit;

/// It is busy, or hangs: then it is asked again another time.
const PATIENCE: Duration = Duration::from_secs(5);
/// `USEC_INFINITY` of systemd's src/basic/time-util.h.
const INFINITY: u64 = u64::MAX;

/// What systemd says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whom it listens to in our place; 0 where it knows of no main process. [`None`]: it listens to us, or it cannot be told.
    pub instead: Option<u32>,
    /// The unit's `PIDFile=`; empty where it has none.
    pub pid_file: String,
    /// Its `TimeoutStartSec=`, which a reload has too; [`None`]: it has no end.
    pub timeout_start: Option<Duration>,
}

/// Asks systemd. Fails where it cannot be asked: we do not know where it listens, or are not let in.
pub async fn ask() -> io::Result<Standing> {
    let asked = async {
        let unit = OwnUnit::find().await?;
        Ok(stands(&unit, own_pid().unsigned_abs()).await?)
    };
    alarm::timeout(PATIENCE, asked).await?
}

async fn stands(unit: &OwnUnit, own_pid: u32) -> Result<Standing, CallError> {
    let text = async |property| match unit.get(SERVICE, property).await? {
        Some(Property::Text(text)) => Ok(text),
        _ => Err(CallError::Malformed),
    };
    let number = async |property| match unit.get(SERVICE, property).await? {
        Some(Property::Unsigned(number)) => Ok(number),
        _ => Err(CallError::Malformed),
    };
    let pid_file = text("PIDFile").await?;
    let main = u32::try_from(number("MainPID").await?).map_err(|_| CallError::Malformed)?;
    let timeout_start = number("TimeoutStartUSec").await?;
    // Where our number is not ours in systemd's pid namespace, it cannot be compared.
    let is_instead = main != own_pid && unit.has(own_pid).await? && text("NotifyAccess").await? != "all";
    Ok(Standing {
        instead: is_instead.then_some(main),
        pid_file,
        timeout_start: (timeout_start != INFINITY).then(|| Duration::from_micros(timeout_start)),
    })
}

#[cfg(test)]
mod tests {
    use zbus::zvariant::Value;

    use super::*;
    use crate::systemd::own_unit::tests::asked;

    #[test]
    fn another_is_listened_to_if_it_is_the_main_process_and_only_that_may_speak() {
        for (own, main, access, expected) in [
            (17, 17_u32, "main", None),
            (17, 42, "main", Some(42)),
            (17, 0, "main", Some(0)),
            (17, 42, "exec", Some(42)),
            (17, 42, "all", None),
            // In a pid namespace of our own: 18 is another's process, and 1 is systemd.
            (18, 42, "main", None),
            (1, 42, "main", None),
        ] {
            let properties = |_: &str, property: &str| match property {
                "MainPID" => Value::from(main),
                "NotifyAccess" => Value::from(access),
                "PIDFile" => Value::from("/run/x.pid"),
                "TimeoutStartUSec" => Value::from(90_000_000_u64),
                other => panic!("{other} was asked for"),
            };
            for by_bus in [false, true] {
                let standing =
                    asked(by_bus, &properties, async |unit| stands(unit, own).await.expect("an answer"));
                let expected = Standing {
                    instead: expected,
                    pid_file: "/run/x.pid".to_owned(),
                    timeout_start: Some(Duration::from_secs(90)),
                };
                assert_eq!(standing, expected, "{own} {main} {access} {by_bus}");
            }
        }
    }

    #[test]
    fn a_start_without_an_end_is_known_as_that() {
        for (usec, expected) in [(u64::MAX, None), (1_500_000, Some(Duration::from_millis(1500)))] {
            let properties = |_: &str, property: &str| match property {
                "MainPID" => Value::from(17_u32),
                "PIDFile" => Value::from(""),
                "TimeoutStartUSec" => Value::from(usec),
                other => panic!("{other} was asked for"),
            };
            let standing = asked(false, &properties, async |unit| stands(unit, 17).await.expect("an answer"));
            assert_eq!(standing.timeout_start, expected);
        }
    }
}
