//! Whether a process that does the same all the time needs ever more for it. Pure.
//!
//! Of one life of `sd-watchdog`, the first third is compared with the last, each by its median: a peak is no growth.

use std::time::Duration;

use crate::memory::Memory;

use super::clock::Time;

/// At first it makes what it needs, and gives back what only its start needed.
const WARM_UP: Duration = Duration::from_secs(10);
/// A shorter life, or fewer looks, say nothing.
const SHORTEST: Duration = Duration::from_secs(30);
const FEWEST: usize = 12;
/// MiB. A probe that leaked an allocation of 64 bytes would leak 0.29 MiB in the 40 minutes between the thirds' middles of an
/// hour; what is here and gone, like an answer under way, or the allocator's rounding, stays below.
const ANONYMOUS: f64 = 0.125;
/// A connection and a timer may be open at one look and not at another; the median of a third is steadier than that.
const DESCRIPTORS: f64 = 2.0;

/// What one life needed.
#[derive(Debug, Default)]
pub struct Growth {
    began: Option<Time>,
    looks: Vec<(Time, Memory)>,
}

/// The medians of its thirds.
#[derive(Debug, Clone, Copy)]
pub struct Thirds {
    /// Of the first.
    pub first: Figures,
    /// Of the last.
    pub last: Figures,
}

/// Medians.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// MiB; not judged, since shared pages count for less while others share them.
    pub pss: f64,
    /// MiB
    pub anonymous: f64,
    /// How many.
    pub descriptors: f64,
}

impl Thirds {
    /// Whether it grew.
    pub fn grew(&self) -> bool {
        self.last.anonymous - self.first.anonymous > ANONYMOUS
            || self.last.descriptors - self.first.descriptors > DESCRIPTORS
    }
}

impl Growth {
    /// A look at it.
    pub fn look(&mut self, now: Time, memory: Memory) {
        let began = *self.began.get_or_insert(now);
        if now.saturating_sub(began) >= WARM_UP {
            self.looks.push((now, memory));
        }
    }

    /// [`None`] of a life that was too short.
    pub fn thirds(&self) -> Option<Thirds> {
        let (first, last) = (self.looks.first()?.0, self.looks.last()?.0);
        if self.looks.len() < FEWEST || last.saturating_sub(first) < SHORTEST {
            return None;
        }
        let third = self.looks.len() / 3;
        Some(Thirds {
            first: medians(&self.looks[..third]),
            last: medians(&self.looks[self.looks.len() - third..]),
        })
    }
}

fn medians(looks: &[(Time, Memory)]) -> Figures {
    let median = |field: &dyn Fn(&Memory) -> f64| {
        let mut values: Vec<f64> = looks.iter().map(|(_, memory)| field(memory)).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        pss: median(&|memory| memory.pss),
        anonymous: median(&|memory| memory.anonymous),
        descriptors: median(&|memory| f64::from(u32::try_from(memory.descriptors).unwrap_or(u32::MAX))),
    }
}
