//! An HTTP answer as it comes in: whether it is all there, and whether it is healthy. Pure.

use httparse::{EMPTY_HEADER, Response, Status};

use crate::probe::Reason;

/// How much of an answer is read. A head that is longer is none; of a longer body the status decides: the service
/// evidently serves, and probing must not cost it a download.
const LIMIT: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;
/// How much of something that is not HTTP is quoted.
const EXCERPT: usize = 32;

/// What came in so far.
#[derive(Debug, Default)]
pub struct Answer {
    bytes: Vec<u8>,
    body: Option<Body>,
    interim: bool,
}

/// More to come?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Incomplete,
    Complete,
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

impl Answer {
    /// Where to append what was read. Call [`progress`](Self::progress) after.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        // Most answers to a probe are short: one allocation, one read.
        self.bytes.reserve(2048);
        &mut self.bytes
    }

    /// Something came in.
    pub fn has_begun(&self) -> bool {
        self.interim || !self.bytes.is_empty()
    }

    /// Takes in what was appended.
    pub fn progress(&mut self) -> Result<Progress, Reason> {
        if self.body.is_none() {
            match self.read_head()? {
                Some(body) => self.body = Some(body),
                None if self.bytes.len() >= LIMIT => return Err(not_http("its head is longer than 64 KiB")),
                None => return Ok(Progress::Incomplete),
            }
        }
        let ended = self.bytes.len() >= LIMIT
            || match &mut self.body {
                Some(Body::Empty) => true,
                Some(Body::At(end)) => self.bytes.len() >= *end,
                Some(Body::Chunked { next }) => skip_chunks(&self.bytes, next)?,
                Some(Body::WithConnection) | None => false,
            };
        Ok(if ended { Progress::Complete } else { Progress::Incomplete })
    }

    /// The connection was closed: is it all there?
    pub fn closed(&self) -> Result<(), Reason> {
        match self.body {
            Some(Body::WithConnection) => Ok(()),
            _ if self.has_begun() => Err(Reason::new("connection closed in the middle of the answer")),
            _ => Err(Reason::new("connection closed before an answer")),
        }
    }

    /// The status decides as soon as it is there: a 503 need not be read to its end.
    fn read_head(&mut self) -> Result<Option<Body>, Reason> {
        loop {
            let mut headers = [EMPTY_HEADER; MAX_HEADERS];
            let mut response = Response::new(&mut headers);
            let head_length = match response.parse(&self.bytes) {
                Ok(Status::Complete(length)) => length,
                Ok(Status::Partial) => return Ok(None),
                Err(error) => return Err(not_http(&format!("{error}: {}", excerpt(&self.bytes)))),
            };
            match response.code.unwrap_or_default() {
                // 100 Continue, 103 Early Hints: the answer follows.
                100 | 102..=199 => {
                    self.bytes.drain(..head_length);
                    self.interim = true;
                }
                204 | 304 => return Ok(Some(Body::Empty)),
                200..=399 => return body(response.headers, head_length).map(Some),
                status => return Err(Reason::new(format!("status {status}"))),
            }
        }
    }
}

fn body(headers: &[httparse::Header<'_>], start: usize) -> Result<Body, Reason> {
    let find = |name: &str| headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    if let Some(coding) = find("transfer-encoding") {
        let chunked = coding.value.to_ascii_lowercase().ends_with(b"chunked");
        return Ok(if chunked { Body::Chunked { next: start } } else { Body::WithConnection });
    }
    let Some(length) = find("content-length") else { return Ok(Body::WithConnection) };
    let length: Option<u64> =
        std::str::from_utf8(length.value).ok().and_then(|length| length.trim().parse().ok());
    let length = length.ok_or_else(|| not_http("its Content-Length is not a number"))?;
    Ok(Body::At(start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX))))
}

/// Moves `next` over the chunks that are all there. True at the last one; trailers do not matter.
fn skip_chunks(bytes: &[u8], next: &mut usize) -> Result<bool, Reason> {
    loop {
        let Some(rest) = bytes.get(*next..) else { return Ok(false) };
        match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete((_, 0))) => return Ok(true),
            Ok(Status::Complete((line, size))) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                *next = next.saturating_add(line).saturating_add(size).saturating_add(b"\r\n".len());
            }
            Ok(Status::Partial) => return Ok(false),
            Err(_) => return Err(not_http("its body has a broken chunk")),
        }
    }
}

