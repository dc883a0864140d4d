//! Which engine: the one that `docker` itself would use.
//!
//! testcontainers asks DOCKER_HOST alone. What `docker context use` has chosen stands in files of the client (`docker`'s
//! cli/command/cli.go, `resolveContextName`, and cli/context/store).

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::machine::MachineError;

const HOST: &str = "DOCKER_HOST";
const CONTEXT: &str = "DOCKER_CONTEXT";

/// Executes this program anew, with DOCKER_HOST as the chosen context has it; returns if that is so already, or cannot be.
///
/// To be called before anything else is done: the environment of a program with threads cannot be changed.
pub fn enter() {
    if let Ok(Some(host)) = chosen() {
        let mut arguments = env::args_os();
        let mut anew = Command::new("/proc/self/exe");
        if let Some(name) = arguments.next() {
            anew.arg0(name);
        }
        // What comes back is an error: then whoever connects is told which engine it would have been.
        let _ = anew.args(arguments).env(HOST, host).exec();
    }
}

/// That DOCKER_HOST is what the chosen context says.
///
/// # Errors
/// [`MachineError::Unavailable`]: rather none than another engine than the one that was chosen.
pub fn check() -> Result<(), MachineError> {
    match chosen() {
        Ok(None) => Ok(()),
        Ok(Some(host)) => Err(MachineError::Unavailable {
            reason: format!("the chosen Docker context is of {host}, and not in use"),
            remedy: format!("Set {HOST}={host}."),
        }),
        Err(reason) => Err(MachineError::Unavailable {
            reason,
            remedy: format!("Set {HOST} to a socket (unix://… or tcp://…), or use another context."),
        }),
    }
}

/// What DOCKER_HOST is still to be set to; nothing if it is, or if nobody has chosen a context.
fn chosen() -> Result<Option<String>, String> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if variable(HOST).is_some() {
        return Ok(None);
    }
    let own = || Some(PathBuf::from(variable("HOME")?).join(".docker"));
    let Some(directory) = variable("DOCKER_CONFIG").map(PathBuf::from).or_else(own) else { return Ok(None) };
    host_of_context(&directory, variable(CONTEXT).as_deref())
}

/// The engine's address of the context `named`, else of the one that the client's configuration in `directory` names.
fn host_of_context(directory: &Path, named: Option<&str>) -> Result<Option<String>, String> {
    let configured = read(&directory.join("config.json"));
    let configured = configured.as_ref().and_then(|config| config.get("currentContext")?.as_str());
    let Some(name) = named.or(configured).filter(|name| !matches!(*name, "" | "default")) else {
        return Ok(None);
    };
    // A context's directory has the name's digest for a name; its file has the name.
    let contexts = fs::read_dir(directory.join("contexts/meta")).into_iter().flatten().flatten();
    let found = contexts.map(|entry| entry.path()).find_map(|context| {
        let meta = read(&context.join("meta.json"))?;
        (meta.get("Name")?.as_str()? == name).then_some((context, meta))
    });
    let Some((context, meta)) = found else { return Err(format!("there is no Docker context {name:?}")) };
    let host = meta.pointer("/Endpoints/docker/Host").and_then(Value::as_str).unwrap_or_default();
    let certificates = context.file_name().map(|digest| directory.join("contexts/tls").join(digest));
    let has_tls = certificates.is_some_and(|certificates| certificates.exists());
    match host.split_once("://") {
        Some(("unix", _)) => Ok(Some(host.into())),
        Some(("tcp" | "http", _)) if !has_tls => Ok(Some(host.into())),
        _ => Err(format!(
            "the Docker context {name:?} is of {host:?}, and hangproof speaks neither TLS nor SSH to an engine"
        )),
    }
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_the_one_that_docker_itself_would_use() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |path: &str, content: &str| {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            fs::write(path, content).expect("written");
        };
        for (digest, name, host) in [
            ("a1", "other", "unix:///run/other.sock"),
            ("b2", "remote", "tcp://10.0.0.1:2375"),
            ("c3", "secured", "tcp://10.0.0.1:2376"),
            ("d4", "far", "ssh://user@far"),
        ] {
            let meta = format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#
            );
            write(&format!("contexts/meta/{digest}/meta.json"), &meta);
        }
        write("contexts/tls/c3/docker/ca.pem", "");
        let host = |named| host_of_context(directory.path(), named);
        assert_eq!(host(None), Ok(None), "there is no configuration");
        write("config.json", r#"{"auths":{},"currentContext":"other"}"#);
        assert_eq!(host(None), Ok(Some("unix:///run/other.sock".into())));
        assert_eq!(host(Some("default")), Ok(None), "the variable goes before the file");
        assert_eq!(host(Some("remote")), Ok(Some("tcp://10.0.0.1:2375".into())));
        assert_eq!(host(Some("gone")), Err("there is no Docker context \"gone\"".into()));
        for (named, seen) in [("secured", "tcp://10.0.0.1:2376"), ("far", "ssh://user@far")] {
            let reason = host(Some(named)).expect_err("it cannot be reached");
            assert!(reason.contains(seen) && reason.contains("neither TLS nor SSH"), "{reason}");
        }
    }
}
