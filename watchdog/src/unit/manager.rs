//! systemd's manager, over D-Bus: what it says of a unit. All I/O on it is here.
//!
//! Its own socket is asked first, which lets root (or its user) in, and works where no bus runs; then the bus.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::files::{self, FilesError, Root};
use super::merge::{Defaults, Properties};
use super::name::UnitName;
use super::search::{self, Found};
use super::{Load, Made, Scope, Unit};
use crate::kernel::alarm;
use crate::kernel::runtime::runtime;
use crate::systemd::dbus::names::{MANAGER, MANAGER_PATH, PROPERTIES, SYSTEMD};
use crate::systemd::dbus::wire::{Argument, Call, Incoming};
use crate::systemd::dbus::{CallError, Connection, NoSignals, Property};

/// For a question about one unit. A manager that reads its configuration anew on a big host needs seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The manager cannot be asked. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum ManagerError {
    #[error(
        "systemd cannot be asked, neither at {} ({private}) nor over the bus ({bus}): does it run here, and may this user \
         ask it?",
        socket.display()
    )]
    Unreachable { socket: PathBuf, private: String, bus: String },
    #[error("systemd does not answer in {} s", PATIENCE.as_secs())]
    Silent,
    #[error("systemd does not answer as expected: {0}")]
    Strange(#[from] CallError),
    #[error("no descriptors for a connection to systemd: {0}")]
    System(io::Error),
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// A connection to it.
#[derive(Debug)]
pub struct Manager {
    runtime: Runtime,
    connection: Connection,
    scope: Scope,
    /// What it says of itself.
    own: Properties,
}

impl Manager {
    /// Connects to the one that runs here.
    pub fn connect(scope: Scope) -> Result<Self, ManagerError> {
        let runtime = runtime().map_err(ManagerError::System)?;
        let (connection, own) = runtime.block_on(within(async {
            let connection = connect(scope).await?;
            let own = get_all(&connection, MANAGER_PATH).await?;
            Ok((connection, own))
        }))?;
        Ok(Self { runtime, connection, scope, own })
    }

    /// A unit, as it has it.
    pub fn unit(&self, name: &UnitName) -> Result<Unit, ManagerError> {
        let root = Root::new(Path::new("/"))?;
        // No manager has a template.
        if name.is_template() {
            return self.of_files(name, &root, &Told::default());
        }
        let properties = self.runtime.block_on(within(async {
            let argument = Argument::Text(name.as_str());
            let reply = call(&self.connection, MANAGER_PATH, MANAGER, "LoadUnit", argument).await?;
            let path = reply.body().string().map_err(|_| CallError::Malformed)?.to_owned();
            get_all(&self.connection, &path).await
        }))?;
        let told = Told::new(&properties);
        // Of what changed since the manager read it, its values say nothing.
        if told.needs_reload {
            return self.of_files(name, &root, &told);
        }
        let id = UnitName::new(&told.id).unwrap_or_else(|_| name.clone());
        let names = told.names.into_iter().chain([id.as_str().to_owned()]).collect();
        let found = Found { name: id, names, fragment: told.fragment, drop_ins: told.drop_ins };
        let (_, files) = files::read(&root, &found)?;
        Ok(Unit::made(Made {
            found,
            load: told.load,
            files,
            scope: self.scope,
            defaults: defaults(&self.own),
            properties: Some(properties),
            is_transient: told.is_transient,
            needs_reload: false,
        }))
    }

    fn of_files(&self, name: &UnitName, root: &Root, told: &Told) -> Result<Unit, ManagerError> {
        let path: Vec<PathBuf> = match self.own.get("UnitPath") {
            Some(Property::Texts(path)) => path.iter().map(PathBuf::from).collect(),
            _ => return Err(CallError::Malformed.into()),
        };
        let found = search::find(&files::list(root, &path)?, name);
        let (load, files) = files::read(root, &found)?;
        Ok(Unit::made(Made {
            found,
            load,
            files,
            scope: self.scope,
            defaults: defaults(&self.own),
            properties: None,
            is_transient: told.is_transient,
            needs_reload: told.needs_reload,
        }))
    }
}

/// All properties of one of its objects: to systemd no interface means every interface.
async fn get_all(connection: &Connection, path: &str) -> Result<Properties, ManagerError> {
    let reply = call(connection, path, PROPERTIES, "GetAll", Argument::Text("")).await?;
    let properties = reply.body().properties().map_err(|_| CallError::Malformed)?;
    Ok(properties.into_iter().collect())
}

async fn call(
    connection: &Connection,
    path: &str,
    interface: &str,
    method: &str,
    argument: Argument<'_>,
) -> Result<Incoming, CallError> {
    let call = Call { destination: SYSTEMD, path, interface, method };
    connection.call(call, &[argument], PATIENCE).await
}

/// As the manager has it.
pub(crate) fn read(scope: Scope, name: &UnitName) -> Result<Unit, ManagerError> {
    Manager::connect(scope)?.unit(name)
}

async fn within<T>(work: impl Future<Output = Result<T, ManagerError>>) -> Result<T, ManagerError> {
    match alarm::timeout(PATIENCE, work).await {
        Ok(Err(ManagerError::Strange(CallError::Timeout(_)))) | Err(_) => Err(ManagerError::Silent),
        Ok(result) => result,
    }
}

async fn connect(scope: Scope) -> Result<Connection, ManagerError> {
    let socket = scope.private_socket();
    let over_private = async {
        let (connection, _) = Connection::open(UnixStream::connect(&socket).await?, NoSignals).await?;
        Ok::<_, io::Error>(connection)
    };
    let private = match over_private.await {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    let over_bus = async {
        let (connection, _) = Connection::open(scope.connect_to_bus().await?, NoSignals).await?;
        connection.bus("Hello", &[]).await?;
        Ok::<_, io::Error>(connection)
    };
    let unreachable = |bus: io::Error| ManagerError::Unreachable {
        socket,
        private: private.to_string(),
        bus: bus.to_string(),
    };
    over_bus.await.map_err(unreachable)
}

/// What of a unit's properties is not a directive's.
#[derive(Debug, Clone)]
struct Told {
    id: String,
    names: Vec<String>,
    load: Load,
    fragment: Option<PathBuf>,
    drop_ins: Vec<PathBuf>,
    is_transient: bool,
    needs_reload: bool,
}

impl Default for Told {
    fn default() -> Self {
        Self::new(&Properties::new())
    }
}

impl Told {
    fn new(properties: &Properties) -> Self {
        let text = |name: &str| match properties.get(name) {
            Some(Property::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let texts = |name: &str| match properties.get(name) {
            Some(Property::Texts(texts)) => texts.clone(),
            _ => Vec::new(),
        };
        let flag = |name: &str| properties.get(name) == Some(&Property::Flag(true));
        let load = match text("LoadState").as_str() {
            "masked" => Load::Masked,
            "not-found" | "" => Load::NotFound,
            "bad-setting" | "error" => Load::Refused(text("LoadError")),
            _ => Load::Loaded,
        };
        let fragment = Some(text("FragmentPath")).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self {
            id: text("Id"),
            names: texts("Names"),
            load,
            fragment,
            drop_ins: texts("DropInPaths").into_iter().map(PathBuf::from).collect(),
            is_transient: flag("Transient"),
            needs_reload: flag("NeedDaemonReload"),
        }
    }
}

fn defaults(manager: &Properties) -> Defaults {
    let time = |name: &str| match manager.get(name) {
        Some(Property::Unsigned(micros)) => {
            Some((*micros < u64::MAX).then(|| Duration::from_micros(*micros)))
        }
        _ => None,
    };
    Defaults {
        timeout_start: time("DefaultTimeoutStartUSec"),
        timeout_stop: time("DefaultTimeoutStopUSec"),
        // Where it is not set this is what stopping has, and so it is of each unit.
        timeout_abort: time("DefaultTimeoutAbortUSec")
            .filter(|abort| Some(*abort) != time("DefaultTimeoutStopUSec")),
        restart: time("DefaultRestartUSec"),
    }
}
