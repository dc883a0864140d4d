//! An HTTP answer as it comes in: whether it is all there, and whether it is healthy. Pure.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::{ParserConfig, Response, Status};

use super::expected::{Expected, LIMIT};
use super::redirect::Origin;
use crate::probe::broken::closed_early;
use crate::probe::excerpt::excerpt;
use crate::words::outcome::{Cause, Reason};

const MAX_HEADERS: usize = 128;
/// Most heads are shorter, and looked at as they come in. A longer one is looked at line by line, so that one that drips
/// costs no more than one that does not.
const SHORT_HEAD: usize = 1024;
/// The size of a chunk, with extensions, which nobody uses. It is looked at from its start whenever more of it comes in.
const LONGEST_CHUNK_LINE: usize = 1024;

/// Less than the largest size of which glibc keeps some freed for the next one (tcache, 1032 bytes) …
const FIRST_PART: usize = 1000;
/// … and what is read at once of a longer answer.
const NEXT_PART: usize = 8 * 1024;

/// What is asked, as far as the answer depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub expected: &'a Expected,
    /// Redirects to here are to be followed.
    pub follow: Option<&'a Origin>,
    /// The method: an answer to HEAD has no body.
    pub method: &'a str,
    /// What redirects are relative to.
    pub path: &'a str,
}

/// What came in so far.
#[derive(Debug)]
pub struct Answer<'a> {
    question: Question<'a>,
    bytes: Vec<u8>,
    /// How much of `bytes` was looked at.
    seen: usize,
    /// How long the interim answers were that are no more in `bytes`.
    interim: usize,
    body: Option<(usize, Body)>,
}

/// More to come?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    Incomplete,
    /// And healthy.
    Complete,
    /// To be followed.
    Redirect {
        status: u16,
        path: String,
    },
}

/// Where the body ends; RFC 9112, section 6.3.
#[derive(Debug)]
enum Body {
    Empty,
    /// When `bytes` has this length.
    At(usize),
    /// With a chunk of size 0; the next chunk starts here in `bytes`.
    Chunked {
        next: usize,
    },
    WithConnection,
}

/// What a head says.
enum Head {
    Partial,
    Final { length: usize, body: Body },
    Redirect { status: u16, path: String },
}

impl<'a> Answer<'a> {
    /// Nothing yet.
    pub fn new(question: Question<'a>) -> Self {
        Self { question, bytes: Vec::new(), seen: 0, interim: 0, body: None }
    }

