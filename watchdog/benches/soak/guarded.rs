//! One service with its `sd-watchdog`, and systemd as far as the two can tell.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::manager::{NotifySocket, as_service};

use super::account::{Account, Finding, Stand};
use super::bound::Timing;
use super::cast::Part;
use super::cgroups::{Group, MemoryLimit};
use super::clock::{self, Stamps, Time};
use super::control::Control;
use super::figures::Figures;
use super::growth::{Growth, Thirds};
use super::pressure::Pressure;
use super::process::{self, Process};
use super::services::HUNG;
use super::witness::Witness;

mod inspection;
mod silence;

/// `TimeoutStartSec=`
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// `TimeoutStopSec=`
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A time in which the soak kept `sd-watchdog` from speaking or probing.
#[derive(Debug, Clone, Copy)]
struct Silence {
    from: Time,
    to: Time,
}

/// See above.
pub struct Guarded {
    /// Who it is.
    pub part: Part,
    /// What systemd would make of it.
    pub account: Account,
    /// Its clients.
    pub witness: Witness,
    /// The control, and its clients.
    pub control: Option<Control>,
    /// How far it was kept from running.
    pub pressure: Pressure,
    /// What `sd-watchdog` counted.
    pub figures: Figures,
    /// Its limit of memory, where that can be moved.
    pub memory: Option<MemoryLimit>,
    /// The socket is not read for now.
    pub unread: bool,
    /// What the lives of `sd-watchdog` needed, of those that were long enough.
    pub lives: Vec<Thirds>,
    /// Figures that do not add up.
    pub imbalances: Vec<String>,
    /// How its lives ended.
    pub ends: Ends,
    growth: Growth,
    group: Option<Group>,
    /// The last is the one that `NOTIFY_SOCKET` names; the others were.
    sockets: Vec<NotifySocket>,
    path: PathBuf,
    log: PathBuf,
    metrics: PathBuf,
    process: Option<Process>,
    /// It was asked to stop, and is killed after this.
    stops_until: Option<Time>,
    starts_at: Option<Time>,
    silences: Vec<Silence>,
    /// Findings up to then are unsound: the soak was late.
    late_until: Time,
    /// Pings of this life may have been lost while the socket was away.
    lost_pings: bool,
    watchdog: Duration,
}

/// How lives of a service ended: each start has one end.
#[derive(Debug, Default, Clone, Copy)]
pub struct Ends {
    /// After a finding, or since a hang was not found.
    pub killed: u64,
    /// On purpose.
    pub restarted: u64,
    /// By itself.
    pub by_itself: u64,
    /// With the soak.
    pub at_the_end: u64,
}

impl Ends {
    /// All of them.
    pub fn sum(&self) -> u64 {
        self.killed + self.restarted + self.by_itself + self.at_the_end
    }
}

/// What happened to one of them.
#[derive(Debug)]
pub enum Happened {
    /// systemd would end it, at this time.
    Finding(Finding, Time),
    /// The patient hangs since then.
    Hung(Time),
    /// It said this, at this time.
    Said(String, Time),
}

impl Guarded {
    /// Not started yet. Sockets are made in `directory`, logs in `logs`.
    pub fn new(
        part: Part,
        timing: &Timing,
        groups: Option<&Path>,
        directory: &Path,
        logs: &Path,
    ) -> io::Result<Self> {
        let group = groups.map(|root| Group::make(root, &part.name)).transpose()?;
        let path = directory.join(format!("{}.notify", part.name));
        let metrics = directory.join(format!("{}.prom", part.name));
        let log = logs.join(format!("{}.log", part.name));
        File::create(&log)?;
        Ok(Self {
            account: Account::new(timing.watchdog, START_TIMEOUT),
            witness: Witness::send(&part)?,
            control: Control::start(&part, groups)?,
            pressure: Pressure::default(),
            figures: Figures::default(),
            memory: None,
            unread: false,
            lives: Vec::new(),
            imbalances: Vec::new(),
            ends: Ends::default(),
            growth: Growth::default(),
            group,
            sockets: vec![NotifySocket::bind(&path, Duration::from_secs(1))?],
            path,
            log,
            metrics,
            process: None,
            stops_until: None,
            starts_at: Some(Duration::ZERO),
            silences: Vec::new(),
            late_until: Duration::ZERO,
            lost_pings: false,
            watchdog: timing.watchdog,
            part,
        })
    }

    /// Finds what its memory can be limited by.
    pub fn limit_memory(&mut self, root: &Path) -> io::Result<()> {
        let group = self.group.as_ref().ok_or_else(|| io::Error::other("no control group"))?;
        self.memory = Some(MemoryLimit::find(root, group)?);
        Ok(())
    }

    /// `sd-watchdog`.
    pub fn pid(&self) -> Option<Pid> {
        self.process.as_ref().map(|process| process.pid)
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let sockets = self.sockets.iter().filter(|_| !self.unread).map(AsFd::as_fd);
        sockets.chain(self.process.as_ref().map(Process::words))
    }

