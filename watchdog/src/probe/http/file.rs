//! A file of which a request is made: `--header-file` and `--data @PATH`. What stands on a command line is in the process
//! list, and with every entry that a process sends to the journal.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than any server takes of headers, and than a probe should send.
const MOST: u64 = 64 << 10;

/// A file that cannot be taken. Nothing of what it says is repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("cannot be read: {problem}")]
    Unreadable { problem: String },
    #[error("not a file; give the path of one")]
    NoFile,
    #[error("longer than 64 KiB, which is more than a probe sends; give a shorter one")]
    Long,
}

/// All that is in it.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let unreadable = |error: io::Error| FileError::Unreadable { problem: error.to_string() };
    // What is no file, like a pipe that nobody writes to, may not end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(FileError::NoFile);
    }
    let mut content = Vec::new();
    File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut content)).map_err(unreadable)?;
    if content.len() as u64 > MOST { Err(FileError::Long) } else { Ok(content) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_or_not_there_or_too_long_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let (fifo, long) = (directory.path().join("fifo"), directory.path().join("long"));
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("a FIFO");
        std::fs::write(&long, vec![b'x'; (64 << 10) + 1]).expect("written");
        for (path, expected) in [
            (directory.path(), "not a file; give the path of one"),
            (fifo.as_path(), "not a file"),
            (&directory.path().join("none"), "cannot be read: No such file"),
            (&long, "longer than 64 KiB"),
        ] {
            let error = read(path).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        std::fs::write(&long, vec![b'x'; 64 << 10]).expect("written");
        assert_eq!(read(&long).map(|content| content.len()), Ok(64 << 10));
    }
}
