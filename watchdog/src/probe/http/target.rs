//! What to probe: a URL, taken apart once, with the request ready to be sent.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::Uri;

/// An `http://` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: String,
    host: Host,
    port: u16,
    request: String,
}

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Known without a lookup, in order of preference.
    Addresses(Vec<SocketAddr>),
    /// To be looked up for every probe.
    Name(String),
}

/// A URL that cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum TargetError {
    #[error("not a URL ({problem}); write it as http://127.0.0.1:8080/healthz")]
    Malformed { problem: String },
    #[error("no http:// in front; write it as http://127.0.0.1:8080/healthz")]
    NoScheme,
    #[error("https is not supported yet; probe a plain http:// port of the service on this host")]
    Https,
    #[error("{scheme}:// cannot be probed, only http://")]
    Scheme { scheme: String },
    #[error("credentials in a URL are not supported; give the service a health path without them")]
    Credentials,
    #[error("the port must be a number from 1 to 65535")]
    Port,
}

impl Target {
    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn request(&self) -> &[u8] {
        self.request.as_bytes()
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| TargetError::Malformed { problem: error.to_string() })?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(TargetError::Https),
            Some(scheme) => return Err(TargetError::Scheme { scheme: scheme.to_owned() }),
            None => return Err(TargetError::NoScheme),
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty())
            .ok_or_else(|| TargetError::Malformed { problem: "it has no host".to_owned() })?;
        if authority.as_str().contains('@') {
            return Err(TargetError::Credentials);
        }
        let port = match authority.port_u16() {
            Some(0) => return Err(TargetError::Port),
            Some(port) => port,
            None if authority.as_str() == authority.host() => 80,
            None => return Err(TargetError::Port),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: sd-watchdog/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            env!("CARGO_PKG_VERSION"),
        );
        Ok(Self { url: url.to_owned(), host: Host::new(authority.host(), port), port, request })
    }
}

impl Host {
    fn new(host: &str, port: u16) -> Self {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let addresses: Vec<IpAddr> = match bare.parse() {
            Ok(address) => vec![address],
            Err(_) if bare.eq_ignore_ascii_case("localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Err(_) => return Self::Name(bare.to_owned()),
        };
        Self::Addresses(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) => write!(f, "{addresses:?}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, first_line, host_line, connects_to) in [
            ("http://127.0.0.1:8080", "GET / HTTP/1.1", "Host: 127.0.0.1:8080", "[127.0.0.1:8080]"),
            (
                "http://127.0.0.1/healthz?deep=1",
                "GET /healthz?deep=1 HTTP/1.1",
                "Host: 127.0.0.1",
                "[127.0.0.1:80]",
            ),
            ("http://127.0.0.1?deep=1", "GET /?deep=1 HTTP/1.1", "Host: 127.0.0.1", "[127.0.0.1:80]"),
            ("http://[::1]:8080/", "GET / HTTP/1.1", "Host: [::1]:8080", "[[::1]:8080]"),
            ("http://[::1]/", "GET / HTTP/1.1", "Host: [::1]", "[[::1]:80]"),
            ("http://localhost:1/", "GET / HTTP/1.1", "Host: localhost:1", "[127.0.0.1:1, [::1]:1]"),
            ("HTTP://Example.org/a", "GET /a HTTP/1.1", "Host: Example.org", "Example.org"),
        ] {
            let target: Target = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
            let lines: Vec<&str> = target.request.lines().collect();
            assert_eq!((lines[0], lines[1]), (first_line, host_line), "{url}");
            assert_eq!(
                lines[2..].join("|"),
                format!(
                    "User-Agent: sd-watchdog/{}|Accept: */*|Connection: close|",
                    env!("CARGO_PKG_VERSION")
                )
            );
            assert_eq!(target.host.to_string(), connects_to, "{url}");
            assert_eq!(target.to_string(), url);
        }
    }

    #[test]
    fn urls_that_cannot_be_probed_are_refused_with_a_remedy() {
        for (url, expected) in [
            ("https://127.0.0.1/", "https is not supported yet; probe a plain http:// port"),
            ("ftp://127.0.0.1/", "ftp:// cannot be probed, only http://"),
            ("127.0.0.1:8080", "no http:// in front; write it as http://127.0.0.1:8080/healthz"),
            ("/healthz", "no http:// in front"),
            ("127.0.0.1:8080/healthz", "write it as http://127.0.0.1:8080/healthz"),
            ("http://", "write it as"),
            ("http:///healthz", "write it as"),
            ("http://:8080/", "write it as"),
            ("http://a b/", "write it as"),
            ("", "write it as"),
            ("http://me:secret@127.0.0.1/", "credentials in a URL are not supported"),
            ("http://127.0.0.1:0/", "the port must be a number"),
            ("http://127.0.0.1:99999/", "the port must be a number"),
            ("http://127.0.0.1:/", "the port must be a number"),
        ] {
            let error = url.parse::<Target>().expect_err(url).to_string();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }
}
