//! The signals by which a unit is stopped and has its service reload: `KillSignal=`, and `kill -SIG $MAINPID` in its commands.

use std::ffi::OsStr;
use std::path::Path;

use nix::libc::{SIGABRT, SIGCHLD, SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM};

use super::facts::Facts;
use super::refused::NoSignal;
use crate::service::signals;
use crate::unit::{Assigned, Command, Fault, Value};

/// What commands do with `$MAINPID`, which is `sd-watchdog`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MainPid {
    /// The signals that it gets by kill(1), which are passed on.
    pub signals: Vec<i32>,
    /// It is used in another way too.
    pub is_used_otherwise: bool,
}

impl MainPid {
    /// Of the commands of one directive.
    pub fn of(commands: &[Command]) -> Self {
        let mut found = Self::default();
        for command in commands {
            let words = [&command.program].into_iter().chain(&command.arguments);
            let words: Vec<String> = words.map(|word| word.text.to_string_lossy().into_owned()).collect();
            match script(&words) {
                Some(script) => found.look(&script_words(script)),
                None => found.look(&words),
            }
        }
        found
    }

    fn look(&mut self, words: &[String]) {
        let mut others = words.iter().filter(|word| word.contains("MAINPID")).count();
        for (index, _) in words.iter().enumerate().filter(|(_, word)| name(word.as_ref()) == "kill") {
            let Some((signal, operands)) = kill(&words[index + 1..]) else { continue };
            let is_main = |word: &&String| matches!(word.as_str(), "$MAINPID" | "${MAINPID}");
            let main = operands.iter().take_while(|word| *word != ";").filter(is_main).count();
            // Whether the process is there is a question about us too, who are as long as the service is.
            if main > 0 && signal != 0 {
                self.signals.push(signal);
            }
            others = others.saturating_sub(main);
        }
        self.is_used_otherwise |= others > 0;
    }

    /// It is used at all.
    pub fn is_used(&self) -> bool {
        !self.signals.is_empty() || self.is_used_otherwise
    }
}

/// What a shell is to do, by `sh -ec …`, `bash -o pipefail -c …` or the like, also behind env(1).
fn script(words: &[String]) -> Option<&str> {
    const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];
    let is_in_front = |index: usize, word: &str| match index {
        0 => matches!(&*name(word.as_ref()), "env" | "busybox"),
        _ => word.starts_with('-') || word.contains('='),
    };
    let mut index = 0;
    while words.get(index).is_some_and(|word| is_in_front(index, word)) {
        index += 1;
    }
    let mut words = words[index..].iter().map(String::as_str);
    words.next().filter(|shell| SHELLS.contains(&&*name(shell.as_ref())))?;
    let mut is_script = false;
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix(['-', '+']).filter(|letters| !letters.is_empty()) else {
            return is_script.then_some(word);
        };
        if letters == "-" {
            return words.next().filter(|_| is_script);
        }
        if !letters.starts_with('-') {
            is_script |= word.starts_with('-') && letters.contains('c');
            // It has a word of its own.
            if letters.contains(['o', 'O']) {
                words.next();
            }
        }
    }
    None
}

