//! The loop: what is due is done, what was said is heard, what hangs is waited for.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, WaitOptions, WaitStatus, setpriority_process, wait};

use super::bound::Timing;
use super::cast::cast;
use super::cgroups::Group;
use super::clock::{self, Stalls, Stamps, Time};
use super::deeds::{Doing, Stage};
use super::guarded::{Guarded, Happened};
use super::house;
use super::injections::Injection;
use super::report;
use super::resolver::Resolver;
use super::schedule::{self, Deed, Planned, Track};

mod findings;

/// `WatchdogSec=` of all services.
const WATCHDOG: Duration = Duration::from_secs(5);
/// The loop turns at least this often.
const TICK: Duration = Duration::from_millis(50);
/// From one look at PSI to the next.
const LOOK: Duration = Duration::from_millis(250);
/// From one look at memory and figures to the next.
const INSPECT: Duration = Duration::from_secs(2);
/// What the archive reads, MiB: more than fits into its memory once that is squeezed.
const ARCHIVE: usize = 96;
/// How long everything may take to be up at first, and to be down at last.
const PATIENCE: Duration = Duration::from_secs(60);
/// The instrument comes first, or it measures itself.
const NICE: i32 = -15;

/// Something that must not have happened.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// Since the beginning.
    pub at: Duration,
    /// To whom.
    pub who: String,
    /// What.
    pub what: String,
    /// Neither pass nor fail: why.
    pub unsound: Option<&'static str>,
}

/// The soak as it goes.
pub struct Soak {
    /// With which everything is done again.
    pub seed: u64,
    /// How long it is disturbed.
    pub length: Duration,
    /// W and what follows.
    pub timing: Timing,
    /// Everybody.
    pub guarded: Vec<Guarded>,
    /// All hangs that were ordered.
    pub injections: Vec<Injection>,
    /// What must not have happened.
    pub complaints: Vec<Complaint>,
    /// What is being done.
    pub doing: Vec<Doing>,
    /// Deeds that were begun.
    pub deeds: u64,
    /// Planned hangs of patients that had not come back yet.
    pub not_ordered: u64,
    /// How late the loop came at most to what it had planned.
    pub lateness: Duration,
    /// When it stood still.
    stalls: Stalls,
    /// When it began.
    pub began: Time,
    /// For stamps of datagrams.
    pub stamps: Stamps,
    resolver: Option<Resolver>,
    load: Option<PathBuf>,
    moments: io::BufWriter<File>,
}