    fn start(&mut self, now: Time) -> io::Result<()> {
        let own = self.group.iter().map(|group| group.0.clone());
        let limited = self.memory.iter().filter_map(|memory| memory.entrance.clone());
        let groups: Vec<PathBuf> = own.chain(limited).collect();
        let mut command = process::command(&self.part, &self.metrics, &groups)?;
        let command = as_service(&mut command, &self.path, self.watchdog);
        self.process = Some(Process::spawn(command, &self.log)?);
        self.growth = Growth::default();
        self.lost_pings = false;
        self.account.start(now);
        Ok(())
    }

    /// Has it stopped, and started again, as `systemctl restart` does.
    pub fn restart(&mut self, now: Time) {
        if self.account.up_since().is_some() {
            self.ends.restarted += 1;
            self.starts_at = Some(now);
            self.stop(now);
        }
    }

    /// Has it stopped, and not started again.
    pub fn stop_for_good(&mut self, now: Time) {
        self.is_last();
        self.stop(now);
    }

    fn stop(&mut self, now: Time) {
        if let Some(pid) = self.pid() {
            self.account.stop();
            self.stops_until = Some(now + STOP_TIMEOUT);
            let _ = kill_process(pid, Signal::TERM);
            // The soak may have stopped it just now.
            let _ = kill_process(pid, Signal::CONT);
        }
    }

    /// Has it killed, and started again, as systemd does at once with `Restart=always` and `RestartSec=0`.
    pub fn kill(&mut self, now: Time) {
        self.account.stop();
        self.ends.killed += 1;
        self.starts_at = Some(now);
        self.end();
    }

    /// Its life is the last one; unless that is being ended already, it ends now.
    fn is_last(&mut self) {
        if self.starts_at.take().is_none() && self.process.is_some() {
            self.ends.at_the_end += 1;
        }
    }

    /// Has it killed.
    pub fn kill_for_good(&mut self) {
        self.is_last();
        self.account.stop();
        self.end();
    }

    fn end(&mut self) {
        if let Some(group) = &self.group {
            group.kill();
        }
        if let Some(pid) = self.pid() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Its `sd-watchdog` has ended.
    pub fn reaped(&mut self, how: &str) -> Option<Finding> {
        // systemd kills what is left of a unit.
        self.end();
        self.process = None;
        self.stops_until = None;
        self.close_life();
        let finding = self.account.ended(how);
        if finding.is_some() {
            self.ends.by_itself += 1;
            self.starts_at = Some(clock::now());
        }
        finding
    }

    /// Nothing of it runs.
    pub fn is_down(&self) -> bool {
        self.process.is_none()
    }

    /// Takes in what it said, and starts or kills it where that is due.
    pub fn turn(&mut self, stamps: &mut Stamps) -> io::Result<Vec<Happened>> {
        let mut happened = self.listen(stamps)?;
        let now = clock::now();
        let words = self.process.as_mut().map(Process::read).transpose()?.unwrap_or_default();
        for line in words {
            if let Some(Ok(nanos)) = line.strip_prefix(HUNG).map(str::parse) {
                happened.push(Happened::Hung(Duration::from_nanos(nanos)));
            }
        }
        self.witness.read(self.account.up_since(), self.watchdog);
        if let Some(control) = &mut self.control {
            control.witness.read(Some(control.since), self.watchdog);
        }
        if self.stops_until.is_some_and(|until| now >= until) {
            self.stops_until = None;
            self.account.failures += 1;
            happened.push(Happened::Finding(Finding::Exit("did not stop in 20 s".to_owned()), now));
            self.end();
        }
        if self.is_down() && self.starts_at.is_some_and(|at| now >= at) {
            self.starts_at = None;
            self.start(clock::now())?;
        }
        Ok(happened)
    }

    fn listen(&mut self, stamps: &mut Stamps) -> io::Result<Vec<Happened>> {
        if self.unread {
            return Ok(Vec::new());
        }
        // What was sent before now is in the sockets, so it is heard below.
        let now = clock::now();
        stamps.look();
        let mut heard = Vec::new();
        for socket in &self.sockets {
            loop {
                match socket.next_already_there() {
                    Ok(datagram) => heard.push((stamps.translate(datagram.sent), datagram.words)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        heard.sort_by_key(|(at, _)| *at);
        let mut happened = Vec::new();
        for (at, words) in heard {
            let finding = self.account.heard(&words, at);
            happened.push(Happened::Said(words, at));
            happened.extend(finding.map(|finding| Happened::Finding(finding, at)));
        }
        happened.extend(self.account.heard_all(now).map(|finding| Happened::Finding(finding, now)));
        Ok(happened)
    }

    /// Ends the account: the life that goes on is looked at too.
    pub fn close(&mut self) {
        self.close_life();
    }

    /// Gives the service an order.
    pub fn order(&mut self, order: &str) {
        if let Some(process) = &mut self.process {
            process.order(order);
        }
    }

    /// The last lines of its log.
    pub fn last_words(&self, lines: usize) -> Vec<String> {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // Not the inside of a hang report.
        let all: Vec<_> = text.lines().filter(|line| !line.starts_with("sd-watchdog:  ")).collect();
        all[all.len().saturating_sub(lines)..].iter().map(|&line| line.to_owned()).collect()
    }

    /// Up, or on its way.
    pub fn is_starting(&self) -> bool {
        matches!(self.account.stand(), Stand::Starting(_))
    }
}
