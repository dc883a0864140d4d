//! `[service]`: the unit, and what it needs in the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::builtin;
use super::directory::{Bounds, Directory, Found, TEXT_LIMIT};
use super::document::Documents;
use super::section::Section;
use crate::programs::{PROGRAMS, Programs};

/// The unit and what it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The unit file.
    pub unit: Source,
    /// Where in the machine, and what.
    pub files: BTreeMap<String, File>,
    /// Directories that are made in the machine.
    pub directories: BTreeMap<String, Permissions>,
    /// Users of the system that are made in the machine, each with a group of its name.
    pub users: BTreeSet<String>,
    /// Whether the unit is enabled.
    pub enabled: bool,
    /// Files that the machine's own tree must bring, and the Debian package that has each. Without them there is nothing
    /// to try: the verdict is skip.
    pub requires: BTreeMap<String, String>,
    /// Controllers of cgroups that the machine must have, likewise.
    pub controllers: BTreeSet<String>,
    /// Sections and directives that become a drop-in, each with its assignments: an empty one resets what the unit has.
    pub overrides: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The unit of the `sd-watchdog guard` beside it. A guard ends only what it has seen healthy, so no fault is injected
    /// before that.
    pub guard: Option<String>,
}

/// What is put into the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Where it comes from.
    pub source: Source,
    /// Who it belongs to, and what it allows.
    pub permissions: Permissions,
}

/// Who something belongs to, and what it allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// `0o640`; absent: as the source has it, 0755 of a directory.
    pub mode: Option<u32>,
    /// `redis:redis`; absent: root.
    pub owner: Option<String>,
}

/// Where something comes from.
#[derive(Clone, PartialEq)]
pub enum Source {
    /// One of our programs.
    Program(String),
    /// A unit that `hangproof` carries with it.
    BuiltIn(String),
    /// What the machine's tree brings: a unit's name, or a path.
    Tree(Directory, PathBuf),
    /// A file or a directory of the host.
    Host(Directory, PathBuf),
    /// This text.
    Text(String),
}

const PROGRAM: &str = "bin:";
const BUILT_IN: &str = "builtin:";
const TREE: &str = "tree:";

/// What a file may hold that is put into a machine: its root has 1 GiB.
const FILE_LIMIT: u64 = 256 * 1024 * 1024;

