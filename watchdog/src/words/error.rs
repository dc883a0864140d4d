//! Whatever can stop `sd-watchdog` before or beside COMMAND: what to say, and with what code to exit.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::words::exit_code;

/// Why `sd-watchdog` ended without a COMMAND to end like.
#[derive(Debug)]
pub struct Error {
    message: String,
    exit_code: u8,
}

impl Error {
    /// What was given cannot be right: [`exit_code::USAGE`].
    pub fn usage(error: &dyn StdError) -> Self {
        Self::new(error.to_string(), exit_code::USAGE)
    }

    /// The system refuses what is needed, and the message says so: [`exit_code::SYSTEM`].
    pub fn system(error: &dyn StdError) -> Self {
        Self::new(error.to_string(), exit_code::SYSTEM)
    }

    /// Any other way to end, see [`exit_code`].
    pub fn new(message: String, exit_code: u8) -> Self {
        Self { message, exit_code }
    }

    /// The system refuses to let us do `what`.
    pub fn cannot(what: &str, source: &io::Error) -> Self {
        let limits = "LimitNOFILE=, TasksMax=, SystemCallFilter=";
        Self::new(
            format!("cannot {what}: {source}; look at the limits of the unit ({limits})"),
            exit_code::SYSTEM,
        )
    }

    /// `what` cannot be done to the file at `path`.
    pub fn file(what: &str, path: &Path, source: &io::Error) -> Self {
        Self::new(format!("cannot {what} {}: {source}", path.display()), exit_code::SYSTEM)
    }

    /// Standard output does not take what was asked for.
    pub fn print(source: &io::Error) -> Self {
        Self::new(format!("cannot print: {source}"), exit_code::SYSTEM)
    }

    /// The documented exit code, see [`exit_code`].
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {}
