//! Many clients, as a test says it.

use crate::scenario::asked;

/// Many clients, so that it is counted how many requests an outage costs. A rate alone is one: `.load(200)`.
#[derive(Clone, Debug)]
#[must_use = "a Proof has to have them: .load(…)"]
pub struct Load(pub(super) asked::Load);

/// Clients who ask so often a second, all together, whether they are answered or not.
pub fn load(rate: u32) -> Load {
    Load(asked::Load { rate, ..asked::Load::default() })
}

impl From<u32> for Load {
    fn from(rate: u32) -> Self {
        load(rate)
    }
}

impl Load {
    /// How many requests may be open at once; one that is due beyond them fails. By default as many as there can be.
    pub fn connections(mut self, most: u32) -> Self {
        self.0.connections = Some(most);
        self
    }

    /// How long a request may take; by default as the [observer's](super::Proof::timeout).
    pub fn timeout(mut self, span: impl Into<String>) -> Self {
        self.0.timeout = Some(span.into());
        self
    }

    /// Where they ask, over HTTP; by default where the observer does.
    pub fn http(mut self, url: impl Into<String>) -> Self {
        self.0.place.http = Some(url.into());
        self
    }
}
