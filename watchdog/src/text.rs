//! Text of others (names, reasons, answers) as a part of one line of ours: nothing in it breaks the line, steers a terminal,
//! or turns the direction in which the rest of the line is read.

/// A character as it may stand in a line: white space that is not a blank becomes one, and what is not to be seen, but does
/// something, becomes U+FFFD.
pub(crate) fn printable(character: char) -> char {
    match character {
        '\t' | '\n' | '\x0b' | '\x0c' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        // They turn the direction of what follows: UAX #9, 2.1 to 2.5.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        character if character.is_control() => '\u{fffd}',
        character => character,
    }
}

/// The whole text, on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// At most `most` characters of the text, on one line; where there were more, "…" follows.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let mut characters = text.chars();
    let mut line: String = characters.by_ref().take(most).map(printable).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_peoples_words_stay_on_one_line_and_steer_nothing() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a\nb\r\nc\td", "a b  c d"),
            ("a\u{2028}b\u{85}c", "a b c"),
            ("\x1b[2J\x07\x00\u{9b}31m\x7f", "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}31m\u{fffd}"),
            ("user\u{202e}toor", "user\u{fffd}toor"),
            ("äöü 漢 😀 e\u{301} \u{200f}", "äöü 漢 😀 e\u{301} \u{200f}"),
        ] {
            assert_eq!(one_line(text), expected);
            assert_eq!(shortened(text, text.len()), expected);
        }
    }

    #[test]
    fn a_text_that_is_cut_says_so() {
        for (text, most, expected) in
            [("äöü", 3, "äöü"), ("äöüß", 3, "äöü…"), ("a\nbc", 2, "a …"), ("", 0, ""), ("a", 0, "…")]
        {
            assert_eq!(shortened(text, most), expected);
        }
    }
}
