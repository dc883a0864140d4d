//! A proof as other people's tests write it: one question to a service, without a file and without the program `hangproof`.
//!
//! In a `#[test]` or a `#[tokio::test]`, whose own crate has built the service:
//!
//! ```no_run
//! use harness::proof::{Proof, Watchdog, restarted};
//!
//! Proof::of_unit("./deploy/my.service")
//!     // Of the package's own programs: env!("CARGO_BIN_EXE_my-server")
//!     .file("/usr/local/bin/my-server", "target/debug/my-server")
//!     .http("http://127.0.0.1:8080/healthz")
//!     .fault("sigstop")
//!     .expect(restarted().by(Watchdog).within("5s"))
//!     .trials(5)
//!     .or_skip()
//!     .run()?
//!     .assert();
//! # Ok::<(), harness::proof::ProofError>(())
//! ```
//!
//! What a scenario's file can ask, a test can, too: a fault's parameters, several faults one after another, many clients, and a
//! service that listens on a socket in the file system. (Without `run` a question is only put together.)
//!
//! ```
//! use harness::proof::{Exit, Proof, Watchdog, fault, load, restarted};
//!
//! let proof = Proof::of_unit("./deploy/my.service")
//!     .unix("/run/my/http.sock")
//!     .http("http://localhost/healthz")
//!     .every("20ms")
//!     .load(load(200).connections(64).timeout("500ms"))
//!     .fault(fault("sigstop").with("processes", "main").heal_after("8s"))
//!     .then(fault("kill").after("recovered").expect(restarted().by(Exit)))
//!     .expect(restarted().by(Watchdog).within("WatchdogSec").at_most_failed(1200));
//! # assert!(proof.run().expect_err("there is no such unit").to_string().contains("./deploy/my.service cannot be read"));
//! ```
//!
//! The harness boots a systemd of its own, as `hangproof run` does, and needs what that needs: root, or a Docker engine. A test
//! that is to pass where there is neither says [`or_skip`](Proof::or_skip). Nothing of it depends on the terminal; signals are
//! left to the test's own program, which takes its machines with it when it ends.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

pub use self::error::ProofError;
pub use self::expected::{Expected, failed, restarted, stopped, undisturbed};
pub use self::fault::{Fault, Value, fault};
pub use self::load::{Load, load};
pub use self::proven::Proven;
pub use crate::jobs::Jobs;
pub use crate::machine::Choice;
pub use crate::model::expect::By::{self, Exit, Watchdog};

use self::notes::Notes;
use crate::error::Error;
use crate::machine::MachineError;
use crate::model::result::RunResult;
use crate::plan::{self, Case};
use crate::pool::{House, News, Pool};
use crate::programs::Programs;
use crate::record::Recorder;
use crate::run::evidence::Sheet;
use crate::run::inputs::Interrupts;
use crate::run::{RunError, skip};
use crate::scenario::{Asked, Assignment, Loader, Mistake, Scenario, ScenarioError};

mod error;
mod expected;
mod fault;
mod load;
mod notes;
mod proven;

/// A question to a service. Its methods collect what is asked, and [`run`](Proof::run) says everything that is wrong with it.
#[derive(Clone, Debug)]
#[must_use = "nothing is tried before run()"]
pub struct Proof {
    asked: Asked,
    assignments: Vec<Assignment>,
    trials: u32,
    seed: Option<u64>,
    jobs: Option<Jobs>,
    choice: Choice,
    root: PathBuf,
    image: Option<String>,
    may_skip: bool,
    mistakes: Vec<Mistake>,
}

impl Proof {
    /// Of a unit: a file where there is a `/` in it (`./my.service`), else one that the machine's tree has, in namespaces that of
    /// this host.
    pub fn of_unit(unit: impl Into<String>) -> Self {
        Self {
            asked: Asked { unit: unit.into(), ..Asked::default() },
            assignments: Vec::new(),
            trials: 1,
            seed: None,
            jobs: None,
            choice: Choice::Auto,
            root: "/".into(),
            image: None,
            may_skip: false,
            mistakes: Vec::new(),
        }
    }

    /// Puts a file or a directory of this host into the machine, at an absolute path, with the mode that it has here. May be
    /// called again.
    pub fn file(mut self, in_machine: impl Into<String>, here: impl AsRef<Path>) -> Self {
        match here.as_ref().to_str() {
            Some(here) => self.asked.files.push((in_machine.into(), here.into())),
            None => self.is_wrong("file", format!("{} is not UTF-8", here.as_ref().display())),
        }
        self
    }

