//! Files of certificates and keys.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// All the world's authorities are in some 200 KiB.
pub const LARGEST: u64 = 8 << 20;

/// Opens a regular file. A FIFO would be waited for without end, and a device has none.
pub fn open(path: &Path) -> Result<File, String> {
    let words = |error: io::Error| error.to_string();
    // Not to wait for a FIFO's other end. To regular files it means nothing.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(words)?;
    if !file.metadata().map_err(words)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    Ok(file)
}

/// All of it.
pub fn read(file: File) -> Result<Vec<u8>, String> {
    let mut pem = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut pem).map_err(|error| error.to_string())?;
    if pem.len() as u64 > LARGEST {
        return Err(format!("it is larger than {} MiB", LARGEST >> 20));
    }
    Ok(pem)
}
