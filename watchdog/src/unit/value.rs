//! What a directive can be, and how it is read: src/shared/conf-parser.c, src/basic/time-util.c, src/basic/parse-util.c,
//! src/basic/signal-util.c and src/shared/exit-status.c of systemd. Pure.

use std::fmt;
use std::time::Duration;

use super::command::Command;
use super::lines::BLANK;
use super::words::{Meaning, quote};
use crate::service::signals;

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

/// As systemd.time(7) has it.
pub(crate) fn span(time: Duration) -> String {
    match time.as_micros() {
        micros if micros % 1_000_000 == 0 => format!("{}s", micros / 1_000_000),
        micros if micros % 1_000 == 0 => format!("{}ms", micros / 1_000),
        micros => format!("{micros}us"),
    }
}

/// `parse_boolean`
pub(crate) fn flag(text: &str) -> Option<bool> {
    let is_one = |words: [&str; 6]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one(["1", "yes", "y", "true", "t", "on"]) {
        return Some(true);
    }
    is_one(["0", "no", "n", "false", "f", "off"]).then_some(false)
}

/// `extract_multiplier`, in microseconds; longer words before shorter ones that they begin with.
const UNITS: [(&str, u64); 30] = [
    ("seconds", 1_000_000),
    ("second", 1_000_000),
    ("sec", 1_000_000),
    ("s", 1_000_000),
    ("minutes", 60_000_000),
    ("minute", 60_000_000),
    ("min", 60_000_000),
    ("months", 2_629_800_000_000),
    ("month", 2_629_800_000_000),
    ("M", 2_629_800_000_000),
    ("msec", 1_000),
    ("ms", 1_000),
    ("m", 60_000_000),
    ("hours", 3_600_000_000),
    ("hour", 3_600_000_000),
    ("hr", 3_600_000_000),
    ("h", 3_600_000_000),
    ("days", 86_400_000_000),
    ("day", 86_400_000_000),
    ("d", 86_400_000_000),
    ("weeks", 604_800_000_000),
    ("week", 604_800_000_000),
    ("w", 604_800_000_000),
    ("years", 31_557_600_000_000),
    ("year", 31_557_600_000_000),
    ("y", 31_557_600_000_000),
    ("usec", 1),
    ("us", 1),
    ("\u{3bc}s", 1),
    ("\u{b5}s", 1),
];

/// `parse_sec`: a number without a unit is seconds. `Some(None)` is `infinity`; [`None`], what is no time.
pub fn time(text: &str) -> Option<Option<Duration>> {
    let text = text.trim_start_matches(BLANK);
    if let Some(rest) = text.strip_prefix("infinity") {
        return rest.trim_start_matches(BLANK).is_empty().then_some(None);
    }
    let (mut sum, mut rest, mut is_something) = (0_u64, text, false);
    loop {
        rest = rest.trim_start_matches(BLANK);
        if rest.is_empty() {
            return is_something.then_some(Some(Duration::from_micros(sum)));
        }
        let (whole, after) = whole(rest)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let digits = after.len() - after.trim_start_matches(|char: char| char.is_ascii_digit()).len();
                (Some(&after[..digits]), &after[digits..])
            }
            None => (None, after),
        };
        let unit = after.trim_start_matches(BLANK);
        let (multiplier, next) = match UNITS.iter().find(|(name, _)| unit.starts_with(name)) {
            Some((name, multiplier)) => (*multiplier, &unit[name.len()..]),
            // What comes next must be apart: `1 2` are three seconds, `1.2.3` is nothing.
            None if after.is_empty() || unit.len() < after.len() => (1_000_000, unit),
            None => return None,
        };
        rest = next;
        let limit = |value: &u64| *value < u64::MAX;
        sum = whole.checked_mul(multiplier).and_then(|part| sum.checked_add(part)).filter(limit)?;
        if let Some(fraction) = fraction {
            let mut step = multiplier / 10;
            for digit in fraction.bytes() {
                sum = sum.checked_add(u64::from(digit - b'0') * step).filter(limit)?;
                step /= 10;
            }
            if fraction.is_empty() {
                return None;
            }
        }
        is_something = true;
    }
}

