//! What became of clients' asks.

use serde::Serialize;

use crate::model::clock::Usec;

/// Some asks, in the order in which they became known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// When each was asked, how long it took to be known, and what it came to.
    pub answers: Vec<Answered>,
    /// Why those that were no good were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// So many more good answers came before, among and after these, in a report that would be too long with them. One that failed, or
    /// has one that failed near it, is never left out.
    #[serde(skip_serializing_if = "is_none")]
    pub left_out: u64,
}

/// When it was asked; how many microseconds it took; 0 for a good answer, otherwise the place of its reason, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answered(pub Usec, pub u64, pub usize);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}
