//! The Docker machine: systemd as PID 1 of a container, through testcontainers.
//!
//! Never `--privileged`, never the host's cgroup tree or its namespaces: CAP_SYS_ADMIN, a private cgroup namespace, and
//! an entrypoint (`entrypoint`, beside this file's modules) that gives systemd a writable cgroup2 whatever the host has. Readiness is PID 1's
//! own `READY=1`, on a notify socket that the harness binds in a directory of its own and mounts into the container:
//! commands are executed only after it, since a process that enters earlier can keep systemd from its cgroup.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testcontainers::core::{AccessMode, CgroupnsMode, CopyDataSource, Mount};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use self::engine::{Engine, failed};
use self::image::Image;
use self::room::Room;
use super::namespace::cgroup_of;
use super::{Machine, MachineError, Namespaces, Network, Output, Stream, layout};
use crate::model::description::{Description, in_ms};
use crate::progress::Progress;

pub mod context;
pub mod engine;
mod exec;
pub mod image;
mod room;

const ENTRYPOINT: &str = include_str!("docker/entrypoint");
const ENTRYPOINT_PATH: &str = "/hangproof-entrypoint";
const BOOT_PATIENCE: Duration = Duration::from_secs(60);
/// By its number: an image need not have names.
const ROOT: &str = "0";
/// Says whose a container is: the directory whose lock its owner holds.
const OWNER: &str = "org.hangproof.room";

/// systemd in a container.
pub struct DockerMachine {
    description: Description,
    engine: Engine,
    container: Option<ContainerAsync<GenericImage>>,
    network: Network,
    /// Its cgroup, where that can be seen from here.
    cgroup: Option<PathBuf>,
    room: Room,
}

/// Whether an engine answers that can run such a machine.
pub fn available() -> Result<(), MachineError> {
    Engine::connect().map(drop)
}

/// The engine and the image that a container would be made of, without making one.
pub fn describe() -> Result<String, MachineError> {
    let engine = Engine::connect()?;
    let about = engine.about();
    let cgroups = match (about.cgroup_version.as_str(), about.writable_cgroups()) {
        ("2", true) => "pure cgroup2: writable-cgroups or a remount give systemd its own",
        ("2", false) => "pure cgroup2: the entrypoint remounts it for systemd",
        _ => "cgroup v1 or hybrid: the entrypoint mounts cgroup2 afresh for systemd",
    };
    let image = image::in_use(&engine)?;
    Ok(format!("Docker {}, storage {}; {cgroups}; {image}", about.version, about.storage))
}

/// Boots a [`DockerMachine`].
pub fn boot(image: Option<&str>, progress: &dyn Progress) -> Result<Box<dyn Machine>, MachineError> {
    Ok(Box::new(DockerMachine::boot(image, progress)?))
}

impl DockerMachine {
    /// Starts a container and waits until its systemd is ready.
    ///
    /// `image` is the user's choice; without one it is resolved as [`image`] says, each step told to `progress`.
    pub fn boot(image: Option<&str>, progress: &dyn Progress) -> Result<Self, MachineError> {
        let engine = Engine::connect()?;
        sweep(&engine)?;
        let image = image::resolve(&engine, image, progress)?;
        progress.stage(&format!("booting systemd in a container of {image}"));
        let room = Room::open()
            .map_err(|error| MachineError::broken("making a directory for the container", error))?;

        let begin = Instant::now();
        let container = engine.finish(request(&image, &room).start()).map_err(|error| {
            let reason = format!("a container of {image} does not start: {}", engine::chain(&error));
            MachineError::Boot { reason, console: String::new() }
        })?;
        let network = Network::Address(SocketAddr::from(([127, 0, 0, 1], 0)));
        let description = Description { backend: "docker".into(), systemd: String::new(), boot_ms: 0.0 };
        let mut machine =
            Self { description, engine, container: Some(container), network, cgroup: None, room };
        machine.await_ready().map_err(super::inotify::or_exhausted)?;
        machine.description.boot_ms = in_ms(begin.elapsed());
        machine.find_place()?;
        if image.has_host_usr {
            // Empty, as /usr/local of no host is.
            let argv = ["mkdir", "/usr/local/bin", "/usr/local/sbin"];
            machine.run(&argv, BOOT_PATIENCE)?.successful(&argv)?;
        }
        machine.description.systemd = super::systemd_version(&machine)?;
        Ok(machine)
    }