    /// Where to append what was read. Call [`progress`](Self::progress) after.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        // Most answers to a probe are short: one read, into what the allocator has at hand.
        self.bytes.reserve(if self.bytes.capacity() == 0 { FIRST_PART } else { NEXT_PART });
        &mut self.bytes
    }

    /// Something came in.
    pub fn has_begun(&self) -> bool {
        self.interim > 0 || !self.bytes.is_empty()
    }

    /// Takes in what was appended.
    pub fn progress(&mut self) -> Result<Progress, Reason> {
        if self.body.is_none() {
            match self.read_head()? {
                Head::Final { length, body } => self.body = Some((length, body)),
                Head::Redirect { status, path } => return Ok(Progress::Redirect { status, path }),
                Head::Partial if self.bytes.len() >= LIMIT => {
                    return Err(not_http("its head is longer than 64 KiB"));
                }
                Head::Partial => return Ok(Progress::Incomplete),
            }
        }
        let cut = self.bytes.len() >= self.question.expected.limit();
        let whole = match &mut self.body {
            Some((_, Body::Empty)) => true,
            Some((_, Body::At(end))) => self.bytes.len() >= *end,
            Some((_, Body::Chunked { next })) => skip_chunks(&self.bytes, next)?,
            Some((_, Body::WithConnection)) | None => false,
        };
        if !whole && !cut {
            return Ok(Progress::Incomplete);
        }
        self.check_body(!whole)?;
        Ok(Progress::Complete)
    }

    /// The connection was closed: is it all there, and healthy?
    pub fn closed(&self) -> Result<(), Reason> {
        match self.body {
            Some((_, Body::WithConnection)) => self.check_body(false),
            _ => Err(closed_early(self.has_begun())),
        }
    }

    /// The status decides as soon as it is there: a 503 need not be read to its end.
    fn read_head(&mut self) -> Result<Head, Reason> {
        let seen = std::mem::replace(&mut self.seen, self.bytes.len());
        if seen > 0 && self.bytes.len() > SHORT_HEAD && !self.bytes[seen..].contains(&b'\n') {
            return Ok(Head::Partial);
        }
        let mut start = 0;
        let head = loop {
            let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
            let mut response = Response::new(&mut []);
            let config = ParserConfig::default();
            let head = &self.bytes[start..];
            let length = match config.parse_response_with_uninit_headers(&mut response, head, &mut headers) {
                Ok(Status::Complete(length)) => length,
                Ok(Status::Partial) => break Head::Partial,
                Err(error) => {
                    return Err(not_http(&format!("{error}: {}", excerpt(&self.bytes[start..]))));
                }
            };
            match response.code.unwrap_or_default() {
                // 100 Continue, 103 Early Hints: the answer follows.
                100 | 102..=199 => start += length,
                status => break self.judge_head(status, response.headers, length)?,
            }
        };
        self.bytes.drain(..start);
        self.seen = self.bytes.len();
        self.interim += start;
        if self.interim > LIMIT {
            return Err(not_http("only interim answers, and no end of them"));
        }
        Ok(head)
    }

    fn judge_head(
        &self,
        status: u16,
        headers: &[httparse::Header<'_>],
        length: usize,
    ) -> Result<Head, Reason> {
        let Question { expected, follow, method, path } = self.question;
        if let (301..=303 | 307 | 308, Some(origin)) = (status, follow)
            && let Some(location) = find(headers, "location")
            && let Some(path) = origin.resolve(path, location)
        {
            return Ok(Head::Redirect { status, path });
        }
        expected.check_status(status)?;
        let empty = method == "HEAD" || matches!(status, 101 | 204 | 304);
        let body = if empty { Body::Empty } else { body(headers, length)? };
        Ok(Head::Final { length, body })
    }

    fn check_body(&self, cut: bool) -> Result<(), Reason> {
        let expected = self.question.expected;
        if expected.wants_body() { expected.check_body(&self.content(), cut) } else { Ok(()) }
    }

    /// The body, as far as it is there.
    fn content(&self) -> Cow<'_, [u8]> {
        match self.body {
            None | Some((_, Body::Empty)) => Cow::Borrowed(&[]),
            Some((start, Body::At(end))) => Cow::Borrowed(&self.bytes[start..end.min(self.bytes.len())]),
            Some((start, Body::Chunked { .. })) => Cow::Owned(join_chunks(&self.bytes[start..])),
            Some((start, Body::WithConnection)) => Cow::Borrowed(&self.bytes[start..]),
        }
    }
}

fn find<'h>(headers: &'h [httparse::Header<'_>], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn body(headers: &[httparse::Header<'_>], start: usize) -> Result<Body, Reason> {
    if let Some(coding) = find(headers, "transfer-encoding") {
        let chunked = coding.to_ascii_lowercase().ends_with(b"chunked");
        return Ok(if chunked { Body::Chunked { next: start } } else { Body::WithConnection });
    }
    let Some(length) = find(headers, "content-length") else { return Ok(Body::WithConnection) };
    let digits = std::str::from_utf8(length.trim_ascii())
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let length: Option<u64> = digits.and_then(|digits| digits.parse().ok());
    let length = length.ok_or_else(|| not_http("its Content-Length is not a number"))?;
    Ok(Body::At(start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX))))
}

/// Moves `next` over the chunks that are all there. True at the last one; trailers do not matter.
fn skip_chunks(bytes: &[u8], next: &mut usize) -> Result<bool, Reason> {
    let broken = || not_http("its body has a broken chunk");
    loop {
        let Some(rest) = bytes.get(*next..) else { return Ok(false) };
        match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete((line, _))) if line > LONGEST_CHUNK_LINE => return Err(broken()),
            Ok(Status::Complete((_, 0))) => return Ok(true),
            Ok(Status::Complete((line, size))) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                *next = next.saturating_add(line).saturating_add(size).saturating_add(b"\r\n".len());
            }
            Ok(Status::Partial) if rest.len() < LONGEST_CHUNK_LINE => return Ok(false),
            Ok(Status::Partial) | Err(_) => return Err(broken()),
        }
    }
}

/// What is in the chunks, the last of which need not be all there.
fn join_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Ok(Status::Complete((line, size))) = httparse::parse_chunk_size(rest) {
        let chunk = &rest[line..];
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend_from_slice(&chunk[..size.min(chunk.len())]);
        match chunk.get(size.saturating_add(b"\r\n".len())..) {
            Some(next) if size > 0 => rest = next,
            _ => break,
        }
    }
    content
}

fn not_http(problem: &str) -> Reason {
    Reason::new(Cause::Protocol, format!("not an HTTP answer: {problem}"))
}

#[cfg(test)]
mod tests;
