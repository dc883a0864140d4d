//! `hangproof list`.

use super::{columns, say};
use crate::cli::List;
use crate::error::Error;
use crate::fault::Fault;
use crate::model::text::one_line;
use crate::report::table;
use crate::scenario::{Loader, builtin};

/// Prints scenarios and their questions.
pub fn list(options: &List) -> Result<(), Error> {
    let scenarios = if options.scenarios.is_empty() {
        Loader::default().load_all(builtin::all().map(|(name, _)| name))?
    } else {
        let loader = Loader { host_files: options.allow_host_files, ..Loader::default() };
        loader.load_all(options.scenarios.iter().map(String::as_str))?
    };
    let questions = scenarios.iter().map(|scenario| {
        let faults = scenario.faults.iter().map(|injection| short(&injection.fault)).collect::<Vec<_>>();
        let fault = if faults.is_empty() { "no fault".to_owned() } else { faults.join(", then ") };
        let tags = scenario.tags.join(" ");
        let tags = if tags.is_empty() { tags } else { format!("; {tags}") };
        let what = format!("{} [{fault}{tags}]", one_line(scenario.description.clone()));
        (one_line(scenario.name.clone()), what)
    });
    say(&table::list(&questions.collect::<Vec<_>>(), columns()))
}

/// A fault with what was decided about it, where that is a word or two.
fn short(fault: &Fault) -> String {
    const LONGEST: usize = 40;
    let told = fault.to_string();
    if told.chars().count() <= LONGEST { told } else { format!("{} …", fault.name()) }
}
