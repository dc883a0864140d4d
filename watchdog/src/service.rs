//! COMMAND and helpers: starting processes, and waiting for them.

pub mod child;
pub mod children;
pub mod command;
pub mod end;
pub mod environment;
pub(crate) mod launch;
pub mod signals;
pub(crate) mod withheld;
pub(crate) mod witness;
