//! `sd-watchdog unit`: prints a unit, or a drop-in that wraps the command of a unit that is there already.
//!
//! What is printed works: probes and timing are checked as they would be at start, and a unit that cannot be wrapped is
//! refused with what to do instead. Every directive has its reason beside it: see whole.service and drop-in.conf.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use self::directives::{Decision, Subject, decide, difference, undone};
use self::exec::{Exec, ExecError};
use self::older::Older;
use crate::cli::OnHang;
use crate::cli::{ChildPings, Line, Next, ProbeArgs, UnitArgs, WrapperArgs};
use crate::config::Config;
use crate::probe::{ProbeError, Probes};
use crate::service::children::Children;
use crate::tools::print::print;
use crate::unit::name::NotAService;
use crate::unit::words::{self, Meaning};
use crate::unit::{FilesError, Load, ManagerError, Scope, Unit, UnitName};
use crate::words::error::Error;

pub mod directives;
mod exec;
mod older;
mod options;
mod paths;
mod template;
mod wrapped;

pub use self::directives::NotWrappable;

/// Nothing that could be printed. The message says what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum UnitError {
    #[error("which COMMAND? Give it after --; for a unit that is there already: --drop-in UNIT")]
    NoCommand,
    #[error(transparent)]
    NotAService(#[from] NotAService),
    #[error("{0:?} cannot be written into a unit: it is not UTF-8")]
    NotUtf8(OsString),
    #[error("{word:?} cannot be written into a unit: there is a NUL byte in it")]
    NulByte { word: String },
    #[error(
        "{source}; --root / reads the files instead; or give COMMAND after --, then the unit need not be read"
    )]
    Manager { source: ManagerError },
    #[error("{source}; give COMMAND after --, then the unit need not be read")]
    Files { source: FilesError },
    #[error(
        "there is no {unit}{place}: is the name right? A unit of systemctl --user needs --user, one that is not installed \
         its file as UNIT; or give COMMAND after --, then the unit need not be read"
    )]
    NotFound { unit: UnitName, place: String },
    #[error("{0} is masked: systemd starts nothing of it; systemctl unmask {0}")]
    Masked(UnitName),
    #[error("systemd does not load {unit}: {why}; mend it first, systemd-analyze verify {unit} says more")]
    Refused { unit: UnitName, why: String },
    #[error(
        "{0} is transient: it is gone when it ends, and no drop-in is read for the next; put sd-watchdog into the command \
         that makes it (systemd-run … sd-watchdog … -- COMMAND), or use: sd-watchdog guard {0}"
    )]
    Transient(UnitName),
    #[error(
        "--metrics-file {}: what is sandboxed cannot write there; use --metrics-file /run/{name}/{name}.prom, for which \
         the unit makes the directory",
        path.display()
    )]
    MetricsFile { path: PathBuf, name: String },
    #[error("{unit} {}", source.instead(guard))]
    NotWrappable { unit: UnitName, guard: String, source: Box<NotWrappable> },
    #[error("{unit}: ExecStart={text}: {source}; give COMMAND after -- instead")]
    Exec { unit: UnitName, text: String, source: ExecError },
}

impl UnitError {
    /// A unit that is not wrapped.
    fn not_wrappable(unit: &Unit, source: NotWrappable) -> Self {
        Self::NotWrappable {
            unit: unit.name.clone(),
            guard: directives::guard(unit),
            source: Box::new(source),
        }
    }
}

impl From<UnitError> for Error {
    fn from(error: UnitError) -> Self {
        Self::usage(&error)
    }
}

/// What is to be printed, apart from where it comes from.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Where `sd-watchdog` is.
    pub program: &'a Path,
    /// Its options, as words.
    pub options: &'a [OsString],
    /// Those behind each `--next`, and these words with them.
    pub next_options: &'a [OsString],
    /// Where they were typed.
    pub directory: &'a Path,
    /// Whether `--watchdog-sec` is among them.
    pub is_watchdog_given: bool,
    /// What was asked for.
    pub args: &'a UnitArgs,
    /// The same behind each `--next`.
    pub next: &'a [Next],
    /// SELinux is in use where the unit runs.
    pub has_selinux: bool,
}

