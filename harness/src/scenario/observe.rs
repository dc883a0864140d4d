//! Where clients ask, and what counts as an answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

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

/// `[observe]` as written.
#[derive(Deserialize)]
pub(super) struct Raw {
    http: Option<String>,
    tcp: Option<String>,
    send: Option<String>,
    expect: Option<String>,
    interval: Option<String>,
    timeout: Option<String>,
}

/// What is wrong with it, and the text in the scenario to point at.
pub(super) struct Wrong {
    pub message: String,
    pub place: String,
}

impl Raw {
    pub(super) fn check(mut self) -> Result<Observe, Wrong> {
        let spans = [("interval", self.interval.take()), ("timeout", self.timeout.take())];
        let [interval, timeout] = spans.map(|(key, value)| value.map(|value| span(key, &value)).transpose());
        let (interval, timeout) = (interval?, timeout?);
        let observe = self.question()?;
        Ok(Observe {
            interval: interval.unwrap_or(observe.interval),
            timeout: timeout.unwrap_or(observe.timeout),
            ..observe
        })
    }

    fn question(self) -> Result<Observe, Wrong> {
        let wrong = |place: &str, message: &str| Wrong { message: message.into(), place: place.into() };
        match self {
            Self { http: Some(url), tcp: None, send: None, expect: None, .. } => {
                Observe::http(&url).map_err(|message| Wrong { message, place: url })
            }
            Self { http: Some(_), tcp: None, .. } => {
                Err(wrong("[observe]", "send and expect go with tcp; an http answer is judged by its status"))
            }
            Self { http: None, tcp: Some(address), send, expect, .. } => {
                let expect = expect.filter(|expect| !expect.is_empty()).ok_or_else(|| {
                    let message = "tcp needs expect, what a good answer contains: a stopped process's connections \
                        are accepted too";
                    wrong("tcp", message)
                })?;
                let service = address.replace("localhost", "127.0.0.1").parse().map_err(|_| {
                    let message =
                        format!("\"{address}\" is not ADDRESS:PORT; an example: \"127.0.0.1:6379\"");
                    wrong(&address, &message)
                })?;
                let send = send.unwrap_or_default().into_bytes();
                Ok(Observe::often(service, Question::Tcp { send, expect: expect.into_bytes() }))
            }
            Self { http: None, tcp: None, .. } | Self { http: Some(_), tcp: Some(_), .. } => {
                Err(wrong("[observe]", "[observe] needs exactly one of http and tcp"))
            }
        }
    }
}

fn span(key: &str, value: &str) -> Result<Duration, Wrong> {
    parse_span(value).filter(|span| !span.is_zero()).ok_or_else(|| Wrong {
        message: format!("{key} = \"{value}\" is no time span above 0; an example: \"2s\""),
        place: format!("\"{value}\""),
    })
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
