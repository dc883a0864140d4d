//! The files of units, of this system, of another's tree, or one that lies anywhere. All I/O on them is here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2, readlinkat, statat};

use super::lines::{self, Lines};
use super::merge::Defaults;
use super::name::{NotAService, UnitName};
use super::search::{self, Directory, Entry, Found, is_alias};
use super::value;
use super::{Load, Made, Scope, Unit, UnitFile};

/// Of one file, in bytes; systemd would read more. No unit of this size was written by anybody.
const LONGEST: u64 = 64 << 20;
/// Of links that lead on to each other: path_resolution(7).
const MOST_LINKS: usize = 40;
/// The sections of a service's file.
const SECTIONS: [&str; 3] = ["Unit", "Service", "Install"];

/// Files that cannot be read. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum FilesError {
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is longer than {} MiB: that is no unit", path.display(), LONGEST >> 20)]
    TooLong { path: PathBuf },
    #[error("{} is neither a file nor /dev/null", path.display())]
    NotAFile { path: PathBuf },
    #[error(transparent)]
    Name(#[from] NotAService),
}

/// systemd's unit path, where it is not told otherwise: systemd.unit(5), "UNIT FILE LOAD PATH".
const SYSTEM_PATH: [&str; 13] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    // Where /usr is not merged.
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];
/// The same of all users' managers; what is in their homes is not a tree's.
const USER_PATH: [&str; 6] = [
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/share/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
];

/// A name in a directory, and what it is the name of.
type Named = (String, FileType);

/// Where `/` is.
#[derive(Debug)]
pub(crate) struct Root(Option<OwnedFd>);

impl Root {
    /// This system's own, or the tree of another, out of which no link leads.
    pub fn new(path: &Path) -> Result<Self, FilesError> {
        if path == Path::new("/") {
            return Ok(Self(None));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(path, flags, Mode::empty()).map_err(|error| unreadable(path)(error.into()))?;
        Ok(Self(Some(root)))
    }

    /// Does not wait for who writes into a FIFO.
    fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        // With O_PATH openat2(2) takes no more than it needs.
        let besides =
            if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NONBLOCK | OFlags::NOCTTY };
        let flags = flags | OFlags::CLOEXEC | besides;
        Ok(match &self.0 {
            None => open(path, flags, Mode::empty())?,
            Some(root) => openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?,
        })
    }

    /// A file's bytes; nothing of what stands for a mask.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>, FilesError> {
        let file = match self.open(path, OFlags::RDONLY) {
            // In a tree that does not run there is nothing in /dev; systemd goes by the link.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_mask(path) => {
                return Ok(Vec::new());
            }
            file => file.map_err(unreadable(path))?,
        };
        let status = fstat(&file).map_err(|error| unreadable(path)(error.into()))?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::CharacterDevice | FileType::BlockDevice => return Ok(Vec::new()),
            FileType::RegularFile => {}
            _ => return Err(FilesError::NotAFile { path: path.to_owned() }),
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::from(file).take(LONGEST + 1).read_to_end(&mut bytes);
        read.map_err(unreadable(path))?;
        if bytes.len() as u64 > LONGEST {
            return Err(FilesError::TooLong { path: path.to_owned() });
        }
        Ok(bytes)
    }

    /// A link that leads to `/dev/null`, by its text or by that of another.
    fn is_mask(&self, path: &Path) -> bool {
        let target = |path: &PathBuf| {
            let link = self.open(path, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
            let target = readlinkat(link, "", Vec::new()).ok()?;
            Some(normal(&path.parent()?.join(OsStr::from_bytes(target.as_bytes()))))
        };
        let mut links = std::iter::successors(Some(path.to_owned()), target).take(MOST_LINKS);
        links.any(|path| path == Path::new("/dev/null"))
    }

    /// The names in a directory, and what they are; none where there is no directory.
    fn names(&self, path: &Path) -> io::Result<(Option<OwnedFd>, Vec<Named>)> {
        let directory = match self.open(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) => directory,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok((None, Vec::new()));
            }
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                    let Ok(status) = statat(&directory, entry.file_name(), flags) else { continue };
                    FileType::from_raw_mode(status.st_mode)
                }
                kind => kind,
            };
            names.push((name.to_owned(), kind));
        }
        Ok((Some(directory), names))
    }

    /// Which directory that is, whatever leads to it.
    fn identity(&self, path: &Path) -> Option<(u64, u64)> {
        let directory = self.open(path, OFlags::PATH | OFlags::DIRECTORY).ok()?;
        let status = fstat(&directory).ok()?;
        Some((status.st_dev, status.st_ino))
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    move |source| FilesError::Unreadable { path: path.to_owned(), source }
}

/// What there is in a unit path.
pub(crate) fn list(root: &Root, path: &[PathBuf]) -> Result<Vec<Directory>, FilesError> {
    let mut identities: Vec<Option<(u64, u64)>> = path.iter().map(|path| root.identity(path)).collect();
    let mut directories = Vec::new();
    for (index, path_of_one) in path.iter().enumerate() {
        // Where /lib is a link, it is /usr/lib once more.
        let identity = identities[index];
        if identity.is_some() && identities[..index].contains(&identity) {
            identities[index] = None;
            continue;
        }
        directories.push(directory(root, path_of_one, path, &identities)?);
    }
    Ok(directories)
}

