//! Command lines: `ExecStart=` and the like (`config_parse_exec` in systemd's src/core/load-fragment.c). Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::lines::{BLANK, is_safe};
use super::specifier::{BadSpecifier, Expanded, Subject, expand};
use super::words::{Meaning, first_or_relaxed, quote};

/// limits.h, with the NUL byte.
const PATH_MAX: usize = 4096;
/// Of a part of a path.
const NAME_MAX: usize = 255;

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is executed: an absolute path, or a name that systemd looks up when it starts it. Specifiers are expanded, and
    /// there are no variables in it: `$` is a dollar.
    pub program: Word,
    /// `argv[0]`, where the prefix `@` makes it another than `program`.
    pub argument_zero: Option<Word>,
    /// `argv[1]` and on. Specifiers are expanded, variables (`$A`, `${A}`, and `$$` for a dollar) are not.
    pub arguments: Vec<Word>,
    /// Its prefixes.
    pub flags: Flags,
}

/// A word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What systemd has: unquoted, specifiers expanded as far as that can be done here. Not always UTF-8 (`\xff`).
    pub text: OsString,
    /// As it stands in the unit, quotes, escapes and specifiers included, so that it can be put into another line; of a
    /// word that no file has, [`text`](Self::text) quoted. `$` is what it was: in `program` a dollar.
    pub written: String,
    /// `text`, where it has specifiers that only the system knows on which it runs.
    open: Option<Expanded>,
}

/// The prefixes of a command: systemd.service(5), "Special executable prefixes".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// `-`
    pub ignores_failure: bool,
    /// `:`: `$` is a dollar.
    pub has_no_variables: bool,
    /// `+`
    pub is_privileged: bool,
    /// `!`
    pub keeps_user: bool,
    /// `!!`, until version 257
    pub is_ambient: bool,
    /// `|`, from version 258 on
    pub is_by_shell: bool,
}

/// What one assignment adds to the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Commands that count, also of a line the end of which is wrong.
    pub commands: Vec<Command>,
    /// What is wrong with the line.
    pub fault: Option<BadCommand>,
    /// The unit is not loaded for it, or the rest of the drop-in does not count; otherwise the fault is passed over.
    pub is_fatal: bool,
}

/// What is wrong with a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum BadCommand {
    #[error("a quote in it is not closed")]
    Unbalanced,
    #[error(transparent)]
    Specifier(#[from] BadSpecifier),
    #[error("there is no program in it")]
    NoProgram,
    #[error("{0:?} is not a program: it must be an absolute path, or a name without a slash")]
    NotAProgram(OsString),
}

/// Takes a value apart that is not empty.
pub fn parse(value: &str, subject: Subject<'_>) -> Parsed {
    let mut parsed = Parsed { commands: Vec::new(), fault: None, is_fatal: false };
    let mut rest = value;
    loop {
        match first_or_relaxed(&mut rest) {
            Ok(None) => return parsed,
            // Even of the first word this is a reason to pass over the line alone.
            Err(_) => {
                parsed.fault = Some(BadCommand::Unbalanced);
                return parsed;
            }
            Ok(Some(found)) if found.bytes == b";" => {}
            Ok(Some(found)) => {
                let (flags, prefix) = Flags::take(&found.bytes);
                match one(&found.bytes, found.written, prefix, flags, &mut rest, subject) {
                    Ok((command, is_last)) => {
                        parsed.commands.push(command);
                        if is_last {
                            return parsed;
                        }
                    }
                    Err(fault) => {
                        parsed.fault = Some(fault);
                        parsed.is_fatal = !flags.ignores_failure;
                        return parsed;
                    }
                }
            }
        }
    }
}

/// The command that begins with this word; whether none follows.
fn one(
    bytes: &[u8],
    written: &str,
    prefix: usize,
    flags: Flags,
    rest: &mut &str,
    subject: Subject<'_>,
) -> Result<(Command, bool), BadCommand> {
    let has_argument_zero = bytes[..prefix].contains(&b'@');
    let program = program(bytes, written, prefix, subject)?;
    let mut arguments = Vec::new();
    let mut is_last = true;
    while !rest.is_empty() {
        if let Some(after) = alone(rest, ";") {
            *rest = after;
            is_last = false;
            break;
        }
        if let Some(after) = alone(rest, "\\;") {
            *rest = after;
            arguments.push(Word { text: ";".into(), written: "\\;".into(), open: None });
            continue;
        }
        match first_or_relaxed(rest).map_err(|_| BadCommand::Unbalanced)? {
            None => break,
            Some(found) => arguments.push(Word::new(&found.bytes, found.written.to_owned(), subject)?),
        }
    }
    let argument_zero = match has_argument_zero {
        true if arguments.is_empty() => return Err(BadCommand::NoProgram),
        true => Some(arguments.remove(0)),
        false => None,
    };
    Ok((Command { program, argument_zero, arguments, flags }, is_last))
}

/// What comes after `word`, if it is the first of `rest` and unquoted.
fn alone<'v>(rest: &'v str, word: &str) -> Option<&'v str> {
    let after = rest.strip_prefix(word)?;
    (after.is_empty() || after.starts_with(BLANK)).then(|| after.trim_start_matches(BLANK))
}

fn program(bytes: &[u8], written: &str, prefix: usize, subject: Subject<'_>) -> Result<Word, BadCommand> {
    let path = &bytes[prefix..];
    // Prefixes can stand within quotes.
    let written = match written.get(..prefix) {
        Some(start) if start.as_bytes() == &bytes[..prefix] => written[prefix..].to_owned(),
        _ => quote(OsStr::from_bytes(path), AS_READ),
    };
    let mut word = Word::new(path, written, subject)?;
    if word.text.is_empty() {
        return Err(BadCommand::NoProgram);
    }
    if word.open.is_none() {
        if !is_program(word.text.as_bytes()) {
            return Err(BadCommand::NotAProgram(word.text));
        }
        word.text = simplified(&word.text);
    }
    Ok(word)
}

