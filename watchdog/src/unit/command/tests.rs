use std::fmt::Write;

use super::*;
use crate::unit::{Scope, UnitName};

fn parsed(value: &str) -> Parsed {
    let name = UnitName::new("a-b@c").expect("a name");
    parse(value, Subject { name: &name, scope: Scope::System, fragment: None })
}

/// `PREFIXES PROGRAM [ZERO] | ARGUMENT | …`, a command a line.
fn shown(commands: &[Command]) -> Vec<String> {
    let show = |command: &Command| {
        let mut text = format!("{}{}", command.flags.prefix(), command.program.text.display());
        if let Some(zero) = &command.argument_zero {
            write!(text, " [{}]", zero.text.display()).expect("a string takes all");
        }
        command.arguments.iter().fold(text, |text, word| format!("{text}|{}", word.text.display()))
    };
    commands.iter().map(show).collect()
}

#[test]
fn command_lines_are_read_as_systemd_reads_them() {
    for (value, expected) in [
        ("/bin/a b c", &["/bin/a|b|c"][..]),
        ("/bin/a 'b c' \"d\\\"e\" '' x'y'z", &["/bin/a|b c|d\"e||xyz"]),
        ("\"/opt/my tools/a\" b", &["/opt/my tools/a|b"]),
        ("\"-/opt/my tools/a\" b", &["-/opt/my tools/a|b"]),
        ("\\x2d/bin/a", &["-/bin/a"]),
        ("a b", &["a|b"]),
        ("/bin//a/./b", &["/bin/a/b"]),
        ("-:/bin/a $B ${C} $$", &["-:/bin/a|$B|${C}|$$"]),
        ("+/bin/a", &["+/bin/a"]),
        ("!/bin/a", &["!/bin/a"]),
        ("!!/bin/a", &["!!/bin/a"]),
        ("|/bin/a", &["|/bin/a"]),
        ("@/bin/a zero one", &["/bin/a [zero]|one"]),
        ("-@/bin/a zero", &["-/bin/a [zero]"]),
        ("@/bin/a ''", &["/bin/a []"]),
        ("/bin/%i %p-%i 100%% %H", &["/bin/c|a-b-c|100%|%H"]),
        ("/bin/a ; /bin/b c ; ; -/bin/d", &["/bin/a", "/bin/b|c", "-/bin/d"]),
        ("/bin/a \\; ';' x; ;x", &["/bin/a|;|;|x;|;x"]),
        ("; /bin/a ;", &["/bin/a"]),
        ("/bin/a b\\d", &["/bin/a|b\\d"]),
        ("/bin/a\tb", &["/bin/a|b"]),
        ("/bin/a\u{a0}b", &["/bin/a\u{a0}b"]),
        // Variables are not for the program.
        ("/bin/$A", &["/bin/$A"]),
    ] {
        let parsed = parsed(value);
        assert_eq!(
            (shown(&parsed.commands), parsed.fault),
            (expected.iter().map(|s| (*s).to_owned()).collect(), None),
            "{value}"
        );
    }
}

#[test]
fn what_is_wrong_in_a_line_is_fatal_unless_failures_are_ignored() {
    for (value, before, is_fatal) in [
        ("/bin/a 'b", 0, true),
        ("-/bin/a 'b", 0, false),
        // Of the first word systemd only says it.
        ("'/bin/a b", 0, false),
        ("- /bin/a", 0, false),
        ("@ /bin/a", 0, true),
        ("@/bin/a", 0, true),
        ("bin/a", 0, true),
        ("/bin/", 0, true),
        ("..", 0, true),
        ("/bin/a\\nb", 0, true),
        ("/bin/\\xff", 0, true),
        ("/bin/%z", 0, true),
        ("/bin/a %z", 0, true),
        ("-/bin/a %z", 0, false),
        ("/bin/a ; bin/b", 1, true),
        ("++/bin/a", 0, true),
    ] {
        let parsed = parsed(value);
        assert!(parsed.fault.is_some(), "{value}");
        assert_eq!((parsed.commands.len(), parsed.is_fatal), (before, is_fatal), "{value}");
    }
    let long = format!("/{}", "x".repeat(NAME_MAX + 1));
    assert!(parsed(&long).is_fatal);
}

#[test]
fn a_word_keeps_how_it_was_written() {
    let found = parsed("-\"/opt/my a\"  'x ; y' \\; %i \"%H\" $A b\\x20c");
    let [command] = &found.commands[..] else { panic!("{found:?}") };
    assert_eq!(command.program.written, "\"/opt/my a\"");
    let written: Vec<&str> = command.arguments.iter().map(|word| word.written.as_str()).collect();
    assert_eq!(written, ["'x ; y'", "\\;", "%i", "\"%H\"", "$A", "b\\x20c"]);
    assert_eq!(parsed("\"-/opt/my a\"").commands[0].program.written, "\"/opt/my a\"");
}

#[test]
fn what_the_manager_has_is_told_from_what_it_has_not() {
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let of_manager = |path: &str, words: &[&str], flags: &[&str]| {
        Command::of_manager(path, &argv(words), Flags::of_manager(&argv(flags)))
    };
    for (value, manager, expected) in [
        ("/bin/a b", of_manager("/bin/a", &["/bin/a", "b"], &[]), true),
        ("/bin/a b", of_manager("/bin/a", &["/bin/a", "c"], &[]), false),
        ("/bin/a b", of_manager("/bin/a", &["/bin/a"], &[]), false),
        ("-/bin/a", of_manager("/bin/a", &["/bin/a"], &["ignore-failure"]), true),
        ("-/bin/a", of_manager("/bin/a", &["/bin/a"], &[]), false),
        ("!!/bin/a", of_manager("/bin/a", &["/bin/a"], &[]), true),
        ("/bin//a", of_manager("/bin/a", &["/bin//a"], &[]), true),
        ("@/bin/a z", of_manager("/bin/a", &["z"], &[]), true),
        ("@/bin/a z", of_manager("/bin/a", &["/bin/a"], &[]), false),
        ("@/bin/a /bin/a", of_manager("/bin/a", &["/bin/a"], &[]), true),
        ("/bin/a %H:%i", of_manager("/bin/a", &["/bin/a", "host:c"], &[]), true),
        ("/bin/a %H:%i", of_manager("/bin/a", &["/bin/a", "host:d"], &[]), false),
    ] {
        let parsed = parsed(value);
        assert_eq!(parsed.commands[0].fits(&manager), expected, "{value}");
    }
    let odd = of_manager("/bin/a", &["zero", "100% $A b"], &["no-env-expand"]);
    assert_eq!(odd.arguments[0].written, "\"100%% $A b\"");
    assert_eq!(odd.argument_zero.expect("another").text, "zero");
}
