//! In which control groups a process is: `/proc/PID/cgroup`, cgroups(7).

use std::fmt::Display;
use std::io;

use super::mount::Hierarchy;

/// The lines `HIERARCHY-ID:CONTROLLERS:PATH`.
#[derive(Debug, Default)]
pub(crate) struct Membership(String);

impl From<String> for Membership {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Membership {
    /// Of a process: a pid, or `self`.
    pub(crate) fn of(process: impl Display) -> io::Result<Self> {
        let text = std::fs::read(format!("/proc/{process}/cgroup"))?;
        Ok(Self(String::from_utf8_lossy(&text).into_owned()))
    }

    /// The paths in the hierarchies in which systemd keeps units apart. A hybrid host has both.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (Hierarchy, &str)> {
        self.0.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let hierarchy = match controllers {
                "" => Hierarchy::V2,
                "name=systemd" => Hierarchy::Systemd,
                _ => return None,
            };
            Some((hierarchy, path))
        })
    }

    /// The path in one of them.
    pub(crate) fn path(&self, wanted: Hierarchy) -> Option<&str> {
        self.paths().find_map(|(hierarchy, path)| (hierarchy == wanted).then_some(path))
    }

    /// The name of the innermost service or scope that the process belongs to.
    pub(crate) fn unit(&self) -> Option<&str> {
        self.paths().find_map(|(_, path)| unit_path(path)?.rsplit('/').next())
    }

    /// Whether that is a service of the user `uid`: below `user@UID.service`, in which that user's manager runs. A scope is
    /// none: a terminal of the desktop is one, and who becomes root in it is still in it.
    pub(crate) fn is_users_service(&self, uid: u32) -> bool {
        let unit = self.paths().find_map(|(_, path)| unit_path(path));
        let Some((above, _)) =
            unit.filter(|unit| unit.ends_with(".service")).and_then(|unit| unit.rsplit_once('/'))
        else {
            return false;
        };
        above.split('/').any(|name| name == format!("user@{uid}.service"))
    }
}

/// The path of the innermost service or scope: a process may be in a group below its unit's (`DelegateSubgroup=`).
pub(crate) fn unit_path(path: &str) -> Option<&str> {
    let mut end = path.len();
    for name in path.rsplit('/') {
        if matches!(name.rsplit_once('.'), Some((_, "service" | "scope"))) {
            return Some(&path[..end]);
        }
        end = end.saturating_sub(name.len() + 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_innermost_service_or_scope_in_systemds_hierarchy() {
        for (text, expected) in [
            ("0::/system.slice/a.service\n", Some("a.service")),
            ("0::/system.slice/system-a.slice/a@1.service/sub/group\n", Some("a@1.service")),
            ("0::/user.slice/user-0.slice/user@0.service/app.slice/b.service\n", Some("b.service")),
            ("0::/user.slice/user-0.slice/user@0.service/app.slice/term.scope\n", Some("term.scope")),
            ("4:pids:/c.service\n1:name=systemd:/system.slice/a.service\n0::/\n", Some("a.service")),
            ("4:pids:/c.service\n0::/\n", None),
            ("0::/user.slice/user-0.slice/session-1.scope\n", Some("session-1.scope")),
            ("0::/docker/1a\n", None),
            ("0::/a:b.service", Some("a:b.service")),
            ("", None),
            ("nonsense\n0:", None),
        ] {
            assert_eq!(Membership::from(text.to_owned()).unit(), expected, "{text}");
        }
    }

    #[test]
    fn each_hierarchy_of_systemd_has_its_path() {
        let hybrid = Membership::from("5:memory:/x\n1:name=systemd:/a.service\n0::/b.service\n".to_owned());
        assert_eq!(hybrid.path(Hierarchy::V2), Some("/b.service"));
        assert_eq!(hybrid.path(Hierarchy::Systemd), Some("/a.service"));
        assert_eq!(Membership::default().path(Hierarchy::V2), None);
        assert!(Membership::of("self").expect("every process has one").paths().next().is_some());
        assert!(Membership::of(i32::MAX).is_err());
    }
}
