//! What is kept of a machine whose run failed.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::machine::{Machine, MachineError, Stream};
use crate::model::moment::Moment;
use crate::record::{Recorder, Sink, WriteError};

/// How long one piece may take. A journal of many megabytes is written out in less; what reads of a process that is stuck may never end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The moments, for `hangproof replay`.
pub const MOMENTS: &str = "moments.jsonl";

/// File and the command whose output it holds, byte for byte.
const PIECES: [(&str, &[&str]); 4] = [
    ("journal.txt", &["journalctl", "--output=short-monotonic", "--no-hostname", "--all"]),
    ("journal.export", &["journalctl", "--output=export", "--all"]),
    ("units.txt", &["systemctl", "list-units", "--all", "--no-pager", "--full"]),
    ("processes.txt", &["ps", "-eLo", "pid,tid,stat,wchan:32,comm,args"]),
];

/// All files of the unit's cgroup that can be read, and of those in it. The mount is where systemd has it: cgroup2 at its usual place, or
/// beside the old ones.
const CGROUP: &str = "\
group=$(systemctl show --value --property=ControlGroup \"$1\")
[ -n \"$group\" ] || { echo \"$1 has no cgroup now\"; exit; }
for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ -d \"$mount$group\" ] || continue
    find \"$mount$group\" -type f -exec sh -c 'for file; do echo \"== $file\"; cat \"$file\" 2>&1; done' sh {} +
done
";

/// What the kernel says of each thread of the unit: its state, what it waits in, and its stack where root may see that.
const STACKS: &str = "\
group=$(systemctl show --value --property=ControlGroup \"$1\")
[ -n \"$group\" ] || { echo \"$1 has no cgroup now\"; exit; }
for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ -d \"$mount$group\" ] || continue
    find \"$mount$group\" -name cgroup.procs -exec cat {} + | while read -r process; do
        for thread in /proc/\"$process\"/task/*; do
            echo \"== $thread $(cat \"$thread/comm\" 2>&1)\"
            grep -E '^(State|Sig...|VmRSS):' \"$thread/status\" 2>&1
            for file in wchan syscall stack; do echo \"$file: $(cat \"$thread/$file\" 2>&1)\"; done
        done
    done
done
";

/// Writes the machine's journal, unit, units, processes, stacks and cgroups, and the moments that were told, into a new directory in
/// `parent`, and returns it.
///
/// # Errors
/// Only of the directory itself: a machine that cannot be asked leaves a file that says so.
pub fn keep(
    machine: &dyn Machine,
    unit: &str,
    parent: &Path,
    name: &str,
    moments: &[u8],
) -> io::Result<PathBuf> {
    let directory = made(parent, name)?;
    fs::write(directory.join(MOMENTS), moments)?;
    let of_unit: [(&str, &[&str]); 4] = [
        ("unit.txt", &["systemctl", "cat", "--no-pager", unit]),
        ("show.txt", &["systemctl", "show", "--all", unit]),
        ("cgroup.txt", &["sh", "-c", CGROUP, "sh", unit]),
        ("stacks.txt", &["sh", "-c", STACKS, "sh", unit]),
    ];
    for (file, argv) in PIECES.iter().chain(&of_unit) {
        let bytes = output_of(machine, argv).unwrap_or_else(|error| format!("{error}\n").into_bytes());
        fs::write(directory.join(file), bytes)?;
    }
    Ok(directory)
}

/// A directory that is not there yet: several machines may want the same name at once.
fn made(parent: &Path, name: &str) -> io::Result<PathBuf> {
    for number in 0..10_000 {
        let path = parent.join(if number == 0 { name.to_owned() } else { format!("{name}-{number}") });
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| path),
        }
    }
    Err(io::Error::other(format!("there are 10000 of {name}; remove some")))
}

/// All that a command writes to standard output, as it is. What says nothing has said why it could not on standard error.
fn output_of(machine: &dyn Machine, argv: &[&str]) -> Result<Vec<u8>, MachineError> {
    let command = argv.join(" ");
    let read = read_within(machine.start(argv)?, PATIENCE);
    let (mut bytes, has_ended) =
        read.map_err(|error| MachineError::broken(format!("reading from `{command}`"), error))?;
    if !has_ended {
        bytes.extend(format!("\n`{command}` did not end within {PATIENCE:?}, and was killed\n").bytes());
    } else if bytes.is_empty() {
        let output = machine.run(argv, PATIENCE)?;
        return Ok((output.stdout + &output.stderr).into_bytes());
    }
    Ok(bytes)
}

/// Reads what a command writes, and ends the command when the time is over; whether it has ended before.
fn read_within(stream: Stream, patience: Duration) -> io::Result<(Vec<u8>, bool)> {
    let (mut output, guard) = stream.split();
    let (read, is_read) = channel::<()>();
    thread::scope(|scope| {
        let clock = scope.spawn(move || {
            let is_late = is_read.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
            // That is the end of its output, too.
            drop(guard);
            is_late
        });
        let mut bytes = Vec::new();
        let ended = output.read_to_end(&mut bytes);
        drop(read);
        let is_late = clock.join().unwrap_or_default();
        ended.map(|_| (bytes, !is_late))
    })
}

/// Keeps the moments of the case that is being made, beside whoever takes them in.
pub struct Kept<'a> {
    sink: &'a mut dyn Sink,
    recorder: Recorder,
}

impl<'a> Kept<'a> {
    /// They are on the sheet.
    pub fn beside(sink: &'a mut dyn Sink, sheet: &Sheet) -> Self {
        let mut recorder = Recorder::default();
        recorder.add(MOMENTS.into(), sheet.clone());
        Self { sink, recorder }
    }
}

impl Sink for Kept<'_> {
    fn take(&mut self, moment: &Moment) -> Result<(), WriteError> {
        self.recorder.take(moment)?;
        self.sink.take(moment)
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        self.recorder.flush()?;
        self.sink.flush()
    }
}

/// A file in memory.
#[derive(Clone, Default)]
pub struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    /// What was written since the last time.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes())
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_does_not_end_is_kept_as_far_as_it_came() {
        let stream = |says: &[u8], goes_on: bool| {
            let (reader, mut writer) = io::pipe().expect("a pipe");
            io::Write::write_all(&mut writer, says).expect("written");
            let writer = goes_on.then_some(writer);
            Stream::new(reader, move || drop(writer))
        };
        let read = |stream| read_within(stream, Duration::from_millis(20)).expect("read");
        assert_eq!(read(stream(b"all", false)), (b"all".to_vec(), true));
        assert_eq!(read(stream(b"a part", true)), (b"a part".to_vec(), false));
    }
}
