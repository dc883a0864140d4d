//! Names of services: src/basic/unit-name.c of systemd, and the drop-in directories that follow from them
//! (`unit_file_find_dirs` in its src/shared/dropin.c). Pure.

use std::fmt;

/// unit-name.h: `UNIT_NAME_MAX`.
const LONGEST: usize = 255;
/// What a unit can be: systemd.unit(5).
const TYPES: [&str; 11] = [
    "service",
    "socket",
    "target",
    "device",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
];

/// The name of a service, ending with `.service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitName(String);

/// A name that no service has. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum NotAService {
    #[error("{0:?} is not a service: give the name of one, like nginx or nginx.service")]
    Other(String),
    #[error("{name:?} is not a service, but a {kind}: give the service that it belongs to")]
    OfType { name: String, kind: &'static str },
}

impl UnitName {
    /// Takes `nginx` as `nginx.service`, as systemctl(1) does. Escapes (`\x2d`) stay as they are: they are part of the name.
    pub fn new(typed: &str) -> Result<Self, NotAService> {
        let suffix = typed.rsplit_once('.').map(|(_, suffix)| suffix);
        let name = match TYPES.into_iter().find(|kind| suffix == Some(kind)) {
            Some("service") => typed.to_owned(),
            Some(kind) => return Err(NotAService::OfType { name: typed.to_owned(), kind }),
            None => format!("{typed}.service"),
        };
        if is_valid(&name) { Ok(Self(name)) } else { Err(NotAService::Other(typed.to_owned())) }
    }

    /// `getty@tty1.service`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `getty@tty1`
    pub fn stem(&self) -> &str {
        self.0.strip_suffix(".service").unwrap_or(&self.0)
    }

    /// `getty`
    pub fn prefix(&self) -> &str {
        self.stem().split_once('@').map_or(self.stem(), |(prefix, _)| prefix)
    }

    /// `tty1`; empty in a template, [`None`] in what is neither template nor instance.
    pub fn instance(&self) -> Option<&str> {
        self.stem().split_once('@').map(|(_, instance)| instance)
    }

    /// `getty@.service`
    pub fn is_template(&self) -> bool {
        self.instance() == Some("")
    }

    /// `getty@.service` of `getty@tty1.service`; [`None`] of others.
    pub fn template(&self) -> Option<Self> {
        self.instance().filter(|instance| !instance.is_empty())?;
        Some(Self(format!("{}@.service", self.prefix())))
    }

    /// The same template with another instance; of what is none, itself.
    #[must_use]
    pub fn with_instance(&self, instance: &str) -> Self {
        if self.is_template() { Self(format!("{}@{instance}.service", self.prefix())) } else { self.clone() }
    }

    /// The names whose directories `NAME.d` are looked into in each directory of the unit path, the most specific first; the
    /// last word has the first that has a file. Those of the type (`service.d`) come after all others, see [`super::search`].
    pub fn drop_in_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        add_drop_in_names(self, &mut names);
        names
    }
}

fn add_drop_in_names(name: &UnitName, names: &mut Vec<String>) {
    names.push(name.0.clone());
    if let Some(template) = name.template() {
        add_drop_in_names(&template, names);
    }
    let Some(shorter) = shortened(name.prefix()) else { return };
    let next = match name.instance().filter(|instance| !instance.is_empty()) {
        Some(instance) => format!("{shorter}@{instance}.service"),
        None => format!("{shorter}.service"),
    };
    add_drop_in_names(&UnitName(next), names);
}

/// Up to its last dash: `a-b-` of `a-b-c`, `a-` of `a-b-`.
fn shortened(prefix: &str) -> Option<&str> {
    let dash = prefix.rfind('-').filter(|dash| *dash > 0)?;
    if dash + 1 < prefix.len() {
        return Some(&prefix[..=dash]);
    }
    let chopped = &prefix[..dash];
    let dash = chopped.rfind('-').filter(|dash| *dash > 0)?;
    Some(&prefix[..=dash])
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `unit_name_is_valid`, for any type of unit.
pub(crate) fn is_valid(name: &str) -> bool {
    let Some((stem, suffix)) = name.rsplit_once('.') else { return false };
    let is_plain = |char: char| char.is_ascii_alphanumeric() || ":-_.\\@".contains(char);
    name.len() <= LONGEST
        && TYPES.contains(&suffix)
        && !stem.is_empty()
        && !stem.starts_with('@')
        && stem.chars().all(is_plain)
}

/// `unit_name_unescape`: `-` is a slash, `\x2d` a byte. [`None`] where an escape is none.
pub(crate) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'-' => bytes.push(b'/'),
            b'\\' => {
                let digits = after.strip_prefix(b"x")?.get(..2)?;
                let digit =
                    |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
                rest = &after[3..];
            }
            other => bytes.push(other),
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_systemd_does() {
        for (typed, name, prefix, instance) in [
            ("nginx", "nginx.service", "nginx", None),
            ("nginx.service", "nginx.service", "nginx", None),
            ("my.server", "my.server.service", "my.server", None),
            ("getty@", "getty@.service", "getty", Some("")),
            ("a@b@c", "a@b@c.service", "a", Some("b@c")),
            ("postgresql@15-main", "postgresql@15-main.service", "postgresql", Some("15-main")),
            (
                "dbus-:1.2-org.x.problems",
                "dbus-:1.2-org.x.problems.service",
                "dbus-:1.2-org.x.problems",
                None,
            ),
            ("service", "service.service", "service", None),
            ("foo\\x2dbar", "foo\\x2dbar.service", "foo\\x2dbar", None),
        ] {
            let found = UnitName::new(typed).expect("a name");
            assert_eq!((found.as_str(), found.prefix(), found.instance()), (name, prefix, instance));
        }
        for typed in ["", ".service", "@x", "a b", "a/b", "größe", &"x".repeat(248)] {
            assert_eq!(UnitName::new(typed), Err(NotAService::Other(typed.to_owned())), "{typed}");
        }
        for kind in ["socket", "target"] {
            let name = format!("nginx.{kind}");
            assert_eq!(UnitName::new(&name), Err(NotAService::OfType { name, kind }));
        }
        assert!(UnitName::new(&"x".repeat(247)).is_ok());
    }

    #[test]
    fn drop_ins_are_looked_for_by_ever_shorter_names() {
        for (name, expected) in [
            ("a", &["a"][..]),
            ("a-b-c", &["a-b-c", "a-b-", "a-"]),
            ("a-b-", &["a-b-", "a-"]),
            ("a-", &["a-"]),
            ("-a", &["-a"]),
            ("a--b", &["a--b", "a--", "a-"]),
            ("a@", &["a@"]),
            ("a@i", &["a@i", "a@"]),
            ("a-b@i-j", &["a-b@i-j", "a-b@", "a-", "a-@i-j", "a-@"]),
        ] {
            let found = UnitName::new(name).expect("a name").drop_in_names();
            let expected: Vec<String> = expected.iter().map(|name| format!("{name}.service")).collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn escapes_in_names_are_undone() {
        for (text, expected) in [
            ("a-b\\x2dc", Some(&b"a/b-c"[..])),
            ("\\xff", Some(b"\xff")),
            ("\\2d", None),
            ("\\x2", None),
            ("\\xg0", None),
        ] {
            assert_eq!(unescaped(text).as_deref(), expected, "{text}");
        }
    }
}
