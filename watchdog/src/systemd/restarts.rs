//! How often systemd has restarted the unit that we run in: it knows, and tells whoever may ask.

use crate::kernel::alarm;
use std::ffi::OsString;
use std::rc::Rc;
use std::time::Duration;

use crate::service::children::Children;
use crate::service::command;
use crate::systemd::scope::Scope;
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
        let manager = match Scope::own() {
            Scope::System => "--system",
            Scope::User => "--user",
        };
        let argv = ["systemctl", manager, "show", "--property=NRestarts", "--value", "--", &unit]
            .map(OsString::from);
        let finished = command::run(&argv, &children, alarm::after(PATIENCE), 64).await.ok()?;
        String::from_utf8(finished.output).ok()?.trim().parse().ok()
    })
}
