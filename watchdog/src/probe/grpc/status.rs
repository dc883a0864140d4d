//! Judges a gRPC answer: its status, and what it says. Pure.

use super::message::Health;
use crate::text;
use crate::words::outcome::{Cause, Reason};

/// By number, from 0; <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const UNIMPLEMENTED: usize = 12;
/// How much of a service's own words is told, in characters.
const LONGEST_TEXT: usize = 120;

/// What `grpc-status`, `grpc-message` and the message amount to.
pub fn judge(status: Option<&[u8]>, text: Option<&[u8]>, serving: Option<Health>) -> Result<(), Reason> {
    let status = status.ok_or_else(|| not_grpc("it has no grpc-status"))?;
    let status: usize = std::str::from_utf8(status)
        .ok()
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| not_grpc("its grpc-status is not a number"))?;
    if status != 0 {
        return Err(Reason::new(Cause::NotServing, failed(status, text.unwrap_or_default())));
    }
    let not_serving = |text: String| Err(Reason::new(Cause::NotServing, text));
    match serving {
        Some(Health::Serving) => Ok(()),
        Some(Health::NotServing) => not_serving("NOT_SERVING".to_owned()),
        Some(Health::Unknown) => not_serving("UNKNOWN".to_owned()),
        Some(Health::ServiceUnknown) => not_serving("SERVICE_UNKNOWN".to_owned()),
        Some(Health::Other(number)) => not_serving(format!("serving status {number}")),
        None => Err(not_grpc("it has no message")),
    }
}

/// Something came that gRPC does not have.
pub fn not_grpc(problem: &str) -> Reason {
    Reason::new(Cause::Protocol, format!("not a gRPC answer: {}", shortened(problem)))
}

fn failed(status: usize, text: &[u8]) -> String {
    let mut reason = format!("grpc-status {status}");
    if let Some(name) = NAMES.get(status) {
        reason.extend([" ", name]);
    }
    let text = unescape_percent(text);
    if !text.is_empty() {
        reason.extend([": ", &shortened(&text)]);
    }
    if status == UNIMPLEMENTED {
        reason.push_str("; the service has no grpc.health.v1.Health");
    }
    reason
}

/// `grpc-message` is percent-encoded UTF-8.
fn unescape_percent(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (*byte == b'%').then(|| after.get(..2)).flatten();
        let escaped = escaped
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(escaped) = escaped {
            bytes.push(escaped);
            rest = &after[2..];
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A text of the service's, as a part of a reason.
pub fn shortened(text: &str) -> String {
    text::shortened(text, LONGEST_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_status_0_and_serving_is_healthy() {
        let serving = Some(Health::Serving);
        assert_eq!(judge(Some(b"0"), None, serving), Ok(()));
        for (status, text, serving, expected) in [
            (Some(&b"0"[..]), &b""[..], Some(Health::NotServing), "NOT_SERVING"),
            (Some(b"0"), b"", Some(Health::Unknown), "UNKNOWN"),
            (Some(b"0"), b"", Some(Health::ServiceUnknown), "SERVICE_UNKNOWN"),
            (Some(b"0"), b"", Some(Health::Other(7)), "serving status 7"),
            (Some(b"0"), b"", None, "not a gRPC answer: it has no message"),
            (Some(b"5"), b"unknown service", None, "grpc-status 5 NOT_FOUND: unknown service"),
            (Some(b"5"), b"unknown%20%C3%A4%", serving, "grpc-status 5 NOT_FOUND: unknown ä%"),
            (Some(b"14"), b"a%0Ab%zz", None, "grpc-status 14 UNAVAILABLE: a b%zz"),
            (Some(b"13"), b"", None, "grpc-status 13 INTERNAL"),
            (
                Some(b"12"),
                b"",
                None,
                "grpc-status 12 UNIMPLEMENTED; the service has no grpc.health.v1.Health",
            ),
            (Some(b"99"), b"", None, "grpc-status 99"),
            (Some(b"x"), b"", serving, "not a gRPC answer: its grpc-status is not a number"),
            (None, b"", serving, "not a gRPC answer: it has no grpc-status"),
        ] {
            let reason = judge(status, Some(text), serving).expect_err(expected);
            assert_eq!(reason.to_string(), expected);
        }
    }

    #[test]
    fn what_a_service_says_is_cut_to_a_line() {
        let reason = judge(Some(b"2"), Some(&[b'x'; 5000]), None).expect_err("not healthy").to_string();
        assert!(reason.len() < 200 && reason.ends_with('…'), "{reason}");
    }

    #[test]
    fn a_text_stays_on_one_line_of_bounded_length() {
        assert_eq!(shortened("unknown \"ä\"\r\n\u{1b}[1m"), "unknown \"ä\"  \u{fffd}[1m");
        assert_eq!(shortened(&"ä".repeat(120)), "ä".repeat(120));
        assert_eq!(shortened(&"ä".repeat(121)), format!("{}…", "ä".repeat(120)));
    }
}
