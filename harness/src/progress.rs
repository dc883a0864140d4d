//! What a person sees while a run is under way.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Hears of a run's progress.
pub trait Progress: Send + Sync {
    /// Something begins.
    fn stage(&self, what: &str);
    /// Something that a person should know stays on the screen.
    fn note(&self, what: &str);
    /// Something was seen in the journal.
    fn event(&self, what: &str);
    /// The run is over: nothing must be left on the screen.
    fn done(&self);
    /// Says something on standard output, which is on the same screen.
    fn aside(&self, say: &mut dyn FnMut()) {
        say();
    }
}

/// On a terminal a spinner with the latest stage and event; elsewhere only notes, for the report tells the rest.
pub fn on_stderr() -> Box<dyn Progress> {
    if !std::io::stderr().is_terminal() {
        return Box::new(Notes);
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed:>3} {prefix}  {msg:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(80));
    Box::new(Spinner(bar))
}

struct Spinner(ProgressBar);

impl Progress for Spinner {
    fn stage(&self, what: &str) {
        self.0.set_prefix(what.to_owned());
        self.0.set_message("");
    }

    fn note(&self, what: &str) {
        self.0.println(what);
    }

    fn event(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }

    fn aside(&self, say: &mut dyn FnMut()) {
        self.0.suspend(say);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Elsewhere than on a terminal: notes only.
struct Notes;

impl Progress for Notes {
    fn stage(&self, _: &str) {}
    fn note(&self, what: &str) {
        anstream::eprintln!("{what}");
    }
    fn event(&self, _: &str) {}
    fn done(&self) {}
}

/// Of several machines at once a person sees which trial has begun.
pub struct Counted<'a>(pub &'a dyn Progress);

impl Progress for Counted<'_> {
    fn stage(&self, _: &str) {}

    fn note(&self, what: &str) {
        self.0.note(what);
    }

    fn event(&self, _: &str) {}

    fn done(&self) {}
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str) {}
    fn note(&self, _: &str) {}
    fn event(&self, _: &str) {}
    fn done(&self) {}
}