    /// Where clients ask it, as the machine itself would: `http://127.0.0.1:8080/`.
    pub fn http(mut self, url: impl Into<String>) -> Self {
        self.asked.place.http = Some(url.into());
        self
    }

    /// The same without HTTP, `127.0.0.1:6379`: what is [sent](Self::send) there, and what a good [answer](Self::answer) contains.
    pub fn tcp(mut self, address: impl Into<String>) -> Self {
        self.asked.place.tcp = Some(address.into());
        self
    }

    /// The same at a socket in the machine's file system, `/run/my/my.sock`, or an abstract one, `@my`. With [`http`](Self::http)
    /// beside it, HTTP is spoken there.
    pub fn unix(mut self, path: impl Into<String>) -> Self {
        self.asked.place.unix = Some(path.into());
        self
    }

    /// What is sent to [`tcp`](Self::tcp) or [`unix`](Self::unix).
    pub fn send(mut self, text: impl Into<String>) -> Self {
        self.asked.place.send = Some(text.into());
        self
    }

    /// What a good answer of [`tcp`](Self::tcp) or [`unix`](Self::unix) contains.
    pub fn answer(mut self, text: impl Into<String>) -> Self {
        self.asked.place.answer = Some(text.into());
        self
    }

    /// From one ask to the next; 10 ms by default.
    pub fn every(mut self, span: impl Into<String>) -> Self {
        self.asked.interval = Some(span.into());
        self
    }

    /// How long an answer may take; 1 s by default.
    pub fn timeout(mut self, span: impl Into<String>) -> Self {
        self.asked.timeout = Some(span.into());
        self
    }

    /// Many clients who ask besides, so often a second: what an outage costs is counted in requests that failed.
    pub fn load(mut self, load: impl Into<Load>) -> Self {
        self.asked.load = Some(load.into().0);
        self
    }

    /// What is done to it: a name from `hangproof faults`, or a [`fault()`] of which more is decided. Without, nothing is, and the service
    /// is to be left alone.
    pub fn fault(mut self, fault: impl Into<Fault>) -> Self {
        let Fault(fault) = fault.into();
        match self.asked.faults.first_mut() {
            Some(first) => *first = fault,
            None => self.asked.faults.push(fault),
        }
        self
    }

    /// What is done to it then, in the same trial: when it has recovered of the fault before, unless the fault says
    /// [after](Fault::after) what. May be called again.
    pub fn then(mut self, fault: impl Into<Fault>) -> Self {
        if self.asked.faults.is_empty() {
            self.is_wrong("then", "nothing is done before it: fault() comes first".into());
        }
        self.asked.faults.push(fault.into().0);
        self
    }

