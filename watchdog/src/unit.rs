//! A service unit, read as systemd reads it: from its manager where there is one, from files by systemd's rules where there
//! is none.
//!
//! ```text
//!   manager: D-Bus ──► properties ─────────────────┐
//!        │ which files                              ├─► Unit ──► Directive { value, set_by }
//!        ▼                                          │
//!   files ──► lines ──► assignments ──► merged ─────┘
//! ```
//!
//! # Whose word counts
//!
//! | what | is taken from |
//! |---|---|
//! | which files make the unit, in which order | the manager: `FragmentPath`, `DropInPaths`; or [`search`], by its rules |
//! | which file and line set a directive | the files, always: no manager remembers it |
//! | the value that is in effect | the manager's property, where the directive has one that is understood here ([`table`]) |
//! | the same without some of the files ([`Unit::without`]), of files that changed since the manager read them, of a template | the files |
//! | the default of what no file sets | the manager, which knows system.conf; else systemd's own, if it has one |
//! | commands, as they were written | the files, where they agree with the manager's `argv[]`; else that, quoted |
//!
//! D-Bus and not `systemctl show`: in its text `argv[]=a b c` can be two words or three, a value can have lines of its own,
//! and colours, pagers and the locale have a say. In the property `ExecStart` (`a(sasbttttuii)`) words are words. It has
//! specifiers (`%i`) expanded and variables (`$A`) not: those are expanded at each start.
//!
//! # Map
//!
//! | file | holds |
//! |---|---|
//! | [`name`] | names: prefix, instance, template, and the drop-in directories that follow from them |
//! | [`lines`] | a file's text as assignments: continuation, comments, sections (src/shared/conf-parser.c) |
//! | [`words`] | a value as words, and words as a value: quotes and escapes (src/basic/extract-word.c) |
//! | [`specifier`] | `%i` (src/shared/specifier.c) |
//! | [`command`] | `ExecStart=` (src/core/load-fragment.c) |
//! | [`value`] | what a directive can be: time, signal, flag … |
//! | [`read`] | one assignment: what it does to its directive |
//! | [`table`] | the directives: what each can be, what an empty or invalid value does to it, its property, its default |
//! | [`merge`] | assignments in order, and what is in effect at the end |
//! | [`search`] | which files make a unit, of what there is in the unit path (src/basic/unit-file.c, src/shared/dropin.c) |
//! | [`files`] | I/O: a tree or a file |
//! | [`manager`] | I/O: systemd itself |

use std::path::{Path, PathBuf};

use self::lines::Lines;
use self::merge::{Defaults, Properties, Values};
use self::search::Found;
use self::specifier::Subject;

pub use self::command::{Command, Flags, Word};
pub use self::files::{FilesError, Tree};
pub use self::lines::{Assigned, Complaint, Fault};
pub use self::manager::{Manager, ManagerError};
pub use self::name::UnitName;
pub use self::value::{Statuses, Value};
pub use crate::systemd::scope::Scope;

use crate::systemd::dbus::Property;

pub mod command;
pub mod files;
pub mod lines;
pub mod manager;
pub mod merge;
pub mod name;
pub mod read;
pub mod search;
pub mod specifier;
pub mod table;
pub mod value;
pub mod words;

/// What systemd makes of a unit's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// They can be started from.
    Loaded,
    /// The file is empty, or a link to `/dev/null`.
    Masked,
    /// There is no file of this name.
    NotFound,
    /// There is a file, and systemd refuses to load it (`bad-setting`, `error`); its words, as far as it says any.
    Refused(String),
}

/// A file that a unit is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFile {
    /// Where it is, as systemd names it; below a root of another system, without that root.
    pub path: PathBuf,
    /// Its text. What is not UTF-8 is in none of its assignments.
    pub text: String,
    /// What systemd passes over in it, or stops at.
    pub complaints: Vec<Complaint>,
}

/// An assignment that counts: none was after it that takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The file, in [`Unit::files`].
    pub file: usize,
    /// The line in it, from 1 on; of a value over several lines, the last.
    pub line: usize,
    /// The value as it is written, continued lines joined.
    pub text: String,
}

/// What becomes of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directive<'u> {
    /// What is in effect, set or default. [`None`]: nothing is, or the default is not known here.
    pub value: Option<&'u Value>,
    /// By what it was set; of a list, all assignments since it was emptied last. None: `value` is the default, or comes from
    /// elsewhere (`systemd-run`, what systemd derives from other directives).
    pub set_by: &'u [Assignment],
}

