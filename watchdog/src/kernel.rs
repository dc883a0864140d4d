//! What the kernel knows of processes, control groups and sockets, and the calls that have no safe form.

pub mod alarm;
pub mod ancestry;
pub mod cgroup;
pub mod disposition;
pub mod foreign;
pub mod gap;
pub mod memory;
pub mod pidfd;
pub mod proc;
pub mod process;
pub mod progress;
pub mod raw;
pub mod run_queue;
pub mod runtime;
pub mod sock_diag;
pub mod sockets;
pub mod stalls;
pub mod starvation;
pub mod syscall;
pub mod variable;
