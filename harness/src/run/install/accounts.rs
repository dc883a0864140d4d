//! What a package's installation, and a boot, would have made for a service: users and groups.

use std::collections::BTreeSet;

use super::names::Names;
use super::{COMMAND, RunError, is_of_tree, package};
use crate::machine::Machine;
use crate::model::settings::property;
use crate::scenario::Service;

/// Users and groups, by their names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Accounts {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// Makes the users and groups that the service needs and the machine has not: as the tree's sysusers.d says; a package that makes them
/// when it is installed says nothing there, and its service gets them with a note: with the groups and the home that a user has in the
/// tree, where the unit is the tree's. `owners` are those of the files that were put.
pub fn make<'a>(
    machine: &dyn Machine,
    service: &Service,
    owners: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, RunError> {
    let unit = service.unit_name();
    let show = ["systemctl", "show", "--property=User,Group,SupplementaryGroups,DynamicUser", &unit];
    let mut wanted = Accounts::of_unit(&machine.run(&show, COMMAND)?.stdout);
    wanted.users.extend(service.users.iter().cloned());
    for owner in owners {
        let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
        wanted.add(user, group);
    }
    if is_of_tree(service) {
        wanted.add_all(&Accounts::of_tmpfiles(&package::tmpfiles(machine, &unit)?.1));
    }
    let mut missing = wanted.missing(machine)?;
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    // Of what the tree says for others nothing is used; what it cannot do for them is no matter here.
    let _ = machine.run(&["systemd-sysusers"], COMMAND)?;
    missing = missing.missing(machine)?;
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let names = if is_of_tree(service) { Names::of(&service.unit) } else { Names::default() };
    let groups = missing.groups.difference(&missing.users).map(|group| format!("g {group} -"));
    let lines = groups.chain(missing.users.iter().flat_map(|user| names.sysusers(user))).collect::<Vec<_>>();
    let argv = ["systemd-sysusers", "--inline"].into_iter().chain(lines.iter().map(String::as_str));
    let argv = argv.collect::<Vec<_>>();
    machine.run(&argv, COMMAND)?.successful(&argv)?;
    let still = missing.missing(machine)?;
    if still.is_empty() {
        Ok(vec![format!("the machine had no {missing}, which {unit} needs: made")])
    } else {
        Ok(vec![format!("the machine has no {still}, which {unit} needs, and systemd-sysusers made none")])
    }
}

impl Accounts {
    /// Those that a unit names, of what `systemctl show` says.
    fn of_unit(shown: &str) -> Self {
        let mut names = Self::default();
        let of = |name| property(shown, name).unwrap_or_default();
        // systemd makes these itself, and needs none of them.
        if of("DynamicUser") != "yes" {
            names.add(of("User"), of("Group"));
        }
        of("SupplementaryGroups").split_whitespace().for_each(|group| names.add("", group));
        names
    }

    /// Those that lines of tmpfiles.d name: type, path, mode, user, group (tmpfiles.d(5)).
    fn of_tmpfiles(text: &str) -> Self {
        let mut names = Self::default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let fields = line.split_whitespace().collect::<Vec<_>>();
            let plain = |index: usize| fields.get(index).map_or("", |name| name.trim_start_matches(':'));
            names.add(plain(3), plain(4));
        }
        names
    }

    /// Adds those that are names; numbers need no account.
    fn add(&mut self, user: &str, group: &str) {
        let is_name = |name: &str| !matches!(name, "" | "-" | "root") && name.parse::<u32>().is_err();
        self.users.extend(Some(user.to_owned()).filter(|name| is_name(name)));
        self.groups.extend(Some(group.to_owned()).filter(|name| is_name(name)));
    }

    fn add_all(&mut self, other: &Self) {
        self.users.extend(other.users.iter().cloned());
        self.groups.extend(other.groups.iter().cloned());
    }

    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// Those that the machine does not know.
    fn missing(&self, machine: &dyn Machine) -> Result<Self, RunError> {
        let unknown = |database: &str, names: &BTreeSet<String>| -> Result<BTreeSet<String>, RunError> {
            if names.is_empty() {
                return Ok(BTreeSet::new());
            }
            let argv = ["getent", database].into_iter().chain(names.iter().map(String::as_str));
            let known = machine.run(&argv.collect::<Vec<_>>(), COMMAND)?.stdout;
            let is_known = |name: &str| known.lines().any(|line| line.split(':').next() == Some(name));
            Ok(names.iter().filter(|name| !is_known(name)).cloned().collect())
        };
        Ok(Self { users: unknown("passwd", &self.users)?, groups: unknown("group", &self.groups)? })
    }
}

impl std::fmt::Display for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        match (self.users.is_empty(), self.groups.is_empty()) {
            (true, _) => write!(f, "group {}", list(&self.groups)),
            (false, true) => write!(f, "user {}", list(&self.users)),
            (false, false) => write!(f, "user {} and group {}", list(&self.users), list(&self.groups)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(users: &[&str], groups: &[&str]) -> Accounts {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Accounts { users: set(users), groups: set(groups) }
    }

    #[test]
    fn a_unit_needs_the_users_and_groups_that_it_names() {
        let shown = "User=redis\nGroup=redis\nDynamicUser=no\nSupplementaryGroups=tls 101\n";
        assert_eq!(Accounts::of_unit(shown), names(&["redis"], &["redis", "tls"]));
        let own = "User=x\nGroup=\nDynamicUser=yes\nSupplementaryGroups=tls\n";
        assert_eq!(Accounts::of_unit(own), names(&[], &["tls"]));
        assert_eq!(Accounts::of_unit("User=0\nGroup=root\n"), Accounts::default());
    }

    #[test]
    fn tmpfiles_need_the_users_and_groups_that_they_name() {
        let text =
            "# d /x 0755 a b\nd /run/memcached 0755 memcache memcache -\nL /x - - - - /y\nd /z 0700 :tls\n";
        assert_eq!(Accounts::of_tmpfiles(text), names(&["memcache", "tls"], &["memcache"]));
    }
}
