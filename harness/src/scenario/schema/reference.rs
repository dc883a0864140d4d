//! docs/scenario.md.

use std::fmt::Write as _;

use super::{Key, TABLES, Table};

const HEAD: &str = "\
# Scenarios

<!-- Written from harness/src/scenario/schema by a test of the harness: UPDATE=1 cargo test -p harness --lib schema -->

";

/// A scenario, whole.
const WHOLE: &str = r#"description = "The server goes mute; systemd restarts it within WatchdogSec"
tags = ["hang"]

[service]
unit = "builtin:buggy_server.service"
[service.files]
"/usr/local/bin/buggy_server" = "bin:buggy_server"
"/usr/local/bin/sd-watchdog" = "bin:sd-watchdog"
[service.override.Service]
ExecStart = ["", "/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- /usr/local/bin/buggy_server"]

[observe]
http = "http://127.0.0.1:8080/"

[fault]
inject = "mute"

[expect]
outcome = "restarted"
by = "watchdog"
recovery_within = "WatchdogSec"
"#;

const USE: &str = "\
`hangproof run my.toml` runs it, `hangproof list my.toml` shows what it asks. All mistakes of a file are told at once, each with line
and column. An editor that knows JSON Schema for TOML takes [scenario.json](../harness/schema/scenario.json): a first line
`#:schema PATH` names it to Taplo.

A path is relative to the scenario's own file, and may not leave its directory, by `..`, by a link or from `/`, except with
`--allow-host-files`: a scenario is run as root ([what is isolated, and what is not](isolation.md)). What is read there are regular files
and directories of them: no devices, no pipes, 256 KiB of a scenario or a unit, 256 MiB of a file, 4096 files of a directory.

";

/// The reference of the format, in Markdown.
pub fn markdown() -> String {
    let mut text = HEAD.to_owned();
    for table in TABLES {
        of_table(&mut text, table);
    }
    text
}

fn of_table(text: &mut String, Table { name, about, keys, heads: _ }: &Table) {
    if !name.is_empty() {
        let _ = writeln!(text, "## `[{name}]`\n");
    }
    let _ = writeln!(text, "{about}\n");
    if name.is_empty() {
        let _ = writeln!(text, "```toml\n{WHOLE}```\n\n{USE}## The file itself\n");
    }
    for Key { name: key, kind, default, about, example } in *keys {
        let path = if name.is_empty() { (*key).to_owned() } else { format!("{name}.{key}") };
        let default =
            default.map_or("has to be there".to_owned(), |default| format!("without it: {default}"));
        let _ = writeln!(text, "### `{path}`\n\n{about}\n\n{}; {default}.\n", capitalized(&kind.words()));
        let _ = writeln!(text, "```toml\n{example}\n```\n");
    }
}

fn capitalized(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn the_whole_scenario_of_the_reference_is_one() {
        Scenario::of_text(WHOLE).expect("valid");
    }
}
