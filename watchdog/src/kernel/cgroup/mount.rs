//! Where a control group's directory is, from what `/proc/self/mountinfo` and `/proc/self/cgroup` say. Pure.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::membership::Membership;

/// Which tree of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// cgroup2.
    V2,
    /// v1's `name=systemd`: processes, but nothing about resources.
    Systemd,
}

/// A mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// The group that is mounted, as this process sees it. Begins with `/..` where that is outside our namespace.
    root: String,
    point: PathBuf,
    hierarchy: Hierarchy,
}

/// Of the process with this membership.
pub(super) fn own(mountinfo: &str, membership: &Membership) -> Result<(PathBuf, Hierarchy), String> {
    let mounts = mounts(mountinfo);
    let v2 = membership.path(Hierarchy::V2);
    let systemd = membership.path(Hierarchy::Systemd);
    // A hybrid host whose systemd does not use the cgroup2 tree leaves everything in its root.
    let mut order = [(Hierarchy::V2, v2), (Hierarchy::Systemd, systemd)];
    if v2 == Some("/") && systemd.is_some_and(|path| path != "/") {
        order.reverse();
    }
    order
        .into_iter()
        .find_map(|(hierarchy, path)| Some((locate(&mounts, hierarchy, path?)?, hierarchy)))
        .ok_or_else(|| missing(&mounts, v2.or(systemd)))
}

/// Of the group that systemd calls `control_group`: every place where it could be, the best first.
pub(super) fn at(mountinfo: &str, control_group: &str) -> Result<Vec<(PathBuf, Hierarchy)>, String> {
    let is_proper = control_group.starts_with('/')
        && control_group.len() > 1
        && !control_group.split('/').any(|part| part == "..");
    if !is_proper {
        return Err(format!("{control_group:?} names no unit's control group"));
    }
    let mounts = mounts(mountinfo);
    let places: Vec<_> = [Hierarchy::V2, Hierarchy::Systemd]
        .into_iter()
        .filter_map(|hierarchy| Some((locate(&mounts, hierarchy, control_group)?, hierarchy)))
        .collect();
    if places.is_empty() { Err(missing(&mounts, Some(control_group))) } else { Ok(places) }
}

fn missing(mounts: &[Mount], path: Option<&str>) -> String {
    match (mounts, path) {
        ([], _) => "neither cgroup2 nor systemd's v1 hierarchy is mounted here".to_owned(),
        (_, None) => "/proc/self/cgroup names neither a cgroup2 nor a systemd group".to_owned(),
        (_, Some(path)) => format!("{path} is not below any mounted hierarchy"),
    }
}

