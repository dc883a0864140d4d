//! What can be said of a fault beyond its name, as in `inject slow delay=200ms`, and what was said.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Fault, hint, nearest};

/// From one byte to the next.
pub const INTERVAL: Parameter = Parameter {
    name: "interval",
    unit: Unit::Span,
    range: (MS, DAY),
    default: Some(100 * MS),
    does: "from one byte to the next",
};
/// How late an answer comes.
pub const DELAY: Parameter = Parameter {
    name: "delay",
    unit: Unit::Span,
    range: (MS, DAY),
    default: Some(200 * MS),
    does: "how late an answer comes; below the deadline of a probe",
};
/// How long a moment is.
pub const DURATION: Parameter = Parameter {
    name: "duration",
    unit: Unit::Span,
    range: (MS, DAY),
    default: Some(1_000 * MS),
    does: "how long that is; below what a watchdog takes to be sure",
};

/// From one ping to the next.
pub const PING_INTERVAL: Parameter = Parameter {
    name: "interval",
    unit: Unit::Span,
    range: (MS, DAY),
    default: Some(500 * MS),
    does: "from one ping to the next; below WatchdogSec=",
};
/// The exit code.
pub const CODE: Parameter =
    Parameter { name: "code", unit: Unit::Count, range: (0, 255), default: Some(1), does: "the exit code" };
/// How many descriptors there are.
pub const DESCRIPTORS: Parameter = Parameter {
    name: "descriptors",
    unit: Unit::Count,
    range: (16, 1 << 20),
    default: Some(1024),
    does: "what the soft RLIMIT_NOFILE is lowered to if it is higher, for the sake of the host",
};
/// How much memory is taken at most.
pub const MEMORY: Parameter = Parameter {
    name: "limit",
    unit: Unit::Size,
    range: (MIB, 1 << 50),
    default: None,
    does: "holds that much instead of growing on; heals",
};
/// How fast memory is taken.
pub const RATE: Parameter = Parameter {
    name: "rate",
    unit: Unit::Size,
    range: (MIB, 1 << 40),
    default: Some(64 * MIB),
    does: "how much it takes in a second",
};

const MIB: u64 = 1 << 20;
const MS: u64 = 1_000;
/// Keeps every sum of times in range.
const DAY: u64 = 24 * 60 * 60 * 1_000 * MS;

/// What can be said of a fault beyond its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub unit: Unit,
    /// The least and the greatest value, in what [`Unit`] says.
    pub range: (u64, u64),
    /// The value where none is given, if that has a meaning.
    pub default: Option<u64>,
    /// What it decides.
    pub does: &'static str,
}

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Time spans, kept in µs and written like `200ms`.
    Span,
    /// Amounts of memory, kept in bytes and written like `64MiB`.
    Size,
    /// Numbers.
    Count,
}

/// A fault, and what was said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// What is done to the server.
    pub fault: Fault,
    /// In the order of the fault's parameters; none where the default holds.
    given: [Option<u64>; Self::MOST_PARAMETERS],
}

/// Something was said of a fault that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArgument {
    /// The fault takes nothing of that name.
    #[error("{fault} has no parameter {name:?}{}; {}", hint(*.nearest), known(*.fault))]
    Unknown {
        /// The fault.
        fault: Fault,
        /// The name that was given.
        name: String,
        /// The parameter that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The value is none.
    #[error("{:?} of {fault} is to be {}, and {value:?} is none", .parameter.name, .parameter.wanted())]
    Malformed {
        /// The fault.
        fault: Fault,
        /// The parameter.
        parameter: Parameter,
        /// What was given.
        value: String,
    },
    /// The value would make no sense.
    #[error(
        "{:?} of {fault} is {}, and that is not within {} to {}",
        .parameter.name, .value, .parameter.unit.text(.parameter.range.0), .parameter.unit.text(.parameter.range.1)
    )]
    OutOfRange {
        /// The fault.
        fault: Fault,
        /// The parameter.
        parameter: Parameter,
        /// What was given.
        value: String,
    },
}

impl BadArgument {
    /// The parameter that was probably meant.
    pub fn nearest(&self) -> Option<&'static str> {
        match self {
            Self::Unknown { nearest, .. } => *nearest,
            Self::Malformed { parameter, .. } | Self::OutOfRange { parameter, .. } => Some(parameter.name),
        }
    }
}

impl Injection {
    /// As many as any fault has.
    pub const MOST_PARAMETERS: usize = 2;

