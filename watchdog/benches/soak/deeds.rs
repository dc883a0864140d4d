//! How each disturbance is done and undone.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process, setpriority_process};

use super::clock::{self, Stamps, Time};
use super::guarded::{Guarded, Happened};
use super::process::HARMLESS_SIGNAL;
use super::resolver::Resolver;
use super::role;
use super::schedule::{Away, Deed, Planned};

/// Bytes: less than what the archive reads, more than it and `sd-watchdog` cannot do without.
const SQUEEZED: u64 = 32 << 20;
/// Bytes: more than all of it.
const AMPLE: u64 = 1 << 30;
/// Enough to fill a queue of `net.unix.max_dgram_qlen` = 512; one alone is stopped by its own send buffer.
const FILLERS: usize = 8;
/// `sd-watchdog` gets this niceness, as a process and, where the kernel shares CPU out by session, as a session.
const NICE: i32 = 5;

/// One that is being done.
pub struct Doing {
    deed: Deed,
    since: Time,
    until: Time,
    /// Who has it done to them, as indices.
    targets: Vec<usize>,
    /// Processes that do it; killed at the end.
    processes: Vec<Child>,
    fillers: Vec<UnixDatagram>,
}

/// What deeds are done with.
pub struct Stage<'a> {
    /// Everybody.
    pub guarded: &'a mut [Guarded],
    /// Where there is one.
    pub resolver: Option<&'a Resolver>,
    /// Where busy loops are to be, as control groups.
    pub load: Option<PathBuf>,
    /// How many CPUs there are.
    pub cpus: u32,
    /// For what was heard just before a socket went away.
    pub stamps: &'a mut Stamps,
    /// What happened meanwhile, and to whom.
    pub happened: Vec<(usize, Happened)>,
}

impl Doing {
    /// Begins `planned`; `now` is when it was due.
    pub fn begin(planned: &Planned, due: Time, stage: &mut Stage<'_>) -> io::Result<Self> {
        let mut doing = Self {
            deed: planned.deed,
            since: clock::now(),
            until: due + planned.lasts,
            targets: stage.targets(planned),
            processes: Vec::new(),
            fillers: Vec::new(),
        };
        // Where it is begun late, it is not cut short.
        doing.until = doing.until.max(doing.since + planned.lasts);
        doing.act(stage)?;
        Ok(doing)
    }

    fn act(&mut self, stage: &mut Stage<'_>) -> io::Result<()> {
        match self.deed {
            Deed::Busy(times) => {
                for _ in 0..times * stage.cpus {
                    self.run(role::arguments("busy")?.as_ref(), stage)?;
                }
            }
            Deed::Squeeze => stage.squeeze(SQUEEZED),
            Deed::Resolver(away) => stage.resolve(Some(away)),
            Deed::Flood => {
                for target in self.targets.clone() {
                    let Some(name) = relay_of(&stage.guarded[target]) else { continue };
                    for _ in 0..2 {
                        let mut words = role::arguments("flood")?.to_vec();
                        words.push(name.clone().into());
                        self.run(&words, stage)?;
                    }
                }
            }
            Deed::Chatter => self.order("chat on", stage),
            Deed::Signals => {
                for target in self.targets.clone() {
                    let Some(pid) = stage.guarded[target].pid() else { continue };
                    let script =
                        format!("while kill -{HARMLESS_SIGNAL} {}; do :; done", pid.as_raw_nonzero());
                    self.run(&["sh".into(), "-c".into(), script.into()], stage)?;
                }
            }
            Deed::Unread => self.each(stage, |guarded, _| {
                guarded.unread = true;
                Ok(Vec::new())
            })?,
            Deed::Full => {
                self.each(stage, |guarded, _| {
                    guarded.unread = true;
                    guarded.may_lose_pings();
                    Ok(Vec::new())
                })?;
                self.fillers = (0..FILLERS).map(|_| filler()).collect::<io::Result<_>>()?;
                self.fill(stage);
            }
            Deed::Refused => self.each(stage, |guarded, stamps| guarded.go_away(stamps, true))?,
            Deed::Missing | Deed::Hang { gone: true, .. } => {
                self.each(stage, |guarded, stamps| guarded.go_away(stamps, false))?;
            }
            Deed::Replaced => self.each(stage, |guarded, _| guarded.come_back().map(|()| Vec::new()))?,
            Deed::GoneAtStart => self.each(stage, |guarded, stamps| {
                guarded.restart(clock::now());
                guarded.go_away(stamps, false)
            })?,
            Deed::Stopped => self.signal(stage, Signal::STOP),
            Deed::Niced => self.nice(stage, NICE),
            Deed::Restart => self.each(stage, |guarded, _| {
                guarded.restart(clock::now());
                Ok(Vec::new())
            })?,
            Deed::Hang { gone: false, .. } => {}
        }
        Ok(())
    }

