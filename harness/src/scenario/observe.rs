//! Where clients ask, how often, and what counts as an answer.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use toml::Spanned;

use self::http::Url;
pub use self::http::{Http, Trust};
use super::document::Documents;
use super::section::Section;
use crate::model::ask::TICK;
use crate::model::clock::{Human, NoSpan, read_span};

mod http;
#[cfg(test)]
mod tests;

/// How long one ask may take unless `timeout` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(1);
/// From one ask to the next where a command asks: it costs the machine a process each time.
const TICK_OF_COMMANDS: Duration = Duration::from_millis(100);
/// Nobody asks more often.
const SHORTEST: Duration = Duration::from_millis(1);
/// So many may be open at once, and so many commands.
const MOST_OPEN: u128 = 10_000;
const MOST_COMMANDS: u128 = 20;
/// The longest path of a socket (unix(7), `sun_path`, with its end).
const LONGEST_PATH: usize = 107;

/// What clients ask, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Observe {
    /// What, each time anew.
    pub question: Question,
    /// From one ask to the next.
    pub interval: Duration,
    /// How long one ask may take.
    pub timeout: Duration,
}

/// What clients ask.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// A request over HTTP.
    Http(Place, Box<Http>),
    /// Bytes.
    Bytes(Place, Bytes),
    /// A command in the machine, the exit status 0 of which is a good answer.
    Exec(Vec<String>),
}

/// Where a service is reached, as seen in the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// At the first of these that takes a connection.
    Port(Vec<SocketAddr>),
    /// At a socket in the file system, or an abstract one (`@NAME`).
    Socket(String),
}

/// Bytes, and bytes that a good answer contains.
///
/// That a connection is accepted is no answer: the kernel does it for a process that is stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Bytes {
    /// Sent at once; empty where the service speaks first.
    pub send: Vec<u8>,
    /// Never empty.
    pub expect: Vec<u8>,
}

/// Reads `[observe]`.
pub(super) fn read(section: &Section, documents: &Documents) -> Option<Observe> {
    let [interval, timeout] = ["interval", "timeout"].map(|key| span(section, key));
    let question = question(section, documents)?;
    let is_command = matches!(question, Question::Exec(_));
    let usual = if is_command { TICK_OF_COMMANDS } else { TICK };
    let observe =
        Observe { question, interval: interval.unwrap_or(usual), timeout: timeout.unwrap_or(TIMEOUT) };
    if observe.interval < SHORTEST {
        let message = "nobody asks more often than every 1 ms: many clients are [load]";
        section.wrong(section.place("interval"), message);
    }
    let open = observe.timeout.as_micros() / observe.interval.as_micros().max(1);
    let (most, what) = if is_command { (MOST_COMMANDS, "commands") } else { (MOST_OPEN, "connections") };
    if open > most {
        let key = if timeout.is_some() { "timeout" } else { "interval" };
        let message = format!(
            "a service that hangs would have {open} {what} of the observer's at once, and {most} are the most: a longer interval \
             than {}, or a shorter timeout than {}",
            Human(observe.interval),
            Human(observe.timeout)
        );
        section.wrong(section.place(key), message);
    }
    Some(observe)
}

/// Which keys go with which question.
const OF_HTTP: [&str; 7] = ["method", "headers", "status", "body", "address", "ca", "insecure"];
const OF_BYTES: [&str; 2] = ["send", "expect"];

/// The keys of a question that may be asked of a load too.
pub(super) const KEYS: [&str; 12] = [
    "http", "tcp", "unix", "send", "expect", "method", "headers", "status", "body", "address", "ca",
    "insecure",
];

/// Reads what is asked, in `[observe]` or `[load]`.
pub(super) fn question(section: &Section, documents: &Documents) -> Option<Question> {
    let [http, tcp, unix] = ["http", "tcp", "unix"].map(|key| section.text(key));
    let socket = unix.and_then(|path| socket(section, &path));
    let exec = section.list("exec");
    let is_there = |key: &str| section.has(key);
    // What a key holds that is not to be there may be wrong too.
    let types = |keys: &[&'static str]| {
        for key in keys {
            match *key {
                "insecure" => drop(section.flag(key)),
                "status" => drop(section.one_or_more(key)),
                "headers" => drop(section.own(key)),
                key => drop(section.text(key)),
            }
        }
    };
    let wrong = |keys: &[&'static str], with: &str| {
        types(keys);
        for key in keys.iter().filter(|key| section.has(key)) {
            section.wrong(section.place(key), format!("{key} goes with {with}"));
        }
    };
    match ["http", "tcp", "unix", "exec"].map(is_there) {
        [true, false, has_socket, false] => {
            wrong(&OF_BYTES, "tcp, and with unix where there is no http; an http answer has status and body");
            let url = http?;
            let url = Url::parse(url.get_ref()).map_err(|message| section.wrong(url.span(), message)).ok();
            let http = http::read(section, url.as_ref(), documents);
            let port = if has_socket { None } else { http::place(section, url.as_ref()?) };
            if has_socket && is_there("address") {
                section.wrong(section.place("address"), "unix says already where the service is reached");
            }
            Some(Question::Http(socket.map(Place::Socket).or(port)?, Box::new(http?)))
        }
        [false, true, false, false] => {
            wrong(&OF_HTTP, "http");
            let bytes = bytes(section, "tcp");
            Some(Question::Bytes(Place::Port(ports(section, &tcp?)?), bytes?))
        }
        [false, false, true, false] => {
            wrong(&OF_HTTP, "http");
            let bytes = bytes(section, "unix");
            Some(Question::Bytes(Place::Socket(socket?), bytes?))
        }
        [false, false, false, true] => {
            wrong(&OF_HTTP, "http");
            wrong(&OF_BYTES, "tcp and unix; of a command the exit status counts");
            let argv = exec?.into_inner();
            if argv.first().is_none_or(String::is_empty) || argv.iter().any(|word| word.contains('\0')) {
                let message = "exec is a command and its arguments: [\"/usr/bin/pg_isready\", \"--quiet\"]";
                section.wrong(section.place("exec"), message);
                return None;
            }
            Some(Question::Exec(argv))
        }
        _ => {
            types(&OF_HTTP);
            types(&OF_BYTES);
            let title = section.title();
            let others = if title == "[observe]" { "tcp, unix and exec" } else { "tcp and unix" };
            let message =
                format!("{title} needs exactly one of http, {others}; http may have unix beside it");
            let none_is_there = !["http", "tcp", "unix", "exec"].iter().any(|key| section.has(key));
            let is_misspelt = ["http", "tcp", "unix", "exec"].iter().any(|key| section.is_misspelt(key));
            if !(none_is_there && is_misspelt) {
                section.wrong(section.place(""), message);
            }
            None
        }
    }
}

