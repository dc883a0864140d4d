//! Where a report goes: to the journal from wherever it can be reached, and as text to where people look.

use std::ffi::OsString;

use crate::kernel::cgroup::Membership;
use crate::systemd::unit_name;
use crate::words::journal::Journal;
use crate::words::log;

/// Where a report goes.
#[derive(Debug)]
pub(super) struct Outlet {
    /// The unit's journal. Reached over journald's own socket, so whatever standard error is: a service that keeps its log
    /// in a file, or none, is looked up with `journalctl -u` all the same.
    pub(super) journal: Option<Journal>,
    /// Standard error is the journal: whoever reads the one reads the other.
    pub(super) log_is_journal: bool,
}

impl Outlet {
    /// What this process has. Nothing is connected to before there is a report.
    pub(super) fn open() -> Self {
        let membership = Membership::of("self").unwrap_or_default();
        let is_service = is_service(|name| std::env::var_os(name), &membership);
        let journal = if is_service { Journal::connect() } else { return Self::text() };
        if let Err(error) = &journal {
            tracing::debug!("the hang report goes to the log: {error}");
        }
        Self { journal: journal.ok(), log_is_journal: log::is_for_journal() }
    }

    fn text() -> Self {
        Self { journal: None, log_is_journal: log::is_for_journal() }
    }
}

/// Whether systemd runs this process as a service: it says so in the environment, and where that was emptied, the control
/// group still tells. A shell in somebody's session is none.
fn is_service(variable: impl Fn(&str) -> Option<OsString>, membership: &Membership) -> bool {
    let is_told = ["INVOCATION_ID", "JOURNAL_STREAM"].into_iter().any(|name| variable(name).is_some());
    is_told || membership.unit().is_some_and(unit_name::is_service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_by_its_environment_or_its_control_group() {
        for (variable, membership, expected) in [
            ("INVOCATION_ID", "", true),
            // Before v232.
            ("JOURNAL_STREAM", "", true),
            ("NOTIFY_SOCKET", "", false),
            ("", "0::/system.slice/a.service\n", true),
            ("", "5:memory:/\n1:name=systemd:/system.slice/a.service/below\n0::/\n", true),
            ("", "0::/user.slice/user-0.slice/user@0.service/app.slice/a.service\n", true),
            ("", "0::/user.slice/user-0.slice/user@0.service/app.slice/term.scope\n", false),
            ("", "0::/user.slice/user-0.slice/session-3.scope\n", false),
            ("", "0::/docker/1a\n", false),
            ("", "nonsense\n0::", false),
        ] {
            let set = |name: &str| (name == variable).then(OsString::new);
            assert_eq!(
                is_service(set, &Membership::from(membership.to_owned())),
                expected,
                "{variable:?} {membership:?}"
            );
        }
    }
}
