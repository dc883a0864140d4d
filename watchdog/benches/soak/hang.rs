//! How a service hangs. Pure.

/// After each the process lives and does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// Workers sleep and do not answer.
    Mute,
    /// Workers compute without end.
    Spin,
    /// Workers wait for a lock that is never given back.
    Deadlock,
    /// Connections are not accepted.
    AcceptStall,
}

impl Hang {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mute, Self::Spin, Self::Deadlock, Self::AcceptStall];

    /// As in orders and in the account.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Spin => "spin",
            Self::Deadlock => "deadlock",
            Self::AcceptStall => "accept-stall",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hang| hang.name() == name)
    }
}