fn name(program: &OsStr) -> String {
    Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The words of a shell's script, as far as kill(1) is concerned: what separates commands is a word `;`.
fn script_words(script: &str) -> Vec<String> {
    // In a unit `$$` is a dollar.
    let script = script.replace("$$", "$").replace([';', '&', '|', '\n', '(', ')'], " ; ");
    shlex::split(&script).unwrap_or_else(|| script.split_whitespace().map(ToOwned::to_owned).collect())
}

/// The signal that kill(1) with these arguments sends, and to whom; [`None`], if it is not known here.
fn kill(arguments: &[String]) -> Option<(i32, &[String])> {
    let number = |name: &str| if name == "0" { Some(0) } else { signals::number(name) };
    let mut signal = SIGTERM;
    let mut rest = arguments;
    while let [word, after @ ..] = rest {
        let option = word.strip_prefix('-').filter(|option| !option.is_empty());
        match option {
            None => break,
            Some("-") => return Some((signal, after)),
            Some("s" | "n" | "-signal") => {
                signal = number(after.first()?)?;
                rest = after.get(1..)?;
            }
            // A process group.
            Some(group) if group.contains("MAINPID") => break,
            Some(option) => {
                let name = option.strip_prefix("-signal=").unwrap_or(option);
                signal = number(name).or_else(|| number(name.strip_prefix('s')?))?;
                rest = after;
            }
        }
    }
    Some((signal, rest))
}

/// What stops the unit besides SIGTERM, of what a process sees. A signal that has it reload as well, by the unit or as it is
/// `typed`, is none for `ExecStop=`'s sake: a reload would be the end, and of a stop by `ExecStop=` systemd knows.
pub fn that_stop(facts: Facts<'_>, typed: Option<&str>) -> Vec<i32> {
    let set = ["KillSignal", "RestartKillSignal"].iter().filter_map(|name| facts.0.value(name)?.signal());
    let reloads = sent_in_reload(facts);
    let is_reload =
        |number: &i32| reloads.contains(number) || typed.and_then(signals::number) == Some(*number);
    let by_commands = MainPid::of(facts.0.commands("ExecStop")).signals;
    let mut numbers: Vec<i32> = Vec::new();
    for number in set.chain(by_commands.into_iter().filter(|number| !is_reload(number))) {
        let is_seen = ![SIGTERM, SIGKILL, SIGSTOP, SIGCONT, SIGCHLD].contains(&number);
        if is_seen && !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

/// What systemd has the service sent in a reload.
pub fn sent_in_reload(facts: Facts<'_>) -> Vec<i32> {
    let by_systemd = facts.0.value("ReloadSignal").filter(|_| facts.kind() == "notify-reload");
    let by_commands =
        ["ExecReload", "ExecReloadPost"].map(|name| MainPid::of(facts.0.commands(name)).signals);
    by_systemd.and_then(Value::signal).into_iter().chain(by_commands.into_iter().flatten()).collect()
}

/// What has it reload, and is announced to systemd: that of `notify-reload`; of those in `ExecReload=` SIGHUP, which is one unless it
/// is said, or else the last. None of those that `stop`.
pub fn that_reloads(facts: Facts<'_>, stop: &[i32]) -> Option<i32> {
    let does_not_stop = |signal: &i32| !stop.contains(signal);
    if facts.kind() == "notify-reload" {
        return facts.0.value("ReloadSignal").and_then(Value::signal).filter(does_not_stop);
    }
    let mut signals = that_may_reload(facts);
    signals.retain(does_not_stop);
    if signals.contains(&SIGHUP) { Some(SIGHUP) } else { signals.last().copied() }
}

/// The signals of `ExecReload=` that do not end a process, in their order.
pub fn that_may_reload(facts: Facts<'_>) -> Vec<i32> {
    let mut signals = MainPid::of(facts.0.commands("ExecReload")).signals;
    signals.retain(|signal| ![SIGABRT, SIGKILL, SIGSTOP, SIGCONT, SIGCHLD, SIGTERM].contains(signal));
    signals
}

/// Some signal reaches `sd-watchdog` alone, and has to be passed on.
pub fn have_to_be_passed_on(facts: Facts<'_>) -> bool {
    let is_used = |name| MainPid::of(facts.0.commands(name)).is_used();
    facts.kind() == "notify-reload"
        || matches!(facts.text("KillMode"), Some("mixed" | "process"))
        || ["ExecReload", "ExecReloadPost", "ExecStop"].into_iter().any(is_used)
}

/// A signal as an option has it.
pub fn option(number: i32) -> String {
    let name = signals::name(number);
    // Of those that glibc keeps for itself there are only numbers.
    if signals::number(&name) == Some(number) { name } else { number.to_string() }
}

/// Of those that are set, one that is none, and that no later one takes the place of.
pub fn that_is_none(facts: Facts<'_>) -> Option<NoSignal> {
    for (index, file) in facts.0.files.iter().enumerate() {
        for complaint in &file.complaints {
            let Fault::Value { key, .. } = &complaint.fault else { continue };
            let counts = match key.as_str() {
                "KillSignal" | "RestartKillSignal" => true,
                "ReloadSignal" => facts.kind() == "notify-reload",
                _ => false,
            };
            let is_here = |assigned: &&Assigned| assigned.line == complaint.line && assigned.key == *key;
            let assigned = facts.0.assigned(&file.path).iter().find(is_here);
            let last = facts.0.get("Service", key).set_by.last();
            let is_replaced = last.is_some_and(|last| (last.file, last.line) > (index, complaint.line));
            // An empty value counts as none said.
            let value = assigned.map(|assigned| assigned.value.clone()).filter(|value| !value.is_empty());
            if let Some(value) = value.filter(|_| counts && !is_replaced) {
                let place = format!("{}:{}", file.path.display(), complaint.line);
                return Some(NoSignal { what: key.clone(), value, place });
            }
        }
    }
    None
}
