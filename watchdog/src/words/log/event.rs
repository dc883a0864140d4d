//! One thing said, taken from an event.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use crate::words::journal::{Entry, Priority};

/// What was said, how grave it is, and where in the program.
#[derive(Debug)]
pub struct LogRecord {
    pub level: Level,
    pub message: String,
    fields: Vec<(&'static str, String)>,
    file: Option<&'static str>,
    line: Option<u32>,
    module: Option<&'static str>,
}

impl LogRecord {
    /// Takes `event` apart.
    pub fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut said = Self {
            level: *metadata.level(),
            message: String::new(),
            fields: Vec::new(),
            file: metadata.file(),
            line: metadata.line(),
            module: metadata.module_path(),
        };
        event.record(&mut said);
        said
    }

    /// That others were lost.
    pub fn lost(count: u64) -> Self {
        let message = match count {
            1 => "1 line of this log was lost: there was no room for it".to_owned(),
            _ => format!("{count} lines of this log were lost: there was no room for them"),
        };
        let fields = vec![("lost", count.to_string())];
        Self { level: Level::WARN, message, fields, file: None, line: None, module: None }
    }

    /// syslog(3)'s word for it.
    pub fn priority(&self) -> Priority {
        match self.level {
            Level::ERROR => Priority::Error,
            Level::WARN => Priority::Warning,
            Level::INFO => Priority::Info,
            Level::DEBUG | Level::TRACE => Priority::Debug,
        }
    }

    /// For journald.
    pub fn entry(&self) -> Entry {
        let entry = Entry::new(self.priority(), &self.message)
            .maybe("CODE_FILE", self.file)
            .maybe("CODE_LINE", self.line.map(|line| line.to_string()))
            .maybe("CODE_FUNC", self.module);
        self.fields.iter().fold(entry, |entry, (name, value)| match journal_name(name) {
            Some(name) => entry.field(name, value),
            None => entry,
        })
    }
}

impl Visit for LogRecord {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.fields.push((name, value.to_owned())),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// `reason` is `HANGPROOF_REASON` in the journal; a few are journald's own. Made once per name, of which a program has
/// only so many; [`None`] for what cannot be one.
fn journal_name(field: &'static str) -> Option<&'static str> {
    static NAMES: Mutex<Vec<(&str, &str)>> = Mutex::new(Vec::new());
    match field {
        "message_id" => return Some("MESSAGE_ID"),
        "object_pid" => return Some("OBJECT_PID"),
        "object_unit" => return Some("OBJECT_SYSTEMD_UNIT"),
        _ => {}
    }
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, name)) = names.iter().find(|(known, _)| *known == field) {
        return Some(name);
    }
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    // journald takes 64 bytes, of which 10 are the prefix.
    if field.len() > 54 || !field.bytes().all(is_good) {
        return None;
    }
    let name = format!("HANGPROOF_{}", field.to_ascii_uppercase().replace('.', "_"));
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.push((field, name));
    Some(name)
}
