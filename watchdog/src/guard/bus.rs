//! systemd's D-Bus interface, over its own socket or the bus. Thin: nothing is decided here.
//!
//! As root, `/run/systemd/private` comes first, as a user `$XDG_RUNTIME_DIR/systemd/private`: it works where no bus runs, and
//! while the bus is the very service that hangs. There the manager is the peer, without a bus between: no names, no `Hello`, no match rules, and every signal about
//! every unit comes whether it was asked for or not (`bus_foreach_bus` in systemd's src/core/dbus.c). What is not about
//! UNIT is dropped as soon as its header is read.
//!
//! On the system bus anybody can send us a signal. Only those of the connection that owns systemd's name count.

use std::collections::VecDeque;
use std::io;
use std::iter::from_fn;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::guard::event::Failure;
use crate::guard::settings::{Settings, Whom};
use crate::guard::unit::Unit;
use crate::kernel::alarm::timeout;
use crate::systemd::dbus::names::{BUS, MANAGER, PROPERTIES, SERVICE, SYSTEMD, UNIT};
use crate::systemd::dbus::wire::{Argument, Incoming};
use crate::systemd::dbus::{CallError, Connection, Property, Wanted};
use crate::systemd::job::JobType;
use crate::systemd::scope::Scope;
use crate::unit::UnitName;

/// What connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// systemd cannot be talked to. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    #[error(
        "systemd cannot be reached, neither at {} ({private}) nor over its bus ({bus}): {}",
        scope.private_socket().display(),
        to_reach(*scope)
    )]
    Unreachable { scope: Scope, private: String, bus: String },
    #[error("systemd does not answer as expected: {0}")]
    Strange(#[from] CallError),
}

fn to_reach(scope: Scope) -> &'static str {
    match scope {
        Scope::System => {
            "run this as root on a system that systemd runs; the manager of a user needs that user, and --user"
        }
        Scope::User => {
            "run this as the user whose manager it is, with that user's XDG_RUNTIME_DIR; without a login it runs after \
             `loginctl enable-linger`"
        }
    }
}

/// A connection to systemd.
#[derive(Debug)]
pub struct Bus {
    connection: Connection,
    subject: Arc<Subject>,
}

/// Whose signals count. Each is set once, when it is known; what comes before that is dropped.
#[derive(Debug, Default)]
struct Subject {
    /// There is a bus between, and systemd has this name on it.
    peer: OnceLock<String>,
    /// UNIT's object, and its own name.
    unit: OnceLock<(Handle, String)>,
}

/// UNIT, loaded by systemd: the object that stands for it. An alias leads to the object of the unit itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(String);

/// What a signal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Properties of UNIT have these values.
    Properties {
        /// What they are.
        values: Vec<(String, Property)>,
        /// This completes the picture. Of one change, systemd sends what is particular to services first, then what all
        /// units have: "clients may rely on this order to get atomic behavior" (`send_changed_signal` in its
        /// src/core/dbus-unit.c). In between, a service can be active without a main process.
        complete: bool,
    },
    /// A job with this id was queued for UNIT.
    Job(u32),
    /// A job of UNIT's is over, and was none that could be done: a reload where it is not active (ENOEXEC of `unit_reload` in
    /// systemd's src/core/unit.c).
    JobInvalid(u32),
    /// systemd has read its configuration again: anything may be different.
    Reloaded,
    /// systemd's connection to the bus is another one now.
    Moved,
}

/// The signals about UNIT. They end with the connection.
#[derive(Debug)]
pub struct Changes {
    received: UnboundedReceiver<Change>,
    /// What was looked at before its turn.
    ahead: VecDeque<Change>,
}

impl Changes {
    /// The next; [`None`] at the end.
    pub async fn next(&mut self) -> Option<Change> {
        match self.ahead.pop_front() {
            Some(change) => Some(change),
            None => self.received.recv().await,
        }
    }

    /// Whether this is among those that have come and whose turn it is not yet. What systemd said before it answered a call has
    /// come with the answer.
    pub fn hold(&mut self, change: &Change) -> bool {
        self.ahead.extend(from_fn(|| self.received.try_recv().ok()));
        self.ahead.contains(change)
    }
}

impl Bus {
    /// Connects, and asks systemd for its signals.
    pub async fn connect(scope: Scope) -> Result<(Self, Changes), BusError> {
        let private = match within(Self::over_private_socket(scope)).await {
            Ok(bus) => return Ok(bus),
            Err(error) => error.to_string(),
        };
        within(Self::over_bus(scope)).await.map_err(|bus| BusError::Unreachable {
            scope,
            private,
            bus: bus.to_string(),
        })
    }

