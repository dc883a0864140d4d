//! Directives that name places: files of variables, mounts, directories (`config_parse_unit_env_file`,
//! `config_parse_bind_paths`, `config_parse_temporary_filesystems` and `config_parse_exec_directories` in src/core/load-fragment.c
//! of systemd), and the same of the manager's properties.

use super::lists::{Each, each};
use super::{Outcome, path};
use crate::systemd::dbus::Property;
use crate::unit::lines::BLANK;
use crate::unit::specifier::{Subject, expand};
use crate::unit::table::Kind;
use crate::unit::words::{Escapes, Rules, first, unescaped};

/// `MS_REC` of mount(2)
const RECURSIVE: u64 = 16384;
const RULES: Rules = Rules { quotes: true, escapes: Escapes::Literal };

/// A line is a path, with `-` in front or not. One that is none takes nothing back.
pub(super) fn environment_files(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let entry =
        expanded(text.as_bytes(), subject).and_then(|(written, supposed)| simple(&written, &supposed));
    let fault = entry.map(|entry| list.push(entry)).err().map(|why| (why, false));
    Outcome { fault, ..Outcome::added(list) }
}

/// As it is written, and as it might be, with specifiers expanded as far as they can be.
fn expanded(text: &[u8], subject: Subject<'_>) -> Result<(String, String), String> {
    let expanded = expand(text, subject).map_err(|error| error.to_string())?;
    let written = String::from_utf8(expanded.text()).map_err(|_| "it is not UTF-8".to_owned())?;
    Ok((written, String::from_utf8_lossy(&expanded.supposed()).into_owned()))
}

/// `[-]SOURCE[:DESTINATION[:rbind|:norbind]]`, as often as there is one. What is wrong with one of the three is passed over, and what
/// comes after that is the next source.
pub(super) fn binds(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let mut fault = None;
    let mut rest = text;
    loop {
        match bind(&mut rest, subject) {
            Ok(Some(entry)) => list.push(entry),
            Ok(None) => break,
            Err(why) => fault = Some((why, false)),
        }
    }
    Outcome { fault, ..Outcome::added(list) }
}

/// The next of them.
fn bind(rest: &mut &str, subject: Subject<'_>) -> Result<Option<String>, String> {
    let Some((source, has_destination)) = piece(rest)? else { return Ok(None) };
    let (written, supposed) = expanded(source.as_bytes(), subject)?;
    let source = simple(&written, &supposed)?;
    if !has_destination {
        return Ok(Some(format!("{source}:{}", source.trim_start_matches('-'))));
    }
    let Some((destination, has_option)) = piece(rest)? else {
        return Err("there is nothing after the :".to_owned());
    };
    let (written, supposed) = expanded(destination.as_bytes(), subject)?;
    if supposed.starts_with('-') {
        return Err(format!("{written:?} is no absolute path"));
    }
    let destination = simple(&written, &supposed)?;
    let option = if has_option { first(rest, RULES).map_err(|_| unclosed(rest))? } else { None };
    match option.map(|found| found.bytes).unwrap_or_default().as_slice() {
        b"" | b"rbind" => Ok(Some(format!("{source}:{destination}"))),
        b"norbind" => Ok(Some(format!("{source}:{destination}:norbind"))),
        option => Err(format!("{:?} is neither rbind nor norbind", String::from_utf8_lossy(option))),
    }
}

/// What stands before the next colon or blank outside of quotes, and whether that is a colon (`extract_first_word` with
/// `EXTRACT_DONT_COALESCE_SEPARATORS`: between two of them there is an empty word).
fn piece(rest: &mut &str) -> Result<Option<(String, bool)>, String> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (mut word, mut quote) = (String::new(), None);
    let mut chars = rest.char_indices();
    while let Some((at, char)) = chars.next() {
        match (quote, char) {
            (_, '\\') => match chars.next() {
                Some((_, escaped)) => word.push(escaped),
                None => return Err(unclosed(rest)),
            },
            (Some(open), _) if open == char => quote = None,
            (None, '\'' | '"') => quote = Some(char),
            (None, _) if char == ':' || BLANK.contains(&char) => {
                *rest = &rest[at + 1..];
                return Ok(Some((word, char == ':')));
            }
            _ => word.push(char),
        }
    }
    if quote.is_some() {
        return Err(unclosed(rest));
    }
    *rest = "";
    Ok(Some((word, false)))
}

/// Nothing behind that is read.
fn unclosed(rest: &mut &str) -> String {
    *rest = "";
    "a quote in it is not closed, or a backslash is the last of it".to_owned()
}

