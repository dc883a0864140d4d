//! What the page takes. Printed and not judged: how fast a browser is depends on what else its computer does.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::browser::{Browser, pictures};
use crate::made::{Made, now};
use crate::report::{recording, replayed};
use crate::told::{Told, state};

const HOUR: u64 = 3600;
const TRIALS: u32 = 1000;

pub async fn what_an_hour_of_data_takes(browser: Browser) {
    // Of a computer that is up for less the last part is still to come, which the page does not mind.
    let made = Made::of(&Told::of(now().saturating_sub(HOUR * 1_000_000), HOUR));
    browser.open(&made.url()).await;
    let begun = Instant::now();
    browser.until("all of it is there", "document.querySelector('#restarts').innerText === '120'").await;
    let (tellings, bytes) = made.hub.size();
    println!(
        "an hour: {tellings} tellings, {} KiB, on the page {:?} after its load",
        bytes >> 10,
        begun.elapsed()
    );
    let paint: f64 =
        browser.value("performance.getEntriesByName('first-contentful-paint')[0].startTime").await;
    println!("first paint: {paint:.0} ms");
    browser.run("document.querySelector('#do-fit').click()").await;
    let moves = "
      const slider = document.querySelector('#when');
      slider.value = String(Number(slider.max) * (0.5 + 0.5 * Math.sin(turn / 20)));
      slider.dispatchEvent(new Event('input', { bubbles: true }));";
    frames(&browser, "scrubbing", moves).await;
    let zooms = "
      const canvas = document.querySelector('#trace'), box = canvas.getBoundingClientRect();
      document.querySelector('#stage').focus({ preventScroll: true });
      canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: turn % 60 < 30 ? -100 : 100, bubbles: true, cancelable: true,
        clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }));";
    frames(&browser, "zooming", zooms).await;
    browser.clean(&made.url()).await;
}

/// How long frames are while this is done in each.
async fn frames(browser: &Browser, what: &str, each: &str) {
    let script = format!(
        "new Promise((done) => {{
           const lengths = [], work = []; let last, turn = 0;
           const frame = (at) => {{
             if (last !== undefined) lengths.push(at - last);
             last = at;
             const begun = performance.now();
             {{ {each} }}
             work.push(performance.now() - begun);
             if (turn++ < 240) requestAnimationFrame(frame); else done(lengths);
           }};
           requestAnimationFrame(frame);
         }})"
    );
    let mut lengths: Vec<f64> = browser.awaited(&script).await;
    lengths.sort_by(f64::total_cmp);
    let quantile = |part: usize| lengths[(lengths.len() - 1) * part / 100];
    println!(
        "{what}: a frame takes {:.1} ms (median), {:.1} ms (p95), {:.1} ms (longest)",
        quantile(50),
        quantile(95),
        quantile(100)
    );
}

pub async fn how_long_after_it_was_told_an_event_is_seen(browser: Browser) {
    let made = Made::of(&Told::of(now() - 60_000_000, 60));
    browser.open(&made.url()).await;
    browser.until("healthy", "document.querySelector('#state').dataset.word === 'healthy'").await;
    let ahead = ahead(&browser).await;
    browser
        .run(
            "window.seen = [];
             new MutationObserver(() => requestAnimationFrame(() => window.seen.push(performance.now())))
               .observe(document.querySelector('#state'), { attributes: true, attributeFilter: ['data-word'] });",
        )
        .await;
    let mut told = Vec::new();
    for turn in 0..100 {
        // At no fixed moment of a frame or of the page's own rhythm.
        tokio::time::sleep(Duration::from_millis(50 + turn * 37 % 100)).await;
        let at = now();
        made.tell(at, &state(if turn % 2 == 0 { "hung" } else { "healthy" }, at, 101, 2));
        told.push(at);
        browser.until("it is seen", &format!("window.seen.length > {turn}")).await;
    }
    let seen: Vec<f64> = browser.value("window.seen").await;
    #[expect(clippy::cast_precision_loss, reason = "microseconds since the boot")]
    let mut took: Vec<f64> =
        seen.iter().zip(&told).map(|(seen, told)| seen + ahead - *told as f64 / 1000.0).collect();
    took.sort_by(f64::total_cmp);
    println!(
        "from telling to screen: {:.1} ms (median), {:.1} ms (p99)",
        took[took.len() / 2],
        took[took.len() * 99 / 100]
    );
    browser.clean(&made.url()).await;
}

/// What CLOCK_MONOTONIC is ahead of the page's clock, in milliseconds: of several looks, from the quickest.
async fn ahead(browser: &Browser) -> f64 {
    let mut best = (f64::INFINITY, 0.0);
    for _ in 0..20 {
        let before = now();
        let there: f64 = browser.value("performance.now()").await;
        let after = now();
        #[expect(clippy::cast_precision_loss, reason = "microseconds since the boot")]
        let (length, middle) = ((after - before) as f64 / 1000.0, (before + after) as f64 / 2000.0);
        if length < best.0 {
            best = (length, middle - there);
        }
    }
    best.1
}

/// The recording of a trial, as if it had been made so often.
fn again(name: &str, trials: u32) -> String {
    let text = std::fs::read_to_string(recording(name)).expect("it is there");
    let (run, trial) = text.split_once('\n').expect("lines");
    let mut whole = format!("{run}\n");
    for number in 1..=trials {
        let trial = trial.replacen(
            "\"number\":1,\"seed\":7",
            &format!("\"number\":{number},\"seed\":{}", number + 6),
            1,
        );
        writeln!(whole, "{}", trial.trim_end()).expect("in memory");
    }
    whole
}

pub async fn what_a_report_of_a_thousand_trials_takes(browser: Browser) {
    let whole = pictures().join("thousand.jsonl");
    std::fs::create_dir_all(pictures()).expect("a directory");
    std::fs::write(&whole, again("trigger", TRIALS)).expect("written");
    let file = replayed(&whole, "thousand");
    let bytes = file.metadata().expect("it is there").len();
    let url = format!("file://{}", file.display());
    let begun = Instant::now();
    browser.open(&url).await;
    browser
        .until(
            "all of them",
            &format!("document.querySelector('#how-many').innerText.replace(/[^0-9]/g, '') === '{TRIALS}'"),
        )
        .await;
    let paint: f64 =
        browser.value("performance.getEntriesByName('first-contentful-paint')[0].startTime").await;
    println!(
        "{TRIALS} trials: {} KiB, first paint {paint:.0} ms, whole after {:?}",
        bytes >> 10,
        begun.elapsed()
    );
    browser.clean(&url).await;
}
