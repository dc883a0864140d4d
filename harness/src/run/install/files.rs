//! What a scenario puts into a machine: files, directories, links.

use std::collections::BTreeMap;
use std::path::Path;

use super::names::Names;
use super::{COMMAND, RunError};
use crate::machine::{Machine, MachineError};
use crate::programs::Programs;
use crate::scenario::Service;
use crate::scenario::directory::{Found, Kind, Rights};
use crate::scenario::service::{self, File, Permissions, Source};

/// What all files of a directory may hold together: a machine's root has 1 GiB.
const LIMIT: u64 = 512 * 1024 * 1024;

/// What was put, and who it is to belong to: `USER`, or `USER:GROUP`.
#[derive(Debug, Default)]
pub struct Owned(Vec<(String, String)>);

impl Owned {
    /// Adds something; whatever belongs to nobody in particular is root's.
    pub fn add(&mut self, target: &str, owner: Option<String>) {
        self.0.extend(owner.map(|owner| (target.to_owned(), owner)));
    }

    /// All owners.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, owner)| owner.as_str())
    }

    /// Gives it to them: of a link, the link itself.
    pub fn hand_over(self, machine: &dyn Machine) -> Result<(), RunError> {
        let mut by_owner = BTreeMap::<String, Vec<String>>::new();
        for (target, owner) in self.0 {
            by_owner.entry(owner).or_default().push(target);
        }
        for (owner, targets) in by_owner {
            // A command line has room for these.
            for targets in targets.chunks(256) {
                let argv = ["chown", "--no-dereference", "--", &owner].into_iter();
                let argv = argv.chain(targets.iter().map(String::as_str)).collect::<Vec<_>>();
                succeed(machine, &argv, &targets[0])?;
            }
        }
        Ok(())
    }
}

/// Makes the service's directories, and puts its files; who is to own them.
pub fn put(machine: &dyn Machine, service: &Service, programs: &Programs) -> Result<Owned, RunError> {
    let mut owned = Owned::default();
    for (target, Permissions { mode, owner }) in &service.directories {
        make_directory(machine, target, mode.unwrap_or(0o755))?;
        owned.add(target, owner.clone());
    }
    for (target, file) in &service.files {
        put_one(machine, target, file, programs, &mut owned)?;
    }
    Ok(owned)
}

fn put_one(
    machine: &dyn Machine,
    target: &str,
    file: &File,
    programs: &Programs,
    owned: &mut Owned,
) -> Result<(), RunError> {
    let File { source, permissions: Permissions { mode, owner } } = file;
    let rights = match source.find().map_err(RunError::File)? {
        Some(Found::Directory(rights)) => {
            make_directory(machine, target, mode.unwrap_or(rights.mode))?;
            return put_all(machine, target, file, rights, owned);
        }
        Some(Found::File(opened)) => Some(opened.rights),
        None => None,
    };
    let default = if matches!(source, Source::Program(_)) { 0o755 } else { 0o644 };
    let mode = mode.or(rights.map(|rights| rights.mode)).unwrap_or(default);
    put_file(machine, target, &source.read(programs).map_err(RunError::File)?, mode)?;
    let own = || rights.and_then(|rights| Names::of(source).owner(rights));
    owned.add(target, owner.clone().or_else(own));
    Ok(())
}

/// All that is in a directory, with its permissions; `top` are those of itself.
fn put_all(
    machine: &dyn Machine,
    target: &str,
    File { source, permissions }: &File,
    top: Rights,
    owned: &mut Owned,
) -> Result<(), RunError> {
    let (Source::Tree(directory, path) | Source::Host(directory, path)) = source else { return Ok(()) };
    let names = Names::of(source);
    let belongs = |rights| permissions.owner.clone().or_else(|| names.owner(rights));
    owned.add(target, belongs(top));
    let mut left = LIMIT;
    for entry in directory.walk(path).map_err(RunError::File)? {
        let there = Path::new(target).join(&entry.path).to_string_lossy().into_owned();
        match entry.kind {
            Kind::Directory => make_directory(machine, &there, entry.rights.mode)?,
            Kind::Link(to) => {
                let to = to.to_string_lossy();
                let argv = ["ln", "--symbolic", "--force", "--no-dereference", "--", to.as_ref(), &there];
                succeed(machine, &argv, &there)?;
            }
            Kind::File => {
                let content = service::read(directory, &path.join(&entry.path), left);
                let content = content.map_err(RunError::File)?;
                left = left.saturating_sub(u64::try_from(content.len()).unwrap_or(u64::MAX));
                put_file(machine, &there, &content, entry.rights.mode)?;
            }
        }
        owned.add(&there, belongs(entry.rights));
    }
    Ok(())
}

fn put_file(machine: &dyn Machine, target: &str, content: &[u8], mode: u32) -> Result<(), RunError> {
    machine.put(target, content, mode).map_err(|error| match error {
        // A machine whose end is the reason says so itself.
        MachineError::Broken { context, source } if machine.obituary().is_none() => {
            RunError::Target { target: target.into(), reason: format!("{context}: {source}") }
        }
        error => error.into(),
    })
}

/// Makes a directory, with those above it.
pub fn make_directory(machine: &dyn Machine, target: &str, mode: u32) -> Result<(), RunError> {
    let mode = format!("--mode={mode:o}");
    succeed(machine, &["install", "--directory", &mode, "--", target], target)
}

fn succeed(machine: &dyn Machine, argv: &[&str], target: &str) -> Result<(), RunError> {
    let output = machine.run(argv, COMMAND)?;
    if output.status.success() {
        return Ok(());
    }
    Err(RunError::Target { target: target.into(), reason: output.stderr.trim().to_owned() })
}
