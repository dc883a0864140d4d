//! The unit that we ourselves are in, as systemd has it. A connection is too much to keep for that: it is made for a question.
//!
//! The manager that is asked is the one that we notify. Its own socket, which lets in its own user, is beside the one for
//! notifications: `/run/systemd/notify` and `private`, and so below `/run/user/UID`. Where that does not let us in, the bus
//! of the same manager does.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use crate::systemd::dbus::wire::Argument;
use crate::systemd::dbus::{CallError, Connection, NoSignals, Property};
use crate::systemd::job::JobType;
use crate::systemd::scope::Scope;

/// It, and the connection over which it is asked.
pub(super) struct OwnUnit {
    connection: Connection,
    path: String,
}

impl OwnUnit {
    /// Needs a Tokio runtime with I/O. Fails where systemd cannot be asked: it is not known where it listens, or we
    /// are not let in.
    pub async fn find() -> io::Result<Self> {
        let private = private_socket(std::env::var_os("NOTIFY_SOCKET").as_deref())
            .ok_or_else(|| io::Error::other("it is not known where it listens"))?;
        match Self::over_private_socket(&private).await {
            Err(shut) => {
                let by_bus = async { Self::over_bus(Scope::own().connect_to_bus().await?).await };
                // Where nobody listens for a moment, there need be no bus: then it is to be asked again.
                let is_shut = shut.kind() == io::ErrorKind::PermissionDenied;
                by_bus.await.map_err(|error| if is_shut { error } else { shut })
            }
            unit => unit,
        }
    }

    async fn over_private_socket(path: &Path) -> io::Result<Self> {
        Self::over(UnixStream::connect(path).await?).await
    }

    /// Over a socket at the other end of which systemd itself is.
    pub(super) async fn over(stream: UnixStream) -> io::Result<Self> {
        let (connection, _) = Connection::open(stream, NoSignals).await?;
        Self::on(connection).await
    }

    pub(super) async fn over_bus(stream: UnixStream) -> io::Result<Self> {
        let (connection, _) = Connection::open(stream, NoSignals).await?;
        connection.bus("Hello", &[]).await?;
        Self::on(connection).await
    }

    async fn on(connection: Connection) -> io::Result<Self> {
        let mut unit = Self { connection, path: String::new() };
        // 0 is the caller, whatever pid namespace it is in.
        unit.path = unit.path_of(0).await?;
        Ok(unit)
    }

    /// Whether the process that has this number in systemd's pid namespace is in it.
    pub async fn has(&self, pid: u32) -> Result<bool, CallError> {
        match self.path_of(pid).await {
            Ok(path) => Ok(path == self.path),
            Err(CallError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn path_of(&self, pid: u32) -> Result<String, CallError> {
        let reply = self.connection.manager("GetUnitByPID", &[Argument::Unsigned(pid)]).await?;
        Ok(reply.body().string().map_err(|_| CallError::Malformed)?.to_owned())
    }

    /// A property of it; [`None`] where that is of a type which nothing here has.
    pub async fn get(&self, interface: &str, property: &str) -> Result<Option<Property>, CallError> {
        self.connection.property(&self.path, interface, property).await
    }

    /// What a job does, of whatever unit; [`None`] where there is no such job any more.
    pub async fn job_type(&self, id: u32) -> Result<Option<JobType>, CallError> {
        JobType::ask(&self.connection, id).await
    }
}

/// Beside the socket for notifications; [`None`] where that is not systemd's own.
fn private_socket(notify: Option<&OsStr>) -> Option<PathBuf> {
    let notify = Path::new(notify?);
    (notify.is_absolute() && notify.file_name()? == "notify").then(|| notify.with_file_name("private"))
}

#[cfg(test)]
pub(super) mod tests;
