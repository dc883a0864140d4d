//! A service that reads a file larger than what it may keep in memory, once its limit is lowered.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::fs::Advice;

use super::super::clock;
use super::one_at_a_time;

/// Read for each answer, in pieces from all over the file.
const PIECES_PER_ANSWER: u32 = 4500;
/// Read by the way, so that what is kept is soon gone again; so often that a quick disk is not kept busy by us alone.
const PIECES_PER_TICK: u32 = 64;
const TICK: Duration = Duration::from_millis(5);
const PIECE: usize = 4096;

pub fn serve(listener: &TcpListener, path: &Path) -> io::Result<()> {
    let file = Arc::new(File::open(path)?);
    // What is kept of it already is accounted to whoever wrote it, and would not be squeezed.
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
    let pieces = file.metadata()?.len() / PIECE as u64;
    let read = move |file: &File, count: u32| {
        let mut piece = [0; PIECE];
        for _ in 0..count {
            let _ = file.read_at(&mut piece, fastrand::u64(..pieces.max(1)) * PIECE as u64);
        }
    };
    let background = Arc::clone(&file);
    thread::Builder::new().name("index".to_owned()).spawn(move || {
        loop {
            read(&background, PIECES_PER_TICK);
            clock::pass(TICK);
        }
    })?;
    one_at_a_time(listener, || read(&file, PIECES_PER_ANSWER))
}
