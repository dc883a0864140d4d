//! Where a report goes: to the journal from wherever it can be reached, and as text to where people look.

use std::ffi::OsString;

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
        let membership = std::fs::read("/proc/self/cgroup").unwrap_or_default();
        let is_service = is_service(|name| std::env::var_os(name), &String::from_utf8_lossy(&membership));
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
fn is_service(variable: impl Fn(&str) -> Option<OsString>, membership: &str) -> bool {
    let is_told = ["INVOCATION_ID", "JOURNAL_STREAM"].into_iter().any(|name| variable(name).is_some());
    // `HIERARCHY-ID:CONTROLLERS:PATH`; a service may have groups below its own.
    let mut paths = membership.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    is_told
        || paths.any(|path| {
            let mut kinds = path.rsplit('/').filter_map(|name| Some(name.rsplit_once('.')?.1));
            kinds.find(|kind| matches!(*kind, "service" | "scope")) == Some("service")
        })
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
            assert_eq!(is_service(set, membership), expected, "{variable:?} {membership:?}");
        }
    }
}
