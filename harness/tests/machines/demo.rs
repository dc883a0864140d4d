//! `hangproof demo`: what visitors want is done, and told; on the stage, and by the page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use harness::demo::audience::Audience;
use harness::demo::call::Calls;
use harness::demo::{Play, play, scenario};
use harness::machine::Machine;
use harness::model::ask::Answer;
use harness::model::asks::Asks;
use harness::model::event::{self, Kind};
use harness::model::expect::Outcome;
use harness::model::moment::{Journal, Moment, Unit, What};
use harness::model::story::Story;
use harness::model::verdict::Verdict;
use harness::page::server::deed::Deed;
use harness::page::server::stage::Refused;
use harness::page::telling::{Choice, Controls};
use harness::run::inputs::{Input, Inputs};

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Backend, eventually, hangproof, judged, programs, root};
use crate::leftovers::cgroups;

/// Somebody who watches a stage, and has deeds done.
struct Visitor<'a> {
    machine: &'a dyn Machine,
    calls: &'a Calls,
    seen: Receiver<Seen>,
}

enum Seen {
    Moment(Box<Moment>),
    Controls(Box<Controls>),
}

struct Seat(Sender<Seen>);

impl Audience for Seat {
    fn moment(&mut self, moment: &Moment) {
        let _ = self.0.send(Seen::Moment(Box::new(moment.clone())));
    }

    fn controls(&mut self, controls: Controls) {
        let _ = self.0.send(Seen::Controls(Box::new(controls)));
    }
}

impl Visitor<'_> {
    /// Watches until something is seen of which `what` makes something.
    fn sees<T>(&self, why: &str, mut what: impl FnMut(Seen) -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let seen = self.seen.recv_timeout(left).unwrap_or_else(|_| panic!("waited 60 s for this: {why}"));
            if let Some(seen) = what(seen) {
                return seen;
            }
        }
    }

    fn event(&self, why: &str, wanted: impl Fn(&Kind) -> bool) -> Kind {
        self.sees(why, |seen| match seen {
            Seen::Moment(moment) => match moment.what {
                What::Journal(Journal { entry }) => event::read(&entry, "buggy_server.service"),
                _ => None,
            }
            .map(|event| event.kind)
            .filter(|kind| wanted(kind)),
            Seen::Controls(_) => None,
        })
    }

    fn is_served(&self, wanted: bool) {
        self.sees(&format!("an answer that is good: {wanted}"), |seen| {
            let Seen::Moment(moment) = seen else { return None };
            let What::Asks(Asks(asks)) = moment.what else { return None };
            asks.iter().any(|ask| (ask.answer == Answer::Good) == wanted).then_some(())
        });
    }

    /// Has it done as soon as the stage takes it.
    fn has(&self, deed: &Deed) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            match self.calls.call(deed.clone()) {
                Ok(says) => return says,
                Err(Refused::NotNow(why)) => assert!(Instant::now() < until, "{deed:?}: {why}"),
                Err(refused) => panic!("{deed:?}: {refused}"),
            }
            self.sees("controls that change", |seen| matches!(seen, Seen::Controls(_)).then_some(()));
        }
    }

    /// The story of the next case of this fault that ends.
    fn sees_to_its_end(&self, fault: &str) -> Story {
        let mut story: Option<Story> = None;
        self.sees(&format!("the end of {fault}"), |seen| {
            let Seen::Moment(moment) = seen else { return None };
            if let What::Planned(plan) = &moment.what {
                let is_it = plan.scenario == fault;
                story = is_it.then(|| Story::new(moment.case, (**plan).clone()));
            }
            let story = story.as_mut().filter(|story| story.case == moment.case)?;
            story.take(&moment);
            matches!(moment.what, What::Ended | What::Broke(_)).then(|| story.clone())
        })
    }

    /// Whether there is nothing to wait for.
    fn is_idle(&self) {
        self.sees("a stage on which nothing is done", |seen| match seen {
            Seen::Controls(controls) => (controls.busy.is_none() && controls.active.is_empty()).then_some(()),
            Seen::Moment(_) => None,
        });
    }
}