    /// What is to come of it. Without, that a service which hangs is restarted by the watchdog, and so on.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.asked.expect = expected.0;
        self
    }

    /// Assigns a directive of the unit anew, as `--set` does: `WatchdogSec=1s`, `Unit.StartLimitBurst=3`. May be called again.
    pub fn set(mut self, assignment: &str) -> Self {
        match assignment.parse() {
            Ok(assignment) => self.assignments.push(assignment),
            Err(wrong) => self.is_wrong("set", wrong),
        }
        self
    }

    /// How often it is tried, on one machine after its boot; once by default.
    pub fn trials(mut self, trials: u32) -> Self {
        if trials == 0 {
            self.is_wrong("trials", "no trial shows nothing: a number from 1".into());
        }
        self.trials = trials;
        self
    }

    /// What the random choices of the first trial come from; by default each trial has a seed of its own, the same in every run.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// On how many machines at once the trials are made; on one by default.
    pub fn jobs(mut self, jobs: Jobs) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Where machines are booted; in namespaces where the host can, else in a container.
    pub fn machine(mut self, choice: Choice) -> Self {
        self.choice = choice;
        self
    }

    /// The tree that is booted in namespaces; this host's by default.
    pub fn root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }

    /// The image that containers are made of.
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Where there is nothing to boot a machine with, or the machine lacks what is asked of it, the test is skipped:
    /// [`Proven::assert`] says why, and returns. Not so where `CI` is in the environment, for there nobody would read it.
    pub fn or_skip(mut self) -> Self {
        self.may_skip = std::env::var_os("CI").is_none();
        self
    }

    /// Tries it, and blocks until all is made: a trial takes some seconds. A runtime that this is called in is not used.
    ///
    /// # Errors
    /// [`ProofError::Mistakes`] before anything is booted; [`ProofError::NoMachine`] where nothing can be; [`ProofError::Broke`] with
    /// what was seen until then. A service that does not recover is no error, but what the [`Proven`] says.
    pub fn run(self) -> Result<Proven, ProofError> {
        // A caller's thread may be one of a runtime's, in which no other runtime may block; and what a machine's end would do to
        // a thread is not done to the caller's.
        thread::scope(|scope| scope.spawn(|| self.make()).join()).unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn make(self) -> Result<Proven, ProofError> {
        let scenario = self.scenario().map_err(ProofError::Mistakes)?;
        let scenarios = [scenario];
        let notes = Notes::default();
        let recording = Sheet::default();
        let cases = Case::all_of(&scenarios[0], self.trials, self.seed);
        let first = cases[0].clone();
        let mut recorder = Recorder::default();
        recorder.add("the recording of a proof".into(), recording.clone());
        recorder.call = Some(plan::call(std::env::args_os(), self.seed, std::slice::from_ref(&cases)));

        let mut stories = Vec::new();
        let mut wrong = None;
        match Programs::of(&scenarios, None, &notes) {
            Ok(programs) => {
                let (machines, note) = self.jobs.map_or((1, None), |jobs| jobs.machines(cases.len()));
                notes.add(note);
                let house = House {
                    scenarios: &scenarios,
                    choice: self.choice,
                    root: &self.root,
                    image: self.image.as_deref(),
                    programs: &programs,
                    interrupts: &Interrupts::default(),
                    progress: &notes,
                    keep_on_failure: false,
                };
                let pool = Pool::new(&house, vec![cases], machines);
                pool.work(machines, &mut recorder, |news| match news {
                    News::Made(_, story) => stories.push(*story),
                    News::Failed(_, error) => drop(wrong.get_or_insert(error)),
                    News::Done(_) => {}
                });
            }
            Err(error) => wrong = Some(error.into()),
        }
        if let (Some(reason), true) =
            (wrong.as_ref().and_then(unavailable), self.may_skip && stories.is_empty())
        {
            wrong = skip(None, &mut recorder, first, Vec::new(), reason)
                .map(|story| stories.push(story))
                .err()
                .map(Error::from);
        }
        drop(recorder);
        let recording = recording.take();
        if let Some(error) = wrong {
            return Err(ProofError::of(error, &recording, &notes));
        }
        // Several machines make trials in no order.
        stories.sort_by_key(|story| story.plan.trial);
        match RunResult::of(&stories) {
            Some(result) => Ok(Proven::new(result, recording, notes, self.may_skip)),
            None => unreachable!("a pool makes every case, or says why not"),
        }
    }

    /// The scenario that asks it, or everything that is wrong with it.
    fn scenario(&self) -> Result<Scenario, Vec<Mistake>> {
        let loader = Loader { host_files: true, tree: self.root.clone(), set: self.assignments.clone() };
        let asked = self.asked.scenario(&loader, method);
        let mut mistakes = self.mistakes.clone();
        match asked {
            Ok(mut scenario) if mistakes.is_empty() => {
                scenario.service.set(&self.assignments);
                return Ok(scenario);
            }
            Ok(_) => {}
            Err(ScenarioError::Invalid(others)) => mistakes.extend(others),
            Err(unreadable) => mistakes.push(mistake("of_unit", unreadable.to_string())),
        }
        Err(mistakes)
    }

    fn is_wrong(&mut self, name: &str, message: String) {
        self.mistakes.push(mistake(name, message));
    }
}

/// The method of this name.
fn method(name: &str) -> String {
    match name {
        "unit" => "of_unit()".into(),
        "interval" => "every()".into(),
        "http or tcp" => "http(), tcp() or unix()".into(),
        name => format!("{name}()"),
    }
}

fn mistake(name: &str, message: String) -> Mistake {
    Mistake { file: method(name), at: None, message }
}

