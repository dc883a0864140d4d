//! What could not be sent yet, in order.

use std::collections::VecDeque;

use super::{Datagram, MOST_DESCRIPTORS};
use crate::systemd::message::{Message, WatchdogWord};

/// More datagrams are not kept.
const MOST: usize = 64;
/// While less waits, COMMAND is listened to: one more datagram fits then, whatever it carries. The rest of the room is
/// for our own words.
const LISTEN_BELOW: usize = MOST / 2;
/// The same for descriptors. They count against the limit of this process (1024 in most units), and probes need some.
const LISTEN_BELOW_DESCRIPTORS: usize = 64;

/// First in, first out; the last of our own messages takes in newer ones while nothing came after it.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Waiting>);

#[derive(Debug)]
pub(super) enum Waiting {
    Own(Message),
    PassedOn(Datagram),
}

impl Queue {
    /// Puts our own newest word at the end. It takes back every ping that still waits, even where it is empty.
    pub fn say(&mut self, mut message: Message) {
        if self.take_ping_back().1 {
            message.withdraw_ping();
        }
        self.put(message);
    }

    /// Puts our own newest word at the end, and a ping that still waits with it: it says nothing of COMMAND's health.
    pub fn add(&mut self, mut message: Message) {
        let (pinged, triggered) = self.take_ping_back();
        if pinged && !triggered && message.watchdog.is_none() {
            message.watchdog = Some(WatchdogWord::Ping);
        }
        self.put(message);
    }

    /// Whether one waited, and whether a trigger waits.
    fn take_ping_back(&mut self) -> (bool, bool) {
        let (mut pinged, mut triggered) = (false, false);
        self.0.retain_mut(|waiting| {
            let Waiting::Own(own) = waiting else { return true };
            pinged |= own.watchdog == Some(WatchdogWord::Ping);
            triggered |= own.watchdog == Some(WatchdogWord::Trigger);
            own.withdraw_ping();
            !own.is_empty()
        });
        (pinged, triggered)
    }

    fn put(&mut self, mut message: Message) {
        if let Some(Waiting::Own(last)) = self.0.back_mut() {
            match last.supersede(message) {
                None => return,
                Some(rest) => message = rest,
            }
        }
        if !message.is_empty() {
            self.0.push_back(Waiting::Own(message));
        }
    }

    /// Puts what COMMAND said at the end.
    pub fn pass_on(&mut self, datagram: Datagram) {
        self.0.push_back(Waiting::PassedOn(datagram));
    }

    pub fn front(&self) -> Option<&Waiting> {
        self.0.front()
    }

    pub fn pop(&mut self) {
        self.0.pop_front();
    }

    /// Gives up what COMMAND said. Its barriers are passed by that.
    pub fn forget_passed_on(&mut self) {
        let waiting = std::mem::take(&mut self.0);
        for waiting in waiting {
            if let Waiting::Own(message) = waiting {
                self.put(message);
            }
        }
    }

    /// One more datagram fits, whatever it carries.
    pub fn has_room(&self) -> bool {
        self.0.len() < LISTEN_BELOW && self.descriptors() <= LISTEN_BELOW_DESCRIPTORS
    }

    fn descriptors(&self) -> usize {
        self.0.iter().map(Waiting::descriptors).sum()
    }

    /// Takes out what is missed least, while there is too much.
    pub fn excess(&mut self) -> Option<Waiting> {
        let too_many_descriptors = self.descriptors() > LISTEN_BELOW_DESCRIPTORS + MOST_DESCRIPTORS;
        if self.0.len() <= MOST && !too_many_descriptors {
            return None;
        }
        let without_newest = self.0.iter().take(self.0.len() - 1).enumerate();
        let (index, _) = without_newest
            .filter(|(_, waiting)| !too_many_descriptors || waiting.descriptors() > 0)
            .min_by_key(|(_, waiting)| waiting.worth())?;
        self.0.remove(index)
    }
}

impl Waiting {
    fn descriptors(&self) -> usize {
        match self {
            Self::Own(_) => 0,
            Self::PassedOn(datagram) => datagram.descriptors.len(),
        }
    }

