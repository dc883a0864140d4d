//! The ring as tables, and under any interleaving of tellings and clients.

use proptest::prelude::*;

use super::*;

const NONE: Bounds = Bounds { count: usize::MAX, bytes: usize::MAX, age: Duration::MAX };

/// Tells what is named by a letter and a key: `p` passing, `r` replaced, `s` standing, `n` newest.
fn tell(ring: &mut Ring, what: &str) -> u64 {
    let key = Arc::from(what);
    let keep = match &what[..1] {
        "p" => Keep::Passing,
        "r" => Keep::Replaced(key),
        "s" => Keep::Standing(key),
        _ => Keep::Newest(key),
    };
    let at = Usec(ring.head() * 1_000_000);
    ring.tell(at, keep, |id| format!("{id} {what}").into())
}

fn told(bounds: Bounds, tellings: &str) -> Ring {
    let mut ring = Ring::new(bounds);
    for what in tellings.split_whitespace() {
        tell(&mut ring, what);
    }
    ring
}

fn at_most(count: usize) -> Bounds {
    Bounds { count, ..NONE }
}

/// What a client gets from there on, all at once.
fn all_of(ring: &Ring, cursor: &mut Cursor) -> Vec<u64> {
    match ring.next(cursor, usize::MAX) {
        Given::Next(entries) => entries.iter().map(|entry| entry.id).collect(),
        Given::Gap { .. } => panic!("a gap"),
    }
}

#[track_caller]
fn holds(bounds: Bounds, tellings: &str, expected: &str) {
    let Given::Next(entries) = told(bounds, tellings).next(&mut Cursor::default(), usize::MAX) else {
        panic!("a gap")
    };
    let found = entries.iter().map(|entry| entry.json.replace(' ', "")).collect::<Vec<_>>();
    assert_eq!(found.join(" "), expected);
}

#[test]
fn ids_count_up_from_one() {
    let mut ring = Ring::default();
    assert_eq!((ring.head(), ring.is_empty()), (0, true));
    assert_eq!([tell(&mut ring, "p"), tell(&mut ring, "p"), tell(&mut ring, "p")], [1, 2, 3]);
    assert_eq!((ring.head(), ring.len()), (3, 3));
}

#[test]
fn the_oldest_is_forgotten_first() {
    holds(at_most(3), "p p p p p", "3p 4p 5p");
}

#[test]
fn what_is_replaced_goes_at_once_and_its_place_is_that_of_the_newest() {
    holds(NONE, "ra p ra rb ra", "2p 4rb 5ra");
    holds(at_most(2), "ra p p", "2p 3p");
    // One that is gone has no successor to remove.
    holds(at_most(2), "ra p p ra", "3p 4ra");
}

#[test]
fn what_stands_stays_for_each_time_and_at_the_horizon_the_newest() {
    holds(NONE, "sa p sa p", "1sa 2p 3sa 4p");
    holds(at_most(3), "sa p p p p", "1sa 4p 5p");
    holds(at_most(3), "sa sa p p p", "2sa 4p 5p");
    // How it was until the fourth is known, and from the fourth on.
    holds(at_most(4), "sa p p sa p", "1sa 3p 4sa 5p");
}

#[test]
fn of_what_has_a_newest_that_alone_stays() {
    holds(NONE, "na p na", "2p 3na");
    holds(at_most(2), "na p p p", "1na 4p");
    holds(at_most(2), "na p p p na", "4p 5na");
}

#[test]
fn the_bound_in_bytes_counts_all_that_an_entry_takes() {
    let entry = "1 p".len() + OVERHEAD;
    holds(Bounds { bytes: 2 * entry, ..NONE }, "p p p p", "3p 4p");
    assert_eq!(told(NONE, "p p").bytes(), 2 * entry);
    assert_eq!(told(NONE, "na na na").bytes(), "3 na".len() + OVERHEAD);
    // One that is too big alone is told all the same.
    holds(Bounds { bytes: 1, ..NONE }, "p p p", "3p");
}

#[test]
fn what_is_too_old_goes_with_the_next_telling() {
    holds(Bounds { age: Duration::from_secs(2), ..NONE }, "sa p p p p", "1sa 3p 4p 5p");
}

