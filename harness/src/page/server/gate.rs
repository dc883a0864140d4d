//! Which requests pass: those of this page and of people at this computer, and none that another site's page sends.
//!
//! A browser runs the programs of whatever page is open in it, and reaches this server too. So each trick has its rule:
//!
//! - `Host` must name this server: else a page whose *name* was made to point here (DNS rebinding) would count as ours;
//! - `Origin`, if there is one, must be ours, and `Sec-Fetch-Site` must not name another site: only a link leads here;
//! - what changes something needs an `Origin`, the [`Token`] that our page carries, and JSON, which no form can send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method, StatusCode};

use super::token::Token;

/// The header of the [`Token`].
pub const TOKEN: HeaderName = HeaderName::from_static("x-hangproof-token");
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The rules, as they apply where this server listens.
#[derive(Debug)]
pub struct Gate {
    listens: IpAddr,
    names: Vec<String>,
    token: Token,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Turned {
    /// DNS rebinding, or a proxy that was not named.
    #[error("the Host header names another host: open the page as localhost, or by its address")]
    ForeignHost,
    /// Another site's page.
    #[error("this request comes from another site's page")]
    ForeignSite,
    /// Not from a page at all.
    #[error("only this page may ask for that: there is no Origin header")]
    NoOrigin,
    /// No token, or that of an earlier start.
    #[error("the page is from before a restart: load it again")]
    NoToken,
    /// A form, or a forgotten header.
    #[error("send Content-Type: application/json")]
    NotJson,
}

impl Turned {
    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

impl Gate {
    /// The gate of a server that listens there, also goes by these names, and demands this token.
    pub fn new(listens: SocketAddr, names: &[String], token: Token) -> Self {
        let names = names.iter().map(|name| name.trim_end_matches('.').to_owned()).collect();
        Self { listens: listens.ip().to_canonical(), names, token }
    }

    /// The token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Lets a request pass that reads, or says why not.
    pub fn reads(&self, request: &Parts) -> Result<(), Turned> {
        self.is_ours(request)?;
        match only(&request.headers, SITE)? {
            None | Some("same-origin" | "none") => Ok(()),
            // A link on another page may lead to ours, and to nothing else.
            Some(_) if is_link(request)? => Ok(()),
            Some(_) => Err(Turned::ForeignSite),
        }
    }

    /// Lets a request pass that changes something, or says why not.
    pub fn changes(&self, request: &Parts) -> Result<(), Turned> {
        self.is_ours(request)?;
        let headers = &request.headers;
        if !matches!(only(headers, SITE)?, None | Some("same-origin")) {
            return Err(Turned::ForeignSite);
        }
        if !headers.contains_key(ORIGIN) {
            return Err(Turned::NoOrigin);
        }
        let token = only(headers, TOKEN).ok().flatten().unwrap_or_default();
        if !self.token.is(token.as_bytes()) {
            return Err(Turned::NoToken);
        }
        if !only(headers, CONTENT_TYPE).ok().flatten().is_some_and(is_json) {
            return Err(Turned::NotJson);
        }
        Ok(())
    }

    /// Whether it was sent to us, and by nobody else.
    fn is_ours(&self, request: &Parts) -> Result<(), Turned> {
        let host = only(&request.headers, HOST).ok().flatten().ok_or(Turned::ForeignHost)?;
        let authority = authority(host).ok_or(Turned::ForeignHost)?;
        // A request line may name a host too, and overrules the header.
        if !self.is_ours_by_name(&authority)
            || request.uri.authority().is_some_and(|named| *named != authority)
        {
            return Err(Turned::ForeignHost);
        }
        let origin = only(&request.headers, ORIGIN)?;
        let ours = |origin: &str| {
            let secure = || self.has_name(authority.host()).then(|| format!("https://{host}"));
            origin == format!("http://{host}") || secure().is_some_and(|ours| origin == ours)
        };
        if origin.is_some_and(|origin| !ours(origin)) {
            return Err(Turned::ForeignSite);
        }
        Ok(())
    }

