//! `hangproof diff`.

use super::say;
use crate::cli::Diff;
use crate::error::Error;
use crate::report::diff;
use crate::report::results::Results;

/// Compares two reports; 1 where something is slower than is tolerated.
pub fn diff(options: &Diff) -> Result<u8, Error> {
    let [before, after] = [&options.before, &options.after];
    let (first, second) = (Results::read(before)?, Results::read(after)?);
    let diff = diff::Diff::of(&first, &second, options.tolerance).map_err(|reason| Error::Incomparable {
        before: before.clone(),
        after: after.clone(),
        reason,
    })?;
    say(&diff.render())?;
    Ok(u8::from(diff.is_regression()))
}
