//! The live page: what it shows of what it is told, and that it loses nothing.

use serde_json::json;
use thirtyfour::Key;

use crate::browser::{Browser, LIGHT, PHONE};
use crate::made::{Made, now};
use crate::told::{Told, event, state, unit};
use crate::wire::Wire;

/// Two minutes up to now, with four hangs in them.
fn two_minutes() -> Told {
    Told::of(now() - 120_000_000, 120)
}

/// So many events have [`two_minutes`].
const EVENTS: usize = 20;

/// All that the page says of what was told, and not of the time that has gone by since.
const SAID: &str =
    "['#events', '#distributions', '#episodes', '#hang-report', '#files', '#facts', '#restarts', '#pid']
    .map((part) => document.querySelector(part).textContent).join('\\n')";

async fn open(browser: &Browser, url: &str) {
    browser.open(url).await;
    browser.until("it shows what it was told", "document.querySelectorAll('#events li').length >= 20").await;
}

pub async fn each_state_is_told_by_a_word_and_a_shape_as_it_comes(browser: Browser) {
    let made = Made::of(&two_minutes());
    open(&browser, &made.url()).await;
    browser.until("healthy", "document.querySelector('#state b').innerText === 'Healthy'").await;
    let mut shapes = vec![browser.value::<String>("document.querySelector('#state svg').innerHTML").await];
    for (word, shown) in
        [("hung", "Hung"), ("killed", "Being killed"), ("restarting", "Restarting"), ("failed", "Failed")]
    {
        made.tell(now(), &state(word, now(), 103, 4));
        browser.until(shown, &format!("document.querySelector('#state b').innerText === '{shown}'")).await;
        let shape = browser.value("document.querySelector('#state svg').innerHTML").await;
        assert!(!shapes.contains(&shape), "{word} has the shape of another");
        shapes.push(shape);
    }
    browser.clean(&made.url()).await;
}

pub async fn an_earlier_time_shows_the_state_of_then(browser: Browser) {
    let made = Made::of(&two_minutes());
    open(&browser, &made.url()).await;
    shows(&browser, "healthy", "healthy").await;
    let restarts = browser.text("#restarts").await;
    // From the end back to the first hang, event by event, and then a little further: a hang is no event.
    browser.run("document.querySelector('#stage').focus()").await;
    let hang = ["healthy", "starting", "restarting", "killed", "healthy"];
    assert_eq!(hang.len() * 4, EVENTS);
    for (place, word) in hang.repeat(4).into_iter().enumerate() {
        browser.keys(",").await;
        shows(&browser, &format!("{word}, {} events ago", place + 1), word).await;
    }
    browser.keys("\u{e014}").await;
    shows(&browser, "hung, a little later", "hung").await;
    assert_eq!(browser.text("#restarts").await, "0");
    browser.click("#back-to-live").await;
    browser
        .until(
            "it shows now again",
            &format!("document.querySelector('#restarts').innerText === '{restarts}'"),
        )
        .await;
    browser.clean(&made.url()).await;
}

async fn shows(browser: &Browser, what: &str, word: &str) {
    browser.until(what, &format!("document.querySelector('#state').dataset.word === '{word}'")).await;
}

pub async fn what_a_cut_wire_has_kept_back_is_caught_up_with(browser: Browser) {
    let made = Made::of(&two_minutes());
    let wire = Wire::to(made.address()).await;
    open(&browser, &format!("http://{}/", wire.address)).await;
    browser.until("nothing is said of a loss", "document.querySelector('#lost').hidden").await;
    wire.cut();
    browser.until("the loss is said", "!document.querySelector('#lost').hidden").await;
    let mut meanwhile = Told::default();
    let end = meanwhile.hang(now(), 4, 104);
    for (at, telling) in &meanwhile.tellings {
        made.tell(*at, telling);
    }
    assert!(!browser.text("#events").await.contains(" 104"), "nothing comes through a wire that is cut");
    wire.mend();
    browser.until("the loss is over", "document.querySelector('#lost').hidden").await;
    let last = event(end + 1, "started", "the very last", "hangproof", None);
    made.tell(end + 1, &last);
    browser
        .until(
            "what is told now is shown",
            "document.querySelector('#events').innerText.includes('the very last')",
        )
        .await;
    let caught_up = browser.settled("it has caught up", SAID).await;
    // The network's errors are what this is about.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|one| one.starts_with("network")), "{complaints:?}");
    browser.clean(&format!("http://{}/", wire.address)).await;
    browser.open(&made.url()).await;
    browser
        .until("a fresh page has it", "document.querySelector('#events').innerText.includes('the very last')")
        .await;
    assert_eq!(
        caught_up,
        browser.settled("a fresh page has all of it", SAID).await,
        "what it caught up with is what a fresh page has"
    );
    browser.clean(&made.url()).await;
}

pub async fn a_reload_loses_nothing(browser: Browser) {
    let made = Made::of(&two_minutes());
    open(&browser, &made.url()).await;
    let before = browser.settled("all of it is there", SAID).await;
    browser.reload().await;
    browser.until("it is there again", "document.querySelectorAll('#events li').length >= 20").await;
    assert_eq!(before, browser.settled("all of it is there again", SAID).await);
    browser.clean(&made.url()).await;
}

