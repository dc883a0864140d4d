//! Who is known of our children, and how each has ended. Without the waiting.

use super::main_process::MainProcess;
use crate::service::end::End;

/// What a status means is decided here.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub expected: Vec<Expected>,
    pub main: Option<MainProcess>,
}

#[derive(Debug)]
pub(super) struct Expected {
    pub pid: i32,
    pub leads_group: bool,
    /// Nobody asks for its end any more.
    abandoned: bool,
    pub end: Option<End>,
}

impl Registry {
    pub fn expect(&mut self, pid: i32, leads_group: bool) {
        self.forget(pid);
        self.expected.push(Expected { pid, leads_group, abandoned: false, end: None });
    }

    pub fn find(&self, pid: i32) -> Option<&Expected> {
        self.expected.iter().find(|child| child.pid == pid)
    }

    pub fn forget(&mut self, pid: i32) {
        self.expected.retain(|child| child.pid != pid);
    }

    pub fn abandon(&mut self, pid: i32) {
        self.expected.retain(|child| child.pid != pid || child.end.is_none());
        for child in &mut self.expected {
            child.abandoned |= child.pid == pid;
        }
    }

    pub fn abandoned(&self) -> Vec<(i32, bool)> {
        let abandoned = self.expected.iter().filter(|child| child.abandoned);
        abandoned.map(|child| (child.pid, child.leads_group)).collect()
    }

    /// A child was waited for.
    pub fn record(&mut self, pid: i32, end: End) {
        if let Some(main) = &mut self.main
            && main.record(pid, end)
        {
            return;
        }
        match self.expected.iter_mut().find(|child| child.pid == pid) {
            Some(Expected { abandoned: true, .. }) => self.forget(pid),
            Some(expected) => expected.end = Some(end),
            None => tracing::debug!("process {pid}, not COMMAND's main process, {}", end.verb()),
        }
    }

    /// The end of an expected child, for the one who asks for it.
    pub fn collect(&mut self, pid: i32) -> Option<End> {
        let end = self.find(pid)?.end?;
        self.forget(pid);
        Some(end)
    }
}
