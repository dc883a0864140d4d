//! A chunked body, without its framing as soon as it comes in; RFC 9112, section 7.1. Pure.

use super::head::line_length;
use super::not_http;
use crate::words::outcome::Reason;

/// The size of a chunk, with extensions, which nobody uses. It is looked at from its start whenever more of it comes in.
const LONGEST_LINE: usize = 1024;

/// How far it came.
#[derive(Debug)]
pub struct Chunked {
    /// Where its content ends so far; what is behind was not taken in yet.
    pub end: usize,
    /// How much was taken out.
    pub framing: usize,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Size,
    /// So many bytes of a chunk.
    Content(usize),
    LineEnd,
    /// What is behind the last chunk does not matter.
    Nothing,
}

impl Chunked {
    /// It begins at `start`.
    pub fn new(start: usize) -> Self {
        Self { end: start, framing: 0, next: Next::Size }
    }

    /// Takes in what is behind `end`. True if that was the last chunk. What is in front of an error is taken in.
    pub fn take_in(&mut self, bytes: &mut Vec<u8>) -> Result<bool, Reason> {
        let mut from = self.end;
        let whole = loop {
            let rest = &bytes[from..];
            match self.next {
                Next::Size => {
                    let line = line_length(&rest[..rest.len().min(LONGEST_LINE)]);
                    match (line, size(rest)) {
                        (None, _) if rest.is_empty() => break Ok(false),
                        (None, Some(_)) if rest.len() < LONGEST_LINE => break Ok(false),
                        (Some(line), Some(size)) => {
                            from += line;
                            self.next = if size == 0 { Next::Nothing } else { Next::Content(size) };
                        }
                        _ => break Err(not_http("its body has a broken chunk")),
                    }
                }
                Next::Content(left) => {
                    let part = left.min(rest.len());
                    bytes.copy_within(from..from + part, self.end);
                    from += part;
                    self.end += part;
                    if part < left {
                        self.next = Next::Content(left - part);
                        break Ok(false);
                    }
                    self.next = Next::LineEnd;
                }
                Next::LineEnd => {
                    match rest.first() {
                        None => break Ok(false),
                        Some(b'\r') => {}
                        Some(b'\n') => self.next = Next::Size,
                        Some(_) => break Err(not_http("its body has a broken chunk")),
                    }
                    from += 1;
                }
                Next::Nothing => break Ok(true),
            }
        };
        self.framing += from - self.end;
        bytes.drain(self.end..from);
        whole
    }
}

/// The number in front; one that is too large is the largest there is.
fn size(line: &[u8]) -> Option<usize> {
    let digits = line.iter().map_while(|byte| char::from(*byte).to_digit(16));
    digits.fold(None, |size: Option<usize>, digit| {
        let digit = usize::try_from(digit).unwrap_or_default();
        Some(size.unwrap_or_default().checked_mul(16).map_or(usize::MAX, |size| size + digit))
    })
}
