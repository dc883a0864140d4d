//! How often systemd has restarted the unit that we run in: it knows, and tells whoever may ask.

use crate::kernel::alarm;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crate::service::children::Children;
use crate::service::command;
use crate::systemd::unit_name;

/// It is for the status line only: an answer that takes longer is not worth waiting for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks systemd; [`None`] where there is no unit. The answer is none where systemd cannot be asked: in most sandboxes
/// it can, and the bus decides.
///
/// A short-lived systemctl(1), since a connection to the bus of our own would cost memory for as long as we live.
pub fn query(children: &Rc<Children>) -> Option<impl Future<Output = Option<u32>> + use<>> {
    let unit = unit_name::own()?;
    let children = Rc::clone(children);
    Some(async move {
        let manager = manager(std::env::var_os("NOTIFY_SOCKET").as_deref());
        let argv = ["systemctl", manager, "show", "--property=NRestarts", "--value", "--", &unit]
            .map(OsString::from);
        let finished = command::run(&argv, &children, alarm::after(PATIENCE), 64).await.ok()?;
        String::from_utf8(finished.output).ok()?.trim().parse().ok()
    })
}

/// Whose unit we are: the user manager's socket is in that user's runtime directory. A unit of the same name may be known to
/// both.
fn manager(notify: Option<&OsStr>) -> &'static str {
    let is_of_user = notify.is_some_and(|socket| Path::new(socket).starts_with("/run/user"));
    if is_of_user { "--user" } else { "--system" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_that_is_asked_is_the_one_that_we_notify() {
        for (socket, expected) in [
            (Some("/run/systemd/notify"), "--system"),
            (Some("/run/user/1000/systemd/notify"), "--user"),
            (Some("@/org/freedesktop/x"), "--system"),
            (None, "--system"),
        ] {
            assert_eq!(manager(socket.map(OsStr::new)), expected, "{socket:?}");
        }
    }
}
