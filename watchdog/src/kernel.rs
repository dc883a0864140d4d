//! What the kernel knows of processes, control groups and sockets, and the calls that have no safe form.

pub mod alarm;
pub(crate) mod ancestry;
pub(crate) mod aside;
pub(crate) mod cgroup;
pub(crate) mod disposition;
pub(crate) mod foreign;
pub(crate) mod gap;
pub(crate) mod memory;
pub mod pidfd;
pub(crate) mod proc;
pub(crate) mod process;
pub(crate) mod progress;
pub mod raw;
pub(crate) mod run_queue;
pub(crate) mod runtime;
pub(crate) mod sock_diag;
pub(crate) mod sockets;
pub(crate) mod stalls;
pub(crate) mod starvation;
pub(crate) mod syscall;
pub mod variable;
