use super::*;
use crate::guard::unit::tests::running;
use crate::systemd::shall_restart::{Restart, Statuses};

const WORDS: [&str; 7] =
    ["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"];
const RULES: [RestartRule; 4] =
    [RestartRule::Auto, RestartRule::Unit, RestartRule::Always, RestartRule::Never];
/// As `systemctl is-enabled` has it: systemctl(1).
const FILE_STATES: [&str; 12] = [
    "enabled",
    "enabled-runtime",
    "linked",
    "linked-runtime",
    "alias",
    "masked",
    "masked-runtime",
    "static",
    "indirect",
    "disabled",
    "generated",
    "transient",
];

fn settings(restart: &str) -> Settings {
    let restart = Restart { setting: restart.into(), ..Restart::default() };
    Settings { restart, file_state: "static".into(), ..Settings::default() }
}

fn sigabrt() -> Statuses {
    Statuses { codes: vec![], signals: vec![6] }
}

/// S: systemd, G: this guard, -: nobody, and it is left alone; x: nobody, and it is ended all the same.
fn letter(comeback: &Comeback) -> char {
    match comeback {
        Comeback::Systemd => 'S',
        Comeback::Guard => 'G',
        Comeback::Nobody(_) if comeback.may_end() => 'x',
        Comeback::Nobody(_) => '-',
    }
}

/// What comes after a hang of `now`, one letter for each of [`RULES`].
fn letters(now: &Settings, before: Option<&Settings>) -> String {
    let foreseen = |rule| Comeback::foreseen(rule, now, before, &running(7));
    RULES.into_iter().map(|rule| letter(&foreseen(rule))).collect()
}

#[test]
fn every_restart_setting_has_somebody_who_starts_it_again_unless_told_otherwise() {
    for (word, expected) in [
        // auto, unit, always, never
        ("no", "G-Gx"),
        ("on-success", "G-Gx"),
        ("on-failure", "SSSS"),
        ("on-abnormal", "SSSS"),
        ("on-watchdog", "GGGx"),
        ("on-abort", "SSSS"),
        ("always", "SSSS"),
        ("a-later-word", "G-Gx"),
    ] {
        assert_eq!(letters(&settings(word), None), expected, "{word}");
    }
}

#[test]
fn a_service_without_a_main_process_ends_well_whatever_it_was_sent() {
    let alone = |rule, word: &str| letter(&Comeback::foreseen(rule, &settings(word), None, &running(0)));
    for (word, expected) in [
        ("no", "G-"),
        ("on-success", "SS"),
        ("on-failure", "GG"),
        ("on-abnormal", "GG"),
        ("on-watchdog", "GG"),
        ("on-abort", "G-"),
        ("always", "SS"),
    ] {
        let letters: String =
            [RestartRule::Auto, RestartRule::Unit].map(|rule| alone(rule, word)).iter().collect();
        assert_eq!(letters, expected, "{word}");
    }
}

/// By hand, by `Wants=`, enabled: a unit that was taken up so has no objection in it.
#[test]
fn how_the_unit_came_to_run_does_not_matter() {
    for file_state in FILE_STATES.into_iter().filter(|state| !state.starts_with("masked")).chain([""]) {
        for word in WORDS {
            let now = Settings { file_state: file_state.into(), ..settings(word) };
            let expected = letters(&settings(word), None);
            assert_eq!(letters(&now, None), expected, "{file_state} {word}");
            assert_eq!(letters(&now, Some(&now)), expected, "{file_state} {word}");
        }
    }
}

