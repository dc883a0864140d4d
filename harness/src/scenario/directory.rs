//! The files that a scenario may have read: regular ones, below its own directory unless the user allows more. Whoever runs a
//! stranger's scenario runs it as root.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat2};
use rustix::io::Errno;

/// What a text may hold: a scenario, a unit.
pub const TEXT_LIMIT: u64 = 256 * 1024;

/// A directory, and what may be reached from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// What is not left.
    root: PathBuf,
    /// Where paths start from, in it.
    from: PathBuf,
    bounds: Bounds,
}

/// How far paths lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// Nowhere out of the directory.
    Beneath,
    /// The directory is the root of all paths, as after chroot(2).
    Root,
    /// Anywhere.
    None,
}

/// What is found at a path.
#[derive(Debug)]
pub enum Found {
    /// A regular file.
    File(Opened),
    /// A directory.
    Directory(Rights),
}

/// Who something belongs to, and what it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Permissions.
    pub mode: u32,
    /// By its number.
    pub user: u32,
    /// By its number.
    pub group: u32,
}

/// A regular file that has not been read yet.
#[derive(Debug)]
pub struct Opened {
    handle: OwnedFd,
    /// Who it belongs to.
    pub rights: Rights,
    /// In bytes.
    pub size: u64,
    /// Device and inode: what it is, whatever its name.
    pub identity: (u64, u64),
}

impl Directory {
    /// The directory at `path`.
    pub fn of(path: PathBuf, bounds: Bounds) -> Self {
        let root = if path.as_os_str().is_empty() { ".".into() } else { path };
        Self { root, from: PathBuf::new(), bounds }
    }

    /// The directory of a file in it, which leads as far.
    #[must_use]
    pub fn beside(&self, file: &Path) -> Self {
        let from = self.from.join(file).parent().map(Path::to_owned).unwrap_or_default();
        Self { from, ..self.clone() }
    }

    /// Finds what a path leads to, and reads none of it.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub fn find(&self, path: &Path) -> Result<Found, String> {
        let shown = path.display();
        let handle = self.handle(path).map_err(|error| match error {
            // openat2(2): EXDEV of what leads out, ELOOP of what leads through /proc.
            Errno::XDEV | Errno::LOOP if self.bounds == Bounds::Beneath => format!(
                "{shown} leads out of {}, the scenario's own directory. Put the file there, or allow it with --allow-host-files",
                self.root.display()
            ),
            error => format!("{shown} cannot be read: {}", io::Error::from(error)),
        })?;
        let stat =
            fstat(&handle).map_err(|error| format!("{shown} cannot be read: {}", io::Error::from(error)))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Found::File(Opened::of(handle, &stat))),
            FileType::Directory => Ok(Found::Directory(Rights::of(&stat))),
            kind => Err(format!("{shown} is {}; a scenario takes regular files and directories", Word(kind))),
        }
    }

    /// Opens a regular file.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub fn open(&self, path: &Path) -> Result<Opened, String> {
        match self.find(path)? {
            Found::File(file) => Ok(file),
            Found::Directory(_) => {
                Err(format!("{} is a directory, and is to be a regular file", path.display()))
            }
        }
    }

    /// A handle that reads nothing: to open a device may do something.
    fn handle(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let (flags, path) = (OFlags::PATH | OFlags::CLOEXEC, Path::new(".").join(&self.from).join(path));
        let within = match self.bounds {
            Bounds::None => return open(self.root.join(path), flags, Mode::empty()),
            Bounds::Beneath => ResolveFlags::BENEATH,
            Bounds::Root => ResolveFlags::IN_ROOT,
        };
        let base = open(&self.root, flags | OFlags::DIRECTORY, Mode::empty())?;
        openat2(base, path, flags, Mode::empty(), within | ResolveFlags::NO_MAGICLINKS)
    }

    /// All that is below a directory in it, in the order of the paths from there. Links are kept as links.
    ///
    /// # Errors
    /// What is wrong, and what to do about it.
    pub fn walk(&self, path: &Path) -> Result<Vec<Entry>, String> {
        let handle =
            self.handle(path).map_err(|error| format!("{}: {}", path.display(), io::Error::from(error)))?;
        // By its handle, or a link that is put there meanwhile leads out.
        let opened = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        let mut entries = Vec::new();
        let shown: PathBuf = self.root.join(&self.from).join(path).components().collect();
        below(&shown, &opened, Path::new(""), 0, &mut entries)?;
        Ok(entries)
    }
}