    /// Goes on with it; whether it is over.
    pub fn turn(&mut self, now: Time, stage: &Stage<'_>) -> bool {
        if self.deed == Deed::Full {
            self.fill(stage);
        }
        if self.deed == Deed::Squeeze {
            // What the kernel could not take at once.
            stage.squeeze(SQUEEZED);
        }
        now >= self.until
    }

    /// When it is over.
    pub fn until(&self) -> Time {
        self.until
    }

    /// How long until it needs a turn.
    pub fn patience(&self, now: Time) -> Duration {
        let left = self.until.saturating_sub(now);
        if self.deed == Deed::Full { left.min(Duration::from_millis(10)) } else { left }
    }

    /// Undoes it.
    pub fn end(mut self, stage: &mut Stage<'_>) -> io::Result<()> {
        for process in &mut self.processes {
            let _ = process.kill();
        }
        match self.deed {
            Deed::Squeeze => stage.squeeze(AMPLE),
            Deed::Resolver(_) => stage.resolve(None),
            Deed::Chatter => self.order("chat off", stage),
            Deed::Unread | Deed::Full => {
                for &target in &self.targets {
                    stage.guarded[target].unread = false;
                }
            }
            Deed::Refused | Deed::Missing | Deed::GoneAtStart | Deed::Hang { gone: true, .. } => {
                self.each(stage, |guarded, _| guarded.come_back().map(|()| Vec::new()))?;
            }
            Deed::Stopped => self.signal(stage, Signal::CONT),
            Deed::Niced => self.nice(stage, 0),
            Deed::Busy(_)
            | Deed::Flood
            | Deed::Signals
            | Deed::Replaced
            | Deed::Restart
            | Deed::Hang { gone: false, .. } => {}
        }
        if self.silences() {
            let now = clock::now();
            for &target in &self.targets {
                stage.guarded[target].was_silenced(self.since, self.until, now);
            }
        }
        Ok(())
    }

    /// It keeps `sd-watchdog` from speaking, or from probing.
    fn silences(&self) -> bool {
        matches!(
            self.deed,
            Deed::Full
                | Deed::Refused
                | Deed::Missing
                | Deed::GoneAtStart
                | Deed::Stopped
                | Deed::Hang { gone: true, .. }
        )
    }

    /// As the progress shows it.
    pub fn name(&self) -> String {
        match self.deed {
            Deed::Busy(times) => format!("CPU ×{times}"),
            Deed::Squeeze => "memory squeezed".to_owned(),
            Deed::Resolver(Away::Silent) => "resolver silent".to_owned(),
            Deed::Resolver(Away::Failing) => "resolver says SERVFAIL".to_owned(),
            Deed::Resolver(Away::Denying) => "resolver says NXDOMAIN".to_owned(),
            Deed::Resolver(Away::Closed) => "resolver closed".to_owned(),
            Deed::Resolver(Away::OneLost) => "a DNS datagram lost".to_owned(),
            Deed::Flood => "relay flooded".to_owned(),
            Deed::Chatter => "COMMAND chats".to_owned(),
            Deed::Signals => "signals".to_owned(),
            Deed::Unread => "socket not read".to_owned(),
            Deed::Full => "socket full".to_owned(),
            Deed::Refused => "socket refuses".to_owned(),
            Deed::Missing | Deed::Hang { gone: true, .. } => "socket missing".to_owned(),
            Deed::Hang { kind, .. } => format!("hang: {}", kind.name()),
            Deed::Replaced => "socket replaced".to_owned(),
            Deed::GoneAtStart => "socket missing at READY".to_owned(),
            Deed::Stopped => "SIGSTOP".to_owned(),
            Deed::Niced => "niced".to_owned(),
            Deed::Restart => "restart".to_owned(),
        }
    }

