//! What the service manager asks of us, in environment variables; sd_notify(3) and sd_watchdog_enabled(3) define them.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use crate::kernel::variable::Value;
use crate::words::error::Error;

/// The variables that speak to `sd-watchdog`. COMMAND must not see them: a service that pings by itself masks its hang.
pub const OURS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// What is passed to COMMAND alone: sockets, in sd_listen_fds(3).
const SOCKETS: [&str; 4] = ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"];

/// COMMAND's environment, from ours.
///
/// As it is, without what systemd says to us ([`OURS`]), with `extra` in place of what has the same name, and with
/// COMMAND's pid where ours stood, since it is COMMAND that is meant: by `LISTEN_PID` (sd_listen_fds(3)) and
/// `SYSTEMD_EXEC_PID` (systemd.exec(5)). `LISTEN_PIDFDID`, which says the same by pidfd (systemd 258), is optional and
/// left out.
pub(crate) fn of_command(
    ours: impl Iterator<Item = (OsString, OsString)>,
    own_pid: u32,
    extra: &[(&str, Value)],
) -> Vec<(OsString, Value)> {
    let ours: Vec<_> = ours.collect();
    let own_pid = own_pid.to_string();
    let sockets_are_for_us = ours.iter().any(|(name, value)| name == "LISTEN_PID" && *value == *own_pid);
    let kept = ours.into_iter().filter(|(name, _)| {
        let replaced = extra.iter().any(|(extra, _)| name == extra);
        let names_our_pidfd = name == "LISTEN_PIDFDID" && sockets_are_for_us;
        !(is_one_of(name, &OURS) || replaced || names_our_pidfd)
    });
    let kept = kept.map(|(name, value)| {
        let names_us = (name == "LISTEN_PID" || name == "SYSTEMD_EXEC_PID") && *value == *own_pid;
        let value = if names_us { Value::OwnPid } else { Value::Text(value) };
        (name, value)
    });
    kept.chain(extra.iter().map(|(name, value)| (OsString::from(name), value.clone()))).collect()
}

/// The environment of a command that probes or helps: nothing in it speaks to a service, and `extra` replaces what has the
/// same name.
pub(crate) fn of_helper(
    ours: impl Iterator<Item = (OsString, OsString)>,
    extra: &[(&str, Value)],
) -> Vec<(OsString, Value)> {
    let kept = ours.filter(|(name, _)| {
        let replaced = extra.iter().any(|(extra, _)| name == extra);
        !(is_one_of(name, &OURS) || is_one_of(name, &SOCKETS) || replaced)
    });
    let kept = kept.map(|(name, value)| (name, Value::Text(value)));
    kept.chain(extra.iter().map(|(name, value)| (OsString::from(name), value.clone()))).collect()
}

fn is_one_of(name: &OsStr, names: &[&str]) -> bool {
    names.iter().any(|one| name == *one)
}

/// Where to send notifications, and whether the watchdog is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `NOTIFY_SOCKET`, if set and not empty.
    pub notify_socket: Option<OsString>,
    /// `WATCHDOG_USEC`, as far as it is meant for this process.
    pub watchdog: Watchdog,
}

/// systemd's watchdog, as seen from this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watchdog {
    /// The time within which systemd wants a ping.
    On(Duration),
    /// The unit has no `WatchdogSec=`, or one of 0 or infinity.
    Off,
    /// `WATCHDOG_PID` names another process, which is to ping.
    NotOurs {
        /// Whom it names.
        pid: u32,
    },
}

impl Watchdog {
    /// W, if the watchdog is on.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::On(limit) => Some(limit),
            Self::Off | Self::NotOurs { .. } => None,
        }
    }
}

/// A variable that cannot be understood. Going on would leave the service unguarded in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} is {value:?}, which is not {wanted}: systemd sets it from WatchdogSec=; unset it to run without a watchdog"
)]
pub struct EnvironmentError {
    name: &'static str,
    value: OsString,
    wanted: &'static str,
}

impl From<EnvironmentError> for Error {
    fn from(error: EnvironmentError) -> Self {
        Self::usage(&error)
    }
}

impl Environment {
    /// Reads this process's environment.
    pub fn read() -> Result<Self, EnvironmentError> {
        Self::from_variables(|name| std::env::var_os(name), std::process::id())
    }

    /// The same, from any source of variables.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        own_pid: u32,
    ) -> Result<Self, EnvironmentError> {
        Ok(Self {
            notify_socket: variable("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            watchdog: watchdog(&variable, own_pid)?,
        })
    }
}

/// sd_watchdog_enabled(3): on if `WATCHDOG_USEC` is set and `WATCHDOG_PID` is unset or ours.
fn watchdog(variable: impl Fn(&str) -> Option<OsString>, own_pid: u32) -> Result<Watchdog, EnvironmentError> {
    let Some(usec) = variable("WATCHDOG_USEC") else { return Ok(Watchdog::Off) };
    let micros: u64 = number(&usec)
        .ok_or_else(|| EnvironmentError::new("WATCHDOG_USEC", &usec, "a number of microseconds"))?;
    if let Some(pid) = variable("WATCHDOG_PID") {
        let pid: u32 =
            number(&pid).ok_or_else(|| EnvironmentError::new("WATCHDOG_PID", &pid, "a process id"))?;
        if pid != own_pid {
            return Ok(Watchdog::NotOurs { pid });
        }
    }
    match micros {
        0 | u64::MAX => Ok(Watchdog::Off),
        micros => Ok(Watchdog::On(Duration::from_micros(micros))),
    }
}

