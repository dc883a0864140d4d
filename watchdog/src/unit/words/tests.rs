use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;

fn split(mut rest: &str, rules: Rules) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let mut words = Vec::new();
    while let Some(found) = first(&mut rest, rules)? {
        words.push(found.bytes);
    }
    Ok(words)
}

#[test]
fn words_are_split_as_systemd_does() {
    for (value, expected) in [
        ("", &[][..]),
        (" \t ", &[]),
        ("a  b\tc ", &[&b"a"[..], b"b", b"c"]),
        ("'a b' \"c d\"", &[b"a b", b"c d"]),
        ("a'b c'\"d\"e", &[b"ab cde"]),
        ("'' \"\"", &[b"", b""]),
        ("'a\"b' \"c'd\"", &[b"a\"b", b"c'd"]),
        ("'a\\'b' \"c\\\"d\"", &[b"a'b", b"c\"d"]),
        ("\\a\\b\\f\\n\\r\\t\\v\\s\\\\\\\"\\'", &[b"\x07\x08\x0c\n\r\t\x0b \\\"'"]),
        ("\\x41\\101\\u00e4\\U0001f600\\xff", &[b"AA\xc3\xa4\xf0\x9f\x98\x80\xff"]),
        ("a\\sb", &[b"a b"]),
        ("\u{a0}", &["\u{a0}".as_bytes()]),
    ] {
        let found = split(value, UNQUOTED).expect("words");
        assert_eq!(found, expected, "{value}");
    }
}

#[test]
fn what_is_no_escape_is_refused_or_stays_as_it_is() {
    let relaxed = Rules { escapes: Escapes::Relaxed, ..UNQUOTED };
    for (value, expected) in [
        ("\\d", &b"\\d"[..]),
        ("\\ä", "\\ä".as_bytes()),
        ("\\x0", b"\\x0"),
        ("\\x00", b"\\x00"),
        ("\\000", b"\\000"),
        ("\\777", b"\\777"),
        ("\\u0000", b"\\u0000"),
        ("\\xäx", "\\xäx".as_bytes()),
        ("'\\d'", b"\\d"),
        ("a\\", b"a\\"),
    ] {
        assert_eq!(split(value, UNQUOTED), Err(Unbalanced), "{value}");
        assert_eq!(split(value, relaxed), Ok(vec![expected.to_owned()]), "{value}");
    }
    for value in ["'a", "\"a", "a 'b", "'a\\", "\"\\\"", "'a\\'"] {
        assert_eq!(split(value, UNQUOTED), Err(Unbalanced), "{value}");
        assert_eq!(split(value, relaxed), Err(Unbalanced), "{value}");
    }
}

#[test]
fn a_backslash_is_nothing_special_where_it_is_kept() {
    let kept = Rules { quotes: true, escapes: Escapes::Kept };
    assert_eq!(split("a\\tb 'c\\' d\\", kept), Ok(vec![b"a\\tb".to_vec(), b"c\\".to_vec(), b"d\\".to_vec()]));
    let literal = Rules { quotes: false, escapes: Escapes::Literal };
    assert_eq!(split("a\\tb 'c d'", literal), Ok(vec![b"atb".to_vec(), b"'c".to_vec(), b"d'".to_vec()]));
}

#[test]
fn a_word_is_quoted_if_it_must_be_and_means_itself() {
    let literal = Meaning { percent_is_literal: true, dollar_is_literal: true };
    for (word, expected) in [
        ("--http", "--http"),
        ("http://127.0.0.1:8080/healthz?a=b&c", "http://127.0.0.1:8080/healthz?a=b&c"),
        ("X-A: b", "\"X-A: b\""),
        ("", "\"\""),
        ("100%", "100%%"),
        ("$HOME ${X}", "\"$$HOME $${X}\""),
        ("$HOME", "$$HOME"),
        ("it's", "\"it's\""),
        ("say \"hi\"", "\"say \\\"hi\\\"\""),
        ("PING\\r\\n", "\"PING\\\\r\\\\n\""),
        ("a\nb\tc\x07", "\"a\\nb\\tc\\x07\""),
        (";", "\";\""),
        ("ä", "ä"),
    ] {
        assert_eq!(quote(OsStr::new(word), literal), expected);
    }
    let read = Meaning { percent_is_literal: false, dollar_is_literal: false };
    assert_eq!(quote(OsStr::new("$x %i"), read), "\"$x %i\"");
    assert_eq!(quote(&OsString::from_vec(b"a\xffb".to_vec()), read), "\"a\\xffb\"");
}

proptest! {
    /// Read again, a word is what it was, however odd.
    #[test]
    fn what_is_quoted_is_read_as_it_was(bytes in prop::collection::vec(1_u8.., 0..40)) {
        let word = OsString::from_vec(bytes.clone());
        let read = Meaning { percent_is_literal: false, dollar_is_literal: false };
        let value = format!("a {} b", quote(&word, read));
        prop_assert_eq!(split(&value, UNQUOTED), Ok(vec![b"a".to_vec(), bytes, b"b".to_vec()]));
    }

    /// What is written of a word can be put into another line.
    #[test]
    fn a_word_as_written_is_the_same_elsewhere(value in "[ab$%'\"\\\\ ;x0nä]{0,12}") {
        let mut rest = value.as_str();
        while let Ok(Some(found)) = first_or_relaxed(&mut rest) {
            let mut again = found.written;
            let second = first_or_relaxed(&mut again).expect("a word").expect("a word");
            prop_assert_eq!(second, found);
        }
    }
}
