//! Lines of files that somebody else wrote, of which none may take all memory.

use std::io::{self, BufRead, Read as _};

/// The longest line that is read, in bytes. The longest that is written is the journal's entry of a dump of every thread, some 100 KiB.
pub const LONGEST: u64 = 64 << 20;

/// Reads the next line with its end, of which a last one may have none; false where there is no more.
///
/// # Errors
/// What the system says, or that the line is longer than [`LONGEST`]; no more than so much was read.
pub fn next(text: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    within(text, line, LONGEST)
}

fn within(text: &mut impl BufRead, line: &mut Vec<u8>, longest: u64) -> io::Result<bool> {
    line.clear();
    let length = text.by_ref().take(longest + 1).read_until(b'\n', line)?;
    if u64::try_from(length).is_ok_and(|length| length > longest) {
        let problem = format!("a line has more than {} MiB", longest >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(length > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_the_last_needs_no_end() {
        let mut text = &b"one\n\ntwo"[..];
        let mut line = Vec::new();
        let mut lines = Vec::new();
        while within(&mut text, &mut line, 4).expect("readable") {
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        assert_eq!(lines, ["one\n", "\n", "two"]);
    }

    #[test]
    fn of_a_line_without_an_end_no_more_is_read_than_a_line_may_have() {
        let mut line = Vec::new();
        let mut endless = io::BufReader::new(io::repeat(0));
        let error = within(&mut endless, &mut line, 1 << 20).expect_err("it has no end");
        assert_eq!(error.to_string(), "a line has more than 1 MiB");
        assert_eq!(line.len(), (1 << 20) + 1);
    }
}
