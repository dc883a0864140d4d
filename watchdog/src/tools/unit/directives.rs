//! What becomes of each directive of a unit when `sd-watchdog` is its main process, and the service a child of that. Pure.
//!
//! [`table`] says it of every directive that there is, [`decide()`] of one unit: what the drop-in sets, what is named in it and on
//! standard error, or why the unit is not wrapped. [`difference`](difference()) compares the unit with what it is behind the drop-in.
//!
//! | file | holds |
//! |---|---|
//! | [`table`] | every directive, and its fate |
//! | [`facts`] | a unit as it is asked here |
//! | [`decide`](mod@decide) | the decision, in the order in which it is printed |
//! | [`translate`] | directives that get another value |
//! | [`signals`] | what stops it and has it reload, and to whom signals have to be passed on |
//! | [`reach`] | whether `sd-watchdog` is to be seen from within the unit |
//! | [`named`] | directives that do not have the effect any more that they had |
//! | [`refused`] | units that are not wrapped |
//! | [`difference`](mod@difference) | before and after |
//! | [`undone`](mod@undone) | what a drop-in behind ours says otherwise |

mod decide;
mod difference;
mod facts;
mod named;
mod reach;
mod refused;
mod signals;
pub mod table;
mod translate;
mod undone;

pub use self::decide::{Decision, Setting, Subject, decide};
pub use self::difference::{Changed, Difference, difference, shown};
pub use self::named::Named;
pub use self::refused::NotWrappable;
pub use self::undone::undone;

use self::facts::Facts;
use crate::unit::{Command, Scope, Unit};

/// A unit's one command, if it can be wrapped.
pub fn command(unit: &Unit) -> Result<&Command, NotWrappable> {
    refused::command(Facts(unit))
}

/// How texts here name the guard of the unit, whichever that is.
const GUARD: &str = "sd-watchdog guard UNIT";

/// How it is typed. Of a template there are only instances to guard.
pub fn guard(unit: &Unit) -> String {
    let user = if unit.scope == Scope::User { "--user " } else { "" };
    let name = &unit.name;
    let instance =
        if name.is_template() { format!("{}@INSTANCE.service", name.prefix()) } else { name.to_string() };
    format!("sd-watchdog guard {user}{instance}")
}

#[cfg(test)]
mod tests;