/// Why no machine can be booted here, if that is what is wrong.
fn unavailable(error: &Error) -> Option<String> {
    match error {
        Error::Machine(error @ MachineError::Unavailable { .. })
        | Error::Run(RunError::Machine(error @ MachineError::Unavailable { .. })) => Some(error.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::asked::Place;

    fn proof() -> Proof {
        Proof::of_unit("my").http("http://127.0.0.1/").fault("sigstop")
    }

    #[test]
    fn what_is_wrong_is_said_of_the_method_that_said_it() {
        let two = |proof: Proof| proof.file("/bin/x", "/bin/true").file("/bin/x", "/bin/false");
        for (proof, said) in [
            (proof().fault("sigstp"), "fault(): there is no fault \"sigstp\"; did you mean \"sigstop\"?"),
            (proof().http("127.0.0.1"), "http(): \"127.0.0.1\" is not http://"),
            (
                Proof::of_unit("my").fault("sigstop"),
                "http(), tcp() or unix(): [observe] needs exactly one of ",
            ),
            (
                Proof { asked: Asked { unit: "./none.service".into(), ..proof().asked }, ..proof() },
                "of_unit(): ./none.service cannot be read: No such file",
            ),
            (proof().expect(restarted().within("soon")), "within(): \"soon\" is neither a time span"),
            (proof().expect(restarted().outage_within("0")), "outage_within(): no outage takes no time"),
            (proof().expect(undisturbed().by(Exit)), "expect(): "),
            (proof().expect(undisturbed().during("5ms")), "during(): within 5 ms nobody asks"),
            (proof().fault("crash").expect(restarted().hang_report(true)), "hang_report(): this fault ends"),
            (proof().expect(failed().within("5s")), "within(): "),
            (proof().file("bin/x", "/bin/true"), "file(): "),
            (proof().file("/bin/x", "./none"), "file(): "),
            (
                Proof::of_unit("my").tcp("127.0.0.1:1").send("a\nb\nc").answer("d").fault("sigstp"),
                "fault(): there is no fault",
            ),
            (two(proof()), "file(): "),
            (proof().file("/bin/\n\"x", "/bin/\n'true"), "file(): "),
            (proof().set("WatchdogSec"), "set(): there is no \"=\""),
            (proof().trials(0), "trials(): no trial shows nothing"),
        ] {
            is_said(&proof, said);
        }
    }

    /// That this is all that is wrong with it.
    fn is_said(proof: &Proof, said: &str) {
        let mistakes = proof.scenario().expect_err(said);
        let said_is = ScenarioError::Invalid(mistakes).to_string();
        assert!(said_is.starts_with(said) && !said_is.contains('\u{0}'), "{said}: {said_is}");
        assert_eq!(said_is.matches("(): ").count(), 1, "{said_is}");
    }

    #[test]
    fn what_is_wrong_with_faults_and_loads_is_said_of_their_methods() {
        for (proof, said) in [
            (proof().every("100us"), "every(): nobody asks more often than every 1 ms"),
            (proof().timeout("1h"), "timeout(): a service that hangs would have 360000 connections"),
            (proof().unix("run/x"), "unix(): "),
            (proof().load(0), "load(): "),
            (proof().load(load(9).connections(0)), "connections(): without a connection nobody asks"),
            (proof().load(load(9).timeout("soon")), "timeout(): "),
            (proof().load(load(9).http("x")), "http(): \"x\" is not http://"),
            (proof().fault(fault("sigstop").with("proceses", "main")), "with(): unknown key \"proceses\""),
            (proof().fault(fault("sigstop").with("processes", "mian")), "with(): processes is to be one of "),
            (proof().fault(fault("loss").with("percent", 101)), "with(): percent is to be a whole number "),
            (proof().fault("exec"), "fault(): exec needs run, a program and its arguments"),
            (
                proof().fault(fault("sigstop").after("recovered")),
                "after(): the first fault waits for nothing",
            ),
            (proof().fault(fault("kill").heal_after("1s")), "heal_after(): kill cannot be healed"),
            (proof().then("kll"), "then(): there is no fault \"kll\"; did you mean \"kill\"?"),
            (proof().then(fault("kill").after("soon")), "after(): "),
            (proof().then(fault("kill").expect(restarted().within("soon"))), "within(): \"soon\" is neither"),
            (Proof::of_unit("my").http("http://[::1]/").then("kill"), "then(): nothing is done before it"),
            (proof().expect(restarted().at_most_failed(3)), "at_most_failed(): "),
        ] {
            is_said(&proof, said);
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_before_anything_is_booted() {
        let wrong = proof().fault("sigstp").set("WatchdogSec").trials(0).expect(restarted().within("soon"));
        let error = wrong.run().expect_err("wrong");
        let ProofError::Mistakes(mistakes) = &error else { panic!("{error}") };
        let of = mistakes.iter().map(|mistake| mistake.file.as_str()).collect::<Vec<_>>();
        assert_eq!(of, ["set()", "trials()", "fault()", "within()"]);
        assert_eq!(format!("{error:?}"), error.to_string(), "a test prints what it returns by Debug");
    }

    #[test]
    fn it_asks_what_the_command_line_asks() {
        let directory = tempfile::tempdir().expect("a directory");
        let program = directory.path().join("pro\"gram");
        std::fs::write(&program, "").expect("written");
        let proof = proof()
            .file("/usr/local/bin/x", &program)
            .expect(restarted().by(Watchdog).within("5s").outage_within("6s").hang_report(false))
            .set("WatchdogSec=1s");
        let scenario = proof.scenario().expect("a question");
        let same = Asked {
            unit: "my".into(),
            place: Place { http: Some("http://127.0.0.1/".into()), ..Place::default() },
            faults: vec![fault("sigstop").0],
            expect: restarted().within("5s").0,
            ..Asked::default()
        };
        let same = same.scenario(&Loader::default(), method).expect("a question");
        assert_eq!(
            (&scenario.name, &scenario.observe, &scenario.faults),
            (&same.name, &same.observe, &same.faults)
        );
        assert_eq!(
            (scenario.expect.by, scenario.expect.recovery_within),
            (same.expect.by, same.expect.recovery_within)
        );
        assert_eq!(
            (scenario.expect.outage_within.as_deref(), scenario.expect.hang_report),
            (Some("6s"), Some(false))
        );
        assert_eq!(scenario.service.files.len(), 1);
        assert!(scenario.service.drop_in().contains("WatchdogSec=1s"));
    }

    #[test]
    fn it_asks_what_a_file_asks() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("my.toml");
        let text = "description = \"the same\"\n\
            [service]\nunit = \"tree:my.service\"\n\
            [observe]\nunix = \"/run/my.sock\"\nsend = \"PING\\r\\n\"\nexpect = \"PONG\"\ninterval = \"20ms\"\ntimeout = \"2s\"\n\
            [load]\nrate = 200\nconnections = 64\ntimeout = \"500ms\"\nhttp = \"http://127.0.0.1:8080/\"\n\
            [[fault]]\ninject = \"sigstop\"\nprocesses = \"main\"\nheal_after = \"8s\"\n\
            [[fault]]\ninject = \"exec\"\nrun = [\"sh\", \"-c\", \"a 'b' \\\"c\\\"\"]\nafter = \"500ms\"\n\
            [[fault]]\ninject = \"memory-leak\"\nlimit = \"64MiB\"\n\
            expect = { outcome = \"failed\", by = \"exit\" }\n\
            [[fault]]\ninject = \"loss\"\npercent = 20\nport = 8080\n\
            expect = { outcome = \"undisturbed\", undisturbed_for = \"3s\" }\n\
            [expect]\noutcome = \"restarted\"\nby = \"watchdog\"\nrecovery_within = \"WatchdogSec\"\nat_most_failed = 1200\n";
        std::fs::write(&file, text).expect("written");
        let written = Scenario::load(&file.to_string_lossy()).expect("a scenario");
        let proof = Proof::of_unit("my")
            .unix("/run/my.sock")
            .send("PING\r\n")
            .answer("PONG")
            .every("20ms")
            .timeout("2s")
            .load(load(200).connections(64).timeout("500ms").http("http://127.0.0.1:8080/"))
            .fault(fault("sigstop").with("processes", "main").heal_after("8s"))
            .then(fault("exec").with("run", ["sh", "-c", "a 'b' \"c\""]).after("500ms"))
            .then(fault("memory-leak").with("limit", "64MiB").expect(failed()))
            .then(fault("loss").with("percent", 20).with("port", 8080).expect(undisturbed().during("3s")))
            .expect(restarted().by(Watchdog).within("WatchdogSec").at_most_failed(1200));
        let asked = proof.scenario().map_err(ScenarioError::Invalid).expect("a question");
        assert_eq!(asked.observe, written.observe);
        assert_eq!(asked.load, written.load);
        assert_eq!(asked.faults, written.faults);
        assert_eq!(asked.expect, written.expect);
    }

    #[test]
    fn where_no_machine_can_be_booted_it_is_an_error_or_a_skip() {
        let no_tree = proof().machine(Choice::Namespace).root("/nowhere");
        let error = no_tree.clone().run().expect_err("no tree");
        assert!(matches!(error, ProofError::NoMachine { .. }), "{error}");
        let skipped = Proof { may_skip: true, ..no_tree }.run().expect("a skip");
        assert!(
            !skipped.is_pass() && skipped.skipped().is_some_and(|why| why.contains("/nowhere")),
            "{skipped}"
        );
        skipped.assert();
    }
}
