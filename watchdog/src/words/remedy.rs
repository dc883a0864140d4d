//! What to do where the kernel refuses something because there is no more of it.

use std::io;

use rustix::io::Errno;

/// The limit that `error` ran into, and how to raise it; [`None`] where it is no limit.
pub fn of_limit(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::MFILE => "raise LimitNOFILE=",
        Errno::NFILE => "raise the sysctl fs.file-max",
        Errno::NOMEM | Errno::NOBUFS => "look at the unit's MemoryMax=, and at the memory of the host",
        _ => return None,
    })
}

/// The same for a process that cannot be started (fork(2), execve(2)).
pub fn of_start(error: &io::Error) -> Option<&'static str> {
    Some(match Errno::from_io_error(error)? {
        Errno::AGAIN => "raise TasksMax= and LimitNPROC=",
        Errno::ACCESS | Errno::PERM => {
            "let the user that sd-watchdog runs as execute it: look at its mode, and at NoExecPaths= and SystemCallFilter="
        }
        Errno::NOEXEC => "if it is a script, begin it with #! and its interpreter",
        _ => return of_limit(error),
    })
}
