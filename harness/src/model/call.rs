//! A call of `hangproof run`: what was asked, on which host, and the cases that it planned. With it, who has only a recording or a
//! report knows what is missing in it, and what it can be compared with.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::case::CaseId;
use super::claim::Claim;

/// What was asked, where, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// `hangproof` and its version.
    pub program: String,
    /// As it was typed, word by word.
    pub command: Vec<String>,
    /// Where it ran.
    pub host: Host,
    /// `--seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// `--shard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// `--until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Claim>,
    /// The cases of each scenario, of all shards.
    pub plan: Vec<Planned>,
}

impl Call {
    /// The command as it can be typed again, in a shell.
    pub fn typed(&self) -> String {
        self.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// What a scenario is to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The scenario's name.
    pub scenario: String,
    /// Its cases, in the order of their trials; with `--until` not all of them are made.
    pub cases: Vec<CaseId>,
}

/// What of a host decides how fast services recover on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Made of its machine-id(5), which it does not give away; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The release of its kernel.
    pub kernel: String,
    /// The model of its CPUs.
    pub cpu: String,
    /// How many this program may use.
    pub cpus: usize,
}

/// Some of the cases: those whose names fall to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// Whether a case falls to it. Each falls to one of them.
    pub fn has(self, case: CaseId) -> bool {
        case.falls_to(self.of) == self.number - 1
    }

    /// All of which it is one.
    pub fn siblings(self) -> impl Iterator<Item = Self> {
        (1..=self.of).map(move |number| Self { number, ..self })
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if 1 <= number && number <= of => Ok(Self { number, of }),
            _ => Err(format!("\"{text}\" is no shard: the first of two is 1/2, the second 2/2")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

/// Of each scenario, how many of its cases were planned, and how many of those were not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The scenario's name.
    pub scenario: String,
    /// How many cases there are.
    pub planned: usize,
    /// Those that were not made.
    pub cases: Vec<CaseId>,
    /// The shards to which those fall, if the calls were of some.
    pub shards: BTreeSet<Shard>,
}

/// What some calls together have planned and not made. Of a call with `--until` nothing is missing: it was over when the claim was
/// decided.
pub fn missing(calls: &[Call], made: &BTreeSet<CaseId>) -> Vec<Missing> {
    let mut missing: Vec<Missing> = Vec::new();
    for call in calls.iter().filter(|call| call.until.is_none()) {
        for Planned { scenario, cases } in &call.plan {
            let left = cases.iter().copied().filter(|case| !made.contains(case)).collect::<Vec<_>>();
            let is_known = missing.iter().any(|known| known.scenario == *scenario && known.cases == left);
            if left.is_empty() || is_known {
                continue;
            }
            let shards = call.shard.into_iter().flat_map(Shard::siblings);
            let shards = shards.filter(|shard| left.iter().any(|case| shard.has(*case))).collect();
            missing.push(Missing { scenario: scenario.clone(), planned: cases.len(), cases: left, shards });
        }
    }
    missing
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, planned, cases, shards } = self;
        let are = if cases.len() == 1 { "is" } else { "are" };
        write!(f, "{} of {planned} cases of {scenario} {are} missing", cases.len())?;
        if !shards.is_empty() {
            let names = shards.iter().map(Shard::to_string).collect::<Vec<_>>();
            write!(f, ", of shard {}", names.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(shard: Option<&str>, trials: u32) -> Call {
        let cases = (1..=trials).map(|trial| CaseId::of("mute", trial)).collect();
        Call {
            program: "hangproof 0".into(),
            command: vec!["hangproof".into()],
            host: Host::default(),
            seed: None,
            shard: shard.map(|shard| shard.parse().expect("a shard")),
            until: None,
            plan: vec![Planned { scenario: "mute".into(), cases }],
        }
    }

    #[test]
    fn a_command_can_be_typed_again() {
        for (word, typed) in [
            ("--trials", "--trials"),
            ("recovered >= 95%", "'recovered >= 95%'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
            ("$(x)", "'$(x)'"),
        ] {
            let call = Call { command: vec!["hangproof".into(), word.into()], ..call(None, 0) };
            assert_eq!(call.typed(), format!("hangproof {typed}"));
        }
    }

    #[test]
    fn every_case_falls_to_one_shard_and_each_shard_has_its_part() {
        let cases = ["mute", "crash", "sigstop", "classic"]
            .iter()
            .flat_map(|name| (1..=250).map(move |trial| CaseId::of(name, trial)))
            .collect::<Vec<_>>();
        for of in [1, 2, 3, 7, 16] {
            let shards = Shard { number: 1, of }.siblings().collect::<Vec<_>>();
            for case in &cases {
                assert_eq!(shards.iter().filter(|shard| shard.has(*case)).count(), 1, "{case} of {of}");
            }
            for shard in &shards {
                let its = cases.iter().filter(|case| shard.has(**case)).count();
                let fair = cases.len() / shards.len();
                assert!(its >= fair / 2 && its <= fair * 3 / 2, "{shard}: {its} of {}", cases.len());
            }
        }
    }

    #[test]
    fn a_shard_is_one_of_some() {
        for text in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("2/3".parse::<Shard>().expect("a shard").to_string(), "2/3");
    }

    #[test]
    fn what_was_planned_and_not_made_is_named_with_its_shard() {
        let (first, second) = (call(Some("1/2"), 10), call(Some("2/2"), 10));
        let all = first.plan[0].cases.iter().copied().collect::<BTreeSet<_>>();
        let of = |call: &Call| {
            let shard = call.shard.expect("a shard");
            all.iter().copied().filter(|case| shard.has(*case)).collect::<BTreeSet<_>>()
        };
        assert_eq!(missing(&[first.clone(), second.clone()], &all), []);
        let halves = missing(std::slice::from_ref(&first), &of(&first));
        assert_eq!(
            halves.iter().map(Missing::to_string).collect::<Vec<_>>(),
            [format!("{} of 10 cases of mute are missing, of shard 2/2", of(&second).len())]
        );
        let whole = missing(&[call(None, 3)], &BTreeSet::new());
        assert_eq!(whole[0].to_string(), "3 of 3 cases of mute are missing");
        let only = missing(&[call(None, 1)], &BTreeSet::new());
        assert_eq!(only[0].to_string(), "1 of 1 cases of mute is missing");
        let until = Call { until: Some("passed >= 95%".parse().expect("a claim")), ..call(None, 1000) };
        assert_eq!(missing(&[until], &BTreeSet::new()), []);
    }
}
