//! Why a connection was not enough for an answer.

use std::io::{self, ErrorKind};

use crate::words::outcome::{Cause, Reason};

/// The reason of a probe whose connection failed when it sent or read. `begun`: there was something of an answer.
pub fn broken(error: &io::Error, begun: bool) -> Reason {
    #[cfg(feature = "tls")]
    if let Some(reason) = super::tls_error::reason(error) {
        return reason;
    }
    match error.kind() {
        ErrorKind::ConnectionReset => closed("reset", begun),
        ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => closed("closed", begun),
        _ => Reason::new(Cause::Closed, format!("connection failed: {error}")),
    }
}

/// The reason of a probe whose connection was closed before the answer was complete.
pub fn closed_early(begun: bool) -> Reason {
    closed("closed", begun)
}

fn closed(how: &str, begun: bool) -> Reason {
    let when = if begun { "in the middle of the answer" } else { "before an answer" };
    Reason::new(Cause::Closed, format!("connection {how} {when}"))
}
