//! Where tellings come together and clients hang on: one [ring](super::ring) for all, and a bell.
//!
//! Whoever tells never waits for a client. A client reads the ring from its cursor on, as fast as it can, and waits for the bell
//! when it has had all: replay and live are the same reading, so there is no seam between them at which something could be
//! missed or come twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::ring::{Begin, Bounds, Cursor, Given, Keep, Ring};
use super::telling::{Telling, Told};
use crate::model::clock::Usec;

/// All that was told, for any number of clients. A clone is the same hub.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ring: Mutex<Ring>,
    /// The id of the newest.
    bell: watch::Sender<u64>,
    run: u64,
}

/// One client's place in a hub.
#[derive(Debug)]
pub struct Subscription {
    hub: Hub,
    cursor: Cursor,
    bell: watch::Receiver<u64>,
    stale: Option<Stale>,
}

/// The client's cursor does not lead here: it has to forget all that it has, and is given everything that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The first id that it will be given.
    pub oldest: u64,
    /// Whether its cursor is of another hub: the program was started again.
    pub restarted: bool,
}

/// Where a client was: the newest id that it has had, and of which hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// The newest that it has had; 0 for nothing.
    pub id: u64,
    /// What the hub's [`run`](Hub::run) was, where it says so.
    pub run: Option<u64>,
}

impl Default for Hub {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl Hub {
    /// One in which nothing was told.
    pub fn new(bounds: Bounds) -> Self {
        let run = u64::from(rand::random::<u32>());
        Self(Arc::new(Shared { ring: Mutex::new(Ring::new(bounds)), bell: watch::Sender::new(0), run }))
    }

    /// Which hub this is: ids count up from 1 in every one, and a client may come with the cursor of an earlier.
    pub fn run(&self) -> u64 {
        self.0.run
    }

    /// Tells this, and gives its id.
    pub fn tell(&self, at: Usec, telling: Telling) -> u64 {
        let keep = keep(&telling);
        // Tellings are texts, numbers and lists: there is JSON for each.
        let json =
            |id| serde_json::to_string(&Told { id, at, telling }).unwrap_or_else(|_| "{}".into()).into();
        self.tell_json(at, keep, json)
    }

    /// Tells what `write` makes of the next id, and rings the bell; gives the id.
    pub fn tell_json(&self, at: Usec, keep: Keep, write: impl FnOnce(u64) -> Arc<str>) -> u64 {
        let id = self.ring().tell(at, keep, write);
        // Two who tell at once may ring in the other order: the bell only says that there is more.
        self.0.bell.send_if_modified(|newest| {
            let newer = id > *newest;
            *newest = id.max(*newest);
            newer
        });
        id
    }

    /// All that is there, oldest first, as JSON.
    pub fn all(&self) -> Vec<Arc<str>> {
        match self.ring().next(&mut Cursor::default(), usize::MAX) {
            Given::Next(entries) => entries.into_iter().map(|entry| entry.json).collect(),
            Given::Gap { .. } => Vec::new(),
        }
    }

    /// The id of the newest; 0 where nothing was told.
    pub fn head(&self) -> u64 {
        self.ring().head()
    }

    /// How many tellings there are, and how many bytes they take.
    pub fn size(&self) -> (usize, usize) {
        let ring = self.ring();
        (ring.len(), ring.bytes())
    }

