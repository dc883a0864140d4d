//! The page as people see it in a browser: becomes `ci/page.sh`, whose tests are a workspace of their own (harness/browser), since what
//! drives a browser would have everything built twice.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/page.sh");
    match missing(&script) {
        None => {
            let error = Command::new(&script).args(std::env::args_os().skip(1)).exec();
            panic!("{} cannot be run: {error}", script.display());
        }
        // Whether it may be missing in CI, ci/check.sh knows: not every distribution has such a browser.
        Some(why) => {
            let ignored = move || Ok(Completion::ignored_with(why));
            let tests = vec![Trial::ignorable_test("the_page_in_a_browser", ignored)];
            libtest_mimic::run(&Arguments::from_args(), tests).exit()
        }
    }
}

/// What is not here that it takes.
fn missing(script: &Path) -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let has = |program: &str| std::env::split_paths(&path).any(|directory| directory.join(program).exists());
    match () {
        () if !script.exists() => Some("is in the repository alone, not in a package of this crate"),
        () if !rustix::process::geteuid().is_root() => Some("its machine needs root"),
        () if !has("chromedriver") => Some("needs Chromium and its driver: ci/setup.sh --browser"),
        () => None,
    }
}
