//! For how long a machine had to wait for a CPU, as the kernel counts it (PSI: Linux, Documentation/accounting/psi.rst).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How deep units are looked for: a service in a slice of a slice of a slice.
const DEEPEST: usize = 6;

/// The cgroup of a unit below the top of its machine's, while there is one.
pub fn of_unit(top: &Path, unit: &str) -> Option<PathBuf> {
    let mut level = vec![top.to_owned()];
    for _ in 0..DEEPEST {
        if let Some(found) = level.iter().map(|directory| directory.join(unit)).find(|path| path.is_dir()) {
            return Some(found);
        }
        level = level.iter().flat_map(|directory| below(directory)).collect();
    }
    None
}

/// For how long something in this cgroup was to run and nothing did, an average over the CPUs that it wanted; [`None`] where the kernel
/// does not count that (before 5.13, or `psi=0`).
pub fn stalled(cgroup: &Path) -> Option<Duration> {
    parse(&fs::read_to_string(cgroup.join("cpu.pressure")).ok()?)
}

/// For how long a quota kept from running what is in a machine, be it the machine's, of what it is in, or of a unit or slice in it: that
/// counts as standing still, and would be so on any computer.
pub fn throttled(top: &Path) -> Duration {
    let own = |directory: &Path| {
        let stat = fs::read_to_string(directory.join("cpu.stat")).unwrap_or_default();
        let usec = stat.lines().find_map(|line| line.strip_prefix("throttled_usec ")?.parse().ok());
        Duration::from_micros(usec.unwrap_or_default())
    };
    let around: Duration = top.ancestors().map(own).sum();
    let (mut within, mut level) = (Duration::ZERO, below(top));
    for _ in 0..DEEPEST {
        within += level.iter().map(|directory| own(directory)).sum::<Duration>();
        level = level.iter().flat_map(|directory| below(directory)).collect();
    }
    around + within
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn parse(text: &str) -> Option<Duration> {
    let full = text.lines().find_map(|line| line.strip_prefix("full "))?;
    let total = full.split(' ').find_map(|field| field.strip_prefix("total="))?;
    total.trim().parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_still_altogether_is_what_counts() {
        let text = "some avg10=8.00 avg60=8.31 avg300=5.73 total=32088003\nfull avg10=0.10 avg60=0.00 avg300=0.00 total=1234\n";
        assert_eq!(parse(text), Some(Duration::from_micros(1234)));
        for none in
            ["", "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n", "full total=\n", "full avg10=0.00\n"]
        {
            assert_eq!(parse(none), None, "{none}");
        }
    }

    #[test]
    fn a_unit_is_found_in_its_slice_and_every_quota_around_it_or_in_the_machine_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let top = directory.path().join("machine");
        let unit = top.join("app.slice/app-one.slice/x.service");
        fs::create_dir_all(unit.join("deeper")).expect("made");
        assert_eq!(of_unit(&top, "x.service"), Some(unit.clone()));
        assert_eq!(of_unit(&top, "y.service"), None);
        assert_eq!((throttled(&top), stalled(&unit)), (Duration::ZERO, None));
        for (number, place) in [(1, directory.path()), (20, &top), (300, &unit), (4000, &unit.join("deeper"))]
        {
            fs::write(place.join("cpu.stat"), format!("usage_usec 9\nthrottled_usec {number}\n"))
                .expect("written");
        }
        assert_eq!(throttled(&top), Duration::from_micros(4321));
    }
}
