//! One service with its `sd-watchdog`, and systemd as far as the two can tell.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::manager::{NotifySocket, as_service};
use crate::memory::Memory;

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

/// `TimeoutStartSec=`
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// `TimeoutStopSec=`
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Counted pings and heard ones may differ by those under way while the figures were written.
const PINGS_UNDER_WAY: u64 = 3;

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
    /// Starts and stops on purpose.
    pub restarts: u64,
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
            restarts: 0,
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
            self.restarts += 1;
            self.starts_at = Some(now);
            self.stop(now);
        }
    }

    /// Has it stopped.
    pub fn stop(&mut self, now: Time) {
        if let Some(pid) = self.pid() {
            self.account.stop();
            self.stops_until = Some(now + STOP_TIMEOUT);
            let _ = kill_process(pid, Signal::TERM);
            // It may be stopped just now by the soak.
            let _ = kill_process(pid, Signal::CONT);
        } else {
            self.starts_at = None;
        }
    }

    /// Has it killed, and started again, as systemd does at once with `Restart=always` and `RestartSec=0`.
    pub fn kill(&mut self, now: Time) {
        self.account.stop();
        self.starts_at = Some(now);
        self.end();
    }

    /// Has it killed.
    pub fn kill_for_good(&mut self) {
        self.account.stop();
        self.starts_at = None;
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

    /// Looks at what the kernel tells of the unit.
    pub fn look(&mut self) {
        if let Some(totals) = self.group.as_ref().and_then(|group| group.pressure().ok()) {
            self.pressure.look(clock::now(), totals);
        }
    }

    /// Looks at what `sd-watchdog` needs, and what it has counted.
    pub fn inspect(&mut self, stamps: &Stamps) {
        let Some(pid) = self.pid() else { return };
        let memory = Memory::of(pid.as_raw_nonzero().get());
        if let (Ok(memory), Some(_)) = (memory, self.account.up_since()) {
            self.growth.look(clock::now(), memory);
        }
        self.read_figures(stamps);
    }

    fn read_figures(&mut self, stamps: &Stamps) {
        let page =
            fs::metadata(&self.metrics).and_then(|file| Ok((file, fs::read_to_string(&self.metrics)?)));
        let Ok((file, page)) = page else { return };
        let (seconds, nanos) = (u64::try_from(file.mtime()), u32::try_from(file.mtime_nsec()));
        let (Ok(seconds), Ok(nanos)) = (seconds, nanos) else { return };
        let written = stamps.translate(Duration::new(seconds, nanos));
        if self.figures.now.is_some_and(|(last, _)| last == written) {
            return;
        }
        self.figures.seen(written, &page);
        self.check_figures();
    }

    /// What `sd-watchdog` counted must add up, and agree with what was heard.
    fn check_figures(&mut self) {
        let Some((written, counts)) = self.figures.now else { return };
        if !counts.balance() {
            self.imbalances.push(format!("{counts:?}"));
        }
        // The page may be as old as W when it is written, by a thread that waits for a CPU.
        let heard = self
            .account
            .pings_until(written)
            .zip(self.account.pings_until(written.saturating_sub(self.watchdog)));
        let Some((heard, heard_before)) = heard else { return };
        let is_lost = counts.pings > heard + PINGS_UNDER_WAY && !self.lost_pings && !self.unread;
        if is_lost || heard_before > counts.pings + PINGS_UNDER_WAY {
            self.imbalances.push(format!("it counted {} pings, of which {heard} were heard", counts.pings));
        }
    }

    fn close_life(&mut self) {
        self.figures.next_life();
        // One that is killed leaves them behind; they are not of the next life.
        let _ = fs::remove_file(&self.metrics);
        self.lives.extend(std::mem::take(&mut self.growth).thirds().filter(|_| !self.part.is_patient));
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

    /// Nobody listens at the socket from now on; `refused`: it is still there.
    pub fn go_away(&mut self, stamps: &mut Stamps, refused: bool) -> io::Result<Vec<Happened>> {
        let happened = self.listen(stamps)?;
        self.lost_pings = true;
        self.sockets.clear();
        if !refused && self.path.exists() {
            fs::remove_file(&self.path)?;
        }
        Ok(happened)
    }

    /// There is a socket again. One that is still open is read on.
    pub fn come_back(&mut self) -> io::Result<()> {
        if self.path.exists() {
            fs::remove_file(&self.path)?;
        }
        // Its predecessors were read empty many times since.
        if self.sockets.len() > 2 {
            self.sockets.remove(0);
        }
        self.sockets.push(NotifySocket::bind(&self.path, Duration::from_secs(1))?);
        Ok(())
    }

    /// `NOTIFY_SOCKET`.
    pub fn address(&self) -> &Path {
        &self.path
    }

    /// The soak kept it from speaking, or probing, from then until now, and meant to do so until `planned`.
    pub fn was_silenced(&mut self, from: Time, planned: Time, now: Time) {
        self.silences.push(Silence { from, to: now });
        if now.saturating_sub(planned) > self.watchdog / 8 {
            self.late_until = now + self.watchdog;
        }
    }

    /// For how long it was kept so since `since`, a probe that was lost by it included each time.
    pub fn silenced_since(&self, since: Time, timing: &Timing) -> Duration {
        let silences = self.silences.iter().filter(|silence| silence.to > since);
        silences.map(|silence| silence.to.saturating_sub(silence.from.max(since)) + timing.timeout).sum()
    }

    /// The service itself may not have been able to serve: its control was not, or, where it has none, its clients waited.
    pub fn is_doubtful(&self, now: Time) -> bool {
        let witness = self.control.as_ref().map_or(&self.witness, |control| &control.witness);
        witness.doubts(now, self.watchdog)
    }

    /// A finding at `now` says nothing, since the soak itself was late.
    pub fn is_late(&self, now: Time) -> bool {
        now <= self.late_until
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