    async fn over_private_socket(scope: Scope) -> io::Result<(Self, Changes)> {
        Self::over(UnixStream::connect(scope.private_socket()).await?).await
    }

    /// Over a socket at the other end of which systemd itself is.
    pub async fn over(stream: UnixStream) -> io::Result<(Self, Changes)> {
        let (bus, changes) = Self::open(stream).await?;
        // systemd sends its signals here anyway, but a peer that answers is one.
        bus.connection.manager("Subscribe", &[]).await.map_err(io::Error::other)?;
        Ok((bus, changes))
    }

    async fn open(stream: UnixStream) -> io::Result<(Self, Changes)> {
        let subject = Arc::<Subject>::default();
        let (connection, changes) = Connection::open(stream, Arc::clone(&subject)).await?;
        Ok((Self { connection, subject }, Changes { received: changes, ahead: VecDeque::new() }))
    }

    async fn over_bus(scope: Scope) -> io::Result<(Self, Changes)> {
        let (bus, changes) = Self::open(scope.connect_to_bus().await?).await?;
        bus.subscribe().await.map_err(io::Error::other)?;
        Ok((bus, changes))
    }

    /// A bus passes on nothing that was not asked for, and systemd sends nothing that nobody has asked for.
    async fn subscribe(&self) -> Result<(), CallError> {
        self.connection.bus("Hello", &[]).await?;
        let moved = format!("type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{SYSTEMD}'");
        self.connection.bus("AddMatch", &[Argument::Text(&moved)]).await?;
        let owner = self.connection.bus("GetNameOwner", &[Argument::Text(SYSTEMD)]).await?;
        let owner = owner.body().string().map_err(|_| CallError::Malformed)?.to_owned();
        for rule in ["member='Reloading'", "member='JobNew'", "member='JobRemoved'"] {
            let rule = format!("type='signal',sender='{owner}',interface='{MANAGER}',{rule}");
            self.connection.bus("AddMatch", &[Argument::Text(&rule)]).await?;
        }
        // Nobody else sets it.
        let _ = self.subject.peer.set(owner);
        self.connection.manager("Subscribe", &[]).await.map(drop)
    }

    /// Has systemd load the unit. One that does not exist is loaded too, as `not-found`.
    pub async fn load(&self, name: &UnitName) -> Result<Handle, BusError> {
        let reply = self.connection.manager("LoadUnit", &[Argument::Text(name.as_str())]).await?;
        let path = reply.body().string().map_err(|_| CallError::Malformed)?.to_owned();
        Ok(Handle(path))
    }

    /// Listens for what happens to UNIT, from now on. `id` is its own name.
    pub async fn watch(&self, handle: &Handle, id: &str) -> Result<(), BusError> {
        // A connection watches one unit.
        let _ = self.subject.unit.set((handle.clone(), id.to_owned()));
        if let Some(peer) = self.subject.peer.get() {
            let Handle(path) = handle;
            let rule = format!(
                "type='signal',sender='{peer}',path='{path}',interface='{PROPERTIES}',member='PropertiesChanged'"
            );
            self.connection.bus("AddMatch", &[Argument::Text(&rule)]).await?;
        }
        Ok(())
    }

    /// How UNIT stands now.
    pub async fn look(&self, handle: &Handle) -> Result<Unit, BusError> {
        let mut unit = Unit::default();
        for (property, value) in self.properties(handle).await? {
            unit.set(&property, value);
        }
        if let Some(job) = &mut unit.job {
            job.kind = self.job_type(job.id).await?;
        }
        Ok(unit)
    }

    /// What the job with this id does; [`None`] where there is no such job any more.
    pub async fn job_type(&self, id: u32) -> Result<Option<JobType>, BusError> {
        Ok(JobType::ask(&self.connection, id).await?)
    }

    /// UNIT's settings now.
    pub async fn settings(&self, handle: &Handle) -> Result<Settings, BusError> {
        let mut settings = Settings::default();
        for (property, value) in self.properties(handle).await? {
            settings.set(&property, value);
        }
        Ok(settings)
    }

    /// All that systemd says of it, of one moment: asked for one property at a time, it could have a state of before a change
    /// and a main process of after it. As `systemctl show` does it: to systemd no interface means every interface
    /// (`bus_map_all_properties` in its src/shared/bus-map-properties.c).
    async fn properties(&self, Handle(path): &Handle) -> Result<Vec<(String, Property)>, BusError> {
        let reply = self.connection.systemd(path, PROPERTIES, "GetAll", &[Argument::Text("")]).await?;
        Ok(reply.body().properties().map_err(|_| CallError::Malformed)?)
    }

