//! Whether a unit is what `watchdog::unit` reads: compared with systemd itself, over units that people would not write.
//!
//! One machine has all of them, and is asked once. Half were written, each for a rule; the others are made from pieces, with
//! a seed that is printed where something differs (`HANGPROOF_UNITS_SEED` takes it).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::machine::Machine;
use harness::machine::namespace::NamespaceMachine;
use watchdog::unit::table::{Kind, TABLE};
use watchdog::unit::value;
use watchdog::unit::words::{UNQUOTED, first};
use watchdog::unit::{Load, Manager, Scope, Tree, Unit, UnitName, Value};

use crate::lab::{Backend, programs, root, version};

mod analyze;
mod corpus;

const PATIENCE: Duration = Duration::from_secs(60);

/// What `systemctl show` is asked for, beside commands.
const SHOWN: [&str; 24] = [
    "Id",
    "Names",
    "LoadState",
    "FragmentPath",
    "DropInPaths",
    "Type",
    "Restart",
    "PIDFile",
    "BusName",
    "NotifyAccess",
    "KillMode",
    "KillSignal",
    "RestartKillSignal",
    "SendSIGKILL",
    "User",
    "RootDirectory",
    "SyslogIdentifier",
    "RestartUSec",
    "TimeoutStartUSec",
    "TimeoutStopUSec",
    "TimeoutAbortUSec",
    "RuntimeMaxUSec",
    "ProtectSystem",
    "OOMPolicy",
];

/// Where this program is in the machine, and what it is told there.
const READER: &str = "/usr/local/bin/reader";
const READ: &str = "--read-units";

