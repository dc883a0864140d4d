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
    /// `as`
    Texts(Vec<String>),
    /// `(bas)`: whether it names what is allowed, or what is not.
    Filter(bool, Vec<String>),
    /// `a(sb)`, `a(ss)`, `a(ssbt)` and the like: of each member its values.
    Rows(Vec<Vec<Property>>),
    /// `a(sasasttttuii)` and `a(sasbttttuii)`: of the second type the only flag is `ignore-failure`.
    Commands(Vec<CommandProperty>),
}

/// A command as systemd has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandProperty {
    /// What is executed.
    pub path: String,
    /// Its words, the first of which is its own name.
    pub argv: Vec<String>,
    /// The names of its flags.
    pub flags: Vec<String>,
}
