//! What a recorder writes, and what is read of it again.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use proptest::prelude::*;

use super::{Recorder, Sink};
use crate::model::ask::{Answer, Ask};
use crate::model::asks::Asks;
use crate::model::bound::tests::settings;
use crate::model::case::{CaseId, Plan};
use crate::model::clock::Usec;
use crate::model::entry::Entry;
use crate::model::expect::{By, Deed, Expectation, Outcome};
use crate::model::moment::{Because, Injected, Journal, Moment, What};
use crate::model::recording::{Recording, RecordingError};
use crate::model::settings::OnHang;
use crate::model::story::Story;

/// A file that can be looked into.
#[derive(Clone, Default)]
struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A case as it is made: each of its moments is written down, and told to its story.
struct Live {
    sheet: Sheet,
    recorder: Recorder,
    story: Story,
}

const BEGIN: Usec = Usec(50_000_000);

fn at(ms: u64) -> Usec {
    BEGIN + Duration::from_millis(ms)
}

fn plan(outcome: Outcome) -> Plan {
    let expect = Expectation {
        outcome,
        by: (outcome == Outcome::Restarted).then_some(By::Watchdog),
        ..Expectation::default()
    };
    Plan {
        scenario: "any".into(),
        description: "anything".into(),
        unit: "x.service".into(),
        trial: 1,
        seed: 7,
        fault: None,
        heal_after_usec: None,
        then: Vec::new(),
        expect,
        observed: None,
        ask_interval_usec: None,
    }
}

impl Live {
    fn begin(outcome: Outcome) -> Self {
        let (sheet, mut recorder, plan) = (Sheet::default(), Recorder::default(), plan(outcome));
        recorder.add("any.jsonl".into(), sheet.clone());
        let story = Story::new(CaseId::of("any", 1), plan.clone());
        let mut live = Self { sheet, recorder, story };
        live.tell(BEGIN, What::Planned(Box::new(plan)));
        live.tell(BEGIN, What::Settings(settings(OnHang::Trigger)));
        live.tell(BEGIN, What::Began);
        live
    }

    fn tell(&mut self, at: Usec, what: What) {
        let moment = Moment { at, case: self.story.case, what };
        self.recorder.take(&moment).expect("written");
        self.story.take(&moment);
    }

    fn ask(&mut self, asked: u64, took: u64, is_good: bool) {
        let answer = if is_good { Answer::Good } else { Answer::Bad("no answer".into()) };
        let (asked, known) = (at(asked), at(asked + took));
        self.tell(known, What::Asks(Asks(vec![Ask { asked, known, answer }])));
    }

    fn entry(&mut self, ms: u64, fields: &str) {
        let at = at(ms);
        let line = format!(
            r#"{{"_PID":"1","UNIT":"x.service","PRIORITY":"3","MESSAGE":"m","__MONOTONIC_TIMESTAMP":"{}",{fields}}}"#,
            at.0
        );
        self.tell(at, What::Journal(Journal { entry: Entry::parse(&line).expect("an entry") }));
    }

    fn inject(&mut self, ms: u64) {
        self.tell(at(ms), What::Injected(Injected { fault: "mute".into(), until: None, deed: Deed::Hangs }));
    }
}

fn read(bytes: &[u8]) -> Result<Recording, RecordingError> {
    Recording::read(bytes)
}

/// What systemd says, by what it is told apart.
const SAYS: [&str; 8] = [
    r#""CODE_FUNC":"service_force_watchdog""#,
    r#""CODE_FUNC":"service_dispatch_watchdog""#,
    r#""MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"killed","EXIT_STATUS":"6","COMMAND":"ExecStart""#,
    r#""MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","UNIT_RESULT":"watchdog""#,
    r#""MESSAGE_ID":"5eb03494b6584870a536b337290809b3","N_RESTARTS":"1""#,
    r#""MESSAGE_ID":"7d4958e842da4a758f6c1cdc7b36dcc5""#,
    r#""MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf""#,
    r#""CODE_FUNC":"nothing_of_interest""#,
];