fn number<T: std::str::FromStr>(value: &OsStr) -> Option<T> {
    value.to_str()?.parse().ok()
}

impl EnvironmentError {
    fn new(name: &'static str, value: &OsStr, wanted: &'static str) -> Self {
        Self { name, value: value.to_owned(), wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 42;

    fn environment(variables: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        Environment::from_variables(lookup, OWN)
    }

    #[test]
    fn the_watchdog_is_on_only_when_it_is_meant_for_this_process() {
        let seconds = |n| Watchdog::On(Duration::from_secs(n));
        for (variables, expected) in [
            (&[][..], Watchdog::Off),
            (&[("WATCHDOG_PID", "42")], Watchdog::Off),
            (&[("WATCHDOG_USEC", "5000000")], seconds(5)),
            (&[("WATCHDOG_USEC", "5000000"), ("WATCHDOG_PID", "42")], seconds(5)),
            (&[("WATCHDOG_USEC", "5000000"), ("WATCHDOG_PID", "1")], Watchdog::NotOurs { pid: 1 }),
            (&[("WATCHDOG_USEC", "0")], Watchdog::Off),
            (&[("WATCHDOG_USEC", "18446744073709551615")], Watchdog::Off),
            (&[("WATCHDOG_USEC", "7200000000")], seconds(7200)),
        ] {
            assert_eq!(environment(variables).expect("well formed").watchdog, expected, "{variables:?}");
        }
    }

    #[test]
    fn a_malformed_variable_is_an_error_that_names_it() {
        for (variables, expected) in [
            (
                &[("WATCHDOG_USEC", "5s")][..],
                "WATCHDOG_USEC is \"5s\", which is not a number of microseconds",
            ),
            (&[("WATCHDOG_USEC", "")], "WATCHDOG_USEC is \"\""),
            (&[("WATCHDOG_USEC", "-1")], "WATCHDOG_USEC is \"-1\""),
            (
                &[("WATCHDOG_USEC", "1"), ("WATCHDOG_PID", "me")],
                "WATCHDOG_PID is \"me\", which is not a process id",
            ),
        ] {
            let error = environment(variables).expect_err("malformed").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    fn variables(variables: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
        variables.iter().map(|(name, value)| (name.into(), value.into()))
    }

    fn as_text(variables: &[(OsString, Value)]) -> Vec<String> {
        let text = |(name, value): &(OsString, Value)| match value {
            Value::Text(value) => format!("{}={}", name.display(), value.display()),
            Value::OwnPid => format!("{}=<pid>", name.display()),
        };
        variables.iter().map(text).collect()
    }

    #[test]
    fn the_command_is_named_where_we_were_and_hears_nothing_that_was_said_to_us() {
        let own = variables(&[
            ("PATH", "/bin"),
            ("NOTIFY_SOCKET", "/run/notify"),
            ("WATCHDOG_USEC", "1"),
            ("WATCHDOG_PID", "42"),
            ("LISTEN_FDS", "2"),
            ("LISTEN_FDNAMES", "a:b"),
            ("LISTEN_PID", "42"),
            ("LISTEN_PIDFDID", "7"),
            ("SYSTEMD_EXEC_PID", "42"),
            ("NUMBER", "42"),
        ]);
        let expected = [
            "PATH=/bin",
            "LISTEN_FDS=2",
            "LISTEN_FDNAMES=a:b",
            "LISTEN_PID=<pid>",
            "SYSTEMD_EXEC_PID=<pid>",
            "NUMBER=42",
        ];
        assert_eq!(as_text(&of_command(own, OWN, &[])), expected);
    }

    #[test]
    fn what_names_another_process_stays() {
        let others = [("LISTEN_PID", "43"), ("LISTEN_PIDFDID", "7"), ("SYSTEMD_EXEC_PID", "41")];
        let expected = ["LISTEN_PID=43", "LISTEN_PIDFDID=7", "SYSTEMD_EXEC_PID=41"];
        assert_eq!(as_text(&of_command(variables(&others), OWN, &[])), expected);
    }

    #[test]
    fn what_we_say_to_the_command_takes_the_place_of_what_was_there() {
        let own = variables(&[("NOTIFY_SOCKET", "/run/notify"), ("A", "old"), ("B", "kept")]);
        let extra = [
            ("NOTIFY_SOCKET", Value::Text("@private".into())),
            ("WATCHDOG_PID", Value::OwnPid),
            ("A", Value::Text("new".into())),
        ];
        let expected = ["B=kept", "NOTIFY_SOCKET=@private", "WATCHDOG_PID=<pid>", "A=new"];
        assert_eq!(as_text(&of_command(own, OWN, &extra)), expected);
    }

    #[test]
    fn a_helper_hears_nothing_that_is_said_to_a_service() {
        let own = variables(&[
            ("NOTIFY_SOCKET", "/run/notify"),
            ("WATCHDOG_USEC", "1"),
            ("WATCHDOG_PID", "42"),
            ("LISTEN_FDS", "2"),
            ("LISTEN_FDNAMES", "a:b"),
            ("LISTEN_PID", "42"),
            ("LISTEN_PIDFDID", "7"),
            ("SD_WATCHDOG_RUN", "old"),
            ("HOME", "/"),
        ]);
        let extra = [("SD_WATCHDOG_RUN", Value::Text("new".into()))];
        assert_eq!(as_text(&of_helper(own, &extra)), ["HOME=/", "SD_WATCHDOG_RUN=new"]);
    }

    #[test]
    fn an_empty_notify_socket_is_none() {
        assert_eq!(environment(&[("NOTIFY_SOCKET", "")]).expect("well formed").notify_socket, None);
    }
}