impl Rights {
    fn of(stat: &Stat) -> Self {
        Self { mode: stat.st_mode & 0o7777, user: stat.st_uid, group: stat.st_gid }
    }
}

impl Opened {
    fn of(handle: OwnedFd, stat: &Stat) -> Self {
        Self {
            handle,
            rights: Rights::of(stat),
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            identity: (stat.st_dev, stat.st_ino),
        }
    }

    /// Opens a regular file that the user has named, wherever it is.
    ///
    /// # Errors
    /// What is wrong.
    pub fn anywhere(path: &Path) -> Result<Self, io::Error> {
        let handle = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let stat = fstat(&handle)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Self::of(handle, &stat)),
            kind => Err(io::Error::other(format!("it is {}, and is to be a regular file", Word(kind)))),
        }
    }

    /// All of it, if it is no more than `limit` bytes.
    ///
    /// # Errors
    /// What the system says, or that it is more.
    pub fn read(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        // It may grow meanwhile.
        File::open(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))?
            .take(limit + 1)
            .read_to_end(&mut content)?;
        if u64::try_from(content.len()).is_ok_and(|length| length > limit) {
            return Err(io::Error::other(format!("it has more than {} KiB", limit / 1024)));
        }
        Ok(content)
    }

    /// The same, as text.
    ///
    /// # Errors
    /// What the system says, that it is too much, or no text.
    pub fn text(&self) -> io::Result<String> {
        String::from_utf8(self.read(TEXT_LIMIT)?).map_err(|_| io::Error::other("it is no UTF-8 text"))
    }
}

struct Word(FileType);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            FileType::RegularFile => "a regular file",
            FileType::Directory => "a directory",
            FileType::Fifo => "a FIFO",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            FileType::Socket => "a socket",
            FileType::Symlink => "a symbolic link",
            FileType::Unknown => "of no known kind",
        })
    }
}

/// One thing below a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the directory.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Who it belongs to, and what it allows.
    pub rights: Rights,
}

/// What there may be below a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A link, with what it points to, which is not followed here.
    Link(PathBuf),
}

/// What a directory may hold: enough for any package's `/etc`, too little for a mistake ("/").
const ENTRIES: usize = 4096;
const DEPTH: usize = 24;