    /// A barrier that is given up tells its sender that systemd has read all that came before it.
    fn worth(&self) -> u8 {
        match self {
            Self::PassedOn(datagram) if !datagram.is_barrier() => 0,
            Self::PassedOn(_) => 1,
            Self::Own(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    fn descriptors(count: usize) -> Vec<OwnedFd> {
        (0..count).map(|_| std::fs::File::open("/dev/null").expect("a file").into()).collect()
    }

    fn passed_on(words: &str, count: usize) -> Datagram {
        Datagram { bytes: words.into(), descriptors: descriptors(count).into() }
    }

    fn words(queue: &Queue) -> Vec<String> {
        let words = |waiting: &Waiting| match waiting {
            Waiting::Own(message) => message.encode(),
            Waiting::PassedOn(datagram) => String::from_utf8_lossy(&datagram.bytes).into_owned(),
        };
        queue.0.iter().map(words).collect()
    }

    fn ping() -> Message {
        Message { watchdog: Some(WatchdogWord::Ping), ..Message::default() }
    }

    fn ready() -> Message {
        Message { ready: true, ..Message::default() }
    }

    #[test]
    fn order_is_kept_and_only_the_last_own_message_takes_in_newer_ones() {
        let mut queue = Queue::default();
        queue.say(ready());
        queue.say(Message::status("a"));
        queue.pass_on(passed_on("FDSTORE=1", 1));
        queue.say(Message { reloading: Some(1), ..Message::default() });
        queue.say(ready());
        queue.say(Message::status("b"));
        queue.pass_on(passed_on("BARRIER=1", 1));
        queue.say(Message::status("c"));
        assert_eq!(
            words(&queue),
            [
                "READY=1\nSTATUS=a",
                "FDSTORE=1",
                "RELOADING=1\nMONOTONIC_USEC=1",
                "READY=1\nSTATUS=b",
                "BARRIER=1",
                "STATUS=c"
            ]
        );
    }

    #[test]
    fn a_newer_word_takes_back_a_ping_wherever_it_waits() {
        let mut queue = Queue::default();
        queue.say(ping());
        queue.pass_on(passed_on("X_A=1", 0));
        queue.say(Message { watchdog: Some(WatchdogWord::Ping), ..Message::status("a") });
        queue.pass_on(passed_on("X_B=1", 0));
        assert_eq!(words(&queue), ["WATCHDOG=1", "X_A=1", "STATUS=a\nWATCHDOG=1", "X_B=1"][1..]);
        queue.say(ping());
        assert_eq!(words(&queue), ["X_A=1", "STATUS=a", "X_B=1", "WATCHDOG=1"]);
        queue.say(Message::default());
        assert_eq!(words(&queue), ["X_A=1", "STATUS=a", "X_B=1"]);
    }

    #[test]
    fn a_waiting_trigger_is_final() {
        let mut queue = Queue::default();
        queue.say(Message { watchdog: Some(WatchdogWord::Trigger), ..Message::status("mute") });
        queue.pass_on(passed_on("X_A=1", 0));
        queue.say(ping());
        assert_eq!(words(&queue), ["STATUS=mute\nWATCHDOG=trigger", "X_A=1"]);
    }

    #[test]
    fn a_full_queue_gives_up_the_oldest_that_was_passed_on_then_barriers_then_our_own() {
        let mut queue = Queue::default();
        queue.say(ready());
        queue.pass_on(passed_on("BARRIER=1", 1));
        for number in 0..MOST - 2 {
            assert_eq!(queue.has_room(), number < LISTEN_BELOW - 2, "{number}");
            queue.pass_on(passed_on(&format!("X_A={number}"), 0));
        }
        assert!(queue.excess().is_none());
        let mut lost = Vec::new();
        for _ in 0..MOST {
            queue.pass_on(passed_on("BARRIER=1", 0));
            let Some(Waiting::PassedOn(datagram)) = queue.excess() else { panic!("nothing lost") };
            lost.push(String::from_utf8(datagram.bytes).expect("UTF-8"));
            assert!(queue.excess().is_none());
        }
        assert_eq!((&*lost[0], &*lost[MOST - 3], &*lost[MOST - 2]), ("X_A=0", "X_A=61", "BARRIER=1"));
        assert_eq!(words(&queue)[0], "READY=1");
    }

    #[test]
    fn descriptors_are_bounded_as_well() {
        let mut queue = Queue::default();
        queue.pass_on(passed_on("X_A=1", 0));
        queue.pass_on(passed_on("FDSTORE=1", LISTEN_BELOW_DESCRIPTORS));
        assert!(queue.has_room());
        queue.pass_on(passed_on("FDSTORE=2", MOST_DESCRIPTORS));
        assert!(!queue.has_room() && queue.excess().is_none());
        queue.pass_on(passed_on("FDSTORE=3", 1));
        assert!(matches!(queue.excess(), Some(Waiting::PassedOn(lost)) if lost.bytes == b"FDSTORE=1"));
        assert!(queue.excess().is_none());
        assert_eq!(words(&queue), ["X_A=1", "FDSTORE=2", "FDSTORE=3"]);
    }
}