fn locate(mounts: &[Mount], hierarchy: Hierarchy, path: &str) -> Option<PathBuf> {
    mounts.iter().filter(|mount| mount.hierarchy == hierarchy).find_map(|mount| {
        let below = if mount.root == "/" { path } else { path.strip_prefix(&*mount.root)? };
        match below {
            "" | "/" => Some(mount.point.clone()),
            _ => Some(mount.point.join(below.strip_prefix('/')?)),
        }
    })
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG…] - TYPE SOURCE SUPER-OPTIONS`, proc_pid_mountinfo(5).
fn mounts(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let hierarchy = match (kind.next()?, kind.nth(1)?) {
            ("cgroup2", _) => Hierarchy::V2,
            ("cgroup", options) if options.split(',').any(|option| option == "name=systemd") => {
                Hierarchy::Systemd
            }
            _ => return None,
        };
        let mut place = place.split(' ').skip(3);
        let root = String::from_utf8(unescape(place.next()?)).ok()?;
        let point = PathBuf::from(OsString::from_vec(unescape(place.next()?)));
        Some(Mount { root, point, hierarchy })
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// Blanks, tabs, newlines and backslashes are written as `\ooo`.
fn unescape(field: &str) -> Vec<u8> {
    let mut rest = field.as_bytes();
    let mut plain = Vec::with_capacity(rest.len());
    while let [byte, after @ ..] = rest {
        let code = || u8::from_str_radix(std::str::from_utf8(after.get(..3)?).ok()?, 8).ok();
        if let Some(code) = code().filter(|_| *byte == b'\\') {
            plain.push(code);
            rest = &after[3..];
        } else {
            plain.push(*byte);
            rest = after;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURE: &str = "\
25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:6 - sysfs sysfs rw
34 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:8 - tmpfs tmpfs ro,mode=755
32 31 0:29 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
33 31 0:30 / /sys/fs/cgroup/systemd rw,nosuid shared:10 - cgroup cgroup rw,xattr,name=systemd
34 31 0:31 / /sys/fs/cgroup/memory rw,nosuid shared:11 - cgroup cgroup rw,memory";

    const LEGACY: &str = "\
33 31 0:30 / /sys/fs/cgroup/systemd rw,nosuid shared:10 - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:11 - cgroup cgroup rw,cpu,cpuacct";

    #[test]
    fn our_group_is_found_on_every_layout() {
        let v2 = Hierarchy::V2;
        for (case, mountinfo, membership, expected) in [
            ("pure", PURE, "0::/system.slice/a.service\n", Ok(("/sys/fs/cgroup/system.slice/a.service", v2))),
            ("cgroup namespace", PURE, "0::/\n", Ok(("/sys/fs/cgroup", v2))),
            (
                "hybrid",
                HYBRID,
                "5:memory:/\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n",
                Ok(("/sys/fs/cgroup/unified/system.slice/a.service", v2)),
            ),
            (
                "hybrid, cgroup2 not used",
                HYBRID,
                "1:name=systemd:/system.slice/a.service\n0::/\n",
                Ok(("/sys/fs/cgroup/systemd/system.slice/a.service", Hierarchy::Systemd)),
            ),
            (
                "legacy",
                LEGACY,
                "2:cpu,cpuacct:/system.slice\n1:name=systemd:/system.slice/a.service\n",
                Ok(("/sys/fs/cgroup/systemd/system.slice/a.service", Hierarchy::Systemd)),
            ),
            (
                "part of the tree mounted",
                "1 2 0:3 /docker/1a /sys/fs/cgroup ro - cgroup2 cgroup rw",
                "0::/docker/1a/b\n",
                Ok(("/sys/fs/cgroup/b", v2)),
            ),
            (
                "blank in the path",
                "1 2 0:3 / /mnt/c\\040g rw - cgroup2 cgroup rw",
                "0::/a b:c",
                Ok(("/mnt/c g/a b:c", v2)),
            ),
            ("nothing mounted", "1 2 0:3 / / rw - ext4 /dev/vda rw", "0::/a", Err("neither cgroup2 nor")),
            (
                "another part mounted",
                "1 2 0:3 /docker/1a /sys/fs/cgroup ro - cgroup2 cgroup rw",
                "0::/docker/1ab\n",
                Err("/docker/1ab is not below any mounted hierarchy"),
            ),
            (
                "mounted from outside the namespace",
                "1 2 0:3 /../.. /sys/fs/cgroup ro - cgroup2 cgroup rw",
                "0::/",
                Err("is not below"),
            ),
            ("no membership", PURE, "", Err("names neither")),
        ] {
            match (own(mountinfo, &Membership::from(membership.to_owned())), expected) {
                (Ok((directory, hierarchy)), Ok((path, kind))) => {
                    assert_eq!((directory, hierarchy), (PathBuf::from(path), kind), "{case}");
                }
                (Err(error), Err(part)) => assert!(error.contains(part), "{case}: {error}"),
                (found, _) => panic!("{case}: {found:?}"),
            }
        }
    }

    #[test]
    fn a_units_group_is_looked_for_in_cgroup2_first_and_a_name_that_climbs_is_refused() {
        let places = at(HYBRID, "/system.slice/a.service").expect("two places");
        assert_eq!(
            places,
            [
                (PathBuf::from("/sys/fs/cgroup/unified/system.slice/a.service"), Hierarchy::V2),
                (PathBuf::from("/sys/fs/cgroup/systemd/system.slice/a.service"), Hierarchy::Systemd),
            ]
        );
        for name in ["", "/", "a.service", "/system.slice/../.."] {
            assert!(at(PURE, name).expect_err(name).contains("names no unit's control group"));
        }
    }
}
