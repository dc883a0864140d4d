//! `SystemCallFilter=`, which holds for `sd-watchdog` as well.

use super::List;

/// What a program calls that starts another one and asks it over the network. `prlimit64` is in @default.
const NEEDED_GROUPS: [&str; 10] = [
    "@system-service",
    "@default",
    "@basic-io",
    "@file-system",
    "@io-event",
    "@ipc",
    "@network-io",
    "@process",
    "@signal",
    "@timer",
];
/// The same one by one, as strace(1) shows it of `sd-watchdog` in front of a service, and what is older or newer than that.
const NEEDED_CALLS: [&str; 47] = [
    "SystemCallFilter",
    "bind",
    "clone",
    "clone3",
    "close_range",
    "connect",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "eventfd2",
    "execve",
    "futex",
    "getdents64",
    "getpeername",
    "getrandom",
    "getsockname",
    "getsockopt",
    "kill",
    "madvise",
    "newfstatat",
    "openat",
    "pidfd_open",
    "pidfd_send_signal",
    "pipe2",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "prlimit64",
    "readlink",
    "recvfrom",
    "recvmsg",
    "rt_sigtimedwait",
    "sendmsg",
    "sendto",
    "setpgid",
    "setsid",
    "setsockopt",
    "signalfd4",
    "socket",
    "socketpair",
    "statx",
    "timerfd_create",
    "timerfd_settime",
    "wait4",
    "waitid",
];

pub fn add(list: &mut List<'_>) {
    let lines = list.facts.list("SystemCallFilter");
    // systemd.exec(5): the first says whether it is a list of what is allowed.
    let allows = lines.first().is_some_and(|line| !line.starts_with('~'));
    let words = |denies: bool| {
        let lines = lines.iter().filter(move |line| line.starts_with('~') == denies);
        let words = lines.flat_map(|line| line.trim_start_matches('~').split_whitespace());
        words.map(|word| word.split(':').next().unwrap_or(word))
    };
    let denied: Vec<&str> =
        words(true).filter(|word| NEEDED_GROUPS.contains(word) || NEEDED_CALLS.contains(word)).collect();
    if allows && !words(false).any(|word| word == "@system-service") {
        list.add(
            "SystemCallFilter",
            "sd-watchdog calls what the service may not need, and may be ended for it",
            "add @system-service, or use: sd-watchdog guard UNIT",
        );
    } else if !denied.is_empty() {
        list.add(
            "SystemCallFilter",
            format!("sd-watchdog needs {}, and may be ended for it", denied.join(" and ")),
            "take that out, or use: sd-watchdog guard UNIT",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Whether the call is in the group, or in one that is in it.
    fn has(groups: &[(&str, Vec<&str>)], name: &str, call: &str) -> bool {
        let words = groups.iter().filter(|(group, _)| *group == name).flat_map(|(_, words)| words);
        words.into_iter().any(|word| match word.strip_prefix('@') {
            Some(group) => has(groups, group, call),
            None => *word == call,
        })
    }

    /// systemd-analyze(1) knows which calls are in a group; a group may be in another.
    #[test]
    fn the_groups_that_are_needed_are_those_with_a_call_that_is() {
        let output = Command::new("systemd-analyze").arg("syscall-filter").output().expect("systemd-analyze");
        let text = String::from_utf8(output.stdout).expect("text");
        let groups: Vec<(&str, Vec<&str>)> = text
            .split("\n@")
            .map(|group| {
                let mut lines = group.lines().map(str::trim).filter(|line| !line.starts_with('#'));
                (lines.next().unwrap_or_default().trim_start_matches('@'), lines.collect())
            })
            .collect();
        // All that there are.
        let named = groups.iter().map(|(name, _)| *name).filter(|name| *name != "known");
        let mut found: Vec<String> = named
            .filter(|name| NEEDED_CALLS.iter().any(|call| has(&groups, name, call)))
            .map(|name| format!("@{name}"))
            .collect();
        found.sort_unstable();
        let mut needed = NEEDED_GROUPS;
        needed.sort_unstable();
        assert_eq!(found, needed);
    }
}
