//! What systemd-analyze says, and `systemctl show` does not: how a time is read, and where units are looked for.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::machine::Machine;
use harness::machine::namespace::NamespaceMachine;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use watchdog::unit::{Scope, Tree, UnitName, value};

use super::{PATIENCE, below};

const SPANS: &[&str] = &[
    "5",
    "5s",
    "1min 30s",
    "1min30s",
    "1m",
    "1M",
    "1.5h",
    ".5",
    "100ms",
    "1us",
    "1 2",
    "+5",
    " 5 ",
    "0",
    "1.0000001",
    "infinity",
    "infinity ",
    "infinity s",
    "",
    "-1",
    "1x",
    "x",
    "1.",
    "1.s",
    "1.2.3",
    "1,5",
    "s",
    "0x10",
    "5 5s 5min",
    "99999999999999999999",
    "584555y",
    "584542y",
    "1y 2 months",
    "2weeks3days",
    "1 hr",
    "1µs",
    "1msec.5",
    "1e3",
];
const NUMBERS: &[&str] = &["1", "0", "12", ".5", "1.25", "007", "+3", "1.", "-2", "4294967296"];
const UNITS: &[&str] = &[
    "", "s", "sec", "seconds", "m", "min", "minutes", "M", "month", "h", "hr", "hours", "d", "days", "w",
    "week", "y", "years", "ms", "msec", "us", "usec", "S", "mins", "x",
];
const GAPS: &[&str] = &["", " ", "  ", "\t"];

/// What differs.
pub fn differences(machine: &NamespaceMachine, tree: &Path, seed: u64) -> String {
    let mut differences = times(machine, seed);
    differences.push_str(&paths(machine, tree));
    differences
}

fn times(machine: &NamespaceMachine, seed: u64) -> String {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    let mut one = |pieces: &[&str]| pieces[random.random_range(0..pieces.len())].to_owned();
    let mut part = || [one(NUMBERS), one(GAPS), one(UNITS), one(GAPS)].concat();
    let made: Vec<String> = (0..60).flat_map(|_| [part(), [part(), part()].concat()]).collect();
    let spans: Vec<String> = SPANS.iter().map(|span| (*span).to_owned()).chain(made).collect();
    let mut script = String::new();
    for span in &spans {
        // Its second line is the time in microseconds. Where there is none, an error.
        let _ =
            writeln!(script, "systemd-analyze timespan -- '{span}' 2>&1 | sed -n '2s/.*: *//p'; echo end");
    }
    let output = machine.run(&["sh", "-c", &script], PATIENCE).expect("the shell runs");
    let mut answers = output.stdout.split("end\n").map(str::trim);
    let mut differences = String::new();
    let mut read = 0;
    for span in &spans {
        let theirs = answers.next().and_then(|micros| micros.parse::<u64>().ok());
        let theirs = theirs.map(|micros| (micros < u64::MAX).then(|| Duration::from_micros(micros)));
        read += usize::from(theirs.is_some());
        let ours = value::time(span);
        if ours != theirs {
            let _ = writeln!(differences, "{span:?} is {ours:?}, systemd-analyze timespan: {theirs:?}");
        }
    }
    assert!((40..spans.len() - 20).contains(&read), "{read} of {} are times: {output:?}", spans.len());
    differences
}

/// Has a unit in each directory of the path, and takes them away from the front.
fn paths(machine: &NamespaceMachine, tree: &Path) -> String {
    let output = machine.run(&["systemd-analyze", "unit-paths"], PATIENCE).expect("it is there");
    assert!(output.status.success(), "{output:?}");
    // What is the tree's is mounted read-only.
    let is_writable = |path: &&str| !path.starts_with("/usr/lib/") && !path.starts_with("/lib/");
    let files: Vec<String> = output
        .stdout
        .lines()
        .filter(is_writable)
        .map(|directory| format!("{directory}/everywhere.service"))
        .collect();
    assert!(files.len() > 7, "{output:?}");
    for file in &files {
        let file = below(tree, file);
        fs::create_dir_all(file.parent().expect("it has one")).expect("a directory");
        fs::write(file, "[Service]\nExecStart=/bin/true\n").expect("a file");
    }
    let name = UnitName::new("everywhere").expect("a name");
    let mut differences = String::new();
    for file in &files {
        let unit = Tree::open(tree, Scope::System).and_then(|tree| tree.unit(&name)).expect("it can be read");
        let found = unit.files.first().map(|file| file.path.clone());
        if found.as_deref() != Some(Path::new(file)) {
            let _ = writeln!(differences, "{found:?} comes first, systemd-analyze unit-paths: {file}");
        }
        fs::remove_file(below(tree, file)).expect("it was there");
    }
    differences
}
