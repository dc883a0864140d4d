use std::time::Duration;

use super::*;
use crate::words::span::Span;

fn probe(command: &str, timeout: Duration) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(ExecProbe::new(command, &Children::new()).unwrap().run(&Deadline::after(timeout)))
}

fn unhealthy(cause: Cause, text: &str) -> Outcome {
    Outcome::Unhealthy(Reason::new(cause, text.to_owned()))
}

const AMPLE: Duration = Duration::from_secs(30);

#[test]
fn the_exit_code_decides_and_the_first_line_says_why() {
    for (command, expected) in [
        ("true", Outcome::Healthy),
        ("sh -c 'echo all is well'", Outcome::Healthy),
        ("false", unhealthy(Cause::Exec, "exit code 1")),
        (
            "sh -c 'echo; echo \" disk full \"; echo more; exit 2'",
            unhealthy(Cause::Exec, "exit code 2: disk full"),
        ),
        ("sh -c 'echo bad >&2; exit 255'", unhealthy(Cause::Exec, "exit code 255: bad")),
        ("sh -c 'kill -SEGV $$'", unhealthy(Cause::Exec, "killed by SIGSEGV")),
        ("sh -c 'kill -40 $$'", unhealthy(Cause::Exec, "killed by SIGRTMIN+6")),
    ] {
        assert_eq!(probe(command, AMPLE), expected, "{command}");
    }
}

#[test]
fn a_command_that_is_still_running_at_the_deadline_is_unhealthy() {
    let millis = Duration::from_millis(500);
    assert_eq!(probe("sleep 1000", millis), unhealthy(Cause::Timeout, "still running after 500 ms, killed"));
    let finished = Finished {
        end: End::Killed { signal: 9 },
        output: b"waiting for a lock\n".to_vec(),
        timed_out: true,
    };
    let expected = unhealthy(Cause::Timeout, "still running after 500 ms, killed: waiting for a lock");
    assert_eq!(outcome(&Ok(finished), Span(millis)), expected);
}

#[test]
fn a_command_that_is_not_there_is_this_hosts_trouble() {
    let Outcome::Unhealthy(reason) = probe("/no/such/check --fast", AMPLE) else { panic!("it is not there") };
    assert_eq!(reason.cause(), Cause::System);
    assert!(reason.to_string().starts_with("\"/no/such/check\" not found; look at the path"), "{reason}");
}

#[test]
fn the_line_is_safe_to_show_whatever_the_command_says() {
    let long = "é".repeat(300);
    for (output, line) in [
        (&b""[..], String::new()),
        (b"\n \t\r\n", String::new()),
        (b"\r\nfirst\r\nsecond", "first".to_owned()),
        (b"\x1b[31mred\x07\tand\0so on", "\u{fffd}[31mred\u{fffd} and\u{fffd}so on".to_owned()),
        (b"\xff\xfe", "\u{fffd}\u{fffd}".to_owned()),
        (long.as_bytes(), format!("{}…", "é".repeat(200))),
    ] {
        assert_eq!(first_line(output), line);
    }
}

#[test]
fn a_command_line_that_is_none_is_refused_with_what_to_write() {
    let children = Children::new();
    let error = |command| ExecProbe::new(command, &children).unwrap_err();
    for command in ["", "  ", "# comment", "''"] {
        assert_eq!(error(command), CommandLineError::Empty, "{command:?}");
    }
    for command in ["sh -c 'exit", "sh \"", "sh \\"] {
        assert_eq!(error(command), CommandLineError::Unbalanced, "{command:?}");
    }
    assert_eq!(error("a\0b"), CommandLineError::NulByte);
    let argv = ExecProbe::new("check --name 'two words' \"$HOME\" *", &children).unwrap().argv;
    assert_eq!(argv, ["check", "--name", "two words", "$HOME", "*"]);
}