/// Soaks, and prints the account.
pub fn run(seed: u64, length: Duration, tracks: &[Track], groups: &Path) -> ExitCode {
    match Soak::prepare(seed, length, tracks, groups).and_then(|mut soak| soak.run(tracks)) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("soak: the instrument is broken: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Soak {
    fn prepare(seed: u64, length: Duration, tracks: &[Track], groups: &Path) -> io::Result<Self> {
        let directory = PathBuf::from(std::env::var_os(house::DIRECTORY).unwrap_or_default());
        let is_apart = std::env::var_os(house::APART).is_some();
        if is_apart {
            house::settle(&directory)?;
        }
        let groups = Some(groups).filter(|groups| !groups.as_os_str().is_empty());
        let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak");
        fs::create_dir_all(&logs)?;
        let moments = io::BufWriter::new(File::create(logs.join("moments"))?);
        // Of a session of its own, since CPU may be shared out by session; where it may not be first, it is late and says so.
        let _ = rustix::process::setsid();
        let _ = setpriority_process(None, NICE);
        let _ = fs::write("/proc/self/autogroup", NICE.to_string());

        let file = logs.join("archive");
        if !file.exists() {
            fs::write(&file, vec![7; ARCHIVE << 20])?;
        }
        let timing = Timing::of(WATCHDOG);
        let resolver = if is_apart { Some(Resolver::start()?) } else { None };
        let parts = cast(&std::env::current_exe()?, &directory, &file, resolver.is_some());
        let make = |part| Guarded::new(part, &timing, groups, &directory, &logs);
        let mut guarded = parts.into_iter().map(make).collect::<io::Result<Vec<_>>>()?;
        if let Some(groups) = groups.filter(|_| tracks.contains(&Track::Memory)) {
            let archive = guarded.iter_mut().filter(|guarded| guarded.part.name == "archive");
            archive.for_each(|archive| match archive.limit_memory(groups) {
                Ok(()) => {}
                Err(error) => println!("Skipped: memory pressure ({error})"),
            });
        }
        let load = groups.map(|groups| Group::make(groups, "load")).transpose()?.map(|group| group.0);
        Ok(Self {
            seed,
            length,
            timing,
            guarded,
            injections: Vec::new(),
            complaints: Vec::new(),
            doing: Vec::new(),
            deeds: 0,
            not_ordered: 0,
            lateness: Duration::ZERO,
            stalls: Stalls::default(),
            began: clock::now(),
            stamps: Stamps::default(),
            resolver,
            load,
            moments,
        })
    }

    fn run(&mut self, tracks: &[Track]) -> io::Result<ExitCode> {
        let signals = house::stop_signals()?;
        let lifeline = house::lifeline()?;
        let mut planned = schedule::plan(self.seed, self.length, tracks, WATCHDOG);
        planned.reverse();
        report::beginning(self, tracks);
        let ends = self.began + self.length;
        let (mut next_look, mut next_inspection) = (self.began, self.began);
        let every = report::progress_every(self.length);
        let mut next_progress = self.began + every;
        let mut is_interrupted = false;
        loop {
            let now = clock::now();
            while let Some(next) = planned.pop_if(|next| self.began + next.at <= now) {
                self.begin(&next)?;
            }
            if now >= ends {
                planned.clear();
            }
            self.go_on(now, now >= ends)?;
            self.reap()?;
            self.turn()?;
            if now >= next_look {
                self.guarded.iter_mut().for_each(Guarded::look);
                self.wait_for_hangs(now);
                next_look = now + LOOK;
            }
            if now >= next_inspection {
                let stamps = &self.stamps;
                self.guarded.iter_mut().for_each(|guarded| guarded.inspect(stamps));
                next_inspection = now + INSPECT;
            }
            if now >= next_progress {
                report::progress(self, now);
                next_progress += every;
            }
            if now >= ends && self.has_settled(now, ends) {
                break;
            }
            let due = [next_look, next_inspection]
                .into_iter()
                .chain(planned.last().map(|next| self.began + next.at));
            let patience = due.map(|due| due.saturating_sub(now)).min().unwrap_or(TICK).min(TICK);
            let patience = self.doing.iter().map(|doing| doing.patience(now)).fold(patience, Duration::min);
            if self.sleep(patience, &[signals.as_fd(), lifeline.as_fd()])? {
                is_interrupted = true;
                break;
            }
        }
        self.take_down(is_interrupted)?;
        let passed = report::account(self, is_interrupted);
        self.moments.flush()?;
        Ok(match (is_interrupted, passed) {
            (true, _) => ExitCode::from(130),
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::FAILURE,
        })
    }

    /// Waits until there is something to hear, or `patience` is over; whether it is to end.
    fn sleep(&mut self, patience: Duration, ends: &[BorrowedFd<'_>]) -> io::Result<bool> {
        let begun = clock::now();
        let descriptors = ends.iter().copied().chain(self.guarded.iter().flat_map(Guarded::descriptors));
        let mut events: Vec<_> =
            descriptors.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)).collect();
        match poll(&mut events, Timespec::try_from(patience).ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_over = events.iter().take(ends.len()).any(|event| !event.revents().is_empty());
        drop(events);
        self.is_at(begun + patience);
        if let Some(stall) = self.stalls.woken(begun + patience, clock::now()) {
            self.record_deed(&format!("stood still for {:.3} s", stall.as_secs_f64()))?;
        }
        Ok(is_over)
    }

    /// Takes down how late the loop came to what it had planned.
    fn is_at(&mut self, planned: Time) {
        self.lateness = self.lateness.max(clock::now().saturating_sub(planned));
    }

    fn with_stage<T>(
        &mut self,
        act: impl FnOnce(&mut Vec<Doing>, &mut Stage<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let mut stage = Stage {
            guarded: &mut self.guarded,
            resolver: self.resolver.as_ref(),
            load: self.load.clone(),
            cpus: u32::try_from(cpus).unwrap_or(1),
            stamps: &mut self.stamps,
            happened: Vec::new(),
        };
        let result = act(&mut self.doing, &mut stage);
        for (index, happened) in stage.happened {
            self.happened(index, happened);
        }
        result
    }

    fn begin(&mut self, planned: &Planned) -> io::Result<()> {
        self.is_at(self.began + planned.at);
        if let Deed::Hang { patient, kind, gone } = planned.deed {
            let mut patients = (0..self.guarded.len()).filter(|&index| self.guarded[index].part.is_patient);
            let Some(index) = patients.nth(patient) else { return Ok(()) };
            if self.guarded[index].account.up_since().is_none() || self.open_injection(index).is_some() {
                self.not_ordered += 1;
                return Ok(());
            }
            self.injections.push(Injection::order(index, kind, gone, clock::now()));
            self.guarded[index].order(&format!("hang {}", kind.name()));
        }
        let due = self.began + planned.at;
        let doing = self.with_stage(|_, stage| Doing::begin(planned, due, stage))?;
        self.deeds += 1;
        self.record_deed(&format!("begins: {}", doing.name()))?;
        self.doing.push(doing);
        Ok(())
    }

    /// Goes on with what is being done, and ends what is over.
    fn go_on(&mut self, now: Time, all: bool) -> io::Result<()> {
        let mut ended = Vec::new();
        self.with_stage(|doing, stage| {
            let mut index = 0;
            while index < doing.len() {
                if doing[index].turn(now, stage) || all {
                    let over = doing.swap_remove(index);
                    ended.push((over.name(), over.until()));
                    over.end(stage)?;
                } else {
                    index += 1;
                }
            }
            Ok(())
        })?;
        for (name, until) in ended {
            self.lateness = self.lateness.max(clock::now().saturating_sub(until).min(if all {
                Duration::ZERO
            } else {
                Duration::MAX
            }));
            self.record_deed(&format!("ends: {name}"))?;
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        for index in 0..self.guarded.len() {
            for happened in self.guarded[index].turn(&mut self.stamps)? {
                self.happened(index, happened);
            }
        }
        Ok(())
    }

    /// All that has ended, ours and what became ours.
    fn reap(&mut self) -> io::Result<()> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.reaped(pid, status),
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn reaped(&mut self, pid: Pid, status: WaitStatus) {
        let Some(index) = self.guarded.iter().position(|guarded| guarded.pid() == Some(pid)) else { return };
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => return,
        };
        // Its last words first.
        if let Ok(happened) = self.guarded[index].turn(&mut self.stamps) {
            for happened in happened {
                self.happened(index, happened);
            }
        }
        if let Some(finding) = self.guarded[index].reaped(&how) {
            self.happened(index, Happened::Finding(finding, clock::now()));
        }
    }

    /// Nothing is open any more, or that has taken too long.
    fn has_settled(&self, now: Time, ends: Time) -> bool {
        let is_open = self.injections.iter().any(|injection| injection.outcome.is_none())
            || self.guarded.iter().any(Guarded::is_starting);
        !is_open || now > ends + PATIENCE
    }

    /// Stops everybody; `at_once`: by SIGKILL.
    fn take_down(&mut self, at_once: bool) -> io::Result<()> {
        self.go_on(clock::now(), true)?;
        let stamps = &self.stamps;
        self.guarded.iter_mut().for_each(|guarded| guarded.inspect(stamps));
        let now = clock::now();
        for guarded in &mut self.guarded {
            if at_once {
                guarded.kill_for_good();
            } else {
                guarded.stop_for_good(now);
            }
        }
        while clock::now() < now + PATIENCE && !self.guarded.iter().all(Guarded::is_down) {
            self.sleep(TICK, &[])?;
            self.reap()?;
            self.turn()?;
        }
        self.guarded.iter_mut().for_each(Guarded::close);
        Ok(())
    }

    /// Writes a line of what happened, before anything is made of it.
    fn record(&mut self, index: usize, happened: &Happened) -> io::Result<()> {
        let (what, at) = match happened {
            Happened::Said(words, at) => (format!("said {words:?}"), *at),
            Happened::Hung(since) => ("hangs".to_owned(), *since),
            Happened::Finding(finding, at) => (format!("{finding:?}"), *at),
        };
        let at = at.saturating_sub(self.began).as_secs_f64();
        writeln!(self.moments, "{at:.3} {} {what}", self.guarded[index].part.name)
    }

    /// The same, of what the soak does.
    fn record_deed(&mut self, what: &str) -> io::Result<()> {
        let at = clock::now().saturating_sub(self.began).as_secs_f64();
        writeln!(self.moments, "{at:.3} {what}")
    }
}
