//! How much memory this process may have.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// A value of cgroup v1 that stands for none: the greatest multiple of a page. Nobody has half of it.
const UNLIMITED: u64 = 1 << 62;

/// The least of all limits, in bytes: those of its control groups and its own. None if there is none.
pub fn limit() -> Option<u64> {
    let own = [Resource::Data, Resource::As].into_iter().filter_map(|resource| getrlimit(resource).current);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_groups = files(&groups)
        .filter_map(|file| fs::read_to_string(Path::new("/sys/fs/cgroup").join(file)).ok())
        .filter_map(|text| text.trim().parse().ok());
    own.chain(of_groups).filter(|limit| *limit < UNLIMITED).min()
}

/// The files that may tell, below /sys/fs/cgroup, by what cgroups(7) says of `/proc/self/cgroup`: of each group and those
/// above it, in version 2 and 1.
fn files(groups: &str) -> impl Iterator<Item = String> {
    let of_line = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => ("", "memory.max"),
            some if some.split(',').any(|name| name == "memory") => ("memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        let path = Path::new(root).join(path.trim_start_matches('/'));
        let groups = path.ancestors().map(|group| group.join(file).to_string_lossy().into_owned());
        Some(groups.collect::<Vec<_>>())
    };
    groups.lines().filter_map(of_line).flatten().collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_up_to_the_root_is_asked_in_both_versions() {
        for (groups, expected) in [
            (
                "0::/system.slice/a.service\n",
                &["system.slice/a.service/memory.max", "system.slice/memory.max", "memory.max"][..],
            ),
            ("0::/\n", &["memory.max"]),
            (
                "12:pids:/a\n5:cpu,memory:/b\n1:name=systemd:/c\n",
                &["memory/b/memory.limit_in_bytes", "memory/memory.limit_in_bytes", "memory.limit_in_bytes"],
            ),
            ("", &[]),
            ("nonsense\n7:memory\n", &[]),
        ] {
            assert_eq!(files(groups).collect::<Vec<_>>(), expected, "{groups:?}");
        }
    }
}