fn below(
    root: &Path,
    opened: &Path,
    path: &Path,
    depth: usize,
    entries: &mut Vec<Entry>,
) -> Result<(), String> {
    let shown = || root.join(path).display().to_string();
    let unreadable = |error: io::Error| format!("{} cannot be read: {error}", shown());
    let found = fs::read_dir(opened.join(path)).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut found = found.map_err(unreadable)?;
    found.sort_by_key(fs::DirEntry::file_name);
    for entry in found {
        let path = path.join(entry.file_name());
        if entries.len() == ENTRIES || depth == DEPTH {
            return Err(format!(
                "{} holds more than {ENTRIES} files, or more than {DEPTH} directories in each other",
                root.display()
            ));
        }
        let metadata = entry.metadata().map_err(unreadable)?;
        let rights = Rights { mode: metadata.mode() & 0o7777, user: metadata.uid(), group: metadata.gid() };
        let kind = if metadata.is_symlink() {
            Kind::Link(fs::read_link(entry.path()).map_err(unreadable)?)
        } else if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_file() {
            Kind::File
        } else {
            let message =
                "is no regular file; a scenario takes regular files, directories and symbolic links";
            return Err(format!("{} {message}", root.join(path).display()));
        };
        let is_directory = kind == Kind::Directory;
        entries.push(Entry { path: path.clone(), kind, rights });
        if is_directory {
            below(root, opened, &path, depth + 1, entries)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn here() -> (tempfile::TempDir, Directory) {
        let outer = tempfile::tempdir().expect("a directory");
        let own = outer.path().join("own");
        fs::create_dir_all(own.join("sub")).expect("made");
        fs::write(outer.path().join("secret"), "s").expect("written");
        fs::write(own.join("run.sh"), "x").expect("written");
        fs::set_permissions(own.join("run.sh"), fs::Permissions::from_mode(0o750)).expect("set");
        symlink("../run.sh", own.join("sub/inner")).expect("linked");
        symlink("../secret", own.join("out")).expect("linked");
        symlink("/proc/self/root/etc/passwd", own.join("magic")).expect("linked");
        symlink("self", own.join("self")).expect("linked");
        let directory = Directory::of(own, Bounds::Beneath);
        (outer, directory)
    }

    #[test]
    fn a_scenario_reads_regular_files_below_its_own_directory_and_nothing_else() {
        let (outer, directory) = here();
        let own = outer.path().join("own");
        let _listener = UnixListener::bind(own.join("socket")).expect("bound");
        let fifo = own.join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).expect("made");
        let outside = "leads out of";
        for (path, wrong) in [
            ("../secret", outside),
            ("sub/../../secret", outside),
            ("out", outside),
            ("magic", outside),
            ("/etc/passwd", outside),
            ("/dev/zero", outside),
            ("self", outside),
            ("fifo", "is a FIFO; a scenario takes regular files"),
            ("socket", "is a socket; a scenario takes"),
            ("sub", "is a directory, and is to be a regular file"),
            ("none", "none cannot be read: No such file"),
        ] {
            let error = directory.open(Path::new(path)).expect_err(path);
            assert!(error.contains(wrong), "{path}: {error}");
        }
        for path in ["run.sh", "sub/../run.sh", "sub/inner"] {
            let file = directory.open(Path::new(path)).expect(path);
            assert_eq!((file.rights.mode, file.read(10).expect("read")), (0o750, b"x".to_vec()), "{path}");
        }
    }

    #[test]
    fn who_is_allowed_to_reads_regular_files_anywhere_but_no_devices() {
        let (outer, _) = here();
        let free = Directory::of(outer.path().join("own"), Bounds::None);
        for path in ["../secret", "out", "/etc/passwd"] {
            free.open(Path::new(path)).expect(path);
        }
        let error = free.open(Path::new("/dev/zero")).expect_err("a device");
        assert!(error.contains("/dev/zero is a device"), "{error}");
    }

    #[test]
    fn what_is_huge_is_not_read() {
        let (outer, directory) = here();
        let file = directory.open(Path::new("run.sh")).expect("it is there");
        assert_eq!(file.read(0).expect_err("too much").to_string(), "it has more than 0 KiB");
        // Nor is more of it read than says that it is too much.
        let huge = File::create(outer.path().join("own/huge")).expect("made");
        huge.set_len(1 << 40).expect("a file of holes");
        let file = directory.open(Path::new("huge")).expect("it is there");
        assert_eq!(file.read(1 << 20).expect_err("too much").to_string(), "it has more than 1024 KiB");
    }

    #[test]
    fn a_directory_is_walked_with_its_links_as_they_are() {
        let (_outer, directory) = here();
        let entries = directory.walk(Path::new("")).expect("walked");
        let kind =
            |path: &str| entries.iter().find(|entry| entry.path == Path::new(path)).map(|entry| &entry.kind);
        assert_eq!(kind("sub/inner"), Some(&Kind::Link("../run.sh".into())));
        assert_eq!(kind("self"), Some(&Kind::Link("self".into())));
        assert_eq!((kind("run.sh"), kind("sub")), (Some(&Kind::File), Some(&Kind::Directory)));
    }

    #[test]
    fn a_directory_of_too_many_files_is_refused_by_its_name() {
        let (outer, directory) = here();
        let sub = outer.path().join("own/sub");
        for number in 0..=ENTRIES {
            File::create(sub.join(number.to_string())).expect("made");
        }
        for (walked, path) in [(&directory, "sub"), (&directory.beside(Path::new("sub/x")), "")] {
            let error = walked.walk(Path::new(path)).expect_err("too many");
            assert!(
                error.starts_with(&format!("{} holds more than {ENTRIES} files", sub.display())),
                "{error}"
            );
        }
    }
}