    /// UNIT's control group now, as below the root of the hierarchy; [`None`] where it has none.
    pub async fn control_group(&self, Handle(path): &Handle) -> Result<Option<String>, BusError> {
        Ok(match self.connection.property(path, SERVICE, "ControlGroup").await? {
            Some(Property::Text(path)) if !path.is_empty() => Some(path),
            _ => None,
        })
    }

    /// Sends a signal to UNIT's processes, and SIGCONT after it, as systemd does when it kills: a stopped process acts
    /// on nothing but SIGKILL.
    pub async fn kill(&self, name: &UnitName, whom: Whom, signal: i32) -> Result<(), Failure> {
        let kill = async |signal| {
            let arguments =
                [Argument::Text(name.as_str()), Argument::Text(whom.name()), Argument::Signed(signal)];
            match self.connection.manager("KillUnit", &arguments).await {
                Ok(_) => Ok(()),
                // It has ended in between.
                Err(CallError::Refused { name, .. }) if name == "org.freedesktop.systemd1.NoSuchProcess" => {
                    Ok(())
                }
                Err(error) => Err(explain(&error)),
            }
        };
        kill(signal).await?;
        if signal == nix::libc::SIGKILL {
            return Ok(());
        }
        // What matters has been said.
        let _ = kill(nix::libc::SIGCONT).await;
        Ok(())
    }

    /// Starts UNIT, unless somebody else has queued a job for it that says otherwise (mode `fail`). One that has exited and
    /// remained active is restarted for it: systemd starts nothing that is active.
    pub async fn start(&self, name: &UnitName, is_exited: bool) -> Result<(), Failure> {
        let method = if is_exited { "RestartUnit" } else { "StartUnit" };
        let arguments = [Argument::Text(name.as_str()), Argument::Text("fail")];
        self.connection.manager(method, &arguments).await.map(drop).map_err(|error| explain(&error))
    }

    /// Why [`Changes`] have ended.
    pub fn why_closed(&self) -> String {
        self.connection.why_closed()
    }
}

/// What a signal is, by its header.
#[derive(Debug, Clone, Copy)]
enum Topic {
    Moved,
    Properties,
    Job,
    JobOver,
    Reloaded,
}

impl Subject {
    /// [`None`] for what does not matter.
    fn topic(&self, header: &Incoming) -> Option<Topic> {
        // The bus signs with its own name, and lets nobody else do so. This counts even before all is set up.
        if header.sender == BUS && header.member == "NameOwnerChanged" {
            return Some(Topic::Moved);
        }
        if self.peer.get().is_some_and(|peer| *peer != header.sender) {
            return None;
        }
        let (Handle(path), _) = self.unit.get()?;
        match (header.interface.as_str(), header.member.as_str()) {
            (PROPERTIES, "PropertiesChanged") if header.path == *path => Some(Topic::Properties),
            (MANAGER, "JobNew") => Some(Topic::Job),
            (MANAGER, "JobRemoved") => Some(Topic::JobOver),
            (MANAGER, "Reloading") => Some(Topic::Reloaded),
            _ => None,
        }
    }
}

impl Wanted for Arc<Subject> {
    type News = Change;

    fn concerns(&self, header: &Incoming) -> bool {
        self.topic(header).is_some()
    }

    fn read(&self, signal: &Incoming) -> Option<Change> {
        let mut body = signal.body();
        match self.topic(signal)? {
            Topic::Moved => (body.string() == Ok(SYSTEMD)).then_some(Change::Moved),
            Topic::Properties => {
                let complete = body.string().ok()? == UNIT;
                Some(Change::Properties { values: body.properties().ok()?, complete })
            }
            topic @ (Topic::Job | Topic::JobOver) => {
                let (_, id) = self.unit.get()?;
                let job = body.unsigned().ok()?;
                body.string().ok()?;
                if body.string() != Ok(id) {
                    return None;
                }
                match topic {
                    Topic::Job => Some(Change::Job(job)),
                    _ => (body.string() == Ok("invalid")).then_some(Change::JobInvalid(job)),
                }
            }
            // Said with true before, and with false after.
            Topic::Reloaded => (body.flag() == Ok(false)).then_some(Change::Reloaded),
        }
    }
}

async fn within<T>(connect: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT_TIMEOUT, connect).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// systemd's own words, with the remedy where it does not let us.
fn explain(error: &CallError) -> Failure {
    let denied = ["AccessDenied", "InteractiveAuthorizationRequired", "AuthFailed"];
    let why = match error {
        CallError::Refused { name, words } if denied.iter().any(|denial| name.ends_with(denial)) => format!(
            "{words}: run the guard as root, or let its user do it (polkit: org.freedesktop.systemd1.manage-units)"
        ),
        error => error.to_string(),
    };
    Failure { why, is_refusal: error.is_refusal() }
}

#[cfg(test)]
mod tests;
