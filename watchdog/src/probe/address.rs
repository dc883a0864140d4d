//! Addresses as people write them: HOST:PORT and the paths of Unix sockets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// The longest path that fits a Unix socket's address, in bytes; unix(7).
const LONGEST_PATH: usize = 107;

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Known without a lookup, in order of preference.
    Addresses(Vec<SocketAddr>),
    /// To be looked up.
    Name(String),
}

/// An address that cannot be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("no port; write it as 127.0.0.1:8080")]
    NoPort,
    #[error("the port must be a number from 1 to 65535")]
    Port,
    #[error("no host; write it as 127.0.0.1:8080")]
    NoHost,
    #[error("\"{host}\" is neither an IP address nor a host name; write it as 127.0.0.1:8080")]
    Host { host: String },
    #[error("an IPv6 address goes in brackets: [::1]:8080")]
    Brackets,
    #[error("{scheme}:// does not belong here; write it as 127.0.0.1:8080")]
    Scheme { scheme: String },
    #[error("no path of a socket; write it as /run/my.sock, or @my for an abstract one")]
    NoPath,
    #[error("the path has {length} bytes, but a Unix socket's can have {LONGEST_PATH} at most")]
    LongPath { length: usize },
}

impl Host {
    /// An address or a name, without brackets.
    pub fn new(host: &str, port: u16) -> Self {
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) if host.eq_ignore_ascii_case("localhost") => {
                vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            }
            Err(_) => return Self::Name(host.to_owned()),
        };
        Self::Addresses(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
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

/// Takes HOST:PORT apart; an IPv6 address loses its brackets.
pub fn host_and_port(text: &str) -> Result<(&str, u16), AddressError> {
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(AddressError::Scheme { scheme: scheme.to_owned() });
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(AddressError::Brackets);
    }
    let (host, port) = text.rsplit_once(':').filter(|_| !text.ends_with(']')).ok_or(AddressError::NoPort)?;
    Ok((bare_host(host)?, self::port(port)?))
}

/// Without brackets.
pub fn bare_host(host: &str) -> Result<&str, AddressError> {
    let wrong = || AddressError::Host { host: host.to_owned() };
    if let Some(rest) = host.strip_prefix('[') {
        let bare = rest.strip_suffix(']').ok_or_else(wrong)?;
        return if bare.parse::<Ipv6Addr>().is_ok() { Ok(bare) } else { Err(wrong()) };
    }
    match host {
        "" => Err(AddressError::NoHost),
        _ if host.parse::<Ipv6Addr>().is_ok() => Err(AddressError::Brackets),
        _ if host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) => Ok(host),
        _ => Err(wrong()),
    }
}

/// 1 to 65535.
pub fn port(text: &str) -> Result<u16, AddressError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or(AddressError::Port)
}

/// As connect(2) wants it: an abstract name begins with a zero byte.
pub fn unix_path(text: &str) -> Result<PathBuf, AddressError> {
    match text.strip_prefix('@') {
        _ if text.is_empty() || text == "@" || text.contains('\0') => Err(AddressError::NoPath),
        _ if text.len() > LONGEST_PATH => Err(AddressError::LongPath { length: text.len() }),
        Some(name) => Ok(PathBuf::from(format!("\0{name}"))),
        None => Ok(PathBuf::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_taken_apart() {
        for (text, host, port) in [
            ("127.0.0.1:6379", "127.0.0.1", 6379),
            ("[::1]:80", "::1", 80),
            ("localhost:65535", "localhost", 65535),
            ("my_db.example.org:1", "my_db.example.org", 1),
        ] {
            assert_eq!(host_and_port(text), Ok((host, port)), "{text}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_connected_to_are_refused_with_a_remedy() {
        for (text, expected) in [
            ("127.0.0.1", "no port; write it as 127.0.0.1:8080"),
            ("[::1]", "no port"),
            ("", "no port"),
            (":80", "no host; write it as"),
            ("127.0.0.1:", "the port must be a number from 1 to 65535"),
            ("127.0.0.1:0", "the port must be"),
            ("127.0.0.1:65536", "the port must be"),
            ("127.0.0.1:+80", "the port must be"),
            ("127.0.0.1:http", "the port must be"),
            ("::1:80", "goes in brackets: [::1]:8080"),
            ("fe80::1:2:3:4:5:6", "goes in brackets"),
            ("::1", "goes in brackets"),
            ("[localhost]:80", "\"[localhost]\" is neither"),
            ("[::1:80", "\"[::1\" is neither"),
            ("a b:80", "\"a b\" is neither an IP address nor a host name"),
            ("me@host:80", "is neither"),
            ("host/path:80", "is neither"),
            ("tcp://127.0.0.1:80", "tcp:// does not belong here"),
        ] {
            let error = host_and_port(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_unix_socket_has_a_path_or_an_abstract_name() {
        assert_eq!(unix_path("/run/my.sock"), Ok(PathBuf::from("/run/my.sock")));
        assert_eq!(unix_path("@my"), Ok(PathBuf::from("\0my")));
        assert_eq!(unix_path(&"x".repeat(107)), Ok(PathBuf::from("x".repeat(107))));
        assert_eq!(unix_path(&"x".repeat(108)), Err(AddressError::LongPath { length: 108 }));
        for none in ["", "@", "a\0b"] {
            assert_eq!(unix_path(none), Err(AddressError::NoPath));
        }
    }
}
