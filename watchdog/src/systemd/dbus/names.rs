//! Where systemd listens, and what it calls its objects.

use std::io;
use std::path::PathBuf;

/// Where PID 1 listens for root.
pub(crate) const PRIVATE_SOCKET: &str = "/run/systemd/private";
/// Where a system bus listens, unless `DBUS_SYSTEM_BUS_ADDRESS` says otherwise.
const BUS_SOCKET: &str = "/run/dbus/system_bus_socket";
pub(crate) const SYSTEMD: &str = "org.freedesktop.systemd1";
pub(crate) const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
pub(crate) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(crate) const SERVICE: &str = "org.freedesktop.systemd1.Service";
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(crate) const BUS: &str = "org.freedesktop.DBus";
pub(crate) const BUS_PATH: &str = "/org/freedesktop/DBus";

/// Of all that an address may be, sockets with a path are what there is on the system bus.
pub(crate) fn bus_socket() -> io::Result<PathBuf> {
    let Ok(address) = std::env::var("DBUS_SYSTEM_BUS_ADDRESS") else { return Ok(BUS_SOCKET.into()) };
    let path = address.split(',').find_map(|part| part.strip_prefix("unix:path="));
    path.map(PathBuf::from).ok_or_else(|| {
        io::Error::other(format!("DBUS_SYSTEM_BUS_ADDRESS is {address:?}: only unix:path=… is understood"))
    })
}
