//! A question in bytes: what is sent, and what a good answer contains.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::model::ask::Answer;

/// How much of an answer is read in search of what is expected.
pub const LONGEST_ANSWER: usize = 64 * 1024;

/// Asks once: reads until what is expected has come.
pub async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    send: &[u8],
    expected: &[u8],
) -> io::Result<Answer> {
    stream.write_all(send).await?;
    let mut answer = Vec::with_capacity(expected.len().max(64));
    let mut looked_at = 0;
    loop {
        let begin = answer.len().min(looked_at);
        if answer[begin..].windows(expected.len()).any(|window| window == expected) {
            return Ok(Answer::Good);
        }
        looked_at = answer.len().saturating_sub(expected.len().saturating_sub(1));
        if answer.len() >= LONGEST_ANSWER || stream.read_buf(&mut answer).await? == 0 {
            let begin = answer[..answer.len().min(40)].escape_ascii();
            return Ok(Answer::Bad(if answer.is_empty() {
                "closed without an answer".into()
            } else {
                format!("answered \"{begin}\"")
            }));
        }
    }
}