/// Prints what `args` ask for. The options are taken from this process's command line, as they were typed.
pub fn run(args: &UnitArgs, line: &Line) -> Result<ExitCode, Error> {
    let program =
        std::env::current_exe().map_err(|source| Error::cannot("find out where sd-watchdog is", &source))?;
    let options = options::given(&line.matches);
    let next_options = options::given_behind_next(&line.next_matches);
    let directory =
        std::env::current_dir().map_err(|source| Error::cannot("find out the current directory", &source))?;
    let is_watchdog_given = options::is_watchdog_given(&line.matches);
    let plan = Plan {
        program: &program,
        options: &options,
        next_options: &next_options,
        directory: &directory,
        is_watchdog_given,
        args,
        next: &line.next,
        has_selinux: has_selinux(args.root.as_deref()),
    };
    let text = plan.text(|| read(args.drop_in.as_deref().unwrap_or_default(), args))?;
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl Plan<'_> {
    /// The whole text; `read` has the unit.
    pub fn text(&self, read: impl FnOnce() -> Result<Unit, UnitError>) -> Result<String, Error> {
        match &self.args.drop_in {
            None => self.whole(),
            Some(unit) => self.drop_in(unit, read()),
        }
    }

    fn whole(&self) -> Result<String, Error> {
        let bound = self.check(&self.args.wrapper, self.args.watchdog_sec)?;
        let Some(program) = self.args.command.first() else { return Err(UnitError::NoCommand.into()) };
        let name = name(program);
        let mut options = paths::absolute(self.options, self.directory);
        let runtime_directory = runtime_directory(&options, &name)?;
        options.extend(paths::absolute(self.next_options, self.directory));
        let exec_start = self.command()?.wrapped(self.program, &options)?;
        let service = self.service(&exec_start, self.args.watchdog_sec, bound);
        Ok(template::whole(&name, runtime_directory.as_deref(), &service))
    }

    fn drop_in(&self, typed: &str, unit: Result<Unit, UnitError>) -> Result<String, Error> {
        // With COMMAND given, the unit need not be here.
        let command = (!self.args.command.is_empty()).then_some(self.args.command.as_slice());
        let whole = match (unit, command) {
            (Ok(unit), _) => Some(unit),
            (Err(error), None) => return Err(error.into()),
            (Err(error), Some(_)) => {
                tracing::warn!("what {typed} says itself is not known: {error}");
                None
            }
        };
        let older = whole.as_ref().map(Older::of).unwrap_or_default();
        let unit = whole.as_ref().map(|whole| older.taken_off(whole));
        let name = match &unit {
            Some(unit) => unit.name.clone(),
            None => name_of(typed)?,
        };
        let exec = match &unit {
            Some(unit) if command.is_none() => of_unit(unit)?,
            _ => self.command()?,
        };
        let typed = [self.options, self.next_options].concat();
        let subject = Subject {
            unit: unit.as_ref(),
            command,
            identifier: &exec.identifier,
            program: self.program,
            options: &typed,
            wrapper: &self.args.wrapper,
            has_selinux: self.has_selinux,
        };
        let mut decision = decide(&subject)?;
        let mut options = paths::absolute(self.options, self.directory);
        options.extend_from_slice(&decision.options);
        options.extend(paths::absolute(self.next_options, self.directory));
        let own = decision.watchdog.filter(|_| !self.is_watchdog_given);
        let watchdog = own.unwrap_or(self.args.watchdog_sec);
        let bound = self.check(&decision.wrapper, watchdog).inspect_err(|_| warn(&name, &decision))?;
        let exec_start = exec.wrapped(self.program, &options)?;
        let mut service = self.service(&exec_start, watchdog, bound);
        service.command = command.map(|_| exec.command.as_str());
        service.pings = decision.pings && decision.wrapper.child_pings == ChildPings::Require;
        let others = older.of_other_names();
        let print =
            |decision: &Decision| template::drop_in(&name, scope(self.args), &others, decision, &service);
        let text = print(&decision);
        if let Some(unit) = &unit {
            decision.named.extend(undone(unit, Path::new(template::FILE), &text));
        }
        if let Some(whole) = &whole {
            decision.named.extend(older.lost(whole, &text, self.is_watchdog_given));
        }
        for path in &others {
            tracing::warn!("{name}: the drop-in takes the place of {}: remove that", path.display());
        }
        warn(&name, &decision);
        let mut text = print(&decision);
        if let Some(unit) = unit.filter(|_| self.args.hang.dry_run) {
            let after = unit.with(Path::new(template::FILE), &text);
            text.push_str(&template::difference(&difference(&unit, &after), service.command));
        }
        Ok(text)
    }

    /// Whether it would work: within what time a hang is found, or [`None`] if that is left to systemd.
    fn check(&self, wrapper: &WrapperArgs, watchdog: Duration) -> Result<Option<Duration>, Error> {
        let UnitArgs { probes, timing, hang, .. } = self.args;
        let config = Config::new(timing, self.next, hang, wrapper, Some(watchdog))?;
        let next: Vec<Next> =
            self.next.iter().map(|next| Next { probes: here(&next.probes), ..next.clone() }).collect();
        let probes = Probes::sets(&here(probes), &next, &Children::new())?;
        if wrapper.child_pings == ChildPings::Ignore && probes[0].is_empty() {
            return Err(ProbeError::Nothing.into());
        }
        Ok(match config.on_hang {
            OnHang::Trigger if !hang.dry_run => Some(config.longest_row()),
            OnHang::Trigger | OnHang::Withhold => None,
        })
    }

    /// COMMAND, as it was given.
    fn command(&self) -> Result<Exec, UnitError> {
        Exec::of_words(&paths::program(&self.args.command, self.directory))
    }

    fn service<'s>(
        &'s self,
        exec_start: &'s str,
        watchdog: Duration,
        bound: Option<Duration>,
    ) -> template::Service<'s> {
        template::Service {
            exec_start,
            watchdog,
            pings: false,
            bound,
            secret: self.secret(),
            is_dry: self.args.hang.dry_run,
            command: None,
        }
    }

    /// The first header that should not stand in a unit, which everybody can read.
    fn secret(&self) -> Option<&str> {
        const SECRET: [&str; 3] = ["Authorization", "Proxy-Authorization", "Cookie"];
        let sets = [&self.args.probes].into_iter().chain(self.next.iter().map(|next| &next.probes));
        let mut names =
            sets.flat_map(|probes| &probes.header).filter_map(|header| Some(header.split_once(':')?.0));
        names.find(|name| SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(name)))
    }
}

