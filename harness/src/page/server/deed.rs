//! What a visitor asks for: the body of `POST /deed`.

use serde::{Deserialize, Serialize};

use crate::model::settings::OnHang;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed {
    /// Inject this fault.
    Inject {
        /// Its name.
        fault: String,
    },
    /// Heal this fault, or whatever is in effect.
    Heal {
        /// Its name.
        fault: Option<String>,
    },
    /// Have `sd-watchdog` on duty, or not.
    Watchdog {
        /// Whether it is to be.
        on: bool,
    },
    /// Have it do this about a hang.
    OnHang {
        /// Trigger or withhold.
        #[serde(deserialize_with = "trigger_or_withhold")]
        value: OnHang,
    },
    /// Set WatchdogSec, in microseconds.
    WatchdogUsec {
        /// To this.
        value: u64,
    },
    /// Restart the service.
    Restart,
}

impl Deed {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Inject { .. } => "inject",
            Self::Heal { .. } => "heal",
            Self::Watchdog { .. } => "watchdog",
            Self::OnHang { .. } => "on_hang",
            Self::WatchdogUsec { .. } => "watchdog_usec",
            Self::Restart => "restart",
        }
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Whether it was done.
    pub ok: bool,
    /// In a sentence.
    pub says: String,
}

/// The page offers these two; the others are the command line's.
fn trigger_or_withhold<'a, D: serde::Deserializer<'a>>(deserializer: D) -> Result<OnHang, D::Error> {
    let on_hang = OnHang::deserialize(deserializer)?;
    match on_hang {
        OnHang::Trigger | OnHang::Withhold => Ok(on_hang),
        _ => Err(serde::de::Error::custom("\"trigger\" or \"withhold\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deed_is_read_by_its_name() {
        let mute = || "mute".to_owned();
        for (text, expected) in [
            (r#"{"deed":"inject","fault":"mute"}"#, Deed::Inject { fault: mute() }),
            (r#"{"deed":"heal","fault":"mute"}"#, Deed::Heal { fault: Some(mute()) }),
            (r#"{"deed":"heal"}"#, Deed::Heal { fault: None }),
            (r#"{"deed":"watchdog","on":false}"#, Deed::Watchdog { on: false }),
            (r#"{"deed":"on_hang","value":"withhold"}"#, Deed::OnHang { value: OnHang::Withhold }),
            (r#"{"deed":"watchdog_usec","value":5000000}"#, Deed::WatchdogUsec { value: 5_000_000 }),
            (r#"{"deed":"restart"}"#, Deed::Restart),
        ] {
            let deed = serde_json::from_str::<Deed>(text).expect(text);
            assert_eq!(deed, expected);
            assert!(text.contains(&format!(r#""deed":"{}""#, deed.name())), "{}", deed.name());
        }
    }

    #[test]
    fn what_is_no_deed_or_says_too_much_is_none() {
        for text in [
            "",
            "null",
            "[]",
            r#"{"fault":"mute"}"#,
            r#"{"deed":"inject"}"#,
            r#"{"deed":"inject","fault":7}"#,
            r#"{"deed":"inject","fault":"mute","also":1}"#,
            r#"{"deed":"on_hang","value":"nothing"}"#,
            r#"{"deed":"watchdog_usec","value":-1}"#,
            r#"{"deed":"rm"}"#,
            r#"{"deed":"restart"} {"deed":"restart"}"#,
        ] {
            assert!(serde_json::from_str::<Deed>(text).is_err(), "{text}");
        }
    }
}
