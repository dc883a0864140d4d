//! Who files of the machine's tree belong to, by name: the machine numbers its users anew.

use std::collections::BTreeMap;
use std::path::Path;

use crate::scenario::directory::{Directory, Rights, TEXT_LIMIT};
use crate::scenario::service::{self, Source};

/// The users and groups of a tree.
#[derive(Debug, Default)]
pub struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
    /// Of each user the home.
    homes: BTreeMap<String, String>,
    /// Of each user the groups beside its own.
    memberships: BTreeMap<String, Vec<String>>,
}

impl Names {
    /// Those of the tree that something comes from; nobody's, where it comes from elsewhere.
    pub fn of(source: &Source) -> Self {
        match source {
            Source::Tree(tree, _) => Self::of_tree(tree),
            _ => Self::default(),
        }
    }

    /// Those of a tree. A tree that has no such files has no such names.
    pub fn of_tree(tree: &Directory) -> Self {
        let read = |path: &str| {
            let content = service::read(tree, Path::new(path), TEXT_LIMIT).unwrap_or_default();
            String::from_utf8_lossy(&content).into_owned()
        };
        Self::read(&read("/etc/passwd"), &read("/etc/group"))
    }

    /// passwd(5): name, password, user, group, comment, home, shell; group(5): name, password, group, members.
    fn read(passwd: &str, group: &str) -> Self {
        let homes = passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?.to_owned(), fields.nth(4).filter(|home| home.starts_with('/'))?.to_owned()))
        });
        let mut memberships = BTreeMap::<String, Vec<String>>::new();
        for line in group.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(members)) = (fields.next(), fields.nth(2)) else { continue };
            for member in members.split(',').filter(|member| !member.is_empty()) {
                memberships.entry(member.to_owned()).or_default().push(name.to_owned());
            }
        }
        Self { users: numbered(passwd), groups: numbered(group), homes: homes.collect(), memberships }
    }

    /// What makes a user of the system, by sysusers.d(5): with the home and the groups that it has in the tree.
    pub fn sysusers(&self, user: &str) -> Vec<String> {
        let is_plain = |home: &&String| !home.contains(|c: char| c.is_whitespace() || "\"'\\%".contains(c));
        let home = self.homes.get(user).filter(is_plain).map_or("-", String::as_str);
        let groups =
            self.memberships.get(user).into_iter().flatten().map(|group| format!("m {user} {group}"));
        [format!("u {user} - - {home}")].into_iter().chain(groups).collect()
    }

    /// `USER:GROUP`, where one of them has a name and is not root; other numbers are somebody else's in the machine.
    pub fn owner(&self, rights: Rights) -> Option<String> {
        let name = |names: &BTreeMap<u32, String>, number| match number {
            0 => "root".to_owned(),
            _ => names.get(&number).cloned().unwrap_or_else(|| "root".into()),
        };
        let (user, group) = (name(&self.users, rights.user), name(&self.groups, rights.group));
        (user != "root" || group != "root").then(|| format!("{user}:{group}"))
    }
}

/// Names by their numbers: passwd(5) and group(5) have them first and third.
fn numbered(text: &str) -> BTreeMap<u32, String> {
    let named = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_name_of_the_tree_and_what_has_none_is_roots() {
        let users = "root:x:0:0:root:/:/bin/sh\nredis:x:106:113::/:/bin/false\nbroken\n";
        let names = Names::read(users, "adm:x:4:syslog\nredis:x:113:\n");
        let owner = |user, group| names.owner(Rights { mode: 0o640, user, group });
        assert_eq!(owner(106, 113).as_deref(), Some("redis:redis"));
        assert_eq!(owner(106, 4).as_deref(), Some("redis:adm"));
        assert_eq!(owner(0, 4).as_deref(), Some("root:adm"));
        assert_eq!(owner(106, 7).as_deref(), Some("redis:root"));
        assert_eq!((owner(0, 0), owner(1000, 1000)), (None, None));
    }

    #[test]
    fn a_user_is_made_with_the_home_and_the_groups_that_it_has_in_the_tree() {
        let users = "postgres:x:109:116:a,b:/var/lib/postgresql:/bin/bash\nodd:x:7:7::/my home:/bin/sh\n";
        let names = Names::read(users, "ssl-cert:x:115:postgres,other\nadm:x:4:postgres\npostgres:x:116:\n");
        let made = ["u postgres - - /var/lib/postgresql", "m postgres ssl-cert", "m postgres adm"];
        assert_eq!(names.sysusers("postgres"), made);
        assert_eq!(names.sysusers("odd"), ["u odd - - -"]);
        assert_eq!(names.sysusers("unknown"), ["u unknown - - -"]);
    }
}