/// `strtoll`: blanks, a plus sign, digits. No digits are a zero if a dot follows.
fn whole(text: &str) -> Option<(u64, &str)> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let rest = digits.trim_start_matches(|char: char| char.is_ascii_digit());
    let length = digits.len() - rest.len();
    if length == 0 {
        return text.starts_with('.').then_some((0, text));
    }
    let number = digits[..length].parse::<i64>().ok()?;
    Some((number.unsigned_abs(), rest))
}

/// `signal_from_string`
pub(crate) fn signal(text: &str) -> Option<i32> {
    let is_upper = !text.contains(|char: char| char.is_ascii_lowercase());
    signals::number(text).filter(|_| is_upper)
}

/// A number as `safe_atou64` takes it; octal and hexadecimal ones too.
pub(crate) fn number(text: &str) -> Option<u64> {
    let text = text.trim_start_matches(BLANK);
    let digits = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'b', ..] => (&digits[2..], 2),
        [b'0', b'o', ..] => (&digits[2..], 8),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits, 10),
    };
    // A sign here would be another one.
    let is_digits = digits.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| is_digits)
}

/// `parse_size` to the base of 1024: `1.5G`.
pub(crate) fn size(text: &str) -> Option<u64> {
    const SUFFIXES: [(&str, u32); 8] =
        [("E", 60), ("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10), ("B", 0), ("", 0)];
    let digits = text.len() - text.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let (whole, rest) = text.split_at(digits);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
            rest.split_at(digits)
        }
        None => ("", rest),
    };
    let rest = rest.trim_start_matches(BLANK);
    let (_, shift) = SUFFIXES.iter().find(|(suffix, _)| rest == *suffix)?;
    let factor = 1_u128 << shift;
    let mut bytes = whole.parse::<u128>().ok()?.checked_mul(factor)?;
    if !fraction.is_empty() {
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        bytes += fraction.parse::<u128>().ok()?.checked_mul(factor)? / scale;
    }
    u64::try_from(bytes).ok()
}

/// `exit_status_from_string`: systemd.exec(5), "Process Exit Codes".
pub(crate) fn exit_status(text: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 66] = [
        ("SUCCESS", 0),
        ("FAILURE", 1),
        ("INVALIDARGUMENT", 2),
        ("NOTIMPLEMENTED", 3),
        ("NOPERMISSION", 4),
        ("NOTINSTALLED", 5),
        ("NOTCONFIGURED", 6),
        ("NOTRUNNING", 7),
        ("USAGE", 64),
        ("DATAERR", 65),
        ("NOINPUT", 66),
        ("NOUSER", 67),
        ("NOHOST", 68),
        ("UNAVAILABLE", 69),
        ("SOFTWARE", 70),
        ("OSERR", 71),
        ("OSFILE", 72),
        ("CANTCREAT", 73),
        ("IOERR", 74),
        ("TEMPFAIL", 75),
        ("PROTOCOL", 76),
        ("NOPERM", 77),
        ("CONFIG", 78),
        ("CHDIR", 200),
        ("NICE", 201),
        ("FDS", 202),
        ("EXEC", 203),
        ("MEMORY", 204),
        ("LIMITS", 205),
        ("OOM_ADJUST", 206),
        ("SIGNAL_MASK", 207),
        ("STDIN", 208),
        ("STDOUT", 209),
        ("CHROOT", 210),
        ("IOPRIO", 211),
        ("TIMERSLACK", 212),
        ("SECUREBITS", 213),
        ("SETSCHEDULER", 214),
        ("CPUAFFINITY", 215),
        ("GROUP", 216),
        ("USER", 217),
        ("CAPABILITIES", 218),
        ("CGROUP", 219),
        ("SETSID", 220),
        ("CONFIRM", 221),
        ("STDERR", 222),
        ("PAM", 224),
        ("NETWORK", 225),
        ("NAMESPACE", 226),
        ("NO_NEW_PRIVILEGES", 227),
        ("SECCOMP", 228),
        ("SELINUX_CONTEXT", 229),
        ("PERSONALITY", 230),
        ("APPARMOR", 231),
        ("ADDRESS_FAMILIES", 232),
        ("RUNTIME_DIRECTORY", 233),
        ("CHOWN", 235),
        ("SMACK_PROCESS_LABEL", 236),
        ("KEYRING", 237),
        ("STATE_DIRECTORY", 238),
        ("CACHE_DIRECTORY", 239),
        ("LOGS_DIRECTORY", 240),
        ("CONFIGURATION_DIRECTORY", 241),
        ("NUMA_POLICY", 242),
        ("CREDENTIALS", 243),
        ("EXCEPTION", 255),
    ];
    let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, code)| *code);
    named.or_else(|| number(text).and_then(|code| u8::try_from(code).ok()).map(i32::from))
}

