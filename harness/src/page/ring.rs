//! What was told, kept for who comes later: a client that is new, and one that lost its connection.
//!
//! Tellings have ids that count up from 1. The ring is bounded in number, bytes and age, and forgets the oldest first; where that
//! border is, is the *horizon*. Of what is true until it is told anew (the state, the settings) the newest at the horizon stays,
//! so that whoever reads the ring from its beginning knows how everything was then: the *basis*.
//!
//! A client is a [cursor](Cursor) into the ring and no queue of its own: a thousand that read slowly take no more memory than
//! one. Each is given what follows its cursor, in the order of the ids and each id once, and is told when something that it has
//! not had is gone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::model::clock::Usec;

#[cfg(test)]
mod tests;

/// What an entry takes besides its text, at most: its place in the tree and in the index.
const OVERHEAD: usize = 256;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Tellings.
    pub count: usize,
    /// Bytes of memory.
    pub bytes: usize,
    /// How long before the newest.
    pub age: Duration,
}

impl Default for Bounds {
    /// An hour of a demo, with room to spare.
    fn default() -> Self {
        Self { count: 200_000, bytes: 32 << 20, age: Duration::from_secs(3600) }
    }
}

/// How long a telling stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Keep {
    /// Until it is behind the horizon.
    Passing,
    /// Until one of the same key is told, or until it is behind the horizon.
    Replaced(Arc<str>),
    /// Behind the horizon too, until one of the same key is there; before it beside others of its key: each was true for a while.
    Standing(Arc<str>),
    /// Until one of the same key is told, behind the horizon too.
    Newest(Arc<str>),
}

/// A telling in the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: u64,
    /// Its JSON.
    pub json: Arc<str>,
}

/// What a client has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The newest that it has had.
    had: u64,
    /// What is gone up to here it does without; none before it has read at all.
    without: Option<u64>,
}

/// What a client is given next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// These, oldest first; none where it has had all.
    Next(Vec<Entry>),
    /// Something between these ids, both included, is gone and it has not had it.
    Gap {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
}

/// Where a client that comes again begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Where it was.
    Where(Cursor),
    /// With everything that there is, from the oldest: what it has does not lead here.
    Stale {
        /// The first id that it will be given.
        oldest: u64,
    },
}

/// What was told.
#[derive(Debug)]
pub struct Ring {
    bounds: Bounds,
    entries: BTreeMap<u64, Kept>,
    /// The newest of each key, of those that go when another comes.
    newest: HashMap<Arc<str>, u64>,
    /// Those behind the horizon that stay.
    basis: HashMap<Arc<str>, u64>,
    bytes: usize,
    /// The id of the newest.
    head: u64,
    /// Up to here only the basis is left.
    horizon: u64,
    /// The newest that is gone though no other took its place.
    lost: u64,
}

#[derive(Debug)]
struct Kept {
    at: Usec,
    keep: Keep,
    json: Arc<str>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.json.len() + OVERHEAD
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl Ring {
    /// An empty one.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            entries: BTreeMap::new(),
            newest: HashMap::new(),
            basis: HashMap::new(),
            bytes: 0,
            head: 0,
            horizon: 0,
            lost: 0,
        }
    }

    /// The id of the newest; 0 where nothing was told.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How much memory they take, as far as it is counted.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps what `write` makes of the next id, and forgets what is too much then.
    pub fn tell(&mut self, at: Usec, keep: Keep, write: impl FnOnce(u64) -> Arc<str>) -> u64 {
        self.head += 1;
        if let Keep::Replaced(key) | Keep::Newest(key) = &keep
            && let Some(older) = self.newest.insert(Arc::clone(key), self.head)
        {
            self.remove(older);
            self.basis.remove(key);
        }
        let kept = Kept { at, keep, json: write(self.head) };
        self.bytes += kept.bytes();
        self.entries.insert(self.head, kept);
        while self.is_too_much(at) && self.pass_one() {}
        self.head
    }

    /// Where a client that has had everything up to `had` begins; one that has had nothing, with 0, at the oldest.
    pub fn begin(&self, had: u64) -> Begin {
        // An id that was never told here was told by somebody else.
        if had == 0 || (self.lost <= had && had <= self.head) {
            let without = (had > 0).then_some(had);
            return Begin::Where(Cursor { had, without });
        }
        Begin::Stale { oldest: self.entries.keys().next().copied().unwrap_or(self.head + 1) }
    }

    /// Gives what follows the cursor, up to so many bytes of it but at least one, and moves it on.
    pub fn next(&self, cursor: &mut Cursor, bytes: usize) -> Given {
        // What was gone before a client came for the first time it never missed.
        let without = *cursor.without.get_or_insert(self.lost);
        let seen = cursor.had.max(without);
        if self.lost > seen {
            return Given::Gap { from: cursor.had + 1, to: self.lost };
        }
        let mut entries = Vec::new();
        let mut room = bytes;
        for (&id, kept) in self.entries.range(cursor.had + 1..) {
            if !entries.is_empty() && kept.json.len() > room {
                break;
            }
            room = room.saturating_sub(kept.json.len());
            entries.push(Entry { id, json: Arc::clone(&kept.json) });
            cursor.had = id;
        }
        Given::Next(entries)
    }

    /// The newest stays, whatever it takes.
    fn is_too_much(&self, now: Usec) -> bool {
        let oldest = self.entries.range(self.horizon + 1..self.head).next();
        let aged = |(_, kept): (&u64, &Kept)| now - kept.at > self.bounds.age;
        self.entries.len() > self.bounds.count || self.bytes > self.bounds.bytes || oldest.is_some_and(aged)
    }

    /// Moves the horizon past one entry; whether there was one.
    fn pass_one(&mut self) -> bool {
        let Some((&id, kept)) = self.entries.range(self.horizon + 1..self.head).next() else { return false };
        self.horizon = id;
        let gone = match &kept.keep {
            Keep::Passing => Some(id),
            Keep::Replaced(key) => {
                self.newest.remove(key);
                Some(id)
            }
            Keep::Standing(key) | Keep::Newest(key) => self.basis.insert(Arc::clone(key), id),
        };
        if let Some(gone) = gone {
            self.remove(gone);
            self.lost = self.lost.max(gone);
        }
        true
    }

    fn remove(&mut self, id: u64) {
        if let Some(kept) = self.entries.remove(&id) {
            self.bytes -= kept.bytes();
        }
    }
}

impl Cursor {
    /// The newest that the client has had.
    pub fn had(self) -> u64 {
        self.had
    }
}
