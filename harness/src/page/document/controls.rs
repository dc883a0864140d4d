//! What can be done to the service.

use std::time::Duration;

use maud::{Markup, html};

use crate::model::clock::Human;

pub(super) fn section(watchdog_sec: &[Duration]) -> Markup {
    html! {
        section #controls aria-labelledby="controls-title" {
            header {
                h2 #controls-title { "Do something to it" }
                p #busy hidden {}
            }
            div.switches {
                fieldset {
                    legend { "Watchdog" }
                    p { label.switch { input #duty type="checkbox" role="switch"; span { "sd-watchdog is " span #duty-says { "…" } } } }
                    p.radios {
                        "On a hang: "
                        label { input type="radio" name="on-hang" value="trigger"; " trigger" }
                        label { input type="radio" name="on-hang" value="withhold"; " withhold" }
                    }
                    form #sec {
                        label for="watchdog-sec" { "WatchdogSec" }
                        select #watchdog-sec {
                            @for span in watchdog_sec { option value=(span.as_micros()) { (Human(*span)) } }
                        }
                        button type="submit" { "Set" }
                    }
                    p #bounds {}
                }
                fieldset {
                    legend { "Service" }
                    p #active { "No fault is in effect." }
                    p.buttons {
                        button #heal type="button" disabled { "Heal" }
                        button #restart type="button" disabled { "Restart" }
                    }
                }
            }
            p.find hidden { label for="find-fault" { "Find a fault" } input #find-fault type="search" autocomplete="off"; }
            (faults("inside", "From inside the service"))
            (faults("outside", "From outside, with no help of the service"))
            p.empty #no-fault { "No fault is known yet." }
        }
    }
}

fn faults(place: &str, title: &str) -> Markup {
    html! {
        div.faults id={ "faults-" (place) } hidden {
            h3 { (title) }
            ul {}
        }
    }
}
