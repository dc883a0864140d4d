//! An HTTP answer as it comes in: whether it is all there, and whether it is healthy. Pure.
//!
//! Not stricter than the service's own clients: the status line decides. Of the headers those are read that are needed, to
//! find the end of the body or where a redirect leads; the others are passed over, whatever they are. The tests have curl to
//! compare with.

use std::mem;

use self::chunked::Chunked;
use self::head::{fields, is_line_end, items, line_length, may_begin, number, status};
use super::expected::{Expected, LIMIT, contains};
use super::redirect::Origin;
use crate::probe::broken::closed_early;
use crate::probe::excerpt::excerpt;
use crate::words::outcome::{Cause, Reason};

mod chunked;
mod head;

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
    /// How much of `bytes` was looked at, while there is no whole head.
    seen: usize,
    /// Where in `bytes` the first line begins that is not all there, likewise.
    line: usize,
    /// How long the interim answers were that are no more in `bytes`.
    interim: usize,
    body: Option<(usize, Body)>,
    /// How much of the body was searched for a text.
    searched: usize,
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
    /// With a chunk of size 0.
    Chunked(Chunked),
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
        Self { question, bytes: Vec::new(), seen: 0, line: 0, interim: 0, body: None, searched: 0 }
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
        let mut length = self.bytes.len();
        let whole = match &mut self.body {
            Some((_, Body::Empty)) => Ok(true),
            Some((_, Body::At(end))) => Ok(self.bytes.len() >= *end),
            Some((_, Body::Chunked(chunked))) => {
                let whole = chunked.take_in(&mut self.bytes);
                length = self.bytes.len() + chunked.framing;
                whole
            }
            Some((_, Body::WithConnection)) | None => Ok(false),
        };
        // Whatever follows, and be it broken.
        if self.has_text() {
            return Ok(Progress::Complete);
        }
        let whole = whole?;
        if !whole && length < self.question.expected.limit() {
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

    /// The status decides as soon as its head is there: a 503 need not be read to its end.
    fn read_head(&mut self) -> Result<Head, Reason> {
        while let Some(length) = self.head_length() {
            match status(&self.bytes).map_err(|problem| self.strange(problem))? {
                // 100 Continue, 103 Early Hints: the answer follows.
                100 | 102..=199 => self.take_away(length),
                status => return self.judge_head(status, length),
            }
        }
        if self.interim > LIMIT {
            return Err(not_http("only interim answers, and no end of them"));
        }
        // What begins otherwise may never get to the end of a line.
        if !may_begin(&self.bytes) {
            return Err(self.strange("invalid HTTP version"));
        }
        if self.line > 0 {
            status(&self.bytes).map_err(|problem| self.strange(problem))?;
        }
        Ok(Head::Partial)
    }

    /// Looks for the next head from the beginning.
    fn take_away(&mut self, length: usize) {
        self.bytes.drain(..length);
        self.interim += length;
        (self.seen, self.line) = (0, 0);
    }

    fn strange(&self, problem: &str) -> Reason {
        not_http(&format!("{problem}: {}", excerpt(&self.bytes)))
    }

    /// The length of the head with the empty line behind it, if it is all there; empty lines in front are taken away.
    /// Of a head that drips, what was looked at is not looked at again.
    fn head_length(&mut self) -> Option<usize> {
        if self.bytes.first().copied().is_some_and(is_line_end) {
            self.take_away(self.bytes.iter().take_while(|byte| is_line_end(**byte)).count());
        }
        while let Some(length) = line_length(&self.bytes[self.seen..]) {
            self.seen += length;
            let line = mem::replace(&mut self.line, self.seen);
            if is_line_end(self.bytes[line]) {
                return Some(self.seen);
            }
        }
        self.seen = self.bytes.len();
        None
    }

    fn judge_head(&self, status: u16, length: usize) -> Result<Head, Reason> {
        let Question { expected, follow, method, path } = self.question;
        let head = &self.bytes[..length];
        if let (301..=303 | 307 | 308, Some(origin)) = (status, follow)
            && let Some((_, location)) = fields(head).find(|(name, _)| name.eq_ignore_ascii_case(b"location"))
            && let Some(path) = origin.resolve(path, location)
        {
            return Ok(Head::Redirect { status, path });
        }
        expected.check_status(status)?;
        let empty = method == "HEAD" || matches!(status, 101 | 204 | 304);
        let body = if empty { Body::Empty } else { body(head)? };
        Ok(Head::Final { length, body })
    }

    /// The text that is all that the body needs is there. What was searched is not searched again.
    fn has_text(&mut self) -> bool {
        let Some(wanted) = self.question.expected.decisive_text() else { return false };
        let content = self.content();
        let (start, searched) = (self.searched.saturating_sub(wanted.len()), content.len());
        let found = contains(&content[start..], wanted);
        self.searched = searched;
        found
    }

    fn check_body(&self, cut: bool) -> Result<(), Reason> {
        let expected = self.question.expected;
        if expected.wants_body() { expected.check_body(self.content(), cut) } else { Ok(()) }
    }

    /// The body, as far as it is there.
    fn content(&self) -> &[u8] {
        match &self.body {
            None | Some((_, Body::Empty)) => &[],
            Some((start, Body::At(end))) => &self.bytes[*start..(*end).min(self.bytes.len())],
            Some((start, Body::Chunked(chunked))) => &self.bytes[*start..chunked.end],
            Some((start, Body::WithConnection)) => &self.bytes[*start..],
        }
    }
}

/// Where the body ends. Of several lengths that are the same, each is right (RFC 9112, section 6.3).
fn body(head: &[u8]) -> Result<Body, Reason> {
    let (mut chunked, mut length, mut is_one) = (false, None, true);
    for (name, value) in fields(head) {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            chunked |= items(value).any(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        } else if name.eq_ignore_ascii_case(b"content-length") {
            for item in items(value) {
                let number = number(item);
                is_one &= *length.get_or_insert(number) == number;
            }
        }
    }
    // A length beside it means nothing.
    if chunked {
        return Ok(Body::Chunked(Chunked::new(head.len())));
    }
    let Some(length) = length else { return Ok(Body::WithConnection) };
    let length = length.ok_or_else(|| not_http("its Content-Length is not a number"))?;
    if !is_one {
        return Err(not_http("its Content-Length is not one number"));
    }
    // No body is as long as the largest number: that is to say, there is no end of it.
    Ok(head.len().checked_add(length).map_or(Body::WithConnection, Body::At))
}

fn not_http(problem: &str) -> Reason {
    Reason::new(Cause::Protocol, format!("not an HTTP answer: {problem}"))
}

#[cfg(test)]
mod tests;