/// Reads the same unit in three ways, and says where they differ.
pub fn a_unit_is_read_as_systemd_reads_it(_: Backend) {
    let seed = std::env::var("HANGPROOF_UNITS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    let mut machine = NamespaceMachine::boot(&root()).expect("a machine boots");
    let tree = PathBuf::from(format!("/proc/{}/root", machine.pid().as_raw_nonzero()));
    let version = version(&machine);
    let names = corpus::write(&tree, seed, version);
    let reloaded = machine.run(&["systemctl", "daemon-reload"], PATIENCE).expect("it is there");
    assert!(reloaded.status.success(), "{reloaded:?}");
    let shown = show(&machine, &names);
    let files = Tree::open(&tree, Scope::System).expect("its files can be read");
    let mut differences = String::new();
    let mut loaded = 0;
    for (name, shown) in names.iter().zip(&shown) {
        let name = UnitName::new(name).expect("a name");
        let unit = files.unit(&name).expect("its files can be read");
        loaded += usize::from(unit.load == Load::Loaded);
        for line in against_show(&unit, shown) {
            let _ = writeln!(differences, "{name}: {line}\n    {}", corpus::describe(&unit));
        }
    }
    // systemd takes only those for its peers who are in its own pid namespace.
    let program = std::env::current_exe().and_then(std::fs::read).expect("this program");
    machine.put(READER, &program, 0o755).expect("put");
    let argv: Vec<&str> = [READER, READ].into_iter().chain(names.iter().map(String::as_str)).collect();
    let inside = machine.run(&argv, PATIENCE).expect("it runs");
    drop_ins_are_of_what_systemd_has(&machine);
    differences.push_str(&analyze::differences(&machine, &tree, seed));
    machine.close().expect("it closes");
    differences.push_str(&inside.stdout);
    let differences = unexplained(&differences, version);
    assert!(
        inside.status.success() && differences.is_empty(),
        "with HANGPROOF_UNITS_SEED={seed}:\n{differences}{}",
        inside.stderr
    );
    // Nothing differs where nothing is compared.
    let values: usize = inside.stderr.trim().parse().expect("how many");
    assert!(names.len() > 400 && loaded > 200 && values > 5_000, "{} {loaded} {values}", names.len());
}

/// Where a systemd reads otherwise: which versions, what of which unit, by a word of its name or texts. We read as the newer ones
/// do, but where it is said.
const DIFFERS: [(RangeInclusive<u32>, &str, &str); 21] = [
    // It does not know these specifiers.
    (0..=247, "", "%d %y %Y"),
    // It names what a link leads to.
    (0..=247, "FragmentPath", "l-linked"),
    // Instances that are links to another template's are no names of one another yet.
    (0..=247, "Names", "t-a@z"),
    // It leaves single dots in paths of programs.
    (0..=247, "Exec", "/./"),
    // It does not know this word.
    (0..=247, "RestrictAddressFamilies", "none"),
    // A colon is one of a directory's name.
    (0..=249, "StateDirectory", ":/"),
    (0..=249, "StateDirectory", ":\\\""),
    // So is a backslash.
    (0..=249, "StateDirectory", "\\\\"),
    // Nothing is read behind an empty word.
    (250..=256, "StateDirectory", "''"),
    (250..=256, "StateDirectory", "\\\"\\\""),
    // `ro` is none of it.
    (0..=256, "StateDirectory", "c:d:e"),
    (0..=256, "ConfigurationDirectory", "c::ro"),
    // It does not know these words.
    (0..=252, "Type", "notify-reload"),
    (0..=252, "NotifyAccess", "notify-reload"),
    (0..=253, "FailureAction", "soft-reboot"),
    (0..=256, "RestartMode", "debug"),
    (0..=260, "FileDescriptorStorePreserve", "on-success"),
    // Credentials do not make the service one of Type=exec yet.
    (0..=256, "", "Credential"),
    // From one of 258 to 262 on a definition is a word before it is split, and passed over as a whole. We read as those before.
    (258..=u32::MAX, "BindPaths", ":/bin"),
    (258..=u32::MAX, "BindPaths", ":/a$b"),
    (258..=u32::MAX, "BindPaths", ":\\\"/opt"),
];

/// What [`DIFFERS`] does not explain. A difference is a line, with the unit's texts in the next.
fn unexplained(differences: &str, version: u32) -> String {
    let mut left = String::new();
    let mut lines = differences.lines().peekable();
    while let Some(line) = lines.next() {
        let texts = lines.next_if(|next| next.starts_with("    ")).unwrap_or_default();
        let (name, what) = line.split_once(": ").unwrap_or((line, ""));
        let is_explained = DIFFERS.iter().any(|(versions, of, word)| {
            versions.contains(&version)
                && what.starts_with(of)
                && (name.contains(word) || texts.contains(word))
        });
        if !is_explained {
            let _ = writeln!(left, "{line}\n{texts}");
        }
    }
    left
}

/// What `sd-watchdog unit --drop-in` prints, with a manager.
fn drop_ins_are_of_what_systemd_has(machine: &NamespaceMachine) {
    let sh = |command: &str| machine.run(&["sh", "-c", command], PATIENCE).expect("the shell runs");
    let content = std::fs::read(programs().path("sd-watchdog")).expect("it is built");
    machine.put("/usr/local/bin/sd-watchdog", &content, 0o755).expect("put");
    let unit = "SYSTEMD_COLORS=1 sd-watchdog unit --http http://127.0.0.1/ --drop-in";
    let directory = "/etc/systemd/system/w001.service.d";
    let printed = sh(&format!("{unit} w001"));
    assert!(printed.status.success() && printed.stdout.contains("    -- /bin/new\n"), "{printed:?}");
    // The shell has emptied the file before it is read, and systemd has not read it yet; then it has.
    let again = format!("{unit} w001 >{directory}/zz-watchdog.conf && cat {directory}/zz-watchdog.conf");
    for command in [
        again.clone(),
        format!("systemctl daemon-reload && {again}"),
        format!("systemctl daemon-reload && {unit} w001"),
    ] {
        let output = sh(&command);
        assert_eq!(output.stdout, printed.stdout, "{command}: {output:?}");
    }
    let template = sh(&format!("{unit} t-a@"));
    assert!(template.stdout.contains("    -- /bin/a %i %I %f %p %j %N\n"), "{template:?}");
    let transient = sh("systemd-run --quiet --unit passing sleep 1000");
    assert!(transient.status.success(), "{transient:?}");
    for (name, expected) in [
        ("absent", "there is no absent.service: is the name right?"),
        ("m-masked", "m-masked.service is masked: "),
        ("w000@.socket", "\"w000@.socket\" is not a service"),
        ("passing", "passing.service is transient: "),
        // A quote that is not closed.
        ("w029", "systemd does not load w029.service: "),
    ] {
        let output = sh(&format!("{unit} {name}"));
        let said = output.stderr.trim_start_matches("sd-watchdog: ").to_owned();
        assert!(
            output.status.code() == Some(2) && output.stdout.is_empty() && said.starts_with(expected),
            "{name}: {output:?}"
        );
    }
    sh("systemctl stop passing");
}

/// In the machine: what differs between the files' words and the manager's, and how many values were compared. Whether it was
/// this that the program was started for.
pub fn read_in_the_machine() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, names @ ..] = &arguments[..] else { return false };
    if first != READ {
        return false;
    }
    let manager = Manager::connect(Scope::System).expect("systemd lets root in");
    let files = Tree::open(Path::new("/"), Scope::System).expect("its files can be read");
    let mut values = 0;
    for name in names {
        let name = UnitName::new(name).expect("a name");
        let of_tree = files.unit(&name).expect("its files can be read");
        match manager.unit(&name) {
            Ok(of_manager) => {
                for line in against_manager(&of_tree, &of_manager, &mut values) {
                    println!("{name}: {line}\n    {}", corpus::describe(&of_tree));
                }
            }
            Err(error) => println!("{name}: {error}\n    {}", corpus::describe(&of_tree)),
        }
    }
    eprintln!("{values}");
    true
}

