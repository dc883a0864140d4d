//! What a directive can be, how it is read and written (src/shared/conf-parser.c of systemd). Pure.

use std::fmt;
use std::time::Duration;

use super::command::Command;
use super::words::{Meaning, quote};
use crate::service::signals;

mod capability;
mod number;
mod status;
mod time;

pub(crate) use self::capability::CAPABILITIES;
pub(crate) use self::number::{flag, number, size};
pub(crate) use self::status::{exit_status, signal};
pub(crate) use self::time::span;
pub use self::time::time;

/// Exit codes and signals, as `SuccessExitStatus=` and the like have them.
pub use crate::systemd::shall_restart::Statuses;

/// A directive's value, of its kind. Specifiers are expanded. `Display` writes it as a unit has it, `%%` for a percent sign:
/// what is written so is read as the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A word or a line: `Type=`, `User=`, `PIDFile=` (absolute then).
    Text(String),
    /// `SendSIGKILL=`
    Flag(bool),
    /// `TimeoutStopSec=`; [`None`] is `infinity`.
    Time(Option<Duration>),
    /// `TasksMax=`, `MemoryMax=` in bytes; [`None`] is `infinity`.
    Number(Option<u64>),
    /// `KillSignal=`, by its number here.
    Signal(i32),
    /// `RestartPreventExitStatus=`
    Statuses(Statuses),
    /// `Environment=`, `RestrictAddressFamilies=`, `After=`: its words, in the order in which they were added. Of a filter
    /// that denies, the first is `~`.
    List(Vec<String>),
    /// `ExecStart=`
    Commands(Vec<Command>),
    /// It has specifiers in it that only the system knows on which it will run (`%H`), and stands here as it is written.
    Unresolved(String),
}

impl Value {
    /// A word or a line.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// `yes` or `no`.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// A time; `Some(None)` is `infinity`.
    pub fn time(&self) -> Option<Option<Duration>> {
        match self {
            Self::Time(time) => Some(*time),
            _ => None,
        }
    }

    /// A signal's number.
    pub fn signal(&self) -> Option<i32> {
        match self {
            Self::Signal(number) => Some(*number),
            _ => None,
        }
    }

    /// A list; nothing of other kinds.
    pub fn list(&self) -> &[String] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    /// Commands; nothing of other kinds.
    pub fn commands(&self) -> &[Command] {
        match self {
            Self::Commands(commands) => commands,
            _ => &[],
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |text: &str| text.replace('%', "%%");
        match self {
            Self::Text(text) => f.write_str(&escaped(text)),
            Self::Flag(true) => f.write_str("yes"),
            Self::Flag(false) => f.write_str("no"),
            Self::Time(None) | Self::Number(None) => f.write_str("infinity"),
            Self::Time(Some(time)) => f.write_str(&span(*time)),
            Self::Number(Some(number)) => write!(f, "{number}"),
            Self::Signal(number) => f.write_str(&signals::name(*number)),
            Self::Statuses(statuses) => {
                let codes = statuses.codes.iter().map(ToString::to_string);
                let signals = statuses.signals.iter().map(|number| signals::name(*number));
                f.write_str(&codes.chain(signals).collect::<Vec<_>>().join(" "))
            }
            Self::List(list) => {
                let meaning = Meaning { percent_is_literal: true, dollar_is_literal: false };
                let (tilde, words) = match list.split_first() {
                    Some((first, rest)) if first == "~" => ("~", rest),
                    _ => ("", &list[..]),
                };
                let words: Vec<String> = words.iter().map(|word| quote(word.as_ref(), meaning)).collect();
                write!(f, "{tilde}{}", words.join(" "))
            }
            Self::Commands(commands) => {
                let written = commands.iter().map(|command| {
                    let at = if command.argument_zero.is_some() { "@" } else { "" };
                    let words = [&command.program].into_iter().chain(&command.argument_zero);
                    let words = words.chain(&command.arguments).map(|word| word.written.as_str());
                    format!("{}{at}{}", command.flags.prefix(), words.collect::<Vec<_>>().join(" "))
                });
                f.write_str(&written.collect::<Vec<_>>().join(" ; "))
            }
            Self::Unresolved(text) => f.write_str(text),
        }
    }
}
