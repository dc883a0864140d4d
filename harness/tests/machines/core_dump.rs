//! What a person finds who asked for a core dump of the next hang.

use std::time::Duration;

use harness::machine::Machine;
use libtest_mimic::Completion;
use object::Endianness;
use object::elf::{FileHeader64, NT_PRPSINFO};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

use crate::lab::{Backend, only_trial, run_on, scenario, set};

/// Where the service may write.
const DIRECTORY: &str = "/var/lib/buggy_server";

fn sh(machine: &dyn Machine, command: &str) -> String {
    let output = machine.run(&["sh", "-c", command], Duration::from_secs(20)).expect("the shell runs");
    assert!(output.status.success(), "{command}: {output:?}");
    output.stdout.trim().to_owned()
}

pub fn the_core_is_the_hung_commands_and_not_sd_watchdogs(backend: Backend) -> Completion {
    let mut machine = backend.boot();
    let pattern = sh(machine.as_ref(), "cat /proc/sys/kernel/core_pattern");
    if pattern.starts_with(['|', '/', '@']) {
        machine.close().expect("closes");
        let reason = format!("kernel.core_pattern is \"{pattern}\": no core is left where the service works");
        return Completion::ignored_with(reason);
    }
    let mut scenario = scenario("deadlock");
    // As the unit says.
    for (directive, value) in
        [("LimitCORE", "infinity"), ("StateDirectory", "buggy_server"), ("WorkingDirectory", DIRECTORY)]
    {
        scenario = set(scenario, directive, value);
    }
    let trial = only_trial(run_on(machine.as_ref(), &scenario, 1));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    let cores = sh(machine.as_ref(), &format!("find {DIRECTORY}/ -type f"));
    assert_eq!(cores.lines().count(), 1, "one core: {cores:?}\n{}", trial.last_lines.join("\n"));
    // Its notes come first, and what they say is all that is asked.
    let hex = sh(machine.as_ref(), &format!("head -c 1M {cores} | od -An -v -tx1"));
    let bytes = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
    assert_eq!(name_in(&bytes.collect::<Vec<_>>()), "buggy_server");
    machine.close().expect("closes");
    Completion::Completed
}

/// The name of the process whose core this is (`struct elf_prpsinfo`, `pr_fname`).
fn name_in(core: &[u8]) -> String {
    let header = FileHeader64::<Endianness>::parse(core).expect("a core is ELF");
    let endian = header.endian().expect("of this machine");
    for segment in header.program_headers(endian, core).expect("segments") {
        let Some(mut notes) = segment.notes(endian, core).expect("notes") else { continue };
        while let Some(note) = notes.next().expect("a note") {
            if note.n_type(endian) == NT_PRPSINFO {
                let name = note.desc()[40..56].split(|byte| *byte == 0).next().unwrap_or_default();
                return String::from_utf8_lossy(name).into_owned();
            }
        }
    }
    panic!("no NT_PRPSINFO in the core");
}
