//! The page: what became of a service, to look at. Live it is served by `hangproof demo`, still it is the file of
//! `--report x.html`; it is one page with two sources.
//!
//! ```text
//! moments ──► view ──► tellings ──┬─► hub ──► events of a server, live ──┬─► page
//!             (fold)              └─► a list in a file, still ───────────┘
//! ```
//!
//! What is shown of phases, bounds and verdicts is read off the [story](crate::model::story) here, in Rust; the page draws and
//! decides nothing.
//!
//! - [`telling`]: what the page is told; [`view`]: the fold that tells it
//! - [`document`]: the page's HTML; [`assets`]: its renderer; [`still`]: the page in one file
//! - [`ring`]: what was told, for who comes later; `hub`: where the live page's clients hang on; `server`: its HTTP

pub mod assets;
pub mod document;
#[cfg(feature = "run")]
pub mod hub;
pub mod ring;
#[cfg(feature = "run")]
pub mod server;
pub mod still;
pub mod telling;
pub mod view;
