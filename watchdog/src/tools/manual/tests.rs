use super::*;

fn pages() -> Vec<(String, String)> {
    texts::ALL.iter().map(|texts| (title(texts), page(texts).expect("a page"))).collect()
}

/// Text as roff has it.
fn escaped(text: &str) -> String {
    one_preamble(&Roff::new().text([roman(text)]).render()).lines().skip(2).collect()
}

#[test]
fn every_option_that_is_offered_stands_on_its_page_with_its_help() {
    let mut program = Cli::command();
    program.build();
    for (texts, (name, page)) in texts::ALL.iter().zip(pages()) {
        let command = match texts.subcommand {
            "" => &program,
            subcommand => program.find_subcommand(subcommand).expect("a subcommand"),
        };
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            if let Some(long) = arg.get_long() {
                assert!(
                    page.contains(&format!("\\fB{}\\fR", escaped(&format!("--{long}")))),
                    "{name}: --{long}"
                );
            }
            let help = arg.get_long_help().or(arg.get_help()).expect("help").to_string();
            assert!(page.contains(&escaped(&help)), "{name}: {help}");
        }
    }
}

#[test]
fn every_page_has_its_sections_in_the_usual_order_and_names_the_others() {
    for (name, page) in pages() {
        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let order = [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "SUBCOMMANDS",
            "EXAMPLES",
            "\"EXIT STATUS\"",
            "ENVIRONMENT",
            "FILES",
            "\"SEE ALSO\"",
        ];
        let expected: Vec<&str> = order.into_iter().filter(|section| sections.contains(section)).collect();
        assert_eq!(sections, expected, "{name}");
        for needed in ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
            assert!(sections.contains(&needed), "{name} has no {needed}");
        }
        let see_also = page.rsplit(".SH").next().unwrap_or_default();
        for other in texts::ALL.iter().map(|other| title(other)) {
            let reference = format!("\\fB{}\\fR(1)", escaped(&other));
            assert_eq!(see_also.contains(&reference), other != name, "{name}: {other}");
        }
    }
}

#[test]
fn nothing_warns_about_the_pages() {
    let directory = tempfile::tempdir().expect("a directory");
    super::pages(&directory.path().join("man1")).expect("written");
    let mut files: Vec<_> = fs::read_dir(directory.path().join("man1"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert_eq!(files.len(), texts::ALL.len());
    for (program, arguments) in
        [("groff", &["-ww", "-man", "-Tutf8", "-z"][..]), ("mandoc", &["-T", "lint", "-W", "warning"])]
    {
        let output = std::process::Command::new(program).args(arguments).args(&files).output();
        match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("{program} is not installed: skipped (ci/setup.sh installs it)");
            }
            output => {
                let output = output.expect("it runs");
                let said = [output.stdout, output.stderr].concat();
                assert_eq!(String::from_utf8_lossy(&said), "", "{program}");
            }
        }
    }
}