fn directory(
    root: &Root,
    path: &Path,
    unit_path: &[PathBuf],
    identities: &[Option<(u64, u64)>],
) -> Result<Directory, FilesError> {
    let mut found = Directory { path: path.to_owned(), ..Directory::default() };
    let (Some(handle), names) = root.names(path).map_err(unreadable(path))? else { return Ok(found) };
    for (name, kind) in names {
        if let Some(unit) = name.strip_suffix(".d") {
            let is_for_services =
                unit == "service" || (unit.ends_with(".service") && super::name::is_valid(unit));
            if is_for_services && matches!(kind, FileType::Directory | FileType::Symlink) {
                let path = path.join(&name);
                let (_, files) = root.names(&path).map_err(unreadable(&path))?;
                found.drop_ins.insert(
                    name,
                    files.into_iter().map(|(name, _)| name).filter(|name| is_drop_in(name)).collect(),
                );
            }
            continue;
        }
        let Ok(unit) = UnitName::new(&name) else { continue };
        if unit.as_str() != name {
            continue;
        }
        let entry = match kind {
            FileType::RegularFile => Entry::File,
            FileType::Symlink => match link(root, &handle, path, &unit, unit_path, identities) {
                Some(entry) => entry,
                None => continue,
            },
            _ => continue,
        };
        found.units.insert(name, entry);
    }
    Ok(found)
}

fn is_drop_in(name: &str) -> bool {
    name.strip_suffix(".conf").is_some() && !name.starts_with('.')
}

