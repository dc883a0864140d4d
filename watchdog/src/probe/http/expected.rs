//! What counts as a healthy answer.

use super::statuses::Statuses;
use crate::probe::excerpt::excerpt;
use crate::words::outcome::{Cause, Reason};

/// How much of an answer is read, in bytes. A head that is longer is none; of a longer body the status decides, or what
/// there is of it: the service evidently serves, and probing must not cost it a download.
pub const LIMIT: usize = 64 * 1024;
/// The same where `--body` decides. To look for a text is quick.
const TEXT_LIMIT: usize = 1024 * 1024;
/// Of the compiled `--body-regex`, in bytes. With [`LIMIT`], it bounds a search to some tens of milliseconds.
#[cfg(feature = "regex")]
const PATTERN_SIZE: usize = 8 * 1024;

/// What an answer is held against.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Healthy ones; [`None`] is the default, 200 to 399.
    pub statuses: Option<Statuses>,
    /// Text in the body.
    pub text: Option<String>,
    /// What the body must match, in its first 64 KiB.
    #[cfg(feature = "regex")]
    pub pattern: Option<regex_lite::Regex>,
    /// Redirects that stay with the service are followed.
    pub follow: bool,
}

impl Expected {
    /// Compiles `--body-regex`. What one byte costs grows with the compiled size, and the loop waits meanwhile.
    #[cfg(feature = "regex")]
    pub fn pattern(pattern: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
        regex_lite::RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).build()
    }

    /// Must the body be read to know?
    pub fn wants_body(&self) -> bool {
        #[cfg(feature = "regex")]
        if self.pattern.is_some() {
            return true;
        }
        self.text.is_some()
    }

    /// The text that the body must contain, if that is all: once it is there, nothing that follows changes that. A pattern
    /// has to wait for the whole body: `up$` may match what is there so far, and not what will be.
    pub fn decisive_text(&self) -> Option<&str> {
        #[cfg(feature = "regex")]
        if self.pattern.is_some() {
            return None;
        }
        self.text.as_deref()
    }

    /// How much of an answer is read, in bytes.
    pub fn limit(&self) -> usize {
        if self.text.is_some() { TEXT_LIMIT } else { LIMIT }
    }

    /// Decides by the status.
    pub fn check_status(&self, status: u16) -> Result<(), Reason> {
        match &self.statuses {
            None if (200..400).contains(&status) => Ok(()),
            None => Err(Reason::new(Cause::Status, format!("status {status}"))),
            Some(statuses) if statuses.contain(status) => Ok(()),
            Some(statuses) => {
                Err(Reason::new(Cause::Status, format!("status {status}, expected {statuses}")))
            }
        }
    }

    /// Decides by the body; `cut` if there was more of it than is read.
    pub fn check_body(&self, body: &[u8], cut: bool) -> Result<(), Reason> {
        if let Some(wanted) = &self.text
            && !contains(body, wanted)
        {
            return Err(mismatch("contain", wanted, body, cut.then_some("1 MiB")));
        }
        #[cfg(feature = "regex")]
        if let Some(pattern) = &self.pattern {
            let start = &body[..body.len().min(LIMIT)];
            if !pattern.is_match(&String::from_utf8_lossy(start)) {
                let cut = (cut || start.len() < body.len()).then_some("64 KiB");
                return Err(mismatch("match", pattern.as_str(), body, cut));
            }
        }
        Ok(())
    }
}

/// What is not UTF-8 is in no `text` either.
pub fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

fn mismatch(verb: &str, wanted: &str, body: &[u8], cut: Option<&str>) -> Reason {
    let wanted = excerpt(wanted.as_bytes());
    let found = match cut {
        Some(limit) => format!("in its first {limit}"),
        None => format!("({})", excerpt(body)),
    };
    Reason::new(Cause::Body, format!("body does not {verb} {wanted} {found}"))
}
