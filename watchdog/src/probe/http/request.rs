//! `--method`, `--header` and `--header-file`: what is asked. No request has a body.

use std::fmt;

/// The method and headers of every request.
#[derive(Clone, PartialEq, Eq)]
pub struct Form {
    method: String,
    /// As given, in place of ours where the names are the same.
    headers: Vec<(String, String)>,
}

/// Options of which no request can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("not a method; give a name like GET or HEAD")]
    Method,
    #[error("methods are written in capitals: {capitals}")]
    Capitals { capitals: String },
    #[error("CONNECT opens a tunnel and gets no answer to judge; give a method like GET")]
    Connect,
    #[error("no colon; write it as 'Name: value'")]
    NoColon,
    #[error("\"{name}\" is not the name of a header; write it as 'Name: value'")]
    Name { name: String },
    #[error("what stands before the colon is not the name of a header; write it as 'Name: value'")]
    HiddenName,
    #[error("the value has a line break or another control character; leave it out")]
    Value,
    #[error("a request has one Host; give it once")]
    HostTwice,
    #[error("the request of a probe has no body, and the service would wait for it; leave this header out")]
    Body,
}

const STANDARD: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];
/// A request without a body says so where one would be expected; RFC 9110, section 8.6.
const WITH_CONTENT: [&str; 3] = ["POST", "PUT", "PATCH"];

impl Default for Form {
    fn default() -> Self {
        Self { method: "GET".to_owned(), headers: Vec::new() }
    }
}

impl Form {
    /// The same with another method.
    pub fn with_method(self, method: &str) -> Result<Self, FormError> {
        let capitals = method.to_ascii_uppercase();
        if method.is_empty() || !method.bytes().all(is_token) {
            Err(FormError::Method)
        } else if capitals == "CONNECT" {
            Err(FormError::Connect)
        } else if capitals != method && STANDARD.contains(&capitals.as_str()) {
            Err(FormError::Capitals { capitals })
        } else {
            Ok(Self { method: method.to_owned(), ..self })
        }
    }

    /// The same with one header more, written `Name: value`.
    pub fn with_header(mut self, line: &str) -> Result<Self, FormError> {
        let (name, value) = line.split_once(':').ok_or(FormError::NoColon)?;
        let value = value.trim_matches([' ', '\t']);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(FormError::Name { name: name.to_owned() });
        }
        if value.chars().any(|character| character.is_ascii_control() && character != '\t') {
            return Err(FormError::Value);
        }
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("host") && self.has("host") {
            return Err(FormError::HostTwice);
        }
        if is("transfer-encoding") || is("content-length") && value != "0" {
            return Err(FormError::Body);
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// As given or assumed.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The Host that was given.
    pub fn host(&self) -> Option<&str> {
        self.headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("host"))
            .map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }

    /// The whole request for `path`, with `method` in place of the form's, where there is no other Host to `authority`.
    pub fn request(&self, method: &str, authority: &str, path: &str) -> String {
        let agent = concat!("sd-watchdog/", env!("CARGO_PKG_VERSION"));
        let empty = WITH_CONTENT.contains(&method).then_some("0");
        let ours = [
            ("Host", Some(authority)),
            ("User-Agent", Some(agent)),
            ("Accept", Some("*/*")),
            ("Connection", Some("close")),
            ("Content-Length", empty),
        ];
        let ours = ours
            .iter()
            .filter(|(name, _)| !self.has(name))
            .filter_map(|(name, value)| value.map(|value| (*name, value)));
        let given = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in ours.chain(given) {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        request
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without the values, as [`Display`](fmt::Display).
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Form").field("method", &self.method).field("headers", &names).finish()
    }
}

/// Without the values, which may be secrets.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.method)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(method: &str, headers: &[&str]) -> Result<String, FormError> {
        let form = headers
            .iter()
            .try_fold(Form::default().with_method(method)?, |form, header| form.with_header(header))?;
        Ok(form.request(form.method(), "127.0.0.1:8080", "/healthz").replace("\r\n", "|"))
    }

    #[test]
    fn headers_are_added_or_stand_in_place_of_ours() {
        let agent = concat!("User-Agent: sd-watchdog/", env!("CARGO_PKG_VERSION"));
        for (method, headers, expected) in [
            (
                "GET",
                &[][..],
                format!("GET /healthz HTTP/1.1|Host: 127.0.0.1:8080|{agent}|Accept: */*|Connection: close||"),
            ),
            (
                "POST",
                &["host:example.org", "X-A: 1", "x-a:  2 "],
                format!(
                    "POST /healthz HTTP/1.1|{agent}|Accept: */*|Connection: close|Content-Length: 0|\
                     host: example.org|X-A: 1|x-a: 2||"
                ),
            ),
            (
                "PUT",
                &["content-length: 0", "User-Agent: me", "ACCEPT:", "Connection: keep-alive"],
                "PUT /healthz HTTP/1.1|Host: 127.0.0.1:8080|content-length: 0|User-Agent: me|ACCEPT: |\
                 Connection: keep-alive||"
                    .to_owned(),
            ),
        ] {
            assert_eq!(request(method, headers), Ok(expected));
        }
        assert!(request("PROPFIND", &["A: b:c\td"]).expect("a request").contains("|A: b:c\td|"));
    }

    #[test]
    fn what_makes_no_request_is_refused_with_a_remedy() {
        for (method, header, expected) in [
            ("", "A: b", "not a method; give a name like GET or HEAD"),
            ("GET /", "A: b", "not a method"),
            ("get", "A: b", "methods are written in capitals: GET"),
            ("CONNECT", "A: b", "CONNECT opens a tunnel"),
            ("GET", "A", "no colon; write it as 'Name: value'"),
            ("GET", ": b", "\"\" is not the name of a header"),
            ("GET", "A b: c", "\"A b\" is not the name of a header"),
            ("GET", "A: b\r\nC: d", "the value has a line break"),
            ("GET", "A: b\n", "the value has a line break"),
            ("GET", "A: b\0", "another control character"),
            ("GET", "Content-Length: 5", "has no body, and the service would wait for it"),
            ("GET", "Transfer-Encoding: chunked", "has no body"),
        ] {
            let error = request(method, &[header]).expect_err(header).to_string();
            assert!(error.contains(expected), "{method} {header}: {error}");
        }
        assert_eq!(request("GET", &["Host: a", "HOST: b"]), Err(FormError::HostTwice));
    }

    #[test]
    fn no_value_of_a_header_is_shown() {
        let form = Form::default().with_header("Authorization: Bearer s3cret").expect("a header");
        let shown = format!("{form} {form:?}");
        assert_eq!(shown, "GET Form { method: \"GET\", headers: [\"Authorization\"] }");
    }

    proptest! {
        #[test]
        fn no_header_adds_another(line in "[ -~\r\n\t:]{0,20}") {
            if let Ok(request) = request("GET", &["A: b", &line]) {
                prop_assert!(request.split('|').count() >= 8);
                prop_assert!(!request.contains(['\r', '\n']));
            }
        }
    }
}
