//! What a fault needs of host, machine and service. Where that is missing there is nothing to try: a skip, with the reason.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::machine::{Choice, Machine, MachineError, namespace};

/// How long a look into the machine may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where a tree has programs.
const DIRECTORIES: [&str; 4] = ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin"];

/// Something that a fault needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A program in the machine.
    Program {
        /// `nft`.
        name: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// Something that a command in the machine shows by succeeding. The host cannot tell beforehand.
    Shown {
        /// `cgroup.freeze`.
        what: &'static str,
        /// The command, for a shell.
        test: &'static str,
    },
    /// Something of the kernel's that a command shows by succeeding in a network namespace of its own.
    Kernel {
        /// `netem in the kernel`.
        what: &'static str,
        /// The command, for a shell.
        test: &'static str,
    },
    /// What nobody has.
    Impossible(&'static str),
    /// What whoever writes the scenario sees to.
    Said(&'static str),
}

impl Need {
    /// For people: what there has to be.
    pub fn what(self) -> String {
        match self {
            Self::Program { name, package } => {
                format!("{name} in the machine (apt-get install {package})")
            }
            Self::Kernel { what, .. }
            | Self::Shown { what, .. }
            | Self::Impossible(what)
            | Self::Said(what) => what.into(),
        }
    }

    /// The same in a word or two, for who asks on.
    pub const fn in_short(self) -> &'static str {
        match self {
            Self::Program { name, .. } => name,
            Self::Kernel { what, .. } | Self::Shown { what, .. } | Self::Said(what) => what,
            Self::Impossible(_) => "what no machine has",
        }
    }

    /// Whether a machine that is booted from the host's namespaces, of the tree at `root`, would lack it; what only a machine can tell
    /// is not lacking here.
    fn is_missing_on_host(self, root: &Path) -> bool {
        match self {
            Self::Impossible(_) => true,
            Self::Kernel { test, .. } => {
                // Of a host that lacks the programs nothing is known before there is a machine.
                let tested = Command::new("unshare").args(in_network_of_its_own(test)).output();
                tested.is_ok_and(|tested| {
                    tested.status.code().is_some_and(|code| code != 0 && code != NOT_FOUND)
                })
            }
            Self::Program { name, .. } => {
                DIRECTORIES.iter().all(|directory| !root.join(directory).join(name).exists())
            }
            Self::Said(_) | Self::Shown { .. } => false,
        }
    }

    fn is_missing_in(self, machine: &dyn Machine) -> Result<bool, MachineError> {
        match self {
            Self::Impossible(_) => Ok(true),
            Self::Kernel { test, .. } => {
                let argv = [&["unshare"], &in_network_of_its_own(test)[..]].concat();
                Ok(!machine.run(&argv, PATIENCE)?.status.success())
            }
            Self::Program { name, .. } => {
                let argv = ["sh", "-c", "command -v \"$0\"", name];
                Ok(!machine.run(&argv, PATIENCE)?.status.success())
            }
            Self::Said(_) => Ok(false),
            Self::Shown { test, .. } => Ok(!machine.run(&["sh", "-c", test], PATIENCE)?.status.success()),
        }
    }
}

/// What a shell says of a command that there is not.
const NOT_FOUND: i32 = 127;

/// The arguments of unshare(1).
const fn in_network_of_its_own(test: &'static str) -> [&'static str; 5] {
    ["--net", "--", "sh", "-c", test]
}

/// What of `needs` is missing, before anything is booted.
pub fn missing_on_host(needs: &[Need], choice: Choice, root: &Path, has_image: bool) -> Option<String> {
    // What an image has is known when it runs.
    let in_namespaces = match choice {
        Choice::Namespace => true,
        Choice::Docker => false,
        Choice::Auto => !has_image && namespace::available(root).is_ok(),
    };
    let is_missing = |need: &&Need| match need {
        Need::Impossible(_) => true,
        need => in_namespaces && need.is_missing_on_host(root),
    };
    let missing = needs.iter().find(is_missing);
    missing.map(|need| format!("needs {}", need.what()))
}

/// What of `needs` a machine does not have.
pub fn missing_in(needs: &[Need], machine: &dyn Machine) -> Result<Option<String>, MachineError> {
    for need in needs {
        if need.is_missing_in(machine)? {
            return Ok(Some(format!("needs {}", need.what())));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_the_tree_does_not_have_is_missed_before_anything_is_booted() {
        let tree = tempfile::tempdir().expect("a directory");
        let nft = Need::Program { name: "nft", package: "nftables" };
        let missing = |choice| missing_on_host(&[nft], choice, tree.path(), false);
        let said = "needs nft in the machine (apt-get install nftables)";
        assert_eq!(missing(Choice::Namespace).as_deref(), Some(said));
        assert_eq!(missing(Choice::Docker), None, "the image may have it");
        std::fs::create_dir_all(tree.path().join("usr/sbin")).expect("made");
        std::fs::write(tree.path().join("usr/sbin/nft"), "").expect("written");
        assert_eq!(missing(Choice::Namespace), None);
    }
}
