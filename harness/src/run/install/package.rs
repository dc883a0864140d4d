//! What a package's installation, and a boot, would have made for a service: files of tmpfiles.d, directories below `/var`.

use std::path::{Path, PathBuf};

use super::files::{self, Owned};
use super::names::Names;
use super::{COMMAND, RunError, is_of_tree};
use crate::machine::Machine;
use crate::model::text;
use crate::scenario::Service;
use crate::scenario::directory::Found;
use crate::scenario::service::Source;

/// Where packages keep what their services write.
const STATE: [&str; 4] = ["/var/lib", "/var/log", "/var/cache", "/var/spool"];

/// Makes the directories below `/var` that the tree has for a service, by its name, and that the machine has not: as empty as a package
/// brings them.
pub fn make_directories(machine: &dyn Machine, service: &Service, owned: &mut Owned) -> Result<(), RunError> {
    let (true, Source::Tree(tree, _)) = (is_of_tree(service), &service.unit) else { return Ok(()) };
    let names = Names::of_tree(tree);
    for path in state(&service.unit_name())
        .filter(|path| !service.files.contains_key(path) && !service.directories.contains_key(path))
    {
        let Ok(Found::Directory(rights)) = tree.find(&PathBuf::from(&path)) else { continue };
        if !machine.run(&["test", "-e", &path], COMMAND)?.status.success() {
            files::make_directory(machine, &path, rights.mode)?;
            owned.add(&path, names.owner(rights));
        }
    }
    Ok(())
}

/// Where the state of a unit is, by its name: of `redis-server.service` in `redis-server` and in `redis`.
fn state(unit: &str) -> impl Iterator<Item = String> {
    let whole = stem(unit).to_owned();
    let first = whole.split('-').next().unwrap_or_default().to_owned();
    let names = if first == whole { vec![whole] } else { vec![whole, first] };
    STATE.into_iter().flat_map(move |above| {
        names.clone().into_iter().map(move |name| Path::new(above).join(name).to_string_lossy().into_owned())
    })
}

/// `postgresql` of `postgresql@15-main.service`.
fn stem(unit: &str) -> &str {
    unit.split(['@', '.']).next().unwrap_or(unit)
}

/// Makes what the tmpfiles.d of the service's package says.
pub fn create_files(machine: &dyn Machine, service: &Service) -> Result<Vec<String>, RunError> {
    if !is_of_tree(service) {
        return Ok(Vec::new());
    }
    let (files, _) = tmpfiles(machine, &service.unit_name())?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let argv = ["systemd-tmpfiles", "--create", "--"].into_iter().chain(files.iter().map(String::as_str));
    let output = machine.run(&argv.collect::<Vec<_>>(), COMMAND)?;
    let said = if output.status.success() { "" } else { output.stderr.trim() };
    Ok(said
        .lines()
        .take(3)
        .map(|line| format!("systemd-tmpfiles says: {}", text::one_line(line.into())))
        .collect())
}

/// The files of tmpfiles.d that are the service's, and what they say.
pub fn tmpfiles(machine: &dyn Machine, unit: &str) -> Result<(Vec<String>, String), RunError> {
    let found = machine.run(&["ls", "/usr/lib/tmpfiles.d"], COMMAND)?.stdout;
    let files = found.lines().filter(|file| is_named_after(file, unit));
    let files = files.map(|file| format!("/usr/lib/tmpfiles.d/{file}")).collect::<Vec<_>>();
    if files.is_empty() {
        return Ok((files, String::new()));
    }
    let argv = ["cat", "--"].into_iter().chain(files.iter().map(String::as_str)).collect::<Vec<_>>();
    let content = machine.run(&argv, COMMAND)?.stdout;
    Ok((files, content))
}

/// Whether a file of tmpfiles.d goes with a unit, by both names: `postgresql-common.conf` with `postgresql@15-main.service`,
/// `redis.conf` with `redis-server.service`. No package manager is asked: the machine has no package database.
fn is_named_after(file: &str, unit: &str) -> bool {
    let Some(file) = file.strip_suffix(".conf") else { return false };
    let unit = stem(unit);
    let begins_with = |whole: &str, part: &str| {
        let rest = whole.strip_prefix(part);
        !part.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '@', '_']))
    };
    begins_with(file, unit) || begins_with(unit, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_tmpfiles_are_known_by_their_name() {
        for (file, unit) in [
            ("postgresql-common.conf", "postgresql@15-main.service"),
            ("lighttpd.tmpfile.conf", "lighttpd.service"),
            ("redis.conf", "redis-server.service"),
            ("memcached.conf", "memcached.service"),
        ] {
            assert!(is_named_after(file, unit), "{file} {unit}");
        }
        for (file, unit) in
            [("systemd.conf", "sshd.service"), ("x11.conf", "x.service"), ("my.txt", "my.service")]
        {
            assert!(!is_named_after(file, unit), "{file} {unit}");
        }
    }

    #[test]
    fn a_units_state_is_looked_for_by_its_name_and_by_that_of_its_package() {
        let paths = state("redis-server.service").collect::<Vec<_>>();
        assert_eq!(paths[..2], ["/var/lib/redis-server", "/var/lib/redis"]);
        assert_eq!(state("postgresql@15-main.service").next().as_deref(), Some("/var/lib/postgresql"));
        assert_eq!(state("nginx.service").count(), STATE.len());
    }
}
