//! What COMMAND, and whoever runs in its place, says over the relay.

use std::time::Instant;

use super::Supervisor;
use crate::cli::ChildPings;
use crate::systemd::message::WatchdogWord;
use crate::systemd::relay::Received as Heard;
use crate::wrap::state::Event;

impl Supervisor<'_> {
    /// Takes in what COMMAND has said already.
    pub(super) fn drain(&mut self) {
        let Some(relay) = &self.relay else { return };
        let heard: Vec<Heard> = relay.last_words(self.first_pid, self.named).collect();
        for heard in heard {
            self.heard(heard);
        }
    }

    /// To be called once COMMAND has ended.
    pub(in crate::wrap::supervise) fn leave_relay(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.leave();
        }
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        tracing::debug!("process {} says {:?}", heard.pid, heard.said);
        let mut said = heard.said.clone();
        if said.watchdog == Some(WatchdogWord::Ping) && self.service.children.main_pid() != Some(heard.pid) {
            // A worker with a thread that pings would hide that the main process hangs.
            said.watchdog = None;
            self.pings_for_another(heard.pid);
        }
        if self.service.children.main_pid() != Some(heard.pid) {
            // As with NotifyAccess=main: a worker that ends, or thinks that it hangs, is not COMMAND; nor is the process
            // that has named another with MAINPID= and drains now.
            said.stopping = false;
            said.watchdog = said.watchdog.filter(|word| *word != WatchdogWord::Trigger);
        }
        if heard.pid != self.first_pid && Some(heard.pid) != self.named {
            // What it says of itself it may: a daemon says MAINPID= of its own process.
            said.mainpid = said.mainpid.filter(|pid| i32::try_from(*pid) == Ok(heard.pid));
        }
        if let Some(pid) = said.mainpid.and_then(|pid| i32::try_from(pid).ok()) {
            match self.child.follow(pid) {
                Ok(()) => self.named = Some(pid),
                Err(error) => tracing::warn!("COMMAND says MAINPID={pid}: {error}"),
            }
        }
        if let (Some(notifier), Some(datagram)) = (&mut self.notifier, heard.pass_on) {
            notifier.pass_on(datagram, Instant::now());
        }
        if !heard.said.barrier {
            self.step(Event::Said(said));
        }
    }

    /// Says so in the log if nothing can be heard of COMMAND from where it is.
    pub(super) fn check_reach(&self, is_awaited: bool) {
        if let (Some(relay), Some(pid)) = (&self.relay, self.service.children.main_pid()) {
            relay.check_reach(pid, is_awaited);
        }
    }

    /// Says it once, where pings are asked for.
    fn pings_for_another(&mut self, pid: i32) {
        if self.service.config.child_pings == ChildPings::Require
            && !std::mem::replace(&mut self.pinged_for_another, true)
        {
            tracing::warn!(
                "WATCHDOG=1 of process {pid} does not count: it is not COMMAND's main process; MAINPID= names another"
            );
        }
    }
}
