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

impl Type {
    /// Whether the service itself says when it is ready.
    pub fn notifies(&self) -> bool {
        matches!(self, Self::Notify | Self::NotifyReload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