/// What is in a directory of the unit's own is there when that runs, and not now.
fn here(probes: &ProbeArgs) -> ProbeArgs {
    let mut probes = probes.clone();
    let is_here = |path: &PathBuf| !paths::begins_with_specifier(&path.to_string_lossy());
    probes.header_file.retain(is_here);
    probes.data.retain(|text| !text.strip_prefix('@').is_some_and(paths::begins_with_specifier));
    #[cfg(feature = "tls")]
    {
        probes.ca_file = probes.ca_file.filter(is_here);
        if !probes.cert.iter().chain(&probes.key).all(is_here) {
            (probes.cert, probes.key) = (None, None);
        }
    }
    probes
}

/// Where in `/run` a `--metrics-file` is that the sandbox of a whole unit lets be written, if there is one.
fn runtime_directory(options: &[OsString], name: &str) -> Result<Option<String>, UnitError> {
    let given = options.windows(2).rev().find(|pair| pair[0] == "--metrics-file");
    let Some(file) = given.map(|pair| Path::new(&pair[1])) else { return Ok(None) };
    let directory = file.strip_prefix("/run").ok().and_then(Path::parent).and_then(Path::to_str);
    // What `RuntimeDirectory=` takes as it is, and what is this service's alone: systemd removes it, with all that is in it.
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./".contains(char);
    let is_own = |directory: &&str| {
        let first = directory.split('/').next();
        directory.chars().all(is_plain)
            && directory.split('/').all(|part| part != "..")
            && first == Some(name)
    };
    match directory.filter(is_own) {
        Some(directory) => Ok(Some(directory.to_owned())),
        None => Err(UnitError::MetricsFile { path: file.to_owned(), name: name.to_owned() }),
    }
}