/// Plays while somebody visits, and leaves.
fn visited(backend: Backend, visit: impl FnOnce(&Visitor)) {
    let mut machine = backend.boot();
    let (inputs, scenario) = (Inputs::default(), scenario().expect("it is built in"));
    let (calls, taken) = Calls::new(inputs.sender());
    let (seat, seen) = channel();
    let leave = inputs.sender();
    thread::scope(|scope| {
        let machine = machine.as_ref();
        let played = scope.spawn(|| {
            let (inputs, taken) = (inputs, taken);
            let what = Play {
                machine,
                scenario: &scenario,
                programs: Some(programs()),
                listen: "127.0.0.1:8080",
                inputs: &inputs,
                calls: &taken,
                seed: 1,
                random: false,
            };
            play(&what, &mut Seat(seat))
        });
        // Also where the visitor panics the play ends.
        let leave = Leave(leave);
        visit(&Visitor { machine, calls: &calls, seen });
        drop(leave);
        played.join().expect("it does not panic").expect("it ends in order");
    });
    machine.close().expect("the machine closes");
}

struct Leave(harness::run::inputs::Sender);

impl Drop for Leave {
    fn drop(&mut self) {
        let _ = self.0.send(Input::Interrupted);
    }
}

fn inject(fault: &str) -> Deed {
    Deed::Inject { fault: fault.into() }
}

pub fn what_a_visitor_injects_is_found_and_the_next_one_is_taken_when_that_is_over(backend: Backend) {
    visited(backend, |visitor| {
        visitor.is_served(true);
        assert_eq!(visitor.has(&inject("mute")), "mute was injected");
        let refused = visitor.calls.call(inject("spin")).expect_err("one at a time");
        assert!(refused.to_string().starts_with("one at a time"), "{refused}");
        visitor.event("the watchdog's word", |kind| {
            matches!(kind, Kind::WatchdogTrigger { .. } | Kind::WatchdogTimeout)
        });
        visitor.event("the service to be ready", |kind| *kind == Kind::Ready);
        visitor.is_idle();
        assert_eq!(visitor.has(&inject("crash")), "crash was injected");
        visitor.event("the end of the process", |kind| matches!(kind, Kind::Exited(_)));
        visitor.event("the service to be ready", |kind| *kind == Kind::Ready);
        visitor.is_idle();
        let nothing = visitor.calls.call(Deed::Heal { fault: None }).expect_err("nothing is in effect");
        assert_eq!(nothing.to_string(), "there is nothing to heal: no fault is in effect");
    });
}

pub fn without_the_watchdog_a_hang_lasts_until_somebody_heals_it_or_restarts_the_service(backend: Backend) {
    visited(backend, |visitor| {
        visitor.is_served(true);
        assert!(visitor.has(&Deed::Watchdog { on: false }).contains("the watchdog is off"));
        let drop_in = visitor.sees("the drop-in", |seen| match seen {
            Seen::Moment(moment) => match moment.what {
                What::Unit(Unit { files }) => files.into_iter().find(|file| {
                    file.path.ends_with("buggy_server.service.d/90-demo.conf")
                        && file.text.contains("WatchdogSec=0")
                }),
                _ => None,
            },
            Seen::Controls(_) => None,
        });
        assert!(drop_in.text.contains("/usr/local/bin/buggy_server"), "{}", drop_in.text);
        assert_eq!(visitor.has(&inject("mute")), "mute was injected");
        visitor.is_served(false);
        // Longer than it would have taken.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(8) {
            visitor.is_served(false);
        }
        assert_eq!(visitor.has(&Deed::Heal { fault: None }), "the fault is healed");
        visitor.is_served(true);
        visitor.is_idle();
        // A fault of which something has to be decided, here its port, is healed as well.
        assert_eq!(visitor.has(&inject("port-drop")), "port-drop port=8080 was injected");
        visitor.is_served(false);
        assert_eq!(visitor.has(&Deed::Heal { fault: None }), "the fault is healed");
        visitor.is_served(true);
        visitor.is_idle();
        // What cannot be healed goes with the process.
        assert_eq!(visitor.has(&inject("deadlock")), "deadlock was injected");
        visitor.is_served(false);
        assert!(visitor.calls.call(Deed::Heal { fault: None }).is_err());
        assert!(visitor.has(&Deed::Watchdog { on: true }).contains("sd-watchdog is on duty"));
        visitor.event("the service to be ready", |kind| *kind == Kind::Ready);
        visitor.is_idle();
        assert_eq!(visitor.has(&inject("error")), "error was injected");
        visitor.event("the watchdog's word", |kind| {
            matches!(kind, Kind::WatchdogTrigger { .. } | Kind::WatchdogTimeout)
        });
        visitor.is_idle();
    });
}

