//! Which files make a unit, of what there is in the unit path: `unit_file_find_fragment` in systemd's src/basic/unit-file.c,
//! `unit_file_find_dropin_paths` in its src/shared/dropin.c. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::name::UnitName;

/// `FOLLOW_MAX`
const MOST_ALIASES: usize = 8;

/// A directory of the unit path, as far as it has services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// Files and links in it that are named as services.
    pub units: BTreeMap<String, Entry>,
    /// Of directories `NAME.d`, their names and the names of the files `*.conf` in them.
    pub drop_ins: BTreeMap<String, Vec<String>>,
}

/// What a name in a directory leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file, or a link to one elsewhere: `systemctl link`, or a mask.
    File,
    /// A link to another name in the unit path.
    Alias(UnitName),
}

/// What makes a unit. systemd looks for other names of the one that was asked for and of its file, not of what follows from both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its own name; an alias led to it.
    pub name: UnitName,
    /// All names that lead to it.
    pub names: BTreeSet<String>,
    /// The unit's file.
    pub fragment: Option<PathBuf>,
    /// Drop-ins, in the order in which they count.
    pub drop_ins: Vec<PathBuf>,
}

/// Whether a link of the one name to the other is an alias: `unit_validate_alias_symlink_or_warn`.
pub fn is_alias(link: &UnitName, target: &UnitName) -> bool {
    let kinds = |name: &UnitName| (name.instance().is_some(), name.is_template());
    link != target
        && match (kinds(link), kinds(target)) {
            // Of an instance, to the same one of another template.
            ((true, false), (true, false)) => link.instance() == target.instance(),
            ((true, false), (true, true)) => true,
            (link, target) => link == target,
        }
}

/// Looks for a unit in a unit path, the directory with the first word first.
pub fn find(path: &[Directory], asked: &UnitName) -> Found {
    let map = Map::new(path);
    let fragment = map.follow(asked).or_else(|| map.follow(&asked.template()?));
    let instance = asked.instance().unwrap_or_default();
    let name = match &fragment {
        Some((name, _)) => name.with_instance(instance),
        None => asked.clone(),
    };
    let mut names = map.names(asked);
    if let Some((file, _)) = &fragment
        && file != asked
    {
        // An instance may have a file of its own, or lead elsewhere.
        let is_here = |alias: &UnitName| map.follow(alias).is_none_or(|(target, _)| target == *file);
        let of_file = map.names(file).into_iter().map(|alias| alias.with_instance(instance));
        names.extend(of_file.filter(is_here));
    }
    names.insert(name.clone());
    if !asked.is_template() {
        names.retain(|name| !name.is_template());
    }
    let names = names.into_iter().map(|name| name.as_str().to_owned()).collect();
    let drop_ins = drop_ins(path, &name, &names);
    Found { name, names, fragment: fragment.map(|(_, path)| path), drop_ins }
}

/// What each name leads to, in the first directory that has it.
struct Map<'p>(BTreeMap<UnitName, (&'p Entry, PathBuf)>);

impl<'p> Map<'p> {
    fn new(path: &'p [Directory]) -> Self {
        let mut map = BTreeMap::new();
        for directory in path {
            for (name, entry) in &directory.units {
                if let Ok(unit) = UnitName::new(name) {
                    map.entry(unit).or_insert_with(|| (entry, directory.path.join(name)));
                }
            }
        }
        Self(map)
    }

    /// A name, and the links that lead to it (`unit_file_build_name_map`): a link of one instance to a template leads to the
    /// same instance of that.
    fn names(&self, name: &UnitName) -> BTreeSet<UnitName> {
        let leads_here = |alias: &&UnitName| {
            let Some((target, _)) = self.follow(alias) else { return false };
            match alias.instance().filter(|instance| !instance.is_empty()) {
                Some(instance) => target.with_instance(instance) == *name,
                None => target == *name,
            }
        };
        let mut names: BTreeSet<UnitName> = self.0.keys().filter(leads_here).cloned().collect();
        names.insert(name.clone());
        names
    }

