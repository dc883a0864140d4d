//! The descriptors that the control endpoint keeps for itself.
//!
//! A process out of descriptors cannot accept a connection, not even the one that asks what is wrong. So some are open for
//! nothing but to be closed when that happens: each makes room for one connection, and is opened again after it.
//!
//! Between the two somebody else may take the room. There is hardly anybody (the data plane asks again ten times a second at
//! most), and there are several.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

/// Descriptors to spare.
#[derive(Debug)]
pub struct Reserve {
    original: Option<OwnedFd>,
    spares: Vec<OwnedFd>,
}

impl Reserve {
    /// How many connections there can be at once when nothing else is left.
    pub const SIZE: usize = 8;

    /// Copies of one that is there anyway, as many as can be had.
    pub fn new(original: &impl AsFd) -> Self {
        let mut reserve = Self { original: original.as_fd().try_clone_to_owned().ok(), spares: Vec::new() };
        reserve.refill();
        reserve
    }

    /// Has the reserve complete again, as far as there are descriptors.
    pub fn refill(&mut self) {
        while self.spares.len() < Self::SIZE {
            let Some(Ok(spare)) = self.original.as_ref().map(OwnedFd::try_clone) else { return };
            self.spares.push(spare);
        }
    }

    /// Makes room for one descriptor; whether there was one to spare.
    pub fn give_up_one(&mut self) -> bool {
        self.spares.pop().is_some()
    }
}

/// Whether the process has no descriptor left.
pub fn is_exhausted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::MFILE.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_up_once_and_had_again() {
        let mut reserve = Reserve::new(&io::stderr());
        for _ in 0..2 {
            for _ in 0..Reserve::SIZE {
                assert!(reserve.give_up_one());
            }
            assert!(!reserve.give_up_one());
            reserve.refill();
        }
    }
}
