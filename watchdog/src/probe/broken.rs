//! Why there was no connection, or why it was not enough for an answer.

use std::io::{self, ErrorKind};

use rustix::io::Errno;

use super::local::{self, When};
use crate::words::outcome::{Cause, Reason};

/// The reason of a probe that was not connected.
pub fn not_connected(error: &io::Error, when: When, is_unix: bool) -> Reason {
    if local::is_local(error, when) {
        return local::reason("connect", error, is_unix);
    }
    match Errno::from_io_error(error) {
        Some(Errno::CONNREFUSED) => Reason::new(Cause::Refused, "connection refused"),
        Some(Errno::NOENT) => Reason::new(Cause::Connect, "cannot connect: there is no such socket"),
        _ => Reason::new(Cause::Connect, format!("cannot connect: {error}")),
    }
}

/// The reason of a probe whose connection failed when it sent or read. `begun`: there was something of an answer.
pub fn broken(error: &io::Error, begun: bool) -> Reason {
    #[cfg(feature = "tls")]
    if let Some(reason) = super::tls_error::reason(error) {
        return reason;
    }
    if local::is_local(error, When::Later) {
        return local::reason("send or receive", error, false);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_host_cannot_do_is_said_with_a_remedy_and_does_not_count() {
        let reason = not_connected(&Errno::MFILE.into(), When::AtOnce, false);
        assert!(!reason.cause().counts());
        assert_eq!(
            reason.to_string(),
            "cannot connect: Too many open files (os error 24); raise LimitNOFILE="
        );
        let reason = broken(&Errno::NOBUFS.into(), true);
        assert!(!reason.cause().counts(), "{reason}");
        assert!(broken(&Errno::CONNRESET.into(), true).cause().counts());
    }

    #[test]
    fn what_the_service_or_the_way_to_it_answers_counts() {
        for (errno, when, is_unix, cause) in [
            (Errno::CONNREFUSED, When::Later, false, Cause::Refused),
            (Errno::CONNREFUSED, When::AtOnce, true, Cause::Refused),
            (Errno::NOENT, When::AtOnce, true, Cause::Connect),
            (Errno::HOSTUNREACH, When::Later, false, Cause::Connect),
        ] {
            let reason = not_connected(&errno.into(), when, is_unix);
            assert_eq!((reason.cause(), reason.cause().counts()), (cause, true), "{errno:?}");
        }
    }
}
