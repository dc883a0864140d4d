//! `--grpc HOST:PORT[/SERVICE]` or `unix:PATH[:SERVICE]`, taken apart.

use crate::probe::address::{self, AddressError};
use crate::probe::connect::Endpoint;

/// A gRPC server, and the service in it that is asked for.
#[derive(Debug)]
pub struct Target {
    pub(super) endpoint: Endpoint,
    /// The host that TLS is spoken with.
    pub(super) tls_host: Option<String>,
    pub(super) authority: String,
    /// Empty: the server as a whole.
    pub(super) service: String,
}

/// A target that cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error(
        "{scheme}:// cannot be probed; write it as 127.0.0.1:50051, https://127.0.0.1:50051 or unix:/run/my.sock"
    )]
    Scheme { scheme: String },
    #[error("\"{service}\" is not the name of a service; write it as 127.0.0.1:50051/my.package.Service")]
    Service { service: String },
    #[error("not an address ({problem}); write it as 127.0.0.1:50051/my.package.Service")]
    Malformed { problem: String },
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Target {
    /// The host to speak TLS with, if any.
    pub fn tls_host(&self) -> Option<&str> {
        self.tls_host.as_deref()
    }

    /// Takes `text` apart.
    pub fn new(text: &str) -> Result<Self, TargetError> {
        if let Some(rest) = text.strip_prefix("unix:") {
            return Self::unix(rest);
        }
        let (tls, rest) = match text.split_once("://") {
            None => (false, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, _)) => return Err(TargetError::Scheme { scheme: scheme.to_owned() }),
        };
        let (authority, service) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = address::host_and_port(authority)?;
        Ok(Self {
            endpoint: Endpoint::tcp(host, port),
            tls_host: tls.then(|| address::without_interface(host)),
            authority: address::without_interface(authority),
            service: self::service(service)?,
        })
    }

    /// A path may have colons too; a service has no slash.
    fn unix(text: &str) -> Result<Self, TargetError> {
        let (path, service) =
            text.rsplit_once(':').filter(|(_, service)| !service.contains('/')).unwrap_or((text, ""));
        // unix:///run/my.sock is how gRPC itself writes an absolute path.
        let path = path.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(path);
        Ok(Self {
            endpoint: Endpoint::unix(path)?,
            tls_host: None,
            authority: "localhost".to_owned(),
            service: self::service(service)?,
        })
    }
}

fn service(name: &str) -> Result<String, TargetError> {
    let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    if name.bytes().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(TargetError::Service { service: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_taken_apart() {
        for (text, connects_to, tls, authority, service) in [
            ("127.0.0.1:50051", "addresses [127.0.0.1:50051]", false, "127.0.0.1:50051", ""),
            ("127.0.0.1:50051/", "addresses [127.0.0.1:50051]", false, "127.0.0.1:50051", ""),
            ("a.example:1/my.Service", "name a.example port 1", false, "a.example:1", "my.Service"),
            ("http://[::1]:2/x", "addresses [[::1]:2]", false, "[::1]:2", "x"),
            ("https://[fe80::1%eth0]:2", "address fe80::1 port 2 on eth0", true, "[fe80::1]:2", ""),
            ("HTTPS://127.0.0.1:3/x", "addresses [127.0.0.1:3]", true, "127.0.0.1:3", "x"),
            ("unix:/run/my.sock", "socket /run/my.sock", false, "localhost", ""),
            ("unix:/run/my.sock:my.Service", "socket /run/my.sock", false, "localhost", "my.Service"),
            ("unix:///run/a:b/my.sock", "socket /run/a:b/my.sock", false, "localhost", ""),
            ("unix:@my:x", "socket @my", false, "localhost", "x"),
        ] {
            let target = Target::new(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(target.endpoint.to_string(), connects_to, "{text}");
            assert_eq!(target.tls_host.is_some(), tls, "{text}");
            assert_eq!((target.authority.as_str(), target.service.as_str()), (authority, service), "{text}");
        }
    }

    #[test]
    fn targets_that_cannot_be_probed_are_refused_with_a_remedy() {
        for (text, expected) in [
            ("127.0.0.1", "no port; write it as 127.0.0.1:8080"),
            ("https://127.0.0.1/x", "no port"),
            ("ftp://127.0.0.1:1", "ftp:// cannot be probed; write it as 127.0.0.1:50051, https://"),
            ("127.0.0.1:1/a/b", "\"a/b\" is not the name of a service; write it as"),
            ("127.0.0.1:1/a b", "is not the name of a service"),
            ("unix:", "no path of a socket"),
        ] {
            let error = Target::new(text).map(drop).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