    /// This fault, and nothing said of it.
    pub const fn of(fault: Fault) -> Self {
        Self { fault, given: [None; Self::MOST_PARAMETERS] }
    }

    /// The same with one parameter given, in the words of people.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, BadArgument> {
        let fault = self.fault;
        let parameters = fault.entry().parameters;
        let index = parameters.iter().position(|parameter| parameter.name == name);
        let index = index.ok_or_else(|| BadArgument::Unknown {
            fault,
            name: name.to_owned(),
            nearest: nearest(name, parameters.iter().map(|parameter| (parameter.name, parameter.name))),
        })?;
        let parameter = parameters[index];
        let (text, (least, most)) = (value.to_owned(), parameter.range);
        self.given[index] = match parameter.unit.read(value) {
            None => return Err(BadArgument::Malformed { fault, parameter, value: text }),
            Some(value) if !(least..=most).contains(&value) => {
                return Err(BadArgument::OutOfRange { fault, parameter, value: text });
            }
            given => given,
        };
        Ok(self)
    }

    /// The value of one of the fault's parameters: as given, or as it is by default, if there is one.
    pub fn value(&self, parameter: &Parameter) -> Option<u64> {
        let parameters = self.fault.entry().parameters.iter();
        let given = parameters.zip(self.given).find(|(known, _)| known.name == parameter.name);
        given.and_then(|(_, given)| given).or(parameter.default)
    }

    /// The same of a time span.
    pub fn span(&self, parameter: &Parameter) -> Duration {
        Duration::from_micros(self.value(parameter).unwrap_or_default())
    }

    /// How long it lasts by itself, if it ends by itself.
    pub fn lasting(&self) -> Option<Duration> {
        (self.fault == Fault::Brief).then(|| self.span(&DURATION))
    }

    /// Every parameter that has a value, for programs.
    pub fn json(&self) -> Value {
        let texts = self.texts().map(|(name, text)| (name.to_owned(), Value::String(text)));
        Value::Object(texts.collect::<Map<_, _>>())
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let parameters = self.fault.entry().parameters.iter();
        parameters.filter_map(|parameter| Some((parameter.name, parameter.unit.text(self.value(parameter)?))))
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)?;
        self.texts().try_for_each(|(name, text)| write!(f, " {name}={text}"))
    }
}

impl Parameter {
    /// How it is given, with its default if it has one: `delay=200ms`.
    pub fn usage(&self) -> String {
        let default = self
            .default
            .map_or_else(|| self.unit.placeholder().to_owned(), |default| self.unit.text(default));
        format!("{}={default}", self.name)
    }
}

impl Parameter {
    /// For people: what a value may be, with an example where that helps.
    fn wanted(&self) -> String {
        let (least, most) = self.range;
        let range = format!("{} from {} to {}", self.unit, self.unit.text(least), self.unit.text(most));
        match self.unit {
            Unit::Span => range + ", such as 200ms",
            Unit::Size => range + ", such as 64MiB",
            Unit::Count => range,
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.usage(), self.does)
    }
}

impl Unit {
    /// What people have written; none if it is no such value.
    pub fn read(self, text: &str) -> Option<u64> {
        match self {
            Self::Span => {
                let span = humantime::parse_duration(text).ok()?;
                // What is too long for that is beyond every range.
                Some(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
            }
            Self::Size => {
                let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                let (number, ending) = text.split_at(end);
                let (_, size) = SIZES.iter().find(|(known, _)| known.contains(&ending.trim_start()))?;
                number.parse::<u64>().ok()?.checked_mul(*size)
            }
            Self::Count => text.parse().ok(),
        }
    }

    /// A value as people write it.
    pub fn text(self, value: u64) -> String {
        match self {
            Self::Span => humantime::format_duration(Duration::from_micros(value)).to_string(),
            Self::Size => {
                let (endings, size) = SIZES
                    .iter()
                    .rev()
                    .find(|(_, size)| value >= *size && value.is_multiple_of(*size))
                    .unwrap_or(&SIZES[0]);
                format!("{}{}", value / size, endings[0])
            }
            Self::Count => value.to_string(),
        }
    }

    /// What stands for a value.
    const fn placeholder(self) -> &'static str {
        match self {
            Self::Span => "DURATION",
            Self::Size => "SIZE",
            Self::Count => "N",
        }
    }
}

