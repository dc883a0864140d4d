//! `--header-file`: headers that are nobody else's to see.

use std::path::Path;

use super::file::{self, FileError};
use super::request::{Form, FormError};

/// A file of which no headers can be taken. Nothing of what it says is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFileError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("not text (UTF-8); write a header per line, as 'Name: value'")]
    NoText,
    #[error("no header in it; write one per line, as 'Name: value'")]
    Empty,
    #[error("line {line}: {problem}")]
    Line { line: usize, problem: FormError },
}

/// The same form with the headers in `path`: one a line, `Name: value`; empty lines and those that begin with # are not.
pub fn with_file(form: Form, path: &Path) -> Result<Form, HeaderFileError> {
    let content = file::read(path)?;
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
        let request = String::from_utf8(form.request("GET", true, "a", "/")).expect("text");
        assert!(request.ends_with("\r\nAuthorization: Bearer s3cret\r\nX-A: b: c\r\n\r\n"), "{request}");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_not_repeated() {
        for (content, expected) in [
            (&b"A: b\n\ns3cret\n"[..], "line 3: no colon; write it as 'Name: value'"),
            (b"my s3cret: b", "line 1: what stands before the colon is not the name of a header"),
            (b"A: s3cret\x01", "line 1: the value has a line break or another control character"),
            (b"Host: a\nHost: s3cret", "line 2: a request has one Host"),
            (b"A: s3cret\xff", "not text (UTF-8)"),
            (b"# s3cret\n\n", "no header in it"),
            (b"", "no header in it"),
        ] {
            let error = read(content).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
