//! The options to hand on, as they were typed.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use crate::cli::{Cli, NEXT, of_set};

/// What is about the unit that is printed, not about what `sd-watchdog` does in it.
const OURS: [&str; 6] = ["drop_in", "user", "root", "watchdog_sec", "command", "help"];

/// All options of `sd-watchdog unit` that were given, in their order, except for those that are about the unit.
pub fn given(matches: &ArgMatches) -> Vec<OsString> {
    let Some(("unit", matches)) = matches.subcommand() else { return Vec::new() };
    let command = Cli::command();
    let Some(unit) = command.find_subcommand("unit") else { return Vec::new() };
    given_of(unit, matches)
}

/// Those behind each `--next`, with it in front.
pub fn given_behind_next(next: &[ArgMatches]) -> Vec<OsString> {
    let command = of_set();
    next.iter().flat_map(|matches| [vec![NEXT.into()], given_of(&command, matches)]).flatten().collect()
}

fn given_of(command: &Command, matches: &ArgMatches) -> Vec<OsString> {
    let mut given: Vec<(usize, OsString, Option<OsString>)> = Vec::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let typed = matches.try_contains_id(id).unwrap_or(false)
            && matches.value_source(id) == Some(ValueSource::CommandLine);
        let Some(long) = arg.get_long() else { continue };
        if !typed || OURS.contains(&id) {
            continue;
        }
        let name = OsString::from(format!("--{long}"));
        let places = matches.indices_of(id).into_iter().flatten();
        if arg.get_action().takes_values() {
            let values = matches.get_raw(id).into_iter().flatten();
            given.extend(
                places.zip(values).map(|(place, value)| (place, name.clone(), Some(value.to_owned()))),
            );
        } else {
            given.extend(places.map(|place| (place, name.clone(), None)));
        }
    }
    given.sort_by_key(|(place, ..)| *place);
    given.into_iter().flat_map(|(_, name, value)| words(name, value)).collect()
}

/// Whether `--watchdog-sec` was.
pub fn is_watchdog_given(matches: &ArgMatches) -> bool {
    let unit = matches.subcommand_matches("unit");
    unit.is_some_and(|unit| unit.value_source("watchdog_sec") == Some(ValueSource::CommandLine))
}

/// A value that begins with a dash would pass for an option: `--body=-x`.
fn words(name: OsString, value: Option<OsString>) -> Vec<OsString> {
    match value {
        None => vec![name],
        Some(value) if value.as_encoded_bytes().starts_with(b"-") => {
            let mut word = name;
            word.push("=");
            word.push(value);
            vec![word]
        }
        Some(value) => vec![name, value],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_handed_on_in_the_order_they_were_typed_and_only_those() {
        let matches = Cli::command()
            .try_get_matches_from([
                "sd-watchdog",
                "unit",
                "--watchdog-sec=2s",
                "--timeout",
                "100ms",
                "--http=http://a/",
                "-v",
                "--tcp",
                "b:1",
                "--http",
                "http://c/",
                "--body=-x",
                "--drop-in",
                "d",
                "--user",
                "--root",
                "/x",
                "--dry-run",
                "--",
                "--http",
                "e",
            ])
            .expect("a good command line");
        assert_eq!(
            given(&matches),
            [
                "--timeout",
                "100ms",
                "--http",
                "http://a/",
                "--verbose",
                "--tcp",
                "b:1",
                "--http",
                "http://c/",
                "--body=-x",
                "--dry-run",
            ]
        );
    }
}
