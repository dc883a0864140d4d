//! One journal entry, encoded. Pure.

/// syslog(3)'s priorities, as far as they are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    Error,
    Warning,
    Info,
    Debug,
}

impl Priority {
    /// Its number.
    fn number(self) -> &'static str {
        match self {
            Self::Error => "3",
            Self::Warning => "4",
            Self::Info => "6",
            Self::Debug => "7",
        }
    }
}

/// Longer names are refused by journald (`JOURNAL_FIELD_NAME_LENGTH_MAX`, src/libsystemd/sd-journal/journal-def.h).
const MAX_NAME: usize = 64;

/// A journal entry: fields in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    bytes: Vec<u8>,
}

impl Entry {
    /// An entry of `sd-watchdog`, with `MESSAGE`, `PRIORITY` and `SYSLOG_IDENTIFIER`. `message` may have several lines.
    pub fn new(priority: Priority, message: &str) -> Self {
        Self { bytes: Vec::with_capacity(message.len() + 256) }
            .field("MESSAGE", message)
            .field("PRIORITY", priority.number())
            .field("SYSLOG_IDENTIFIER", "sd-watchdog")
    }

    /// `MESSAGE_ID`: 128 bits as 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn message_id(self, id: &'static str) -> Self {
        self.field("MESSAGE_ID", id)
    }

    /// What process the entry is about. journald adds `OBJECT_SYSTEMD_UNIT=` and others if it believes us (as root, or as
    /// the process' own user) and the process still lives; then `journalctl -u` of its unit shows the entry.
    #[must_use]
    pub fn object_pid(self, pid: i32) -> Self {
        self.field("OBJECT_PID", pid.to_string())
    }

    /// What unit the entry is about: `journalctl -u UNIT` shows it if root sends it, also when its processes are gone.
    #[must_use]
    pub fn object_unit(self, unit: &str) -> Self {
        self.field("OBJECT_SYSTEMD_UNIT", unit)
    }

    /// The same of a unit of the user's that sends it: `journalctl --user -u UNIT`.
    #[must_use]
    pub fn object_user_unit(self, unit: &str) -> Self {
        self.field("OBJECT_SYSTEMD_USER_UNIT", unit)
    }

    /// Adds a field; one name may come several times. Values may hold any bytes.
    ///
    /// Names are capitals, digits and underscores, begin with a capital and are at most 64 bytes long. journald drops
    /// others silently. Here a debug build panics, and others leave the field out.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        debug_assert!(is_valid_name(name), "journald takes no field named {name:?}");
        if !is_valid_name(name) {
            return self;
        }
        let value = value.as_ref();
        self.bytes.extend_from_slice(name.as_bytes());
        if value.contains(&b'\n') {
            self.bytes.push(b'\n');
            self.bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            self.bytes.push(b'=');
        }
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'\n');
        self
    }

    /// [`field`](Self::field), if there is a value.
    #[must_use]
    pub fn maybe(self, name: &'static str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.field(name, value),
            None => self,
        }
    }

    /// As it is sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The fields, decoded.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut rest = &*self.bytes;
        std::iter::from_fn(move || {
            let end = rest.iter().position(|byte| matches!(byte, b'=' | b'\n'))?;
            let name = std::str::from_utf8(&rest[..end]).ok()?;
            let (value, after) = if rest[end] == b'=' {
                let value = &rest[end + 1..];
                value.split_at_checked(value.iter().position(|&byte| byte == b'\n')?)?
            } else {
                let (length, value) = rest[end + 1..].split_first_chunk()?;
                value.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?
            };
            rest = after.get(1..)?;
            Some((name, value))
        })
    }

    /// The first value of a field, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields().find(|(field, _)| *field == name)?;
        std::str::from_utf8(value).ok()
    }
}

/// As journald checks it (`journal_field_valid`, src/libsystemd/sd-journal/journal-file.c).
fn is_valid_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_newlines_goes_with_its_length_and_any_other_on_one_line() {
        let entry = Entry { bytes: Vec::new() }
            .field("A", "b=c")
            .field("EMPTY", "")
            .field("MANY", "x\ny")
            .field("BINARY_1", [0_u8, 255]);
        assert_eq!(entry.as_bytes(), b"A=b=c\nEMPTY=\nMANY\n\x03\0\0\0\0\0\0\0x\ny\nBINARY_1=\0\xff\n");
        let fields: Vec<_> = entry.fields().collect();
        assert_eq!(fields, [("A", &b"b=c"[..]), ("EMPTY", b""), ("MANY", b"x\ny"), ("BINARY_1", b"\0\xff")]);
    }

    #[test]
    fn every_entry_says_what_who_and_how_grave() {
        let entry = Entry::new(Priority::Warning, "it hangs")
            .message_id("3eb0c1a2c5f84c0b9d3f9f2b6a1d7e55")
            .object_pid(7)
            .object_unit("a.service")
            .maybe("HANGPROOF_PID", Some("7"))
            .maybe("HANGPROOF_COMM", None::<&str>);
        assert_eq!(
            String::from_utf8_lossy(entry.as_bytes()),
            "MESSAGE=it hangs\nPRIORITY=4\nSYSLOG_IDENTIFIER=sd-watchdog\n\
             MESSAGE_ID=3eb0c1a2c5f84c0b9d3f9f2b6a1d7e55\nOBJECT_PID=7\nOBJECT_SYSTEMD_UNIT=a.service\n\
             HANGPROOF_PID=7\n"
        );
        assert_eq!((entry.text("PRIORITY"), entry.text("NONE")), (Some("4"), None));
    }

    #[test]
    fn names_that_journald_drops_are_known() {
        let long = "A".repeat(64);
        for (name, expected) in [
            ("A", true),
            ("A_1", true),
            (&*long, true),
            (&*format!("{long}A"), false),
            ("", false),
            ("_PID", false),
            ("1A", false),
            ("a", false),
            ("A-B", false),
            ("A=B", false),
            ("Ä", false),
        ] {
            assert_eq!(is_valid_name(name), expected, "{name}");
        }
    }
}
