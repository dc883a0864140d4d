//! What `--metrics-file` finds at its path, and whether that may be replaced: only what is a page of ours.

use std::fs::{self, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::words::metrics::text;

/// Something that is not ours to replace. The message says what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is {what}, which is not replaced; give the path of a file that is to be made", path.display())]
pub struct InTheWay {
    path: PathBuf,
    what: &'static str,
}

/// An error if there is something at `path` that is no page of ours.
pub(super) fn look(path: &Path) -> Result<(), InTheWay> {
    let what = match fs::symlink_metadata(path) {
        // Nothing, or nothing that we may see: whoever writes there will say why not.
        Err(_) => None,
        Ok(found) if !found.is_file() => Some(kind(found.file_type())),
        // After a power failure, a page may be there without its content.
        Ok(found) if found.len() == 0 => None,
        Ok(_) => match beginning(path) {
            Ok(beginning) if text::is_page_of_ours(&beginning) => None,
            Ok(_) => Some("a file of something else"),
            // It has just gone.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // Our pages can be read by all.
            Err(_) => Some("a file that cannot be read"),
        },
    };
    what.map_or(Ok(()), |what| Err(InTheWay { path: path.to_owned(), what }))
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    // It may have become a FIFO or a link since.
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW | nix::libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut beginning = Vec::new();
    file.take(64).read_to_end(&mut beginning)?;
    Ok(beginning)
}

fn kind(file: FileType) -> &'static str {
    match file {
        file if file.is_symlink() => "a link",
        file if file.is_dir() => "a directory",
        file if file.is_char_device() || file.is_block_device() => "a device",
        file if file.is_fifo() => "a FIFO",
        file if file.is_socket() => "a socket",
        _ => "no regular file",
    }
}
