use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn everything_after_the_dashes_belongs_to_the_command() {
    let cli = Cli::try_parse_from([
        "sd-watchdog",
        "--http",
        "http://127.0.0.1:8080/",
        "--interval",
        "250ms",
        "--",
        "server",
        "--timeout",
        "--",
        "-v",
    ])
    .expect("a good command line");
    assert_eq!(cli.wrap.command, ["server", "--timeout", "--", "-v"]);
    assert_eq!(cli.wrap.timing.interval, Some(Duration::from_millis(250)));
    assert_eq!((cli.wrap.timing.timeout, cli.wrap.outside.verbose), (None, false));
}

#[test]
fn help_fits_a_screen() {
    let help = Cli::command().term_width(80).render_help().to_string();
    let lines = help.lines().count();
    assert!(lines <= 50, "{lines} lines:\n{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    assert!(help.contains("sd-watchdog --http http://127.0.0.1:8080/healthz \\\n"));
}

#[test]
fn no_line_of_the_examples_and_tables_is_wrapped() {
    for page in texts::ALL {
        for line in page.long_help().lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", page.subcommand);
        }
    }
}

// They show what the packaged build has.
#[cfg(all(feature = "grpc", feature = "tls"))]
#[test]
fn the_examples_are_command_lines_that_parse() {
    for page in texts::ALL {
        for example in page.examples {
            let line = example.command.join("\n").replace("\\\n", " ");
            // What the shell takes from it, and lines that are not ours.
            let Some(line) = line.lines().find(|line| line.starts_with("sd-watchdog ")) else { continue };
            let line = line.split(" >").next().unwrap_or_default();
            let words = shlex::split(line).expect("quotes that are closed");
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{line}: {error}");
            }
        }
    }
}

#[test]
fn every_subcommand_has_help_of_both_lengths_that_fits_its_width() {
    for name in texts::ALL.iter().map(|texts| texts.subcommand).filter(|name| !name.is_empty()) {
        for flag in ["-h", "--help", "--help-all"] {
            let error = Cli::try_parse_from(["sd-watchdog", name, flag]).expect_err("help");
            assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp);
            let help = error.to_string();
            assert!(help.contains(&format!("Usage: sd-watchdog {name} ")), "{help}");
            assert_eq!(help.contains("Examples:"), flag == "--help-all", "{help}");
        }
    }
}