#[test]
fn what_was_disabled_masked_or_set_otherwise_since_is_started_by_systemd_or_not_at_all() {
    let state = |file_state: &str, word: &str| Settings { file_state: file_state.into(), ..settings(word) };
    for (before, now, expected, why) in [
        (state("enabled", "on-watchdog"), state("disabled", "on-watchdog"), "---x", "it was disabled since"),
        (state("enabled-runtime", "no"), state("disabled", "no"), "---x", "it was disabled since"),
        // What Also= names is still enabled.
        (state("enabled", "no"), state("indirect", "no"), "---x", "it was disabled since"),
        (state("static", "no"), state("masked", "no"), "---x", "it was masked since"),
        (state("disabled", "no"), state("masked-runtime", "no"), "---x", "it was masked since"),
        (state("static", "always"), state("static", "no"), "--Gx", "it was set to Restart=no since"),
        (
            state("static", "on-watchdog"),
            state("static", "on-success"),
            "--Gx",
            "set to Restart=on-success since",
        ),
        // systemd does it.
        (state("enabled", "always"), state("disabled", "always"), "SSSS", ""),
        // Nobody has said anything.
        (state("disabled", "no"), state("disabled", "no"), "G-Gx", ""),
        (state("static", "no"), state("disabled", "no"), "G-Gx", ""),
        (state("disabled", "no"), state("enabled", "no"), "G-Gx", ""),
        (state("static", "no"), state("static", "on-success"), "G-Gx", ""),
        (state("static", "no"), state("static", "on-watchdog"), "GGGx", ""),
    ] {
        assert_eq!(letters(&now, Some(&before)), expected, "{before:?} {now:?}");
        if let Comeback::Nobody(obstacle) =
            Comeback::foreseen(RestartRule::Auto, &now, Some(&before), &running(7))
        {
            assert!(obstacle.to_string().contains(why), "{obstacle}");
        }
    }
}

