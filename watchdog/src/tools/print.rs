//! What is asked for goes to standard output, whole or with an error.

use std::io::{self, Write};

use crate::words::error::Error;

/// Prints `text`. What a full disk or a closed pipe has cut off is not a success.
pub fn print(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|source| Error::print(&source))
}
