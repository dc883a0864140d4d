//! What is kept of a machine whose run failed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::machine::Machine;

/// File and the command whose output it holds.
const PIECES: [(&str, &[&str]); 4] = [
    ("journal.txt", &["journalctl", "--output=short-monotonic", "--no-hostname", "--all"]),
    ("journal.export", &["journalctl", "--output=export", "--all"]),
    ("units.txt", &["systemctl", "list-units", "--all", "--no-pager", "--full"]),
    ("processes.txt", &["ps", "-eLo", "pid,tid,stat,wchan:32,comm,args"]),
];

/// Writes the machine's journal, units and processes into a new directory in `parent`, and returns it.
///
/// # Errors
/// Only of the directory itself: a machine that cannot be asked leaves a file that says so.
pub fn keep(machine: &dyn Machine, unit: &str, parent: &Path, name: &str) -> io::Result<PathBuf> {
    let directory = (0..1000)
        .map(|number| parent.join(if number == 0 { name.to_owned() } else { format!("{name}-{number}") }))
        .find(|path| !path.exists())
        .unwrap_or_else(|| parent.join(name));
    fs::create_dir_all(&directory)?;
    let unit_pieces: [(&str, &[&str]); 2] =
        [("unit.txt", &["systemctl", "cat", "--no-pager", unit]), ("show.txt", &["systemctl", "show", unit])];
    for (file, argv) in PIECES.iter().chain(&unit_pieces) {
        let text = match machine.run(argv, Duration::from_secs(10)) {
            Ok(output) => output.stdout + &output.stderr,
            Err(error) => format!("{error}\n"),
        };
        fs::write(directory.join(file), text)?;
    }
    Ok(directory)
}
