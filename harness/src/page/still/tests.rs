use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use flate2::read::ZlibDecoder;
use serde_json::Value;

use super::*;
use crate::model::ask::{Answer, Ask};
use crate::model::asks::Asks;
use crate::model::case::Plan;
use crate::model::entry::Entry;
use crate::model::moment::{Because, Journal};
use crate::model::story::Story;
use crate::page::view::tests::{Screen, folded, recorded, stories};

/// The text of the element that holds the tellings.
fn embedded(page: &str) -> &str {
    let (_, rest) = page.split_once("id=\"tellings\">").expect("it has tellings");
    rest.split_once("</script>").expect("they end").0
}

/// What is in it, as a browser reads it.
fn tellings(page: &str) -> Vec<Value> {
    let bytes = STANDARD.decode(embedded(page)).expect("Base64");
    let mut text = String::new();
    ZlibDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("zlib's format");
    serde_json::from_str(&text).expect("a list")
}

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/journals/{name}.jsonl"));
    std::fs::read_to_string(path).expect("it ships")
}

fn still(moments: &[Moment]) -> Still {
    let mut still = Still::default();
    for moment in moments {
        still.take(moment).expect("in memory");
    }
    still
}

fn page(name: &str) -> String {
    let moments = recorded(&text(name));
    still(&moments).page(&[], &RunResult::all_of(&stories(name))).expect("in memory")
}

fn kinds(tellings: &[Value]) -> Vec<&str> {
    tellings.iter().map(|telling| telling["kind"].as_str().expect("a kind")).collect()
}

#[test]
fn a_report_begins_with_what_it_is_of_and_the_verdicts_and_ids_count_up() {
    let told = tellings(&page("sequence"));
    assert_eq!(kinds(&told)[..2], ["scene", "run"]);
    assert_eq!((&told[0]["live"], &told[1]["of"]), (&Value::Bool(false), &1.into()));
    assert!(told[1]["journal"].as_array().is_some_and(|lines| !lines.is_empty()));
    let ids = told.iter().map(|telling| telling["id"].as_u64().expect("an id")).collect::<Vec<_>>();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let all = kinds(&told).into_iter().collect::<BTreeSet<_>>();
    for kind in ["settings", "state", "answers", "event", "line", "fault", "episode", "history"] {
        assert!(all.contains(kind), "{kind} is missing");
    }
    let first = told.iter().find(|telling| telling["id"].as_u64() > Some(HEAD)).expect("a case");
    assert!(first["case"].is_string(), "the first of a case names it");
}

#[test]
fn the_file_shows_what_the_live_page_does() {
    for name in ["crash-trials", "hang-report", "late", "sequence", "trigger", "undisturbed"] {
        let moments = recorded(&text(name));
        let mut view = View::default();
        let mut told: Vec<(CaseId, Told)> = Vec::new();
        let mut history = Vec::new();
        for moment in &moments {
            let (its, of_all): (Told, Told) = view
                .take(moment)
                .into_iter()
                .partition(|(_, telling)| !matches!(telling, Telling::History(_)));
            match told.iter_mut().find(|(case, _)| *case == moment.case) {
                Some((_, known)) => known.extend(its),
                None => told.push((moment.case, its)),
            }
            history.extend(of_all);
        }
        let few = told.into_iter().flat_map(|(_, told)| condensed(told, false)).chain(history);
        assert_eq!(Screen::of(few), folded(&moments), "{name}");
    }
}

#[test]
fn nothing_that_a_service_logs_can_end_the_script_or_the_text_around_it() {
    let bad = "</script><!--<script>alert(1)//\u{2028}]]>";
    let mut moments = recorded(&text("trigger"));
    let line = serde_json::json!({ "MESSAGE": bad, "_PID": "9", "__MONOTONIC_TIMESTAMP": "7" }).to_string();
    let (at, case) = (moments[4].at, moments[4].case);
    let what = What::Journal(Journal { entry: Entry::parse(&line).expect("an entry") });
    moments.insert(5, Moment { at, case, what });
    for moment in &mut moments {
        if let What::Planned(plan) = &mut moment.what {
            plan.scenario = bad.into();
            plan.description = bad.into();
        }
    }
    let mut story: Option<Story> = None;
    for moment in &moments {
        match (&moment.what, &mut story) {
            (What::Planned(plan), _) => story = Some(Story::new(moment.case, (**plan).clone())),
            (_, Some(story)) => drop(story.take(moment)),
            _ => {}
        }
    }
    let page = still(&moments).page(&[], &RunResult::all_of(&[story.expect("one")])).expect("in memory");
    assert!(!page.contains("alert(1)//") || page.contains("&lt;script"), "escaped");
    assert!(!page.contains("<!--") && !page.contains("<script>alert"), "escaped");
    assert!(embedded(&page).bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)));
    let told = tellings(&page);
    let shown = "</script><!--<script>alert(1)//\\u{2028}]]>";
    assert!(told.iter().any(|telling| telling["message"] == shown), "it is shown as it is");
}

#[test]
fn a_report_asks_for_nothing_and_runs_nothing_but_its_own() {
    let page = page("trigger");
    assert!(page.contains("default-src 'none'; script-src 'sha256-") && page.contains("style-src 'sha256-"));
    for tempting in
        [" onclick", " onload", "javascript:", "src=\"http", "href=\"http", "@import", "unsafe-inline"]
    {
        assert!(!page.contains(tempting), "{tempting}");
    }
}

