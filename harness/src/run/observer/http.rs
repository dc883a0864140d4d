//! A question over HTTP/1.1.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::frame::Reader;
use crate::model::ask::Answer;
use crate::scenario::observe::Http;

/// So much is read at once.
const PIECE: usize = 8 * 1024;

/// A request, and what is a good answer to it.
pub struct Request {
    text: String,
    question: Box<Http>,
}

impl Request {
    /// As it is sent.
    pub fn of(question: &Http) -> Self {
        let Http { method, authority, target, headers, .. } = question;
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        let has = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        for (name, value) in [("Host", authority.as_str()), ("Connection", "close")] {
            if !has(name) {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        // Of these a service may expect a body: it is empty.
        if matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
            text += "Content-Length: 0\r\n";
        }
        text += "\r\n";
        Self { text, question: Box::new(question.clone()) }
    }

    /// Asks once. `so_far` is how far the answer has come, should nobody wait for the rest.
    pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        so_far: &mut String,
    ) -> io::Result<Answer> {
        // Who answers without reading has answered all the same.
        let sent = match stream.write_all(self.text.as_bytes()).await {
            Ok(()) => stream.flush().await,
            Err(error) => Err(error),
        };
        let mut reader = Reader::new(&self.question.method, self.question.body.as_bytes());
        let mut piece = vec![0; PIECE];
        loop {
            let length = match stream.read(&mut piece).await {
                Ok(length) => length,
                Err(_) if reader.is_silent() && sent.is_err() => return Err(sent.err().unwrap_or_else(eof)),
                Err(error) if reader.is_silent() => return Err(error),
                Err(error) => {
                    let (why, missing) = (super::reason::of(&error), reader.missing());
                    return Ok(Answer::Bad(format!("{why}, but {missing}")));
                }
            };
            let read = if length == 0 { reader.close().map(Some) } else { reader.read(&piece[..length]) };
            // A status that is not good says it all.
            if let Some(status) = reader.status().filter(|status| !self.question.takes(*status)) {
                return Ok(Answer::Bad(format!("status {status}")));
            }
            match read {
                Ok(Some(whole)) if whole.has_text => return Ok(Answer::Good),
                Ok(Some(whole)) => {
                    let text = self.question.body.escape_debug();
                    return Ok(Answer::Bad(format!("status {}, without \"{text}\"", whole.status)));
                }
                Ok(None) => *so_far = reader.missing(),
                Err(wrong) => return Ok(Answer::Bad(wrong)),
            }
        }
    }
}

fn eof() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
