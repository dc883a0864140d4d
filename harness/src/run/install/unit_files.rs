//! The unit and its drop-ins, as systemd reads them.

use std::path::Path;

use crate::machine::{Machine, MachineError};
use crate::model::moment::{Unit, UnitFile};
use crate::run::COMMAND;

/// The files of a unit that are in force; none where systemd does not tell.
pub fn in_force(machine: &dyn Machine, unit: &str) -> Result<Unit, MachineError> {
    let shown = machine.run(&["systemctl", "cat", "--no-pager", unit], COMMAND)?.stdout;
    Ok(Unit { files: files(&shown) })
}

/// Of what `systemctl cat` shows: each file begins with its path as a comment, apart from the one before by an empty line.
fn files(shown: &str) -> Vec<UnitFile> {
    let mut files: Vec<UnitFile> = Vec::new();
    let mut is_apart = true;
    for line in shown.lines() {
        match (path(line).filter(|_| is_apart), files.last_mut()) {
            (Some(path), _) => files.push(UnitFile { path: path.to_owned(), text: String::new() }),
            (None, Some(file)) => {
                file.text.push_str(line);
                file.text.push('\n');
            }
            (None, None) => {}
        }
        is_apart = line.is_empty();
    }
    for file in &mut files {
        file.text = without_secrets(file.text.trim_end());
    }
    files
}

/// What directives hold that is not for everybody who may read a recording.
const SECRETS: [&str; 3] = ["Environment=", "SetCredential=", "SetCredentialEncrypted="];
const HIDDEN: &str = "(not recorded)";

/// The text of a unit's file without the values that may be secrets, however many lines they go on for.
fn without_secrets(text: &str) -> String {
    let (mut lines, mut goes_on) = (Vec::new(), false);
    for line in text.lines() {
        let secret = SECRETS.into_iter().find(|secret| line.trim_start().starts_with(secret));
        match secret {
            _ if goes_on => {}
            // An empty one takes back what was before.
            Some(secret) if line.trim() != secret => lines.push(format!("{secret}{HIDDEN}")),
            _ => lines.push(line.to_owned()),
        }
        goes_on = (goes_on || secret.is_some()) && line.ends_with('\\');
    }
    lines.join("\n")
}

/// The path that a line announces. A comment of the file's own may begin with one.
fn path(line: &str) -> Option<&str> {
    let path = line.strip_prefix("# ").filter(|path| path.starts_with('/'))?;
    let ending = Path::new(path).extension()?;
    ((ending == "conf" || ending == "service") && !path.contains(' ')).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_not_recorded() {
        let text = "[Service]\nEnvironment=A=1 \"TOKEN=x\" \\\n  B=y \\\n  C=z\nEnvironment=\n SetCredential=k:v\n\
                    SetCredentialEncrypted=k: \\\n  abc\nExecStart=/x \\\n  Environment=is-an-argument\nPassEnvironment=HOME";
        let expected = "[Service]\nEnvironment=(not recorded)\nEnvironment=\nSetCredential=(not recorded)\n\
                        SetCredentialEncrypted=(not recorded)\nExecStart=/x \\\nEnvironment=(not recorded)\nPassEnvironment=HOME";
        assert_eq!(without_secrets(text), expected, "too much rather than too little");
    }

    #[test]
    fn each_file_of_a_unit_has_its_path_and_text() {
        let shown = "# /etc/systemd/system/x.service\n# A comment.\n[Service]\n\n# /usr/bin/x is older than this unit.\n\
                     # /etc/x.conf\nExecStart=/x\n\n# /run/systemd/system/x.service.d/90-demo.conf\n[Service]\nWatchdogSec=5\n";
        let read = files(shown).into_iter().map(|file| (file.path, file.text)).collect::<Vec<_>>();
        let expected = [
            (
                "/etc/systemd/system/x.service",
                "# A comment.\n[Service]\n\n# /usr/bin/x is older than this unit.\n# /etc/x.conf\nExecStart=/x",
            ),
            ("/run/systemd/system/x.service.d/90-demo.conf", "[Service]\nWatchdogSec=5"),
        ];
        assert_eq!(read, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
        assert_eq!(files("No files found for y.service.\n"), []);
    }
}
