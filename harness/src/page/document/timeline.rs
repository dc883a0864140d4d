//! The timeline: its canvas, its slider, its buttons, and beside it in words what it shows.

use maud::{Markup, html};

pub(super) fn section(live: bool) -> Markup {
    html! {
        section #timeline aria-labelledby="timeline-title" tabindex="-1" {
            header {
                h2 #timeline-title { "Timeline" }
                div.tools role="toolbar" aria-label="Timeline" {
                    button #do-play type="button" { (icon("M4 2.5v11l9.5-5.5z", "going")) (icon("M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z", "halting")) span { "Pause" } }
                    (tool("do-previous", "Previous event", "M12 2.5v11L4.5 8zM3 2.5h1.6v11H3z"))
                    (tool("do-next", "Next event", "M4 2.5v11L11.5 8zM11.4 2.5H13v11h-1.6z"))
                    (tool("do-out", "Zoom out", "M2.5 7.1h11v1.8h-11z"))
                    (tool("do-in", "Zoom in", "M2.5 7.1h4.6V2.5h1.8v4.6h4.6v1.8H8.9v4.6H7.1V8.9H2.5z"))
                    button #do-fit type="button" { "Fit" }
                    @if live { button #do-live type="button" aria-pressed="true" { "Live" } }
                    button #do-help type="button" aria-label="Keys" title="Keys" { "?" }
                }
            }
            div.sheet {
                div.picture {
                    div #stage tabindex="0" role="group" aria-label="Timeline. Press question mark for its keys." {
                        canvas #trace role="img" aria-label="Nothing is drawn yet." {}
                        div #reading aria-hidden="true" hidden {}
                    }
                    label.slider {
                        span.visually-hidden { "Time that is looked at" }
                        input #when type="range" min="0" max="1" value="1";
                    }
                    (legend())
                    article #detail tabindex="0" aria-label="The event that is looked at" hidden {}
                }
                div.beside {
                    article #episode aria-label="The recovery that is looked at" hidden {}
                    h3 #events-title { "Events, newest first" }
                    p.empty #no-events { "None yet." }
                    ol #events aria-labelledby="events-title" {}
                }
            }
        }
    }
}

fn icon(path: &str, class: &str) -> Markup {
    html! { svg class=(class) viewBox="0 0 16 16" aria-hidden="true" { path d=(path) {} } }
}

fn tool(id: &str, name: &str, path: &str) -> Markup {
    html! { button id=(id) type="button" aria-label=(name) title=(name) { (icon(path, "")) } }
}

/// What the marks mean: each is told by its shape.
fn legend() -> Markup {
    let mark = |path: &str, class: &str, name: &str| html! { li { svg class=(class) viewBox="0 0 16 16" aria-hidden="true" { path d=(path) {} } (name) } };
    html! {
        ul.legend aria-label="What the marks mean" {
            (mark("M1 10l4-3 3 2 3-5 4 4", "line", "answer, by its latency"))
            (mark("M4 4l8 8M12 4l-8 8", "line lost", "request that failed"))
            (mark("M8 2.5l6 11H2z", "", "watchdog acted"))
            (mark("M4 4l8 8M12 4l-8 8", "line", "killed, exited, failed"))
            (mark("M4 4h8v8H4z", "line", "stopping, starting"))
            (mark("M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3z", "", "ready"))
            (mark("M8 1.5L14.5 8L8 14.5L1.5 8z", "", "hang report"))
        }
    }
}

/// The list of keys, which can be switched off: single keys are in the way of some ways to speak to a computer.
pub(super) fn keys() -> Markup {
    html! {
        dialog #keys aria-labelledby="keys-title" {
            h2 #keys-title { "Keys" }
            dl #key-list {}
            p { "Also: drag to move, wheel or pinch to zoom, once the timeline has the focus. With Shift, the wheel moves." }
            p { label { input #keys-on type="checkbox" checked; " Letters act on the timeline" } }
            p { button #close-keys type="button" { "Close" } }
        }
    }
}
