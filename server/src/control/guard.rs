//! Who may command the server.
//!
//! Whoever can run a program on this machine, by default; but a browser runs the programs of whatever page is open in
//! it, and reaches the loopback interface too. Three rules keep those out, each against one trick:
//!
//! - `Host` must be local: else a page whose *name* was made to point at 127.0.0.1 (DNS rebinding) would count as ours;
//! - `Origin`, if there is one, must be this very endpoint: every other page is foreign;
//! - what changes something must be `application/json`: a browser asks before it sends that across origins, a plain
//!   form cannot send it at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, StatusCode};

use super::{ControlAddress, Token};

/// The rules, as they apply where this endpoint listens.
#[derive(Debug)]
pub struct Guard {
    hosts: Hosts,
    token: Option<Token>,
}

/// Which `Host` is taken for ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hosts {
    /// Names and addresses of this machine's loopback interface.
    Local,
    /// Any: no browser can open a unix socket, and none that was tricked into coming here has the token that an
    /// endpoint beyond loopback demands.
    Any,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// DNS rebinding, or a proxy that should not be here.
    #[error("the Host header must name this machine: localhost, 127.0.0.1 or [::1]")]
    ForeignHost,
    /// Another site's page.
    #[error("the Origin header names another site: web pages may not use the control endpoint")]
    ForeignOrigin,
    /// No token, or not the right one.
    #[error("send the control token: Authorization: Bearer TOKEN")]
    NoToken,
    /// A form, or a forgotten header.
    #[error("send Content-Type: application/json")]
    NotJson,
}

impl Turned {
    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::ForeignHost | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

impl Guard {
    /// The guard of an endpoint at `address`, with the token it demands.
    pub fn new(address: &ControlAddress, token: Option<Token>) -> Self {
        let hosts = match address {
            ControlAddress::Tcp(address) if address.ip().to_canonical().is_loopback() => Hosts::Local,
            ControlAddress::Tcp(_) | ControlAddress::Unix(_) | ControlAddress::Abstract(_) => Hosts::Any,
        };
        Self { hosts, token }
    }

    /// Lets a request pass, or says why not.
    pub fn check(&self, request: &Parts) -> Result<(), Turned> {
        let headers = &request.headers;
        let host = only(headers, HOST);
        // A request line may name a host too, and overrules the header.
        let local = host.and_then(authority).is_some_and(|host| is_local(&host))
            && request.uri.authority().is_none_or(is_local);
        if self.hosts == Hosts::Local && !local {
            return Err(Turned::ForeignHost);
        }
        let our_origin = host.map(|host| format!("http://{host}"));
        let foreign = |origin: &hyper::header::HeaderValue| origin.to_str().ok() != our_origin.as_deref();
        if headers.get_all(ORIGIN).iter().any(foreign) {
            return Err(Turned::ForeignOrigin);
        }
        let credentials = headers.get(AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
        if self.token.as_ref().is_some_and(|token| !token.admits(credentials)) {
            return Err(Turned::NoToken);
        }
        if changes_something(&request.method) && !only(headers, CONTENT_TYPE).is_some_and(is_json) {
            return Err(Turned::NotJson);
        }
        Ok(())
    }
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: hyper::header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn authority(host: &str) -> Option<Authority> {
    // `user@127.0.0.1` is an authority, but not a host.
    host.parse().ok().filter(|_| !host.contains('@'))
}

fn is_local(authority: &Authority) -> bool {
    let host = authority.host();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .and_then(|host| host.parse::<Ipv6Addr>().ok())
            .is_some_and(|ip| IpAddr::V6(ip).to_canonical().is_loopback())
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn check(address: &str, method: &str, headers: &[(&str, &str)]) -> Result<(), Turned> {
        let mut request = Request::builder().method(method).uri("/status");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Guard::new(&address.parse().unwrap(), None).check(&parts)
    }

    #[test]
    fn a_local_host_may_pass() {
        for host in ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.1.2.3", "[::1]:8081", "[::1]"] {
            assert_eq!(check("127.0.0.1:8081", "GET", &[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_foreign_host_may_not() {
        let foreign = [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "a@127.0.0.1",
            "[::2]",
        ];
        for host in foreign {
            assert_eq!(check("127.0.0.1:1", "GET", &[("host", host)]), Err(Turned::ForeignHost), "{host}");
        }
        assert_eq!(check("127.0.0.1:1", "GET", &[]), Err(Turned::ForeignHost));
        let two = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(check("127.0.0.1:1", "GET", &two), Err(Turned::ForeignHost));
    }

    #[test]
    fn on_a_unix_socket_and_beyond_loopback_the_host_does_not_matter() {
        assert_eq!(check("unix:/run/control", "GET", &[("host", "anything")]), Ok(()));
        assert_eq!(check("0.0.0.0:8081", "GET", &[("host", "server:8081")]), Ok(()));
    }

    #[test]
    fn only_a_page_of_this_endpoint_itself_may_pass() {
        let from = |origin| check("127.0.0.1:81", "GET", &[("host", "localhost:81"), ("origin", origin)]);
        assert_eq!(from("http://localhost:81"), Ok(()));
        for foreign in ["null", "http://localhost:80", "https://localhost:81", "http://example.com"] {
            assert_eq!(from(foreign), Err(Turned::ForeignOrigin), "{foreign}");
        }
    }

    #[test]
    fn what_changes_something_must_be_json() {
        for method in ["POST", "DELETE"] {
            let with = |kind| check("127.0.0.1:1", method, &[("host", "localhost"), ("content-type", kind)]);
            assert_eq!(with("application/json"), Ok(()));
            assert_eq!(with("Application/JSON; charset=utf-8"), Ok(()));
            assert_eq!(with("text/plain"), Err(Turned::NotJson));
            assert_eq!(with("text/plain; application/json"), Err(Turned::NotJson));
            assert_eq!(check("127.0.0.1:1", method, &[("host", "localhost")]), Err(Turned::NotJson));
        }
    }
}
