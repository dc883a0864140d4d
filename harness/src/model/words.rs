//! Words of systemd that matter here, among others that do not.

/// An enum of words, each written as systemd does, and of all that are not known here.
macro_rules! words {
    ($(#[$of:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$of])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        #[expect(missing_docs, reason = "systemd.service(5) has them")]
        pub enum $name {
            $($variant,)*
            /// One of a later systemd.
            Other(String),
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)*
                    _ => Self::Other(crate::model::text::one_line(word)),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.to_string()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                })
            }
        }
    };
}

words! {
    /// `Type=`
    Type {
        Simple = "simple",
        Exec = "exec",
        Forking = "forking",
        Oneshot = "oneshot",
        Dbus = "dbus",
        Notify = "notify",
        NotifyReload = "notify-reload",
        Idle = "idle",
    }
}

words! {
    /// `Restart=`
    Restart {
        No = "no",
        OnSuccess = "on-success",
        OnFailure = "on-failure",
        OnAbnormal = "on-abnormal",
        OnWatchdog = "on-watchdog",
        OnAbort = "on-abort",
        Always = "always",
    }
}

words! {
    /// `KillMode=`
    KillMode {
        ControlGroup = "control-group",
        Mixed = "mixed",
        Process = "process",
        None = "none",
    }
}

impl Type {
    /// Whether the service itself says when it is ready.
    pub fn notifies(&self) -> bool {
        matches!(self, Self::Notify | Self::NotifyReload)
    }
}

impl Restart {
    /// Whether systemd starts a service again that ended with this result: the table of `Restart=` in systemd.service(5). [`None`]: of
    /// this word, or this result, it is not known here.
    pub fn restarts(&self, result: &str) -> Option<bool> {
        let is_known = matches!(
            result,
            "success" | "exit-code" | "signal" | "core-dump" | "timeout" | "watchdog" | "oom-kill"
        );
        let restarts = match self {
            Self::No => false,
            Self::Always => true,
            Self::OnSuccess => result == "success",
            Self::OnFailure => result != "success",
            Self::OnAbnormal => !matches!(result, "success" | "exit-code"),
            Self::OnWatchdog => result == "watchdog",
            Self::OnAbort => matches!(result, "signal" | "core-dump"),
            Self::Other(_) => return None,
        };
        is_known.then_some(restarts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_again_is_what_systemd_says_it_is() {
        let results = ["success", "exit-code", "signal", "core-dump", "timeout", "watchdog"];
        for (word, restarted) in [
            ("no", ""),
            ("always", "success exit-code signal core-dump timeout watchdog"),
            ("on-success", "success"),
            ("on-failure", "exit-code signal core-dump timeout watchdog"),
            ("on-abnormal", "signal core-dump timeout watchdog"),
            ("on-abort", "signal core-dump"),
            ("on-watchdog", "watchdog"),
        ] {
            for result in results {
                let is_restarted = restarted.split(' ').any(|word| word == result);
                assert_eq!(
                    Restart::from(word.to_owned()).restarts(result),
                    Some(is_restarted),
                    "{word}: {result}"
                );
            }
        }
        assert_eq!(Restart::Always.restarts("of a later systemd"), None);
        assert_eq!(Restart::Other("on-whim".into()).restarts("success"), None);
    }

    #[test]
    fn a_word_that_is_not_known_is_kept() {
        for (word, expected) in [
            ("notify-reload", Type::NotifyReload),
            ("wasm", Type::Other("wasm".into())),
            ("", Type::Other(String::new())),
        ] {
            let read: Type = serde_json::from_value(word.into()).expect("any word");
            assert_eq!((&read, read.notifies()), (&expected, word == "notify-reload"));
            assert_eq!(serde_json::to_value(&read).expect("json"), word);
        }
    }
}
