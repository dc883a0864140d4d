//! The same of the manager's property.

use std::time::Duration;

use super::places::of_rows;
use super::plain;
use super::sets::capability_list;
use crate::systemd::dbus::{CommandProperty, Property};
use crate::unit::command::{Command, Flags};
use crate::unit::table::Kind;
use crate::unit::value::{Statuses, Value};

/// What the manager's property says of a directive of this kind; [`None`]: nothing that is understood. `Some(None)`: that
/// nothing is set.
pub fn of_property(kind: Kind, property: &Property) -> Option<Option<Value>> {
    Some(match (kind, property) {
        (_, Property::Text(text)) if text.is_empty() => None,
        (Kind::FlagOr(_), Property::Text(text)) => Some(plain(kind, text)?),
        (_, Property::Text(text)) => Some(Value::Text(text.clone())),
        (Kind::Flag | Kind::FatalFlag | Kind::Delegate | Kind::FlagOr(_), Property::Flag(flag)) => {
            Some(Value::Flag(*flag))
        }
        (Kind::Time | Kind::TimeOrNone | Kind::OptionalTime, Property::Unsigned(micros)) => {
            Some(Value::Time((*micros < u64::MAX).then(|| Duration::from_micros(*micros))))
        }
        (Kind::Size | Kind::Number, Property::Unsigned(number)) => {
            Some(Value::Number((*number < u64::MAX).then_some(*number)))
        }
        (Kind::Capabilities(bounding), Property::Unsigned(mask)) => capability_list(bounding, *mask),
        (Kind::Signal, Property::Signed(number)) => Some(Value::Signal(*number)),
        (Kind::Statuses, Property::Statuses(codes, signals)) => {
            let set = Statuses { codes: codes.clone(), signals: signals.clone() };
            (set != Statuses::default()).then_some(Value::Statuses(set))
        }
        (Kind::Families, Property::Filter(allows, names)) => {
            let tilde = (!allows).then(|| "~".to_owned());
            let mut names = names.clone();
            names.sort_unstable();
            (*allows || !names.is_empty()).then(|| Value::List(tilde.into_iter().chain(names).collect()))
        }
        (
            Kind::Environment | Kind::Words | Kind::Paths | Kind::Accounts | Kind::Directories,
            Property::Texts(texts),
        ) => (!texts.is_empty()).then(|| Value::List(texts.clone())),
        (_, Property::Rows(rows)) => {
            let list = of_rows(kind, rows)?;
            (!list.is_empty()).then_some(Value::List(list))
        }
        (Kind::Commands, Property::Commands(commands)) => (!commands.is_empty()).then(|| {
            let one = |CommandProperty { path, argv, flags }: &CommandProperty| {
                Command::of_manager(path, argv, Flags::of_manager(flags))
            };
            Value::Commands(commands.iter().map(one).collect())
        }),
        _ => return None,
    })
}
