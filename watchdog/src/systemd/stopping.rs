//! How the unit stands that we ourselves are in, for a service that is wrapped. Asked once, when a hang is to be called:
//! a connection is too much to keep for that.
//!
//! The manager that is asked is the one that we notify. Its own socket, which lets in its own user, is beside the one for
//! notifications: `/run/systemd/notify` and `private`, and so below `/run/user/UID`. Where the system's does not let us
//! in, the system bus does.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::net::UnixStream;

use crate::systemd::dbus::CALL_TIMEOUT;
use crate::systemd::dbus::Property;
use crate::systemd::dbus::names::{
    BUS, BUS_PATH, MANAGER, MANAGER_PATH, PRIVATE_SOCKET, PROPERTIES, SYSTEMD, UNIT, bus_socket,
};
use crate::systemd::dbus::wire::{Argument, Call, Incoming};
use crate::systemd::dbus::{CallError, Connection, NoSignals};

const JOB: &str = "org.freedesktop.systemd1.Job";

/// Whether systemd is stopping our unit, or has that queued (`restart` stops it first). What cannot be found out until
/// then counts as no.
pub async fn is_stopping(until: Instant) -> bool {
    match tokio::time::timeout_at(until.into(), ask()).await {
        Ok(Ok(is_stopping)) => is_stopping,
        Ok(Err(error)) => {
            tracing::debug!("systemd cannot be asked whether it is stopping the unit: {error}");
            false
        }
        Err(_) => {
            tracing::debug!("systemd has not said in time whether it is stopping the unit");
            false
        }
    }
}

async fn ask() -> io::Result<bool> {
    let private = private_socket(std::env::var_os("NOTIFY_SOCKET").as_deref())
        .ok_or_else(|| io::Error::other("it is not known where it listens"))?;
    match over_private_socket(&private).await {
        Err(_) if private == Path::new(PRIVATE_SOCKET) => {
            over_bus(UnixStream::connect(bus_socket()?).await?).await
        }
        answer => answer,
    }
}

/// Beside the socket for notifications; [`None`] where that is not systemd's own.
fn private_socket(notify: Option<&OsStr>) -> Option<PathBuf> {
    let notify = Path::new(notify?);
    (notify.is_absolute() && notify.file_name()? == "notify").then(|| notify.with_file_name("private"))
}

async fn over_private_socket(path: &Path) -> io::Result<bool> {
    over(UnixStream::connect(path).await?).await
}

/// Over a socket at the other end of which systemd itself is.
async fn over(stream: UnixStream) -> io::Result<bool> {
    let (connection, _) = Connection::open(stream, NoSignals).await?;
    stands(&connection).await.map_err(io::Error::other)
}

async fn over_bus(stream: UnixStream) -> io::Result<bool> {
    let (connection, _) = Connection::open(stream, NoSignals).await?;
    let hello = Call { destination: BUS, path: BUS_PATH, interface: BUS, method: "Hello" };
    connection.call(hello, &[], CALL_TIMEOUT).await.map_err(io::Error::other)?;
    stands(&connection).await.map_err(io::Error::other)
}

async fn stands(connection: &Connection) -> Result<bool, CallError> {
    let call =
        async |path: &str, interface, method, arguments: &[Argument<'_>]| -> Result<Incoming, CallError> {
            let call = Call { destination: SYSTEMD, path, interface, method };
            connection.call(call, arguments, CALL_TIMEOUT).await
        };
    let get = async |path: &str, interface: &str, property: &str| -> Result<Option<Property>, CallError> {
        let arguments = [Argument::Text(interface), Argument::Text(property)];
        let reply = call(path, PROPERTIES, "Get", &arguments).await?;
        reply.body().value().map_err(|_| CallError::Malformed)
    };
    // 0 is the caller, whatever pid namespace it is in.
    let reply = call(MANAGER_PATH, MANAGER, "GetUnitByPID", &[Argument::Unsigned(0)]).await?;
    let unit = reply.body().string().map_err(|_| CallError::Malformed)?.to_owned();
    if let Some(Property::Text(state)) = get(&unit, UNIT, "ActiveState").await?
        && state == "deactivating"
    {
        return Ok(true);
    }
    let Some(Property::Unsigned(job @ 1..)) = get(&unit, UNIT, "Job").await? else { return Ok(false) };
    let kind = get(&format!("{MANAGER_PATH}/job/{job}"), JOB, "JobType").await?;
    Ok(matches!(kind, Some(Property::Text(kind)) if matches!(kind.as_str(), "stop" | "restart")))
}

#[cfg(test)]
mod tests;
