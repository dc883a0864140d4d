//! A case: one trial of one variant of one scenario. A shard is a filter on cases, resuming a difference, merging a union.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::expect::Expectation;
use super::sequence::Step;

/// A case's name: it depends on nothing but what the case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseId(u64);

impl CaseId {
    /// That of a trial of what `content` describes: FNV-1a, 64 bits, which is the same on every machine and in every version.
    pub fn of(content: &str, trial: u32) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let bytes = content.bytes().chain(trial.to_le_bytes());
        Self(bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)))
    }

    /// What the case's random choices come from, where nobody says otherwise: of no more digits than any reader of JSON takes.
    pub fn seed(self) -> u64 {
        self.0 & u64::from(u32::MAX)
    }

    /// Which of so many parts it falls to, from 0.
    pub fn falls_to(self, parts: u32) -> u32 {
        // The upper half is as good as the lower, and not what the seed is made of.
        u32::try_from((self.0 >> 32) % u64::from(parts.max(1))).unwrap_or_default()
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for CaseId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| "a case's id is 16 hexadecimal digits".to_owned())
    }
}

impl TryFrom<String> for CaseId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CaseId> for String {
    fn from(case: CaseId) -> Self {
        case.to_string()
    }
}

/// What a case is: the question, and which trial of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// Its description.
    pub description: String,
    /// The unit's name.
    pub unit: String,
    /// From 1.
    pub trial: u32,
    /// What its random choices come from.
    pub seed: u64,
    /// The fault, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// It is healed so long after its injection, unless the trial is over before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal_after_usec: Option<u64>,
    /// What is done to the service after that, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Step>,
    /// What is expected.
    pub expect: Expectation,
    /// What clients ask, how often, how long they wait, and what of it is good, in words; absent where an older version did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// From one ask of the observer to the next; absent for [`TICK`](super::ask::TICK).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask_interval_usec: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_the_content_and_the_trial_alone() {
        let id = CaseId::of("classic", 1);
        assert_eq!(id.to_string(), "a6df4ce6f6324bf2", "the same for ever: recordings hold it");
        assert_eq!(id.seed(), 0xf632_4bf2, "its lower half");
        assert_ne!(id, CaseId::of("classic", 2));
        assert_ne!(id, CaseId::of("crash", 1));
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "2b1f", "+b1ffd0a5cf34bf6", "a6df4ce6f6324bf20"] {
            assert!(wrong.parse::<CaseId>().is_err(), "{wrong}");
        }
    }
}
