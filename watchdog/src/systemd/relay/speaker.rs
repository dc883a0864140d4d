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
//! - A sender that is exiting is still in its cgroup 2, but in none of cgroup 1: there, `/` is shown (`proc_cgroup_show` in the
//!   kernel). Then it is one of ours if cgroup 2 tells units apart and says so, or if it descends from us: nobody comes to
//!   do that from outside. Until somebody has waited for it, it has its parent.
//! - A sender that has exited already, and was waited for, has no cgroup any more. systemd loses such a message (systemd#2737); we go by the
//!   user: ours, or root, who can do worse to the service than lie for it.
//! - Nobody outside our PID namespace.

use crate::kernel::ancestry::{descent, is_exiting, parent_of};
use crate::kernel::cgroup::{Hierarchy, Membership, unit_path};
use crate::kernel::proc::own_pid;

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
pub(super) enum Whereabouts {
    OurUnit,
    Elsewhere,
    /// It has exited, or we may not look.
    Unknown,
}

/// What /proc/PID/cgroup says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    At(Whereabouts),
    /// In no cgroup of cgroup 1. That is where an exiting process is; one that lives may be in its root.
    Nowhere {
        /// Cgroup 2 has it in our unit.
        is_ours: bool,
    },
}

/// The decision about one that is not COMMAND's own process. `place` is only looked up where it is needed.
pub(super) fn may_speak(sender: Sender, own_uid: u32, place: impl FnOnce() -> Whereabouts) -> bool {
    if sender.pid <= 0 {
        return false;
    }
    match place() {
        Whereabouts::OurUnit => true,
        Whereabouts::Elsewhere => false,
        Whereabouts::Unknown => sender.uid == own_uid || sender.uid == 0,
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
    pub fn place_of(&self, pid: i32) -> Whereabouts {
        match Membership::of(pid).map(|theirs| self.shown(&theirs)) {
            Err(_) => Whereabouts::Unknown,
            Ok(Shown::At(place)) => place,
            Ok(Shown::Nowhere { is_ours }) => match is_exiting(pid) {
                None => Whereabouts::Unknown,
                Some(true) if is_ours || is_descendant(pid) => Whereabouts::OurUnit,
                Some(_) => Whereabouts::Elsewhere,
            },
        }
    }

    fn shown(&self, theirs: &Membership) -> Shown {
        let (mut place, mut is_nowhere, mut is_ours) = (Whereabouts::Unknown, false, false);
        for (hierarchy, ours) in self.0.paths() {
            let unit = unit_path(ours).unwrap_or(ours);
            match (hierarchy, theirs.path(hierarchy)) {
                (_, Some(path)) if is_below(path, unit) => {
                    place = Whereabouts::OurUnit;
                    is_ours |= hierarchy == Hierarchy::V2 && unit != "/";
                }
                (Hierarchy::Systemd, Some("/")) => is_nowhere = true,
                _ => return Shown::At(Whereabouts::Elsewhere),
            }
        }
        if is_nowhere { Shown::Nowhere { is_ours } } else { Shown::At(place) }
    }
}

fn is_descendant(pid: i32) -> bool {
    // Where one in the line ends meanwhile, those below become our own children.
    (0..3).any(|_| descent(pid, own_pid(), parent_of).is_some())
}

/// Outside our cgroup namespace a path starts with `/..`.
fn is_below(path: &str, root: &str) -> bool {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && !path.starts_with("/..")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;
    use crate::kernel::pidfd;

    const NOWHERE: Shown = Shown::Nowhere { is_ours: false };

    #[test]
    fn the_unit_may_speak_and_the_dead_by_their_user() {
        let nobody = 65534;
        for (pid, uid, place, expected) in [
            (19, nobody, Some(Whereabouts::OurUnit), true),
            (19, 0, Some(Whereabouts::Elsewhere), false),
            (19, 1000, Some(Whereabouts::Elsewhere), false),
            (19, 1000, Some(Whereabouts::Unknown), true),
            (19, 0, Some(Whereabouts::Unknown), true),
            (19, nobody, Some(Whereabouts::Unknown), false),
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
            ("0::/system.slice/a.service", "0::/system.slice/a.service", Shown::At(Whereabouts::OurUnit)),
            (
                "0::/system.slice/a.service\n",
                "0::/system.slice/a.service/b\n",
                Shown::At(Whereabouts::OurUnit),
            ),
            ("0::/system.slice/a.service/b", "0::/system.slice/a.service/c", Shown::At(Whereabouts::OurUnit)),
            ("0::/system.slice/a.service/b", "0::/system.slice/a.service", Shown::At(Whereabouts::OurUnit)),
            ("0::/system.slice/a.service", "0::/system.slice/a.service2", Shown::At(Whereabouts::Elsewhere)),
            ("0::/system.slice/a.service", "0::/system.slice/b.service", Shown::At(Whereabouts::Elsewhere)),
            ("0::/system.slice/a.service", "0::/system.slice", Shown::At(Whereabouts::Elsewhere)),
            (
                "0::/u.slice/u@1.service/app.slice/a.service",
                "0::/u.slice/u@1.service/b.service",
                Shown::At(Whereabouts::Elsewhere),
            ),
            ("0::/", "0::/", Shown::At(Whereabouts::OurUnit)),
            ("0::/", "0::/a", Shown::At(Whereabouts::OurUnit)),
            ("0::/", "0::/..", Shown::At(Whereabouts::Elsewhere)),
            ("0::/", "0::/../a", Shown::At(Whereabouts::Elsewhere)),
            ("0::/a/b", "0::/a", Shown::At(Whereabouts::Elsewhere)),
            (
                &hybrid("/a.service", "/a.service"),
                &hybrid("/a.service", "/a.service"),
                Shown::At(Whereabouts::OurUnit),
            ),
            (&hybrid("/", "/a.service"), &hybrid("/", "/b.service"), Shown::At(Whereabouts::Elsewhere)),
            (&hybrid("/a.service", "/"), &hybrid("/b.service", "/"), Shown::At(Whereabouts::Elsewhere)),
            ("1:name=systemd:/a.service", "0::/a.service", Shown::At(Whereabouts::Elsewhere)),
            ("", "0::/a.service", Shown::At(Whereabouts::Unknown)),
            // One that is exiting, or lives in the root.
            ("1:name=systemd:/a.service", "1:name=systemd:/", NOWHERE),
            (&hybrid("/a.service", "/"), &hybrid("/", "/"), NOWHERE),
            (
                &hybrid("/a.service", "/a.service"),
                &hybrid("/", "/a.service"),
                Shown::Nowhere { is_ours: true },
            ),
            (
                &hybrid("/a.service", "/a.service"),
                &hybrid("/", "/b.service"),
                Shown::At(Whereabouts::Elsewhere),
            ),
            (&hybrid("/a.service", "/a.service"), &hybrid("/", "/"), Shown::At(Whereabouts::Elsewhere)),
            (&hybrid("/", "/"), &hybrid("/", "/"), Shown::At(Whereabouts::OurUnit)),
        ] {
            assert_eq!(Home::at(ours).shown(&theirs.to_owned().into()), expected, "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_is_nowhere() {
        assert_eq!(Home::find().place_of(i32::MAX), Whereabouts::Unknown);
        assert_ne!(Home::find().place_of(std::process::id().cast_signed()), Whereabouts::Elsewhere);
    }
    /// Whether this machine has cgroup 1 or not: it is in no cgroup of it that is ours.
    #[test]
    fn who_is_exiting_is_ours_if_it_descends_from_us_and_a_stranger_if_it_does_not() {
        let home = Home::at("1:name=systemd:/system.slice/a.service\n");
        let is_in_root = |pid: i32| home.shown(&Membership::of(pid).expect("its cgroups")) == NOWHERE;
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("a process");
        let pid = child.id().cast_signed();
        if !is_in_root(pid) {
            println!("skipped: there is no cgroup 1 here, in whose root processes are");
            child.kill().and_then(|()| child.wait()).expect("its end");
            return;
        }
        assert_eq!(home.place_of(pid), Whereabouts::Elsewhere, "it lives");
        drop(child.stdin.take());
        let process = pidfd::open(pid).expect("a descriptor");
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        poll(&mut ended, None).expect("its end");
        assert_eq!(home.place_of(pid), Whereabouts::OurUnit, "nobody has waited for it");
        child.wait().expect("its end");
        assert_eq!(home.place_of(pid), Whereabouts::Unknown);
    }
}
