//! `ExecStart=` with `sd-watchdog` in front. What is COMMAND's stays as it was written, with its quotes, variables and
//! specifiers.

use std::ffi::OsString;
use std::path::Path;

use super::paths;
use super::wrapped::Wrapped;
use super::{UnitError, path, quote};
use crate::unit::words::Meaning;
use crate::unit::{Command, Word};

/// A command line in a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// What stands in front of the program: `-`, `:`, `+`, `!`, `!!`.
    prefix: String,
    /// Program and arguments, as a unit has them.
    pub command: String,
    /// What the program is called, without its directories, as a unit has it.
    pub identifier: String,
    /// `$` begins a variable: not under the prefix `:`.
    has_variables: bool,
}

/// A command line that cannot be wrapped as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    #[error("with the prefix @ its first argument is not its own name, which sd-watchdog cannot arrange")]
    ArgumentZero,
    #[error("with the prefix | a shell reads it, which quotes in another way than units do")]
    Shell,
}

impl Exec {
    /// From plain words.
    pub fn of_words(words: &[OsString]) -> Result<Self, UnitError> {
        let meaning = Meaning { percent_is_literal: true, dollar_is_literal: true };
        let quoted: Result<Vec<_>, _> = words.iter().map(|word| quote(word, meaning)).collect();
        let program = words.first().map(OsString::as_os_str).unwrap_or_default();
        let identifier = base_name(&program.to_string_lossy()).replace('%', "%%");
        Ok(Self { prefix: String::new(), command: quoted?.join(" "), identifier, has_variables: true })
    }

    /// From a unit's own. One that is wrapped already is unwrapped first.
    pub fn of_unit(command: &Command) -> Result<Self, ExecError> {
        if command.argument_zero.is_some() {
            return Err(ExecError::ArgumentZero);
        }
        if command.flags.is_by_shell {
            return Err(ExecError::Shell);
        }
        let has_variables = !command.flags.has_no_variables;
        let behind = Wrapped::of(command).map(|wrapped| wrapped.command);
        let program = behind.is_none().then(|| as_argument(&command.program, has_variables));
        let arguments = behind.unwrap_or(&command.arguments).iter().map(|word| word.written.clone());
        let words: Vec<String> = program.into_iter().chain(arguments).collect();
        let identifier = match behind {
            // There a dollar is two.
            Some([word, ..]) => identifier(word).replace("$$", "$"),
            _ => identifier(&command.program),
        };
        Ok(Self { prefix: command.flags.prefix(), command: words.join(" "), identifier, has_variables })
    }

    /// `sd-watchdog OPTIONS -- COMMAND`, an option a line.
    pub fn wrapped(&self, program: &Path, options: &[OsString]) -> Result<String, UnitError> {
        let literal = Meaning { percent_is_literal: true, dollar_is_literal: true };
        let mut line = self.prefix.clone();
        // A program's own name is not looked at for variables.
        line.push_str(&quote(path(program)?.as_ref(), Meaning { dollar_is_literal: false, ..literal })?);
        let mut name: Option<&OsString> = None;
        for option in options {
            let is_name = option.as_encoded_bytes().starts_with(b"--");
            line.push_str(if is_name { " \\\n    " } else { " " });
            // The unit's own directories, which are known when it is started.
            let is_specifier = paths::has_specifier(name, option);
            let meaning =
                Meaning { percent_is_literal: !is_specifier, dollar_is_literal: self.has_variables };
            line.push_str(&quote(option, meaning)?);
            name = Some(option);
        }
        line.push_str(" \\\n    -- ");
        line.push_str(&self.command);
        Ok(line)
    }
}

/// Of what is not known yet the specifiers stay.
fn identifier(program: &Word) -> String {
    let text = program.text.to_string_lossy();
    let name = base_name(&text);
    if program.is_known() { name.replace('%', "%%") } else { name.to_owned() }
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').find(|part| !part.is_empty()).unwrap_or(program)
}

/// A program is not looked at for variables; as an argument it will be.
fn as_argument(program: &Word, has_variables: bool) -> String {
    let count = |text: &str| text.matches('$').count();
    let text = program.text.to_string_lossy();
    if !has_variables || !text.contains('$') {
        return program.written.clone();
    }
    // It may be written as \x24.
    if count(&program.written) == count(&text) {
        return program.written.replace('$', "$$");
    }
    crate::unit::words::quote(&program.text, Meaning { percent_is_literal: true, dollar_is_literal: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{Unit, UnitName};

    fn wrapped(text: &str) -> Result<String, ExecError> {
        let options =
            ["--header", "A: $b", "--header-file", "%d/headers", "--data", "@%d/query", "--data", "%d/x"];
        let options = options.map(OsString::from);
        let name = UnitName::new("a").expect("a name");
        let unit = Unit::of_texts(&name, [("/a", format!("[Service]\nExecStart={text}\n").as_bytes())]);
        let exec = Exec::of_unit(&unit.commands("ExecStart")[0])?;
        Ok(exec.wrapped(Path::new("/opt/my tools/sd-watchdog"), &options).expect("text"))
    }

    #[test]
    fn what_was_written_stays_as_it_was_behind_the_wrapper() {
        for (text, prefix, dollar, command) in [
            ("/usr/bin/server", "", "$$", "/usr/bin/server"),
            ("/usr/bin/server  -a \"b c\" ", "", "$$", "/usr/bin/server -a \"b c\""),
            ("-/usr/bin/server $OPTIONS ${X} %i", "-", "$$", "/usr/bin/server $OPTIONS ${X} %i"),
            ("-+/usr/bin/server", "-+", "$$", "/usr/bin/server"),
            (":/usr/bin/server $X", ":", "$", "/usr/bin/server $X"),
            ("!!/usr/bin/server", "!!", "$$", "/usr/bin/server"),
            ("/opt/a$b/server 'x ; y' \\; -- z", "", "$$", "/opt/a$$b/server 'x ; y' \\; -- z"),
            ("/opt/a\\x24b/server", "", "$$", "/opt/a$$b/server"),
            (":/opt/a$b/server", ":", "$", "/opt/a$b/server"),
            ("\"/opt/my server/bin\" x", "", "$$", "\"/opt/my server/bin\" x"),
            ("\"-/opt/my server/bin\" x", "-", "$$", "\"/opt/my server/bin\" x"),
            ("/bin/a \\\n  'b\\n' \\\n# comment\n c", "", "$$", "/bin/a 'b\\n' c"),
            // Its own work, done again.
            ("/opt/sd-watchdog --http x \\; -- /bin/a -- \"b -- c\"", "", "$$", "/bin/a -- \"b -- c\""),
        ] {
            let expected = format!(
                "{prefix}\"/opt/my tools/sd-watchdog\" \\\n    --header \"A: {dollar}b\" \\\n    --header-file \
                 %d/headers \\\n    --data @%d/query \\\n    --data %%d/x \\\n    -- {command}"
            );
            assert_eq!(wrapped(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_wrapped_is_refused() {
        for (text, expected) in [
            ("@/usr/bin/server other", ExecError::ArgumentZero),
            ("-@/usr/bin/server other", ExecError::ArgumentZero),
            ("|/bin/server", ExecError::Shell),
        ] {
            assert_eq!(wrapped(text), Err(expected), "{text}");
        }
    }
}
