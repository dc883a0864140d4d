//! The value of `ExecStart=`: taken apart as far as needed, and wrapped. What is COMMAND's stays as it was written, with
//! its quotes, variables and specifiers.

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use super::quote::{Dollars, quote};
use super::{UnitError, path};

/// systemd.service(5), table 2; `|` since version 258.
const PREFIXES: [char; 6] = ['-', '@', ':', '+', '!', '|'];

/// A command line in a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// What stands in front of the program: `-`, `:`, `+`, `!`, `!!`.
    prefix: String,
    /// Program and arguments, as a unit has them.
    command: String,
    dollars: Dollars,
}

/// A command line that cannot be wrapped as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    #[error("with the prefix @ its first argument is not its own name, which sd-watchdog cannot arrange")]
    ArgumentZero,
    #[error("with the prefix | a shell reads it, which quotes in another way than units do")]
    Shell,
    #[error("its prefix stands inside quotes")]
    QuotedPrefix,
    #[error("there are several commands in it")]
    Several,
    #[error("there is no command in it")]
    Empty,
    #[error("a quote in it is not closed")]
    Unclosed,
}

impl Exec {
    /// From plain words.
    pub fn of_words(words: &[OsString]) -> Result<Self, UnitError> {
        let quoted: Result<Vec<_>, _> = words.iter().map(|word| quote(word, Dollars::Expand)).collect();
        Ok(Self { prefix: String::new(), command: quoted?.join(" "), dollars: Dollars::Expand })
    }

    /// From a unit's own text. One that is wrapped already is unwrapped first.
    pub fn of_unit(text: &str) -> Result<Self, ExecError> {
        let words = words(text)?;
        let first = words.first().ok_or(ExecError::Empty)?;
        let program = text[first.clone()].trim_start_matches(PREFIXES);
        let prefix = &text[first.start..first.end - program.len()];
        if prefix.contains('@') {
            return Err(ExecError::ArgumentZero);
        }
        if prefix.contains('|') {
            return Err(ExecError::Shell);
        }
        if program.is_empty() {
            return Err(ExecError::Empty);
        }
        if program.strip_prefix(['"', '\'']).is_some_and(|inside| inside.starts_with(PREFIXES)) {
            return Err(ExecError::QuotedPrefix);
        }
        if words.iter().any(|word| &text[word.clone()] == ";") {
            return Err(ExecError::Several);
        }
        let dollars = if prefix.contains(':') { Dollars::Literal } else { Dollars::Expand };
        let dashes = words.windows(2).find(|pair| &text[pair[0].clone()] == "--").map(|pair| pair[1].start);
        let command = match dashes {
            Some(start) if is_ours(program) => text[start..].to_owned(),
            _ => {
                // The program itself is not looked at for variables; as an argument it will be.
                let program = match dollars {
                    Dollars::Expand => program.replace('$', "$$"),
                    Dollars::Literal => program.to_owned(),
                };
                program + &text[first.end..]
            }
        };
        Ok(Self { prefix: prefix.to_owned(), command: command.trim_end().to_owned(), dollars })
    }

    /// `sd-watchdog OPTIONS -- COMMAND`, an option a line.
    pub fn wrapped(&self, program: &Path, options: &[OsString]) -> Result<String, UnitError> {
        let mut line = self.prefix.clone();
        // A program's own name is not looked at for variables.
        line.push_str(&quote(path(program)?.as_ref(), Dollars::Literal)?);
        for option in options {
            let is_name = option.as_encoded_bytes().starts_with(b"--");
            line.push_str(if is_name { " \\\n    " } else { " " });
            line.push_str(&quote(option, self.dollars)?);
        }
        line.push_str(" \\\n    -- ");
        line.push_str(&self.command);
        Ok(line)
    }
}

/// Whether a unit's program is `sd-watchdog`.
fn is_ours(program: &str) -> bool {
    program.trim_matches(['"', '\'']).rsplit('/').next() == Some("sd-watchdog")
}

/// Where the words are, with their quotes; as systemd's `extract_first_word` finds them.
fn words(text: &str) -> Result<Vec<Range<usize>>, ExecError> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (None, None, false);
    for (place, char) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (char, quote) {
            (' ' | '\t' | '\n' | '\r', None) => {
                if let Some(start) = start.take() {
                    words.push(start..place);
                }
                continue;
            }
            ('\\', _) => escaped = true,
            ('"' | '\'', None) => quote = Some(char),
            (char, Some(open)) if char == open => quote = None,
            _ => {}
        }
        start.get_or_insert(place);
    }
    if quote.is_some() || escaped {
        return Err(ExecError::Unclosed);
    }
    words.extend(start.map(|start| start..text.len()));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str) -> Result<String, ExecError> {
        let options = ["--header", "A: $b"].map(OsString::from);
        let exec = Exec::of_unit(text)?;
        Ok(exec.wrapped(Path::new("/usr/bin/sd-watchdog"), &options).expect("text"))
    }

    #[test]
    fn what_was_written_stays_as_it_was_behind_the_wrapper() {
        for (text, prefix, dollar, command) in [
            ("/usr/bin/server", "", "$$", "/usr/bin/server"),
            ("/usr/bin/server  -a \"b c\" ", "", "$$", "/usr/bin/server  -a \"b c\""),
            ("-/usr/bin/server $OPTIONS ${X} %i", "-", "$$", "/usr/bin/server $OPTIONS ${X} %i"),
            ("-+/usr/bin/server", "-+", "$$", "/usr/bin/server"),
            (":/usr/bin/server $X", ":", "$", "/usr/bin/server $X"),
            ("!!/usr/bin/server", "!!", "$$", "/usr/bin/server"),
            ("/opt/a$b/server 'x ; y' \\; -- z", "", "$$", "/opt/a$$b/server 'x ; y' \\; -- z"),
            (":/opt/a$b/server", ":", "$", "/opt/a$b/server"),
            ("\"/opt/my server/bin\" x", "", "$$", "\"/opt/my server/bin\" x"),
            // Its own work, done again.
            ("/opt/sd-watchdog --http x \\; -- /bin/a -- \"b -- c\"", "", "$$", "/bin/a -- \"b -- c\""),
        ] {
            let expected = format!(
                "{prefix}/usr/bin/sd-watchdog \\\n    --header \"A: {dollar}b\" \\\n    -- {command}"
            );
            assert_eq!(wrapped(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_wrapped_is_refused() {
        for (text, expected) in [
            ("@/usr/bin/server other", ExecError::ArgumentZero),
            ("-@/usr/bin/server other", ExecError::ArgumentZero),
            ("|server", ExecError::Shell),
            ("/bin/a ; /bin/b", ExecError::Several),
            ("", ExecError::Empty),
            ("- /bin/a", ExecError::Empty),
            ("/bin/a 'b", ExecError::Unclosed),
            ("\"-/bin/my a\" b", ExecError::QuotedPrefix),
        ] {
            assert_eq!(wrapped(text), Err(expected), "{text}");
        }
    }
}
