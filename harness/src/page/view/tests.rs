use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::model::ask::{Answer, Ask};
use crate::model::asks::Asks;
use crate::model::case::Plan;
use crate::model::expect::Deed;
use crate::model::moment::{self, Because, Healed, Injected, UnitFile};
use crate::model::recording::{Recording, moments};
use crate::model::result::TrialResult;
use crate::model::third_witness::PidOne;
use crate::page::telling::{Answered, Episode, Event, Fault, File, Line, Report, Ruling, State, Unit, Word};
use crate::record::{Recorder, Sink as _};

/// The recordings that ship for the tests of replays.
fn journals() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals")
}

fn names() -> Vec<String> {
    let files = std::fs::read_dir(journals()).expect("they ship");
    let names = files.map(|file| file.expect("readable").path().file_stem().expect("a name").to_owned());
    let mut names = names.map(|name| name.into_string().expect("UTF-8")).collect::<Vec<_>>();
    names.sort();
    names
}

fn text(name: &str) -> String {
    std::fs::read_to_string(journals().join(format!("{name}.jsonl"))).expect("it ships")
}

/// The moments of a recording.
pub fn recorded(text: &str) -> Vec<Moment> {
    let mut all = Vec::new();
    let heard = moments(text.as_bytes(), |moment| {
        all.push(moment);
        Ok(())
    });
    heard.expect("a recording");
    all
}

/// The stories of one of them.
pub fn stories(name: &str) -> Vec<Story> {
    Recording::read(text(name).as_bytes()).expect("a recording").stories
}

/// What a page shows that was told all this, in whatever pieces.
#[derive(Debug, Default, PartialEq)]
pub struct Screen {
    answers: BTreeMap<Usec, (u64, Option<String>)>,
    left_out: u64,
    states: BTreeMap<Usec, State>,
    events: Vec<(Usec, Event)>,
    lines: Vec<(Usec, Line)>,
    faults: BTreeMap<String, Fault>,
    pub episodes: BTreeMap<String, Episode>,
    reports: BTreeMap<String, Report>,
    units: Vec<(Usec, Unit)>,
    others: BTreeMap<&'static str, Telling>,
}

impl Screen {
    pub fn of(told: impl IntoIterator<Item = (Usec, Telling)>) -> Self {
        let mut screen = Self::default();
        for (at, telling) in told {
            screen.show(at, telling);
        }
        screen.events.sort_by_key(|(at, event)| (*at, event.label.clone()));
        screen.lines.sort_by_key(|(at, line)| (*at, line.message.clone()));
        screen
    }

    fn show(&mut self, at: Usec, telling: Telling) {
        match telling {
            Telling::Answers(told) => {
                for Answered(asked, took, outcome) in told.answers {
                    let reason = outcome.checked_sub(1).map(|place| told.reasons[place].clone());
                    self.answers.insert(asked, (took, reason));
                }
                self.left_out += told.left_out;
            }
            Telling::State(state) => drop(self.states.insert(at, state)),
            Telling::Event(event) => self.events.push((at, *event)),
            Telling::Line(line) => self.lines.push((at, line)),
            Telling::Fault(fault) => drop(self.faults.insert(fault.key.clone(), fault)),
            Telling::Episode(episode) => drop(self.episodes.insert(episode.key.clone(), *episode)),
            Telling::Report(report) => drop(self.reports.insert(report.key.clone(), report)),
            Telling::Settings(_) => drop(self.others.insert("settings", telling)),
            Telling::Unit(unit) => self.units.push((at, unit)),
            Telling::History(_) => drop(self.others.insert("history", telling)),
            other @ (Telling::Scene(_) | Telling::Controls(_) | Telling::Run(_)) => {
                panic!("the view does not tell {other:?}")
            }
        }
    }

    /// How the service was, and from when on.
    fn words(&self) -> Vec<(Usec, Word)> {
        let mut words: Vec<(Usec, Word)> = Vec::new();
        for (at, state) in &self.states {
            if words.last().is_none_or(|(_, last)| *last != state.word) {
                words.push((*at, state.word));
            }
        }
        words
    }

    /// The same in whatever order things came: what is known beside a state's word is told when it is.
    fn settled(self) -> (Vec<(Usec, Word)>, Self) {
        (self.words(), Self { states: BTreeMap::new(), ..self })
    }
}

