//! The tour: what a hang is, in three acts.

use maud::{Markup, html};

pub(super) fn section() -> Markup {
    html! {
        section #tour aria-labelledby="tour-title" {
            header {
                h2 #tour-title { "What a hang is, in three acts" }
                button.quiet #skip-tour type="button" { "Skip the tour" }
                button.quiet #open-tour type="button" hidden { "Take the tour" }
            }
            div #acts {
                nav aria-label="Acts of the tour" {
                    ol {
                        li { button #to-act-1 type="button" { "A crash" } }
                        li { button #to-act-2 type="button" { "A hang" } }
                        li { button #to-act-3 type="button" { "The cure" } }
                    }
                }
                (crash()) (hang()) (cure())
            }
        }
    }
}

fn act(number: u8, title: &str, text: &Markup, buttons: &Markup, onward: &str) -> Markup {
    html! {
        article.act id={ "act-" (number) } hidden[number != 1] aria-labelledby={ "act-title-" (number) } {
            div.prose {
                h3 id={ "act-title-" (number) } tabindex="-1" { (title) }
                (text)
                p.buttons {
                    (buttons)
                    button.quiet type="button" data-next=(number + 1) { (onward) }
                }
            }
            div.measured.empty { p { "What is measured will stand here." } }
        }
    }
}

fn crash() -> Markup {
    let text = html! {
        p {
            "A service runs below, a real one, under a real systemd. A client asks it for an answer several times a second: each answer is "
            "a point of the trace."
        }
        p {
            "When the service crashes, its process is gone. systemd is the process’s parent and knows at once: "
            code { "Restart=always" } " is all it takes. Try it."
        }
    };
    let buttons = html! { button.primary #act-crash type="button" { "Crash it" } };
    act(1, "A crash mends itself", &text, &buttons, "Then, a hang")
}

fn hang() -> Markup {
    let text = html! {
        p {
            "A hung service is worse than a dead one: the process lives, and nobody is served. Two threads wait for each other, or a loop never "
            "ends. There is nothing for systemd to see, so the unit stays " code { "active (running)" } "."
        }
        p {
            "Take the watchdog off duty first. Then hang the service, and wait for as long as you like: nothing will happen. That is the point."
        }
    };
    let buttons = html! {
        button.primary #act-off type="button" { "Take the watchdog off duty" }
        button.primary #act-hang type="button" { "Hang it" }
    };
    act(2, "A hang does not", &text, &buttons, "Then, the cure")
}

fn cure() -> Markup {
    let text = html! {
        p {
            code { "sd-watchdog" } " asks the service what a client would ask. While the answers are good it pings systemd; when they are not, it "
            "writes down what every thread was doing, and has systemd kill and restart the service: "
            code { "WatchdogSec=" } " bounds how long that takes."
        }
        p {
            "Put it on duty: for that the service is started anew, which is all that ends the hang of before. As soon as it serves it is hung "
            "once more, and this time nobody has to do anything. Watch: detect, kill, restart, start."
        }
    };
    let buttons = html! {
        button.primary #act-on type="button" { "Put the watchdog on duty, and hang it" }
        button.primary #act-again type="button" { "Hang it again" }
    };
    act(3, "The watchdog ends it", &text, &buttons, "Done: look around")
}
