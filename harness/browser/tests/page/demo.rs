//! `hangproof demo`, real to the last: a systemd in a machine, a service that hangs, and a person who presses buttons.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use harness::machine::namespace;
use rustix::process::{Pid, Signal, kill_process};

use crate::axe;
use crate::browser::{Browser, DARK, LIGHT, Look, PHONE, hangproof, pictures};

/// For what needs a machine that boots, on a busy computer.
const PATIENCE: Duration = Duration::from_secs(90);

/// As README.md shows it.
const README: Look = Look { name: "readme", width: 1040, height: 660, dark: false };

/// So many pictures are taken before something is done, and when it is over.
const AROUND: u32 = 8;

/// The program, until it is dropped.
struct Demo {
    child: Child,
    url: String,
}

/// Whether machines can be booted here, or why not.
pub fn available() -> Result<(), String> {
    namespace::available(&root()).map(drop).map_err(|error| error.to_string())
}

fn root() -> PathBuf {
    std::env::var_os("HANGPROOF_TEST_ROOT").map_or("/".into(), PathBuf::from)
}

impl Demo {
    /// Without hangs at random, and once its page can be opened.
    fn start() -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(hangproof().get_program());
        command.args(["demo", "--calm", "--listen", "127.0.0.1:0"]);
        command.arg("--root").arg(root());
        if let Some(programs) = std::env::var_os("HANGPROOF_TEST_PROGRAMS") {
            command.arg("--programs").arg(programs);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let (addresses, told) = channel();
        thread::spawn(move || {
            let lines = said.lines().map_while(Result::ok);
            lines
                .filter_map(|line| address(&line))
                .for_each(|address| addresses.send(address).unwrap_or_default());
        });
        let mut demo = Self { child, url: String::new() };
        demo.url = told.recv_timeout(PATIENCE).expect("it says where its page is");
        demo
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let child = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        let _ = kill_process(child, Signal::TERM);
        let _ = self.child.wait();
    }
}

/// "The page is at http://localhost:8090/ until Ctrl-C."
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("http://")?;
    Some(format!("http://{}", rest.split_whitespace().next()?))
}

pub async fn a_fault_that_is_pressed_hangs_the_service_and_it_comes_back_within_the_bound(browser: Browser) {
    let demo = Demo::start();
    browser.look(README).await;
    browser.open(&demo.url).await;
    browser
        .until_within(
            PATIENCE,
            "the service is healthy",
            "document.querySelector('#state').dataset.word === 'healthy'",
        )
        .await;
    browser.run("document.querySelector('#skip-tour').click()").await;
    let inject = "button[aria-label=\"Inject deadlock\"]";
    browser
        .until_within(
            PATIENCE,
            "the button",
            &format!("document.querySelector('{inject}')?.disabled === false"),
        )
        .await;
    browser
        .run(
            "window.words = [];
             new MutationObserver(() => window.words.push(document.querySelector('#state').dataset.word))
               .observe(document.querySelector('#state'), { attributes: true, attributeFilter: ['data-word'] });",
        )
        .await;
    let press = format!("document.querySelector('{inject}').click()");
    film(&browser, &press, "window.words.includes('hung') && window.words.at(-1) === 'healthy'").await;
    let words: Vec<String> = browser.value("window.words").await;
    // How many of the states between the two are drawn is a matter of how busy the computer is.
    let between = words.iter().skip_while(|word| *word != "hung").filter(|word| *word != "hung");
    assert_eq!(between.last().map(String::as_str), Some("healthy"), "{words:?}");
    browser
        .until(
            "the timeline has gained a recovery",
            "document.querySelectorAll('#episodes tbody tr').length === 1",
        )
        .await;
    browser
        .until("its verdict", "document.querySelector('#episodes .verdict')?.innerText.includes('pass')")
        .await;
    let took = browser.text("#episodes tbody tr td:nth-child(3)").await;
    let (took, bound) = took.split_once('≤').unwrap_or_else(|| panic!("no bound: {took}"));
    assert!(seconds(took) > 0.1 && seconds(took) <= seconds(bound), "{took} of {bound}");
    browser
        .until("a hang report", "document.querySelector('#hang-report').innerText.includes('thread')")
        .await;
    for look in [LIGHT, DARK, PHONE] {
        browser.look(look).await;
        axe::check(&browser, look.name).await;
        browser.whole_picture("demo", look).await;
    }
    browser.clean(&demo.url).await;
    let file = pictures().join("demo.html");
    let exported: String = browser.awaited("fetch('/export.html').then((answer) => answer.text())").await;
    std::fs::write(&file, exported).expect("written");
    browser.clean(&demo.url).await;
    browser.look(LIGHT).await;
    let url = format!("file://{}", file.canonicalize().expect("it is there").display());
    browser.open(&url).await;
    browser
        .until(
            "the file has the recovery",
            "document.querySelector('#episodes .verdict')?.innerText.includes('pass')",
        )
        .await;
    browser.clean(&url).await;
}

/// Pictures, one after another: before this is done in the page, and until that is true there.
async fn film(browser: &Browser, doing: &str, end: &str) {
    let directory = pictures().join("film");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory");
    let begun = Instant::now();
    let (mut before, mut after) = (0, 0);
    while after < AROUND {
        browser.picture_at(&directory.join(format!("{:06}.png", begun.elapsed().as_millis()))).await;
        before += 1;
        if before == AROUND {
            browser.run(doing).await;
        }
        // A little more, to see that all is well again.
        after += u32::from(after > 0 || browser.value::<bool>(end).await);
        assert!(begun.elapsed() < PATIENCE, "not yet: {end}");
    }
}

/// "2.14 s", "340 ms".
fn seconds(text: &str) -> f64 {
    let (figure, unit) = text.trim().split_once(' ').unwrap_or_else(|| panic!("no length: {text:?}"));
    let figure: f64 = figure.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
    match unit.trim() {
        "s" => figure,
        "ms" => figure / 1000.0,
        "µs" => figure / 1_000_000.0,
        unit => panic!("{unit:?} is no unit of {text:?}"),
    }
}
