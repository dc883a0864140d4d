//! How the service is guarded, as visitors have it: a drop-in.

use std::time::Duration;

use crate::model::clock::Human;
use crate::model::settings::OnHang;

/// What WatchdogSec= may be set to.
pub const CHOICES: [Duration; 7] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
];

/// As the unit ships.
const SHIPPED: Duration = Duration::from_secs(5);

/// What a probe and a client have to read in an answer: that of a server with a fault may be another one's.
pub const BODY: &str = "buggy_server";

/// Where the drop-in is put: behind every other, and gone with the next boot.
pub fn path(unit: &str) -> String {
    format!("/run/systemd/system/{unit}.d/90-demo.conf")
}

/// How the service is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Whether it is at all.
    pub watchdog: bool,
    /// What `sd-watchdog` does about a hang.
    pub on_hang: OnHang,
    /// `WatchdogSec=`, where the watchdog is on.
    pub within: Duration,
}

impl Default for Duty {
    fn default() -> Self {
        Self { watchdog: true, on_hang: OnHang::Trigger, within: SHIPPED }
    }
}

impl Duty {
    /// `WatchdogSec=` as a visitor wants it, in microseconds.
    ///
    /// # Errors
    /// What it may be.
    pub fn within(self, usec: u64) -> Result<Self, String> {
        let is_it = |choice: &Duration| choice.as_micros() == u128::from(usec);
        let within = CHOICES.into_iter().find(is_it).ok_or_else(|| {
            let choices = CHOICES.map(|choice| Human(choice).to_string());
            format!("WatchdogSec is one of {}", choices.join(", "))
        })?;
        Ok(Self { within, ..self })
    }

    /// Whether a hang has systemd restart the service as soon as it is found.
    pub fn triggers(self) -> bool {
        self.watchdog && self.on_hang == OnHang::Trigger
    }

    /// The drop-in for a server that listens there.
    ///
    /// However much visitors do in a minute, it is not to add up to the unit's start limit.
    /// Without WatchdogSec= sd-watchdog tells systemd that the service is ready, and probes it no longer. The limit of memory is for a
    /// fault that takes all there is.
    pub fn drop_in(self, listen: &str) -> String {
        let on_hang = if self.on_hang == OnHang::Withhold { " --on-hang withhold" } else { "" };
        let watchdog = if self.watchdog { self.within.as_secs() } else { 0 };
        format!(
            "# hangproof demo: how the service is guarded now.\n[Unit]\nStartLimitIntervalSec=0\n[Service]\nWatchdogSec={watchdog}\nLimitDATA=128M\nExecStart=\n\
             ExecStart=/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/ --body {BODY}{on_hang} -- \
             /usr/local/bin/buggy_server --listen {listen}\n"
        )
    }

    /// For people.
    pub fn says(self) -> String {
        match (self.watchdog, self.on_hang) {
            (false, _) => "the watchdog is off: nobody looks whether the service serves".into(),
            (true, OnHang::Withhold) => {
                format!(
                    "on a hang sd-watchdog stops pinging, and systemd's timer of {} runs out",
                    Human(self.within)
                )
            }
            (true, _) => format!("sd-watchdog is on duty, WatchdogSec {}", Human(self.within)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_in_says_how_the_service_is_guarded() {
        let duty = Duty::default();
        let command = |duty: Duty| {
            let text = duty.drop_in("127.0.0.1:8080");
            let line = text.lines().rfind(|line| line.starts_with("ExecStart=")).expect("a command");
            (
                text.lines().find(|line| line.starts_with("WatchdogSec=")).expect("it is said").to_owned(),
                line.to_owned(),
            )
        };
        for (duty, watchdog, withholds) in [
            (duty, "WatchdogSec=5", false),
            (Duty { on_hang: OnHang::Withhold, ..duty }, "WatchdogSec=5", true),
            (duty.within(30_000_000).expect("a choice"), "WatchdogSec=30", false),
            (Duty { watchdog: false, ..duty }, "WatchdogSec=0", false),
        ] {
            let (line, command) = command(duty);
            assert_eq!(
                (line.as_str(), command.contains("--on-hang withhold")),
                (watchdog, withholds),
                "{duty:?}"
            );
            assert!(command.ends_with("/usr/local/bin/buggy_server --listen 127.0.0.1:8080"), "{command}");
        }
    }

    #[test]
    fn watchdog_sec_is_one_of_a_few() {
        for wrong in [0, 1, 999_999, 1_000_001, 60_000_000, u64::MAX] {
            let error = Duty::default().within(wrong).expect_err("no choice");
            assert_eq!(error, "WatchdogSec is one of 1 s, 2 s, 3 s, 5 s, 10 s, 20 s, 30 s");
        }
        assert_eq!(Duty::default().within(1_000_000).expect("a choice").within, Duration::from_secs(1));
    }
}
