//! Text that somebody else wrote, made harmless where it comes in: what a terminal would obey is shown instead.

/// Of one line: control characters, and those that turn the direction of a text, are written as Rust escapes them.
pub fn one_line(text: String) -> String {
    escaped(text, is_obeyed)
}

/// The same of any number of lines.
pub fn lines(text: String) -> String {
    escaped(text, |c| is_obeyed(c) && !matches!(c, '\n' | '\t'))
}

fn is_obeyed(c: char) -> bool {
    // Line and paragraph separators, embeddings, overrides and isolates (Unicode, Standard Annex 9).
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: String, is_bad: impl Fn(char) -> bool) -> String {
    if !text.contains(&is_bad) {
        return text;
    }
    let mut harmless = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_bad(c) { harmless.extend(c.escape_default()) } else { harmless.push(c) }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_and_all_else_stays() {
        for (text, line, several) in [
            ("plain, ünï → 漢\\", "plain, ünï → 漢\\", "plain, ünï → 漢\\"),
            ("\u{1b}]0;pwned\u{7}", "\\u{1b}]0;pwned\\u{7}", "\\u{1b}]0;pwned\\u{7}"),
            ("a\r\n\tb\u{9b}1m", "a\\r\\n\\tb\\u{9b}1m", "a\\r\n\tb\\u{9b}1m"),
            ("\u{202e}x\u{2066}", "\\u{202e}x\\u{2066}", "\\u{202e}x\\u{2066}"),
        ] {
            assert_eq!((one_line(text.into()), lines(text.into())), (line.into(), several.into()));
        }
    }
}
