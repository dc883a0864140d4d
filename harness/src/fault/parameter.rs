//! What can be decided about a fault: its parameters, and what they may be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use server::fault::Unit;

use crate::model::clock::{Human, parse_span};

/// A parameter: in a scenario, a key of `[fault]`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is where nobody decides.
    pub default: Default,
    /// What it decides, in one sentence without a full stop.
    pub does: &'static str,
}

/// What a parameter is where a scenario says nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Default {
    /// This.
    Value(Cow<'static, str>),
    /// Nothing: the fault does without.
    Nothing,
    /// The port that `[observe]` has.
    ObservedPort,
    /// The scenario has to say.
    Needed,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A time span from the first to the second: `"200ms"`.
    Span(Duration, Duration),
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// An amount of memory from the first to the second, in bytes: `"64MiB"`.
    Size(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// An absolute path in the machine.
    Path,
    /// A program and its arguments: `["touch", "/tmp/x"]`.
    Command,
}

impl Default {
    /// This.
    pub const fn value(text: &'static str) -> Self {
        Self::Value(Cow::Borrowed(text))
    }
}

impl Kind {
    /// For people: what it may be, with an example where that helps.
    pub fn wanted(self) -> String {
        match self {
            Self::Span(least, most) => {
                format!("a time span from {} to {} (\"200ms\")", Human(least), Human(most))
            }
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Size(least, most) => {
                let [least, most] = [least, most].map(|size| Unit::Size.text(size));
                format!("an amount of memory from {least} to {most} (\"64MiB\")")
            }
            Self::Word(words) => {
                let words = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>();
                format!("one of {}", words.join(", "))
            }
            Self::Path => "an absolute path in the machine".into(),
            Self::Command => "a program and its arguments ([\"touch\", \"/tmp/x\"])".into(),
        }
    }

    /// Whether a value is of this kind.
    pub fn has(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Span(least, most), Value::Text(text)) => {
                parse_span(text).is_some_and(|span| (least..=most).contains(&span))
            }
            (Self::Number(least, most), Value::Number(number)) => (least..=most).contains(number),
            (Self::Size(least, most), Value::Text(text)) => {
                Unit::Size.read(text).is_some_and(|size| (least..=most).contains(&size))
            }
            (Self::Word(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Self::Path, Value::Text(text)) => text.starts_with('/') && !text.contains(['\0', '\n']),
            (Self::Command, Value::List(words)) => {
                words.first().is_some_and(|program| !program.is_empty())
                    && words.iter().all(|word| !word.contains('\0'))
            }
            _ => false,
        }
    }

    /// The value that `text` stands for in the catalogue.
    fn value(self, text: &str) -> Value {
        match self {
            Self::Number(..) => text.parse().map_or_else(|_| Value::Text(text.into()), Value::Number),
            Self::Command => Value::List(text.split_whitespace().map(ToOwned::to_owned).collect()),
            Self::Span(..) | Self::Size(..) | Self::Word(_) | Self::Path => Value::Text(text.into()),
        }
    }
}

/// What a parameter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A time span, a word or a path.
    Text(String),
    /// A number.
    Number(i64),
    /// A command line.
    List(Vec<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Value {
    fn from(words: [T; N]) -> Self {
        Self::List(words.map(Into::into).into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::List(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// The parameters of one fault, each with what it is.
#[derive(Clone, Debug, std::default::Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<&'static str, Value>);

impl Parameters {
    /// What was `given`, and what the others are by default.
    ///
    /// # Errors
    /// The parameters that were needed and not given.
    pub fn of(
        known: &[Parameter],
        mut given: BTreeMap<&'static str, Value>,
        observed_port: Option<u16>,
    ) -> Result<Self, Vec<&'static str>> {
        let (mut values, mut needed) = (BTreeMap::new(), Vec::new());
        for Parameter { name, kind, default, .. } in known {
            let value = given.remove(name).or_else(|| match default {
                Default::Value(text) => Some(kind.value(text)),
                Default::ObservedPort => observed_port.map(|port| Value::Number(port.into())),
                Default::Nothing | Default::Needed => None,
            });
            match value {
                Some(value) => drop(values.insert(*name, value)),
                None if *default == Default::Nothing => {}
                None => needed.push(*name),
            }
        }
        if needed.is_empty() { Ok(Self(values)) } else { Err(needed) }
    }

    /// Each, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// As a program in the machine is told; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        self.0.get(name).map(ToString::to_string).unwrap_or_default()
    }

    /// A number; none where it was not given.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A time span; none where it was not given.
    pub fn span(&self, name: &str) -> Option<Duration> {
        parse_span(&self.text(name))
    }

    /// A command line; empty where there is none.
    pub fn command(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::List(words)) => words.clone(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn a_value_is_of_its_parameters_kind_or_it_is_not() {
        let list = |words: &[&str]| Value::List(words.iter().map(ToString::to_string).collect());
        let span = Kind::Span(Duration::from_millis(1), Duration::from_secs(1));
        for (kind, value, is) in [
            (span, text("200ms"), true),
            (span, text("1s"), true),
            (span, text("1001ms"), false),
            (span, text("0s"), false),
            (span, text("soon"), false),
            (span, Value::Number(5), false),
            (Kind::Number(1, 100), Value::Number(1), true),
            (Kind::Number(1, 100), Value::Number(100), true),
            (Kind::Number(1, 100), Value::Number(101), false),
            (Kind::Number(1, 100), Value::Number(0), false),
            (Kind::Number(1, 100), text("50"), false),
            (Kind::Size(1 << 20, 1 << 30), text("64MiB"), true),
            (Kind::Size(1 << 20, 1 << 30), text("2G"), false),
            (Kind::Size(1 << 20, 1 << 30), text("much"), false),
            (Kind::Word(&["all", "one"]), text("one"), true),
            (Kind::Word(&["all", "one"]), text("two"), false),
            (Kind::Path, text("/srv"), true),
            (Kind::Path, text("srv"), false),
            (Kind::Path, text("/a\nb"), false),
            (Kind::Command, list(&["true"]), true),
            (Kind::Command, list(&[]), false),
            (Kind::Command, list(&[""]), false),
            (Kind::Command, text("true"), false),
        ] {
            assert_eq!(kind.has(&value), is, "{kind:?} {value:?}");
        }
    }

    #[test]
    fn what_is_not_given_is_as_by_default_and_what_is_needed_is_named() {
        let parameter = |name, kind, default| Parameter { name, kind, default, does: "decides" };
        let known = [
            parameter("a", Kind::Number(1, 9), Default::value("7")),
            parameter("b", Kind::Path, Default::Nothing),
            parameter("c", Kind::Number(1, 65_535), Default::ObservedPort),
            parameter("d", Kind::Path, Default::Needed),
        ];
        let given = || BTreeMap::from([("d", text("/d"))]);
        let all = Parameters::of(&known, given(), Some(80)).expect("all that is needed");
        let shown = all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(shown, ["a=7", "c=80", "d=/d"]);
        assert_eq!((all.text("b"), all.span("b")), (String::new(), None));
        assert_eq!(Parameters::of(&known, BTreeMap::new(), None), Err(vec!["c", "d"]));
    }
}
