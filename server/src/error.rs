//! What can go wrong, and what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::control::ControlAddress;

/// Why the program failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the port.
    #[error(
        "cannot listen on {address}, because another process already does. Stop it (`ss -ltnp` names it), or choose \
         another address with {option}; port 0 takes any that is free."
    )]
    AddressTaken {
        /// The address that is taken.
        address: SocketAddr,
        /// The option that chooses another.
        option: &'static str,
    },
    /// The kernel refuses to let us listen.
    #[error("cannot listen on {address}: {source}. Choose another address with {option}.")]
    Listen {
        /// The address as given.
        address: String,
        /// The option that chooses another.
        option: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// Anybody on the network could hang the server.
    #[error(
        "refusing to open the control endpoint on {0}, where other machines reach it: whoever does can hang this \
         server. Give --control-token-file FILE to demand a token, or choose a loopback address or unix:PATH."
    )]
    ControlExposed(SocketAddr),
    /// Another process listens on the unix socket.
    #[error(
        "cannot listen on {0}, because another process already does. Stop it, or choose another path with --control."
    )]
    SocketTaken(ControlAddress),
    /// Something that is not ours to remove is in the way.
    #[error(
        "cannot listen on {0}: a file that is not a socket is there. Remove it, or choose another path with --control."
    )]
    NotASocket(ControlAddress),
    /// The token cannot be read.
    #[error("cannot read the control token from {}: {source}", .path.display())]
    TokenUnreadable {
        /// Where it was looked for.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The token is no secret.
    #[error(
        "the control token in {} is no secret: its mode is {mode:03o}, so that others can read or change it. Draw a new one \
         and keep it to its owner: `(umask 077; openssl rand -hex 32 > FILE)`, or `chmod 600 FILE` where nobody can have \
         read it.",
        .path.display()
    )]
    TokenExposed {
        /// Where it is.
        path: PathBuf,
        /// The rights to it, as of chmod(1).
        mode: u32,
    },
    /// An empty token would be no protection.
    #[error(
        "the control token in {} is empty, longer than 4096 bytes or not plain ASCII. Write one into it: `openssl rand -hex 32`.",
        .0.display()
    )]
    TokenUnusable(PathBuf),
    /// The system has no more threads, descriptors, or the like for us.
    #[error("cannot start: {0}")]
    Start(io::Error),

    /// The command line contradicts itself.
    #[error("{0:?} is given twice: say it once")]
    GivenTwice(String),
    /// The control endpoint said no.
    #[error("{0}")]
    Refused(String),
    /// There is no control endpoint there, or it is silent.
    #[error(
        "nothing answers at {address}: {reason}. Is buggy_server running? If its control endpoint is elsewhere, say \
         where with --control ADDR or in BUGGY_SERVER_CONTROL."
    )]
    NoAnswer {
        /// Where we asked.
        address: ControlAddress,
        /// What happened instead.
        reason: String,
    },
}

impl Error {
    /// The failure to listen on `address`, which `option` chose.
    pub fn listen(address: SocketAddr, option: &'static str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::AddrInUse {
            Self::AddressTaken { address, option }
        } else {
            Self::Listen { address: address.to_string(), option, source }
        }
    }

    /// 2 when nothing answers and for a wrong command line (nothing was asked), 1 for everything else.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoAnswer { .. } | Self::GivenTwice(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
