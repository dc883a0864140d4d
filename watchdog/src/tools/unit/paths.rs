//! Paths as a unit needs them. What is typed is meant relative to where it is typed; a unit runs in `/`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Options that name a file, and what stands in front of the path.
const FILES: [(&str, &str); 9] = [
    ("--ca-file", ""),
    ("--cert", ""),
    ("--key", ""),
    ("--data", "@"),
    ("--header-file", ""),
    ("--metrics-file", ""),
    ("--unix", ""),
    ("--http-unix", ""),
    ("--grpc", "unix:"),
];
/// Options that name a command.
const COMMANDS: [&str; 2] = ["--exec", "--on-hang-exec"];

/// `options` with their paths made absolute, from `directory`.
pub fn absolute(options: &[OsString], directory: &Path) -> Vec<OsString> {
    let mut absolute: Vec<OsString> = Vec::with_capacity(options.len());
    for word in options {
        let (name, value, glue) = match (absolute.last().and_then(|name| name.to_str()), word.to_str()) {
            // `--unix=-x`: its value begins with a dash.
            (_, Some(both)) if both.starts_with("--") => match both.split_once('=') {
                Some((name, value)) => (name, OsStr::new(value), true),
                None => ("", word.as_ref(), false),
            },
            (Some(name), _) => (name, word.as_ref(), false),
            (None, _) => ("", word.as_ref(), false),
        };
        let changed = match value_of(name, value, directory) {
            Some(value) if glue => {
                let mut both = OsString::from(format!("{name}="));
                both.push(value);
                both
            }
            Some(value) => value,
            None => word.clone(),
        };
        absolute.push(changed);
    }
    absolute
}

/// Whether `value`, which stands behind the option `name` or has it in it, is a file in one of a unit's own directories, like
/// `%d/headers`: where that is, systemd says when it starts the unit.
pub fn has_specifier(name: Option<&OsString>, value: &OsStr) -> bool {
    let Some(text) = value.to_str() else { return false };
    let (name, path) = match text.split_once('=') {
        Some((name, path)) if text.starts_with("--") => (name, path),
        _ => (name.and_then(|name| name.to_str()).unwrap_or_default(), text),
    };
    let front =
        FILES.iter().find(|(option, _)| *option == name).and_then(|(_, front)| path.strip_prefix(front));
    front.is_some_and(begins_with_specifier)
}

/// systemd.unit(5): the specifiers that are directories.
pub fn begins_with_specifier(path: &str) -> bool {
    let mut bytes = path.bytes();
    bytes.next() == Some(b'%')
        && bytes.next().is_some_and(|letter| b"CdEhLStTVY".contains(&letter))
        && bytes.next() == Some(b'/')
}

/// COMMAND, the program of which is looked up where there is no slash in it.
pub fn program(command: &[OsString], directory: &Path) -> Vec<OsString> {
    let mut command = command.to_vec();
    if let Some(program) = command.first_mut()
        && let Some(absolute) = looked_up_or(program, directory)
    {
        *program = absolute;
    }
    command
}

/// The value in place of `value`, if that is to change.
fn value_of(name: &str, value: &OsStr, directory: &Path) -> Option<OsString> {
    if let Some((_, front)) = FILES.iter().find(|(option, _)| *option == name) {
        let path = value.as_bytes().strip_prefix(front.as_bytes())?;
        if begins_with_specifier(&String::from_utf8_lossy(path)) {
            return None;
        }
        // @ begins an abstract socket's name.
        if path.is_empty() || path.starts_with(b"/") || (path.starts_with(b"@") && !is_file(name)) {
            return None;
        }
        let path = from(directory, OsStr::from_bytes(path));
        return Some(OsString::from_vec([front.as_bytes(), path.as_bytes()].concat()));
    }
    if !COMMANDS.contains(&name) {
        return None;
    }
    let mut words = shlex::split(value.to_str()?)?;
    let program = looked_up_or(OsStr::new(words.first()?), directory)?.into_string().ok()?;
    // There %p is the service.
    words[0] = if name == "--exec" { program } else { program.replace('%', "%%") };
    shlex::try_join(words.iter().map(String::as_str)).ok().map(Into::into)
}