pub fn what_a_visitor_heals_or_restarts_before_it_is_found_is_told_as_what_it_is(backend: Backend) {
    visited(backend, |visitor| {
        visitor.is_served(true);
        visitor.has(&inject("mute"));
        assert_eq!(visitor.has(&Deed::Heal { fault: None }), "the fault is healed");
        let story = visitor.sees_to_its_end("mute");
        let expect = story.last_expectation(story.ended.expect("it is over"));
        assert_eq!(expect.outcome, Outcome::Undisturbed, "{:?}", story.events());
        assert!(judged(&story.verdict()).is_pass(), "{:?}", story.verdict());
        visitor.is_idle();
        // Of what is to be found, and of what is to be left alone for longer than that.
        for fault in ["mute", "slow"] {
            visitor.has(&inject(fault));
            visitor.has(&Deed::Restart);
            let story = visitor.sees_to_its_end(fault);
            let reasons = ["somebody started the service anew before it was over".to_owned()];
            assert_eq!(
                (story.verdict().word(), story.verdict().reasons()),
                ("unsound", &reasons[..]),
                "{fault}"
            );
            visitor.is_idle();
        }
    });
}

pub fn what_cannot_be_done_is_said_to_who_wanted_it_and_the_demo_goes_on(backend: Backend) {
    visited(backend, |visitor| {
        let run = |argv: &[&str]| {
            let output = visitor.machine.run(argv, Duration::from_secs(20)).expect("it runs");
            output.successful(argv).expect("it succeeds");
        };
        let failed = |deed: Deed, why: &str| {
            let refused = visitor.calls.call(deed.clone()).expect_err("it cannot be done");
            assert!(matches!(&refused, Refused::Failed(said) if said.contains(why)), "{deed:?}: {refused:?}");
        };
        visitor.is_served(true);
        visitor.is_idle();
        // A drop-in that cannot be written; what is on duty remains it.
        let drop_in = "/run/systemd/system/buggy_server.service.d/90-demo.conf";
        run(&["rm", drop_in]);
        run(&["mkdir", drop_in]);
        failed(Deed::Watchdog { on: false }, "90-demo.conf");
        run(&["rmdir", drop_in]);
        visitor.has(&Deed::Watchdog { on: false });
        visitor.is_idle();
        // A fault whose end fails: it stays in effect, until somebody else ends it.
        visitor.has(&inject("port-drop"));
        visitor.is_served(false);
        let no_nft = "#!/bin/sh\n[ \"$1\" = list ]\n";
        visitor.machine.put("/run/no-nft", no_nft.as_bytes(), 0o755).expect("it is put");
        run(&["sh", "-c", "mount --bind /run/no-nft $(command -v nft)"]);
        failed(Deed::Heal { fault: None }, "port-drop could not be healed");
        run(&["sh", "-c", "umount $(command -v nft) && nft flush ruleset"]);
        visitor.has(&Deed::Restart);
        visitor.is_served(true);
        visitor.is_idle();
        assert_eq!(visitor.has(&inject("crash")), "crash was injected");
    });
}

