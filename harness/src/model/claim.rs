//! A claim about all trials, and when those that were made show or refute it. Pure.
//!
//! Whoever looks after every trial and stops as soon as the figures suit him deceives himself: an interval that is made for one look
//! misses far more often than it says. What holds at any look is a martingale: if the claim is false, the mean of [`evidence`] for it
//! never grows, and by Ville's inequality it reaches 20 in one of twenty runs at most, however often one looks.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use statrs::function::beta::{checked_beta_reg, ln_beta};

use super::clock::parse_span;
use super::phase::{Phases, Span};
use super::settings::{SPANS, Settings};
use super::statistics::CONFIDENCE;
use super::verdict::Verdict;

/// `recovered >= 95% within 2s`, `passed >= 99%`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Claim {
    what: What,
    /// In thousandths of a percent, so that there is one way to write it.
    part: u32,
    within: Option<String>,
}

/// What a trial has to be so that it speaks for the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// As expected.
    Passed,
    /// The service was ready again.
    Recovered,
}

/// What some trials say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It is true, at 95 %.
    Shown,
    /// It is not, at 95 %.
    Refuted,
    /// They are too few to tell.
    Open,
}

/// The trials that count, and what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Those that speak for the claim.
    pub yes: u32,
    /// Those that speak against it.
    pub no: u32,
    /// What follows.
    pub decision: Decision,
}

const EXAMPLE: &str = "a claim is \"recovered >= 95% within 2s\" (or within a directive of the unit, as WatchdogSec), or \"passed >= 99%\"";
/// Thousandths of a percent.
const WHOLE: u32 = 100_000;
/// That of Jeffreys' prior: most of it is near 0 and near 1, where services are.
const SHAPE: f64 = 0.5;

impl Claim {
    /// What a trial says of it: for it, against it, or nothing, where the instrument was not sound or there was nothing to try.
    pub fn counts(&self, verdict: &Verdict, phases: &Phases, settings: Option<&Settings>) -> Option<bool> {
        if matches!(verdict, Verdict::Unsound { .. } | Verdict::Skip { .. }) {
            return None;
        }
        Some(match self.what {
            What::Passed => verdict.is_pass(),
            What::Recovered => phases.recovery.is_some_and(|recovery| self.is_within(recovery, settings)),
        })
    }

    fn is_within(&self, recovery: Span, settings: Option<&Settings>) -> bool {
        let Some(within) = &self.within else { return true };
        let limit = settings.and_then(|settings| settings.span(within)).or_else(|| parse_span(within));
        limit.is_some_and(|limit| recovery.length() <= limit)
    }

    /// A claim within a time that the unit does not have can never be shown.
    pub fn is_without_limit(&self, settings: &Settings) -> bool {
        let named = self.within.as_deref().filter(|within| SPANS.contains(within));
        named.is_some_and(|within| settings.span(within).is_none())
    }

    /// What so many trials for it and against it say.
    pub fn account(&self, yes: u32, no: u32) -> Account {
        let part = f64::from(self.part) / f64::from(WHOLE);
        let enough = 1.0 / (1.0 - CONFIDENCE);
        let decision = if evidence(yes, no, part) >= enough {
            Decision::Shown
        } else if evidence(no, yes, 1.0 - part) >= enough {
            Decision::Refuted
        } else {
            Decision::Open
        };
        Account { yes, no, decision }
    }
}

/// How many times likelier `yes` of `yes + no` trials are if more than `part` of all are so than if just `part` are: of the parts
/// above, a mixture (Robbins, 1970: Beta(1/2, 1/2), cut off at `part`). If `part` or less of all are so, the mean of this over the
/// trials to come is at most what it is now, so it is a supermartingale that begins with 1.
fn evidence(yes: u32, no: u32, part: f64) -> f64 {
    let (yes, no) = (f64::from(yes), f64::from(no));
    // ln of the integral of p^(yes + shape - 1) (1 - p)^(no + shape - 1) from `part` to 1.
    let above = |yes: f64, no: f64| {
        let (yes, no) = (yes + SHAPE, no + SHAPE);
        ln_beta(yes, no) + checked_beta_reg(no, yes, 1.0 - part).unwrap_or_default().ln()
    };
    (above(yes, no) - above(0.0, 0.0) - yes * part.ln() - no * (1.0 - part).ln()).exp()
}

impl FromStr for Claim {
    type Err = String;

    /// Reads a claim. An error has the column at which it is wrong, from 1, and an example.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words { text, at: 0 };
        let what = match words.next() {
            (_, "passed") => What::Passed,
            (_, "recovered") => What::Recovered,
            (at, other) => {
                return Err(wrong(at, &format!("{} is neither recovered nor passed", named(other))));
            }
        };
        let (at, more) = words.next();
        if more != ">=" {
            return Err(wrong(at, &format!("{} is not >=", named(more))));
        }
        let (at, percent) = words.next();
        let part = percent.strip_suffix('%').and_then(part).ok_or_else(|| {
            wrong(
                at,
                &format!(
                    "{} is no part: more than 0%, less than 100%, with three decimals at most",
                    named(percent)
                ),
            )
        })?;
        let within = match words.next() {
            (_, "") => None,
            (at, "within") if what == What::Passed => {
                return Err(wrong(at, "what passed was within what its scenario expects"));
            }
            (_, "within") => Some(within(&mut words)?),
            (at, other) => return Err(wrong(at, &format!("{} is not within", named(other)))),
        };
        Ok(Self { what, part, within })
    }
}

fn within(words: &mut Words) -> Result<String, String> {
    let (at, _) = words.clone().next();
    let limit = words.rest();
    let is_span = parse_span(limit).is_some_and(|limit| limit > Duration::ZERO);
    if SPANS.contains(&limit) || is_span {
        return Ok(limit.to_owned());
    }
    let reason = format!("{} is neither a time span nor one of {}", named(limit), SPANS.join(", "));
    Err(wrong(at, &reason))
}

/// A percentage in thousandths, where it is between nothing and all.
fn part(number: &str) -> Option<u32> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 2 || decimals.len() > 3 || !digits(whole) || !digits(decimals) {
        return None;
    }
    format!("{whole}{decimals:0<3}").parse().ok().filter(|part| (1..WHOLE).contains(part))
}

fn named(word: &str) -> String {
    if word.is_empty() { "the end".to_owned() } else { format!("\"{word}\"") }
}

fn wrong(at: usize, reason: &str) -> String {
    format!("column {at}: {reason}; {EXAMPLE}")
}

/// The words of a claim, each with its column.
#[derive(Clone)]
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn rest(&self) -> &'a str {
        self.text[self.at..].trim()
    }

    fn next(&mut self) -> (usize, &'a str) {
        let blank = self.text[self.at..].len() - self.text[self.at..].trim_start().len();
        let begin = self.at + blank;
        let rest = &self.text[begin..];
        // `>=95%` is two words as well.
        let is_sign = |c: char| ">=<".contains(c);
        let same = rest.starts_with(is_sign);
        let end = rest.find(|c: char| c.is_whitespace() || is_sign(c) != same).unwrap_or(rest.len());
        self.at = begin + end;
        (self.text[..begin].chars().count() + 1, &rest[..end])
    }
}

impl TryFrom<String> for Claim {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Claim> for String {
    fn from(claim: Claim) -> Self {
        claim.to_string()
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Passed => "passed",
            What::Recovered => "recovered",
        };
        let percent = f64::from(self.part) / 1000.0;
        write!(f, "{what} >= {percent}%")?;
        self.within.as_ref().map_or(Ok(()), |within| write!(f, " within {within}"))
    }
}

#[cfg(test)]
mod tests;
