//! `--data`: the body of the request, as curl takes it.

use std::path::Path;

use super::file::{self, FileError};
use super::request::Form;

/// The same form with `texts` as its body, `&` in between. A text stands for itself or, behind @, for what is in a file, which
/// goes without line breaks and zero bytes.
pub fn with_data(form: Form, texts: &[String]) -> Result<Form, (String, FileError)> {
    if texts.is_empty() {
        return Ok(form);
    }
    let mut parts = Vec::with_capacity(texts.len());
    for text in texts {
        parts.push(match text.strip_prefix('@') {
            Some(path) => {
                let mut content = file::read(Path::new(path)).map_err(|error| (text.clone(), error))?;
                content.retain(|byte| !b"\r\n\0".contains(byte));
                content
            }
            None => text.as_bytes().to_vec(),
        });
    }
    Ok(form.with_body(parts.join(&b'&')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(texts: &[&str]) -> String {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let form = with_data(Form::default(), &texts).expect("a body");
        let request = String::from_utf8(form.request("POST", true, "a", "/")).expect("text");
        request.split_once("\r\n\r\n").expect("a head").1.to_owned()
    }

    #[test]
    fn texts_are_joined_and_a_file_goes_without_its_line_breaks() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"{\r\n  \"a\": \0\"@b\"\n}\n").expect("written");
        let at = format!("@{}", file.path().display());
        for (texts, expected) in [
            (&["{\"a\": 1}\n"][..], "{\"a\": 1}\n"),
            (&["a=1", "b=2"], "a=1&b=2"),
            (&[&at], "{  \"a\": \"@b\"}"),
            (&["a=1", &at], "a=1&{  \"a\": \"@b\"}"),
            (&[""], ""),
        ] {
            assert_eq!(body(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let (text, error) = with_data(Form::default(), &["@/no/such".to_owned()]).expect_err("no file");
        assert_eq!(text, "@/no/such");
        assert!(error.to_string().starts_with("cannot be read: No such file"), "{error}");
    }
}
