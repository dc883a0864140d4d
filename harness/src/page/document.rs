//! The page's HTML: what is there before anything is told, the same live and still.
//!
//! The renderer ([`super::assets`]) fills it in. What only a live page can do (the tour, the controls) is only in that one.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets;

mod controls;
mod history;
#[cfg(test)]
mod tests;
mod timeline;
mod tour;

/// What the live page carries.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// Its title, until the first scene is told.
    pub title: &'a str,
    /// What a deed has to be asked with.
    pub token: &'a str,
    /// What WatchdogSec= may be set to.
    pub watchdog_sec: &'a [Duration],
}

/// What the page in a file carries.
#[derive(Clone, Copy, Debug)]
pub struct Still<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its Content-Security-Policy, which has to permit [`assets::script`] and [`assets::style`] by their hashes.
    pub policy: &'a str,
    /// All that it tells.
    pub tellings: Tellings<'a>,
    /// What it comes to in plain text, for a reader without scripts.
    pub plain: &'a str,
}

/// A JSON list of tellings.
#[derive(Clone, Copy, Debug)]
pub enum Tellings<'a> {
    /// As it is.
    Json(&'a str),
    /// In zlib's format ("deflate"), in Base64.
    Deflated(&'a str),
}

impl Tellings<'_> {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Deflated(_) => "application/json;deflate",
        }
    }

    /// As the text of a script element, which only `</script` or `<!--` could end or change: in JSON, `<` is in strings alone.
    fn text(self) -> String {
        match self {
            Self::Json(text) | Self::Deflated(text) => text.replace('<', "\\u003c"),
        }
    }
}

/// The live page, which loads `/page.js` and `/page.css`.
pub fn live(page: &Live) -> String {
    let head = html! {
        meta name="token" content=(page.token);
        link rel="icon" href="/icon.svg" type="image/svg+xml";
        link rel="stylesheet" href="/page.css";
        script src="/page.js" defer {}
    };
    let plain = html! { p { "The page needs JavaScript: it shows what happens as it happens." } };
    document(page.title, &head, &plain, &html! {}, Some(page))
}

/// The page that is whole in one file.
pub fn still(page: &Still) -> String {
    let head = html! {
        meta http-equiv="Content-Security-Policy" content=(page.policy);
        style { (PreEscaped(assets::style())) }
    };
    let plain = html! { pre { (page.plain) } };
    let tail = html! {
        script type=(page.tellings.media_type()) id="tellings" { (PreEscaped(page.tellings.text())) }
        script { (PreEscaped(assets::script())) }
    };
    document(page.title, &head, &plain, &tail, None)
}

fn document(title: &str, head: &Markup, plain: &Markup, tail: &Markup, page: Option<&Live>) -> String {
    let live = page.is_some();
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                (head)
            }
            body.live[live].still[!live] {
                a.to-timeline href="#timeline" { "To the timeline" }
                (banner(title, live))
                noscript { div.noscript { (plain) } }
                main {
                    @if live { (tour::section()) }
                    @if !live { (history::verdicts()) }
                    (timeline::section(live))
                    @if let Some(page) = page { (controls::section(page.watchdog_sec)) }
                    (history::section())
                    (hang_report())
                    (surroundings(live))
                }
                p #said role="status" aria-live="polite" {}
                (timeline::keys())
                (tail)
            }
        }
    };
    document.into_string()
}

/// How the service is.
fn banner(title: &str, live: bool) -> Markup {
    html! {
        header.banner {
            div.name {
                p.brand { "hangproof" }
                h1 #title { (title) }
                p #unit {}
            }
            div.now {
                p #state {
                    svg.sign viewBox="0 0 16 16" aria-hidden="true" {}
                    b { "Unknown" }
                    small {}
                }
                p #says { @if live { "Connecting …" } @else { "Reading …" } }
            }
            dl.figures {
                div { dt { "PID" } dd #pid { "–" } }
                div { dt { "up for" } dd #uptime { "–" } }
                div { dt { "restarts" } dd #restarts { "–" } }
                div { dt { "last answer" } dd #latency { "–" } }
                div.status { dt { "sd-watchdog says" } dd #status { "–" } }
            }
        }
        aside aria-label="Notices" {
            div.notice #lost hidden {
                p { strong { "The connection is lost" } " for " span #lost-for { "a moment" } ". What you see is from before; it will catch up." }
            }
            div.notice #past hidden {
                p { span {} " " button #back-to-live type="button" { "Back to now" } }
            }
        }
    }
}

fn hang_report() -> Markup {
    html! {
        section #hang aria-labelledby="hang-title" {
            h2 #hang-title { "Hang report" }
            p.empty #no-report { "No hang was reported up to here. Before sd-watchdog has a hung service restarted, it writes down what every thread was doing." }
            div #hang-report {}
        }
    }
}

fn surroundings(live: bool) -> Markup {
    html! {
        section #surroundings aria-labelledby="surroundings-title" {
            h2 #surroundings-title { "What this was measured on" }
            p #facts {}
            p #command hidden { "Made by " code.command {} }
            div #units hidden {
                h3 { "The unit and its drop-ins, as they are in force" }
                div #files {}
            }
            @if live {
                p.links {
                    a #its-page hidden rel="noreferrer" { "The service’s own page" }
                    span.exports {
                        "Take the proof away: "
                        a href="/export.html" download { ".html" } " "
                        a href="/export.json" download { ".json" } " "
                        a href="/export.jsonl" download { ".jsonl" } " "
                        a href="/export.trace.json" download { ".trace.json" }
                    }
                }
            }
        }
    }
}
