//! The page in one file, opened as a file is.

use std::path::{Path, PathBuf};

use harness::page::document::{Still, Tellings, still};
use serde_json::Value;

use crate::axe;
use crate::browser::{Browser, DARK, LIGHT, Look, PHONE, hangproof, pictures};
use crate::made::{Made, now};
use crate::told::Told;

/// As README.md shows it.
const README: Look = Look { name: "readme", width: 1040, height: 780, dark: false };

/// The report that `hangproof replay` makes of this recording, in a file.
pub fn replayed(recording: &Path, name: &str) -> PathBuf {
    std::fs::create_dir_all(pictures()).expect("a directory");
    let file = pictures().join(name).with_extension("html");
    let mut replay = hangproof();
    let output = replay.arg("replay").arg(recording).arg("--report").arg(&file).output().expect("it runs");
    assert!(file.exists(), "{}", String::from_utf8_lossy(&output.stderr));
    file.canonicalize().expect("it is there")
}

pub fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals").join(name).with_extension("jsonl")
}

pub async fn a_report_from_a_file_shows_its_verdicts_and_asks_for_nothing(browser: Browser) {
    let file = replayed(&recording("hang-report"), "hang-report");
    let url = format!("file://{}", file.display());
    for look in [LIGHT, DARK, PHONE] {
        browser.look(look).await;
        browser.open(&url).await;
        browser.until("the verdicts", "!document.querySelector('#verdicts').hidden").await;
        browser.until("its episode", "document.querySelectorAll('#episodes tbody tr').length > 0").await;
        browser.until("its events", "document.querySelectorAll('#events li').length > 3").await;
        let (inner, scrolled): (u32, u32) = browser
            .value("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
            .await;
        assert!(scrolled <= inner, "{}: {scrolled} pixels wide on {inner}", look.name);
        browser.whole_picture("report", look).await;
        axe::check(&browser, look.name).await;
    }
    browser.look(README).await;
    browser.picture_at(&pictures().join("readme-report.png")).await;
    browser.clean(&url).await;
}

/// What both show, without what tells the time: a file counts it from elsewhere.
const SAID: &str = "['#events .what', '#events small', '#episodes .verdict', '#episodes td:nth-child(n + 2)', '#distributions td', '#hang-report td',
    '#facts', '#files'].map((parts) => [...document.querySelectorAll(parts)].map((part) => part.textContent).join(' ')).join('\\n')";

pub async fn a_file_shows_what_the_live_page_shows_that_is_told_the_same(browser: Browser) {
    let told = Told::of(now() - 120_000_000, 120);
    let made = Made::of(&told);
    browser.open(&made.url()).await;
    let all = "document.querySelectorAll('#events li').length >= 20 && document.querySelectorAll('#episodes tbody tr').length === 4";
    browser.until("the live page shows it", all).await;
    browser.run("document.querySelector('#order').value = 'newest'; document.querySelector('#order').dispatchEvent(new Event('change'))").await;
    let live = browser.settled("the live page shows all of it", SAID).await;
    browser.clean(&made.url()).await;
    let mut tellings = told.numbered();
    tellings[0]["live"] = Value::Bool(false);
    let tellings = Value::from(tellings).to_string();
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";
    let tellings = Tellings::Json(&tellings);
    let page = still(&Still { title: "made", policy, tellings, plain: "" });
    let file = pictures().join("made.html");
    std::fs::create_dir_all(pictures()).expect("a directory");
    std::fs::write(&file, page).expect("written");
    let url = format!("file://{}", file.canonicalize().expect("it is there").display());
    browser.open(&url).await;
    browser.until("the file shows it", all).await;
    browser.run("document.querySelector('#order').value = 'newest'; document.querySelector('#order').dispatchEvent(new Event('change'))").await;
    browser.until("the order is another", "document.querySelector('#order').value === 'newest'").await;
    let still = browser.settled("the file shows all of it", SAID).await;
    for (live, still) in live.lines().zip(still.lines()) {
        assert_eq!(live, still);
    }
    browser.clean(&url).await;
}
