//! The unit that this process belongs to.

use crate::kernel::cgroup::Membership;

/// The name of our own unit, like `my-server.service`; [`None`] where we run in none.
pub fn own() -> Option<String> {
    let membership = Membership::of("self").ok()?;
    membership.unit().filter(|unit| is_service(unit)).map(ToOwned::to_owned)
}

/// Whether a unit is a service. A shell in somebody's session is in a scope.
pub fn is_service(unit: &str) -> bool {
    unit.ends_with(".service")
}
