//! Up to the injection: the service starts, serves, and is guarded.

use rand::rngs::ChaCha12Rng;
use rand::{RngExt as _, SeedableRng};

use super::{Conductor, FIRST_HEALTHY, NEXT_LOOK, shown};
use crate::journal;
use crate::model::clock::Usec;
use crate::model::event::Kind;
use crate::model::moment::What;
use crate::model::patience;
use crate::model::story::Story;
use crate::model::text::one_line;
use crate::run::{COMMAND, RunError, Setting};

impl Conductor<'_> {
    /// Starts the service; whether systemd saw READY. A start that failed is not waited for any longer.
    pub fn start(&mut self, verb: &str) -> Result<bool, RunError> {
        let unit = self.story.plan.unit.clone();
        self.setting.progress.stage(&format!("{verb}ing {unit}"));
        let before = self.story.events().len();
        let output = self.setting.machine.run(&["systemctl", verb, "--no-block", &unit], COMMAND)?;
        if !output.status.success() {
            return Err(RunError::NotStarted { unit, said: output.stderr.trim().to_owned() });
        }
        let deadline = Usec::now() + self.story.settings.as_ref().map_or(COMMAND, patience::start);
        let ended = |kind: &Kind| matches!(kind, Kind::Ready | Kind::StartFailed | Kind::StartLimitHit);
        let saw = |story: &Story, wanted: fn(&Kind) -> bool| {
            story.events().iter().skip(before).any(|event| wanted(&event.kind))
        };
        self.wait_until(deadline, |conductor| saw(&conductor.story, ended))?;
        // systemd calls a unit that it skips "started".
        if let Some(conditions) = unmet(self.setting, &unit)? {
            return Err(RunError::Unmet { unit, conditions });
        }
        Ok(saw(&self.story, |kind| *kind == Kind::Ready))
    }

    /// Waits for clients to be served, and begins the trial with the answer that showed it. Whether the service stayed
    /// up until then, and served, if it `has_served` in an earlier trial.
    pub(super) fn served(&mut self, has_served: bool) -> Result<bool, RunError> {
        let now = Usec::now();
        self.tell(now, What::Watched)?;
        let Setting { scenario, .. } = self.setting;
        let settings = self.story.settings.as_ref();
        let longest = scenario.observe.timeout + scenario.observe.interval;
        let limit = patience::first_answer(&scenario.expect, settings, longest);
        let deadline = now + limit;
        let last_ready = self.story.events().iter().rev().find(|event| event.kind == Kind::Ready);
        let ready = last_ready.map_or(self.began, |event| event.at);
        let down = |kind: &Kind| kind.is_disturbance() && !matches!(kind, Kind::Starting);
        let is_down =
            move |story: &Story| story.events().iter().any(|event| event.at > ready && down(&event.kind));
        self.wait_until(deadline, |conductor| {
            conductor.story.witness().was_served() || is_down(&conductor.story)
        })?;
        if is_down(&self.story) {
            return Ok(false);
        }
        if let Some(served) = self.story.witness().last_served() {
            self.tell(served, What::Steady)?;
            return Ok(true);
        }
        if has_served {
            // Then [observe] is right, and the service is not.
            return Ok(false);
        }
        self.ask_for_last_lines()?;
        let seen = self.story.witness().first_bad(Usec(0)).map_or("nobody asked", |(_, reason)| reason);
        Err(RunError::NotServed {
            url: self.setting.scenario.observe.to_string(),
            limit,
            seen: seen.to_owned(),
            log: self.story.last_lines(),
        })
    }

    /// Waits until the guard beside the service, where there is one, has seen the main process that runs now healthy.
    pub(super) fn guarded(&mut self) -> Result<(), RunError> {
        let Some(guard) = &self.setting.scenario.service.guard else { return Ok(()) };
        self.setting.progress.stage(&format!("waiting for {guard}"));
        let deadline = Usec::now() + FIRST_HEALTHY;
        loop {
            let pid = shown(self.setting, &self.story.plan.unit, "MainPID")?;
            let status = shown(self.setting, guard, "StatusText")?;
            if status.contains(&format!("(active, pid {pid}): healthy")) {
                return Ok(());
            }
            if Usec::now() >= deadline {
                return Err(RunError::NotGuarded { guard: guard.clone(), status });
            }
            // What comes meanwhile is taken in; nothing tells when a status changes.
            self.wait_until(Usec::now() + NEXT_LOOK, |_| false)?;
        }
    }

    /// Lets a random part of the probe interval pass, so that trials sample every phase between probe and injection.
    /// Whether something happened to the service meanwhile.
    pub(super) fn disturbed_before_injection(&mut self) -> Result<bool, RunError> {
        let settings = self.story.settings.as_ref();
        let interval = settings.and_then(|settings| Some(settings.guard.as_ref()?.interval()));
        let interval = interval.or_else(|| Some(settings?.span("WatchdogSec")? / 2)).unwrap_or(COMMAND / 20);
        let part = ChaCha12Rng::seed_from_u64(self.story.plan.seed).random_range(0.0..1.0);
        let begin = Usec::now();
        let disturbed = move |conductor: &Self| {
            let events = conductor.story.events();
            events.iter().any(|event| event.at >= begin && event.kind.is_disturbance())
        };
        self.wait_until(begin + interval.mul_f64(part), disturbed)
    }
}

/// The conditions for which systemd skipped the unit, or the commands, as the unit has them; `None` if it did not. Of a unit that has ended
/// well and that systemd has forgotten, `ConditionResult` is "no" as well.
fn unmet(setting: &Setting, unit: &str) -> Result<Option<String>, RunError> {
    let is_unmet =
        shown(setting, unit, "ConditionResult")? == "no" || shown(setting, unit, "AssertResult")? == "no";
    if !is_unmet && shown(setting, unit, "Result")? != "exec-condition" {
        return Ok(None);
    }
    let argv = ["systemctl", "cat", unit];
    let text = setting.machine.run(&argv, COMMAND)?.stdout;
    let those = |begin: &[&str]| {
        let lines = text.lines().filter(|line| begin.iter().any(|begin| line.starts_with(begin)));
        lines.map(|line| one_line(line.into())).collect::<Vec<_>>()
    };
    let mut conditions = those(&["Condition", "Assert"]);
    if conditions.is_empty() {
        conditions = those(&["ExecCondition="]);
        let argv = journal::skipped(unit);
        let words = argv.iter().map(String::as_str).collect::<Vec<_>>();
        // It may have been met, and the service have ended well.
        if conditions.is_empty() || setting.machine.run(&words, COMMAND)?.stdout.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(conditions.join(" or ")))
}
