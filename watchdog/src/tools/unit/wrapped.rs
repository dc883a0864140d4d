//! `sd-watchdog OPTIONS -- COMMAND` as somebody has put it into a unit already. Pure.

use std::path::Path;

use crate::unit::{Command, Word};

/// One that runs a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrapped<'c> {
    /// Its options.
    pub options: &'c [Word],
    /// The service's program and arguments.
    pub command: &'c [Word],
}

impl<'c> Wrapped<'c> {
    /// [`None`] of what is no `sd-watchdog`, or does something else.
    pub fn of(command: &'c Command) -> Option<Self> {
        let dashes = command.arguments.iter().position(|word| word.text == "--")?;
        let (options, command_behind) = (&command.arguments[..dashes], &command.arguments[dashes + 1..]);
        let is_another = options.first().is_some_and(|word| word.text == "guard");
        (is_ours(command) && !command_behind.is_empty() && !is_another)
            .then_some(Self { options, command: command_behind })
    }
}

/// Its program is `sd-watchdog`.
pub fn is_ours(command: &Command) -> bool {
    Path::new(&command.program.text).file_name().is_some_and(|name| name == "sd-watchdog")
}