    /// The container's id.
    pub fn id(&self) -> &str {
        self.container.as_ref().map_or("", |container| container.id())
    }

    /// The directory that it shares with the harness.
    pub fn room(&self) -> String {
        self.room.path()
    }

    /// Waits for `READY=1`, or for the container's end.
    fn await_ready(&self) -> Result<(), MachineError> {
        let ready = async {
            tokio::select! {
                ready = self.room.ready() => ready.map_err(|error| error.to_string()),
                status = self.engine.exit_of(self.id()) => Err(format!("the container ended ({status})")),
                () = tokio::time::sleep(BOOT_PATIENCE) => Err(format!("waited {BOOT_PATIENCE:?} for READY=1 of PID 1")),
            }
        };
        self.engine.block_on(ready)?.map_err(|reason| {
            let console = self.engine.last_lines(self.id());
            MachineError::Boot { reason, console }
        })
    }

    /// Where on the engine's host the container is, as far as that is this one.
    fn find_place(&mut self) -> Result<(), MachineError> {
        let (pid, address) = self.engine.block_on(self.engine.place_of(self.id()))??;
        let process = PathBuf::from(format!("/proc/{pid}"));
        let is_seen = self.room.is_seen_by(&process);
        self.network = Self::network_of(is_seen.then_some(&process), address)?;
        self.cgroup = if is_seen { top_of_cgroups(&process) } else { None };
        Ok(())
    }

    /// Root on the engine's own host enters the container's network, and meets the service on the address it listens
    /// on; anybody else asks the container's address.
    fn network_of(
        process: Option<&PathBuf>,
        address: Option<std::net::IpAddr>,
    ) -> Result<Network, MachineError> {
        let namespaces = if let Some(process) = process {
            Namespaces::of(process)
        } else {
            Err(std::io::Error::other("its first process is not to be seen from here"))
        };
        match (namespaces, address) {
            (Ok(namespaces), _) if may_enter() => Ok(Network::Namespace(Arc::new(namespaces))),
            (_, Some(address)) => Ok(Network::Address(SocketAddr::new(address, 0))),
            (Err(error), None) => Err(MachineError::broken("finding the container's network", error)),
            (Ok(_), None) => {
                let error = std::io::Error::other("it has no address, and only root may enter its network");
                Err(MachineError::broken("finding the container's network", error))
            }
        }
    }
}

/// Below what its systemd has made of a machine's cgroups: where PID 1 itself is.
const INIT: &str = "init.scope";

/// The top of a container's cgroups, by the directory of its PID 1 in `/proc`.
fn top_of_cgroups(process: &Path) -> Option<PathBuf> {
    let own = cgroup_of(process).ok()??;
    Some(if own.ends_with(INIT) { own.parent()?.to_owned() } else { own })
}

/// setns(2) takes CAP_SYS_ADMIN.
fn may_enter() -> bool {
    rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN))
}

/// The container as it is asked for; `docker/README.md` says what breaks without each line.
fn request(image: &Image, room: &Room) -> testcontainers::ContainerRequest<GenericImage> {
    let mut files = vec![(ENTRYPOINT_PATH.to_owned(), ENTRYPOINT.to_owned())];
    files.extend(layout::MACHINE_FILES.map(|(path, content)| (format!("/etc/{path}"), content.to_owned())));
    let tmpfs = layout::EMPTIED.iter().map(|directory| format!("/usr/lib/systemd/{directory}"));
    let tmpfs = tmpfs.filter(|path| !image.has_host_usr || Path::new(path).is_dir());
    let mut tmpfs =
        tmpfs.map(|path| (path, "mode=755".to_owned())).collect::<std::collections::HashMap<_, _>>();
    tmpfs.insert("/run".into(), "exec,mode=755,size=256m".into());
    tmpfs.insert("/tmp".into(), "exec,mode=1777,size=256m".into());
    if image.has_host_usr {
        tmpfs.insert("/usr/local".into(), "exec,mode=755,size=1g".into());
    }

    let mut request = GenericImage::new(&image.name, &image.tag)
        .with_entrypoint("/bin/sh")
        .with_cmd([ENTRYPOINT_PATH].into_iter().chain(layout::PID1_ARGUMENTS))
        .with_env_var("container", "docker")
        .with_env_var("NOTIFY_SOCKET", Room::NOTIFY_IN_MACHINE)
        .with_label(OWNER, room.path())
        // PID 1 is root, whoever else an image has its own programs run as.
        .with_user(ROOT)
        .with_cap_add("SYS_ADMIN")
        .with_security_opt("apparmor=unconfined")
        .with_cgroupns_mode(CgroupnsMode::Private)
        .with_startup_timeout(BOOT_PATIENCE)
        .with_mount(Mount::bind_mount(room.path(), Room::PATH_IN_MACHINE))
        .with_host_config_modifier(move |host| host.tmpfs = Some(tmpfs.clone()));
    if image.has_host_usr {
        request =
            request.with_mount(Mount::bind_mount("/usr", "/usr").with_access_mode(AccessMode::ReadOnly));
    }
    for (path, content) in files {
        request = request.with_copy_to(path, CopyDataSource::Data(content.into_bytes()));
    }
    request
}

