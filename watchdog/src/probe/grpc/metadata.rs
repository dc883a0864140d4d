//! `--header` and `--header-file` beside `--grpc`: the metadata of the call. Pure.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::probe::http::Form;

/// What gRPC itself says in a call, and what HTTP/2 has no place for (RFC 9113, section 8.2.2). So is what begins with `grpc-`:
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
const RESERVED: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What a call says beside its question.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// In place of the address: what a request's Host is.
    pub authority: Option<String>,
    /// No value of it is shown.
    pub entries: HeaderMap,
}

/// Headers that no call can have. No value is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    #[error("the header {name} is gRPC's or HTTP/2's own; leave it out")]
    Reserved { name: String },
    #[error("the header {name} is binary, as its name ends with -bin, so its value is to be base64")]
    Binary { name: String },
    #[error(
        "the value of the header {name} is not ASCII, and gRPC takes no other text; give it in base64, as {name}-bin"
    )]
    Text { name: String },
    #[error("the value of the header Host is no authority; write it as example.org or example.org:50051")]
    Authority,
}

impl Metadata {
    /// Of the headers that were given.
    pub fn new(form: &Form) -> Result<Self, MetadataError> {
        let mut metadata = Self::default();
        for (name, value) in form.headers() {
            let name = name.to_ascii_lowercase();
            if name == "host" {
                let authority: http::uri::Authority = value.parse().map_err(|_| MetadataError::Authority)?;
                metadata.authority = Some(authority.to_string());
                continue;
            }
            if RESERVED.contains(&name.as_str()) || name.starts_with("grpc-") {
                return Err(MetadataError::Reserved { name });
            }
            let value = if name.ends_with("-bin") {
                unpadded(value).ok_or_else(|| MetadataError::Binary { name: name.clone() })?
            } else if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                value
            } else {
                return Err(MetadataError::Text { name });
            };
            let text = |_| MetadataError::Text { name: name.clone() };
            let mut value = HeaderValue::from_str(value).map_err(text)?;
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| MetadataError::Reserved { name: name.clone() })?;
            metadata.entries.append(name, value);
        }
        Ok(metadata)
    }
}

/// Base64 without its padding, as it is to be sent; [`None`] where it is not base64.
fn unpadded(value: &str) -> Option<&str> {
    let digits = value.trim_end_matches('=');
    let padding = value.len() - digits.len();
    let is_base64 = digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let fits = digits.len() % 4 != 1 && (padding == 0 || (padding < 3 && value.len().is_multiple_of(4)));
    (is_base64 && fits).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(headers: &[&str]) -> Result<Metadata, MetadataError> {
        let form = headers.iter().try_fold(Form::default(), |form, header| form.with_header(header));
        Metadata::new(&form.expect("headers"))
    }

    #[test]
    fn headers_become_metadata() {
        let made = metadata(&[
            "Authorization: Bearer s3cret",
            "X-A: 1",
            "x-a:2",
            "Trace-Bin: AAEC/w==",
            "b-bin: AAECAw",
            "User-Agent: me",
            "HOST: example.org:1",
        ])
        .expect("metadata");
        assert_eq!(made.authority.as_deref(), Some("example.org:1"));
        let entries: Vec<_> =
            made.entries.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(
            entries,
            [
                ("authorization", &b"Bearer s3cret"[..]),
                ("x-a", b"1"),
                ("x-a", b"2"),
                ("trace-bin", b"AAEC/w"),
                ("b-bin", b"AAECAw"),
                ("user-agent", b"me"),
            ]
        );
        assert!(!format!("{made:?}").contains("s3cret"), "{made:?}");
    }

    #[test]
    fn what_no_call_can_have_is_refused_with_a_remedy() {
        for (header, expected) in [
            ("TE: s3cret", "the header te is gRPC's or HTTP/2's own; leave it out"),
            ("Content-Type: s3cret", "the header content-type is gRPC's"),
            ("Content-Length: 0", "the header content-length is gRPC's"),
            ("Connection: s3cret", "the header connection is gRPC's"),
            ("grpc-timeout: 1S", "the header grpc-timeout is gRPC's"),
            (
                "a-bin: s3cret!",
                "the header a-bin is binary, as its name ends with -bin, so its value is to be base64",
            ),
            ("a-bin: AAECA", "the header a-bin is binary"),
            ("a-bin: AA=", "the header a-bin is binary"),
            ("a-bin: A===", "the header a-bin is binary"),
            (
                "A: s3cr\u{e9}t",
                "the value of the header a is not ASCII, and gRPC takes no other text; give it in base64",
            ),
            ("A: s3cret\ta", "the value of the header a is not ASCII"),
            ("Host: s3cret s3cret", "the value of the header Host is no authority"),
        ] {
            let error = metadata(&[header]).expect_err(header).to_string();
            assert!(error.starts_with(expected), "{header}: {error}");
            assert!(!error.contains("s3cr"), "{error}");
        }
    }
}