/// Specifiers and variables mean what they say.
const AS_READ: Meaning = Meaning { percent_is_literal: false, dollar_is_literal: false };

fn is_program(path: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(path) else { return false };
    let is_part = |part: &str| part.len() <= NAME_MAX;
    let is_path = text.starts_with('/') && text.split('/').all(is_part) && text.len() < PATH_MAX;
    let is_name = !text.contains('/') && is_part(text) && !matches!(text, "." | "..");
    is_safe(text) && !text.ends_with('/') && (is_path || is_name)
}

/// `path_simplify`: without double slashes and `.`, which lead nowhere.
pub(crate) fn simplified(path: &OsStr) -> OsString {
    let parts = path.as_bytes().split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    let joined = parts.collect::<Vec<_>>().join(&b'/');
    let slash: &[u8] = if path.as_bytes().starts_with(b"/") { b"/" } else { b"" };
    OsString::from_vec([slash, &joined].concat())
}

impl Word {
    fn new(bytes: &[u8], written: String, subject: Subject<'_>) -> Result<Self, BadSpecifier> {
        let expanded = expand(bytes, subject)?;
        let text = OsString::from_vec(expanded.text());
        let open = expanded.known().is_none().then_some(expanded);
        Ok(Self { text, written, open })
    }

    /// A word of which no file says how it is written. `$` is in it what it is in a unit.
    pub fn of_manager(text: &str) -> Self {
        let meaning = Meaning { percent_is_literal: true, dollar_is_literal: false };
        Self { text: text.into(), written: quote(text.as_ref(), meaning), open: None }
    }

    /// Nothing of it depends on the system on which it will run.
    pub fn is_known(&self) -> bool {
        self.open.is_none()
    }

    fn fits(&self, other: &Self) -> bool {
        match &self.open {
            None => self.text == other.text,
            Some(expanded) => expanded.fits(&other.text),
        }
    }
}

impl Command {
    /// As the manager has it: `path`, `argv`, and its flags as `ExecStartEx` names them.
    pub fn of_manager(path: &str, argv: &[String], flags: Flags) -> Self {
        let program = Word::of_manager(path);
        let zero = argv.first().map(String::as_str).unwrap_or_default();
        let is_same = simplified(zero.as_ref()) == program.text;
        let argument_zero = (!is_same).then(|| Word::of_manager(zero));
        let arguments = argv.iter().skip(1).map(|word| Word::of_manager(word)).collect();
        Self { program, argument_zero, arguments, flags }
    }

    /// Whether the manager's `other` is what it makes of this one. An `argv[0]` that says the same in another way (`@/bin/a
    /// /bin/a`) does not matter.
    pub fn fits(&self, other: &Self) -> bool {
        let zero = |command: &Self| command.argument_zero.clone().unwrap_or_else(|| command.program.clone());
        let words = self.arguments.iter().zip(&other.arguments);
        let is_zero = |ours: Word| {
            let theirs = zero(other);
            ours.fits(&theirs) || simplified(&ours.text) == simplified(&theirs.text)
        };
        self.flags.fits(other.flags)
            && self.program.fits(&other.program)
            && is_zero(zero(self))
            && self.arguments.len() == other.arguments.len()
            && words.into_iter().all(|(ours, theirs)| ours.fits(theirs))
    }
}

impl Flags {
    /// The prefixes at the start of a word, and how many bytes they take.
    fn take(word: &[u8]) -> (Self, usize) {
        let mut flags = Self::default();
        let mut has_argument_zero = false;
        for (index, byte) in word.iter().enumerate() {
            let is_about_user = flags.is_privileged || flags.keeps_user || flags.is_ambient;
            match byte {
                b'-' if !flags.ignores_failure => flags.ignores_failure = true,
                b'@' if !has_argument_zero => has_argument_zero = true,
                b':' if !flags.has_no_variables => flags.has_no_variables = true,
                b'|' if !flags.is_by_shell => flags.is_by_shell = true,
                b'+' if !is_about_user => flags.is_privileged = true,
                b'!' if !is_about_user => flags.keeps_user = true,
                b'!' if flags.keeps_user => (flags.keeps_user, flags.is_ambient) = (false, true),
                _ => return (flags, index),
            }
        }
        (flags, word.len())
    }

    /// `exec_command_flags_to_strv` in systemd's src/shared/exec-util.c; others are passed over.
    pub fn of_manager(names: &[String]) -> Self {
        let has = |name: &str| names.iter().any(|other| other == name);
        Self {
            ignores_failure: has("ignore-failure"),
            has_no_variables: has("no-env-expand"),
            is_privileged: has("privileged"),
            keeps_user: has("no-setuid"),
            is_ambient: has("ambient"),
            is_by_shell: has("via-shell"),
        }
    }

    /// From version 258 on `!!` is nothing any more.
    fn fits(self, other: Self) -> bool {
        self == other || Self { is_ambient: false, ..self } == other
    }

    /// As they are written in front of a program; `@` is none of them.
    pub fn prefix(self) -> String {
        let all = [
            (self.ignores_failure, "-"),
            (self.has_no_variables, ":"),
            (self.is_privileged, "+"),
            (self.keeps_user, "!"),
            (self.is_ambient, "!!"),
            (self.is_by_shell, "|"),
        ];
        all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, prefix)| prefix).collect()
    }
}

#[cfg(test)]
mod tests;
