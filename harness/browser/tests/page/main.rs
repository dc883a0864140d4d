//! The page as people see it: in Debian's Chromium.
//!
//! Where there is no Chromium or no axe-core, or no machine can be booted, tests show as ignored, with the reason; in CI
//! (`CI=true`) that is a failure. Pictures of what was seen are left in `target/page-pictures`.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use browser::Browser;
use driver::Driver;

mod axe;
mod browser;
mod demo;
mod driver;
mod http;
mod live;
mod made;
mod measures;
mod report;
mod told;
mod wire;

/// As many browsers as two cores carry.
const AT_ONCE: usize = 2;

/// What is done with a browser.
type Look = fn(Browser) -> Pin<Box<dyn Future<Output = ()> + Send>>;
/// Its name first.
type Test = (&'static str, Look);

macro_rules! tests {
    ($($module:ident :: $test:ident),* $(,)?) => {
        [$((stringify!($test), (|browser| Box::pin($module::$test(browser))) as Look)),*]
    };
}

fn main() {
    let arguments = Arguments::from_args();
    let arguments = Arguments { test_threads: arguments.test_threads.or(Some(AT_ONCE)), ..arguments };
    let driver = Driver::start().and_then(|driver| axe::script().map(|_| Arc::new(driver)));
    let machine = driver.clone().and_then(|driver| demo::available().map(|()| driver));
    let in_a_machine =
        tests![demo::a_fault_that_is_pressed_hangs_the_service_and_it_comes_back_within_the_bound];
    let anywhere = tests![
        live::axe_finds_nothing_in_light_in_dark_and_on_a_phone,
        live::the_keyboard_reaches_and_does_everything,
        live::an_earlier_time_shows_the_state_of_then,
        live::what_a_cut_wire_has_kept_back_is_caught_up_with,
        live::each_state_is_told_by_a_word_and_a_shape_as_it_comes,
        live::a_reload_loses_nothing,
        live::markup_in_what_is_told_shows_as_text,
        live::at_360_pixels_nothing_scrolls_sideways,
        report::a_report_from_a_file_shows_its_verdicts_and_asks_for_nothing,
        report::a_file_shows_what_the_live_page_shows_that_is_told_the_same,
        measures::what_an_hour_of_data_takes,
        measures::what_a_report_of_a_thousand_trials_takes,
        measures::how_long_after_it_was_told_an_event_is_seen,
    ];
    // What takes longest begins first.
    let trials = in_a_machine.map(|test| trial(&machine, test)).into_iter();
    let trials = trials.chain(anywhere.map(|test| trial(&driver, test))).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // What follows runs no destructor.
    drop((driver, machine));
    conclusion.exit();
}

fn trial(driver: &Result<Arc<Driver>, String>, (name, test): Test) -> Trial {
    match driver.clone() {
        Ok(driver) => Trial::test(name, move || {
            Runtime::new()?.block_on(looked_at(&driver, name, test));
            Ok(())
        }),
        Err(why) if std::env::var_os("CI").is_some() => Trial::test(name, || Err(Failed::from(why))),
        Err(why) => Trial::test(name, || Ok(())).with_kind(why).with_ignored_flag(true),
    }
}

/// With a browser of its own, which is ended whatever happens.
async fn looked_at(driver: &Driver, name: &'static str, test: Look) {
    let browser = Browser::start(&driver.url(), name).await;
    let outcome = tokio::spawn(test(browser.clone())).await;
    browser.quit().await;
    if let Err(error) = outcome {
        resume_unwind(error.into_panic());
    }
}
