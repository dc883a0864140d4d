//! Why a scenario cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

use super::position::Position;
use super::{builtin, schema};

/// A scenario that cannot be used, with the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("the scenario {} cannot be read: {source}{}", .path.display(), near(.path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a scenario.
    #[error("{}", Lines(.0))]
    Invalid(Vec<Mistake>),
}

/// What is wrong in a scenario's file.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The file, as the user named it; an option of the command line.
    pub file: String,
    /// Line and column, both from 1; absent of an option.
    pub at: Option<Position>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// The built-in scenario that was meant, perhaps; or where they are.
fn near(path: &Path) -> String {
    let names = builtin::all().map(|(name, _)| name);
    match path.to_str().and_then(|name| schema::nearest(name, names)) {
        Some(nearest) => format!("; did you mean \"{nearest}\"? `hangproof list` has the built-in scenarios"),
        None => ". `hangproof list` has the built-in scenarios".into(),
    }
}

impl ScenarioError {
    /// Mistakes as they are printed, each on a line.
    pub fn lines(mistakes: &[Mistake]) -> impl fmt::Display {
        Lines(mistakes)
    }
}

struct Lines<'a>(&'a [Mistake]);

/// How many are printed: whoever has more begins with these.
const PRINTED: usize = 40;

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Mistake { file, at, message }) in self.0.iter().take(PRINTED).enumerate() {
            let begin = if index == 0 { "" } else { "\n" };
            write!(f, "{begin}{file}:")?;
            if let Some(at) = at {
                write!(f, "{at}:")?;
            }
            write!(f, " {message}")?;
        }
        let left = self.0.len().saturating_sub(PRINTED);
        if left > 0 {
            write!(f, "\nand {left} more")?;
        }
        Ok(())
    }
}
