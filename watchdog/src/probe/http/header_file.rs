//! `--header-file`: headers that are nobody else's to see. What stands on a command line is in the process list, and with
//! every entry that a process sends to the journal.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::request::{Form, FormError};

/// More than any server takes.
const MOST: u64 = 64 << 10;

/// A file of which no headers can be taken. Nothing of what it says is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFileError {
    #[error("cannot be read: {problem}")]
    Unreadable { problem: String },
    #[error("not a file; give the path of one with a header per line")]
    NoFile,
    #[error("longer than 64 KiB, which no server takes; give a file with a header per line")]
    Long,
    #[error("not text (UTF-8); write a header per line, as 'Name: value'")]
    NoText,
    #[error("no header in it; write one per line, as 'Name: value'")]
    Empty,
    #[error("line {line}: {problem}")]
    Line { line: usize, problem: FormError },
}

/// The same form with the headers in `path`: one a line, `Name: value`; empty lines and those that begin with # are not.
pub fn with_file(form: Form, path: &Path) -> Result<Form, HeaderFileError> {
    let unreadable = |error: io::Error| HeaderFileError::Unreadable { problem: error.to_string() };
    // What is no file, like a pipe that nobody writes to, may not end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(HeaderFileError::NoFile);
    }
    let mut content = Vec::new();
    File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut content)).map_err(unreadable)?;
    if content.len() as u64 > MOST {
        return Err(HeaderFileError::Long);
    }
    with_text(form, str::from_utf8(&content).map_err(|_| HeaderFileError::NoText)?)
}

fn with_text(mut form: Form, text: &str) -> Result<Form, HeaderFileError> {
    let headers = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut is_empty = true;
    for (index, header) in headers {
        form = form.with_header(header).map_err(|problem| {
            let problem = match problem {
                // It may be a secret that was written where a name belongs.
                FormError::Name { .. } => FormError::HiddenName,
                problem => problem,
            };
            HeaderFileError::Line { line: index + 1, problem }
        })?;
        is_empty = false;
    }
    if is_empty { Err(HeaderFileError::Empty) } else { Ok(form) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<Form, HeaderFileError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        with_file(Form::default(), file.path())
    }

    #[test]
    fn each_line_is_a_header_but_for_comments_and_empty_ones() {
        let form =
            read(b"# for the probe\r\n\r\nAuthorization: Bearer s3cret\r\n\nX-A:b: c").expect("headers");
        let request = form.request("GET", "a", "/");
        assert!(request.ends_with("\r\nAuthorization: Bearer s3cret\r\nX-A: b: c\r\n\r\n"), "{request}");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_not_repeated() {
        let long = vec![b'x'; (64 << 10) + 1];
        for (content, expected) in [
            (&b"A: b\n\ns3cret\n"[..], "line 3: no colon; write it as 'Name: value'"),
            (b"my s3cret: b", "line 1: what stands before the colon is not the name of a header"),
            (b"A: s3cret\x01", "line 1: the value has a line break or another control character"),
            (b"Host: a\nHost: s3cret", "line 2: a request has one Host"),
            (b"A: s3cret\xff", "not text (UTF-8)"),
            (b"# s3cret\n\n", "no header in it"),
            (b"", "no header in it"),
            (&long, "longer than 64 KiB"),
        ] {
            let error = read(content).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn what_is_no_file_or_not_there_is_refused_without_reading() {
        let directory = tempfile::tempdir().expect("a directory");
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("a FIFO");
        for (path, expected) in [
            (directory.path(), "not a file; give the path of one"),
            (fifo.as_path(), "not a file"),
            (&directory.path().join("none"), "cannot be read: No such file"),
        ] {
            let error = with_file(Form::default(), path).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
