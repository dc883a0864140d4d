//! A file's text as assignments: `config_parse` and `parse_line` in systemd's src/shared/conf-parser.c, `read_line_full` in
//! its src/basic/fileio.c. Pure.

use std::fmt;

/// `LONG_LINE_MAX`, in bytes.
const LONGEST: usize = 1 << 20;
/// systemd's `WHITESPACE`.
pub(crate) const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file assigns, line by line, valid or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// In the order of the file.
    pub assigned: Vec<Assigned>,
    /// What is wrong with it. At one that [`is_fatal`](Fault::is_fatal) systemd stops to read the file.
    pub complaints: Vec<Complaint>,
}

/// An assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// `Service`
    pub section: String,
    /// `ExecStart`
    pub key: String,
    /// Without blanks around it. Continued lines are joined, each backslash at an end is a blank.
    pub value: String,
    /// From 1 on; of a value over several lines, the last.
    pub line: usize,
}

/// Something that systemd does not take, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// From 1 on.
    pub line: usize,
    /// What.
    pub fault: Fault,
}

/// What systemd does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words document the variant")]
pub enum Fault {
    TooLong,
    NotUtf8,
    BadHeader(String),
    UnknownSection(String),
    NoSection,
    NoEqualsSign,
    NoKey,
    /// Of a directive; what is wrong with its value.
    Value {
        key: String,
        why: String,
        is_fatal: bool,
    },
}

impl Fault {
    /// systemd reads no further: what comes after it in this file does not count. A unit is not loaded then, of a drop-in
    /// what came before it counts (`unit_load_dropin` in src/core/load-dropin.c).
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::TooLong | Self::NotUtf8 | Self::BadHeader(_) => true,
            Self::UnknownSection(_) | Self::NoSection | Self::NoEqualsSign | Self::NoKey => false,
            Self::Value { is_fatal, .. } => *is_fatal,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the line is too long (1 MiB at most, with those that continue it)"),
            Self::NotUtf8 => write!(f, "the line is not UTF-8"),
            Self::BadHeader(header) => write!(f, "{header:?} is no section"),
            Self::UnknownSection(name) => write!(f, "there is no section [{name}]"),
            Self::NoSection => write!(f, "the assignment is in no section"),
            Self::NoEqualsSign => write!(f, "there is no = in the line"),
            Self::NoKey => write!(f, "there is nothing before the ="),
            Self::Value { key, why, .. } => write!(f, "{key}=: {why}"),
        }
    }
}

/// Takes a file apart, the sections of which may be these; `X-…` is passed over in silence.
pub fn parse(text: &[u8], sections: &[&str]) -> Lines {
    let mut parser = Parser { sections, lines: Lines::default(), section: Section::None };
    let mut continued: Option<Vec<u8>> = None;
    let mut is_mark_seen = false;
    let mut number = 0;
    let mut rest = text;
    loop {
        let (line, is_too_long) = match next_line(&mut rest) {
            Next::Line(line) => (line, false),
            Next::TooLong => (&[][..], true),
            Next::End => break,
        };
        number += 1;
        if is_too_long {
            parser.complain(number, Fault::TooLong);
            return parser.lines;
        }
        let content = line.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        // In the midst of a value too.
        if matches!(content, Some(b'#' | b';')) {
            continue;
        }
        // The first that there is, on whichever line.
        let line = match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(line) if !is_mark_seen => {
                is_mark_seen = true;
                line
            }
            _ => line,
        };
        // What was continued ends with a blank, so that the count of backslashes begins anew.
        let is_escaped = ends_escaped(line);
        let mut whole = continued.take().unwrap_or_default();
        if !whole.is_empty() && whole.len() + line.len() > LONGEST {
            parser.complain(number, Fault::TooLong);
            return parser.lines;
        }
        whole.extend_from_slice(line);
        if is_escaped {
            whole.pop();
            whole.push(b' ');
            continued = Some(whole);
        } else if parser.line(number, &whole).is_err() {
            return parser.lines;
        }
    }
    if let Some(whole) = continued {
        let _ = parser.line(number + 1, &whole);
    }
    parser.lines
}

enum Next<'t> {
    Line(&'t [u8]),
    TooLong,
    End,
}

/// A line ends with any of `\n`, `\r` and NUL, or with several of them that differ, NUL being the last.
fn next_line<'t>(rest: &mut &'t [u8]) -> Next<'t> {
    let text = *rest;
    if text.is_empty() {
        return Next::End;
    }
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    let length = text.iter().position(is_end).unwrap_or(text.len());
    if length >= LONGEST {
        return Next::TooLong;
    }
    let mut end = length;
    let mut seen: Vec<u8> = Vec::with_capacity(3);
    while let Some(byte) = text.get(end).filter(|byte| is_end(byte)) {
        if seen.contains(byte) || seen.contains(&0) {
            break;
        }
        seen.push(*byte);
        end += 1;
    }
    *rest = &text[end..];
    Next::Line(&text[..length])
}

/// There is an odd number of backslashes at its end.
fn ends_escaped(line: &[u8]) -> bool {
    line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

enum Section {
    None,
    /// One that is passed over.
    Ignored,
    Named(String),
}

struct Parser<'s> {
    sections: &'s [&'s str],
    lines: Lines,
    section: Section,
}

/// The rest of the file does not count.
struct Stop;

impl Parser<'_> {
    fn complain(&mut self, line: usize, fault: Fault) {
        self.lines.complaints.push(Complaint { line, fault });
    }

    fn line(&mut self, number: usize, bytes: &[u8]) -> Result<(), Stop> {
        let Some(line) = text(bytes) else {
            self.complain(number, Fault::NotUtf8);
            return Err(Stop);
        };
        let line = line.trim_matches(BLANK);
        if line.is_empty() {
            return Ok(());
        }
        if let Some(header) = line.strip_prefix('[') {
            let name = header.strip_suffix(']').filter(|name| is_safe(name));
            let Some(name) = name else {
                self.complain(number, Fault::BadHeader(line.to_owned()));
                return Err(Stop);
            };
            if self.sections.contains(&name) {
                self.section = Section::Named(name.to_owned());
            } else {
                if !name.starts_with("X-") {
                    self.complain(number, Fault::UnknownSection(name.to_owned()));
                }
                self.section = Section::Ignored;
            }
            return Ok(());
        }
        let section = match &self.section {
            Section::Named(section) => section,
            Section::Ignored => return Ok(()),
            Section::None => {
                self.complain(number, Fault::NoSection);
                return Ok(());
            }
        };
        match line.split_once('=') {
            None => self.complain(number, Fault::NoEqualsSign),
            Some(("", _)) => self.complain(number, Fault::NoKey),
            Some((key, value)) => self.lines.assigned.push(Assigned {
                section: section.clone(),
                key: key.trim_matches(BLANK).to_owned(),
                value: value.trim_matches(BLANK).to_owned(),
                line: number,
            }),
        }
        Ok(())
    }
}

/// As `utf8_is_valid` has it, which does not take what Unicode calls noncharacters either.
fn text(bytes: &[u8]) -> Option<&str> {
    let is_noncharacter = |char: char| {
        let code = u32::from(char);
        (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
    };
    str::from_utf8(bytes).ok().filter(|text| !text.contains(is_noncharacter))
}

/// `string_is_safe`: no control characters, quotes or backslashes.
pub(crate) fn is_safe(text: &str) -> bool {
    !text.contains(|char: char| char.is_ascii_control() || "\"'\\".contains(char))
}

#[cfg(test)]
mod tests;
