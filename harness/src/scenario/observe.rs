//! Where clients ask, and what counts as an answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use toml::Spanned;

use super::section::Section;
use crate::model::ask::TICK;
use crate::model::clock::parse_span;

/// How long one ask may take unless `timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Where clients ask, as seen in the machine, and what.
#[derive(Clone, Debug, PartialEq)]
pub struct Observe {
    /// `127.0.0.1:8080`.
    pub service: SocketAddr,
    /// What is asked there.
    pub question: Question,
    /// From one ask to the next; [`TICK`] unless the service is to have few clients.
    pub interval: Duration,
    /// How long one ask may take.
    pub timeout: Duration,
}

/// What clients ask, each time over a connection of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// A GET; a status below 400 is a good answer.
    Http {
        /// `/`.
        path: String,
    },
    /// Bytes, and bytes that a good answer contains.
    ///
    /// That a connection is accepted is no answer: the kernel does it for a process that is stopped.
    Tcp {
        /// Sent at once; empty where the service speaks first.
        send: Vec<u8>,
        /// Never empty.
        expect: Vec<u8>,
    },
}

/// Reads `[observe]`.
pub(super) fn read(section: &Section) -> Option<Observe> {
    let [interval, timeout] = ["interval", "timeout"].map(|key| span(section, key));
    let observe = question(section)?;
    Some(Observe {
        interval: interval.unwrap_or(observe.interval),
        timeout: timeout.unwrap_or(observe.timeout),
        ..observe
    })
}

fn question(section: &Section) -> Option<Observe> {
    let [http, tcp, send, expect] = ["http", "tcp", "send", "expect"].map(|key| section.text(key));
    match (http, tcp) {
        (Some(url), None) => {
            for key in [send.map(|_| "send"), expect.map(|_| "expect")].into_iter().flatten() {
                let message = format!("{key} goes with tcp; an http answer is judged by its status");
                section.wrong(section.place(key), message);
            }
            let observe = Observe::http(url.get_ref());
            observe.map_err(|message| section.wrong(url.span(), message)).ok()
        }
        (None, Some(address)) => {
            let expect = expect.map(Spanned::into_inner).filter(|expect| !expect.is_empty());
            if expect.is_none() {
                let message = "tcp needs expect, what a good answer contains: a stopped process's connections are \
                    accepted too";
                section.wrong(section.place("tcp"), message);
            }
            let service = address.get_ref().replace("localhost", "127.0.0.1").parse();
            if service.is_err() {
                let message =
                    format!("\"{}\" is not ADDRESS:PORT; an example: \"127.0.0.1:6379\"", address.get_ref());
                section.wrong(address.span(), message);
            }
            let send = send.map(Spanned::into_inner).unwrap_or_default().into_bytes();
            Some(Observe::often(service.ok()?, Question::Tcp { send, expect: expect?.into_bytes() }))
        }
        (None, None) | (Some(_), Some(_)) => {
            section.wrong(section.place(""), "[observe] needs exactly one of http and tcp");
            None
        }
    }
}

/// A time span above 0.
pub(super) fn span(section: &Section, key: &str) -> Option<Duration> {
    let value = section.text(key)?;
    let span = parse_span(value.get_ref()).filter(|span| !span.is_zero());
    if span.is_none() {
        let message = format!("{key} = \"{}\" is no time span above 0; an example: \"2s\"", value.get_ref());
        section.wrong(value.span(), message);
    }
    span
}

impl Observe {
    /// As a recovery is measured: asked every [`TICK`].
    pub fn often(service: SocketAddr, question: Question) -> Self {
        Self { service, question, interval: TICK, timeout: TIMEOUT }
    }

    /// Reads `http://ADDRESS:PORT/PATH`.
    ///
    /// # Errors
    /// What such a URL looks like. Names are not resolved: a machine has its own idea of them.
    pub fn http(url: &str) -> Result<Self, String> {
        let remedy =
            || format!("\"{url}\" is not http://ADDRESS:PORT/PATH; an example: \"http://127.0.0.1:8080/\"");
        let rest = url.strip_prefix("http://").ok_or_else(remedy)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = authority.replace("localhost", "127.0.0.1");
        let service =
            authority.parse().or_else(|_| format!("{authority}:80").parse()).map_err(|_| remedy())?;
        Ok(Self::often(service, Question::Http { path: format!("/{path}") }))
    }
}

impl fmt::Display for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.question {
            Question::Http { path } => write!(f, "http://{}{path}", self.service),
            Question::Tcp { .. } => write!(f, "tcp://{}", self.service),
        }
    }
}
