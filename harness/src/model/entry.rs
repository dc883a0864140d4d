//! journald's entries as `journalctl --output=json` prints them.
//!
//! A field is a string; an array of numbers where its bytes are not UTF-8; `null` where it is too large to print; and
//! an array of these where the entry holds the field more than once
//! (systemd, docs/JOURNAL_EXPORT_FORMATS.md, "Journal JSON Format").

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::clock::Usec;
use super::text;

/// One journal entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entry {
    fields: BTreeMap<String, Field>,
}

/// A field's value or values, in the shapes of the JSON format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Field {
    Text(String),
    Binary(Vec<u8>),
    Repeated(Vec<Field>),
    TooLarge,
}

/// By hand, since nearly all fields are text: what serde derives for this keeps each value aside until its shape is known.
impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;

        /// What an array holds: bytes, or values.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Item {
            Byte(u8),
            Value(Field),
        }

        impl<'de> Visitor<'de> for Shape {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an array or null")
            }

            fn visit_str<E>(self, text: &str) -> Result<Field, E> {
                Ok(Field::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Field, E> {
                Ok(Field::Text(text))
            }

            fn visit_unit<E>(self) -> Result<Field, E> {
                Ok(Field::TooLarge)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
                let (mut bytes, mut values) = (Vec::new(), Vec::new());
                while let Some(item) = items.next_element()? {
                    match item {
                        Item::Byte(byte) => bytes.push(byte),
                        Item::Value(value) => values.push(value),
                    }
                }
                match (bytes.is_empty(), values.is_empty()) {
                    (_, true) => Ok(Field::Binary(bytes)),
                    (true, false) => Ok(Field::Repeated(values)),
                    (false, false) => Err(A::Error::custom("an array of bytes and of values")),
                }
            }
        }

        deserializer.deserialize_any(Shape)
    }
}

impl Field {
    /// The first value that can be shown; bytes that are not UTF-8 become replacement characters.
    fn first(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Binary(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Repeated(values) => values.iter().find_map(Self::first),
            Self::TooLarge => None,
        }
    }

    fn holds(&self, wanted: &str) -> bool {
        match self {
            Self::Text(text) => text == wanted,
            Self::Binary(bytes) => bytes == wanted.as_bytes(),
            Self::Repeated(values) => values.iter().any(|value| value.holds(wanted)),
            Self::TooLarge => false,
        }
    }
}

/// Address fields worth keeping: when, and who said it. The rest tells about the host, not about the recovery.
const KEPT_ADDRESSES: [&str; 7] = [
    "__MONOTONIC_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
    "_PID",
    "_COMM",
    "_SYSTEMD_UNIT",
    "_SYSTEMD_INVOCATION_ID",
];

/// No journald that is of use leaves an entry lying for longer, in microseconds: more is a clock that was set meanwhile.
const LONGEST_LAIN: u64 = 10_000_000;

impl Entry {
    /// Parses one line of `journalctl --output=json`.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// A field's first value, if it has one that can be shown; what a terminal would obey is [escaped](text).
    pub fn text(&self, field: &str) -> Option<String> {
        self.fields.get(field)?.first().map(text::lines)
    }

    /// Whether the field has this value, among others perhaps.
    pub fn has(&self, field: &str, value: &str) -> bool {
        self.fields.get(field).is_some_and(|field| field.holds(value))
    }

    /// The names of its fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// A field's first value as a number.
    pub fn number<T: std::str::FromStr>(&self, field: &str) -> Option<T> {
        self.text(field)?.parse().ok()
    }

    /// When the entry was sent, or else when journald received it.
    ///
    /// Of a datagram the kernel stamps the sending (`SO_TIMESTAMP`, which journald asks for: systemd, src/journal/journald-native.c),
    /// on CLOCK_REALTIME; how long journald took to come to it is the difference of its own stamp on that clock. What is logged through a
    /// stream has no such stamp. (`_SOURCE_MONOTONIC_TIMESTAMP` is of kernel entries only, and is really CLOCK_BOOTTIME:
    /// src/journal/journald-kmsg.c.)
    pub fn at(&self) -> Option<Usec> {
        let received: u64 = self.number("__MONOTONIC_TIMESTAMP")?;
        Some(Usec(received - self.lay_for().filter(|usec| *usec <= received).unwrap_or_default()))
    }

    /// For how many microseconds it lay in journald's socket. A clock that was set meanwhile tells nothing.
    fn lay_for(&self) -> Option<u64> {
        let (sent, received): (u64, u64) =
            (self.number("_SOURCE_REALTIME_TIMESTAMP")?, self.number("__REALTIME_TIMESTAMP")?);
        received.checked_sub(sent).filter(|usec| *usec <= LONGEST_LAIN)
    }

