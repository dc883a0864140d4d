//! Where systemd listens, and what it calls its objects.

/// Where PID 1 listens for root.
pub(crate) const PRIVATE_SOCKET: &str = "/run/systemd/private";
pub(crate) const SYSTEMD: &str = "org.freedesktop.systemd1";
pub(crate) const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
pub(crate) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(crate) const SERVICE: &str = "org.freedesktop.systemd1.Service";
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(crate) const BUS: &str = "org.freedesktop.DBus";
pub(crate) const BUS_PATH: &str = "/org/freedesktop/DBus";