impl fmt::Debug for Source {
    /// As a scenario has it, wherever the scenario is: of this a case's id is made.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name) => write!(f, "{PROGRAM}{name}"),
            Self::BuiltIn(name) => write!(f, "{BUILT_IN}{name}"),
            Self::Tree(_, path) => write!(f, "{TREE}{}", path.display()),
            Self::Host(_, path) => write!(f, "{}", path.display()),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl Source {
    /// A file that the user has named, wherever it is.
    pub fn file(path: &Path) -> Self {
        Self::Host(Directory::of(PathBuf::new(), Bounds::None), path.to_owned())
    }

    /// Its path's last part; of a text there is none.
    pub fn name(&self) -> String {
        let path = match self {
            Self::Program(name) | Self::BuiltIn(name) => Path::new(name),
            Self::Tree(_, path) | Self::Host(_, path) => path,
            Self::Text(_) => Path::new(""),
        };
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What is at it, where that is outside of us.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub fn find(&self) -> Result<Option<Found>, String> {
        let (Self::Tree(directory, path) | Self::Host(directory, path)) = self else { return Ok(None) };
        match directory.find(path)? {
            Found::File(file) if file.size > FILE_LIMIT => {
                Err(format!("{} has more than {} MiB", path.display(), FILE_LIMIT >> 20))
            }
            found => Ok(Some(found)),
        }
    }

    /// What it says where that is part of the question: not of programs, nor of the machine's tree.
    pub fn text(&self) -> String {
        let bytes = match self {
            Self::Program(_) | Self::Tree(..) => Vec::new(),
            Self::BuiltIn(_) | Self::Text(_) | Self::Host(..) => {
                self.read(&Programs::default()).unwrap_or_default()
            }
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its content, if it is a file.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub fn read(&self, programs: &Programs) -> Result<Vec<u8>, String> {
        match self {
            Self::Program(name) => {
                let path = programs.path(name);
                std::fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
            }
            Self::BuiltIn(name) => Ok(builtin::unit(name).unwrap_or_default().into()),
            Self::Text(text) => Ok(text.clone().into()),
            Self::Tree(directory, path) | Self::Host(directory, path) => read(directory, path, FILE_LIMIT),
        }
    }
}

/// Reads a regular file.
pub fn read(directory: &Directory, path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let read = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    directory.open(path)?.read(limit).map_err(read)
}

/// What a table of a file, and one of a directory, is called in the reference.
pub const FILE: &str = "service.files.PATH";
/// The same of a directory.
pub const DIRECTORY: &str = "service.directories.PATH";

impl Service {
    /// Reads `[service]`.
    pub(super) fn read(section: &Section, documents: &Documents) -> Option<Self> {
        let unit = section.needed_text("unit");
        let guard = section.text("guard");
        let [unit, guard] = [unit, guard].map(|unit| {
            unit.filter(|unit| {
                let wrong = no_service(unit.get_ref());
                wrong.map(|message| section.wrong(unit.span(), message)).is_none()
            })
        });
        let unit = unit.and_then(|unit| unit_of(section, &unit, documents));
        let files = section.own("files").into_iter().filter_map(|(target, value)| {
            is_absolute(section, &target);
            let file = file(section, target.get_ref(), value, documents)?;
            Some((target.into_inner(), file))
        });
        let directories = section.own("directories").into_iter().filter_map(|(target, value)| {
            is_absolute(section, &target);
            let table = section.table_in(DIRECTORY, value)?;
            Some((target.into_inner(), permissions(&table)))
        });
        let (files, directories) =
            (files.collect::<BTreeMap<_, _>>(), directories.collect::<BTreeMap<_, _>>());
        for target in directories.keys().filter(|target| files.contains_key(*target)) {
            let message = format!("{target} is in files too, which makes the directory itself");
            section.wrong(section.place("directories"), message);
        }
        let in_place = unit.as_ref().map(|unit| format!("/etc/systemd/system/{}", unit.name()));
        if let Some(target) = in_place.filter(|target| files.contains_key(target)) {
            section.wrong(section.place("files"), format!("{target} is where the unit itself is put"));
        }
        let users = section.texts("users");
        for user in users.iter().filter(|user| !is_user(user.get_ref())) {
            section.wrong(user.span(), format!("\"{}\" is no name of a user", user.get_ref()));
        }
        let (controllers, requires) = requires(section);
        let read = Self {
            unit: Source::Text(String::new()),
            files,
            directories,
            users: users.into_iter().map(Spanned::into_inner).collect(),
            enabled: section.flag("enabled").unwrap_or_default(),
            requires,
            controllers,
            overrides: section.assignments("override"),
            guard: guard.map(Spanned::into_inner),
        };
        Some(Self { unit: unit?, ..read })
    }

    /// The unit's name in the machine.
    pub fn unit_name(&self) -> String {
        self.unit.name()
    }

    /// The overrides as a drop-in file; empty if there are none.
    pub fn drop_in(&self) -> String {
        let mut text = String::new();
        for (section, directives) in &self.overrides {
            let _ = writeln!(text, "[{section}]");
            for (directive, value) in directives {
                for value in value {
                    let _ = writeln!(text, "{directive}={value}");
                }
            }
        }
        text
    }

    /// The programs that it names as `bin:NAME`.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.files.values().filter_map(|file| match &file.source {
            Source::Program(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// The unit: a file, a built-in one, or one that the tree has.
fn unit_of(section: &Section, unit: &Spanned<String>, documents: &Documents) -> Option<Source> {
    if let Some(name) = unit.get_ref().strip_prefix(TREE).filter(|name| !name.contains('/')) {
        return Some(Source::Tree(documents.tree(), name.into()));
    }
    let source = source(section, unit, documents)?;
    match &source {
        Source::Program(_) => {
            section.wrong(unit.span(), "a unit is no program");
            return None;
        }
        Source::Host(directory, path) => {
            let read = read(directory, path, TEXT_LIMIT);
            read.map_err(|message| section.wrong(unit.span(), message)).ok()?;
        }
        _ => {}
    }
    Some(source)
}

/// What a text says of where something comes from, and whether it is there.
pub(super) fn source(section: &Section, text: &Spanned<String>, documents: &Documents) -> Option<Source> {
    let found = parse(text, documents).and_then(|source| source.find().map(|_| source));
    found.map_err(|message| section.wrong(text.span(), message)).ok()
}

fn parse(text: &Spanned<String>, documents: &Documents) -> Result<Source, String> {
    let word = text.get_ref();
    if let Some(name) = word.strip_prefix(PROGRAM) {
        // That a unit is none of them is for who reads units to say.
        return if PROGRAMS.contains(&name) || name.ends_with(".service") {
            Ok(Source::Program(name.into()))
        } else {
            Err(format!("there is no \"{word}\"{}", super::schema::suggest(name, PROGRAMS)))
        };
    }
    if let Some(name) = word.strip_prefix(BUILT_IN) {
        let units = builtin::UNITS.map(|(name, _)| name);
        return match builtin::unit(name) {
            Some(_) => Ok(Source::BuiltIn(name.into())),
            None => Err(format!("there is no \"{word}\"{}", super::schema::suggest(name, units))),
        };
    }
    if let Some(path) = word.strip_prefix(TREE) {
        if !path.starts_with('/') {
            return Err(format!("\"{word}\" is not {TREE}/PATH, a path in the machine's tree"));
        }
        return if documents.may_read_host() {
            Ok(Source::Tree(documents.tree(), path.into()))
        } else {
            Err(format!(
                "{path} is a file of this host, not of the scenario's. Allow it with --allow-host-files"
            ))
        };
    }
    match documents.directory(&text.span()) {
        Some(directory) => Ok(Source::Host(directory.clone(), word.into())),
        None => Err(format!("{word} is a file, and what is built in has none beside it")),
    }
}

fn file(section: &Section, target: &str, value: &Spanned<DeValue>, documents: &Documents) -> Option<File> {
    if let Some(text) = value.get_ref().as_str() {
        let text = Spanned::new(value.span(), text.to_owned());
        return Some(File {
            source: source(section, &text, documents)?,
            permissions: Permissions::default(),
        });
    }
    if !value.get_ref().is_table() {
        section.is_no(value, target, "a string or a table");
        return None;
    }
    let table = section.table_in(FILE, value)?;
    let permissions = permissions(&table);
    let source = match (table.text("from"), table.text("text")) {
        (Some(from), None) => source(&table, &from, documents)?,
        (None, Some(text)) => Source::Text(text.into_inner()),
        _ => {
            section.wrong(value.span(), "a file needs exactly one of from and text");
            return None;
        }
    };
    Some(File { source, permissions })
}

fn permissions(table: &Section) -> Permissions {
    let mode = table.text("mode").and_then(|text| {
        let mode = u32::from_str_radix(text.get_ref(), 8).ok().filter(|mode| *mode <= 0o7777);
        if mode.is_none() {
            table.wrong(text.span(), format!("\"{}\" is no mode; an example: \"0640\"", text.get_ref()));
        }
        mode
    });
    let owner = table.text("owner").and_then(|text| {
        let (user, group) = text.get_ref().split_once(':').unwrap_or((text.get_ref(), "root"));
        if is_user(user) && is_user(group) {
            return Some(text.into_inner());
        }
        let message = format!("\"{}\" is neither USER nor USER:GROUP", text.get_ref());
        table.wrong(text.span(), message);
        None
    });
    Permissions { mode, owner }
}

/// `[service.requires]`: controllers, and files with their packages.
fn requires(section: &Section) -> (BTreeSet<String>, BTreeMap<String, String>) {
    let (mut controllers, mut files) = (BTreeSet::new(), BTreeMap::new());
    for (name, value) in section.own("requires") {
        if name.get_ref() == "controllers" {
            let known = ["cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma"];
            for controller in section.texts_of("controllers", value) {
                if !known.contains(&controller.get_ref().as_str()) {
                    let hint = super::schema::suggest(controller.get_ref(), known);
                    let message = format!("there is no controller \"{}\"{hint}", controller.get_ref());
                    section.wrong(controller.span(), message);
                }
                controllers.insert(controller.into_inner());
            }
        } else if let Some(package) = section.text_of(name.get_ref(), value) {
            if !name.get_ref().starts_with('/') {
                let message =
                    format!("\"{}\" is neither an absolute path nor \"controllers\"", name.get_ref());
                section.wrong(name.span(), message);
            }
            files.insert(name.into_inner(), package.into_inner());
        }
    }
    (controllers, files)
}

fn is_absolute(section: &Section, target: &Spanned<String>) {
    let is_plain = |path: &str| {
        let mut parts = Path::new(path).components();
        path.starts_with('/')
            && !path.contains('\0')
            && parts.all(|part| part != std::path::Component::ParentDir)
            && path.len() < 4096
            && !path.trim_end_matches('/').is_empty()
    };
    if !is_plain(target.get_ref()) {
        section.wrong(target.span(), format!("\"{}\" is no absolute path in the machine", target.get_ref()));
    }
}

/// As systemd-sysusers takes them (User/Group Name Syntax), and numbers.
fn is_user(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=31).contains(&name.len()) && name.chars().all(is_part) && !name.starts_with('-')
}

/// Why a unit cannot be started as a service, by its file's name.
fn no_service(unit: &str) -> Option<String> {
    let unit = unit.strip_prefix(TREE).or_else(|| unit.strip_prefix(BUILT_IN)).unwrap_or(unit);
    let name = Path::new(unit).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some(stem) = name.strip_suffix(".service").filter(|stem| !stem.is_empty()) else {
        return Some(format!("\"{unit}\" is not NAME.service"));
    };
    if let Some(wrong) = stem.chars().find(|c| !(c.is_ascii_alphanumeric() || ":-_.\\@".contains(*c))) {
        return Some(format!("a unit's name has no {wrong:?}"));
    }
    let template = stem.strip_suffix('@')?;
    Some(format!(
        "{name} is a template, of which systemd starts instances: name the file {template}@INSTANCE.service"
    ))
}