fn not_http(problem: &str) -> Reason {
    Reason::new(format!("not an HTTP answer: {problem}"))
}

fn excerpt(bytes: &[u8]) -> String {
    let quoted = bytes[..bytes.len().min(EXCERPT)].escape_ascii();
    let more = if bytes.len() > EXCERPT { "…" } else { "" };
    format!("\"{quoted}{more}\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `parts` one by one, then closes the connection; says after how many parts it was decided, and what.
    fn outcome(parts: &[&[u8]]) -> (usize, Result<(), String>) {
        let mut answer = Answer::default();
        for (index, part) in parts.iter().enumerate() {
            answer.buffer().extend_from_slice(part);
            match answer.progress() {
                Ok(Progress::Incomplete) => {}
                Ok(Progress::Complete) => return (index + 1, Ok(())),
                Err(reason) => return (index + 1, Err(reason.to_string())),
            }
        }
        (parts.len() + 1, answer.closed().map_err(|reason| reason.to_string()))
    }

    const LONG: &[u8] = &[b'x'; LIMIT];

    #[test]
    fn a_complete_answer_with_status_200_to_399_is_healthy_as_soon_as_it_is_complete() {
        for (decided_after, parts) in [
            (1, &[&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..]][..]),
            (2, &[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no", b"k", b"more"]),
            (1, &[b"HTTP/1.1 204 No Content\r\n\r\n"]),
            (1, &[b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"]),
            (1, &[b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"]),
            (3, &[b"HTTP/1.0 200 OK\r\n\r\n", b"until closed"]),
            (2, &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r", b"\n0\r\n", b"\r\n"]),
            (3, &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", b"zz"]),
            (2, &[b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]),
            (2, &[b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", LONG, b"never read"]),
            (2, &[b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", LONG]),
        ] {
            assert_eq!(outcome(parts), (decided_after, Ok(())), "{}", excerpt(parts[0]));
        }
    }

    #[test]
    fn anything_else_is_unhealthy_with_a_reason() {
        for (expected, parts) in [
            ("status 503", &[&b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 99\r\n\r\n"[..]][..]),
            ("status 404", &[b"HTTP/1.1 404 Not Found\r\n\r\n"]),
            ("status 101", &[b"HTTP/1.1 101 Switching Protocols\r\n\r\n"]),
            ("connection closed before an answer", &[]),
            ("connection closed in the middle of the answer", &[b"HTTP/1.1 20"]),
            ("connection closed in the middle of the answer", &[b"HTTP/1.1 100 Continue\r\n\r\n"]),
            (
                "connection closed in the middle of the answer",
                &[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"],
            ),
            (
                "connection closed in the middle of the answer",
                &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok"],
            ),
            (
                "not an HTTP answer: invalid HTTP version: \"SSH-2.0-OpenSSH_9.2\\r\\n\"",
                &[b"SSH-2.0-OpenSSH_9.2\r\n"],
            ),
            ("not an HTTP answer: invalid HTTP version: \"\\x15\\x03\\x01\"", &[b"\x15\x03\x01"]),
            (
                "not an HTTP answer: its Content-Length is not a number",
                &[b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n"],
            ),
            (
                "not an HTTP answer: its body has a broken chunk",
                &[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
            ),
            ("not an HTTP answer: its head is longer than 64 KiB", &[b"HTTP/1.1 200 OK\r\nX: ", LONG]),
        ] {
            assert_eq!(outcome(parts).1, Err(expected.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_how_they_are_cut_does_not_matter(
            head in prop_oneof![Just(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..]), Just(&b""[..])],
            tail in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..200,
        ) {
            let whole = [head, &tail].concat();
            let (first, second) = whole.split_at(cut.min(whole.len()));
            prop_assert_eq!(outcome(&[&whole]).1.is_ok(), outcome(&[first, second]).1.is_ok());
        }
    }
}
