//! Directives that name places: files of variables, mounts, directories (`config_parse_unit_env_file`,
//! `config_parse_bind_paths`, `config_parse_temporary_filesystems` and `config_parse_exec_directories` in src/core/load-fragment.c
//! of systemd), and the same of the manager's properties.

use super::lists::{Each, each};
use super::{Outcome, path};
use crate::systemd::dbus::Property;
use crate::unit::specifier::{Subject, expand};
use crate::unit::table::Kind;
use crate::unit::words::{Escapes, Rules};

/// `MS_REC` of mount(2)
const RECURSIVE: u64 = 16384;
const RULES: Rules = Rules { quotes: true, escapes: Escapes::Literal };

/// A line is a path, with `-` in front or not.
pub(super) fn environment_files(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let expanded = match expand(text.as_bytes(), subject) {
        Ok(expanded) => expanded,
        Err(error) => return Outcome::wrong(error.to_string()),
    };
    let supposed = String::from_utf8_lossy(&expanded.supposed()).into_owned();
    let Ok(written) = String::from_utf8(expanded.text()) else { return Outcome::wrong("it is not UTF-8") };
    match simple(&written, &supposed) {
        Ok(entry) => list.push(entry),
        Err(why) => return Outcome::wrong(why),
    }
    Outcome::added(list)
}

/// `[-]SOURCE[:DESTINATION[:rbind|:norbind]]`. A colon in quotes counts as one outside.
pub(super) fn binds(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let fault = each(text, RULES, subject, |Each { text, supposed }| {
        let mut parts = text.splitn(3, ':');
        let mut whole = supposed.splitn(3, ':');
        let mut next = || Some((parts.next()?, whole.next().unwrap_or_default()));
        let (source, supposed) = next().unwrap_or_default();
        let source = simple(source, supposed)?;
        let destination = match next() {
            Some((destination, supposed)) if !destination.starts_with('-') => simple(destination, supposed)?,
            Some((destination, _)) => return Err(format!("{destination:?} is no absolute path")),
            None => source.trim_start_matches('-').to_owned(),
        };
        let option = match next() {
            None | Some(("" | "rbind", _)) => "",
            Some(("norbind", _)) => ":norbind",
            Some((option, _)) => return Err(format!("{option:?} is neither rbind nor norbind")),
        };
        list.push(format!("{source}:{destination}{option}"));
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
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

/// `NAME[:LINK]`, below the directory for that kind.
pub(super) fn directories(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let rules = Rules { quotes: true, escapes: Escapes::Kept };
    let fault = each(text, rules, subject, |Each { text, supposed }| {
        let name = supposed.split(':').next().unwrap_or_default();
        // Checked as if it were below the root.
        let path = match path(&format!("/{name}")) {
            Ok(path) if !name.is_empty() && !name.starts_with('/') => path,
            _ => return Err(format!("{name:?} is no relative path")),
        };
        if path == "/private" || path.starts_with("/private/") {
            return Err(format!("{name:?} is below private, which is systemd's"));
        }
        let entry = if text == supposed { text.replacen(name, &path[1..], 1) } else { text };
        if !list.contains(&entry) {
            list.push(entry);
        }
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
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
            (temporary, "/var//x:ro,size=1M /y z:/w", &["/var/x:ro,size=1M", "/y"], true),
            (directories, "a b//c a /d private/x private ../e f:g", &["a", "b/c", "f:g"], true),
        ] {
            let outcome = reader(Vec::new(), text, subject);
            let list = match outcome.change {
                Some(crate::unit::read::Change::Add(value)) => value.list().to_vec(),
                _ => Vec::new(),
            };
            assert_eq!(
                (list, outcome.fault.is_some()),
                (expected.iter().map(|one| (*one).to_owned()).collect(), is_faulty),
                "{text}"
            );
        }
    }
}
