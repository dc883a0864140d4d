//! The host on which machines are booted, as far as it decides how fast services recover.

use std::fs;

use crate::model::call::Host;
use crate::model::case::CaseId;

/// This one.
pub fn own() -> Host {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let id = read("/etc/machine-id");
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Host {
        id: Some(id.trim()).filter(|id| id.len() == 32).map(hidden),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu: model(&read("/proc/cpuinfo")),
        cpus,
    }
}

/// A machine-id must not be given away (machine-id(5)): of 128 bits these are 64, from which it cannot be had back.
fn hidden(id: &str) -> String {
    CaseId::of(&format!("host {id}"), 0).to_string()
}

/// The model's name, or what there is of it on this architecture.
fn model(cpuinfo: &str) -> String {
    let named = |key: &str| {
        let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let mut values =
            lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned());
        values.next().filter(|value| !value.is_empty())
    };
    ["model name", "Model", "uarch", "CPU part"].iter().find_map(|key| named(key)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_known_again_and_gives_its_name_away_to_nobody() {
        let id = "0b4ddee002fb469b9b3c0e5af0cf84a1";
        assert_eq!(hidden(id), hidden(id));
        assert!(!hidden(id).contains(&id[..4]) && hidden(id) != hidden("1b4ddee002fb469b9b3c0e5af0cf84a1"));
        let host = own();
        assert!(!host.kernel.is_empty() && host.cpus > 0, "{host:?}");
        assert_eq!(own(), host);
    }

    #[test]
    fn the_cpus_have_a_name() {
        assert_eq!(
            model("processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\n\nmodel name\t: other\n"),
            "Some CPU @ 3 GHz"
        );
        assert_eq!(model("processor\t: 0\nCPU part\t: 0xd0c\n"), "0xd0c");
        assert_eq!(model(""), "");
    }
}
