//! Why there is no answer, in words.

use std::io;

/// The reason, for people.
pub fn of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::NotFound => "there is no such socket".into(),
        io::ErrorKind::UnexpectedEof => "closed without an answer".into(),
        _ => error.to_string(),
    }
}
