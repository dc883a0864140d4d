//! Unit names, as people type them and as systemd takes them.

use std::fmt;

/// unit-name.h: `UNIT_NAME_MAX`.
const LONGEST: usize = 255;
/// systemd.unit(5): what a unit can be other than a service.
const OTHER_TYPES: [&str; 10] =
    ["automount", "device", "mount", "path", "scope", "slice", "socket", "swap", "target", "timer"];

/// The name of a service, ending with `.service`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName(String);

/// A name that no service has. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("UNIT is {name:?}: give the name of a service, like nginx or nginx.service")]
    Malformed { name: String },
    #[error("UNIT is {name:?}, a {kind}: only services can be guarded; give the service that it belongs to")]
    NotAService { name: String, kind: &'static str },
    #[error("UNIT is {name:?}, a template: give one of its instances, like {prefix}@NAME.service")]
    Template { name: String, prefix: String },
}

impl ServiceName {
    /// Takes `nginx` as `nginx.service`, as systemctl(1) does. Escapes (`\x2d`) stay as they are: they are part of the
    /// name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let malformed = || NameError::Malformed { name: name.to_owned() };
        let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
        if let Some(kind) = OTHER_TYPES.into_iter().find(|kind| suffix == Some(kind)) {
            return Err(NameError::NotAService { name: name.to_owned(), kind });
        }
        let full = if suffix == Some("service") { name.to_owned() } else { format!("{name}.service") };
        let stem = full.strip_suffix(".service").unwrap_or_default();
        // unit_name_is_valid() in systemd's src/basic/unit-name.c
        let valid = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if stem.is_empty() || stem.starts_with('@') || full.len() > LONGEST || !full.chars().all(valid) {
            return Err(malformed());
        }
        if let Some(prefix) = stem.strip_suffix('@') {
            return Err(NameError::Template { name: name.to_owned(), prefix: prefix.to_owned() });
        }
        Ok(Self(full))
    }

    /// `nginx.service`
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_systemctl_takes_them() {
        for (typed, expected) in [
            ("nginx", "nginx.service"),
            ("nginx.service", "nginx.service"),
            ("postgresql@15-main", "postgresql@15-main.service"),
            ("postgresql@15-main.service", "postgresql@15-main.service"),
            ("a@b@c", "a@b@c.service"),
            ("my.server", "my.server.service"),
            ("foo\\x2dbar", "foo\\x2dbar.service"),
            ("dbus-:1.2-org.freedesktop.problems", "dbus-:1.2-org.freedesktop.problems.service"),
            ("service", "service.service"),
        ] {
            assert_eq!(ServiceName::new(typed).expect("a name").as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_service_is_refused_with_the_remedy() {
        for (typed, expected) in [
            ("", "give the name of a service"),
            (".service", "give the name of a service"),
            ("@x", "give the name of a service"),
            ("a b", "give the name of a service"),
            ("a/b", "give the name of a service"),
            ("größe", "give the name of a service"),
            ("nginx.socket", "a socket: only services"),
            ("nginx.target", "a target: only services"),
            ("getty@", "like getty@NAME.service"),
            ("getty@.service", "like getty@NAME.service"),
        ] {
            let error = ServiceName::new(typed).expect_err("no service").to_string();
            assert!(error.contains(expected), "{typed:?}: {error}");
        }
        assert!(ServiceName::new(&"x".repeat(247)).is_ok());
        assert!(ServiceName::new(&"x".repeat(248)).is_err());
    }
}
