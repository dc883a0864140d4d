//! The unit that this process belongs to.

/// The name of our own unit, like `my-server.service`; [`None`] where we run in none.
pub fn own() -> Option<String> {
    of(&std::fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The innermost service in the path of systemd's hierarchy: cgroup2's, or `name=systemd` where that is on cgroup 1.
fn of(cgroups: &str) -> Option<String> {
    let mut paths = cgroups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        matches!(controllers, "" | "name=systemd").then_some(path)
    });
    let service =
        |path: &str| path.rsplit('/').find(|part| part.ends_with(".service")).map(ToOwned::to_owned);
    paths.find_map(service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_innermost_service_in_systemds_hierarchy() {
        for (cgroups, expected) in [
            ("0::/system.slice/a.service\n", Some("a.service")),
            ("0::/system.slice/system-a.slice/a@1.service/sub/group\n", Some("a@1.service")),
            ("0::/user.slice/user-0.slice/user@0.service/app.slice/b.service\n", Some("b.service")),
            ("4:pids:/c.service\n1:name=systemd:/system.slice/a.service\n0::/\n", Some("a.service")),
            ("4:pids:/c.service\n0::/\n", None),
            ("0::/user.slice/user-0.slice/session-1.scope\n", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(of(cgroups).as_deref(), expected, "{cgroups}");
        }
    }
}