    /// Whether the entry is about `unit`: said by systemd of it, said by the service itself, or said of one of its
    /// processes by somebody who may (`OBJECT_PID=`, from which journald makes `OBJECT_SYSTEMD_UNIT=`), or by `sd-watchdog guard` (`HANGPROOF_UNIT=`).
    pub fn concerns(&self, unit: &str) -> bool {
        let fields = ["UNIT", "_SYSTEMD_UNIT", "OBJECT_SYSTEMD_UNIT", "HANGPROOF_UNIT"];
        fields.iter().any(|field| self.has(field, unit))
    }

    /// The entry without what only identifies the host, fit for a recording.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.fields.retain(|name, _| !name.starts_with('_') || KEPT_ADDRESSES.contains(&name.as_str()));
        for noise in ["CODE_FILE", "CODE_LINE", "SYSLOG_FACILITY", "SYSLOG_TIMESTAMP", "TID"] {
            self.fields.remove(noise);
        }
        self
    }

    /// The entry as a person reads it: who, and what.
    pub fn line(&self) -> String {
        let who = self.text("SYSLOG_IDENTIFIER").or_else(|| self.text("_COMM")).unwrap_or_else(|| "?".into());
        format!(
            "{}: {}",
            text::one_line(who),
            self.text("MESSAGE").unwrap_or_else(|| "(too large to show)".into())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_repeated_and_oversized_fields_are_read() {
        let entry = Entry::parse(
            r#"{"MESSAGE":[104,255,105],"TAG":["a",[98],null],"HUGE":null,"__MONOTONIC_TIMESTAMP":"42","EMPTY":""}"#,
        )
        .expect("an entry");
        assert_eq!(entry.text("MESSAGE").as_deref(), Some("h\u{fffd}i"));
        assert!(entry.has("TAG", "a") && entry.has("TAG", "b") && !entry.has("TAG", "c"));
        assert_eq!(entry.text("TAG").as_deref(), Some("a"));
        assert_eq!(entry.text("HUGE"), None);
        assert_eq!(entry.text("EMPTY").as_deref(), Some(""));
        assert_eq!(entry.text("ABSENT"), None);
        assert_eq!(entry.at(), Some(Usec(42)));
    }

    #[test]
    fn an_entry_is_of_when_it_was_sent_where_the_kernel_has_stamped_that() {
        // Received by the one clock and by the other, sent by the other.
        for (stamps, at) in [
            ((Some(500), None, None), Some(500)),
            ((Some(500), Some(9100), None), Some(500)),
            ((Some(500), Some(9100), Some(9030)), Some(430)),
            ((Some(500), Some(9100), Some(9100)), Some(500)),
            // Set back, set forward, and longer than there has been a clock.
            ((Some(500), Some(9100), Some(9101)), Some(500)),
            ((Some(20_000_000), Some(30_000_000), Some(19_999_999)), Some(20_000_000)),
            ((Some(20_000_000), Some(30_000_000), Some(20_000_000)), Some(10_000_000)),
            ((Some(500), Some(9100), Some(8599)), Some(500)),
            ((Some(500), Some(9100), Some(8600)), Some(0)),
            ((None, Some(9100), Some(8600)), None),
        ] {
            let names = ["__MONOTONIC_TIMESTAMP", "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP"];
            let values: [Option<u64>; 3] = stamps.into();
            let fields =
                names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?.to_string())));
            let line = serde_json::to_string(&fields.collect::<BTreeMap<_, _>>()).expect("JSON");
            let entry = Entry::parse(&line).expect("an entry");
            assert_eq!(entry.at(), at.map(Usec), "{line}");
            assert_eq!(entry.trimmed().at(), at.map(Usec), "as recorded: {line}");
        }
    }

    #[test]
    fn an_entry_survives_being_recorded() {
        let line = r#"{"MESSAGE":[104,255],"TAG":["a",[98],null],"UNIT":"x.service","_PID":"1"}"#;
        let entry = Entry::parse(line).expect("an entry");
        assert_eq!(serde_json::to_string(&entry).expect("json"), line);
    }

    #[test]
    fn a_recording_keeps_who_and_what_but_not_where() {
        let entry = Entry::parse(
            r#"{"MESSAGE":"m","_PID":"1","_MACHINE_ID":"secret","__CURSOR":"c","_CMDLINE":"c","CODE_FUNC":"f","CODE_LINE":"9","HANGPROOF_EVENT":"hang_report"}"#,
        );
        let kept = serde_json::to_string(&entry.expect("an entry").trimmed()).expect("json");
        assert_eq!(kept, r#"{"CODE_FUNC":"f","HANGPROOF_EVENT":"hang_report","MESSAGE":"m","_PID":"1"}"#);
    }
}
