//! What `sd-watchdog` itself has counted, from its `--metrics-file`. Pure.

use super::clock::Time;

/// Of one life, or of several.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Probes with the outcome healthy.
    pub healthy: u64,
    /// Probes with another one.
    pub unhealthy: u64,
    /// Probes whose duration was taken: all that ended.
    pub ended: u64,
    /// Unhealthy probes that did not count.
    pub discounted: u64,
    /// Deadlines widened.
    pub widened: u64,
    /// Hangs found.
    pub hangs: u64,
    /// WATCHDOG=1 sent.
    pub pings: u64,
}

impl Counts {
    /// Of a page in the text format 0.0.4. Unknown figures are passed over.
    pub fn parse(page: &str) -> Self {
        let mut counts = Self::default();
        for (name, value) in
            page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '))
        {
            let Ok(value) = value.parse::<u64>() else { continue };
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            let place = match name {
                "sd_watchdog_probes_total" if labels.contains("outcome=\"healthy\"") => &mut counts.healthy,
                "sd_watchdog_probes_total" => &mut counts.unhealthy,
                "sd_watchdog_probe_duration_seconds_count" => &mut counts.ended,
                "sd_watchdog_discounted_total" => &mut counts.discounted,
                "sd_watchdog_widened_total" => &mut counts.widened,
                "sd_watchdog_hangs_total" => &mut counts.hangs,
                "sd_watchdog_pings_total" => &mut counts.pings,
                _ => continue,
            };
            *place += value;
        }
        counts
    }

    fn add(&mut self, other: Self) {
        let Self { healthy, unhealthy, ended, discounted, widened, hangs, pings } = other;
        self.healthy += healthy;
        self.unhealthy += unhealthy;
        self.ended += ended;
        self.discounted += discounted;
        self.widened += widened;
        self.hangs += hangs;
        self.pings += pings;
    }

    /// Every probe that ended has an outcome, and none is discounted that was not unhealthy.
    pub fn balance(&self) -> bool {
        self.healthy + self.unhealthy == self.ended && self.discounted <= self.unhealthy
    }
}

/// Of one service.
#[derive(Debug, Default)]
pub struct Figures {
    past: Counts,
    /// Of this life, as of when they were written.
    pub now: Option<(Time, Counts)>,
}

impl Figures {
    /// A page was written.
    pub fn seen(&mut self, written: Time, page: &str) {
        self.now = Some((written, Counts::parse(page)));
    }

    /// The life has ended.
    pub fn next_life(&mut self) {
        if let Some((_, counts)) = self.now.take() {
            self.past.add(counts);
        }
    }

    /// Of all lives, as far as they were seen.
    pub fn total(&self) -> Counts {
        let mut total = self.past;
        if let Some((_, counts)) = self.now {
            total.add(counts);
        }
        total
    }
}
