//! What became of it all: verdicts, distributions, and every episode.

use maud::{Markup, html};

pub(super) fn verdicts() -> Markup {
    html! {
        section #verdicts aria-labelledby="verdicts-title" hidden {
            h2 #verdicts-title { "Verdicts" }
            p #in-all {}
            div #runs {}
        }
    }
}

pub(super) fn section() -> Markup {
    html! {
        section #history aria-labelledby="history-title" tabindex="-1" {
            h2 #history-title { "Recoveries" }
            fieldset.choice { legend.visually-hidden { "Phase" } div #phases {} }
            p.empty #no-history { "Nothing to count yet: distributions are drawn once the service has recovered." }
            div.wide #distributions tabindex="0" role="region" aria-label="Distributions" hidden {
                table {
                    thead { tr {
                        th scope="col" { "fault" }
                        th.number scope="col" { "n" }
                        th.number scope="col" { "median" small { "95 % interval" } }
                        th.number scope="col" { "p90" }
                        th.number scope="col" { "longest" }
                        th.number scope="col" { "bound" }
                        th.plot scope="col" { span.axis { span #axis-from {} span { "each value, by its logarithm" } span #axis-to {} } }
                    } }
                    tbody {}
                }
            }
            header.filter {
                h3 { "Each of them" }
                p #how-many {}
                label { "scenario " select #by-scenario { option value="" { "all" } } }
                label { "fault " select #by-fault { option value="" { "all" } } }
                label { "verdict " select #by-verdict { option value="" { "all" } } }
                label { "order " select #order {
                    option value="failed" { "failed first, then slowest" }
                    option value="slowest" { "slowest first" }
                    option value="newest" { "newest first" }
                } }
            }
            p.empty #no-episodes { "None yet." }
            div.wide tabindex="0" role="region" aria-label="Episodes" {
                table #episodes hidden {
                    thead { tr {
                        th scope="col" { "fault" }
                        th scope="col" { "verdict" }
                        th.number scope="col" { "recovery" }
                        th.number scope="col" { "outage" }
                        th.plot scope="col" {
                            span.key {
                                @for phase in ["detect", "kill", "restart", "start"] {
                                    span { svg.swatch viewBox="0 0 10 10" aria-hidden="true" { rect class=(phase) width="10" height="10" {} } (phase) }
                                }
                            }
                        }
                    } }
                    tbody {}
                }
            }
            p { button #more type="button" hidden { "Show more" } }
        }
    }
}
