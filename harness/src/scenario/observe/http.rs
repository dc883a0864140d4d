//! A question over HTTP: its URL, and what is a good answer.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use ::http::{HeaderName, HeaderValue, Method, Uri};
use rustls::pki_types::ServerName;
use toml::Spanned;

use super::{Place, localhost};
use crate::scenario::document::Documents;
use crate::scenario::section::Section;
use crate::scenario::service::{Source, source};

/// What is good unless `status` says otherwise.
const USUAL: RangeInclusive<u16> = 200..=399;

/// What is asked over HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Whom to trust, where it is asked over TLS.
    pub tls: Option<Trust>,
    /// `GET`.
    pub method: String,
    /// As the URL has it: `localhost:8080`.
    pub authority: String,
    /// The same without a port and without brackets.
    pub host: String,
    /// `/path?query`.
    pub target: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The statuses that are good.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body of a good answer contains; empty for any.
    pub body: String,
}

impl Http {
    /// What a good answer is, for people: `status 200 to 399`.
    pub fn good(&self) -> String {
        let ranges = self.status.iter().map(|range| match (range.start(), range.end()) {
            (only, end) if only == end => only.to_string(),
            (start, end) => format!("{start} to {end}"),
        });
        let status = ranges.collect::<Vec<_>>().join(" or ");
        let body =
            if self.body.is_empty() { String::new() } else { format!(" with \"{}\" in it", self.body) };
        format!("status {status}{body}")
    }
}

/// Whose certificate is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Trust {
    /// Of whom this host trusts.
    Host,
    /// Of the authorities in this file.
    File(Source),
    /// Of anybody.
    Anybody,
}

impl Http {
    /// A GET, which is good below 400.
    pub fn get(url: &Url) -> Self {
        Self {
            tls: url.is_secure.then_some(Trust::Host),
            method: "GET".into(),
            authority: url.authority.clone(),
            host: url.host.clone(),
            target: url.target.clone(),
            headers: Vec::new(),
            status: vec![USUAL],
            body: String::new(),
        }
    }

    /// Whether such a status is good.
    pub fn takes(&self, status: u16) -> bool {
        self.status.iter().any(|range| range.contains(&status))
    }

    /// Whether the URL says where these are.
    pub(super) fn names(&self, services: &[SocketAddr]) -> bool {
        self.host == "localhost" || services.iter().any(|service| self.host.parse() == Ok(service.ip()))
    }
}

impl fmt::Display for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        if self.method != "GET" {
            write!(f, "{} ", self.method)?;
        }
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Url {
    is_secure: bool,
    authority: String,
    host: String,
    port: u16,
    target: String,
}

impl Url {
    /// Reads `http://HOST:PORT/PATH?QUERY`, or the same of `https`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("\"{text}\" is not http://HOST:PORT/PATH{why}; an example: \"http://127.0.0.1:8080/\"")
        };
        let uri = text.parse::<Uri>().map_err(|error| wrong(&format!(" ({error})")))?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("")),
        };
        let authority = uri.authority().ok_or_else(|| wrong(""))?;
        if authority.as_str().contains('@') {
            let remedy = "headers = { Authorization = \"Basic …\" } does";
            return Err(format!("a URL of [observe] does not say who asks: {remedy}"));
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => Some(if is_secure { 443 } else { 80 }),
            Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port != 0),
            None => None,
        };
        let port = port.ok_or_else(|| wrong(" (its port is none)"))?;
        let is_address = bare.parse::<IpAddr>().is_ok();
        if bare.is_empty() || (bare.len() != host.len() && !is_address) {
            return Err(wrong(" (its host is none)"));
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_secure,
            authority: authority.as_str().to_owned(),
            host: bare.to_owned(),
            port,
            target: format!("{slash}{target}"),
        })
    }

    /// Where it is reached: at `address`, or where the URL says.
    ///
    /// # Errors
    /// It has a name: a machine has its own idea of names.
    pub fn addresses(&self, address: Option<IpAddr>) -> Result<Vec<SocketAddr>, String> {
        match (address, self.host.parse()) {
            (Some(address), _) | (None, Ok(address)) => Ok(vec![SocketAddr::new(address, self.port)]),
            (None, Err(_)) if self.host.eq_ignore_ascii_case("localhost") => Ok(localhost(self.port)),
            (None, Err(_)) => Err(format!(
                "where {} is, is not looked up: a machine has its own idea of names. Say address = \"127.0.0.1\" beside it",
                self.host
            )),
        }
    }
}