    /// The name of the file to which a name leads at last, and where it is.
    fn follow(&self, name: &UnitName) -> Option<(UnitName, PathBuf)> {
        let mut name = name.clone();
        for hop in 0..MOST_ALIASES {
            let found = self.0.get(&name);
            let (entry, path) = match found {
                Some(found) => found,
                // What a link leads to may be an instance of a template.
                None if hop > 0 => {
                    name = name.template()?;
                    self.0.get(&name)?
                }
                None => return None,
            };
            match entry {
                Entry::File => return Some((name, path.clone())),
                Entry::Alias(target) => name = target.clone(),
            }
        }
        None
    }
}

/// In each directory of the path the names from the most specific on; then the same of aliases; then those of the type. Of
/// files of one name the first counts. They are read in the order of their names.
fn drop_ins(path: &[Directory], name: &UnitName, names: &BTreeSet<String>) -> Vec<PathBuf> {
    let mut files: BTreeMap<&str, PathBuf> = BTreeMap::new();
    let mut look = |names: &[String]| {
        for directory in path {
            for name in names {
                let name = format!("{name}.d");
                let Some(found) = directory.drop_ins.get(&name) else { continue };
                for file in found {
                    let path = || directory.path.join(&name).join(file);
                    files.entry(file).or_insert_with(path);
                }
            }
        }
    };
    look(&name.drop_in_names());
    let aliases = names.iter().filter(|alias| alias.as_str() != name.as_str());
    for alias in aliases.filter_map(|alias| UnitName::new(alias).ok()) {
        look(&alias.drop_in_names());
    }
    look(&["service".to_owned()]);
    files.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `DIRECTORY NAME`, `DIRECTORY NAME -> TARGET` and `DIRECTORY NAME.d/FILE`, a line each.
    fn path(text: &str) -> Vec<Directory> {
        let mut path: Vec<Directory> = ["/etc", "/run", "/usr"]
            .map(|path| Directory { path: path.into(), ..Directory::default() })
            .into();
        for line in text.lines() {
            let (directory, what) = line.trim().split_once(' ').expect("two words");
            let directory =
                path.iter_mut().find(|other| other.path == Path::new(directory)).expect("one of the path");
            if let Some((name, file)) = what.split_once('/') {
                directory.drop_ins.entry(name.to_owned()).or_default().push(file.to_owned());
            } else if let Some((name, target)) = what.split_once(" -> ") {
                let target = UnitName::new(target).expect("a name");
                directory.units.insert(name.to_owned(), Entry::Alias(target));
            } else {
                directory.units.insert(what.to_owned(), Entry::File);
            }
        }
        path
    }

    #[track_caller]
    fn check(text: &str, asked: &str, name: &str, names: &[&str], files: &[&str]) {
        let found = find(&path(text), &UnitName::new(asked).expect("a name"));
        let found_files: Vec<String> =
            found.fragment.iter().chain(&found.drop_ins).map(|path| path.display().to_string()).collect();
        assert_eq!(found.name.as_str(), format!("{name}.service"), "{text}");
        let names: BTreeSet<String> = names.iter().map(|name| format!("{name}.service")).collect();
        assert_eq!(found.names, names, "{text}");
        assert_eq!(found_files, files, "{text}");
    }

    #[test]
    fn the_first_directory_that_has_a_unit_has_the_word() {
        check("/usr a.service\n/run a.service", "a", "a", &["a"], &["/run/a.service"]);
        check("/usr a.service\n/etc a.service", "a", "a", &["a"], &["/etc/a.service"]);
        check("/usr b.service", "a", "a", &["a"], &[]);
    }

    #[test]
    fn aliases_lead_to_a_unit_and_are_names_of_it() {
        let aliased = "/usr a.service\n/etc b.service -> a.service\n/etc c.service -> b.service";
        for asked in ["a", "b", "c"] {
            check(aliased, asked, "a", &["a", "b", "c"], &["/usr/a.service"]);
        }
        // One that leads nowhere, and one that leads to itself.
        check("/usr b.service -> a.service", "b", "b", &["b"], &[]);
        check("/usr b.service -> a.service\n/usr a.service -> b.service", "b", "b", &["b"], &[]);
    }

    #[test]
    fn an_instance_has_its_own_file_or_that_of_the_template() {
        let template = "/usr a@.service\n/usr a@own.service";
        check(template, "a@i", "a@i", &["a@i"], &["/usr/a@.service"]);
        check(template, "a@own", "a@own", &["a@own"], &["/usr/a@own.service"]);
        check(template, "a@", "a@", &["a@"], &["/usr/a@.service"]);
        let aliased = "/usr a@.service\n/etc b@.service -> a@.service\n/etc c@x.service -> a@.service\n/etc d@x.service -> a@x.service";
        check(aliased, "b@i", "a@i", &["a@i", "b@i"], &["/usr/a@.service"]);
        check(aliased, "a@x", "a@x", &["a@x", "b@x", "c@x", "d@x"], &["/usr/a@.service"]);
        check(aliased, "c@x", "a@x", &["a@x", "b@x", "c@x"], &["/usr/a@.service"]);
        check(aliased, "d@x", "a@x", &["a@x", "b@x", "d@x"], &["/usr/a@.service"]);
        let own = "/usr a@.service\n/usr a@own.service\n/etc b@.service -> a@.service";
        check(own, "a@own", "a@own", &["a@own"], &["/usr/a@own.service"]);
    }

    #[test]
    fn drop_ins_of_one_name_stand_for_each_other_and_count_in_the_order_of_their_names() {
        check(
            "/usr a.service\n/usr a.service.d/50-x.conf\n/etc a.service.d/10-y.conf\n/run a.service.d/50-x.conf",
            "a",
            "a",
            &["a"],
            &["/usr/a.service", "/etc/a.service.d/10-y.conf", "/run/a.service.d/50-x.conf"],
        );
    }

    #[test]
    fn drop_ins_are_those_of_prefixes_templates_aliases_and_of_the_type() {
        let of_prefixes = "/usr a-b@.service\n/usr a-b@i.service.d/1.conf\n/usr a-b@.service.d/2.conf\n\
            /usr a-.service.d/3.conf\n/usr a-@.service.d/4.conf\n/usr service.d/5.conf\n/usr a-b.service.d/no.conf\n\
            /etc service.d/1.conf\n/etc a-.service.d/2.conf";
        check(
            of_prefixes,
            "a-b@i",
            "a-b@i",
            &["a-b@i"],
            &[
                "/usr/a-b@.service",
                // Of the type's is the last word, of whatever directory.
                "/usr/a-b@i.service.d/1.conf",
                // The directory comes before the name.
                "/etc/a-.service.d/2.conf",
                "/usr/a-.service.d/3.conf",
                "/usr/a-@.service.d/4.conf",
                "/usr/service.d/5.conf",
            ],
        );
        check(
            "/usr a.service\n/etc b.service -> a.service\n/etc b.service.d/1.conf\n/usr a.service.d/1.conf\n/etc b.service.d/2.conf",
            "b",
            "a",
            &["a", "b"],
            &["/usr/a.service", "/usr/a.service.d/1.conf", "/etc/b.service.d/2.conf"],
        );
    }

    #[test]
    fn a_link_is_an_alias_only_of_what_it_can_stand_for() {
        for (link, target, expected) in [
            ("a", "b", true),
            ("a", "a", false),
            ("a", "b@", false),
            ("a", "b@i", false),
            ("a@", "b@", true),
            ("a@", "b@i", false),
            ("a@i", "b@", true),
            ("a@i", "b@i", true),
            ("a@i", "b@j", false),
            ("a@i", "b", false),
        ] {
            let name = |name| UnitName::new(name).expect("a name");
            assert_eq!(is_alias(&name(link), &name(target)), expected, "{link} -> {target}");
        }
    }
}