    /// An attack by name needs a name: an address in `Host` was typed by somebody who meant it.
    fn is_ours_by_name(&self, authority: &Authority) -> bool {
        let host = authority.host();
        match address(host) {
            Some(ip) => ip.is_loopback() || ip == self.listens || self.listens.is_unspecified(),
            None => host.eq_ignore_ascii_case("localhost") || self.has_name(host),
        }
    }

    fn has_name(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Somebody clicked on a link.
fn is_link(request: &Parts) -> Result<bool, Turned> {
    Ok(matches!(request.method, Method::GET | Method::HEAD)
        && request.uri.path() == "/"
        && only(&request.headers, MODE)? == Some("navigate")
        && only(&request.headers, DESTINATION)? == Some("document"))
}

/// The value of a header, where it is there; more than one, or one that is no text, is nobody's of ours.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Turned> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let value = value.to_str().map_err(|_| Turned::ForeignSite)?;
    if values.next().is_some() { Err(Turned::ForeignSite) } else { Ok(Some(value)) }
}

fn authority(host: &str) -> Option<Authority> {
    // `user@127.0.0.1` is an authority, but not a host.
    host.parse().ok().filter(|_| !host.contains('@'))
}

fn address(host: &str) -> Option<IpAddr> {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(|ip| IpAddr::V6(ip).to_canonical()),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const HERE: &str = "127.0.0.1:8090";

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn gate(listens: &str) -> Gate {
        Gate::new(listens.parse().unwrap(), &["Page.Example.".to_owned()], Token::random())
    }

    fn reads(listens: &str, headers: &[(&str, &str)]) -> Result<(), Turned> {
        gate(listens).reads(&parts("GET", "/events", headers))
    }

    #[test]
    fn a_host_of_this_computer_passes() {
        for host in ["localhost", "LOCALHOST:8090", "127.0.0.1:8090", "127.1.2.3", "[::1]:8090", "[::1]"] {
            assert_eq!(reads(HERE, &[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_name_that_was_allowed_passes_and_no_other() {
        for host in ["page.example", "PAGE.example:8090", "page.example."] {
            assert_eq!(reads(HERE, &[("host", host)]), Ok(()), "{host}");
        }
        for host in ["example", "a.page.example", "page.example.com"] {
            assert_eq!(reads(HERE, &[("host", host)]), Err(Turned::ForeignHost), "{host}");
        }
    }

    #[test]
    fn a_foreign_host_does_not() {
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "a@127.0.0.1",
            "[::2]",
            "[::1",
            "2130706433",
        ] {
            assert_eq!(reads(HERE, &[("host", host)]), Err(Turned::ForeignHost), "{host}");
            assert_eq!(reads("[::1]:8090", &[("host", host)]), Err(Turned::ForeignHost), "{host}");
        }
        assert_eq!(reads(HERE, &[]), Err(Turned::ForeignHost));
        let says = Turned::ForeignHost.to_string();
        assert_eq!(says, "the Host header names another host: open the page as localhost, or by its address");
        let two = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(reads(HERE, &two), Err(Turned::ForeignHost));
    }

    #[test]
    fn a_request_line_that_names_another_host_does_not() {
        let gate = gate(HERE);
        let through = |uri| gate.reads(&parts("GET", uri, &[("host", "localhost:8090")]));
        assert_eq!(through("http://localhost:8090/events"), Ok(()));
        assert_eq!(through("http://example.com/events"), Err(Turned::ForeignHost));
    }

    #[test]
    fn where_it_listens_on_every_address_any_address_passes_and_still_no_name() {
        for host in ["172.17.0.2:8090", "[fd00::2]:8090", "localhost:8090"] {
            assert_eq!(reads("0.0.0.0:8090", &[("host", host)]), Ok(()), "{host}");
            assert_eq!(reads("[::]:8090", &[("host", host)]), Ok(()), "{host}");
        }
        assert_eq!(reads("0.0.0.0:8090", &[("host", "example.com")]), Err(Turned::ForeignHost));
        assert_eq!(reads("192.0.2.7:8090", &[("host", "192.0.2.7:8090")]), Ok(()));
        assert_eq!(reads("192.0.2.7:8090", &[("host", "192.0.2.8:8090")]), Err(Turned::ForeignHost));
    }

    #[test]
    fn only_a_page_of_this_very_origin_passes() {
        let from = |host, origin| reads(HERE, &[("host", host), ("origin", origin)]);
        assert_eq!(from("localhost:8090", "http://localhost:8090"), Ok(()));
        for foreign in [
            "null",
            "",
            "http://localhost:8080",
            "http://localhost",
            "https://localhost:8090",
            "http://127.0.0.1:8090",
            "http://example.com",
        ] {
            assert_eq!(from("localhost:8090", foreign), Err(Turned::ForeignSite), "{foreign}");
        }
        // Somebody gave it a name: there may be a proxy that speaks TLS.
        assert_eq!(from("page.example", "https://page.example"), Ok(()));
        assert_eq!(from("page.example", "http://page.example"), Ok(()));
        assert_eq!(from("page.example", "https://page.example:444"), Err(Turned::ForeignSite));
        let two = [("host", "localhost"), ("origin", "http://localhost"), ("origin", "http://localhost")];
        assert_eq!(reads(HERE, &two), Err(Turned::ForeignSite));
    }

    #[test]
    fn from_another_site_only_a_link_to_the_page_itself_passes() {
        let from = |method, uri, site, mode, destination| {
            let headers = [
                ("host", "localhost:8090"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
                ("sec-fetch-dest", destination),
            ];
            gate(HERE).reads(&parts(method, uri, &headers))
        };
        for site in ["same-origin", "none"] {
            assert_eq!(from("GET", "/events", site, "cors", "empty"), Ok(()), "{site}");
        }
        for site in ["cross-site", "same-site", "something new"] {
            assert_eq!(from("GET", "/", site, "navigate", "document"), Ok(()), "{site}");
            for (uri, mode, destination) in [
                ("/", "navigate", "iframe"),
                ("/", "no-cors", "image"),
                ("/events", "cors", "empty"),
                ("/export.html", "navigate", "document"),
                ("/page.js", "no-cors", "script"),
            ] {
                assert_eq!(
                    from("GET", uri, site, mode, destination),
                    Err(Turned::ForeignSite),
                    "{site} {uri}"
                );
            }
            assert_eq!(from("POST", "/", site, "navigate", "document"), Err(Turned::ForeignSite));
        }
    }

    #[test]
    fn a_deed_needs_a_page_of_ours_its_token_and_json() {
        let gate = gate(HERE);
        let right = [
            ("host", "localhost:8090"),
            ("origin", "http://localhost:8090"),
            ("sec-fetch-site", "same-origin"),
            ("x-hangproof-token", gate.token().reveal()),
            ("content-type", "application/json; charset=utf-8"),
        ];
        let with = |name: &str, value: Option<&'static str>| {
            let mut headers = right.to_vec();
            headers.retain(|header| header.0 != name);
            let name = right.iter().find(|header| header.0 == name).map(|header| header.0);
            headers.extend(name.zip(value));
            gate.changes(&parts("POST", "/deed", &headers))
        };
        assert_eq!(gate.changes(&parts("POST", "/deed", &right)), Ok(()));
        assert_eq!(with("sec-fetch-site", None), Ok(()), "an older browser");
        for (name, value, turned) in [
            ("host", None, Turned::ForeignHost),
            ("host", Some("example.com"), Turned::ForeignHost),
            ("origin", None, Turned::NoOrigin),
            ("origin", Some("http://example.com"), Turned::ForeignSite),
            ("sec-fetch-site", Some("same-site"), Turned::ForeignSite),
            ("sec-fetch-site", Some("none"), Turned::ForeignSite),
            ("x-hangproof-token", None, Turned::NoToken),
            ("x-hangproof-token", Some(""), Turned::NoToken),
            ("x-hangproof-token", Some("0123"), Turned::NoToken),
            ("content-type", None, Turned::NotJson),
            ("content-type", Some("text/plain"), Turned::NotJson),
            ("content-type", Some("text/plain; application/json"), Turned::NotJson),
        ] {
            assert_eq!(with(name, value), Err(turned), "{name}: {value:?}");
        }
    }
}
