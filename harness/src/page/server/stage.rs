//! What is behind the page: whoever has the machine.

use super::deed::Deed;

/// Whoever has the machine. The server knows nothing of machines.
///
/// Each of these may block, and is called on a thread where it may.
pub trait Stage: Send + Sync + 'static {
    /// Does it, and says in a sentence what was done.
    fn deed(&self, deed: Deed) -> Result<String, Refused>;
    /// What there is so far, as a file.
    fn export(&self, format: Format) -> Result<Vec<u8>, Refused>;
    /// The page; it has to carry the token, with which deeds are asked for.
    fn document(&self, token: &str) -> String;
}

/// Why something was not done, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody could do that.
    #[error("{0}")]
    Impossible(String),
    /// Not now.
    #[error("{0}")]
    NotNow(String),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

/// As what kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The results.
    Json,
    /// The moments.
    Jsonl,
    /// This page with its data in it.
    Html,
    /// For Perfetto.
    Trace,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Json, Self::Jsonl, Self::Html, Self::Trace];

    /// How the file's name ends, after the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Html => "html",
            Self::Trace => "trace.json",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json | Self::Trace => "application/json",
            Self::Jsonl => "application/jsonl",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}
