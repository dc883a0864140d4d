//! Directives whose value is a list of words, to which each assignment adds.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{HashMap, HashSet};

use super::sets::BEGUN;
use super::{Outcome, path};
use crate::unit::specifier::{Subject, expand};
use crate::unit::table::Kind;
use crate::unit::words::{Escapes, Rules, UNQUOTED, first};

/// A word with its specifiers expanded, as far as they can be, and as it might be if all were.
pub(super) struct Each {
    pub text: String,
    pub supposed: String,
}

/// Adds words of `text`, each as `take` makes it; one that it does not make is passed over.
pub(super) fn each(
    text: &str,
    rules: Rules,
    subject: Subject<'_>,
    mut take: impl FnMut(Each) -> Result<(), String>,
) -> Option<(String, bool)> {
    let (mut rest, mut fault) = (text, None);
    loop {
        match first(&mut rest, rules) {
            Ok(None) => return fault,
            Err(_) => return Some(("a quote in it is not closed, or an escape is none".to_owned(), false)),
            Ok(Some(found)) => {
                let word = expand(&found.bytes, subject).map_err(|error| error.to_string());
                let word = word.and_then(|word| {
                    let text =
                        String::from_utf8(word.text()).map_err(|_| "a word in it is not UTF-8".to_owned())?;
                    let supposed = String::from_utf8_lossy(&word.supposed()).into_owned();
                    Ok(Each { text, supposed })
                });
                if let Err(why) = word.and_then(&mut take) {
                    fault = Some((why, false));
                }
            }
        }
    }
}

pub(super) fn environment(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let fault = each(text, UNQUOTED, subject, |Each { text: word, .. }| {
        let name = word.split_once('=').filter(|(name, value)| {
            let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
            let is_control = |char: char| char.is_ascii_control() && !"\t\n".contains(char);
            !name.is_empty()
                && name.chars().all(is_name)
                && !name.starts_with(|char: char| char.is_ascii_digit())
                && !value.contains(is_control)
        });
        if name.is_none() {
            return Err(format!("{word:?} is no assignment"));
        }
        list.push(word);
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

pub(super) fn words(mut list: Vec<String>, text: &str, rules: Rules, subject: Subject<'_>) -> Outcome {
    let fault = each(text, rules, subject, |Each { text: word, .. }| {
        list.push(word);
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}

/// What is left of a list to which all assignments have added: each word once; of variables each name, where it was first, with the
/// value that it had last. Once for all, since a unit may have many thousands of them.
pub fn settle(kind: Kind, list: &mut Vec<String>) {
    match kind {
        Kind::Words | Kind::Dependencies => {
            let mut seen = HashSet::new();
            let is_first: Vec<bool> = list.iter().map(|word| seen.insert(word.as_str())).collect();
            let mut is_first = is_first.into_iter();
            list.retain(|_| is_first.next().unwrap_or(true));
        }
        Kind::Environment => {
            let mut places: HashMap<String, usize> = HashMap::new();
            let mut settled: Vec<String> = Vec::new();
            for word in std::mem::take(list) {
                let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name).to_owned();
                match places.entry(name) {
                    Occupied(place) => settled[*place.get()] = word,
                    Vacant(place) => {
                        place.insert(settled.len());
                        settled.push(word);
                    }
                }
            }
            *list = settled;
        }
        Kind::Families => list.retain(|name| name != BEGUN),
        _ => {}
    }
}

pub(super) fn paths(mut list: Vec<String>, text: &str, subject: Subject<'_>) -> Outcome {
    let rules = Rules { quotes: true, escapes: Escapes::Literal };
    let fault = each(text, rules, subject, |Each { text, supposed }| {
        let bare = |word: &str| {
            let rest = word.strip_prefix('-').unwrap_or(word);
            rest.strip_prefix('+').unwrap_or(rest).to_owned()
        };
        let (written, whole) = (bare(&text), bare(&supposed));
        let path = path(&whole).map_err(|why| format!("{written:?} {why}"))?;
        let prefix = &text[..text.len() - written.len()];
        list.push(if whole == written { format!("{prefix}{path}") } else { text });
        Ok(())
    });
    Outcome { fault, ..Outcome::added(list) }
}