/// A unit.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its name, where an alias was asked for the name that it leads to; of a template the template's.
    pub name: UnitName,
    /// All names that lead to it, its own among them, in alphabetical order.
    pub names: Vec<String>,
    /// Whose it is.
    pub scope: Scope,
    /// What systemd makes of its files.
    pub load: Load,
    /// The unit's file first, if there is one, then drop-ins, the last of which has the last word.
    pub files: Vec<UnitFile>,
    /// It was made by `systemd-run` or the like, and is gone when it ends.
    pub is_transient: bool,
    /// The files have changed since systemd read them: what is here is what they say now, which counts from `systemctl
    /// daemon-reload` on.
    pub needs_reload: bool,
    /// What each file assigns.
    lines: Vec<Lines>,
    /// The first file is the unit's own.
    has_own: bool,
    properties: Option<Properties>,
    defaults: Defaults,
    values: Values,
}

/// What a unit is made from.
pub(crate) struct Made {
    /// Names and files.
    pub found: Found,
    /// What systemd, or the look at the files, says.
    pub load: Load,
    /// The files, and what they assign.
    pub files: Vec<(UnitFile, Lines)>,
    /// Whose it is.
    pub scope: Scope,
    /// What its manager has for all units.
    pub defaults: Defaults,
    /// What its manager says.
    pub properties: Option<Properties>,
    /// See [`Unit::is_transient`].
    pub is_transient: bool,
    /// See [`Unit::needs_reload`].
    pub needs_reload: bool,
}

impl Made {
    /// From files alone, of the system's manager, with its defaults as they are built in.
    pub fn of_files(found: Found, load: Load, files: Vec<(UnitFile, Lines)>) -> Self {
        Self {
            found,
            load,
            files,
            scope: Scope::System,
            defaults: Defaults::default(),
            properties: None,
            is_transient: false,
            needs_reload: false,
        }
    }
}

impl Unit {
    /// As the manager has it; [`Load::NotFound`] is no error.
    pub fn of_manager(scope: Scope, name: &UnitName) -> Result<Self, ManagerError> {
        manager::read(scope, name)
    }

    /// As systemd would load it from the unit path of the tree at `root`.
    pub fn of_tree(root: &Path, scope: Scope, name: &UnitName) -> Result<Self, FilesError> {
        Tree::open(root, scope)?.unit(name)
    }

    /// From one file, and from `FILE.d/*.conf` beside it.
    pub fn of_file(path: &Path) -> Result<Self, FilesError> {
        files::read_file(path)
    }

