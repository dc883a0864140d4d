//! A unit as `systemctl cat` shows it: the file and its drop-ins, in the order in which systemd reads them.

use std::time::Duration;

use nix::libc::{SIGKILL, SIGSTOP, SIGTERM};

use crate::service::signals;
use crate::systemd::shall_restart::covers_watchdog;

/// What of it matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    kind: Option<String>,
    bus_name: bool,
    exec_start: Vec<String>,
    restart: Option<String>,
    /// `RootDirectory=` or `RootImage=`
    pub root: Option<String>,
    /// `KillSignal=` and `RestartKillSignal=`: what asks it to stop, unless it is SIGTERM.
    kill_signal: Option<String>,
    restart_kill_signal: Option<String>,
    /// `ExecStop=`
    pub exec_stop: Vec<String>,
    /// `WatchdogSec=`, except for that of a drop-in of ours.
    watchdog: Option<String>,
    /// `RestrictAddressFamilies=`, as far as it allows.
    pub address_families: Vec<String>,
}

/// Why a unit cannot be wrapped, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum NotWrappable {
    #[error(
        "is Type=forking: its main process is not the one that systemd starts; run it in the foreground (give COMMAND \
         after --), or leave it as it is and use: sd-watchdog guard UNIT"
    )]
    Forking,
    #[error(
        "is Type=dbus: it is ready when it has its name on the bus, which would no longer be waited for; use: \
         sd-watchdog guard UNIT"
    )]
    Dbus,
    #[error("is Type=oneshot: it is to end, so it cannot hang for long; set TimeoutStartSec= instead")]
    Oneshot,
    #[error("has {0} commands in ExecStart=: only one can be the service; give it as COMMAND after --")]
    Several(usize),
    #[error("has no ExecStart=: there is nothing to wrap; give COMMAND after --")]
    Nothing,
}

impl Source {
    /// Reads the text. What does not matter here is passed over, right or wrong.
    pub fn parse(text: &str) -> Self {
        Self { watchdog: Self::read(&without_ours(text)).watchdog, ..Self::read(text) }
    }

    fn read(text: &str) -> Self {
        let mut source = Self::default();
        let mut section = "";
        let joined = join(text);
        for line in joined.lines() {
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            } else if let (Some((name, value)), "Service") = (line.split_once('='), section) {
                source.assign(name.trim_end(), value.trim_start());
            }
        }
        source
    }

    /// The later one counts. For lists it is added, and an empty one begins anew.
    fn assign(&mut self, name: &str, value: &str) {
        let given = (!value.is_empty()).then(|| value.to_owned());
        match name {
            "Type" => self.kind = given,
            "BusName" => self.bus_name = given.is_some(),
            "Restart" => self.restart = given,
            "RootDirectory" | "RootImage" => self.root = given.filter(|root| root != "/"),
            "WatchdogSec" => self.watchdog = given,
            "KillSignal" => self.kill_signal = given,
            "RestartKillSignal" => self.restart_kill_signal = given,
            "ExecStop" => match given {
                Some(command) => self.exec_stop.push(command),
                None => self.exec_stop.clear(),
            },
            "ExecStart" => match given {
                Some(command) => self.exec_start.push(command),
                None => self.exec_start.clear(),
            },
            "RestrictAddressFamilies" => match given {
                Some(families) if families.starts_with('~') => {}
                Some(families) => self.address_families.extend(families.split_whitespace().map(Into::into)),
                None => self.address_families.clear(),
            },
            _ => {}
        }
    }

    /// Its one command, if it can be wrapped.
    pub fn exec_start(&self) -> Result<&str, NotWrappable> {
        if self.exec_start.is_empty() {
            return Err(NotWrappable::Nothing);
        }
        match self.kind() {
            "forking" => return Err(NotWrappable::Forking),
            "dbus" => return Err(NotWrappable::Dbus),
            "oneshot" => return Err(NotWrappable::Oneshot),
            _ => {}
        }
        match &self.exec_start[..] {
            [] => Err(NotWrappable::Nothing),
            [command] => Ok(command),
            several => Err(NotWrappable::Several(several.len())),
        }
    }

    /// `Type=`, or its default (systemd.service(5)).
    pub fn kind(&self) -> &str {
        match &self.kind {
            Some(kind) => kind,
            None if self.bus_name => "dbus",
            None => "simple",
        }
    }

    /// Its own `WatchdogSec=`, by which it pings itself; an error if that cannot be told (systemd.time(7)).
    pub fn watchdog(&self) -> Result<Option<Duration>, String> {
        let Some(text) = &self.watchdog else { return Ok(None) };
        if text == "infinity" {
            return Ok(None);
        }
        let seconds = text.parse().ok().map(Duration::from_secs);
        match seconds.or_else(|| humantime::parse_duration(text).ok()) {
            Some(watchdog) => Ok(Some(watchdog).filter(|watchdog| !watchdog.is_zero())),
            None => Err(text.clone()),
        }
    }

    /// The signals that systemd stops it with, except for SIGTERM and those that no process sees; as they were written.
    pub fn stop_signals(&self) -> Vec<&str> {
        let given = [&self.kill_signal, &self.restart_kill_signal];
        let mut signals: Vec<&str> = given.into_iter().flatten().map(String::as_str).collect();
        let number = |name: &&str| signals::number(name);
        signals.retain(|name| !matches!(number(name), None | Some(SIGTERM | SIGKILL | SIGSTOP)));
        signals.dedup_by_key(|name| number(name));
        signals
    }

    /// Its `Restart=`, if systemd restarts it after a watchdog's timeout.
    pub fn restart(&self) -> Option<&str> {
        self.restart.as_deref().filter(|setting| covers_watchdog(setting))
    }
}

