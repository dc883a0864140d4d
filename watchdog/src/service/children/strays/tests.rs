//! The children are given by each test: others run beside it, and have children too.

use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Long enough for a machine that is busy with everything else.
const AMPLE: Duration = Duration::from_secs(30);

/// A process that waits, killed with the test.
struct Sleeper(Child);

impl Sleeper {
    fn marked(value: &str) -> Self {
        Self(Command::new("sleep").arg("1000").env(NAME, value).spawn().expect("a process"))
    }

    fn new() -> Self {
        Self::marked("another")
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    fn process(&self) -> Process {
        Process::of(self.pid()).expect("it runs")
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("ours").is_some()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + AMPLE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: waited until {what}");
        std::thread::yield_now();
    }
}

fn mark(value: &str, before: &[i32], since: u64) -> Mark {
    Mark { value: value.to_owned(), before: before.iter().copied().collect(), since }
}

fn pids(sleepers: &[&Sleeper]) -> BTreeSet<i32> {
    sleepers.iter().map(|sleeper| sleeper.pid()).collect()
}

/// What was asked for is judged.
#[track_caller]
fn settle(strays: &Strays) {
    until("all are judged", || strays.searches.iter().all(|search| !search.desk().at_work));
}

/// Tells who is to be judged.
fn listener() -> (Sender<Process>, Receiver<Process>) {
    channel()
}

fn no_helper(_: i32) -> bool {
    false
}

#[test]
fn what_is_marked_is_killed_and_nothing_else() {
    let value = format!("{:016x}", fastrand::u64(..));
    let (mut stray, mut stranger) = (Sleeper::marked(&value), Sleeper::new());
    let (children, start) = (pids(&[&stray, &stranger]), Instant::now());
    let mut strays = Strays::default();
    strays.search(mark(&value, &[], 0), start);
    // It may not be the program that it is to become yet.
    until("the stray has ended", || {
        strays.look(&children, no_helper, start);
        settle(&strays);
        stray.has_ended()
    });
    assert!(!stranger.has_ended());
}

#[test]
fn only_a_child_that_came_after_the_helper_and_is_none_is_judged() {
    let sleeper = Sleeper::new();
    let Process { pid, started } = sleeper.process();
    for (what, before, since, is_helper, is_judged) in [
        ("it came with the helper", &[][..], started, false, true),
        ("nobody knows when the helper came", &[], 0, false, true),
        ("it was there before", &[pid], 0, false, false),
        ("it is older, and became ours later", &[], started + 1, false, false),
        ("it is a helper", &[], 0, true, false),
    ] {
        let ((sender, judged), now, mut strays) = (listener(), Instant::now(), Strays::default());
        strays.search(mark("x", before, since), now);
        let judge = move |process: Process, _: &str| {
            sender.send(process).expect("the test runs");
            Verdict::Stranger
        };
        for _ in 0..3 {
            strays.look_with(judge.clone(), &pids(&[&sleeper]), |_| is_helper, now);
            settle(&strays);
        }
        let judged: Vec<i32> = judged.try_iter().map(|process| process.pid).collect();
        assert_eq!(judged, if is_judged { vec![pid] } else { vec![] }, "{what}");
    }
}

#[test]
fn who_becomes_another_program_is_judged_again() {
    let (sleeper, now, mut strays) = (Sleeper::new(), Instant::now(), Strays::default());
    let (sender, judged) = listener();
    strays.search(mark("x", &[], 0), now);
    let judge = move |process: Process, _: &str| {
        sender.send(process).expect("the test runs");
        Verdict::Unclear
    };
    for _ in 0..3 {
        strays.look_with(judge.clone(), &pids(&[&sleeper]), no_helper, now);
        settle(&strays);
    }
    assert_eq!(judged.try_iter().count(), 3);
}

#[test]
fn it_is_looked_on_for_as_long_as_one_that_was_killed_is_there() {
    let (sleeper, start, mut strays) = (Sleeper::new(), Instant::now(), Strays::default());
    strays.search(mark("x", &[], 0), start);
    let judge = |_: Process, _: &str| Verdict::Stray;
    let mut look = |children: &[&Sleeper], now| {
        strays.look_with(judge, &pids(children), no_helper, now);
        settle(&strays);
        strays.are_looked_for()
    };
    assert!(look(&[&sleeper], start));
    assert!(look(&[&sleeper], start + 100 * ENDING));
    assert!(!look(&[], start + 101 * ENDING));
}

#[test]
fn one_that_cannot_be_read_holds_up_neither_who_looks_nor_the_next_search() {
    let (stuck, mut stray) = (Sleeper::new(), Sleeper::marked("stray"));
    let (start, mut strays) = (Instant::now(), Strays::default());
    // Its lock is held until the gate is dropped, or for far too long.
    let (gate, held) = channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let stuck_one = stuck.process();
    let judge = move |process: Process, value: &str| {
        if process == stuck_one {
            let _ = held.lock().expect("no panic").recv_timeout(AMPLE);
        }
        kill_if_marked(process, value)
    };
    for _ in 0..2 * MOST_THREADS {
        strays.search(mark("x", &[], 0), start);
        strays.look_with(judge.clone(), &pids(&[&stuck]), no_helper, start);
    }
    strays.look_with(judge.clone(), &pids(&[&stuck]), no_helper, start);
    assert!(start.elapsed() < AMPLE / 2, "it was waited for");
    assert_eq!(Arc::strong_count(&strays.threads) - 1, MOST_THREADS);
    strays.look_with(judge.clone(), &pids(&[&stuck]), no_helper, start + ENDING);
    assert!(!strays.are_looked_for(), "there is an end");
    drop(gate);
    let threads = Arc::clone(&strays.threads);
    until("the threads have ended", || Arc::strong_count(&threads) == 2);
    // The next helper is younger than what is stuck.
    strays.search(mark("stray", &[stuck_one.pid], 0), start);
    until("the stray has ended", || {
        strays.look_with(judge.clone(), &pids(&[&stuck, &stray]), no_helper, start);
        settle(&strays);
        stray.has_ended()
    });
}