#[derive(Clone, Debug)]
enum Comes {
    Ask { asked: u64, took: u64, is_good: bool },
    Entry { ms: u64, says: usize },
    Inject { ms: u64 },
    Steady { ms: u64 },
    Watched { ms: u64 },
}

fn anything() -> impl Strategy<Value = Comes> {
    prop_oneof![
        12 => (0_u64..4000, 0_u64..1100, prop::bool::weighted(0.6))
            .prop_map(|(asked, took, is_good)| Comes::Ask { asked, took, is_good }),
        6 => (0_u64..4000, 0..SAYS.len()).prop_map(|(ms, says)| Comes::Entry { ms, says }),
        1 => (500_u64..1500).prop_map(|ms| Comes::Inject { ms }),
        1 => (0_u64..900).prop_map(|ms| Comes::Steady { ms }),
        1 => (0_u64..500).prop_map(|ms| Comes::Watched { ms }),
    ]
}

fn live(outcome: Outcome, stream: &[Comes]) -> Live {
    let mut live = Live::begin(outcome);
    for comes in stream {
        match *comes {
            Comes::Ask { asked, took, is_good } => live.ask(asked, took, is_good),
            Comes::Entry { ms, says } => live.entry(ms, SAYS[says]),
            Comes::Inject { ms } => live.inject(ms),
            Comes::Steady { ms } => live.tell(at(ms), What::Steady),
            Comes::Watched { ms } => live.tell(at(ms), What::Watched),
        }
    }
    live.tell(at(5200), What::Ended);
    live
}

fn outcome() -> impl Strategy<Value = Outcome> {
    proptest::sample::select(vec![Outcome::Restarted, Outcome::Undisturbed, Outcome::Failed])
}

proptest! {
    #[test]
    fn a_replay_comes_to_what_the_run_came_to(
        outcome in outcome(),
        stream in proptest::collection::vec(anything(), 0..300),
    ) {
        let live = live(outcome, &stream);
        let recording = read(&live.sheet.bytes()).expect("it was written whole");
        prop_assert_eq!(recording.stories.len(), 1);
        let replayed = &recording.stories[0];
        prop_assert_eq!(replayed.verdict(), live.story.verdict());
        prop_assert_eq!(replayed.episodes(BEGIN), live.story.episodes(BEGIN));
        prop_assert_eq!(replayed, &live.story);
    }

    #[test]
    fn a_recording_that_is_cut_off_anywhere_is_read_up_to_the_cut(
        stream in proptest::collection::vec(anything(), 0..40),
        cut in 0.0..1.0_f64,
    ) {
        // A trial that was made, and then one that was not: its moments tell nothing.
        let bytes = live(Outcome::Undisturbed, &stream).sheet.bytes();
        let whole = read(&bytes).expect("whole");
        let second: Vec<u8> = String::from_utf8_lossy(&bytes).replace("\"trial\":1", "\"trial\":2").into_bytes();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
        let place = (second.len() as f64 * cut) as usize;
        let both = [&bytes, &second[..place]].concat();
        let recording = read(&both).expect("the first is whole");
        prop_assert_eq!(&recording.stories[0], &whole.stories[0]);
        prop_assert!(recording.stories.len() + recording.cut.len() <= 2);
        // And of the first alone.
        match read(&bytes[..place.min(bytes.len() - 1)]) {
            Err(RecordingError::Empty) => {}
            other => prop_assert!(other.is_ok_and(|it| it.stories[0].ended.is_some())),
        }
    }
}

/// The two witnesses contradict: systemd says that the service hung, and a client was served all the time.
#[test]
fn witnesses_that_contradict_do_so_in_a_replay_too() {
    let mut live = Live::begin(Outcome::Restarted);
    live.tell(at(0), What::Steady);
    live.inject(20);
    for tick in 0..200 {
        live.ask(tick * 10, 1, true);
    }
    for (ms, says) in [(1650, 0), (1655, 2), (1656, 3), (1657, 4), (1670, 5), (1700, 6)] {
        live.entry(ms, SAYS[says]);
    }
    live.tell(at(2100), What::Ended);
    let verdict = live.story.verdict();
    assert!(verdict.reasons().iter().any(|reason| reason.contains("a client was served")), "{verdict:?}");
    let recording = read(&live.sheet.bytes()).expect("whole");
    assert_eq!(recording.stories[0].verdict(), verdict);
}

