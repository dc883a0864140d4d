//! The table of all faults, and its texts for people.

use std::fmt::Write;

use super::parameter::{CODE, DELAY, DESCRIPTORS, DURATION, INTERVAL, MEMORY, PING_INTERVAL, RATE};
use super::{Entry, Fault, Recovery};

/// What most faults are like: a hang that heals and that a watchdog finds.
const HANG: Entry = Entry {
    fault: Fault::Mute,
    name: "",
    does: "",
    parameters: &[],
    is_hang: true,
    healable: true,
    needs: None,
    found_by: None,
    recovery: Recovery::Watchdog,
};

/// What else there is: the process ends at once.
const END: Entry = Entry { is_hang: false, healable: false, recovery: Recovery::Exit, ..HANG };

/// Every fault, in the order in which they are listed, which is also that of [`Fault`].
pub const CATALOGUE: [Entry; 18] = [
    Entry { fault: Fault::Mute, name: "mute", does: "reads every request and never answers", ..HANG },
    Entry {
        fault: Fault::AcceptStall,
        name: "accept-stall",
        does: "stops accepting connections, so that the listen backlog fills up",
        ..HANG
    },
    Entry {
        fault: Fault::Deadlock,
        name: "deadlock",
        does: "blocks every worker thread for good, each on a mutex that the next one holds",
        healable: false,
        ..HANG
    },
    Entry {
        fault: Fault::Spin,
        name: "spin",
        does: "keeps every worker thread busy in a loop that never yields",
        ..HANG
    },
    Entry {
        fault: Fault::BlockRuntime,
        name: "block-runtime",
        does: "blocks every worker thread in a read from a peer that says nothing",
        ..HANG
    },
    Entry {
        fault: Fault::Drip,
        name: "drip",
        does: "answers with status 200 and a body that never ends, a byte now and then",
        parameters: &[INTERVAL],
        found_by: Some("a probe with a deadline for the whole answer"),
        ..HANG
    },
    Entry {
        fault: Fault::Half,
        name: "half",
        does: "answers /healthz, and never answers anything else",
        found_by: Some("a probe of / and not of /healthz"),
        ..HANG
    },
    Entry {
        fault: Fault::Error,
        name: "error",
        does: "answers every request with status 500",
        is_hang: false,
        ..HANG
    },
    Entry {
        fault: Fault::WrongBody,
        name: "wrong-body",
        does: "answers every request with status 200 and a body that is not the right one",
        is_hang: false,
        found_by: Some("a probe that reads the body"),
        ..HANG
    },
    Entry {
        fault: Fault::FdLeak,
        name: "fd-leak",
        does: "opens file descriptors until there are none left, so that accept fails",
        parameters: &[DESCRIPTORS],
        ..HANG
    },
    Entry {
        fault: Fault::MemoryLeak,
        name: "memory-leak",
        does: "takes more and more memory, until it is ended for it",
        parameters: &[MEMORY, RATE],
        needs: Some("MemoryMax=, LimitDATA= or LimitAS= in the unit; or limit="),
        healable: true,
        ..END
    },
    Entry {
        fault: Fault::Stubborn,
        name: "stubborn",
        does: "is mute, and ignores SIGTERM, SIGINT, SIGABRT, SIGQUIT and SIGHUP, so that only SIGKILL ends it",
        ..HANG
    },
    Entry {
        fault: Fault::Slow,
        name: "slow",
        does: "answers every request late",
        parameters: &[DELAY],
        is_hang: false,
        recovery: Recovery::None,
        ..HANG
    },
    Entry {
        fault: Fault::Brief,
        name: "brief",
        does: "is mute for a moment, and heals itself",
        parameters: &[DURATION],
        recovery: Recovery::None,
        ..HANG
    },
    Entry {
        fault: Fault::SelfPing,
        name: "self-ping",
        does: "blocks every worker thread, while a thread of its own tells systemd WATCHDOG=1",
        parameters: &[PING_INTERVAL],
        needs: Some("NOTIFY_SOCKET, as Type=notify sets it"),
        found_by: Some("a probe of any kind, but not by systemd alone"),
        ..HANG
    },
    Entry { fault: Fault::Crash, name: "crash", does: "aborts the process with SIGABRT", ..END },
    Entry {
        fault: Fault::Exit,
        name: "exit",
        does: "stops in an orderly way, with an exit code",
        parameters: &[CODE],
        ..END
    },
    Entry { fault: Fault::Segfault, name: "segfault", does: "is ended by SIGSEGV", ..END },
];

