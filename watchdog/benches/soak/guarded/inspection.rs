//! What is looked at beside its words: pressure, memory, and what `sd-watchdog` has counted.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::memory::Memory;

use super::super::clock::{self, Stamps};
use super::Guarded;

/// Counted pings and heard ones may differ by those under way while the figures were written.
const PINGS_UNDER_WAY: u64 = 3;

impl Guarded {
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

    pub(super) fn close_life(&mut self) {
        self.figures.next_life();
        // One that is killed leaves them behind; they are not of the next life.
        let _ = fs::remove_file(&self.metrics);
        self.lives.extend(std::mem::take(&mut self.growth).thirds().filter(|_| !self.part.is_patient));
    }
}
