//! Version 1 of recordings: a run's header once, the trials one after another, and of clients' asks the edges of streaks. It is
//! read, and not written any more.

use serde::Deserialize;

use super::ask::Streak;
use super::case::{CaseId, Plan};
use super::clock::Usec;
use super::description::Description;
use super::entry::Entry;
use super::expect::{Deed, Expectation};
use super::moment::{Because, Injected, Journal, Moment, What};
use super::settings::Settings;

const SCHEMA: &str = "hangproof/1";

/// One line.
#[derive(Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum Record {
    Run(Box<Header>),
    Trial { number: u32, seed: u64, at_usec: Usec },
    Steady { at_usec: Usec },
    Injected { at_usec: Usec, until_usec: Option<Usec>, fault: String },
    Journal { entry: Entry },
    Clients(Streak),
    Skipped { reason: String },
    End { at_usec: Usec },
}

#[derive(Deserialize)]
struct Header {
    schema: String,
    scenario: String,
    description: String,
    fault: Option<String>,
    expect: Expectation,
    ask_interval_usec: Option<u64>,
    machine: Description,
    settings: Settings,
}

/// Turns lines into moments.
#[derive(Default)]
pub struct Reader {
    header: Option<Box<Header>>,
    /// How many runs there were: their trials are cases of their own.
    runs: u32,
    open: Option<CaseId>,
}

impl Reader {
    /// The moments that a line tells. An error says what is wrong with it.
    pub fn read(&mut self, line: &str) -> Result<Vec<Moment>, String> {
        let record = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let (at, what) = match record {
            Record::Run(header) if header.schema != SCHEMA => {
                return Err(format!("its schema is {}, this program reads {SCHEMA}", header.schema));
            }
            Record::Run(header) => {
                (self.header, self.open) = (Some(header), None);
                self.runs += 1;
                return Ok(Vec::new());
            }
            Record::Trial { number, seed, at_usec } => {
                return self.trial(number, seed, at_usec, What::Began);
            }
            Record::Skipped { reason } if self.open.is_none() => {
                return self.trial(1, 0, Usec(0), What::Skipped(Because { reason }));
            }
            Record::Steady { at_usec } => (at_usec, What::Steady),
            Record::Injected { at_usec, until_usec, fault } => {
                (at_usec, What::Injected(Injected { fault, until: until_usec, deed: Deed::Hangs }))
            }
            Record::Journal { entry } => (entry.at().unwrap_or(Usec(0)), What::Journal(Journal { entry })),
            Record::Clients(streak) => (streak.last_usec.1, What::Clients(streak)),
            Record::End { at_usec } => (at_usec, What::Ended),
            Record::Skipped { .. } => return Err("a run that is skipped has no trials".into()),
        };
        let case = self.open.ok_or("a trial's record outside of a trial")?;
        if what == What::Ended {
            self.open = None;
        }
        Ok(vec![Moment { at, case, what }])
    }

    fn trial(&mut self, number: u32, seed: u64, at: Usec, first: What) -> Result<Vec<Moment>, String> {
        let header = self.header.as_ref().ok_or("a trial's record outside of a run")?;
        let case = CaseId::of(&format!("{} {}", self.runs, header.scenario), number);
        self.open = Some(case);
        let plan = Plan {
            scenario: header.scenario.clone(),
            description: header.description.clone(),
            unit: header.settings.unit.clone(),
            trial: number,
            seed,
            fault: header.fault.clone(),
            heal_after_usec: None,
            then: Vec::new(),
            expect: header.expect.clone(),
            observed: None,
            ask_interval_usec: header.ask_interval_usec,
        };
        let whats = [
            What::Planned(Box::new(plan)),
            What::Booted(header.machine.clone()),
            What::Settings(header.settings.clone()),
            first,
        ];
        Ok(whats.into_iter().map(|what| Moment { at, case, what }).collect())
    }
}