    /// From texts: of the unit's own file, and of drop-ins.
    pub fn of_texts<'t>(name: &UnitName, texts: impl IntoIterator<Item = (&'t str, &'t [u8])>) -> Self {
        let files: Vec<_> = texts.into_iter().map(|(path, text)| files::file(path.into(), text)).collect();
        let fragment = files.first().map(|(file, _)| file.path.clone());
        let names = [name.as_str().to_owned()].into();
        let found = Found { name: name.clone(), names, fragment, drop_ins: Vec::new() };
        Self::made(Made::of_files(found, Load::Loaded, files))
    }

    pub(crate) fn made(made: Made) -> Self {
        let Made { found, load, files, scope, defaults, properties, is_transient, needs_reload } = made;
        let (files, lines): (Vec<UnitFile>, Vec<Lines>) = files.into_iter().unzip();
        let mut unit = Self {
            name: found.name,
            names: found.names.into_iter().collect(),
            scope,
            load,
            has_own: files.first().is_some_and(|first| Some(&first.path) == found.fragment.as_ref()),
            files,
            is_transient,
            needs_reload,
            lines,
            properties,
            defaults,
            values: Values::default(),
        };
        unit.evaluate();
        unit
    }

    fn evaluate(&mut self) {
        let fragment = self.files.first().filter(|_| self.has_own).map(|file| file.path.clone());
        let subject = Subject { name: &self.name, scope: self.scope, fragment: fragment.as_deref() };
        let merged = merge::merge(&self.lines, self.has_own, subject);
        self.values = merged.values;
        for (file, complaints) in self.files.iter_mut().zip(merged.complaints) {
            file.complaints = complaints;
        }
        merge::complete(&mut self.values, self.properties.as_ref(), self.defaults);
        // The manager has said it.
        if self.properties.is_none() && matches!(self.load, Load::Loaded | Load::Refused(_)) {
            self.load = match merged.refused {
                Some(why) => Load::Refused(why),
                None => merge::verify(&self.values),
            };
        }
    }

    /// The unit as it would be without those of its files that `is_out` names.
    #[must_use]
    pub fn without(&self, is_out: impl Fn(&UnitFile) -> bool) -> Self {
        let mut unit = self.clone();
        let keeps: Vec<bool> = self.files.iter().map(|file| !is_out(file)).collect();
        if keeps.iter().all(|keeps| *keeps) {
            return unit;
        }
        let mut kept = keeps.iter();
        unit.files.retain(|_| *kept.next().unwrap_or(&true));
        let mut kept = keeps.iter();
        unit.lines.retain(|_| *kept.next().unwrap_or(&true));
        unit.has_own &= keeps[0];
        let out = self.lines.iter().zip(&keeps).filter(|(_, keeps)| !**keeps);
        unit.change(out.map(|(lines, _)| lines));
        unit
    }

    /// The unit as it would be with one more drop-in. What counts is its file's name, whichever directory it is in: drop-ins are
    /// read in the order of their names, and of two of one name there is one (systemd.unit(5)).
    #[must_use]
    pub fn with(&self, path: &Path, text: &str) -> Self {
        let (file, lines) = files::file(path.to_owned(), text.as_bytes());
        let has_own = usize::from(self.has_own);
        let is_namesake = |other: &UnitFile| other.path.file_name() == path.file_name();
        let namesake = self.files.iter().skip(has_own).find(|other| is_namesake(other));
        let mut unit = match namesake {
            Some(namesake) => self.without(|other| other.path == namesake.path),
            None => self.clone(),
        };
        let is_before = |other: &&UnitFile| other.path.file_name() < path.file_name();
        let place = has_own + unit.files.iter().skip(has_own).take_while(is_before).count();
        unit.files.insert(place, file);
        unit.lines.insert(place, lines.clone());
        unit.change([&lines]);
        unit
    }

    /// Evaluates it anew; of what these lines assign, the manager's word counts no more.
    fn change<'l>(&mut self, lines: impl IntoIterator<Item = &'l Lines>) {
        let assigned = lines.into_iter().flat_map(|lines| &lines.assigned);
        let names: Vec<(String, String)> =
            assigned.map(|assigned| (assigned.section.clone(), assigned.key.clone())).collect();
        if let Some(properties) = &mut self.properties {
            for property in merge::overshadowed(&names) {
                properties.remove(property);
            }
        }
        self.evaluate();
        if let (Some(_), Load::Loaded | Load::Refused(_)) = (&self.properties, &self.load) {
            self.load = merge::verify(&self.values);
        }
    }

    /// Its drop-ins, in the order in which they count.
    pub fn drop_ins(&self) -> &[UnitFile] {
        &self.files[usize::from(self.has_own)..]
    }

    /// What the file at `path` assigns, valid or not.
    pub fn assigned(&self, path: &Path) -> &[Assigned] {
        let file = self.files.iter().position(|file| file.path == path);
        file.map_or(&[], |file| &self.lines[file].assigned)
    }

    /// A directive, like `("Service", "KillMode")`. Of any name: of one that [`table`] does not have, the lines.
    pub fn get(&self, section: &str, name: &str) -> Directive<'_> {
        match self.values.get(section, name) {
            Some(entry) => Directive { value: entry.value.as_ref(), set_by: &entry.set_by },
            None => Directive { value: None, set_by: &[] },
        }
    }

    /// A directive's value in `[Service]`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.get("Service", name).value
    }

    /// All directives that there is something to say about, by section and name: set by a file, known to the manager, or with
    /// a default. What systemd does not know is among them.
    pub fn directives(&self) -> impl Iterator<Item = (&str, &str, Directive<'_>)> {
        self.values.iter().map(|(section, name, entry)| {
            (section, name, Directive { value: entry.value.as_ref(), set_by: &entry.set_by })
        })
    }

    /// Whether the manager has said what value a directive has, and it was understood.
    pub fn is_told(&self, section: &str, name: &str) -> bool {
        let row = table::find(section, name);
        let property = row.and_then(|row| Some((row.kind, self.properties.as_ref()?.get(row.property?)?)));
        property.is_some_and(|(kind, property)| read::of_property(kind, property).is_some())
    }

    /// Sockets, timers and the like that start it, as far as the manager knows them; none of a unit of files alone.
    pub fn triggered_by(&self) -> &[String] {
        match self.properties.as_ref().and_then(|properties| properties.get("TriggeredBy")) {
            Some(Property::Texts(units)) => units,
            _ => &[],
        }
    }

    /// The commands of `ExecStart=`, `ExecReload=` and the like.
    pub fn commands(&self, name: &str) -> &[Command] {
        self.value(name).map(Value::commands).unwrap_or_default()
    }

    /// Where an assignment stands: `/etc/systemd/system/a.service:3`.
    pub fn place(&self, assignment: &Assignment) -> String {
        let path = self.files.get(assignment.file).map(|file| file.path.display().to_string());
        format!("{}:{}", path.unwrap_or_default(), assignment.line)
    }
}

impl Directive<'_> {
    /// It was set by a file.
    pub fn is_set(&self) -> bool {
        !self.set_by.is_empty()
    }
}
