//! The signals that mean something.

use nix::libc::{SIGABRT, SIGCHLD, SIGHUP, SIGKILL, SIGSTOP, SIGTERM};

use super::ConfigError;
use crate::service::signals;

/// What ends a service, unless its unit says otherwise (`KillSignal=`).
const STOP_SIGNALS: [i32; 1] = [SIGTERM];
/// What nobody can act upon.
const UNCATCHABLE: [i32; 2] = [SIGKILL, SIGSTOP];

/// The signals that ask COMMAND to stop.
pub fn stop_signals(given: &[String]) -> Result<Vec<i32>, ConfigError> {
    let mut signals = STOP_SIGNALS.to_vec();
    for name in given {
        signals.push(signal("stop-signal", name)?);
    }
    Ok(signals)
}

/// The one that asks it to reload: SIGHUP, unless it is told otherwise or that stops it.
pub fn reload_signal(given: Option<&str>, stop_signals: &[i32]) -> Result<Option<i32>, ConfigError> {
    let Some(name) = given else {
        return Ok(Some(SIGHUP).filter(|hangup| !stop_signals.contains(hangup)));
    };
    if name == "none" {
        return Ok(None);
    }
    match signal("reload-signal", name)? {
        SIGABRT => Err(ConfigError::ReloadByAbort { name: name.to_owned() }),
        number if stop_signals.contains(&number) => Err(ConfigError::ReloadStops { name: name.to_owned() }),
        number => Ok(Some(number)),
    }
}

fn signal(option: &'static str, name: &str) -> Result<i32, ConfigError> {
    match signals::number(name) {
        Some(number) if UNCATCHABLE.contains(&number) => {
            Err(ConfigError::Uncatchable { option, name: name.to_owned() })
        }
        Some(SIGCHLD) => Err(ConfigError::NotPassedOn { option, name: name.to_owned() }),
        Some(number) => Ok(number),
        None => Err(ConfigError::Signal { option, name: name.to_owned() }),
    }
}
