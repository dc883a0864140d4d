//! What a property of systemd's objects can be.

/// A property's value, of the few types that those of units have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// `s`
    Text(String),
    /// `u`, `t`; of a job, `(uo)`, its id.
    Unsigned(u64),
    /// `i`
    Signed(i32),
    /// `b`
    Flag(bool),
    /// `ay`
    Bytes(Vec<u8>),
    /// `(aiai)`: exit codes and signals.
    Statuses(Vec<i32>, Vec<i32>),
}
