//! How the soak keeps `sd-watchdog` from speaking, and what is to be said for it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::manager::NotifySocket;

use super::super::bound::Timing;
use super::super::clock::{Stamps, Time};
use super::{Guarded, Happened, Silence};

impl Guarded {
    /// Nobody listens at the socket from now on; `refused`: it is still there.
    pub fn go_away(&mut self, stamps: &mut Stamps, refused: bool) -> io::Result<Vec<Happened>> {
        let happened = self.listen(stamps)?;
        self.may_lose_pings();
        self.sockets.clear();
        if !refused && self.path.exists() {
            fs::remove_file(&self.path)?;
        }
        Ok(happened)
    }

    /// There is a socket again. One that is still open is read on.
    pub fn come_back(&mut self) -> io::Result<()> {
        self.may_lose_pings();
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

    /// What `sd-watchdog` says from now on may come to nobody, or two of its pings in one datagram.
    pub fn may_lose_pings(&mut self) {
        self.lost_pings = true;
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

    /// The service itself may not have been able to serve: its control was not; or, where it has none and was up, its clients
    /// waited. (In a start they wait for `sd-watchdog` as well.)
    pub fn is_doubtful(&self, now: Time) -> bool {
        match &self.control {
            Some(control) => control.witness.doubts(now, self.watchdog),
            None => self.account.was_ready() && self.witness.doubts(now, self.watchdog),
        }
    }

    /// A finding at `now` says nothing, since the soak itself was late.
    pub fn is_late(&self, now: Time) -> bool {
        now <= self.late_until
    }
}
