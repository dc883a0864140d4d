//! Recordings and reports that somebody names to have them read: regular files, and pipes (`<(zcat run.jsonl.gz)`). What never ends is
//! refused before it has taken all memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// How much is read of what has to be read as a whole.
const LIMIT: u64 = 1 << 30;

/// Opens one.
///
/// # Errors
/// What the system says, or that it is neither a regular file nor a pipe.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    let problem = match () {
        () if kind.is_dir() => "it is a directory, and is to be a file",
        () if kind.is_char_device() || kind.is_block_device() => "it is a device, and is to be a file",
        () => return Ok(file),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

/// All of it.
///
/// # Errors
/// As of [`open`], or that it is too much.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    within(open(path)?, LIMIT)
}

fn within(file: impl io::Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > limit) {
        return Err(io::Error::other(format!("it has more than {} MiB", limit >> 20)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_and_a_directory_are_refused_and_a_pipe_is_read() {
        let said = |path: &str| read(Path::new(path)).expect_err("refused").to_string();
        assert_eq!(said("/dev/zero"), "it is a device, and is to be a file");
        assert_eq!(said("/"), "it is a directory, and is to be a file");
        let (reading, mut writing) = io::pipe().expect("a pipe");
        io::Write::write_all(&mut writing, b"{}").expect("written");
        drop(writing);
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reading));
        assert_eq!(read(Path::new(&path)).expect("read"), b"{}");
    }

    #[test]
    fn of_what_never_ends_no_more_is_read_than_the_limit() {
        let error = within(io::repeat(b'{'), 1 << 20).expect_err("too much");
        assert_eq!(error.to_string(), "it has more than 1 MiB");
    }
}
