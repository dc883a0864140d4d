//! `--method`, `--header`, `--header-file` and `--data`: what is asked.

use std::fmt;

/// The method, the headers and the body of every request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// As given.
    method: Option<String>,
    body: Option<Vec<u8>>,
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
    #[error(
        "the request has no body, and the service would wait for it: leave this header out, or give the body with --data"
    )]
    NoBody,
    #[error("the body that --data gives is sent with its own length; leave this header out")]
    Length,
}

const STANDARD: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];
/// A request without a body says so where one would be expected; RFC 9110, section 8.6.
const WITH_CONTENT: [&str; 3] = ["POST", "PUT", "PATCH"];

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
            Ok(Self { method: Some(method.to_owned()), ..self })
        }
    }

    /// The same with a body.
    pub fn with_body(self, body: Vec<u8>) -> Self {
        Self { body: Some(body), ..self }
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
        match &self.body {
            Some(_) if is("transfer-encoding") || is("content-length") => return Err(FormError::Length),
            None if is("transfer-encoding") || is("content-length") && value != "0" => {
                return Err(FormError::NoBody);
            }
            _ => {}
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }

    /// As given or, as curl has it, as the body suggests.
    pub fn method(&self) -> &str {
        let assumed = if self.body.is_some() { "POST" } else { "GET" };
        self.method.as_deref().unwrap_or(assumed)
    }

    /// Those that were given, as they were.
    #[cfg(feature = "grpc")]
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
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

    /// The whole request for `path`, with `method` in place of the form's, with the body or without, where there is no other
    /// Host to `authority`.
    pub fn request(&self, method: &str, with_body: bool, authority: &str, path: &str) -> Vec<u8> {
        let agent = concat!("sd-watchdog/", env!("CARGO_PKG_VERSION"));
        let body = self.body.as_deref().filter(|_| with_body);
        let length = match body {
            Some(body) => Some(body.len()),
            None => WITH_CONTENT.contains(&method).then_some(0),
        };
        let length = length.map(|length| length.to_string());
        let ours = [
            ("Host", Some(authority)),
            ("User-Agent", Some(agent)),
            ("Accept", Some("*/*")),
            ("Connection", Some("close")),
            ("Content-Type", body.map(|_| "application/x-www-form-urlencoded")),
            ("Content-Length", length.as_deref()),
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
        let mut request = request.into_bytes();
        request.extend_from_slice(body.unwrap_or_default());
        request
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Without the values and the body, as [`Display`](fmt::Display).
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Form")
            .field("method", &self.method())
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// Without the values and the body, which may be secrets.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method())
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
        let request = form.request(form.method(), true, "127.0.0.1:8080", "/healthz");
        Ok(String::from_utf8(request).expect("text").replace("\r\n", "|"))
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
            ("GET", "Transfer-Encoding: chunked", "leave this header out, or give the body with --data"),
        ] {
            let error = request(method, &[header]).expect_err(header).to_string();
            assert!(error.contains(expected), "{method} {header}: {error}");
        }
        assert_eq!(request("GET", &["Host: a", "HOST: b"]), Err(FormError::HostTwice));
    }

    #[test]
    fn a_body_is_posted_as_a_form_unless_it_is_said_otherwise() {
        let plain = Form::default().with_body(b"a=\xff".to_vec());
        let json = plain.clone().with_header("content-type: application/json").expect("a header");
        let put = json.clone().with_method("PUT").expect("a method");
        let agent = concat!("User-Agent: sd-watchdog/", env!("CARGO_PKG_VERSION"));
        let head = format!("Host: h\r\n{agent}\r\nAccept: */*\r\nConnection: close\r\n");
        for (form, with_body, expected) in [
            (
                &plain,
                true,
                format!(
                    "POST / HTTP/1.1\r\n{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3"
                ),
            ),
            (
                &json,
                true,
                format!("POST / HTTP/1.1\r\n{head}Content-Length: 3\r\ncontent-type: application/json"),
            ),
            (
                &put,
                false,
                format!("PUT / HTTP/1.1\r\n{head}Content-Length: 0\r\ncontent-type: application/json"),
            ),
        ] {
            let request = form.request(form.method(), with_body, "h", "/");
            let body = if with_body { &b"a=\xff"[..] } else { b"" };
            assert_eq!(request, [expected.as_bytes(), b"\r\n\r\n", body].concat(), "{form:?}");
        }
        for header in ["Content-Length: 3", "content-length: 0", "Transfer-Encoding: chunked"] {
            assert_eq!(plain.clone().with_header(header), Err(FormError::Length), "{header}");
        }
    }

    #[test]
    fn no_value_of_a_header_is_shown() {
        let form = Form::default().with_method("GET").expect("a method").with_body(b"s3cret".to_vec());
        let form = form.with_header("Authorization: Bearer s3cret").expect("a header");
        let shown = format!("{form} {form:?}");
        assert_eq!(shown, "GET Form { method: \"GET\", headers: [\"Authorization\"], .. }");
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