/// What a link in the unit path stands for; [`None`]: nothing, systemd passes over it.
fn link(
    root: &Root,
    directory: impl AsFd,
    path: &Path,
    name: &UnitName,
    unit_path: &[PathBuf],
    identities: &[Option<(u64, u64)>],
) -> Option<Entry> {
    let target = readlinkat(directory, name.as_str(), Vec::new()).ok()?;
    let target = normal(&path.join(OsStr::from_bytes(target.as_bytes())));
    let parent = target.parent()?;
    let identity = root.identity(parent);
    let is_in_path = unit_path.iter().any(|other| other == parent)
        || (identity.is_some() && identities.contains(&identity));
    if !is_in_path {
        return Some(Entry::File);
    }
    let target_name = target.file_name()?.to_str()?;
    let target = UnitName::new(target_name).ok().filter(|target| target.as_str() == target_name)?;
    is_alias(name, &target).then_some(Entry::Alias(target))
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// Reads the files that were found. A drop-in that is gone, or is none, counts as nothing, as for systemd.
pub(crate) fn read(root: &Root, found: &Found) -> Result<(Load, Vec<(UnitFile, Lines)>), FilesError> {
    let mut load = Load::NotFound;
    let mut files = Vec::new();
    if let Some(fragment) = &found.fragment {
        match root.bytes(fragment) {
            Ok(bytes) => {
                load = if bytes.is_empty() { Load::Masked } else { Load::Loaded };
                files.push(file(fragment.clone(), &bytes));
            }
            // A link that leads nowhere.
            Err(FilesError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    for path in &found.drop_ins {
        match root.bytes(path) {
            Ok(bytes) => files.push(file(path.clone(), &bytes)),
            Err(FilesError::NotAFile { .. }) => {}
            Err(FilesError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok((load, files))
}

/// A file and what it assigns.
pub(crate) fn file(path: PathBuf, bytes: &[u8]) -> (UnitFile, Lines) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    (UnitFile { path, text, complaints: Vec::new() }, lines::parse(bytes, &SECTIONS))
}

/// What there is in the unit path of a tree.
#[derive(Debug)]
pub struct Tree {
    root: Root,
    scope: Scope,
    path: Vec<Directory>,
    defaults: Defaults,
}

impl Tree {
    /// Looks at the tree at `root`.
    pub fn open(root: &Path, scope: Scope) -> Result<Self, FilesError> {
        let root = Root::new(root)?;
        let path: Vec<PathBuf> = match scope {
            Scope::System => SYSTEM_PATH.iter().map(PathBuf::from).collect(),
            Scope::User => USER_PATH.iter().map(PathBuf::from).collect(),
        };
        let (defaults, path) = (defaults(&root, scope)?, list(&root, &path)?);
        Ok(Self { root, scope, path, defaults })
    }

    /// As systemd would load a unit from it.
    pub fn unit(&self, name: &UnitName) -> Result<Unit, FilesError> {
        let found = search::find(&self.path, name);
        let (load, files) = read(&self.root, &found)?;
        let made = Made::of_files(found, load, files);
        Ok(Unit::made(Made { scope: self.scope, defaults: self.defaults, ..made }))
    }
}

/// From a file, and from those in `FILE.d` beside it.
pub(crate) fn read_file(path: &Path) -> Result<Unit, FilesError> {
    let root = Root::new(Path::new("/"))?;
    let name = UnitName::new(&path.file_name().unwrap_or_default().to_string_lossy())?;
    let mut directory = path.as_os_str().to_owned();
    directory.push(".d");
    let directory = PathBuf::from(directory);
    let (_, names) = root.names(&directory).map_err(unreadable(&directory))?;
    let mut names: Vec<String> =
        names.into_iter().map(|(name, _)| name).filter(|name| is_drop_in(name)).collect();
    names.sort_unstable();
    let drop_ins = names.into_iter().map(|name| directory.join(name)).collect();
    let names = [name.as_str().to_owned()].into();
    let found = Found { name, names, fragment: Some(path.to_owned()), drop_ins };
    // Here a file that is not there is an error.
    root.bytes(path)?;
    let (load, files) = read(&root, &found)?;
    Ok(Unit::made(Made::of_files(found, load, files)))
}

/// What the manager's own configuration says: systemd-system.conf(5).
pub(crate) fn defaults(root: &Root, scope: Scope) -> Result<Defaults, FilesError> {
    const PLACES: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
    let name = match scope {
        Scope::System => "system.conf",
        Scope::User => "user.conf",
    };
    let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
    for place in PLACES {
        let directory = Path::new(place).join(format!("{name}.d"));
        let (_, names) = root.names(&directory).map_err(unreadable(&directory))?;
        for (file, _) in names.into_iter().filter(|(file, _)| is_drop_in(file)) {
            let path = directory.join(&file);
            files.entry(file).or_insert(path);
        }
    }
    let own = PLACES.iter().map(|place| Path::new(place).join(name));
    let mut defaults = Defaults::default();
    let mut is_own_read = false;
    for path in own.map(Ok).chain(files.into_values().map(Err)) {
        let (path, is_own) = match path {
            Ok(path) => (path, true),
            Err(path) => (path, false),
        };
        if is_own && is_own_read {
            continue;
        }
        // It is the defaults that are not known then.
        let Ok(bytes) = root.bytes(&path) else { continue };
        is_own_read |= is_own;
        for assigned in lines::parse(&bytes, &["Manager"]).assigned {
            let Some(time) = value::time(&assigned.value) else { continue };
            let time_or_none = time.filter(|time| !time.is_zero());
            match assigned.key.as_str() {
                "DefaultTimeoutStartSec" => defaults.timeout_start = Some(time_or_none),
                "DefaultTimeoutStopSec" => defaults.timeout_stop = Some(time_or_none),
                "DefaultTimeoutAbortSec" => defaults.timeout_abort = Some(time),
                "DefaultRestartSec" => defaults.restart = Some(time),
                _ => {}
            }
        }
    }
    Ok(defaults)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// As an image is unpacked: what is in /dev is mounted when it runs.
    #[test]
    fn a_mask_in_a_tree_is_one_though_nothing_is_in_its_dev() {
        let tree = tempfile::tempdir().expect("a directory");
        let units = tree.path().join("etc/systemd/system");
        std::fs::create_dir_all(units.join("plain.service.d")).expect("a directory");
        std::fs::create_dir_all(tree.path().join("usr/share")).expect("a directory");
        std::fs::write(units.join("plain.service"), "[Service]\nExecStart=/bin/a\n").expect("a file");
        symlink("/dev/null", tree.path().join("usr/share/mask")).expect("a link");
        for (name, target) in [
            ("mask.service", "/dev/null"),
            ("relative.service", "../../../dev/null"),
            ("chain.service", "/usr/share/mask"),
            ("nowhere.service", "/usr/share/away"),
            ("plain.service.d/a.conf", "/dev/null"),
        ] {
            symlink(target, units.join(name)).expect("a link");
        }
        for (name, expected) in [
            ("mask", Load::Masked),
            ("relative", Load::Masked),
            ("chain", Load::Masked),
            ("nowhere", Load::NotFound),
            ("plain", Load::Loaded),
        ] {
            let name = UnitName::new(name).expect("a name");
            let unit = Unit::of_tree(tree.path(), Scope::System, &name).expect("it can be read");
            assert_eq!(unit.load, expected, "{name}");
        }
    }
    #[test]
    fn a_directory_of_the_unit_path_is_known_by_whatever_path_leads_to_it() {
        let tree = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(tree.path().join("opt/units")).expect("a directory");
        std::fs::create_dir_all(tree.path().join("etc/systemd/system")).expect("a directory");
        std::fs::create_dir_all(tree.path().join("usr/lib/systemd")).expect("a directory");
        symlink("/opt/units", tree.path().join("usr/lib/systemd/system")).expect("a link");
        std::fs::write(tree.path().join("opt/units/a.service"), "[Service]\nExecStart=/bin/a\n")
            .expect("a file");
        symlink("/opt/units/a.service", tree.path().join("etc/systemd/system/b.service")).expect("a link");
        let name = UnitName::new("b").expect("a name");
        let unit = Unit::of_tree(tree.path(), Scope::System, &name).expect("it can be read");
        assert_eq!(unit.name.as_str(), "a.service", "b is a link to a file elsewhere: {unit:?}");
    }
}