#[test]
fn a_kind_of_moment_and_a_key_that_are_not_known_are_passed_over() {
    let live = live(Outcome::Undisturbed, &[]);
    let text = String::from_utf8(live.sheet.bytes()).expect("UTF-8");
    let case = live.story.case;
    let weather = format!("{{\"at\":1,\"case\":\"{case}\",\"moment\":\"weather\",\"sky\":[1,{{}}]}}\n");
    let (first, rest) = text.split_once('\n').expect("lines");
    let text = format!(
        "{first}\n{}{weather}",
        rest.replace("\"moment\":\"began\"", "\"moment\":\"began\",\"mood\":\"high\"")
    );
    assert_eq!(read(text.as_bytes()).expect("read").stories, std::slice::from_ref(&live.story));
}

#[test]
fn a_trial_in_which_the_instrument_broke_is_left_out_with_why() {
    let whole = live(Outcome::Undisturbed, &[]).sheet.bytes();
    let mut broken = Live::begin(Outcome::Undisturbed);
    broken.tell(at(7), What::Broke(Because { reason: "the machine broke".into() }));
    assert_eq!(broken.story.verdict().word(), "unsound");
    let second =
        String::from_utf8(broken.sheet.bytes()).expect("UTF-8").replace("\"trial\":1", "\"trial\":2");
    let recording = read(&[&whole, second.as_bytes()].concat()).expect("the first is whole");
    let why =
        recording.cut.iter().map(|story| (story.plan.trial, story.broke.as_deref())).collect::<Vec<_>>();
    assert_eq!((recording.stories.len(), why), (1, vec![(2, Some("the machine broke"))]));
    // One of which nothing else is known is none that tells nothing.
    assert_eq!(read(second.as_bytes()).expect("it tells that").stories, []);
}

#[test]
fn what_is_no_recording_is_refused_with_the_line() {
    let case = CaseId::of("any", 1);
    for (text, expected) in [
        (String::new(), "it holds no complete trial"),
        (
            "{\"format\":\"hangproof\",\"version\":9,\"needs\":9}\n{}\n".into(),
            "line 1: its format is hangproof/9, which needs a reader of 9",
        ),
        ("{\"at\":1}\n{}\n".into(), "line 1: missing field"),
        (
            format!("{{\"at\":1,\"case\":\"{case}\",\"moment\":\"began\"}}\n\n"),
            "line 1: a moment of a case that was not planned",
        ),
        ("not json\n{}\n".into(), "line 1: expected"),
        ("{\"record\":\"run\",\"schema\":\"hangproof/0\"}\n{}\n".into(), "line 1: missing field"),
        ("{\"record\":\"steady\",\"at_usec\":1}\n{}\n".into(), "line 1: a trial's record outside of a trial"),
    ] {
        let error = read(text.as_bytes()).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn asks_are_written_many_at_a_time_and_none_is_kept_back_for_long() {
    let mut live = Live::begin(Outcome::Undisturbed);
    let lines = |live: &Live| {
        String::from_utf8(live.sheet.bytes()).expect("UTF-8").matches("\"moment\":\"asks\"").count()
    };
    for tick in 0..250 {
        live.ask(tick * 10, 1, true);
    }
    assert_eq!(lines(&live), 2, "a hundred in each");
    // Entries do not wait for asks, and asks not for more than a second of them.
    live.entry(2600, SAYS[7]);
    assert_eq!(lines(&live), 2);
    live.entry(3300, SAYS[7]);
    assert_eq!(lines(&live), 3);
    live.ask(3400, 1, true);
    drop(live.recorder);
    assert_eq!(
        String::from_utf8(live.sheet.bytes()).expect("UTF-8").matches("\"moment\":\"asks\"").count(),
        4
    );
}
