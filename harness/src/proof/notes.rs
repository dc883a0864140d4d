//! What a person should know of a run, kept until something fails: a test that passes says nothing.

use std::sync::{Mutex, PoisonError};

use crate::progress::Progress;

/// The notes of a run.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Vec<String>>);

impl Notes {
    pub fn add(&self, notes: impl IntoIterator<Item = String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(notes);
    }

    /// Each on lines of its own.
    pub fn text(&self) -> String {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().flat_map(|note| [note, "\n"]).collect()
    }
}

impl Progress for Notes {
    fn stage(&self, _: &str) {}

    fn note(&self, what: &str) {
        self.add([what.to_owned()]);
    }

    fn event(&self, _: &str) {}

    fn done(&self) {}
}
