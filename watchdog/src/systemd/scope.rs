//! Whose manager: the system's, or a user's. Each listens, and has its state, in a place of its own.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::dbus::names::PRIVATE_SOCKET;
use super::dbus::{connect_to_bus, connect_to_user_bus};
use super::directory;
use crate::kernel::cgroup::Membership;

/// Whose units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// PID 1's.
    System,
    /// Those of the user that we run as: `systemctl --user`.
    User,
}

impl Scope {
    /// That of the manager that runs this process; the system's where none does.
    pub fn own() -> Self {
        let notify = std::env::var_os("NOTIFY_SOCKET");
        let uid = rustix::process::geteuid().as_raw();
        of_process(notify.as_deref(), &Membership::of("self").unwrap_or_default(), uid)
    }

    /// Where it lets in root, or its user, with no bus between.
    pub fn private_socket(self) -> PathBuf {
        match self {
            Self::System => PRIVATE_SOCKET.into(),
            Self::User => runtime_directory().join("systemd/private"),
        }
    }

    /// Connects to the bus that it is on.
    pub async fn connect_to_bus(self) -> io::Result<UnixStream> {
        match self {
            Self::System => connect_to_bus().await,
            Self::User => connect_to_user_bus(&runtime_directory()).await,
        }
    }

    /// Where files go that are to outlive us, or to be found by others.
    pub fn directory(self) -> PathBuf {
        match self {
            Self::System => directory::ROOTS.into(),
            Self::User => runtime_directory().join("sd-watchdog"),
        }
    }

    /// What people type.
    pub fn systemctl(self) -> &'static str {
        match self {
            Self::System => "systemctl",
            Self::User => "systemctl --user",
        }
    }
}

/// `$XDG_RUNTIME_DIR`, which pam_systemd(8) makes.
fn runtime_directory() -> PathBuf {
    let of_user = || format!("/run/user/{}", rustix::process::geteuid().as_raw()).into();
    std::env::var_os("XDG_RUNTIME_DIR").map_or_else(of_user, PathBuf::from)
}

/// A manager's socket for notifications is in a directory of that manager's, which is PID 1's or in that user's runtime
/// directory; where there is none (`Type=simple`), or another's, the control group tells. A unit of the same name may be known
/// to both.
fn of_process(notify: Option<&OsStr>, membership: &Membership, uid: u32) -> Scope {
    let socket = notify.map(Path::new).filter(|socket| socket.ends_with("systemd/notify"));
    let is_users = match socket {
        Some(socket) => socket != Path::new("/run/systemd/notify"),
        None => membership.is_users_service(uid),
    };
    if is_users { Scope::User } else { Scope::System }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_that_runs_a_process_is_the_one_that_it_notifies_or_whose_control_group_it_is_in() {
        let (system, user) =
            ("0::/system.slice/a.service\n", "0::/user.slice/user@1.service/a.slice/a.service\n");
        for (notify, cgroup, expected) in [
            (Some("/run/systemd/notify"), system, Scope::System),
            (Some("/run/user/1000/systemd/notify"), user, Scope::User),
            // In a container that has control groups of its own.
            (Some("/run/user/1000/systemd/notify"), "0::/\n", Scope::User),
            (Some("/tmp/runtime/systemd/notify"), "0::/\n", Scope::User),
            (Some("/run/systemd/notify"), user, Scope::System),
            (Some("@/org/freedesktop/x"), system, Scope::System),
            (Some("@/org/freedesktop/x"), user, Scope::User),
            (Some("/run/sd-watchdog/a.service.notify"), user, Scope::User),
            (None, user, Scope::User),
            (None, system, Scope::System),
            // A user's manager as a whole, and a login, are the system's.
            (None, "0::/user.slice/user-1.slice/user@1.service\n", Scope::System),
            (None, "0::/user.slice/user-1.slice/session-3.scope\n", Scope::System),
            // A terminal of the desktop, from which one also becomes root; and another user's services.
            (None, "0::/user.slice/user@1.service/app.slice/vte-spawn-1.scope\n", Scope::System),
            (None, "0::/user.slice/user@12.service/app.slice/a.service\n", Scope::System),
            (None, "", Scope::System),
        ] {
            let found = of_process(notify.map(OsStr::new), &Membership::from(cgroup.to_owned()), 1);
            assert_eq!(found, expected, "{notify:?} {cgroup}");
        }
    }
}