    /// Hangs on: first what follows `after`, then whatever is told.
    pub fn subscribe(&self, after: After) -> Subscription {
        let restarted = after.run.is_some_and(|run| run != self.0.run);
        // Before the ring is looked at: what is told in between rings then, and is at most looked for in vain.
        let bell = self.0.bell.subscribe();
        let ring = self.ring();
        let (cursor, stale) = match ring.begin(if restarted { u64::MAX } else { after.id }) {
            Begin::Where(cursor) => (cursor, None),
            Begin::Stale { oldest } => (Cursor::default(), Some(Stale { oldest, restarted })),
        };
        drop(ring);
        Subscription { hub: self.clone(), cursor, bell, stale }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it stays: what is true until it is told anew, what grows, and what happened once.
fn keep(telling: &Telling) -> Keep {
    match telling {
        Telling::Scene(_) => Keep::Standing("scene".into()),
        Telling::Settings(_) => Keep::Standing("settings".into()),
        Telling::State(_) => Keep::Standing("state".into()),
        Telling::Unit(_) => Keep::Standing("unit".into()),
        Telling::History(_) => Keep::Newest("history".into()),
        Telling::Controls(_) => Keep::Newest("controls".into()),
        Telling::Fault(fault) => Keep::Replaced(format!("fault {}", fault.key).into()),
        Telling::Episode(episode) => Keep::Replaced(format!("episode {}", episode.key).into()),
        Telling::Report(report) => Keep::Replaced(format!("report {}", report.key).into()),
        Telling::Answers(_) | Telling::Event(_) | Telling::Line(_) | Telling::Run(_) => Keep::Passing,
    }
}

impl Subscription {
    /// Whether the client has to forget what it has; said once.
    pub fn stale(&mut self) -> Option<Stale> {
        self.stale.take()
    }

    /// What comes next, up to so many bytes but at least one; nothing where the client has had all.
    pub fn next(&mut self, bytes: usize) -> Given {
        self.hub.ring().next(&mut self.cursor, bytes)
    }

    /// The newest that the client has had.
    pub fn had(&self) -> u64 {
        self.cursor.had()
    }

    /// Returns when something was told that the client has not had.
    pub async fn more(&mut self) {
        let had = self.cursor.had();
        // The sender lives as long as the hub, and that is held here.
        let _ = self.bell.wait_for(|&newest| newest > had).await;
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use tokio::runtime;
    use tokio::time::timeout;

    use super::*;
    use crate::page::telling::{Answers, Controls, Fault, History, State, Word};

    fn tell(hub: &Hub, text: &str) -> u64 {
        hub.tell_json(Usec::now(), Keep::Passing, |id| format!("{id} {text}").into())
    }

    fn ids(given: Given) -> Vec<u64> {
        match given {
            Given::Next(entries) => entries.iter().map(|entry| entry.id).collect(),
            Given::Gap { .. } => panic!("a gap"),
        }
    }

    #[test]
    fn clients_that_come_at_any_time_have_each_telling_once_and_in_order() {
        const TELLINGS: u64 = 20_000;
        let hub = Hub::default();
        let follow = |hub: Hub| {
            thread::spawn(move || {
                let runtime =
                    runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
                runtime.block_on(async move {
                    let mut client = hub.subscribe(After::default());
                    let mut had = Vec::new();
                    while client.had() < TELLINGS {
                        had.extend(ids(client.next(400)));
                        if client.had() < TELLINGS {
                            let more = timeout(Duration::from_secs(20), client.more());
                            more.await.expect("the bell rings for what is told");
                        }
                    }
                    had
                })
            })
        };
        let tellers = [(); 2].map(|()| {
            let hub = hub.clone();
            thread::spawn(move || {
                for _ in 0..TELLINGS / 2 {
                    tell(&hub, "x");
                }
            })
        });
        let clients = (0..4).map(|_| follow(hub.clone())).collect::<Vec<_>>();
        for teller in tellers {
            teller.join().expect("it told");
        }
        let late = follow(hub.clone());
        for client in clients.into_iter().chain([late]) {
            assert!(client.join().expect("it had all").into_iter().eq(1..=TELLINGS));
        }
        assert_eq!(hub.all().len() as u64, TELLINGS);
    }

    #[test]
    fn of_each_kind_stays_what_a_page_needs_that_comes_later() {
        let bounds = Bounds { count: 6, ..Bounds::default() };
        let hub = Hub::new(bounds);
        let state = |word| {
            Telling::State(State {
                case: None,
                word,
                since: Usec(1),
                pid: None,
                started: None,
                restarts: None,
                status: None,
                says: "s".into(),
            })
        };
        let fault = |to| Telling::Fault(Fault { key: "k/0".into(), fault: "mute".into(), from: Usec(1), to });
        let answers = || Telling::Answers(Answers::default());
        for telling in [
            Telling::Scene(Box::default()),
            Telling::Controls(Controls::default()),
            state(Word::Healthy),
            Telling::History(History::default()),
            answers(),
            fault(None),
            state(Word::Hung),
            Telling::Controls(Controls::default()),
            fault(Some(Usec(9))),
            answers(),
            answers(),
        ] {
            hub.tell(Usec(1), telling);
        }
        let told = hub.all().into_iter().map(|json| {
            let told = serde_json::from_str::<serde_json::Value>(&json).expect("JSON");
            format!("{} {}", told["id"], told["kind"].as_str().expect("a kind"))
        });
        let expected =
            ["1 scene", "4 history", "7 state", "8 controls", "10 answers", "11 answers"].map(str::to_owned);
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_cursor_of_another_hub_is_stale_though_it_has_such_an_id() {
        let hub = Hub::default();
        for _ in 0..3 {
            tell(&hub, "x");
        }
        let mut same = hub.subscribe(After { id: 2, run: Some(hub.run()) });
        assert_eq!((same.stale(), ids(same.next(usize::MAX))), (None, vec![3]));
        let mut other = hub.subscribe(After { id: 2, run: Some(hub.run() + 1) });
        assert_eq!(other.stale(), Some(Stale { oldest: 1, restarted: true }));
        assert_eq!((other.stale(), ids(other.next(usize::MAX))), (None, vec![1, 2, 3]));
        let mut future = hub.subscribe(After { id: 4, run: None });
        assert_eq!(future.stale(), Some(Stale { oldest: 1, restarted: false }));
        let mut first = hub.subscribe(After { id: 0, run: Some(hub.run() + 1) });
        assert_eq!(first.stale().map(|stale| stale.restarted), Some(true));
    }
}