/// Reads where the service is reached, where that is no socket.
pub(super) fn place(section: &Section, url: &Url) -> Option<Place> {
    let address = section.text("address").map(|address| {
        let read = address.get_ref().parse::<IpAddr>();
        if read.is_err() {
            let message = format!("\"{}\" is no IP address; the port is the URL's", address.get_ref());
            section.wrong(address.span(), message);
        }
        read.ok()
    });
    let addresses = match address {
        Some(address) => url.addresses(Some(address?)),
        None => url.addresses(None),
    };
    let span = section.text("http").map_or_else(|| section.place("http"), |url| url.span());
    addresses.map(Place::Port).map_err(|message| section.wrong(span, message)).ok()
}

/// Reads what is asked and what is good; all mistakes also where there is no `url`.
pub(super) fn read(section: &Section, url: Option<&Url>, documents: &Documents) -> Option<Http> {
    let is_secure = url.is_some_and(|url| url.is_secure);
    let method =
        section.text("method").map_or_else(|| Some("GET".into()), |method| self::method(section, &method));
    let headers = section.own("headers").into_iter().filter_map(|(name, value)| {
        let value = section.text_of(name.get_ref(), value)?;
        header(section, name.into_inner(), &value)
    });
    let headers = headers.collect();
    let status = match section.one_or_more("status") {
        Some(texts) => texts.iter().map(|text| status(section, text)).collect(),
        None => Some(vec![USUAL]),
    };
    let body = section.text("body").map(Spanned::into_inner).unwrap_or_default();
    if method.as_deref() == Some("HEAD") && !body.is_empty() {
        section.wrong(section.place("body"), "an answer to HEAD has no body");
    }
    let (ca, insecure) = (section.text("ca"), section.flag("insecure"));
    for key in ["ca", "insecure"].into_iter().filter(|key| section.has(key) && url.is_some() && !is_secure) {
        section.wrong(section.place(key), format!("{key} goes with https://"));
    }
    if let (Some(ca), Some(true)) = (&ca, insecure) {
        section.wrong(ca.span(), "with insecure = true nobody looks at certificates: ca or insecure");
    }
    let file = ca.map(|ca| source(section, &ca, documents));
    let trust = match (file, insecure) {
        (_, Some(true)) => Trust::Anybody,
        (Some(file), _) => Trust::File(file?),
        (None, _) => Trust::Host,
    };
    let url = url?;
    if is_secure && ServerName::try_from(url.host.as_str()).is_err() {
        section.wrong(section.place("http"), format!("no certificate can be for the name \"{}\"", url.host));
    }
    Some(Http {
        tls: is_secure.then_some(trust),
        method: method?,
        headers,
        status: status?,
        body,
        ..Http::get(url)
    })
}

fn method(section: &Section, method: &Spanned<String>) -> Option<String> {
    let text = method.get_ref();
    let read = text.parse::<Method>().ok().filter(|method| *method != Method::CONNECT);
    if read.is_none() || text.chars().any(|c| c.is_ascii_lowercase()) {
        section
            .wrong(method.span(), format!("\"{text}\" is no method of HTTP; there are: GET, HEAD, POST, …"));
        return None;
    }
    Some(text.clone())
}

/// What says where a request ends is not the scenario's to say.
const OURS: [&str; 2] = ["content-length", "transfer-encoding"];

fn header(section: &Section, name: String, value: &Spanned<String>) -> Option<(String, String)> {
    let text = value.get_ref();
    let wrong = if name.parse::<HeaderName>().is_err() {
        Some(format!("{name:?} is no name of a header"))
    } else if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
        Some(format!("{name} is the observer's own: its requests have no body"))
    } else if HeaderValue::from_str(text).is_err() {
        Some(format!("the value of {name} has a character that no header may have"))
    } else {
        None
    };
    if let Some(message) = wrong {
        section.wrong(value.span(), message);
        return None;
    }
    Some((name, text.clone()))
}

/// Reads `204`, or `200-299`.
fn status(section: &Section, status: &Spanned<String>) -> Option<RangeInclusive<u16>> {
    let (from, to) = status.get_ref().split_once('-').unwrap_or((status.get_ref(), status.get_ref()));
    let read = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (200..600).contains(status));
    let range = read(from).zip(read(to)).filter(|(from, to)| from <= to);
    if range.is_none() {
        let message = format!(
            "\"{}\" is neither a status of an answer (200 to 599) nor a range of them; an example: \"200-299\"",
            status.get_ref()
        );
        section.wrong(status.span(), message);
    }
    range.map(|(from, to)| from..=to)
}
