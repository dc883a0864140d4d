//! Where an answer over HTTP/1.1 ends, and whether it came whole (RFC 9112, sections 6 and 7). Pure: bytes in, an answer out.
//!
//! As clients take it: what precedes the answer (1xx) is passed over, and a header that cannot be read and is not needed too. What
//! is needed decides: an answer of which a part is missing is none, nor is one that does not say, or says twice, where it ends.

use httparse::{EMPTY_HEADER, Error, ParserConfig, Status, parse_chunk_size};

/// The longest head, and the longest trailers, that are read.
const LONGEST_HEAD: usize = 64 * 1024;
/// So many headers a head has at most.
const MOST_HEADERS: usize = 256;
/// The longest line with a chunk's length.
const LONGEST_LINE: usize = 4096;
/// So many interim answers may precede one.
const MOST_INTERIM: usize = 64;

/// What an answer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Its status; never an interim one.
    pub status: u16,
    /// Whether the text that was looked for is in its body.
    pub has_text: bool,
}

/// Reads one answer.
pub struct Reader {
    /// Whether it is one to HEAD, which has the headers of a body and no body.
    is_bodiless: bool,
    state: State,
    /// What has come and is not understood yet; never of a body.
    waiting: Vec<u8>,
    interim: Option<(u16, usize)>,
    status: u16,
    search: Search,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes are still to come, of so many.
    Sized(u64, u64),
    UntilClose,
    ChunkLength,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Over,
}

impl Reader {
    /// Of an answer to such a request, in the body of which a text is looked for: an empty one is in each.
    pub fn new(method: &str, text: &[u8]) -> Self {
        Self {
            is_bodiless: method == "HEAD",
            state: State::Head,
            waiting: Vec::new(),
            interim: None,
            status: 0,
            search: Search { text: text.into(), tail: Vec::new(), is_found: text.is_empty() },
        }
    }

    /// Takes in what came next. The answer, once it is whole.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Whole>, String> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.step(rest)?;
            if self.state == State::Over && !rest.is_empty() {
                return Err(format!("status {}, but {} bytes more than its answer", self.status, rest.len()));
            }
        }
        Ok((self.state == State::Over).then(|| self.whole()))
    }

    /// Nothing more will come. The answer, if that is its end.
    ///
    /// # Errors
    /// What is missing.
    pub fn close(&self) -> Result<Whole, String> {
        match self.state {
            State::Over | State::UntilClose => Ok(self.whole()),
            _ if self.is_silent() => Err("closed without an answer".into()),
            _ => Err(format!("closed, but {}", self.missing())),
        }
    }

    /// Whether nothing has come.
    pub fn is_silent(&self) -> bool {
        self.state == State::Head && self.waiting.is_empty() && self.interim.is_none()
    }

    /// The answer's status, once it is there.
    pub fn status(&self) -> Option<u16> {
        (self.status != 0).then_some(self.status)
    }

    /// What of the answer is still to come.
    pub fn missing(&self) -> String {
        match (self.state, self.interim) {
            (State::Head, Some((status, _))) if self.waiting.is_empty() => {
                format!("status {status} only precedes an answer")
            }
            (State::Head, _) => format!("its head is not whole: {} bytes", self.waiting.len()),
            (State::Sized(left, all), _) => {
                format!("status {}, and {} of {all} bytes", self.status, all - left)
            }
            (State::UntilClose, _) => format!("status {}, and a body that does not end", self.status),
            (State::ChunkLength | State::Chunk(_) | State::ChunkEnd | State::Trailers, _) => {
                format!("status {}, and not the last of its chunks", self.status)
            }
            (State::Over, _) => "nothing is missing".into(),
        }
    }

    fn whole(&self) -> Whole {
        Whole { status: self.status, has_text: self.search.is_found }
    }

    /// Takes in as much as belongs together, and returns what is left.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        match self.state {
            State::Head => self.head(bytes),
            State::Sized(left, all) => {
                let (body, rest) = split(bytes, left);
                self.search.read(body);
                let left = left - body.len() as u64;
                self.state = if left == 0 { State::Over } else { State::Sized(left, all) };
                Ok(rest)
            }
            State::UntilClose => {
                self.search.read(bytes);
                Ok(&[])
            }
            State::Chunk(left) => {
                let (body, rest) = split(bytes, left);
                self.search.read(body);
                let left = left - body.len() as u64;
                self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                Ok(rest)
            }
            State::ChunkLength | State::ChunkEnd | State::Trailers => self.chunk_line(bytes),
            State::Over => Ok(bytes),
        }
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let before = self.waiting.len();
        self.waiting.extend_from_slice(bytes);
        let name = b"HTTP/1.";
        if !self.waiting.starts_with(&name[..name.len().min(self.waiting.len())]) {
            return Err("not an HTTP answer".into());
        }
        // Looked at once, however few bytes come at a time.
        let Some(end) = end_of_head(&self.waiting, before) else {
            let is_long = self.waiting.len() > LONGEST_HEAD;
            return if is_long { Err(format!("a head of more than {LONGEST_HEAD} bytes")) } else { Ok(&[]) };
        };
        if end > LONGEST_HEAD {
            return Err(format!("a head of more than {LONGEST_HEAD} bytes"));
        }
        let Head { status, body } = Head::parse(&self.waiting[..end], self.is_bodiless)?;
        self.waiting.clear();
        if (100..200).contains(&status) && status != 101 {
            let count = self.interim.map_or(0, |(_, count)| count) + 1;
            if count > MOST_INTERIM {
                return Err(format!("more than {MOST_INTERIM} times a status that only precedes an answer"));
            }
            self.interim = Some((status, count));
        } else {
            (self.status, self.state) = (status, body);
        }
        Ok(&bytes[end - before..])
    }

    /// A line around chunks: it is looked at when it is whole.
    fn chunk_line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let wrong = |what: &str| Err(format!("wrongly chunked: {what}"));
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |newline| newline + 1);
        let (line, rest) = bytes.split_at(end);
        self.waiting.extend_from_slice(line);
        let longest = if self.state == State::Trailers { LONGEST_HEAD } else { LONGEST_LINE };
        if self.waiting.len() > longest {
            return wrong("a line that is too long");
        }
        if self.state == State::ChunkEnd && !b"\r\n".starts_with(&self.waiting) {
            return wrong("a chunk is longer than it says");
        }
        if !self.waiting.ends_with(b"\n") {
            return Ok(rest);
        }
        let line = std::mem::take(&mut self.waiting);
        self.state = match self.state {
            State::ChunkEnd => State::ChunkLength,
            State::Trailers if matches!(line.as_slice(), b"\r\n" | b"\n") => State::Over,
            State::Trailers => State::Trailers,
            _ => match parse_chunk_size(&line) {
                Ok(Status::Complete((_, 0))) => State::Trailers,
                Ok(Status::Complete((_, length))) => State::Chunk(length),
                Ok(Status::Partial) | Err(_) => return wrong("a length that is none"),
            },
        };
        Ok(rest)
    }
}

