//! Shell completions and manual pages, from the same definitions and texts as the help.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::cli::Cli;
use crate::cli::texts::{self, Entry, Example, Texts};
use crate::tools::print::print;
use crate::words::error::Error;

/// Prints the completions of `shell`.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    print(&script(shell))?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sd-watchdog", &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        // clap_complete 4.6 names a subcommand of a program with a hyphen in its name in two ways, once where it finds
        // it and once where it has its options: only the one separates, as between a program and its subcommand.
        Shell::Bash => script.replace("sd__subcmd__watchdog", "sd__watchdog"),
        _ => script.into_owned(),
    }
}

/// Writes `sd-watchdog.1` and a page per subcommand into `directory`, which is made if it is not there.
pub fn pages(directory: &Path) -> Result<ExitCode, Error> {
    fs::create_dir_all(directory).map_err(|source| Error::file("make the directory", directory, &source))?;
    for texts in texts::ALL {
        let path = directory.join(format!("{}.1", title(texts)));
        page(texts)
            .and_then(|page| fs::write(&path, page))
            .map_err(|source| Error::file("write", &path, &source))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `sd-watchdog-check`, as git has it.
fn title(texts: &Texts) -> String {
    match texts.subcommand {
        "" => "sd-watchdog".to_owned(),
        subcommand => format!("sd-watchdog-{subcommand}"),
    }
}

/// The page, in roff.
fn page(texts: &Texts) -> io::Result<String> {
    let mut program = Cli::command();
    program.build();
    let command = match texts.subcommand {
        "" => Some(&program),
        name => program.find_subcommand(name),
    };
    let command = command.ok_or(io::ErrorKind::NotFound)?.clone().mut_args(with_help);
    let man = Man::new(command.clone());

    let mut page = Vec::new();
    let (title, version) = (title(texts).to_uppercase(), env!("CARGO_PKG_VERSION"));
    writeln!(page, ".TH {title} 1 {} \"sd-watchdog {version}\" \"User Commands\"", texts::DATE)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    options(&command, &mut page)?;
    if command.has_subcommands() {
        entries("SUBCOMMANDS", command.get_subcommands().map(|sub| (sub.get_name(), about(sub))))
            .to_writer(&mut page)?;
    }
    examples(texts.examples).to_writer(&mut page)?;
    for (heading, table) in
        [("EXIT STATUS", texts.exit_status), ("ENVIRONMENT", texts.environment), ("FILES", texts.files)]
    {
        if !table.is_empty() {
            let table = table.iter().map(|(word, meaning): &Entry| (*word, (*meaning).to_owned()));
            entries(heading, table).to_writer(&mut page)?;
        }
    }
    see_also(texts).to_writer(&mut page)?;
    Ok(one_preamble(&String::from_utf8_lossy(&page)))
}

/// clap_mangen leaves out the help of an option that has none but the short one, if that is hidden in the short help.
fn with_help(arg: clap::Arg) -> clap::Arg {
    match (arg.get_long_help(), arg.get_help().cloned()) {
        (None, Some(help)) => arg.long_help(help),
        _ => arg,
    }
}

/// A subsection for each heading; clap_mangen would make them sections of their own.
fn options(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let mut headings: Vec<&str> = Vec::new();
    for heading in command.get_arguments().map(|arg| arg.get_help_heading().unwrap_or("Options")) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    page.write_all(b".SH OPTIONS\n")?;
    for heading in headings {
        let only = command.clone().mut_args(|arg| {
            let is_here = arg.get_help_heading().unwrap_or("Options") == heading;
            if is_here { arg.help_heading(None) } else { arg.hide(true) }
        });
        let mut section = Vec::new();
        Man::new(only).render_options_section(&mut section)?;
        Roff::new().control("SS", [heading]).to_writer(page)?;
        page.write_all(String::from_utf8_lossy(&section).replacen(".SH OPTIONS\n", "", 1).as_bytes())?;
    }
    Ok(())
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn entries<'a>(heading: &str, entries: impl Iterator<Item = (&'a str, String)>) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    for (word, meaning) in entries {
        roff.control("TP", []).text([bold(word)]).text([roman(meaning)]);
    }
    roff
}

fn examples(examples: &[Example]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for (place, Example { what, command }) in examples.iter().enumerate() {
        if place > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(format!("{what}:"))]);
        roff.control("RS", ["4"]).control("nf", []);
        for line in *command {
            roff.text([roman(*line)]);
        }
        roff.control("fi", []).control("RE", []);
    }
    roff
}

fn see_also(texts: &Texts) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let others = texts::ALL.iter().map(|other| title(other)).filter(|other| *other != title(texts));
    let mut line: Vec<Inline> = Vec::new();
    for other in others {
        line.extend([bold(other), roman("(1), ")]);
    }
    line.push(roman(texts::SEE_ALSO));
    roff.text(line);
    roff
}

/// Every piece begins with a definition of the apostrophe; one is enough.
fn one_preamble(page: &str) -> String {
    let is_preamble = |line: &&str| line.starts_with(".ie \\n(.g") || line.starts_with(".el .ds Aq");
    let preamble = page.lines().filter(is_preamble).take(2);
    let rest = page.lines().filter(|line| !is_preamble(line));
    preamble.chain(rest).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests;