#[test]
fn a_client_comes_again_where_it_was() {
    let ring = told(at_most(3), "p p p p p");
    let Begin::Where(mut cursor) = ring.begin(3) else { panic!("nothing is missing") };
    assert_eq!(all_of(&ring, &mut cursor), [4, 5]);
    assert_eq!(cursor.had(), 5);
    let Begin::Where(mut cursor) = ring.begin(5) else { panic!("nothing is missing") };
    assert_eq!(all_of(&ring, &mut cursor), [0; 0]);
}

#[test]
fn a_cursor_that_does_not_lead_here_is_stale() {
    let ring = told(at_most(3), "p p p p p");
    assert_eq!(ring.begin(1), Begin::Stale { oldest: 3 });
    assert!(matches!(ring.begin(2), Begin::Where(_)), "the third is there");
    assert_eq!(ring.begin(6), Begin::Stale { oldest: 3 }, "of the future");
    assert_eq!(ring.begin(u64::MAX), Begin::Stale { oldest: 3 });
    assert_eq!(Ring::default().begin(7), Begin::Stale { oldest: 1 });
    assert!(matches!(ring.begin(0), Begin::Where(_)), "a new client");
}

#[test]
fn what_another_took_the_place_of_is_not_missed() {
    let ring = told(NONE, "ra ra p ra na na");
    let Begin::Where(mut cursor) = ring.begin(1) else { panic!("nothing is missing") };
    assert_eq!(all_of(&ring, &mut cursor), [3, 4, 6]);
}

#[test]
fn a_client_that_lags_is_told_what_it_missed() {
    let mut ring = told(at_most(3), "p p p");
    let mut cursor = Cursor::default();
    assert_eq!(all_of(&ring, &mut cursor), [1, 2, 3]);
    for _ in 0..3 {
        tell(&mut ring, "p");
    }
    assert_eq!(all_of(&ring, &mut cursor.clone()), [4, 5, 6]);
    for _ in 0..2 {
        tell(&mut ring, "p");
    }
    assert_eq!(ring.next(&mut cursor, usize::MAX), Given::Gap { from: 4, to: 5 });
    assert_eq!(ring.begin(cursor.had()), Begin::Stale { oldest: 6 });
}

#[test]
fn a_client_is_given_so_many_bytes_at_once_and_at_least_one_telling() {
    let ring = told(NONE, "p p p p");
    let mut cursor = Cursor::default();
    let mut some = |bytes| match ring.next(&mut cursor, bytes) {
        Given::Next(entries) => entries.len(),
        Given::Gap { .. } => panic!("a gap"),
    };
    assert_eq!([some(7), some(1), some(100), some(100)], [2, 1, 1, 0]);
}