/// And no socket.
fn is_file(name: &str) -> bool {
    name.ends_with("-file") || ["--cert", "--key"].contains(&name)
}

fn looked_up_or(program: &OsStr, directory: &Path) -> Option<OsString> {
    let is_relative = program.as_bytes().contains(&b'/') && !program.as_bytes().starts_with(b"/");
    is_relative.then(|| from(directory, program))
}

/// Without the `./` in front that people write.
fn from(directory: &Path, path: &OsStr) -> OsString {
    directory.join(Path::new(path)).components().collect::<std::path::PathBuf>().into_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn what_is_relative_is_so_to_where_it_was_typed() {
        let directory = Path::new("/srv/my app");
        for (option, value, expected) in [
            ("--ca-file", "ca.pem", "/srv/my app/ca.pem"),
            ("--ca-file", "/etc/ca.pem", "/etc/ca.pem"),
            ("--header-file", "%d/headers", "%d/headers"),
            ("--data", "@query", "@/srv/my app/query"),
            ("--data", "@%d/query", "@%d/query"),
            ("--data", "query", "query"),
            ("--cert", "%d/cert", "%d/cert"),
            ("--cert", "cert.pem", "/srv/my app/cert.pem"),
            ("--key", "%d/key", "%d/key"),
            ("--key", "key.pem", "/srv/my app/key.pem"),
            ("--header-file", "%x/headers", "/srv/my app/%x/headers"),
            ("--http-unix", "%t/a/x.sock:/healthz", "%t/a/x.sock:/healthz"),
            ("--header-file", "./headers", "/srv/my app/headers"),
            ("--metrics-file", "../x.prom", "/srv/my app/../x.prom"),
            ("--metrics-file", "@x.prom", "/srv/my app/@x.prom"),
            ("--unix", "run/x.sock", "/srv/my app/run/x.sock"),
            ("--unix", "@x", "@x"),
            ("--http-unix", "x.sock:/healthz", "/srv/my app/x.sock:/healthz"),
            ("--http-unix", "/run/x.sock:/healthz", "/run/x.sock:/healthz"),
            ("--grpc", "unix:x.sock:my.Service", "unix:/srv/my app/x.sock:my.Service"),
            ("--grpc", "unix:///run/x.sock", "unix:///run/x.sock"),
            ("--grpc", "127.0.0.1:50051/my.Service", "127.0.0.1:50051/my.Service"),
            ("--exec", "redis-cli 'a b'", "redis-cli 'a b'"),
            ("--exec", "/bin/check a/b", "/bin/check a/b"),
            ("--exec", "./check a/b", "'/srv/my app/check' a/b"),
            ("--on-hang-exec", "bin/trace %p", "'/srv/my app/bin/trace' '%p'"),
            ("--body", "./x", "./x"),
            ("--http", "http://a/./x", "http://a/./x"),
        ] {
            let made = absolute(&words(&["--verbose", option, value]), directory);
            assert_eq!(made, words(&["--verbose", option, expected]), "{option} {value}");
        }
        let made = absolute(&words(&["--unix=-x", "--body=-a"]), directory);
        assert_eq!(made, words(&["--unix=/srv/my app/-x", "--body=-a"]));
    }

    #[test]
    fn a_program_without_a_slash_is_looked_up_and_arguments_are_its_own() {
        for (program, expected) in [("server", "server"), ("/bin/a", "/bin/a"), ("bin/a", "/srv/bin/a")] {
            let made = super::program(&words(&[program, "./data"]), Path::new("/srv"));
            assert_eq!(made, words(&[expected, "./data"]));
        }
    }
}