/// One call for all; of each property the values in their order.
fn show(machine: &NamespaceMachine, names: &[String]) -> Vec<BTreeMap<String, Vec<String>>> {
    let properties = SHOWN.join(",") + ",ExecStart,ExecReload,ExecStop";
    let mut argv = vec!["systemctl", "show", "--all", "--property", &properties, "--"];
    argv.extend(names.iter().map(String::as_str));
    let output = machine.run(&argv, PATIENCE).expect("it is there");
    let blocks = output.stdout.split("\n\n").map(|block| {
        let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in block.lines().filter_map(|line| line.split_once('=')) {
            shown.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        shown
    });
    let blocks: Vec<_> = blocks.filter(|block| !block.is_empty()).collect();
    assert_eq!(blocks.len(), names.len(), "{}", output.stderr);
    blocks
}

/// A list as it shows one: what has a backslash in it is quoted.
fn unquoted(shown: &str) -> Vec<String> {
    let (mut rest, mut words) = (shown, Vec::new());
    while let Ok(Some(word)) = first(&mut rest, UNQUOTED) {
        words.push(String::from_utf8(word.bytes).expect("text"));
    }
    words
}

/// What differs between a unit and `systemctl show`.
fn against_show(unit: &Unit, shown: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let shown = |name: &str| {
        shown.get(name).and_then(|values| values.first()).map(String::as_str).unwrap_or_default()
    };
    let mut found = Vec::new();
    let mut differ = |what: &str, ours: &str, theirs: &str| {
        if ours != theirs {
            found.push(format!("{what}: {ours:?}, systemctl show: {theirs:?}"));
        }
    };
    let load = match &unit.load {
        Load::Loaded => "loaded",
        Load::Masked => "masked",
        Load::NotFound => "not-found",
        Load::Refused(_) => "refused",
    };
    let load_state = shown("LoadState");
    differ(
        "LoadState",
        load,
        if matches!(load_state, "bad-setting" | "error") { "refused" } else { load_state },
    );
    differ("Id", unit.name.as_str(), shown("Id"));
    let names: BTreeSet<String> = unquoted(shown("Names")).into_iter().collect();
    let ours: BTreeSet<String> = unit.names.iter().cloned().collect();
    if load == "loaded" {
        differ("Names", &format!("{ours:?}"), &format!("{names:?}"));
    }
    if load != "loaded" {
        return found;
    }
    let paths: Vec<String> = unit.files.iter().map(|file| file.path.display().to_string()).collect();
    differ("FragmentPath", paths.first().map(String::as_str).unwrap_or_default(), shown("FragmentPath"));
    // It names a directory by what a link leads to, and what is no file too: that counts for nothing.
    let file_name = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_file = |path: &String| {
        !path.ends_with("f-two.service.d/80.conf") && !path.contains("x-linked2.service.d/1.conf")
    };
    let theirs: Vec<String> = unquoted(shown("DropInPaths")).into_iter().filter(is_file).collect();
    let ours = paths.get(1..).unwrap_or_default().to_vec();
    if unit.name.as_str() == "x-linked.service" {
        let names = |paths: &[String]| paths.iter().map(file_name).collect::<Vec<_>>().join(" ");
        differ("DropInPaths", &names(&ours), &names(&theirs));
    } else {
        differ("DropInPaths", &ours.join(" "), &theirs.join(" "));
    }
    for property in &SHOWN[5..] {
        let name = property.strip_suffix("USec").map_or((*property).to_owned(), |stem| format!("{stem}Sec"));
        let value = unit.value(&name);
        if matches!(value, Some(Value::Unresolved(_))) {
            continue;
        }
        let theirs = shown(property);
        match value {
            Some(Value::Time(time)) => {
                let theirs_read = value::time(theirs);
                differ(&name, &format!("{:?}", Some(*time)), &format!("{theirs_read:?}"));
            }
            Some(Value::Signal(number)) => differ(&name, &number.to_string(), theirs),
            Some(Value::Text(text)) => differ(&name, text, theirs),
            Some(value) => differ(&name, &value.to_string(), theirs),
            None => differ(&name, "", theirs),
        }
    }
    found
}

/// What differs between the files' words and the manager's.
fn against_manager(of_tree: &Unit, of_manager: &Unit, values: &mut usize) -> Vec<String> {
    let mut found = Vec::new();
    let kind = |load: &Load| std::mem::discriminant(load);
    if kind(&of_tree.load) != kind(&of_manager.load) {
        found.push(format!("{:?}, the manager: {:?}", of_tree.load, of_manager.load));
    }
    if of_tree.load != Load::Loaded || of_manager.load != Load::Loaded {
        return found;
    }
    for row in TABLE.iter().filter(|row| row.property.is_some()) {
        let (ours, theirs) = (of_tree.get(row.section, row.name), of_manager.get(row.section, row.name));
        // What nobody says is nobody's.
        if ours.value.is_none()
            && !ours.is_set()
            && of_manager.is_told(row.section, row.name)
            && is_own_default(row.name)
        {
            continue;
        }
        *values += usize::from(of_manager.is_told(row.section, row.name));
        let is_same = match (ours.value, theirs.value) {
            (Some(Value::Unresolved(_)), _) => true,
            (Some(Value::Commands(ours)), Some(Value::Commands(theirs))) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| ours.fits(theirs))
            }
            // The manager has no links in this property, and an order of its own.
            (Some(Value::List(ours)), Some(Value::List(theirs))) if row.kind == Kind::Directories => {
                let names = |list: &[String]| -> BTreeSet<String> {
                    list.iter().filter_map(|entry| entry.split(':').next()).map(str::to_owned).collect()
                };
                names(ours) == names(theirs)
            }
            // To deny nothing is to say nothing.
            (Some(Value::List(ours)), None) => ours[..] == ["~"],
            (ours, theirs) => ours == theirs,
        };
        if !is_same {
            found.push(format!("{}: {:?}, the manager: {:?}", row.name, ours.value, theirs.value));
        }
        if ours.set_by != theirs.set_by {
            found.push(format!("{} is set by {:?}, and by {:?}", row.name, ours.set_by, theirs.set_by));
        }
    }
    found
}

/// Defaults that system.conf, or a newer systemd, has and no table.
fn is_own_default(name: &str) -> bool {
    ["StartLimit", "Slice", "Memory", "Restart", "TTYPath", "Log", "Action"]
        .iter()
        .any(|part| name.contains(part))
        || matches!(
            name,
            "RefuseManualStart"
                | "RefuseManualStop"
                | "StopWhenUnneeded"
                | "DefaultDependencies"
                | "Delegate"
        )
}

/// Where a path of the machine's is here.
pub(crate) fn below(tree: &Path, path: &str) -> PathBuf {
    tree.join(path.trim_start_matches('/'))
}
