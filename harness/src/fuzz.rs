//! What the fuzz targets in `harness/fuzz` call. A function here takes bytes of a stranger's, and panics where what we promise
//! about them does not hold.

mod journal_entries;
mod recording;
#[cfg(feature = "run")]
mod scenario;

pub use self::journal_entries::journal_entries;
pub use self::recording::recording;
#[cfg(feature = "run")]
pub use self::scenario::scenario;

/// A terminal obeys nothing in it but our own colours, `ESC [ numbers m`.
fn assert_harmless(text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        let style = rest[at..].strip_prefix("\x1b[").and_then(|style| style.split_once('m'));
        let is_style = |numbers: &str| numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
        let Some((_, after)) = style.filter(|(numbers, _)| is_style(numbers)) else {
            panic!("a terminal would obey {:?} in {text:?}", rest[at..].chars().next());
        };
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Replays `fuzz/corpus/TARGET` through the function of that name.
    fn replay(target: &str, function: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let inputs: Vec<_> = std::fs::read_dir(&corpus)
            .expect("a corpus")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert!(!inputs.is_empty(), "nothing in {}", corpus.display());
        for input in inputs {
            let bytes = std::fs::read(&input).expect("an input");
            // Captured, and so shown only where the function panics.
            println!("{}", input.display());
            function(&bytes);
        }
    }

    #[test]
    fn every_recording_in_the_corpus_is_survived() {
        replay("recording", super::recording);
    }

    #[test]
    fn every_journal_in_the_corpus_is_survived() {
        replay("journal_entries", super::journal_entries);
    }

    #[cfg(feature = "run")]
    #[test]
    fn every_scenario_in_the_corpus_is_survived() {
        replay("scenario", super::scenario);
    }

    #[test]
    fn what_a_terminal_would_obey_is_found_and_colours_are_not() {
        super::assert_harmless("\x1b[1;32mfine\x1b[0m\nstill\x1b[m");
        for wrong in ["\x1b]0;title\x07", "\x1b[2J", "\r", "\u{9b}31m", "\x1b[1", "a\x07"] {
            assert!(std::panic::catch_unwind(|| super::assert_harmless(wrong)).is_err(), "{wrong:?}");
        }
    }
}