/// Units of memory, each with its size; `K` is what it is in systemd's directives.
const SIZES: [(&[&str], u64); 5] = [
    (&["B", ""], 1),
    (&["KiB", "K"], 1 << 10),
    (&["MiB", "M"], 1 << 20),
    (&["GiB", "G"], 1 << 30),
    (&["TiB", "T"], 1 << 40),
];

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Span => "a time span",
            Self::Size => "an amount of memory",
            Self::Count => "a whole number",
        })
    }
}

fn known(fault: Fault) -> String {
    match fault.entry().parameters {
        [] => "it has none".to_owned(),
        some => {
            format!("it has: {}", some.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_a_default_within_its_range_that_reads_back() {
        for fault in Fault::ALL {
            let parameters = fault.entry().parameters;
            assert!(parameters.len() <= Injection::MOST_PARAMETERS, "{fault}");
            for parameter in parameters {
                assert_eq!(Injection::of(fault).value(parameter), parameter.default, "{fault}");
                for value in parameter.default.into_iter().chain([parameter.range.0, parameter.range.1]) {
                    let text = parameter.unit.text(value);
                    let read = Injection::of(fault).with(parameter.name, &text);
                    assert_eq!(read.map(|read| read.value(parameter)), Ok(Some(value)), "{fault} {text}");
                }
            }
        }
    }

    #[test]
    fn what_is_given_holds_and_the_rest_is_as_by_default() {
        let slow = Injection::of(Fault::Slow).with("delay", "1s 50ms").expect("a delay");
        assert_eq!(slow.span(&DELAY), Duration::from_millis(1_050));
        assert_eq!(
            (slow.to_string().as_str(), slow.json()),
            ("slow delay=1s 50ms", serde_json::json!({"delay": "1s 50ms"}))
        );
        let leak = Injection::of(Fault::MemoryLeak);
        assert_eq!((leak.value(&MEMORY), leak.to_string().as_str()), (None, "memory-leak rate=64MiB"));
        assert_eq!(MEMORY.usage(), "limit=SIZE");
        assert_eq!(
            leak.with("limit", "96M").expect("a limit").to_string(),
            "memory-leak limit=96MiB rate=64MiB"
        );
        assert_eq!(Injection::of(Fault::Brief).lasting(), Some(Duration::from_secs(1)));
        assert_eq!(Injection::of(Fault::Mute).lasting(), None);
    }

    #[test]
    fn sizes_are_read_as_systemd_reads_them_and_written_exactly() {
        for (text, bytes, written) in [
            ("4096", 4096, "4KiB"),
            ("1M", 1 << 20, "1MiB"),
            ("1 GiB", 1 << 30, "1GiB"),
            ("1025K", 1025 << 10, "1025KiB"),
            ("1001B", 1001, "1001B"),
            ("0", 0, "0B"),
        ] {
            assert_eq!(
                (Unit::Size.read(text), Unit::Size.text(bytes).as_str()),
                (Some(bytes), written),
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_is_answered_with_what_can() {
        for (fault, name, value, message) in [
            (
                Fault::Slow,
                "dely",
                "1s",
                r#"slow has no parameter "dely" (did you mean "delay"?); it has: delay"#,
            ),
            (Fault::Slow, "x", "1s", r#"slow has no parameter "x"; it has: delay"#),
            (Fault::Mute, "delay", "1s", r#"mute has no parameter "delay"; it has none"#),
            (
                Fault::Slow,
                "delay",
                "",
                r#""delay" of slow is to be a time span from 1ms to 1day, such as 200ms, and "" is none"#,
            ),
            (
                Fault::Slow,
                "delay",
                "200",
                r#""delay" of slow is to be a time span from 1ms to 1day, such as 200ms, and "200" is none"#,
            ),
            (
                Fault::Slow,
                "delay",
                "-1s",
                r#""delay" of slow is to be a time span from 1ms to 1day, such as 200ms, and "-1s" is none"#,
            ),
            (
                Fault::MemoryLeak,
                "rate",
                "-1",
                r#""rate" of memory-leak is to be an amount of memory from 1MiB to 1TiB, such as 64MiB, and "-1" is none"#,
            ),
            (
                Fault::Exit,
                "code",
                "-1",
                r#""code" of exit is to be a whole number from 0 to 255, and "-1" is none"#,
            ),
            (Fault::Slow, "delay", "0s", r#""delay" of slow is 0s, and that is not within 1ms to 1day"#),
            (
                Fault::Slow,
                "delay",
                "9000000years",
                r#""delay" of slow is 9000000years, and that is not within 1ms to 1day"#,
            ),
        ] {
            let error = Injection::of(fault).with(name, value).expect_err("nonsense");
            assert_eq!(error.to_string(), message);
        }
    }
}
