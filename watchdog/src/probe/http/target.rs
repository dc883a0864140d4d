//! What to probe: a URL or a path on a Unix socket, taken apart once.

use http::Uri;
use http::uri::{InvalidUri, PathAndQuery};

use super::redirect::Origin;
use crate::probe::address::{self, AddressError};
use crate::probe::connect::Endpoint;

/// Something that answers HTTP.
#[derive(Debug)]
pub struct Target {
    pub(super) endpoint: Endpoint,
    /// Its port and its host, without brackets.
    pub(super) origin: Origin,
    /// The host that TLS is spoken with.
    pub(super) tls_host: Option<String>,
    /// What goes into `Host:`.
    pub(super) authority: String,
    /// With the query.
    pub(super) path: String,
}

/// A target that cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("not a URL ({problem}); write it as http://127.0.0.1:8080/healthz")]
    Malformed { problem: String },
    #[error("no http:// in front; write it as http://127.0.0.1:8080/healthz")]
    NoScheme,
    #[error("{scheme}:// cannot be probed, only http:// and https://")]
    Scheme { scheme: String },
    #[error(
        "credentials in a URL are not supported; write 'Authorization: Basic …' into a file for --header-file"
    )]
    Credentials,
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("no URL path; write it as /run/my.sock:/healthz")]
    NoPath,
}

impl Target {
    /// The host to speak TLS with, if any.
    pub fn tls_host(&self) -> Option<&str> {
        self.tls_host.as_deref()
    }

    /// An `http://` or `https://` URL.
    pub fn url(url: &str) -> Result<Self, TargetError> {
        let malformed = |problem: String| TargetError::Malformed { problem };
        let uri: Uri = url.parse().map_err(|error: InvalidUri| malformed(error.to_string()))?;
        let (scheme, default_port) = match uri.scheme_str() {
            Some("http") => ("http", 80),
            Some("https") => ("https", 443),
            Some(scheme) => return Err(TargetError::Scheme { scheme: scheme.to_owned() }),
            None => return Err(TargetError::NoScheme),
        };
        let authority = uri
            .authority()
            .filter(|authority| !authority.host().is_empty())
            .ok_or_else(|| malformed("it has no host".to_owned()))?;
        if authority.as_str().contains('@') {
            return Err(TargetError::Credentials);
        }
        let host = address::bare_host(authority.host())?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => default_port,
            Some(port) => address::port(port.trim_start_matches(':'))?,
            None => return Err(AddressError::Port.into()),
        };
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let known_as = address::without_interface(host);
        Ok(Self {
            endpoint: Endpoint::tcp(host, port),
            origin: Origin::new(scheme, &known_as, port),
            tls_host: (scheme == "https").then_some(known_as),
            authority: address::without_interface(authority.as_str()),
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        })
    }

    /// PATH:URLPATH
    pub fn unix(text: &str) -> Result<Self, TargetError> {
        let (socket, path) =
            text.find(":/").map(|colon| (&text[..colon], &text[colon + 1..])).ok_or(TargetError::NoPath)?;
        let path: PathAndQuery = path
            .parse()
            .map_err(|error: InvalidUri| TargetError::Malformed { problem: error.to_string() })?;
        Ok(Self {
            endpoint: Endpoint::unix(socket)?,
            origin: Origin::new("http", "localhost", 80),
            tls_host: None,
            authority: "localhost".to_owned(),
            path: path.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, authority, path, connects_to) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "/", "addresses [127.0.0.1:8080]"),
            ("http://127.0.0.1/healthz?deep=1", "127.0.0.1", "/healthz?deep=1", "addresses [127.0.0.1:80]"),
            ("http://127.0.0.1?deep=1", "127.0.0.1", "/?deep=1", "addresses [127.0.0.1:80]"),
            ("http://127.0.0.1/a#part", "127.0.0.1", "/a", "addresses [127.0.0.1:80]"),
            ("http://[::1]:8080/", "[::1]:8080", "/", "addresses [[::1]:8080]"),
            ("http://[::1]/", "[::1]", "/", "addresses [[::1]:80]"),
            ("http://[fe80::1%25eth0]:8080/", "[fe80::1]:8080", "/", "address fe80::1 port 8080 on eth0"),
            ("https://[fe80::1%eth0]/", "[fe80::1]", "/", "address fe80::1 port 443 on eth0"),
            ("http://localhost:1/", "localhost:1", "/", "addresses [127.0.0.1:1, [::1]:1]"),
            ("HTTP://Example.org/a", "Example.org", "/a", "name Example.org port 80"),
            ("https://Example.org/a", "Example.org", "/a", "name Example.org port 443"),
        ] {
            let target = Target::url(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let got = (target.authority.as_str(), target.path.as_str(), target.endpoint.to_string());
            assert_eq!(got, (authority, path, connects_to.to_owned()), "{url}");
            assert_eq!(target.tls_host.is_some(), url.starts_with("https"), "{url}");
            assert!(!target.tls_host().is_some_and(|host| host.contains('%')), "{url}");
        }
    }

    #[test]
    fn urls_that_cannot_be_probed_are_refused_with_a_remedy() {
        for (url, expected) in [
            ("ftp://127.0.0.1/", "ftp:// cannot be probed, only http:// and https://"),
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
            ("http://[x]/", "write it as"),
            ("http://a~b/", "neither an IP address nor a host name"),
        ] {
            let error = Target::url(url).map(drop).expect_err(url).to_string();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }

    #[test]
    fn a_unix_socket_and_a_path_are_taken_apart() {
        for (text, path, connects_to) in [
            ("/run/my.sock:/healthz?a", "/healthz?a", "socket /run/my.sock"),
            ("/run/a:b:/c:/d", "/c:/d", "socket /run/a:b"),
            ("my.sock:/", "/", "socket my.sock"),
            ("@my:/", "/", "socket @my"),
        ] {
            let target = Target::unix(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let got = (target.authority.as_str(), target.path.as_str(), target.endpoint.to_string());
            assert_eq!(got, ("localhost", path, connects_to.to_owned()), "{text}");
        }
        for (text, expected) in [
            ("/run/my.sock", "no URL path; write it as /run/my.sock:/healthz"),
            ("/run/my.sock:healthz", "no URL path"),
            (":/healthz", "no path of a socket"),
            ("/run/my.sock:/a b", "not a URL"),
        ] {
            let error = Target::unix(text).map(drop).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