fn bytes(section: &Section, key: &str) -> Option<Bytes> {
    let [send, expect] = ["send", "expect"].map(|key| section.text(key).map(Spanned::into_inner));
    let expect = expect.filter(|expect| !expect.is_empty());
    if expect.is_none() {
        let message = format!(
            "{key} needs expect, what a good answer contains: a stopped process's connections are accepted too"
        );
        section.wrong(section.place(key), message);
    }
    Some(Bytes { send: send.unwrap_or_default().into_bytes(), expect: expect?.into_bytes() })
}

fn socket(section: &Section, path: &Spanned<String>) -> Option<String> {
    let text = path.get_ref();
    let is_socket =
        (text.starts_with('/') || (text.starts_with('@') && text.len() > 1)) && !text.contains('\0');
    if is_socket && text.len() <= LONGEST_PATH {
        return Some(text.clone());
    }
    let message = if is_socket {
        format!("a socket's path has {LONGEST_PATH} bytes at most, and this one {}", text.len())
    } else {
        format!(
            "\"{text}\" is neither the absolute path of a socket in the machine nor @NAME; an example: \"/run/my.sock\""
        )
    };
    section.wrong(path.span(), message);
    None
}

/// Reads `ADDRESS:PORT`, where `localhost` is an address too.
fn ports(section: &Section, address: &Spanned<String>) -> Option<Vec<SocketAddr>> {
    let text = address.get_ref();
    let services = match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(localhost),
        None => text.parse().ok().map(|service| vec![service]),
    };
    let services = services.filter(|services| services.iter().all(|service| service.port() != 0));
    if services.is_none() {
        let message = format!(
            "\"{text}\" is not ADDRESS:PORT; an example: \"127.0.0.1:6379\". Names are not looked up: a machine has its own idea \
             of them"
        );
        section.wrong(address.span(), message);
    }
    services
}

/// What `localhost` means everywhere (RFC 6761, 6.3), the one first that more services listen on.
fn localhost(port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))]
}

/// A time span above 0.
pub(super) fn span(section: &Section, key: &str) -> Option<Duration> {
    let value = section.text(key)?;
    let why = match read_span(value.get_ref()) {
        Ok(span) if !span.is_zero() => return Some(span),
        Err(NoSpan::TooLong) => "too long a time span",
        _ => "no time span above 0",
    };
    let message = format!("{key} = \"{}\" is {why}; an example: \"2s\"", value.get_ref());
    section.wrong(value.span(), message);
    None
}

impl Observe {
    /// The port that is asked, where one is.
    pub fn port(&self) -> Option<u16> {
        match &self.question {
            Question::Http(Place::Port(services), _) | Question::Bytes(Place::Port(services), _) => {
                services.first().map(SocketAddr::port)
            }
            _ => None,
        }
    }

    /// As a recovery is measured: asked every [`TICK`].
    pub fn often(question: Question) -> Self {
        Self { question, interval: TICK, timeout: TIMEOUT }
    }

    /// That of a GET of `url`, which is good below 400.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn http(url: &str) -> Result<Self, String> {
        let url = Url::parse(url)?;
        let places = url.addresses(None)?;
        Ok(Self::often(Question::Http(Place::Port(places), Box::new(Http::get(&url)))))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(services) => services.first().map_or(Ok(()), |service| service.fmt(f)),
            Self::Socket(path) => f.write_str(path),
        }
    }
}

/// For people: where, and what.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(place, http) => {
                write!(f, "{http}")?;
                match place {
                    Place::Socket(path) => write!(f, " over {path}"),
                    Place::Port(services) if http.names(services) => Ok(()),
                    Place::Port(_) => write!(f, " at {place}"),
                }
            }
            Self::Bytes(place @ Place::Port(_), _) => write!(f, "tcp://{place}"),
            Self::Bytes(place @ Place::Socket(_), _) => write!(f, "unix:{place}"),
            Self::Exec(argv) => write!(f, "`{}`", argv.join(" ")),
        }
    }
}

impl Observe {
    /// What is asked, how often, for how long, and what is a good answer, for people.
    pub fn told(&self) -> String {
        let good = match &self.question {
            Question::Http(_, http) => http.good(),
            Question::Bytes(_, bytes) => format!("an answer with \"{}\"", bytes.expect.escape_ascii()),
            Question::Exec(_) => "exit status 0".to_owned(),
        };
        let (interval, timeout) = (Human(self.interval), Human(self.timeout));
        format!("{self} every {interval}; good is {good} within {timeout}")
    }
}

impl fmt::Display for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.question.fmt(f)
    }
}