#[test]
fn what_systemd_would_not_start_is_left_alone() {
    for (load, can_start, words) in [
        ("masked", false, "the unit is masked"),
        ("not-found", false, "the unit has no file any more"),
        ("bad-setting", false, "systemd cannot read its unit file"),
        ("error", false, "systemd cannot read its unit file"),
        // RefuseManualStart= is nothing to its own restarts.
        ("loaded", false, "RefuseManualStart=yes"),
    ] {
        let now = |word| Settings { load: load.into(), can_start, ..settings(word) };
        assert_eq!(letters(&now("no"), None), "---x", "{load}");
        assert_eq!(letters(&now("always"), None), if load == "loaded" { "SSSS" } else { "---x" }, "{load}");
        match Comeback::foreseen(RestartRule::Always, &now("no"), None, &running(7)) {
            Comeback::Nobody(obstacle) => assert_eq!(obstacle.to_string(), words),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn exit_statuses_count_as_for_systemd_before_the_end_and_after_it() {
    let with = |word: &str, set: fn(&mut Restart)| {
        let mut settings = settings(word);
        set(&mut settings.restart);
        settings
    };
    for (now, expected) in [
        (with("always", |restart| restart.prevent = sigabrt()), "--Gx"),
        // TimeoutAbortSec= may have to be used.
        (with("always", |restart| restart.prevent.signals = vec![9]), "--SS"),
        // How else it ends is not known beforehand.
        (with("always", |restart| restart.prevent.codes = vec![1]), "SSSS"),
        (with("no", |restart| restart.force = sigabrt()), "SSSS"),
        (with("on-failure", |restart| restart.success = sigabrt()), "GGGx"),
        (with("on-success", |restart| restart.success = sigabrt()), "SSSS"),
    ] {
        assert_eq!(letters(&now, None), expected, "{now:?}");
    }
    let unkillable = with("always", |restart| restart.prevent.signals = vec![9]);
    assert_eq!(letters(&Settings { send_sigkill: false, ..unkillable }, None), "SSSS");
    let polite = Settings { watchdog_signal: 15, ..settings("on-failure") };
    assert_eq!(letters(&polite, None), "GGGx", "to systemd SIGTERM is a good end");

    let prevented = with("on-watchdog", |restart| restart.prevent.codes = vec![3]);
    for (death, expected) in
        [(Death::Exited(3), "--Gx"), (Death::Exited(0), "GGGx"), (Death::Dumped(6), "GGGx")]
    {
        let after = |rule| letter(&Comeback::after(rule, &prevented, None, death));
        assert_eq!(RULES.into_iter().map(after).collect::<String>(), expected, "{death:?}");
    }
}

#[test]
fn what_was_ended_because_it_comes_back_comes_back_whatever_its_process_made_of_the_signal() {
    for death in [Death::Exited(0), Death::Exited(3), Death::Killed(6), Death::Killed(9), Death::Unknown] {
        for word in
            WORDS.into_iter().filter(|word| letters(&settings(word), None).chars().nth(1) != Some('-'))
        {
            let after = Comeback::after(RestartRule::Unit, &settings(word), None, death);
            assert!(matches!(after, Comeback::Systemd | Comeback::Guard), "{word} {death:?}: {after:?}");
        }
    }
}

#[test]
fn an_end_that_would_be_the_machines_or_the_units_own_is_brought_about_on_order_only() {
    for word in ["reboot", "poweroff-force", "exit"] {
        let now = |restart| Settings { failure_action: word.into(), ..settings(restart) };
        assert_eq!(letters(&now("no"), None), "--Gx", "{word}");
        assert_eq!(letters(&now("on-failure"), None), "SSSS", "a unit that is restarted does not fail");
    }
    let transient = |collect_mode: &str, restart| Settings {
        file_state: "transient".into(),
        collect_mode: collect_mode.into(),
        ..settings(restart)
    };
    assert_eq!(letters(&transient("inactive", "no"), None), "G-Gx");
    assert_eq!(letters(&transient("inactive-or-failed", "no"), None), "---x");
    assert_eq!(letters(&transient("inactive-or-failed", "always"), None), "SSSS");
    let file = Settings { collect_mode: "inactive-or-failed".into(), ..settings("no") };
    assert_eq!(letters(&file, None), "G-Gx", "its file is read again");
}

#[test]
fn every_obstacle_has_a_remedy_that_removes_it() {
    let load = |load: &str| Obstacle::Unstartable(load.into());
    for (obstacle, expected) in [
        (Obstacle::Told, "--restart auto"),
        (Obstacle::Restart("no".into()), "--restart auto"),
        (Obstacle::Prevented(Death::Killed(6)), "--restart always"),
        (Obstacle::FailureAction("reboot".into()), "--restart always"),
        (load("loaded"), "Restart="),
        (load("masked"), "`systemctl unmask`"),
        (load("not-found"), "mend its unit file"),
        (Obstacle::Collected, "Restart="),
        (Obstacle::Since("disabled".into()), "take that back"),
    ] {
        let remedy = obstacle.remedy(Scope::System);
        assert!(remedy.contains(expected), "{obstacle:?}: {remedy}");
    }
}

#[test]
fn a_plan_says_what_is_done_and_what_comes_after() {
    let mixed = Settings { kill_mode: "mixed".into(), send_sigkill: false, ..settings("no") };
    let all = "sent SIGABRT (all its processes; SIGKILL after 90 s) and";
    for (settings, unit, comeback, expected) in [
        (
            settings("always"),
            running(7),
            Comeback::Systemd,
            format!("{all} started again by systemd (Restart=always)"),
        ),
        (
            settings("no"),
            running(7),
            Comeback::Guard,
            format!("{all} started again by this guard (Restart=no)"),
        ),
        (
            mixed.clone(),
            running(7),
            Comeback::Nobody(Obstacle::Told),
            "sent SIGABRT (its main process) and not started again (--restart never)".to_owned(),
        ),
        (
            mixed,
            running(0),
            Comeback::Guard,
            "sent SIGABRT (all its processes) and started again by this guard (Restart=no)".to_owned(),
        ),
        (
            settings("no"),
            running(7),
            Comeback::Nobody(Obstacle::Unstartable("masked".into())),
            "left alone, since nobody would start it again (the unit is masked)".to_owned(),
        ),
    ] {
        assert_eq!(comeback.plan(&settings, &unit), expected);
    }
}

#[test]
fn the_remedy_names_the_manager_that_the_unit_is_of() {
    let masked = Obstacle::Unstartable("masked".to_owned());
    assert_eq!(masked.remedy(Scope::User), "`systemctl --user unmask` it");
}
