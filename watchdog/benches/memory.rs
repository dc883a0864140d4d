//! What a process holds.

use std::fs;
use std::io;

/// Of a process.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Proportional set size: shared pages count in parts. MiB.
    pub pss: f64,
    /// Heap and stack. MiB.
    pub anonymous: f64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Memory {
    /// Fails where the process is gone.
    pub fn of(pid: i32) -> io::Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let field = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
            kib.map(|kib| kib / 1024.0).ok_or_else(|| io::Error::other(format!("no {name} in smaps_rollup")))
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        Ok(Self { pss: field("Pss:")?, anonymous: field("Anonymous:")?, descriptors })
    }
}