/// What to call the service: its program's name, up to the first dot.
fn name(command: &OsStr) -> String {
    let file = Path::new(command).file_name().unwrap_or(command).to_string_lossy();
    let is_plain = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
    let name: String = file.chars().take_while(is_plain).collect();
    if name.is_empty() { "my-server".to_owned() } else { name }
}

/// The name of what was typed as UNIT: `x` is `x.service`, and so is `/etc/x.service`.
fn name_of(typed: &str) -> Result<UnitName, UnitError> {
    match typed.rsplit_once('/') {
        Some((_, name)) if name.ends_with(".service") => Ok(UnitName::new(name)?),
        Some(_) => Err(NotAService::Other(typed.to_owned()).into()),
        None => Ok(UnitName::new(typed)?),
    }
}

/// Says what is not as before.
fn warn(name: &UnitName, decision: &Decision) {
    for named in &decision.named {
        tracing::warn!("{name}: {named}");
    }
}

fn scope(args: &UnitArgs) -> Scope {
    if args.user { Scope::User } else { Scope::System }
}

/// Of another system's tree it is what that would do: selinux_config(5).
fn has_selinux(root: Option<&Path>) -> bool {
    match root.filter(|root| *root != Path::new("/")) {
        None => Path::new("/sys/fs/selinux/enforce").exists(),
        Some(root) => std::fs::read_to_string(root.join("etc/selinux/config")).is_ok_and(|text| {
            let mut modes = text.lines().rev().filter_map(|line| line.trim().strip_prefix("SELINUX="));
            modes.next().is_some_and(|mode| mode.trim() != "disabled")
        }),
    }
}

/// UNIT: from a file, from a tree, or from the systemd that runs here.
fn read(typed: &str, args: &UnitArgs) -> Result<Unit, UnitError> {
    let name = name_of(typed)?;
    let (unit, place) = if typed.contains('/') {
        (Unit::of_file(Path::new(typed)).map_err(|source| UnitError::Files { source })?, String::new())
    } else if let Some(root) = &args.root {
        let unit = Unit::of_tree(root, scope(args), &name).map_err(|source| UnitError::Files { source })?;
        (unit, format!(" in {}", root.display()))
    } else {
        let unit = Unit::of_manager(scope(args), &name).map_err(|source| UnitError::Manager { source })?;
        (unit, String::new())
    };
    usable(unit, place)
}

/// A unit's own command.
fn of_unit(unit: &Unit) -> Result<Exec, UnitError> {
    let command = directives::command(unit).map_err(|source| UnitError::not_wrappable(unit, source))?;
    Exec::of_unit(command).map_err(|source| {
        let written = unit.get("Service", "ExecStart").set_by.last();
        let text = written.map(|assignment| assignment.text.clone()).unwrap_or_default();
        UnitError::Exec { unit: unit.name.clone(), text, source }
    })
}

/// A unit that systemd would start.
fn usable(unit: Unit, place: String) -> Result<Unit, UnitError> {
    let name = unit.name.clone();
    match &unit.load {
        Load::NotFound => Err(UnitError::NotFound { unit: name, place }),
        Load::Masked => Err(UnitError::Masked(name)),
        Load::Refused(why) => Err(UnitError::Refused { unit: name, why: why.clone() }),
        Load::Loaded if unit.is_transient => Err(UnitError::Transient(name)),
        Load::Loaded => Ok(unit),
    }
}

/// `word`, so that a unit has it as it is.
fn quote(word: &OsStr, meaning: Meaning) -> Result<String, UnitError> {
    let text = word.to_str().ok_or_else(|| UnitError::NotUtf8(word.to_owned()))?;
    if text.contains('\0') {
        return Err(UnitError::NulByte { word: text.to_owned() });
    }
    Ok(words::quote(word, meaning))
}

/// Where `sd-watchdog` is, as text.
fn path(program: &Path) -> Result<&str, UnitError> {
    program.to_str().ok_or_else(|| UnitError::NotUtf8(program.as_os_str().to_owned()))
}

#[cfg(test)]
mod tests;