/// linux/capability.h, by their numbers.
pub(crate) const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_systemd_reads_them() {
        let micros = |micros| Some(Some(Duration::from_micros(micros)));
        for (text, expected) in [
            ("5", micros(5_000_000)),
            ("5s", micros(5_000_000)),
            ("1min 30s", micros(90_000_000)),
            ("1min30s", micros(90_000_000)),
            ("1m", micros(60_000_000)),
            ("1M", micros(2_629_800_000_000)),
            ("1.5h", micros(5_400_000_000)),
            (".5", micros(500_000)),
            ("100ms", micros(100_000)),
            ("1us", micros(1)),
            ("1µs", micros(1)),
            ("1 2", micros(3_000_000)),
            ("+5", micros(5_000_000)),
            (" 5 ", micros(5_000_000)),
            ("0", micros(0)),
            ("1.0000001", micros(1_000_000)),
            ("infinity", Some(None)),
            ("infinity ", Some(None)),
            ("infinity s", None),
            ("", None),
            ("-1", None),
            ("1x", None),
            ("x", None),
            ("1.", None),
            ("1.s", None),
            ("1.2.3", None),
            ("1,5", None),
            ("s", None),
            ("0x10", None),
            ("99999999999999999999", None),
            ("584555y", None),
        ] {
            assert_eq!(time(text), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_flags_signals_and_statuses_are_read_as_systemd_reads_them() {
        for (text, expected) in [
            ("10", Some(10)),
            ("010", Some(8)),
            ("0x10", Some(16)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("1 ", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("1024", Some(1024)),
            ("1K", Some(1024)),
            ("1.5M", Some(1_572_864)),
            ("2 G", Some(2 << 30)),
            ("16E", None),
            ("1k", None),
            ("", None),
            ("K", None),
        ] {
            assert_eq!(size(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("yes", Some(true)),
            ("On", Some(true)),
            ("T", Some(true)),
            ("0", Some(false)),
            ("", None),
            ("maybe", None),
        ] {
            assert_eq!(flag(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("SIGTERM", Some(15)),
            ("TERM", Some(15)),
            ("15", Some(15)),
            ("RTMIN+3", Some(37)),
            ("SIGRTMAX-3", Some(61)),
            ("RTMAX", Some(64)),
            ("SIGRTMAX-31", None),
            ("RTMAX+1", None),
            ("sigterm", None),
            ("0", None),
            ("", None),
        ] {
            assert_eq!(signal(text), expected, "{text:?}");
        }
        for (text, expected) in
            [("TEMPFAIL", Some(75)), ("255", Some(255)), ("256", None), ("tempfail", None), ("-1", None)]
        {
            assert_eq!(exit_status(text), expected, "{text:?}");
        }
    }

    #[test]
    fn spans_are_as_systemd_reads_them() {
        for (micros, expected) in [
            (5_000_000, "5s"),
            (90_000_000, "90s"),
            (1_500_000, "1500ms"),
            (1_500, "1500us"),
            (10_000, "10ms"),
            (0, "0s"),
        ] {
            let time = Duration::from_micros(micros);
            assert_eq!(span(time), expected);
            assert_eq!(super::time(expected), Some(Some(time)));
        }
    }
}
