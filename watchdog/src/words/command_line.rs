//! A command as one option's value, split into words as a shell splits them. Nothing is expanded.

/// A command line that is none. The message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    #[error("there is no command; write it as 'CMD ARG...'")]
    Empty,
    #[error(
        "a quote is not closed, or it ends with a backslash (quotes work as in a shell, but no shell is run)"
    )]
    Unbalanced,
    #[error("there is a NUL byte in it")]
    NulByte,
}

/// The words of a command line, as a shell splits them.
pub fn words(command: &str) -> Result<Vec<String>, CommandLineError> {
    if command.contains('\0') {
        return Err(CommandLineError::NulByte);
    }
    let words = shlex::split(command).ok_or(CommandLineError::Unbalanced)?;
    match words.first() {
        Some(program) if !program.is_empty() => Ok(words),
        _ => Err(CommandLineError::Empty),
    }
}
