//! The scenarios that `hangproof` carries with it, and the unit they are about.

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        /// Names and texts.
        pub const SCENARIOS: [(&str, &str); [$($name),*].len()] =
            [$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*];
    };
}

scenarios!["classic", "accept-stall", "crash", "deadlock", "spin", "start-limit", "undisturbed", "withhold"];

/// The unit that the built-in scenarios are about.
pub const UNIT: &str = include_str!("../../../server/buggy_server.service");

/// A built-in scenario's text.
pub fn text(name: &str) -> Option<&'static str> {
    SCENARIOS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// All names, for people.
pub fn names() -> String {
    SCENARIOS.map(|(name, _)| name).join(", ")
}