/// Removes containers and rooms whose owner is gone.
fn sweep(engine: &Engine) -> Result<(), MachineError> {
    for (id, has_ended, room) in engine.block_on(engine.labelled(OWNER))?? {
        // A room that is not here may be another computer's, or in another container's /tmp: its own container ends with it,
        // and may be about to start.
        if Room::is_abandoned(&room).unwrap_or(has_ended) {
            // What cannot be removed, a mount of it being busy for one, is no reason not to boot.
            if let Err(error) = engine.finish(engine.remove(&id)) {
                tracing::warn!("{error}");
            }
        }
    }
    Room::sweep();
    Ok(())
}

impl Machine for DockerMachine {
    fn description(&self) -> &Description {
        &self.description
    }

    fn put(&self, path: &str, content: &[u8], mode: u32) -> Result<(), MachineError> {
        // Copying through the engine misses what is mounted into the container; a shell inside does not.
        let script = "mkdir -p \"$(dirname \"$1\")\" && head -c \"$3\" >\"$1\" && chmod \"$2\" \"$1\"";
        let (mode, length) = (format!("{mode:o}"), content.len().to_string());
        let argv = ["sh", "-c", script, "put", path, &mode, &length];
        let patience = Duration::from_secs(60);
        let (code, _, stderr) =
            self.engine.block_on(exec::run(&self.engine, self.id(), &argv, Some(content), patience))??;
        if code == 0 {
            return Ok(());
        }
        Err(MachineError::broken(format!("writing {path}"), std::io::Error::other(stderr.trim().to_owned())))
    }

    fn run(&self, argv: &[&str], deadline: Duration) -> Result<Output, MachineError> {
        let run = exec::run(&self.engine, self.id(), argv, None, deadline);
        let (code, stdout, stderr) = self.engine.block_on(run)??;
        Ok(Output { status: ExitStatus::from_raw((code & 0xff) << 8), stdout, stderr })
    }

    fn start(&self, argv: &[&str]) -> Result<Stream, MachineError> {
        exec::start(&self.engine, self.id(), argv)
    }

    fn cgroup(&self) -> Option<PathBuf> {
        self.cgroup.clone()
    }

    fn network(&self) -> Network {
        self.network.clone()
    }

    fn obituary(&self) -> Option<String> {
        let ending = async { tokio::time::timeout(super::LAST_BREATH, self.engine.exit_of(self.id())).await };
        let status = self.engine.finish(ending).ok()?;
        let ended = format!("the container ended ({status})");
        let lines = self.engine.last_lines(self.id());
        Some(if lines.is_empty() { ended } else { format!("{ended}. Its last lines:\n{lines}") })
    }

    fn close(&mut self) -> Result<(), MachineError> {
        let removed = match self.container.take() {
            Some(container) => {
                self.engine.finish(container.rm()).map_err(|error| failed("removing it", &error))
            }
            None => Ok(()),
        };
        let closed = self.room.close();
        removed?;
        closed.map_err(|error| MachineError::broken("removing the container's directory", error))
    }
}

impl Drop for DockerMachine {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!("{error}");
        }
    }
}