/// `PATH[:OPTIONS]`
pub(super) fn temporary(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let fault = each(text, RULES, subject, |Each { text, supposed }| {
        let (written, options) = text.split_once(':').unwrap_or((&text, ""));
        let (supposed, _) = supposed.split_once(':').unwrap_or((&supposed, ""));
        if written.starts_with('-') {
            return Err(format!("{written:?} is no absolute path"));
        }
        list.push(with_options(&simple(written, supposed)?, options));
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

/// `NAME[:[LINK][:ro]]`, below the directory for that kind, with a link where that kind `has_links`. Behind an escape that is
/// none nothing is read.
///
/// Links came with systemd 250, `ro` with 257 (NEWS). Behind an empty word 252 reads nothing, 247 and 257 do.
pub(super) fn directories(
    mut list: Vec<String>,
    text: &str,
    subject: Subject<'_>,
    has_links: bool,
) -> Outcome {
    let rules = Rules { quotes: true, escapes: Escapes::Kept };
    let mut is_over = false;
    let fault = each(text, rules, subject, |each| {
        if is_over {
            return Ok(());
        }
        let Some((text, supposed)) = unescaped(&each.text).zip(unescaped(&each.supposed)) else {
            is_over = true;
            return Err(format!("{:?} is no name of a directory", each.text));
        };
        let mut parts = supposed.split(':');
        let mut part = || parts.next().unwrap_or_default();
        let (name, link, option) = (part(), part(), part());
        let path = relative(name)?;
        if path == "private" || path.starts_with("private/") {
            return Err(format!("{name:?} is below private, which is systemd's"));
        }
        if !link.is_empty() {
            relative(link)?;
            if !has_links {
                return Err(format!("{name:?} can have no link here"));
            }
        }
        if !matches!(option, "" | "ro") {
            return Err(format!("{option:?} is not ro"));
        }
        let entry = if text == supposed { text.replacen(name, &path, 1) } else { text };
        if !list.contains(&entry) {
            list.push(entry);
        }
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

/// A path that is none from the root, checked as if it were.
fn relative(text: &str) -> Result<String, String> {
    match path(&format!("/{text}")) {
        Ok(path) if !text.is_empty() && !text.starts_with('/') => Ok(path[1..].to_owned()),
        _ => Err(format!("{text:?} is no relative path")),
    }
}

/// Simplified, where it is known whole.
fn simple(written: &str, supposed: &str) -> Result<String, String> {
    let whole = supposed.strip_prefix('-').unwrap_or(supposed);
    let path = path(whole).map_err(|why| format!("{written:?} {why}"))?;
    let dash = if written.starts_with('-') { "-" } else { "" };
    Ok(if written == supposed { format!("{dash}{path}") } else { written.to_owned() })
}

fn with_options(path: &str, options: &str) -> String {
    if options.is_empty() { path.to_owned() } else { format!("{path}:{options}") }
}

/// The same of a property: `a(sb)`, `a(ssbt)`, `a(ss)`. [`None`]: it is not as this kind has it.
pub(super) fn of_rows(kind: Kind, rows: &[Vec<Property>]) -> Option<Vec<String>> {
    let dash = |dash: &bool| if *dash { "-" } else { "" };
    let one = |row: &Vec<Property>| match (kind, &row[..]) {
        (Kind::EnvironmentFiles, [Property::Text(path), Property::Flag(may_lack)]) => {
            Some(format!("{}{path}", dash(may_lack)))
        }
        (
            Kind::Binds,
            [
                Property::Text(source),
                Property::Text(destination),
                Property::Flag(may_lack),
                Property::Unsigned(flags),
            ],
        ) => {
            let option = if flags & RECURSIVE == 0 { ":norbind" } else { "" };
            Some(format!("{}{source}:{destination}{option}", dash(may_lack)))
        }
        (Kind::Temporary, [Property::Text(path), Property::Text(options)]) => {
            Some(with_options(path, options))
        }
        _ => None,
    };
    rows.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{Scope, UnitName};

    type Reader = fn(Vec<String>, &str, Subject<'_>) -> Outcome;

    #[test]
    fn places_are_read_as_systemd_reads_them() {
        let linked: Reader = |list, text, subject| directories(list, text, subject, true);
        let unlinked: Reader = |list, text, subject| directories(list, text, subject, false);
        let name = UnitName::new("a").expect("a name");
        let subject = Subject { name: &name, scope: Scope::System, fragment: None };
        for (reader, text, expected, is_faulty) in [
            (environment_files as Reader, "-/etc/default//%p", &["-/etc/default/a"][..], false),
            (environment_files, "/a b", &["/a b"], false),
            (environment_files, "etc/a", &[], true),
            (
                binds,
                "/a -/b//c:/d '/e f':/g:norbind /h:/i:rbind",
                &["/a:/a", "-/b/c:/d", "/e f:/g:norbind", "/h:/i"],
                false,
            ),
            (binds, "a /b: /c:/d:x /e:-/f /g", &["/g:/g"], true),
            // What comes after a source that is none is a source.
            (binds, "x=:/a$b  /c", &["/a$b:/a$b", "/c:/c"], true),
            (binds, "%z:/a:/b /c", &["/a:/b", "/c:/c"], true),
            (binds, "/a:x:/b", &["/b:/b"], true),
            (binds, "/a:/b: /c '/d:e':/f", &["/d:e:/f"], true),
            (binds, "/a:/b: norbind", &["/a:/b:norbind"], false),
            (binds, "/a 'b /c", &["/a:/a"], true),
            (temporary, "/var//x:ro,size=1M /y z:/w", &["/var/x:ro,size=1M", "/y"], true),
            (linked, "a b//c a /d private/x private ../e f:g", &["a", "b/c", "f:g"], true),
            (linked, "\\u00e4 $$ \\x41\\\\ 'a b'", &["ä", "$$", "A\\", "a b"], false),
            (linked, "a '' b", &["a", "b"], true),
            (linked, "a \\; b", &["a"], true),
            (linked, "a:b:ro c::ro d: e:f:ro:x", &["a:b:ro", "c::ro", "d:", "e:f:ro:x"], false),
            (linked, "a:/b c:../d e:f:g h::i :j k", &["k"], true),
            (unlinked, "a:b c::ro d:", &["c::ro", "d:"], true),
        ] {
            // What was said before stays, whatever this is.
            let outcome = reader(vec!["/old".to_owned()], text, subject);
            let expected: Vec<&str> = ["/old"].into_iter().chain(expected.iter().copied()).collect();
            let list = match outcome.change {
                Some(crate::unit::read::Change::Add(value)) => value.list().to_vec(),
                _ => Vec::new(),
            };
            assert_eq!(
                (list, outcome.fault.is_some()),
                (expected.iter().map(ToString::to_string).collect(), is_faulty),
                "{text}"
            );
        }
    }
}