pub fn folded(moments: &[Moment]) -> Screen {
    let mut view = View::default();
    Screen::of(moments.iter().flat_map(|moment| view.take(moment)).collect::<Vec<_>>())
}

#[test]
fn recordings_come_to_states_and_phases() {
    let mut shown = String::new();
    for name in names() {
        let screen = folded(&recorded(&text(&name)));
        let origin = screen.episodes.values().next().map_or(Usec(0), |episode| episode.from);
        let ms = |at: Usec| at.ms_since(origin).round();
        let _ = writeln!(shown, "{name}");
        for (at, word) in screen.words() {
            let _ = writeln!(shown, "  {:>7} {word:?}", ms(at));
        }
        for episode in screen.episodes.values() {
            let Episode { trial, fault, verdict, over, failed_requests, .. } = episode;
            let fault = fault.as_deref().unwrap_or("nothing");
            let word = verdict.as_ref().map_or("open", |verdict| verdict.word);
            let _ =
                write!(shown, "  trial {trial}, {fault}: {word}, over {over}, failed {failed_requests:?}:");
            for phase in &episode.phases {
                let _ = write!(shown, " {} {}–{}", phase.phase.name(), ms(phase.from), ms(phase.to));
            }
            shown.push('\n');
        }
        for fault in screen.faults.values() {
            let _ = writeln!(shown, "  {} {}–{:?}", fault.fault, ms(fault.from), fault.to.map(ms));
        }
        for report in screen.reports.values() {
            let _ = writeln!(shown, "  report: {}, {} threads", report.summary, report.threads.len());
        }
        let (answers, events, lines) = (screen.answers.len(), screen.events.len(), screen.lines.len());
        let _ = writeln!(shown, "  {answers} answers, {events} events, {lines} lines");
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn phases_and_verdicts_are_those_of_the_report() {
    for name in names() {
        let screen = folded(&recorded(&text(&name)));
        for story in stories(&name) {
            let result = TrialResult::of(&story);
            for (number, (_, timeline)) in result.episodes().enumerate() {
                let key = format!("{}/{number}", story.case);
                let told = &screen.episodes[&key];
                assert!(told.over && told.running.is_none(), "{name} {key}");
                assert_eq!(told.verdict, Some(Ruling::from(&result.verdict)), "{name} {key}");
                let phases = told.phases.iter().map(|part| (part.phase, part.from, part.to));
                let expected = timeline.phases.iter().map(|(phase, span)| (phase, span.from, span.to));
                assert_eq!(phases.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name} {key}");
            }
        }
    }
}

/// The moments as a conductor tells them: each ask when it is known, entries up to `late` after journald had them.
fn as_they_came(moments: &[Moment], late: &[u64]) -> Vec<Moment> {
    let end =
        moments.iter().rev().find(|moment| moment.what == What::Ended).map_or(Usec(u64::MAX), |it| it.at);
    let mut came: Vec<(Usec, Moment)> = Vec::new();
    let mut heard = Usec(0);
    let mut lates = late.iter().cycle();
    for moment in moments {
        match &moment.what {
            What::Asks(Asks(asks)) => came.extend(asks.iter().map(|ask| {
                let one =
                    Moment { at: ask.known, case: moment.case, what: What::Asks(Asks(vec![ask.clone()])) };
                (ask.known.min(end), one)
            })),
            What::Journal(_) => {
                let late = std::time::Duration::from_millis(*lates.next().unwrap_or(&0));
                heard = heard.max(moment.at + late);
                came.push((heard.min(end), moment.clone()));
            }
            _ => came.push((moment.at, moment.clone())),
        }
    }
    came.sort_by_key(|(at, moment)| (*at, moment.what == What::Ended));
    came.into_iter().map(|(_, moment)| moment).collect()
}

/// What a recorder makes of them.
fn written(moments: &[Moment]) -> String {
    #[derive(Clone, Default)]
    struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let file = Shared::default();
    let mut recorder = Recorder::default();
    recorder.add("r.jsonl".into(), file.clone());
    for moment in moments {
        recorder.take(moment).expect("written");
    }
    recorder.flush().expect("written");
    let bytes = file.0.lock().expect("nobody panicked").clone();
    String::from_utf8(bytes).expect("UTF-8")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_recording_shows_what_was_seen_live(name in 0_usize..11, late in proptest::collection::vec(0_u64..250, 1..9)) {
        let name = &names()[name];
        let live = as_they_came(&recorded(&text(name)), &late);
        let file = recorded(&written(&live));
        prop_assert_eq!(folded(&live).settled(), folded(&file).settled(), "{}", name);
    }
}

fn plan(scenario: &str) -> Plan {
    Plan {
        scenario: scenario.into(),
        description: String::new(),
        unit: "x.service".into(),
        trial: 1,
        seed: 1,
        fault: None,
        heal_after_usec: None,
        then: Vec::new(),
        expect: serde_json::from_str(r#"{"outcome":"undisturbed"}"#).expect("an expectation"),
        observed: None,
        ask_interval_usec: None,
    }
}

struct Stage {
    view: View,
    case: CaseId,
    told: Told,
}

impl Stage {
    fn begin(scenario: &str) -> Self {
        let mut stage = Self { view: View::default(), case: CaseId::of("a", 0), told: Told::new() };
        stage.next(scenario, 1, 0);
        stage
    }

    fn next(&mut self, scenario: &str, number: u32, at: u64) {
        self.case = CaseId::of("a", number);
        self.take(at, What::Planned(Box::new(plan(scenario))));
        self.take(at, What::Began);
    }

    fn take(&mut self, at: u64, what: What) {
        let told = self.view.take(&Moment { at: Usec(at), case: self.case, what });
        self.told.extend(told);
    }

    fn ask(&mut self, at: u64, is_good: bool) {
        let answer = if is_good { Answer::Good } else { Answer::Bad("no".into()) };
        self.take(at, What::Asks(Asks(vec![Ask { asked: Usec(at), known: Usec(at), answer }])));
    }

    fn screen(self) -> Screen {
        Screen::of(self.told)
    }
}

#[test]
fn an_idle_case_is_shown_without_an_episode_and_forgets_what_clients_saw_long_ago() {
    let mut stage = Stage::begin("");
    for at in 0..60_000 {
        stage.ask(at * 10_000, true);
    }
    let known = stage.view.cases[&stage.case].story.witness().failed_of().1;
    assert!(known <= 13_000, "{known} of 60,000 asks");
    stage.take(600_000_000, What::Ended);
    assert!(stage.view.cases.is_empty());
    let screen = stage.screen();
    assert_eq!((screen.answers.len(), screen.episodes.len(), screen.events.len()), (60_000, 0, 0));
    assert_eq!(screen.words(), [(Usec(0), Word::Healthy)]);
}

#[test]
fn an_unnoticed_hang_in_an_idle_case_has_lasted_for_as_long_as_it_has() {
    let mut stage = Stage::begin("");
    stage.ask(0, true);
    for at in 1..20_000 {
        stage.ask(at * 10_000, false);
    }
    let screen = stage.screen();
    assert_eq!(screen.words(), [(Usec(0), Word::Healthy), (Usec(10_000), Word::Hung)]);
    assert_eq!(screen.states.last_key_value().map(|(_, state)| state.since), Some(Usec(10_000)));
}

#[test]
fn a_case_without_a_fault_that_asks_a_question_is_an_episode() {
    let mut stage = Stage::begin("undisturbed");
    stage.take(1, What::Steady);
    assert_eq!(
        Screen::of(stage.told.clone()).episodes.values().map(|it| it.over).collect::<Vec<_>>(),
        [false]
    );
    stage.take(2, What::Ended);
    assert_eq!(stage.screen().episodes.values().map(|it| it.over).collect::<Vec<_>>(), [true]);
}

#[test]
fn the_next_case_on_a_machine_goes_on_where_the_last_one_ended() {
    let mut stage = Stage::begin("");
    stage.ask(5, true);
    stage.take(10, What::Ended);
    stage.next("", 2, 20);
    stage.take(30, What::Injected(Injected { fault: "mute".into(), until: None, deed: Deed::default() }));
    stage.take(40, What::Healed(Healed { fault: "mute".into(), at_end: false }));
    let screen = stage.screen();
    assert_eq!(screen.words(), [(Usec(0), Word::Healthy)]);
    assert_eq!(screen.states.last_key_value().map(|(_, state)| state.since), Some(Usec(0)));
    assert_eq!(
        screen.events.iter().map(|(_, event)| &*event.label).collect::<Vec<_>>(),
        ["Fault: mute", "Healed: mute"]
    );
}

#[test]
fn a_hang_that_nobody_ends_goes_on_in_the_next_cases_of_its_machine() {
    let mut stage = Stage::begin("");
    stage.ask(5, true);
    for at in 1..4 {
        stage.ask(at * 10_000, false);
    }
    stage.take(40_000, What::Ended);
    stage.next("", 2, 50_000);
    stage.ask(50_001, false);
    stage.ask(60_000, false);
    stage.take(70_000, What::Ended);
    stage.next("", 3, 80_000);
    let screen = Screen::of(stage.told.clone());
    assert_eq!(screen.words(), [(Usec(0), Word::Healthy), (Usec(10_000), Word::Hung)]);
    assert_eq!(screen.states.last_key_value().map(|(_, state)| state.since), Some(Usec(10_000)));
    stage.ask(90_000, true);
    assert_eq!(stage.screen().words().last().map(|(_, word)| *word), Some(Word::Healthy));
}

fn unit(within: u32) -> What {
    let path = "/run/systemd/system/x.service.d/90-demo.conf".into();
    What::Unit(moment::Unit { files: vec![UnitFile { path, text: format!("WatchdogSec={within}") }] })
}

#[test]
fn the_units_files_are_told_once_and_again_when_they_are_others() {
    let mut stage = Stage::begin("");
    stage.take(1, unit(5));
    for (number, within) in [(2, 5), (3, 1), (4, 1), (5, 5)] {
        stage.take(u64::from(number) * 10 - 1, What::Ended);
        stage.next("mute", number, u64::from(number) * 10);
        stage.take(u64::from(number) * 10 + 1, unit(within));
    }
    let units = stage.screen().units;
    let told = units.iter().map(|(at, unit)| {
        let [File { text, .. }] = unit.files.as_slice() else { panic!("{unit:?}") };
        (at.0, unit.scenario.as_str(), text.as_str())
    });
    let expected = [(1, "", "WatchdogSec=5"), (31, "mute", "WatchdogSec=1"), (51, "mute", "WatchdogSec=5")];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn a_case_in_which_the_instrument_broke_is_an_episode_that_says_why_whether_or_not_it_began() {
    let broke = || What::Broke(Because { reason: "no such socket".into() });
    let mut begun = Stage::begin("mute");
    begun.take(1, broke());
    let mut unbegun = Stage { view: View::default(), case: CaseId::of("a", 1), told: Told::new() };
    unbegun.take(1, What::Planned(Box::new(Plan { fault: Some("mute".into()), ..plan("mute") })));
    unbegun.take(1, unit(5));
    unbegun.take(2, broke());
    for (stage, is_begun) in [(begun, true), (unbegun, false)] {
        let screen = stage.screen();
        let told = screen.episodes.values().map(|episode| (episode.over, episode.verdict.clone()));
        let reasons = vec!["no such socket".to_owned()];
        let unsound = Ruling { word: "unsound", reasons, summary: None };
        assert_eq!(told.collect::<Vec<_>>(), [(true, Some(unsound))]);
        assert!(screen.faults.is_empty(), "{:?}", screen.faults);
        let failed = screen.episodes.values().map(|episode| episode.failed_requests);
        assert_eq!(failed.collect::<Vec<_>>(), [is_begun.then_some(0)]);
    }
}

#[test]
fn the_guards_status_is_what_systemd_was_told_of_it() {
    let mut stage = Stage::begin("");
    stage.ask(5, true);
    let said = |status: Option<&str>| {
        What::PidOne(Box::new(PidOne { status: status.map(Into::into), ..PidOne::default() }))
    };
    for (at, status) in [(10, Some("healthy: answered in 1 ms")), (20, None), (30, Some("hung\u{7}"))] {
        stage.take(at, said(status));
    }
    let states = stage.screen().states;
    let told = |at| states.range(..=Usec(at)).next_back().and_then(|(_, state)| state.status.clone());
    let expected =
        [None, Some("healthy: answered in 1 ms"), Some("healthy: answered in 1 ms"), Some("hung\\u{7}")];
    assert_eq!([9, 10, 29, 30].map(told), expected.map(|status| status.map(str::to_owned)));
}

#[test]
fn answers_that_wait_are_told_when_nothing_else_comes() {
    let mut stage = Stage::begin("");
    stage.ask(5, true);
    let told =
        |told: &Told| told.iter().filter(|(_, telling)| matches!(telling, Telling::Answers(_))).count();
    assert_eq!(told(&stage.told), 0);
    let settled = stage.view.settle(Usec(100_000));
    assert_eq!(told(&settled), 1);
    assert_eq!(told(&stage.view.settle(Usec(200_000))), 0);
}
