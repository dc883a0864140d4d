//! The catalogue of faults, for people: on the terminal, and as docs/faults.md.

use std::fmt::Write as _;

use anstyle::Style;

use super::table::wrap;
use crate::fault::parameter::{Default, Parameter};
use crate::fault::spec::{Family, Spec};
use crate::model::expect::Deed;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// All of them, family by family.
pub fn overview(catalogue: &[Spec], columns: usize) -> String {
    let indent = catalogue.iter().map(|spec| spec.name.len()).max().unwrap_or_default() + 4;
    let mut text = String::new();
    let mut family = None;
    for spec in catalogue {
        if family.replace(spec.family) != Some(spec.family) {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(
                text,
                "{gap}{BOLD}{}{BOLD:#}: {}",
                spec.family.word(),
                wrap(about(spec.family), 4, columns)
            );
        }
        let gap = indent - 2 - spec.name.len();
        let _ =
            writeln!(text, "  {BOLD}{}{BOLD:#}{:gap$}{}", spec.name, "", wrap(spec.does, indent, columns));
        let _ = writeln!(text, "{:indent$}{DIM}{}{DIM:#}", "", wrap(&facts(spec), indent, columns));
    }
    let _ = writeln!(text, "\nhangproof faults NAME tells more of one.");
    text
}

/// One in full.
pub fn in_full(spec: &Spec, columns: usize) -> String {
    const INDENT: usize = 12;
    let mut text = format!("{BOLD}{}{BOLD:#} {}\n", spec.name, wrap(spec.does, spec.name.len() + 1, columns));
    let needs = needs(spec).unwrap_or_else(|| "nothing".into());
    for (what, said) in [
        ("family", format!("{}: {}", spec.family.word(), about(spec.family))),
        ("service", deed(spec.deed).to_owned()),
        ("recovery", spec.recovery.to_owned()),
        ("ends", ends(spec).to_owned()),
        ("needs", needs),
    ] {
        let _ = writeln!(text, "  {DIM}{what:<10}{DIM:#}{}", wrap(&said, INDENT, columns));
    }
    if !spec.parameters.is_empty() {
        text.push_str("\nIn a scenario, keys of [fault]:\n");
    }
    for parameter in &spec.parameters {
        let said = format!("{}: {}; {}", parameter.does, parameter.kind.wanted(), default(parameter));
        let indent = parameter.name.len() + 4;
        let _ = writeln!(text, "  {BOLD}{}{BOLD:#}  {}", parameter.name, wrap(&said, indent, columns));
    }
    text
}

/// docs/faults.md.
pub fn markdown(catalogue: &[Spec]) -> String {
    let mut text = String::from(HEAD);
    let mut family = None;
    for spec in catalogue {
        if family.replace(spec.family) != Some(spec.family) {
            let _ = writeln!(
                text,
                "## {}\n\n{}.\n",
                capitalized(spec.family.word()),
                capitalized(about(spec.family))
            );
        }
        let _ = writeln!(text, "### `{}`\n\n{}.\n", spec.name, capitalized(spec.does));
        let _ = writeln!(text, "- The service: {}. Recovery: {}.", deed(spec.deed), spec.recovery);
        let _ = writeln!(text, "- Ends: {}.", ends(spec));
        if let Some(needs) = needs(spec) {
            let _ = writeln!(text, "- Needs {needs}; without it the verdict is skip.");
        }
        for parameter in &spec.parameters {
            let Parameter { name, kind, does, .. } = parameter;
            let _ = writeln!(text, "- `{name}`: {does}: {}; {}.", kind.wanted(), default(parameter));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

const HEAD: &str = "\
# Faults

<!-- Written from harness/src/fault by a test of the harness: UPDATE=1 cargo test -p harness --lib faults -->

What can be done to a service: `[fault] inject = \"NAME\"` in a scenario, with the fault's parameters as further keys. The same is
printed by `hangproof faults`. Whatever is done is undone when the trial is over, also when it fails or is interrupted.

";

const fn about(family: Family) -> &'static str {
    match family {
        Family::InProcess => "buggy_server does it to itself, on command",
        Family::Signals => "to the processes of any service",
        Family::Network => "in the machine's own network",
        Family::Resources => "what the service works with runs short",
        Family::Systemd => "what systemd and its journal go through",
        Family::Clock => "what time it is",
        Family::Command => "what you have brought along",
    }
}

const fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::Nothing => "goes on serving",
        Deed::Spares => "is to go on serving, if it can",
        Deed::Ends => "ends",
        Deed::Stops => "is stopped",
        Deed::Hangs => "lives, and does not serve",
        Deed::Silences => "lives, and its guard says nothing",
    }
}

const fn ends(spec: &Spec) -> &'static str {
    if spec.heals {
        "when it is healed, and that is when the trial is over at the latest"
    } else {
        "by itself, or with the process"
    }
}

fn needs(spec: &Spec) -> Option<String> {
    let needs = spec.needs.iter().map(|need| need.what()).collect::<Vec<_>>();
    (!needs.is_empty()).then(|| needs.join(", "))
}

fn facts(spec: &Spec) -> String {
    let parameters = spec.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>();
    let needs = spec.needs.iter().map(|need| need.in_short()).collect::<Vec<_>>();
    let facts = [
        Some(format!("the service {}", deed(spec.deed))),
        Some(if spec.heals { "heals" } else { "is not healed" }.to_owned()),
        (!needs.is_empty()).then(|| format!("needs {}", needs.join(", "))),
        (!parameters.is_empty()).then(|| format!("decide: {}", parameters.join(", "))),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn default(parameter: &Parameter) -> String {
    match &parameter.default {
        Default::Value(value) => format!("by default {value}"),
        Default::Nothing => "may be absent".into(),
        Default::ObservedPort => "by default that of [observe]".into(),
        Default::Needed => "has to be there".into(),
    }
}

fn capitalized(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fault::catalogue;

    #[test]
    fn the_document_of_faults_is_written_from_the_catalogue() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md");
        let text = markdown(catalogue());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &text).expect("written");
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        let remedy = "UPDATE=1 cargo test -p harness --lib faults, and look at the difference";
        assert!(found == text, "docs/faults.md is out of date: {remedy}");
    }

    #[test]
    fn the_catalogue_fits_a_terminal_and_tells_each_fault_in_full() {
        let shown = anstream::adapter::strip_str(&overview(catalogue(), 80)).to_string();
        for spec in catalogue() {
            assert!(shown.contains(&format!("\n  {} ", spec.name)), "{}", spec.name);
            let full = anstream::adapter::strip_str(&in_full(spec, 80)).to_string();
            assert!(spec.parameters.iter().all(|parameter| full.contains(parameter.name)), "{full}");
            assert!(full.lines().all(|line| line.chars().count() <= 80), "{full}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}
