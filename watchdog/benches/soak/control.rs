//! The control of a service: what it can do by itself, the service must be able to do behind `sd-watchdog`.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::cast::{Ask, Part};
use super::cgroups::Group;
use super::clock::{self, Time};
use super::role;
use super::witness::Witness;

/// A service like this one, in a control group of its own, that nobody guards.
pub struct Control {
    /// Its clients.
    pub witness: Witness,
    /// Since when it has surely served.
    pub since: Time,
    /// Keeps its standard input open.
    _process: Child,
}

impl Control {
    /// For `part`, if it has one.
    pub fn start(part: &Part, groups: Option<&Path>) -> io::Result<Option<Self>> {
        let (Some(address), Some(service)) = (part.control, part.control_service()) else { return Ok(None) };
        let group = groups.map(|root| Group::make(root, &format!("{}-alone", part.name))).transpose()?;
        let mut words = role::arguments("serve")?.to_vec();
        words.extend(service.iter().map(OsString::from));
        let mut command =
            role::enter_then(&group.map(|group| group.0).into_iter().collect::<Vec<_>>(), &words)?;
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let witness = Witness::ask(&Ask::Http(address), part.clients)?;
        Ok(Some(Self { witness, since: clock::now() + Duration::from_secs(1), _process: process }))
    }
}