pub(super) const FAULTS: [Fault; CATALOGUE.len()] = {
    let mut faults = [Fault::Mute; CATALOGUE.len()];
    let mut index = 0;
    while index < faults.len() {
        faults[index] = CATALOGUE[index].fault;
        assert!(faults[index] as usize == index, "the table is in the order of the faults");
        index += 1;
    }
    faults
};

/// The table for a terminal: a line for each fault, and one for each of its parameters.
pub fn text() -> String {
    let mut text = String::new();
    for entry in &CATALOGUE {
        let _ = writeln!(text, "  {:<13} {}", entry.name, entry.does);
        for parameter in entry.parameters {
            let _ = writeln!(text, "  {:<13}   {parameter}", "");
        }
    }
    text
}

/// The table as README.md has it.
pub fn markdown() -> String {
    let mut text =
        String::from("| fault | what the server does | parameters | heals | needs | comes back by |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for Entry { name, does, parameters, healable, needs, found_by, recovery, .. } in &CATALOGUE {
        let parameters =
            parameters.iter().map(|parameter| format!("`{}`", parameter.usage())).collect::<Vec<_>>();
        let back = match recovery {
            Recovery::Watchdog => {
                found_by.map_or("a watchdog".to_owned(), |found_by| format!("a watchdog, by {found_by}"))
            }
            Recovery::Exit => "its exit".to_owned(),
            Recovery::None => "nothing: it must not be restarted".to_owned(),
        };
        let heals = if *healable { "yes" } else { "no" };
        let row =
            [&format!("`{name}`"), *does, &parameters.join(" "), heals, needs.unwrap_or_default(), &back];
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sentences_are_fit_for_every_place_that_shows_them() {
        for (index, entry) in CATALOGUE.iter().enumerate() {
            let Entry { name, does, .. } = entry;
            assert!(
                name.len() <= 13 && name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()),
                "{name}"
            );
            // Neither needs escaping in HTML, JSON or a table of Markdown.
            let texts = entry.parameters.iter().map(|parameter| parameter.does).chain([
                *does,
                entry.needs.unwrap_or("-"),
                entry.found_by.unwrap_or("-"),
            ]);
            for text in texts {
                assert!(
                    !text.is_empty() && !text.contains(['<', '>', '&', '"', '|', '\n', '.']),
                    "{name}: {text}"
                );
            }
            assert!(!CATALOGUE[..index].iter().any(|other| other.name == *name), "{name} is there twice");
        }
    }

    #[test]
    fn what_ends_the_process_does_not_heal_and_what_needs_no_recovery_does() {
        for Entry { name, is_hang, healable, recovery, .. } in &CATALOGUE {
            match recovery {
                Recovery::Exit => assert!(!is_hang, "{name}"),
                Recovery::None => assert!(healable, "{name}"),
                Recovery::Watchdog => {}
            }
        }
    }

    /// Written anew with UPDATE=1.
    #[test]
    fn the_readme_has_this_table() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = std::fs::read_to_string(file).unwrap();
        let before = readme.find("| fault |").expect("a table of faults");
        let after = before + readme[before..].find("\n\n").expect("its end") + 1;
        let written = format!("{}{}{}", &readme[..before], markdown(), &readme[after..]);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(file, &written).unwrap();
        }
        assert!(
            std::fs::read_to_string(file).unwrap() == written,
            "server/README.md is out of date: UPDATE=1 cargo test -p server --lib readme, and look at the difference"
        );
    }
}
