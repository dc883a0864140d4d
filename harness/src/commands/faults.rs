//! `hangproof faults`.

use super::{columns, say};
use crate::cli::Faults;
use crate::error::Error;
use crate::fault::catalogue;
use crate::report::faults::{in_full, overview};
use crate::scenario::hint;

/// Prints the catalogue of faults, or one of it in full.
pub fn faults(options: &Faults) -> Result<(), Error> {
    let Some(name) = &options.name else { return say(&overview(catalogue(), columns())) };
    let unknown = || Error::NoFault { name: name.clone(), hint: hint(name) };
    let spec = catalogue().iter().find(|spec| spec.name == name).ok_or_else(unknown)?;
    say(&in_full(spec, columns()))
}
