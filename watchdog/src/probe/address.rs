//! Addresses as people write them: HOST:PORT and the paths of Unix sockets.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// The longest path that fits a Unix socket's address, in bytes; unix(7).
const LONGEST_PATH: usize = 107;

/// The longest name of an interface, in bytes: IFNAMSIZ, less the zero byte; netdevice(7).
const LONGEST_INTERFACE: usize = 15;

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Known without a lookup, in order of preference.
    Addresses(Vec<SocketAddr>),
    /// Known, but on an interface the number of which may change.
    Scoped(Scoped),
    /// To be looked up.
    Name(String),
}

/// An IPv6 address that means something on one interface only: fe80::1%eth0, RFC 4007.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scoped {
    pub address: Ipv6Addr,
    pub port: u16,
    /// Its name, or its number.
    pub interface: String,
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
        if let Some((address, interface)) = scoped(host) {
            return Self::Scoped(Scoped { address, port, interface: interface.to_owned() });
        }
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
            Self::Scoped(Scoped { address, interface, .. }) => write!(f, "{address}%{interface}"),
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

/// The address, and the interface behind the percent sign. In a URL that is written %25 (RFC 6874), and curl takes both;
/// as there, an interface 25x is written %2525x.
fn scoped(host: &str) -> Option<(Ipv6Addr, &str)> {
    let (address, interface) = host.split_once('%')?;
    let interface = interface.strip_prefix("25").filter(|rest| !rest.is_empty()).unwrap_or(interface);
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"/%".contains(&byte);
    let is_name = (1..=LONGEST_INTERFACE).contains(&interface.len()) && interface.bytes().all(fits);
    address.parse().ok().filter(|_| is_name).map(|address| (address, interface))
}

/// HOST or HOST:PORT, for others to see: to them an interface of ours means nothing.
pub fn without_interface(authority: &str) -> String {
    match authority.split_once('%') {
        Some((address, rest)) => {
            let bracket = rest.find(']').map_or("", |end| &rest[end..]);
            format!("{address}{bracket}")
        }
        None => authority.to_owned(),
    }
}

/// Without brackets.
pub fn bare_host(host: &str) -> Result<&str, AddressError> {
    let wrong = || AddressError::Host { host: host.to_owned() };
    if let Some(rest) = host.strip_prefix('[') {
        let bare = rest.strip_suffix(']').ok_or_else(wrong)?;
        return if bare.parse::<Ipv6Addr>().is_ok() || scoped(bare).is_some() {
            Ok(bare)
        } else {
            Err(wrong())
        };
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
            ("[fe80::1%eth0]:80", "fe80::1%eth0", 80),
            ("[fe80::1%25eth0]:80", "fe80::1%25eth0", 80),
        ] {
            assert_eq!(host_and_port(text), Ok((host, port)), "{text}");
        }
    }

    #[test]
    fn an_address_may_name_its_interface() {
        for (host, interface) in [
            ("fe80::1%eth0", "eth0"),
            ("fe80::1%25eth0", "eth0"),
            ("fe80::1%3", "3"),
            ("fe80::1%25", "25"),
            ("fe80::1%2525x", "25x"),
            ("fe80::1%br-0.7@x", "br-0.7@x"),
        ] {
            let (address, interface) = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), interface.to_owned());
            assert_eq!(Host::new(host, 80), Host::Scoped(Scoped { address, port: 80, interface }), "{host}");
        }
        for (authority, shown) in [
            ("[fe80::1%25eth0]:8080", "[fe80::1]:8080"),
            ("[fe80::1%eth0]", "[fe80::1]"),
            ("fe80::1%eth0", "fe80::1"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(without_interface(authority), shown);
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
            ("[fe80::1%]:80", "is neither"),
            ("[fe80::1%a b]:80", "is neither"),
            ("[fe80::1%interface-0123456]:80", "is neither"),
            ("[127.0.0.1%eth0]:80", "is neither"),
            ("fe80::1%eth0:80", "is neither"),
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
