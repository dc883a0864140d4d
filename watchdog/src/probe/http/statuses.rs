//! `--status LIST`: which statuses are healthy.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// What an answer can have: other 1xx only announce it, and 101 is the end of HTTP.
const FINAL: RangeInclusive<u16> = 200..=599;
const SWITCHING_PROTOCOLS: u16 = 101;

/// A list of statuses and of ranges of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

/// A list that no answer can be held against.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; write it as 200-399 or 200-299,404")]
pub struct StatusError {
    problem: String,
}

impl Statuses {
    /// Is this one healthy?
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

/// As Kubernetes has it.
impl Default for Statuses {
    fn default() -> Self {
        Self(vec![200..=399])
    }
}

impl FromStr for Statuses {
    type Err = StatusError;

    fn from_str(list: &str) -> Result<Self, StatusError> {
        list.split(',').map(|part| range(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>, StatusError> {
    let problem = |problem: String| StatusError { problem };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| match text.trim().parse::<u16>() {
        Ok(status) if FINAL.contains(&status) || status == SWITCHING_PROTOCOLS => Ok(status),
        Ok(status) => Err(problem(format!("no answer has status {status}, only 200 to 599 or 101"))),
        Err(_) => Err(problem(format!("\"{text}\" is not a status"))),
    };
    let (first, last) = (status(first)?, status(last)?);
    if first > last {
        return Err(problem(format!("the range {text} is empty")));
    }
    Ok(first..=last)
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_hold_what_they_name_and_nothing_else() {
        for (list, held, not_held) in [
            ("200", &[200][..], &[199, 201][..]),
            ("200-299,404", &[200, 299, 404], &[199, 300, 403, 405]),
            (" 204 , 301 - 302 ", &[204, 301, 302], &[200, 300, 303]),
            ("101", &[101], &[100, 102, 200]),
            ("500-599", &[500, 599], &[499, 600]),
        ] {
            let statuses: Statuses = list.parse().expect(list);
            assert!(held.iter().all(|status| statuses.contain(*status)), "{list}");
            assert!(!not_held.iter().any(|status| statuses.contain(*status)), "{list}");
        }
        assert_eq!(Statuses::default(), "200-399".parse().expect("a list"));
    }

    #[test]
    fn lists_that_make_no_sense_are_refused_with_a_remedy() {
        for (list, expected) in [
            ("", "\"\" is not a status"),
            ("2xx", "\"2xx\" is not a status"),
            ("200,", "\"\" is not a status"),
            ("200-", "\"\" is not a status"),
            ("-200", "\"\" is not a status"),
            ("200-299-300", "\"299-300\" is not a status"),
            ("100", "no answer has status 100, only 200 to 599 or 101"),
            ("200-999", "no answer has status 999"),
            ("0", "no answer has status 0"),
            ("70000", "\"70000\" is not a status"),
            ("399-200", "the range 399-200 is empty"),
        ] {
            let error = list.parse::<Statuses>().expect_err(list).to_string();
            assert!(error.starts_with(expected), "{list}: {error}");
            assert!(error.ends_with("; write it as 200-399 or 200-299,404"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_list_that_is_accepted_means_what_it_prints(list in "[-0-9, x]{0,12}") {
            if let Ok(statuses) = list.parse::<Statuses>() {
                prop_assert_eq!(statuses.to_string().parse(), Ok(statuses));
            }
        }
    }
}
