//! What is done and when: a function of the seed, the length and the tracks. Pure.
//!
//! Each track does one thing after another; the tracks run side by side. A track's time is cut into slots; each slot gets the
//! next of the track's deeds, in an order drawn anew for each round, at a time and for a length drawn too. Slots of a short
//! soak are short enough for one full round: in a minute every deed is done once.

use std::time::Duration;

use clap::ValueEnum;

use super::hang::Hang;

/// Until then everything starts undisturbed.
pub const QUIET: Duration = Duration::from_secs(8);
/// How many patients there are to hang.
pub const PATIENTS: usize = 3;

/// What is done side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Track {
    /// Busy loops
    Cpu,
    /// A service whose page cache is squeezed
    Memory,
    /// The resolver is away, or loses a datagram
    Resolver,
    /// The relay flooded, by others and by COMMAND; signals without end
    Relay,
    /// sd-watchdog kept from speaking: notify socket not read, full, gone, replaced; stopped by SIGSTOP; niced
    Speech,
    /// Services restarted
    Restart,
    /// Services that hang
    Hang,
}

impl Track {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Cpu, Self::Memory, Self::Resolver, Self::Relay, Self::Speech, Self::Restart, Self::Hang];

    /// What it does; `row` is one of several that run side by side.
    pub fn deeds(self, row: usize) -> Vec<Deed> {
        use Deed::{Flood, Full, GoneAtStart, Missing, Niced, Refused, Replaced, Resolver, Stopped, Unread};
        let hang = |kind, gone| Deed::Hang { patient: row, kind, gone };
        match self {
            Self::Cpu => vec![Deed::Busy(4), Deed::Busy(8)],
            Self::Memory => vec![Deed::Squeeze],
            Self::Resolver => [Away::Silent, Away::Failing, Away::Denying, Away::Closed, Away::OneLost]
                .map(Resolver)
                .to_vec(),
            Self::Relay => vec![Flood, Deed::Chatter, Deed::Signals],
            Self::Speech => vec![Unread, Full, Refused, Missing, Replaced, GoneAtStart, Stopped, Niced],
            Self::Restart => vec![Deed::Restart; 3],
            Self::Hang => vec![
                hang(Hang::Mute, false),
                hang(Hang::Spin, false),
                hang(Hang::Deadlock, false),
                hang(Hang::AcceptStall, false),
                hang(Hang::Mute, true),
            ],
        }
    }
}

/// How the resolver fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// It answers nothing.
    Silent,
    /// SERVFAIL
    Failing,
    /// NXDOMAIN
    Denying,
    /// Its port is closed.
    Closed,
    /// The next datagram is lost, and no other.
    OneLost,
}

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// So many busy loops for each CPU.
    Busy(u32),
    /// The archive gets less memory than it reads.
    Squeeze,
    /// The resolver fails.
    Resolver(Away),
    /// Two processes of nobody send datagrams to a relay.
    Flood,
    /// COMMAND says STATUS= in a loop.
    Chatter,
    /// Real-time signals in a loop.
    Signals,
    /// The notify socket is not read, as in daemon-reload.
    Unread,
    /// It is full.
    Full,
    /// Nobody listens at it: ECONNREFUSED.
    Refused,
    /// It is not there: ENOENT.
    Missing,
    /// Another takes its place at once.
    Replaced,
    /// A service is restarted, and its socket is missing when it is READY.
    GoneAtStart,
    /// SIGSTOP to sd-watchdog alone.
    Stopped,
    /// sd-watchdog has less weight than others: what it times by gets late.
    Niced,
    /// Stop and start.
    Restart,
    /// A patient hangs; `gone`: and the socket is missing when the trigger is due.
    Hang { patient: usize, kind: Hang, gone: bool },
}

/// A deed with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// From the beginning.
    pub at: Duration,
    /// From its own beginning to its end.
    pub lasts: Duration,
    /// What is done.
    pub deed: Deed,
    /// Decides to whom, where there is a choice.
    pub dice: u64,
}

/// All of it, in order.
pub fn plan(seed: u64, length: Duration, tracks: &[Track], watchdog: Duration) -> Vec<Planned> {
    let mut planned = Vec::new();
    for track in Track::ALL {
        // Each track has a seed of its own, so that --only does not change what it does.
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(31).wrapping_add(track as u64));
        let rows = if track == Track::Hang { PATIENTS } else { 1 };
        for row in 0..rows {
            let deeds = track.deeds(row);
            let slots = fill(&mut random, length, longest_slot(track), &deeds, watchdog);
            planned.extend(slots.into_iter().filter(|_| tracks.contains(&track)));
        }
    }
    planned.sort_by_key(|planned| planned.at);
    planned
}

fn fill(
    random: &mut fastrand::Rng,
    length: Duration,
    longest: Duration,
    deeds: &[Deed],
    watchdog: Duration,
) -> Vec<Planned> {
    let time = length.saturating_sub(QUIET);
    let slot = longest.min(time / u32::try_from(deeds.len()).unwrap_or(1).max(1));
    let mut deck = Vec::new();
    let mut planned = Vec::new();
    let mut begin = QUIET;
    // The last slot may end a rounding error late.
    while begin + slot <= length + Duration::from_millis(1) {
        let deed = deck.pop().unwrap_or_else(|| {
            deck = deeds.to_vec();
            random.shuffle(&mut deck);
            deck.pop().unwrap_or(Deed::Restart)
        });
        let (shortest, longest) = lasts(deed, watchdog);
        let longest = longest.min(slot.mul_f64(0.9)).max(shortest);
        let lasts = shortest + longest.saturating_sub(shortest).mul_f64(random.f64());
        let at = begin + slot.saturating_sub(lasts).mul_f64(random.f64());
        planned.push(Planned { at, lasts, deed, dice: random.u64(..) });
        begin += slot;
    }
    planned
}

fn longest_slot(track: Track) -> Duration {
    Duration::from_secs(match track {
        Track::Cpu => 150,
        Track::Memory => 90,
        Track::Resolver | Track::Relay | Track::Restart | Track::Hang => 60,
        Track::Speech => 25,
    })
}

/// The shortest and the longest; what keeps `sd-watchdog` from speaking lasts W/4 at most, so that a ping still comes in time.
fn lasts(deed: Deed, watchdog: Duration) -> (Duration, Duration) {
    let seconds = |shortest, longest| (Duration::from_secs(shortest), Duration::from_secs(longest));
    match deed {
        Deed::Busy(_) => seconds(12, 120),
        Deed::Squeeze => seconds(20, 60),
        Deed::Resolver(Away::OneLost) => seconds(6, 10),
        Deed::Resolver(_) => seconds(4, 30),
        // Longer than W, or a loop that is held up says its next ping in time.
        Deed::Flood | Deed::Chatter | Deed::Signals => (watchdog + watchdog / 2, watchdog * 5),
        Deed::Unread | Deed::Full | Deed::Refused | Deed::Missing | Deed::Stopped => {
            (watchdog / 16, watchdog / 4)
        }
        Deed::Niced => seconds(4, 20),
        Deed::GoneAtStart => seconds(2, 4),
        // Longer than it takes to the trigger, shorter than to systemd's own timer.
        Deed::Hang { gone: true, .. } => (watchdog.mul_f64(0.7), watchdog.mul_f64(0.7)),
        Deed::Replaced | Deed::Restart | Deed::Hang { gone: false, .. } => seconds(0, 0),
    }
}