pub async fn markup_in_what_is_told_shows_as_text(browser: Browser) {
    let mut told = two_minutes();
    let evil = "<img src=x onerror=\"document.title='gone'\"><b>bold</b></script><script>document.title='gone'</script>";
    let at = now();
    told.say(
        at,
        json!({"kind": "line", "source": "service", "message": evil, "priority": 3, "fields": {evil: evil}}),
    );
    told.say(at + 1, event(at + 1, "watchdog", evil, "systemd", Some(evil)));
    let mut report =
        json!({"kind": "report", "key": evil, "case": "demo", "pid": 1, "summary": evil, "lines": [evil]});
    report["threads"] = json!([{"tid": 1, "name": evil, "state": evil, "where": evil, "means": evil}]);
    told.say(at + 2, report);
    let mut hung = state("hung", at + 3, 104, 4);
    hung["says"] = evil.into();
    hung["status"] = evil.into();
    told.say(at + 3, hung);
    let mut scene = told.tellings[0].1.clone();
    for field in ["title", "unit", "description", "machine", "systemd", "command"] {
        scene[field] = evil.into();
    }
    told.say(at + 4, scene);
    told.say(at + 4, unit(evil, evil));
    let made = Made::of(&told);
    open(&browser, &made.url()).await;
    browser
        .until("the state says it", "document.querySelector('#says').innerText.includes('<b>bold</b>')")
        .await;
    for (what, part) in [
        ("the title", "#title"),
        ("the state", "#says"),
        ("what sd-watchdog says", "#status"),
        ("the events", "#events"),
        ("the hang report", "#hang-report"),
        ("the unit", "#files"),
    ] {
        browser
            .until(what, &format!("document.querySelector('{part}').textContent.includes('</script>')"))
            .await;
    }
    browser.click("#events li:first-child button").await;
    browser
        .until("what is looked at", "document.querySelector('#detail').textContent.includes('<b>bold</b>')")
        .await;
    let made_of_it: u32 = browser.value("document.querySelectorAll('img, #timeline b:not(#reading b), #events b, #says b, main script').length").await;
    assert_eq!(made_of_it, 0, "markup has become elements");
    assert_ne!(browser.value::<String>("document.title").await, "gone");
    browser.clean(&made.url()).await;
}

pub async fn at_360_pixels_nothing_scrolls_sideways(browser: Browser) {
    let made = Made::of(&two_minutes());
    for width in [360, 320, 768] {
        browser.look(crate::browser::Look { width, ..PHONE }).await;
        open(&browser, &made.url()).await;
        let (inner, scrolled): (u32, u32) = browser
            .value("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
            .await;
        assert!(scrolled <= inner, "{scrolled} pixels wide on {inner}");
    }
    browser.clean(&made.url()).await;
}

pub async fn the_keyboard_reaches_and_does_everything(browser: Browser) {
    let made = Made::of(&two_minutes());
    open(&browser, &made.url()).await;
    // Whatever can be clicked and is there has the focus once, and shows that it has it.
    let count: usize = browser
        .value(
            "(window.met = new Set(), [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]')]
              .filter((one) => one.checkVisibility() && !one.disabled && one.type !== 'radio' && !one.closest('dialog, #events')).length)",
        )
        .await;
    for _ in 0..count + 130 {
        browser.key(Key::Tab).await;
        browser
            .run(
                "const one = document.activeElement;
                 if (one === document.body || !one.matches(':focus-visible')) return;
                 const style = getComputedStyle(one), around = getComputedStyle(one.closest('label') ?? one);
                 const shown = [style, around].some((each) => each.outlineStyle !== 'none' && parseFloat(each.outlineWidth) > 0);
                 if (shown && one.type !== 'radio' && !one.closest('dialog, #events')) window.met.add(one);",
            )
            .await;
    }
    let missed: Vec<String> = browser
        .value(
            "[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]')]
              .filter((one) => one.checkVisibility() && !one.disabled && one.type !== 'radio' && !one.closest('dialog, #events') && !window.met.has(one))
              .map((one) => one.outerHTML.slice(0, 120))",
        )
        .await;
    assert!(
        missed.is_empty(),
        "the keyboard does not reach these, or nobody sees that it does:\n{}",
        missed.join("\n")
    );
    browser.run("document.activeElement.blur()").await;
    browser.keys("?").await;
    browser.until("the list of keys", "document.querySelector('#keys').open").await;
    browser.key(Key::Escape).await;
    browser.until("it is closed", "!document.querySelector('#keys').open").await;
    browser.keys(",").await;
    browser.until("the previous event is looked at", "!document.querySelector('#detail').hidden").await;
    browser.keys("l").await;
    browser
        .until(
            "now is looked at again",
            "document.querySelector('#do-live').getAttribute('aria-pressed') === 'true'",
        )
        .await;
    browser.clean(&made.url()).await;
}

pub async fn axe_finds_nothing_in_light_in_dark_and_on_a_phone(browser: Browser) {
    let made = Made::of(&two_minutes());
    for look in [LIGHT, crate::browser::DARK, PHONE] {
        browser.look(look).await;
        open(&browser, &made.url()).await;
        browser.click("#events li:nth-child(3) button").await;
        browser.until("an event is looked at", "!document.querySelector('#detail').hidden").await;
        browser.whole_picture("live", look).await;
        crate::axe::check(&browser, look.name).await;
    }
    browser.keys("?").await;
    browser.until("the list of keys", "document.querySelector('#keys').open").await;
    crate::axe::check(&browser, "the list of keys").await;
    browser.clean(&made.url()).await;
}
