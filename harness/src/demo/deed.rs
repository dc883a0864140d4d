//! What visitors have done, and what comes of it as things are.

use super::duty::Duty;
use super::repertoire::Repertoire;
use crate::fault::Fault;
use crate::page::server::deed::Deed;
use crate::page::server::stage::Refused;

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene<'a> {
    /// This has to be over first.
    Busy(&'a str),
    /// Nothing is done to the service.
    Idle {
        /// Whether it serves.
        is_served: bool,
    },
    /// A fault was injected, and what comes of it is not over.
    Fault {
        /// Its name.
        name: &'a str,
        /// Whether it is in effect, as far as it can be healed.
        heals: bool,
        /// Whether anything is expected to bring the service back.
        is_awaited: bool,
    },
    /// This one was healed, and what comes of it is not over.
    Healed(&'a str),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// This is injected.
    Inject(Fault),
    /// The fault is ended.
    Heal,
    /// The service is started anew, guarded like that.
    Start(Duty),
    /// Nothing: it is so already.
    Nothing(String),
}

/// What a deed comes to.
///
/// # Errors
/// Why it is not done, and what to do instead.
pub fn order(deed: &Deed, scene: Scene, duty: Duty, repertoire: &Repertoire) -> Result<Order, Refused> {
    if let Scene::Busy(why) = scene {
        return Err(Refused::NotNow(format!("not now: {why}")));
    }
    match deed {
        Deed::Inject { fault } => inject(fault, scene, duty, repertoire),
        Deed::Heal { fault } => heal(fault.as_deref(), scene),
        Deed::Restart => Ok(Order::Start(duty)),
        Deed::Watchdog { on } => Ok(changed(duty, Duty { watchdog: *on, ..duty })),
        Deed::OnHang { value } => Ok(changed(duty, Duty { on_hang: *value, watchdog: true, ..duty })),
        Deed::WatchdogUsec { value } => {
            let within = duty.within(*value).map_err(Refused::Impossible)?;
            Ok(changed(duty, Duty { watchdog: true, ..within }))
        }
    }
}

/// One at a time: of two at once nobody could say what came of which.
fn inject(name: &str, scene: Scene, duty: Duty, repertoire: &Repertoire) -> Result<Order, Refused> {
    let fault = repertoire.fault(name, duty).map_err(Refused::Impossible)?;
    let why_not = match scene {
        Scene::Idle { is_served: true } => return Ok(Order::Inject(fault)),
        Scene::Idle { is_served: false } => {
            format!("{name} is for a service that serves, and this one does not: restart it first")
        }
        Scene::Fault { name: other, is_awaited: true, .. } => {
            format!("one at a time: the service is still to recover from {other}")
        }
        Scene::Fault { name: other, heals: true, .. } => {
            format!("one at a time: {other} is in effect. Heal it, or restart the service")
        }
        Scene::Fault { name: other, .. } => {
            format!("one at a time: {other} is in effect. Restart the service")
        }
        Scene::Healed(other) => {
            format!("one at a time: it is still looked whether the service goes on serving after {other}")
        }
        Scene::Busy(why) => why.to_owned(),
    };
    Err(Refused::NotNow(why_not))
}

fn heal(wanted: Option<&str>, scene: Scene) -> Result<Order, Refused> {
    let why_not = match scene {
        Scene::Fault { name, .. } if wanted.is_some_and(|wanted| wanted != name) => {
            format!("{} is not in effect: {name} is", wanted.unwrap_or_default())
        }
        Scene::Fault { heals: true, .. } => return Ok(Order::Heal),
        Scene::Fault { name, .. } => {
            format!("{name} is not to be healed: it ends with the process. Restart the service")
        }
        _ => "there is nothing to heal: no fault is in effect".into(),
    };
    Err(Refused::NotNow(why_not))
}

fn changed(is: Duty, wanted: Duty) -> Order {
    if is == wanted {
        Order::Nothing(format!("it is so already: {}", is.says()))
    } else {
        Order::Start(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::settings::OnHang;

    const SERVED: Scene = Scene::Idle { is_served: true };
    const DOWN: Scene = Scene::Idle { is_served: false };
    const BOOTING: Scene = Scene::Busy("systemd is booting");

    fn of(name: &str, heals: bool, is_awaited: bool) -> Scene<'_> {
        Scene::Fault { name, heals, is_awaited }
    }

    fn order(deed: &Deed, scene: Scene, duty: Duty) -> Result<Order, String> {
        super::order(deed, scene, duty, &Repertoire::default()).map_err(|refused| refused.to_string())
    }

    fn injects(fault: &str) -> Deed {
        Deed::Inject { fault: fault.into() }
    }

    #[test]
    fn a_fault_is_injected_into_a_service_that_serves_and_otherwise_it_is_said_why_not() {
        let mute = injects("mute");
        let injected = order(&mute, SERVED, Duty::default()).expect("it serves");
        assert_eq!(injected, Order::Inject("mute".parse().expect("a fault")));
        for (scene, why) in [
            (DOWN, "mute is for a service that serves, and this one does not: restart it first"),
            (BOOTING, "not now: systemd is booting"),
            (of("crash", false, true), "one at a time: the service is still to recover from crash"),
            (of("spin", true, false), "one at a time: spin is in effect. Heal it, or restart the service"),
            (of("deadlock", false, false), "one at a time: deadlock is in effect. Restart the service"),
            (
                Scene::Healed("spin"),
                "one at a time: it is still looked whether the service goes on serving after spin",
            ),
        ] {
            assert_eq!(order(&mute, scene, Duty::default()), Err(why.into()), "{scene:?}");
        }
        let unknown = order(&injects("x"), SERVED, Duty::default());
        assert_eq!(unknown, Err("there is no fault \"x\"".into()));
    }

    #[test]
    fn what_can_be_healed_is_and_the_rest_says_what_else_helps() {
        for (scene, healed) in [
            (of("mute", true, false), Ok(Order::Heal)),
            (of("mute", true, true), Ok(Order::Heal)),
            (
                of("deadlock", false, false),
                Err("deadlock is not to be healed: it ends with the process. Restart the service"),
            ),
            (SERVED, Err("there is nothing to heal: no fault is in effect")),
            (Scene::Healed("mute"), Err("there is nothing to heal: no fault is in effect")),
            (DOWN, Err("there is nothing to heal: no fault is in effect")),
            (BOOTING, Err("not now: systemd is booting")),
        ] {
            assert_eq!(
                order(&Deed::Heal { fault: None }, scene, Duty::default()),
                healed.map_err(str::to_owned),
                "{scene:?}"
            );
        }
    }

    #[test]
    fn how_the_service_is_guarded_can_be_changed_at_any_moment_and_starts_it_anew() {
        let on = Duty::default();
        let off = Duty { watchdog: false, ..on };
        let withheld = Duty { on_hang: OnHang::Withhold, ..on };
        let second = on.within(1_000_000).expect("a choice");
        for scene in [SERVED, DOWN, of("mute", true, false), of("mute", true, true)] {
            for (deed, is, becomes) in [
                (Deed::Watchdog { on: false }, on, off),
                (Deed::Watchdog { on: true }, off, on),
                (Deed::OnHang { value: OnHang::Withhold }, on, withheld),
                // Who decides how the watchdog is, has one.
                (Deed::OnHang { value: OnHang::Withhold }, off, withheld),
                (Deed::OnHang { value: OnHang::Trigger }, withheld, on),
                (Deed::WatchdogUsec { value: 1_000_000 }, on, second),
                (Deed::WatchdogUsec { value: 1_000_000 }, off, second),
                (Deed::Restart, off, off),
            ] {
                assert_eq!(order(&deed, scene, is), Ok(Order::Start(becomes)), "{deed:?} {scene:?}");
            }
        }
        for deed in [
            Deed::Watchdog { on: true },
            Deed::OnHang { value: OnHang::Trigger },
            Deed::WatchdogUsec { value: 5_000_000 },
        ] {
            assert!(matches!(order(&deed, SERVED, on), Ok(Order::Nothing(_))), "{deed:?}");
            assert!(order(&deed, BOOTING, on).is_err(), "{deed:?}");
        }
        assert!(order(&Deed::WatchdogUsec { value: 7 }, SERVED, on).is_err());
        let other = Deed::Heal { fault: Some("spin".into()) };
        let healed = order(&other, of("mute", true, false), on);
        assert_eq!(healed, Err("spin is not in effect: mute is".into()));
    }
}
