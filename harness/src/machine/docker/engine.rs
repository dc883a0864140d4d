//! The Docker engine: whether one answers, and what is asked of it beside what testcontainers does.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::models::ContainerSummaryStateEnum;
use testcontainers::bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    WaitContainerOptions,
};
use testcontainers::bollard::{self, Docker};
use testcontainers::core::client::docker_client_instance;
use tokio::runtime::Runtime;

use crate::interrupt;
use crate::machine::MachineError;

/// Cgroup namespaces, without which systemd cannot have its own cgroup2, came with this version.
const OLDEST_API: (u32, u32) = (1, 41);
const PATIENCE: Duration = Duration::from_secs(10);

/// One runtime for the whole program: testcontainers shares one client among all containers, whose connections belong
/// to the runtime that made them.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("docker").enable_all().build()
});

/// A connection to the engine.
#[derive(Clone)]
pub struct Engine {
    runtime: &'static Runtime,
    docker: Docker,
    about: About,
}

/// What the engine says of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// `20.10.24`.
    pub version: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// `overlay2`, …
    pub storage: String,
}

impl About {
    /// Whether the engine knows `--security-opt writable-cgroups` (28 and later).
    pub fn writable_cgroups(&self) -> bool {
        self.version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .is_some_and(|major: u32| major >= 28)
    }
}

impl Engine {
    /// Connects and looks whether the engine will do.
    ///
    /// # Errors
    /// [`MachineError::Unavailable`] with the remedy.
    pub fn connect() -> Result<Self, MachineError> {
        super::context::check()?;
        let runtime = RUNTIME.as_ref().map_err(|error| {
            MachineError::broken(
                "starting threads for the Docker client",
                io::Error::new(error.kind(), error.to_string()),
            )
        })?;
        let (docker, about) = unless_interrupted(runtime, async {
            let docker = docker_client_instance().await.map_err(|error| unreachable(&chain(&error)))?;
            let answer = tokio::time::timeout(PATIENCE, about(&docker)).await;
            let about = answer.map_err(|_| unreachable("it did not answer within 10 s"))??;
            Ok::<_, MachineError>((docker, about))
        })??;
        Ok(Self { runtime, docker, about })
    }

    /// What the engine says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The client.
    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Waits for `work` on the program's runtime, or until the user wants to stop.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> Result<T, MachineError> {
        unless_interrupted(self.runtime, work)
    }

    /// Waits for `work` to its end whatever the user wants: what cleans up, or would leave something that nobody knows of.
    pub(super) fn finish<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Starts `work` on the program's runtime.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> tokio::task::AbortHandle {
        self.runtime.spawn(work).abort_handle()
    }

    /// How the container ended, once it has.
    pub(super) async fn exit_of(&self, id: &str) -> String {
        let mut waiting = self.docker.wait_container(id, None::<WaitContainerOptions>);
        match waiting.next().await {
            Some(Ok(end)) => format!("exit code {}", end.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => {
                format!("exit code {code}")
            }
            Some(Err(error)) => chain(&error),
            None => "it is gone".into(),
        }
    }

    /// The container's first process as the host numbers it, and its address if it has one.
    pub(super) async fn place_of(&self, id: &str) -> Result<(i64, Option<IpAddr>), MachineError> {
        let container = self.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let container = container.map_err(|error| failed("inspecting it", &error))?;
        let networks = container.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.values().find_map(|network| network.ip_address.as_ref()?.parse().ok());
        Ok((container.state.and_then(|state| state.pid).unwrap_or_default(), address))
    }

    /// Every container with this label: its id, whether it has ended, and the label's value. One that was just created has not
    /// run yet, and has not ended either.
    pub(super) async fn labelled(&self, label: &str) -> Result<Vec<(String, bool, String)>, MachineError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let containers =
            self.docker.list_containers(Some(options)).await.map_err(|error| failed("listing", &error))?;
        let owned = containers.into_iter().filter_map(|container| {
            let has_ended = matches!(
                container.state,
                Some(ContainerSummaryStateEnum::EXITED | ContainerSummaryStateEnum::DEAD)
            );
            Some((container.id?, has_ended, container.labels?.remove(label)?))
        });
        Ok(owned.collect())
    }

    /// Removes a container, running or not. One that is gone already is no error.
    pub(super) async fn remove(&self, id: &str) -> Result<(), MachineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(id, Some(options)).await {
            // 409: somebody else is just removing it.
            Ok(())
            | Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(failed("removing an abandoned one", &error)),
        }
    }

    /// The last lines that the container's own processes wrote; systemd itself writes none without a terminal.
    pub(super) fn last_lines(&self, id: &str) -> String {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("8").build();
        let lines =
            self.docker.logs(id, Some(options)).filter_map(async |line| line.ok()).map(LogOutput::into_bytes);
        let bytes = self.finish(lines.collect::<Vec<_>>()).concat();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

fn unless_interrupted<T>(runtime: &Runtime, work: impl Future<Output = T>) -> Result<T, MachineError> {
    runtime.block_on(async {
        tokio::select! {
            // What is not begun yet is not.
            biased;
            () = interrupt::heard() => Err(MachineError::interrupted("waiting for the Docker engine")),
            done = work => Ok(done),
        }
    })
}

async fn about(docker: &Docker) -> Result<About, MachineError> {
    let version = docker.version().await.map_err(|error| unreachable(&chain(&error)))?;
    let api = version.api_version.unwrap_or_default();
    let version = version.version.unwrap_or_default();
    if is_too_old(&api) {
        let reason = format!("the Docker engine is too old: version {version}, API {api}");
        return Err(MachineError::Unavailable { reason, remedy: "Install Docker 20.10 or later.".into() });
    }
    let info = docker.info().await.map_err(|error| unreachable(&chain(&error)))?;
    let cgroup_version = info.cgroup_version.map(|version| version.to_string()).unwrap_or_default();
    Ok(About { version, cgroup_version, storage: info.driver.unwrap_or_default() })
}

/// Whether an engine of this API version lacks what a machine needs; one that does not say is taken for old.
fn is_too_old(api: &str) -> bool {
    let number =
        api.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    number.is_none_or(|number: (u32, u32)| number < OLDEST_API)
}

/// No engine: with the remedy that fits what was seen.
fn unreachable(seen: &str) -> MachineError {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".into());
    let remedy = if seen.contains("ermission denied") {
        "Run it with sudo, or join the group docker."
    } else {
        "Install and start Docker (`systemctl start docker`), or set DOCKER_HOST."
    };
    let reason = format!("no Docker engine answers at {host} ({seen})");
    MachineError::Unavailable { reason, remedy: remedy.into() }
}

/// Something about the container did not work.
pub(super) fn failed(what: &str, error: &(dyn Error + 'static)) -> MachineError {
    MachineError::broken(format!("the container, {what}"), io::Error::other(chain(error)))
}

/// An error with its causes, each said once: the client's own messages leave the cause out.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_without_cgroup_namespaces_is_too_old() {
        for (api, expected) in
            [("1.40", true), ("1.41", false), ("1.53", false), ("2.0", false), ("", true), ("x", true)]
        {
            assert_eq!(is_too_old(api), expected, "{api:?}");
        }
    }

    #[test]
    fn the_remedy_fits_what_was_seen() {
        let remedy = |seen: &str| unreachable(seen).to_string();
        assert!(remedy("Permission denied (os error 13)").contains("join the group docker"));
        assert!(remedy("No such file or directory").contains("systemctl start docker"));
    }
}
