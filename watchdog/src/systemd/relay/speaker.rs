//! Who may speak for COMMAND.
//!
//! An abstract socket has no owner and no mode: whoever is in the same network namespace, which is the whole host as a
//! rule, can send to it (unix(7)). systemd's own socket is open to everyone as well; it looks at who sends, which it
//! knows from the kernel, and finds the unit by the sender's cgroup (`manager_get_unit_by_pid_cgroup`). So do we:
//!
//! - COMMAND's own process, and the one it names with `MAINPID=`, may speak wherever they are;
//! - so may every process of our unit. Processes do not leave their unit by themselves. (systemd may be stricter,
//!   `NotifyAccess=main`; but it cannot tell COMMAND from its children for us, and a script that is COMMAND speaks through
//!   a child, `systemd-notify`.)
//! - A sender that has exited already has no cgroup any more. systemd loses such a message (systemd#2737); we go by the
//!   user: ours, or root, who can do worse to the service than lie for it.
//! - Nobody outside our PID namespace.

use crate::kernel::cgroup::{Membership, unit_path};

/// Who sent a datagram, as the kernel attests. A process with `CAP_SYS_ADMIN` can name another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sender {
    /// As seen from here; 0 for a process outside our PID namespace.
    pub pid: i32,
    /// Its real user.
    pub uid: u32,
}

/// Where a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    OurUnit,
    Elsewhere,
    /// It has exited, or we may not look.
    Unknown,
}

/// The decision about one that is not COMMAND's own process. `place` is only looked up where it is needed.
pub(super) fn may_speak(sender: Sender, own_uid: u32, place: impl FnOnce() -> Place) -> bool {
    if sender.pid <= 0 {
        return false;
    }
    match place() {
        Place::OurUnit => true,
        Place::Elsewhere => false,
        Place::Unknown => sender.uid == own_uid || sender.uid == 0,
    }
}

/// Our own place among the cgroups.
#[derive(Debug)]
pub(super) struct Home(Membership);

impl Home {
    /// As in /proc/self/cgroup.
    #[cfg(test)]
    pub fn at(cgroups: &str) -> Self {
        Self(cgroups.to_owned().into())
    }

    /// Reads /proc/self/cgroup. Where that cannot be read, every place is unknown.
    pub fn find() -> Self {
        Self(Membership::of("self").unwrap_or_default())
    }

    /// Where a process is now.
    pub fn place_of(&self, pid: i32) -> Place {
        Membership::of(pid).map_or(Place::Unknown, |theirs| self.place(&theirs))
    }

    fn place(&self, theirs: &Membership) -> Place {
        let mut place = Place::Unknown;
        for (hierarchy, ours) in self.0.paths() {
            let unit = unit_path(ours).unwrap_or(ours);
            match theirs.path(hierarchy) {
                Some(path) if is_below(path, unit) => place = Place::OurUnit,
                _ => return Place::Elsewhere,
            }
        }
        place
    }
}

/// Outside our cgroup namespace a path starts with `/..`.
fn is_below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && !path.starts_with("/..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_may_speak_and_the_dead_by_their_user() {
        let nobody = 65534;
        for (pid, uid, place, expected) in [
            (19, nobody, Some(Place::OurUnit), true),
            (19, 0, Some(Place::Elsewhere), false),
            (19, 1000, Some(Place::Elsewhere), false),
            (19, 1000, Some(Place::Unknown), true),
            (19, 0, Some(Place::Unknown), true),
            (19, nobody, Some(Place::Unknown), false),
            (0, 0, None, false),
            (-1, 1000, None, false),
        ] {
            let look = || place.expect("not looked up");
            let speaks = may_speak(Sender { pid, uid }, 1000, look);
            assert_eq!(speaks, expected, "pid {pid} uid {uid} {place:?}");
        }
    }

    #[test]
    fn a_process_is_in_our_unit_or_below_it_in_every_hierarchy_of_systemd() {
        let hybrid =
            |systemd: &str, unified: &str| format!("4:memory:/x\n1:name=systemd:{systemd}\n0::{unified}\n");
        for (ours, theirs, expected) in [
            ("0::/system.slice/a.service", "0::/system.slice/a.service", Place::OurUnit),
            ("0::/system.slice/a.service\n", "0::/system.slice/a.service/b\n", Place::OurUnit),
            ("0::/system.slice/a.service/b", "0::/system.slice/a.service/c", Place::OurUnit),
            ("0::/system.slice/a.service/b", "0::/system.slice/a.service", Place::OurUnit),
            ("0::/system.slice/a.service", "0::/system.slice/a.service2", Place::Elsewhere),
            ("0::/system.slice/a.service", "0::/system.slice/b.service", Place::Elsewhere),
            ("0::/system.slice/a.service", "0::/system.slice", Place::Elsewhere),
            (
                "0::/u.slice/u@1.service/app.slice/a.service",
                "0::/u.slice/u@1.service/b.service",
                Place::Elsewhere,
            ),
            ("0::/", "0::/", Place::OurUnit),
            ("0::/", "0::/a", Place::OurUnit),
            ("0::/", "0::/..", Place::Elsewhere),
            ("0::/", "0::/../a", Place::Elsewhere),
            ("0::/a/b", "0::/a", Place::Elsewhere),
            (&hybrid("/a.service", "/a.service"), &hybrid("/a.service", "/a.service"), Place::OurUnit),
            (&hybrid("/", "/a.service"), &hybrid("/", "/b.service"), Place::Elsewhere),
            (&hybrid("/a.service", "/"), &hybrid("/b.service", "/"), Place::Elsewhere),
            ("1:name=systemd:/a.service", "0::/a.service", Place::Elsewhere),
            ("", "0::/a.service", Place::Unknown),
        ] {
            assert_eq!(Home::at(ours).place(&theirs.to_owned().into()), expected, "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_is_nowhere() {
        assert_eq!(Home::find().place_of(i32::MAX), Place::Unknown);
        assert_ne!(Home::find().place_of(std::process::id().cast_signed()), Place::Elsewhere);
    }
}