#[test]
fn a_case_is_in_a_report_once_and_only_when_it_is_over() {
    let moments = recorded(&text("late"));
    let (last, before) = moments.split_last().expect("some");
    assert_eq!(last.what, What::Ended);
    let mut still = still(before);
    assert_eq!(still.count, 0);
    // It is resumed, made anew, and merged with itself.
    for moment in moments.iter().chain(&moments) {
        still.take(moment).expect("in memory");
    }
    let once = self::still(&moments);
    assert_eq!((still.count, still.open.len()), (once.count, 0));
}

#[test]
fn a_case_in_which_the_instrument_broke_is_in_a_report_until_it_is_made() {
    let moments = recorded(&text("late"));
    let (last, before) = moments.split_last().expect("some");
    let broke = Moment { what: What::Broke(Because { reason: "no such socket".into() }), ..last.clone() };
    let mut still = still(before);
    still.take(&broke).expect("in memory");
    let reasons = |still: &Still| {
        let told = tellings(&still.page(&[], &[]).expect("in memory"));
        let ids = told.iter().map(|telling| telling["id"].as_u64().expect("an id")).collect::<Vec<_>>();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        let episodes = told.into_iter().filter(|telling| telling["kind"] == "episode");
        let why = episodes.map(|telling| telling["verdict"]["reasons"].to_string());
        why.collect::<Vec<_>>()
    };
    assert_eq!(reasons(&still), [r#"["no such socket"]"#]);
    // Of another one something is written after it.
    for moment in trials(1).flatten() {
        still.take(&moment).expect("in memory");
    }
    assert_eq!(reasons(&still).len(), 2);
    for moment in &moments {
        still.take(moment).expect("in memory");
    }
    let made = reasons(&still);
    assert!(made.len() == 2 && made.iter().all(|why| !why.contains("no such socket")), "{made:?}");
}

#[test]
fn what_a_live_page_was_told_is_a_file_too() {
    let scene = Scene { live: true, title: "t<".into(), ..Scene::default() };
    let told = [telling::Told { id: 7, at: Usec(1), telling: Telling::Scene(Box::new(scene)) }];
    let page = page_of(&told).expect("in memory");
    let told = tellings(&page);
    assert_eq!((&told[0]["id"], &told[0]["live"]), (&7.into(), &Value::Bool(false)));
    assert!(page.contains("<title>t&lt;</title>"));
}

/// As many trials as one pleases, like a recorded one, each with noise of its own.
fn trials(count: u32) -> impl Iterator<Item = Vec<Moment>> {
    let one = recorded(&text("late"));
    let mut state = 7_u64;
    (1..=count).map(move |trial| {
        // xorshift64: the same in every run.
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % 1000
        };
        let later = u64::from(trial) * 10_000_000;
        let case = CaseId::of("many", trial);
        let moved = one.iter().map(|moment| {
            let what = match &moment.what {
                What::Planned(plan) => {
                    What::Planned(Box::new(Plan { trial, seed: noise(), ..(**plan).clone() }))
                }
                What::Asks(Asks(asks)) => {
                    let moved = asks.iter().map(|ask| {
                        let asked = Usec(ask.asked.0 + later + noise());
                        Ask {
                            asked,
                            known: asked
                                + (ask.known - ask.asked)
                                + std::time::Duration::from_micros(noise()),
                            answer: ask.answer.clone(),
                        }
                    });
                    What::Asks(Asks(moved.collect()))
                }
                What::Journal(Journal { entry }) => {
                    let at = entry.at().expect("a time").0;
                    let text = serde_json::to_string(entry).expect("JSON");
                    let text = text.replace(&at.to_string(), &(at + later + noise()).to_string());
                    What::Journal(Journal { entry: Entry::parse(&text).expect("an entry") })
                }
                other => other.clone(),
            };
            Moment { at: Usec(moment.at.0 + later), case, what }
        });
        moved.collect()
    })
}

#[test]
fn a_report_of_a_thousand_trials_is_three_megabytes_at_most() {
    let mut still = Still::default();
    let mut asks = 0;
    for moments in trials(1000) {
        for moment in &moments {
            asks += if let What::Asks(Asks(asks)) = &moment.what { asks.len() } else { 0 };
            still.take(moment).expect("in memory");
        }
        assert!(still.open.is_empty() && still.done.len() <= 1000);
    }
    assert_eq!(still.done.len(), 1000);
    assert!(asks > 100_000, "{asks} asks are none");
    let page = still.page(&[], &[]).expect("in memory");
    assert!(page.len() <= 3_000_000, "{} bytes", page.len());
    let told = tellings(&page);
    let failed = |telling: &Value| {
        let all = telling["answers"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|answer| answer[2] != 0).count()
    };
    let of_one = recorded(&text("late"));
    let bad = of_one.iter().map(|moment| match &moment.what {
        What::Asks(Asks(asks)) => asks.iter().filter(|ask| ask.answer != Answer::Good).count(),
        _ => 0,
    });
    assert_eq!(
        told.iter().map(failed).sum::<usize>(),
        bad.sum::<usize>() * 1000,
        "none that failed is left out"
    );
}