/// A client as a model: what it holds is what a page would.
#[derive(Debug)]
struct Client {
    cursor: Cursor,
    had: Vec<u64>,
    /// It was told that something is missing up to here.
    told: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Tell(&'static str, usize),
    Come(u64),
    Again(usize),
    Read(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    const KINDS: [&str; 8] = ["p", "p", "p", "ra", "rb", "sa", "sb", "na"];
    prop_oneof![
        5 => (prop::sample::select(&KINDS[..]), 1_usize..40).prop_map(|(what, long)| Step::Tell(what, long)),
        1 => (0_u64..60).prop_map(Step::Come),
        1 => (0_usize..8).prop_map(Step::Again),
        4 => (0_usize..8, 1_usize..200).prop_map(|(who, bytes)| Step::Read(who, bytes)),
    ]
}

/// What is known of a telling that was told.
struct Fact {
    keep: Keep,
    json: Arc<str>,
}

fn keep_of(what: &str) -> Keep {
    let key = Arc::from(what);
    match &what[..1] {
        "p" => Keep::Passing,
        "r" => Keep::Replaced(key),
        "s" => Keep::Standing(key),
        _ => Keep::Newest(key),
    }
}

/// Whether a later one took the place of this, so that a client that comes after it has not missed it.
fn is_replaced(facts: &[Fact], id: u64) -> bool {
    let this = &facts[usize::try_from(id - 1).expect("few")].keep;
    let later = facts.iter().skip(usize::try_from(id).expect("few"));
    matches!(this, Keep::Replaced(_) | Keep::Newest(_)) && later.into_iter().any(|fact| fact.keep == *this)
}

proptest! {
    #[test]
    fn every_client_has_each_telling_once_in_order_or_is_told_that_it_has_not(
        steps in prop::collection::vec(step(), 1..200),
        count in 1_usize..20,
        bytes in 300_usize..6000,
        age in 1_u64..50,
    ) {
        let bounds = Bounds { count, bytes, age: Duration::from_secs(age) };
        let mut ring = Ring::new(bounds);
        let (mut facts, mut clients) = (Vec::<Fact>::new(), Vec::<Client>::new());
        for step in steps {
            match step {
                Step::Tell(what, long) => {
                    let json: Arc<str> = "x".repeat(long).into();
                    let id = ring.tell(Usec(ring.head() * 1_000_000), keep_of(what), |_| Arc::clone(&json));
                    facts.push(Fact { keep: keep_of(what), json });
                    prop_assert_eq!(id, facts.len() as u64);
                }
                Step::Come(had) => clients.push(come(&ring, had)?),
                Step::Again(who) => {
                    let Some(client) = clients.get_mut(who) else { continue };
                    match ring.begin(client.cursor.had()) {
                        Begin::Where(cursor) => client.cursor = cursor,
                        // It forgets all that it had.
                        Begin::Stale { .. } => *client = come(&ring, 0)?,
                    }
                }
                Step::Read(who, bytes) => {
                    let Some(client) = clients.get_mut(who) else { continue };
                    read(&ring, &facts, client, bytes)?;
                }
            }
            let basis = facts.iter().filter(|fact| matches!(fact.keep, Keep::Standing(_) | Keep::Newest(_)));
            let basis = basis.map(|fact| &fact.keep).collect::<std::collections::HashSet<_>>().len();
            let counted = ring.entries.values().map(Kept::bytes).sum::<usize>();
            prop_assert_eq!(ring.bytes(), counted);
            prop_assert!(ring.len() <= count.max(basis + 1), "{} of {count}", ring.len());
            prop_assert!(ring.bytes() <= bytes.max((basis + 1) * (OVERHEAD + 40)));
            prop_assert!(ring.newest.len() + ring.basis.len() <= 2 * ring.len());
        }
        // Whoever reads on has had, in the end, what is there.
        for client in &mut clients {
            while client.cursor.had() < ring.head() && client.told == 0 {
                read(&ring, &facts, client, 50)?;
            }
        }
    }
}

fn come(ring: &Ring, had: u64) -> Result<Client, TestCaseError> {
    let (cursor, begin) = match ring.begin(had) {
        Begin::Where(cursor) => (cursor, had),
        Begin::Stale { oldest } => {
            prop_assert!(ring.entries.keys().next().is_none_or(|&id| id == oldest));
            (Cursor::default(), 0)
        }
    };
    prop_assert_eq!(cursor.had(), begin);
    Ok(Client { cursor, had: Vec::new(), told: 0 })
}

fn read(ring: &Ring, facts: &[Fact], client: &mut Client, bytes: usize) -> Result<(), TestCaseError> {
    let (first, before) = (client.cursor.without.is_none(), client.cursor.had());
    match ring.next(&mut client.cursor, bytes) {
        Given::Gap { from, to } => {
            prop_assert_eq!(from, before + 1);
            prop_assert!(from <= to && to <= ring.head());
            prop_assert!(!ring.entries.contains_key(&to), "it is there");
            client.told = to;
        }
        Given::Next(entries) => {
            let sum = entries.iter().map(|entry| entry.json.len()).sum::<usize>();
            prop_assert!(entries.len() <= 1 || sum <= bytes);
            let mut expected = before + 1;
            for entry in &entries {
                prop_assert!(entry.id >= expected, "once, and in order");
                let fact = &facts[usize::try_from(entry.id - 1).expect("few")];
                prop_assert_eq!(&fact.json, &entry.json);
                // What lies between is gone from before it came, or something took its place.
                let without = if first { ring.lost } else { client.cursor.without.unwrap_or_default() };
                for missed in expected.max(without + 1)..entry.id {
                    prop_assert!(is_replaced(facts, missed), "{missed} is missing and was not told");
                }
                expected = entry.id + 1;
                client.had.push(entry.id);
            }
            prop_assert!(!entries.is_empty() || before == ring.head(), "nothing, though there is something");
        }
    }
    Ok(())
}