fn split(bytes: &[u8], left: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()))
}

/// Where a head ends: after its empty line. All but the last `new` bytes have been looked at.
fn end_of_head(bytes: &[u8], looked_at: usize) -> Option<usize> {
    let begin = looked_at.saturating_sub(2);
    (begin..bytes.len()).filter(|at| bytes[*at] == b'\n').find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// What of a head decides.
struct Head {
    status: u16,
    body: State,
}

impl Head {
    fn parse(bytes: &[u8], is_bodiless: bool) -> Result<Self, String> {
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        // As other clients do. RFC 9112, 5.2: whoever receives a folded header takes the fold for a space.
        let mut config = ParserConfig::default();
        config
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true);
        match config.parse_response(&mut response, bytes) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err("a head that is not whole".into()),
            Err(Error::TooManyHeaders) => return Err(format!("a head of more than {MOST_HEADERS} headers")),
            Err(error) => return Err(format!("not an HTTP answer: {error}")),
        }
        let status = response.code.unwrap_or(0);
        if !(100..600).contains(&status) {
            return Err(format!("not an HTTP answer: status {status}"));
        }
        let values = |name: &'static str| {
            let named = response.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
            named.flat_map(|header| header.value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
        };
        let has_body = !is_bodiless && !matches!(status, 100..200 | 204 | 304);
        let mut lengths = values("content-length");
        let coding = values("transfer-encoding").next_back().map(<[u8]>::to_ascii_lowercase);
        let body = match (coding, lengths.next()) {
            _ if !has_body => State::Over,
            (Some(_), Some(_)) => {
                return Err(format!("status {status}, with Content-Length and Transfer-Encoding"));
            }
            (Some(coding), None) if coding == b"chunked" => State::ChunkLength,
            (_, None) => State::UntilClose,
            (None, Some(first)) => {
                let shown = || format!("\"{}\"", first.escape_ascii());
                if let Some(other) = lengths.find(|other| *other != first) {
                    let other = other.escape_ascii();
                    return Err(format!("status {status}, with Content-Length {} and \"{other}\"", shown()));
                }
                match length(first) {
                    Some(0) => State::Over,
                    Some(length) => State::Sized(length, length),
                    None => return Err(format!("status {status}, with Content-Length {}", shown())),
                }
            }
        };
        Ok(Self { status, body })
    }
}

fn length(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit).then(|| std::str::from_utf8(text).ok())??;
    digits.parse().ok()
}

/// Looks for a text in what comes in pieces.
struct Search {
    text: Vec<u8>,
    /// What may be the text's beginning.
    tail: Vec<u8>,
    is_found: bool,
}

impl Search {
    fn read(&mut self, bytes: &[u8]) {
        if self.is_found {
            return;
        }
        self.tail.extend_from_slice(bytes);
        self.is_found = self.tail.windows(self.text.len()).any(|window| window == self.text);
        let kept = (self.text.len() - 1).min(self.tail.len());
        self.tail.drain(..self.tail.len() - kept);
    }
}

#[cfg(test)]
mod tests;