    fn run(&mut self, words: &[std::ffi::OsString], stage: &Stage<'_>) -> io::Result<()> {
        let groups: Vec<PathBuf> = stage.load.iter().cloned().collect();
        let mut command = role::enter_then(&groups, words)?;
        // Ends with us, for its standard input does.
        self.processes
            .push(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        Ok(())
    }

    fn each(
        &self,
        stage: &mut Stage<'_>,
        act: impl Fn(&mut Guarded, &mut Stamps) -> io::Result<Vec<Happened>>,
    ) -> io::Result<()> {
        for &target in &self.targets {
            let happened = act(&mut stage.guarded[target], stage.stamps)?;
            stage.happened.extend(happened.into_iter().map(|happened| (target, happened)));
        }
        Ok(())
    }

    fn order(&self, order: &str, stage: &mut Stage<'_>) {
        for &target in &self.targets {
            stage.guarded[target].order(order);
        }
    }

    fn signal(&self, stage: &Stage<'_>, signal: Signal) {
        for pid in self.targets.iter().filter_map(|&target| stage.guarded[target].pid()) {
            let _ = kill_process(pid, signal);
        }
    }

    fn nice(&self, stage: &Stage<'_>, nice: i32) {
        for pid in self.targets.iter().filter_map(|&target| stage.guarded[target].pid()) {
            let _ = setpriority_process(Some(pid), nice);
            let _ = fs::write(format!("/proc/{}/autogroup", pid.as_raw_nonzero()), nice.to_string());
        }
    }

    fn fill(&self, stage: &Stage<'_>) {
        for &target in &self.targets {
            for filler in &self.fillers {
                while filler.send_to(b"X_SOAK=full", stage.guarded[target].address()).is_ok() {}
            }
        }
    }
}

fn filler() -> io::Result<UnixDatagram> {
    let filler = UnixDatagram::unbound()?;
    filler.set_nonblocking(true)?;
    Ok(filler)
}

/// The abstract name of the relay that `sd-watchdog` has opened for COMMAND, as anybody can read it.
fn relay_of(guarded: &Guarded) -> Option<String> {
    let prefix = format!("@sd-watchdog/{}/", guarded.pid()?.as_raw_nonzero());
    let sockets = fs::read_to_string("/proc/net/unix").ok()?;
    let names = sockets.lines().filter_map(|line| line.split_ascii_whitespace().last());
    names.filter(|name| name.starts_with(&prefix)).map(|name| name[1..].to_owned()).next()
}

impl Stage<'_> {
    /// Whom a deed is done to: those that are up, or some of them.
    fn targets(&self, planned: &Planned) -> Vec<usize> {
        let up = |index: &usize| self.guarded[*index].account.up_since().is_some();
        let healthy: Vec<usize> = (0..self.guarded.len())
            .filter(up)
            .filter(|&index| !self.guarded[index].part.is_patient)
            .collect();
        let one_of = |some: &[usize]| -> Vec<usize> {
            let place = usize::try_from(planned.dice).unwrap_or(0) % some.len().max(1);
            some.get(place).copied().into_iter().collect()
        };
        match planned.deed {
            Deed::Busy(_) | Deed::Squeeze | Deed::Resolver(_) => Vec::new(),
            Deed::Flood | Deed::Signals => one_of(&healthy),
            Deed::Chatter => {
                healthy.into_iter().filter(|&index| self.guarded[index].part.name == "chatty").collect()
            }
            Deed::GoneAtStart | Deed::Restart => {
                // Without a resolver, what has a name cannot begin to be healthy.
                let others: Vec<_> =
                    healthy.into_iter().filter(|&index| self.guarded[index].part.name != "named").collect();
                one_of(&others)
            }
            // About every second one.
            Deed::Unread
            | Deed::Full
            | Deed::Refused
            | Deed::Missing
            | Deed::Replaced
            | Deed::Stopped
            | Deed::Niced => (0..self.guarded.len())
                .filter(up)
                .filter(|index| planned.dice >> (index % 64) & 1 == 1)
                .collect(),
            Deed::Hang { patient, .. } => {
                let mut patients =
                    (0..self.guarded.len()).filter(|&index| self.guarded[index].part.is_patient);
                patients.nth(patient).into_iter().filter(up).collect()
            }
        }
    }

    fn squeeze(&self, bytes: u64) {
        for memory in self.guarded.iter().filter_map(|guarded| guarded.memory.as_ref()) {
            let _ = memory.set(bytes);
        }
    }

    fn resolve(&self, away: Option<Away>) {
        if let Some(resolver) = self.resolver {
            resolver.set(away);
        }
    }
}
