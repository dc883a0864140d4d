//! What the control group says of the unit as a whole.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::kernel::cgroup::{Cgroup, Psi, Resource};

use crate::kernel::gap::{Field, Gaps};

/// What the control group says of the unit as a whole. [`None`] where it does not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Time lost waiting for resources.
    pub pressure: Vec<(Resource, Psi)>,
    /// It is that of the whole machine, since the unit's cannot be read.
    pub pressure_of_machine: bool,
    /// Bytes in use now.
    pub memory: Option<u64>,
    /// At most; [`u64::MAX`]: no limit (`MemoryMax=`).
    pub memory_max: Option<u64>,
    /// The most that were in use.
    pub memory_peak: Option<u64>,
    /// Bytes swapped out.
    pub swap: Option<u64>,
    /// How often memory ran out.
    pub out_of_memory: Option<u64>,
    /// Processes killed for it.
    pub oom_kills: Option<u64>,
    /// Threads now.
    pub tasks: Option<u64>,
    /// At most; [`u64::MAX`]: no limit (`TasksMax=`).
    pub tasks_max: Option<u64>,
    /// Time lost to `CPUQuota=`.
    pub throttled: Option<Throttled>,
    /// Of groups below that were removed and are not gone, like those that hold on to memory.
    pub dying_groups: Option<u64>,
    /// Frozen, so that no process runs.
    pub frozen: bool,
}

/// Time lost to a limit of CPU time.
#[expect(clippy::struct_field_names, reason = "the kernel's word is nr_throttled")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// Periods in which the unit ran.
    pub periods: u64,
    /// Of them, those in which it had to stop.
    pub throttled: u64,
    /// For how long, over all CPUs.
    pub time: Duration,
}

impl Figures {
    /// Reads them. None of these files can block.
    pub(super) fn read(cgroup: &Cgroup, proc: &Path, gaps: &mut Gaps) -> Self {
        let text = |file: &str| cgroup.read(file);
        let number = |file: &str| text(file).ok().and_then(|text| number(&text));
        let mut note = |field, file: &str, error: &io::Error| {
            gaps.note(field, format!("not readable ({})", plain(file, error)));
        };
        if let Err(error) = cgroup.directory() {
            note(Field::ControlGroup, "", &error);
            let (pressure, pressure_of_machine) = (machine_pressure(proc), true);
            return Self { pressure, pressure_of_machine, ..Self::default() };
        }
        let mut figures = Self {
            memory_max: number("memory.max"),
            memory_peak: number("memory.peak"),
            swap: number("memory.swap.current"),
            tasks_max: number("pids.max"),
            throttled: text("cpu.stat").ok().and_then(|text| Throttled::parse(&text)),
            dying_groups: text("cgroup.stat").ok().and_then(|text| keyed(&text, "nr_dying_descendants")),
            frozen: text("cgroup.events").ok().and_then(|text| keyed(&text, "frozen")) == Some(1)
                || text("cgroup.freeze").is_ok_and(|text| text == "1"),
            ..Self::default()
        };
        if let Ok(events) = text("memory.events") {
            figures.out_of_memory = keyed(&events, "oom");
            figures.oom_kills = keyed(&events, "oom_kill");
        }
        for (field, file, into) in [
            (Field::GroupMemory, "memory.current", &mut figures.memory),
            (Field::GroupTasks, "pids.current", &mut figures.tasks),
        ] {
            match text(file) {
                Ok(text) => *into = self::number(&text),
                Err(error) => note(field, file, &error),
            }
        }
        for resource in Resource::ALL {
            match cgroup.pressure(resource) {
                Ok(pressure) => figures.pressure.push((resource, pressure)),
                Err(error) => note(Field::Pressure, resource.file(), &error),
            }
        }
        if figures.pressure.is_empty() {
            figures.pressure = machine_pressure(proc);
            figures.pressure_of_machine = true;
        }
        figures
    }
}

impl Throttled {
    /// From `cpu.stat`, if the unit has a limit of CPU time or had one.
    fn parse(text: &str) -> Option<Self> {
        Some(Self {
            periods: keyed(text, "nr_periods").filter(|&periods| periods > 0)?,
            throttled: keyed(text, "nr_throttled")?,
            time: Duration::from_micros(keyed(text, "throttled_usec")?),
        })
    }
}

fn machine_pressure(proc: &Path) -> Vec<(Resource, Psi)> {
    let read = |(resource, file)| {
        let text = std::fs::read_to_string(proc.join("pressure").join(file)).ok()?;
        Some((resource, Psi::parse(&text)?))
    };
    [(Resource::Cpu, "cpu"), (Resource::Memory, "memory"), (Resource::Io, "io")]
        .into_iter()
        .filter_map(read)
        .collect()
}

/// A file with one number in it, or `max`.
fn number(text: &str) -> Option<u64> {
    if text == "max" { Some(u64::MAX) } else { text.parse().ok() }
}

/// One of the numbers in a file with a name and a number on each line.
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.split_once(' ').filter(|(name, _)| *name == key)?.1.parse().ok())
}

/// Without the path, which the reader of a report can do nothing with.
fn plain(file: &str, error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.rsplit_once(&format!("/{file}: ")) {
        Some(_) if error.kind() == io::ErrorKind::NotFound => {
            return format!("no {file} in its control group");
        }
        Some((_, text)) => text,
        None => &*text,
    };
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_kernel_writes_them() {
        let events = "low 0\nhigh 2\nmax 31\noom 1\noom_kill 0\noom_group_kill 0";
        assert_eq!((keyed(events, "oom"), keyed(events, "oom_kill")), (Some(1), Some(0)));
        assert_eq!(keyed(events, "oom_"), None);
        assert_eq!((number("max"), number("4096"), number("")), (Some(u64::MAX), Some(4096), None));
    }

    #[test]
    fn throttling_is_told_only_where_there_is_a_limit() {
        let stat = "usage_usec 5000000\nuser_usec 1\nsystem_usec 1\nnr_periods 20\nnr_throttled 12\nthrottled_usec 1500000\n";
        let throttled = Throttled { periods: 20, throttled: 12, time: Duration::from_millis(1_500) };
        assert_eq!(Throttled::parse(stat), Some(throttled));
        assert_eq!(Throttled::parse("usage_usec 5\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"), None);
        assert_eq!(Throttled::parse("usage_usec 5\n"), None);
    }

    #[test]
    fn errors_lose_their_path_and_number() {
        for (kind, text, file, expected) in [
            (
                io::ErrorKind::NotFound,
                "/x/memory.current: No such file",
                "memory.current",
                "no memory.current in its control group",
            ),
            (
                io::ErrorKind::Unsupported,
                "/x/cpu.pressure: Operation not supported (os error 95)",
                "cpu.pressure",
                "Operation not supported",
            ),
            (
                io::ErrorKind::NotFound,
                "no control group: /a is not here",
                "",
                "no control group: /a is not here",
            ),
        ] {
            assert_eq!(plain(file, &io::Error::new(kind, text)), expected);
        }
    }
}
