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
    assert_eq!(cli.wrap.timing.set.interval, Some(Duration::from_millis(250)));
    assert_eq!((cli.wrap.timing.set.timeout, cli.wrap.outside.verbose), (None, false));
}

fn line(words: &[&str]) -> Result<Line, String> {
    Line::try_parse_from(words.iter().map(OsString::from)).map_err(|error| error.to_string())
}

#[test]
fn what_stands_behind_next_is_a_set_of_its_own_and_command_stays_whole() {
    let line = line(&[
        "sd-watchdog",
        "--http",
        "http://a/",
        "--interval=1s",
        "--next",
        "--tcp",
        "b:1",
        "--ready-only",
        "--body=--next",
        "--next",
        "--exec",
        "true --next",
        "--timeout",
        "5s",
        "--",
        "server",
        "--next",
        "--",
        "--next",
    ])
    .expect("a good command line");
    assert_eq!(line.cli.wrap.command, ["server", "--next", "--", "--next"]);
    assert_eq!((line.cli.wrap.probes.http.len(), line.next.len(), line.next_matches.len()), (1, 2, 2));
    let [first, second] = &line.next[..] else { panic!("{line:?}") };
    assert_eq!((&first.probes.tcp[..], first.set.ready_only), (&["b:1".to_owned()][..], true));
    assert_eq!(first.probes.body.as_deref(), Some("--next"));
    assert_eq!(
        (&second.probes.exec[..], second.set.timeout),
        (&["true --next".to_owned()][..], Some(Duration::from_secs(5)))
    );
    assert_eq!((second.set.interval, second.set.ready_only), (None, false));
}

#[test]
fn what_is_about_the_whole_is_refused_behind_next_with_where_it_belongs() {
    for (words, expected) in [
        (&["--on-hang", "withhold", "--", "x"][..], "--on-hang belongs before --next: it is about the whole"),
        (&["--start-timeout=1s", "--", "x"], "--start-timeout belongs before --next"),
        (&["--pressure=off", "--", "x"], "--pressure belongs before --next"),
        (&["--jitter=1", "--", "x"], "--jitter belongs before --next"),
        (&["--metrics=127.0.0.1:1", "--", "x"], "--metrics belongs before --next"),
        (&["--child-pings=require", "--", "x"], "--child-pings belongs before --next"),
        (&["--help", "--", "x"], "--help belongs before --next"),
        (&["--no-such", "--", "x"], "unexpected argument '--no-such' found"),
        (&["stray", "--", "x"], "unexpected argument 'stray' found"),
        (&["--http", "--", "x"], "a value is required for '--http <URL>'"),
    ] {
        let error = line(&[&["sd-watchdog", "--tcp=a:1", "--next", "--tcp=b:1"], words].concat())
            .expect_err(expected);
        assert!(error.starts_with(&format!("error: {expected}")), "{error}");
    }
    for (subcommand, option, expected) in [
        ("check", "--quiet", "--quiet belongs before --next"),
        ("check", "--interval=1s", "--interval has no effect here, before --next or after it"),
        ("check", "--ready-only", "--ready-only has no effect here"),
        ("unit", "--drop-in=x", "--drop-in belongs before --next"),
        ("guard", "--watchdog=5s", "--watchdog belongs before --next"),
        ("guard", "--child-ready=auto", "unexpected argument '--child-ready' found"),
    ] {
        let words = ["sd-watchdog", subcommand, "--tcp=a:1", "x", "--next", "--tcp=b:1", option];
        let words: Vec<&str> =
            words.into_iter().filter(|word| *word != "x" || subcommand == "guard").collect();
        let error = line(&words).expect_err(expected);
        assert!(error.starts_with(&format!("error: {expected}")), "{error}");
    }
    assert!(line(&["sd-watchdog", "check", "--tcp=a:1", "--next", "--tcp=b:1", "--timeout=1s"]).is_ok());
}

#[test]
fn a_line_without_next_is_what_it_was() {
    for words in [
        &["sd-watchdog", "--tcp=a:1", "--", "x"][..],
        &["sd-watchdog", "check", "--tcp=a:1"],
        &["sd-watchdog", "--", "--next"],
    ] {
        let line = line(words).expect("a good command line");
        assert!(line.next.is_empty());
        let cli = Cli::try_parse_from(words).expect("a good command line");
        assert_eq!(format!("{:?}", line.cli), format!("{cli:?}"));
    }
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
            if let Err(error) = Line::try_parse_from(words.iter().map(OsString::from)) {
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

#[test]
fn the_help_of_guard_offers_nothing_that_guard_refuses() {
    for (subcommand, offers) in [("unit", true), ("guard", false)] {
        for flag in ["--help", "--help-all"] {
            let error = Cli::try_parse_from(["sd-watchdog", subcommand, flag]).expect_err("help");
            let help = error.to_string();
            for option in ["--on-hang <", "--ready-only"] {
                assert_eq!(help.contains(option), offers, "{option}: {help}");
            }
        }
    }
}