/// Without a drop-in that we printed before, which this one takes the place of. `systemctl cat` puts its path in front of
/// each file.
fn without_ours(text: &str) -> String {
    let mut is_ours = false;
    let theirs = text.lines().filter(|line| {
        if line.starts_with("# /") {
            is_ours = false;
        } else if line.starts_with('#') && line.contains("(sd-watchdog unit --drop-in)") {
            is_ours = true;
        }
        !is_ours
    });
    theirs.flat_map(|line| [line, "\n"]).collect()
}

/// systemd.syntax(7): a backslash at the end of a line joins it with the next, as a space; comments in between are none
/// of it.
fn join(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut is_continued = false;
    for line in text.lines() {
        let content = line.trim_start();
        if content.starts_with(['#', ';']) {
            continue;
        }
        let line = if is_continued { content } else { line };
        is_continued = line.ends_with('\\');
        match line.strip_suffix('\\') {
            Some(line) => joined.extend([line.trim_end(), " "]),
            None => joined.extend([line, "\n"]),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_all_files_counts() {
        let source = Source::parse(
            "# /usr/lib/systemd/system/x.service\n[Unit]\nExecStart=/not/here\n\n[Service]\n Type = notify \n\
             ExecStart=/bin/old\nRestart=no\nRestrictAddressFamilies=AF_INET\n[Install]\nType=forking\n\n\
             # /etc/systemd/system/x.service.d/override.conf\n[Service]\n\n; ExecStart=/bin/comment\nExecStart=\n\
             ExecStart=/bin/new \\\n# a comment = in between\n    --a=b \\\n\t'c  d'\nRestart=on-failure\n\
             RestrictAddressFamilies=AF_UNIX AF_INET6",
        );
        assert_eq!(source.exec_start(), Ok("/bin/new --a=b 'c  d'"));
        assert_eq!((source.kind(), source.restart()), ("notify", Some("on-failure")));
        assert_eq!(source.address_families, ["AF_INET", "AF_UNIX", "AF_INET6"]);
    }

    #[test]
    fn a_unit_that_cannot_be_wrapped_is_told_from_one_that_can() {
        for (service, expected) in [
            ("ExecStart=/bin/a", Ok("/bin/a")),
            ("Type=simple\nExecStart=/bin/a", Ok("/bin/a")),
            ("Type=exec\nExecStart=/bin/a", Ok("/bin/a")),
            ("Type=notify-reload\nExecStart=/bin/a", Ok("/bin/a")),
            ("Type=forking\nExecStart=/bin/a", Err(NotWrappable::Forking)),
            ("Type=forking\nType=\nExecStart=/bin/a", Ok("/bin/a")),
            ("Type=dbus\nBusName=a.b\nExecStart=/bin/a", Err(NotWrappable::Dbus)),
            ("BusName=a.b\nExecStart=/bin/a", Err(NotWrappable::Dbus)),
            ("Type=oneshot\nExecStart=/bin/a", Err(NotWrappable::Oneshot)),
            ("ExecStop=/bin/a", Err(NotWrappable::Nothing)),
            ("Type=notify", Err(NotWrappable::Nothing)),
            ("ExecStart=/bin/a\nExecStart=/bin/b", Err(NotWrappable::Several(2))),
            ("ExecStart=/bin/a\nExecStart=\nExecStart=/bin/b", Ok("/bin/b")),
        ] {
            let source = Source::parse(&format!("[Service]\n{service}\n"));
            assert_eq!(source.exec_start(), expected, "{service}");
        }
    }

    #[test]
    fn what_stops_it_is_told_apart_from_what_always_does_and_from_what_cannot_be_seen() {
        for (settings, expected) in [
            ("", &[][..]),
            ("KillSignal=SIGTERM", &[]),
            ("KillSignal=SIGKILL", &[]),
            ("KillSignal=SIGNONSENSE", &[]),
            ("KillSignal=SIGQUIT", &["SIGQUIT"]),
            ("KillSignal=SIGQUIT\nKillSignal=", &[]),
            ("KillSignal=RTMIN+3\nRestartKillSignal=SIGINT", &["RTMIN+3", "SIGINT"]),
            ("KillSignal=SIGINT\nRestartKillSignal=2", &["SIGINT"]),
        ] {
            let source = Source::parse(&format!("[Service]\n{settings}\n"));
            assert_eq!(source.stop_signals(), expected, "{settings}");
        }
    }

    #[test]
    fn the_time_within_which_it_pings_is_its_own_and_not_that_of_a_drop_in_of_ours() {
        let ours =
            "# Printed by sd-watchdog 0.1.0 (sd-watchdog unit --drop-in).\n[Service]\nWatchdogSec=5s\n";
        let seconds = |seconds| Ok(Some(Duration::from_secs(seconds)));
        for (text, expected) in [
            ("WatchdogSec=30", seconds(30)),
            ("WatchdogSec=1min 30s", seconds(90)),
            ("WatchdogSec=30\nWatchdogSec=", Ok(None)),
            ("WatchdogSec=0", Ok(None)),
            ("WatchdogSec=infinity", Ok(None)),
            ("WatchdogSec=%i", Err("%i".to_owned())),
            (ours, Ok(None)),
            (&format!("WatchdogSec=30\n# /x/50-watchdog.conf\n{ours}"), seconds(30)),
            (&format!("{ours}# /x/60-more.conf\n[Service]\nWatchdogSec=20"), seconds(20)),
        ] {
            assert_eq!(Source::parse(&format!("[Service]\n{text}\n")).watchdog(), expected, "{text}");
        }
    }

    #[test]
    fn only_some_settings_of_restart_cover_the_watchdog() {
        for (restart, expected) in [
            ("", false),
            ("no", false),
            ("on-success", false),
            ("on-abort", false),
            ("on-failure", true),
            ("on-abnormal", true),
            ("on-watchdog", true),
            ("always", true),
        ] {
            let source = Source::parse(&format!("[Service]\nRestart={restart}\n"));
            assert_eq!(source.restart(), expected.then_some(restart), "{restart}");
        }
    }
}