/// Plays every fault that can be played there, one after another, and sees what comes of it: what it is to come to, and no other.
fn repertoire(backend: Backend, place: &str) {
    visited(backend, |visitor| {
        visitor.is_served(true);
        let choices = visitor.sees("controls", |seen| match seen {
            Seen::Controls(controls) => Some(controls.faults),
            Seen::Moment(_) => None,
        });
        let (can, cannot): (Vec<_>, Vec<_>) =
            choices.into_iter().filter(|choice| choice.r#where == place).partition(|choice| choice.available);
        assert!(can.len() > 5, "{can:?}");
        for choice in &cannot {
            println!("{}: {}", choice.name, choice.why_not.as_deref().unwrap_or("no reason is told"));
        }
        let mut wrong = Vec::new();
        for Choice { name, .. } in can {
            let begin = Instant::now();
            visitor.has(&inject(&name));
            let story = visitor.sees_to_its_end(&name);
            let verdict = story.verdict();
            println!("{name}: {verdict:?} after {:?}", begin.elapsed());
            // What a busy computer makes of a recovery says nothing of the fault.
            let is_doubtful = matches!(&verdict, Verdict::Unsound { reasons }
                if reasons.iter().any(|why| why.starts_with("the computer was busy: ")));
            if !(verdict.is_pass() || is_doubtful) {
                wrong.push(format!("{name}: {verdict:?} {:#?}", story.events()));
            }
            if story.plan.expect.outcome == Outcome::Stopped {
                visitor.has(&Deed::Restart);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

pub fn each_fault_of_the_repertoire_inside_of_the_service_comes_to_what_is_expected(backend: Backend) {
    repertoire(backend, "inside");
}

pub fn each_fault_of_the_repertoire_from_outside_comes_to_what_is_expected(backend: Backend) {
    repertoire(backend, "outside");
}

/// `hangproof demo`, at a port that the kernel chooses.
struct Demo {
    child: Child,
    /// `127.0.0.1:PORT`.
    address: String,
}

impl Demo {
    fn start() -> Self {
        // Built already: what cargo is doing is not to be said among what is looked for.
        let program = programs().path("buggy_server");
        let mut child = Command::new(hangproof())
            .args([
                "demo",
                "--listen",
                "127.0.0.1:0",
                "--machine",
                "namespace",
                "--calm",
                "--seed",
                "1",
                "--root",
            ])
            .arg(root())
            .arg("--programs")
            .arg(program.parent().expect("it is in a directory"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("hangproof starts");
        let mut said = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut said).expect("it says where the page is");
        let port = said.split("http://localhost:").nth(1).and_then(|rest| rest.split('/').next());
        let address = format!("127.0.0.1:{}", port.unwrap_or_else(|| panic!("no address in {said:?}")));
        Self { child, address }
    }

    /// Sends a request, the head of which is `lines`, and hands the connection over.
    fn ask(&self, request: &str, lines: &str, body: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).expect("the page is served");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it is set");
        let (address, length) = (&self.address, body.len());
        write!(stream, "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n{body}")
            .expect("it is sent");
        BufReader::new(stream)
    }

    fn answer(&self, request: &str, lines: &str, body: &str) -> String {
        let mut answer = String::new();
        self.ask(request, lines, body).read_to_string(&mut answer).expect("it is answered");
        answer
    }

    /// Has a deed done, as the page does, as soon as it can be.
    fn has(&self, deed: &str) {
        let page = self.answer("GET /", "", "");
        let token = page.split("name=\"token\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
        let (address, token) = (&self.address, token.expect("the page carries a token"));
        let lines = format!(
            "Origin: http://{address}\r\nX-Hangproof-Token: {token}\r\nContent-Type: application/json\r\n"
        );
        eventually(&format!("{deed} is taken"), || {
            let answer = self.answer("POST /deed", &lines, deed);
            assert!(answer.contains(" 200 ") || answer.contains(" 409 "), "{answer}");
            answer.contains(" 200 ")
        });
    }

    /// Ends it as a user does, and looks what is left.
    fn ends_in_order(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it still runs");
        eventually("it ends", || self.child.try_wait().expect("it can be waited for").is_some());
        let status = self.child.wait().expect("it has ended");
        assert_eq!(status.code(), Some(0), "{status}");
        assert!(cgroups(self.child.id()).is_empty(), "a cgroup is left");
        assert!(TcpStream::connect(&self.address).is_err(), "somebody listens still");
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

pub fn the_page_tells_of_a_deed_to_its_end_and_ctrl_c_leaves_nothing_behind(_: Backend) {
    let demo = Demo::start();
    let health = demo.answer("GET /health", "", "");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    let events = demo.ask("GET /events", "", "");
    demo.has(r#"{"deed":"inject","fault":"mute"}"#);
    let over = events.lines().map(|line| line.expect("the events go on")).find(|line| {
        line.starts_with("data:") && line.contains(r#""kind":"episode""#) && line.contains(r#""verdict""#)
    });
    let over = over.expect("the episode is over");
    if over.contains(r#""word":"unsound""#) {
        judged(&Verdict::Unsound { reasons: vec![over.clone()] });
    }
    assert!(over.contains(r#""word":"pass""#) && over.contains(r#""phase":"recovery""#), "{over}");
    let recording = demo.answer("GET /export.jsonl", "", "");
    assert!(recording.contains(r#""moment":"injected""#), "{recording}");
    demo.ends_in_order();
}

pub fn ctrl_c_is_heard_before_there_is_a_machine(_: Backend) {
    Demo::start().ends_in_order();
}
