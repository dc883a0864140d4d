use std::fs;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

use super::*;

/// Long enough for a machine that is busy with everything else.
const AMPLE: Duration = Duration::from_secs(30);

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(future)
}

fn run_for(timeout: Duration, argv: &[&str]) -> Result<Finished, CommandError> {
    block_on(run(&words(argv), &Children::new(), alarm::after(timeout), 4096))
}

fn sh(script: &str) -> Finished {
    run_for(AMPLE, &["sh", "-c", script]).unwrap()
}

fn output(finished: &Finished) -> &str {
    std::str::from_utf8(&finished.output).unwrap()
}

/// Until nobody has that process id: it was killed and waited for.
#[track_caller]
fn wait_until_gone(pid: &str, children: &Children) {
    let gone = async {
        while Path::new("/proc").join(pid).exists() {
            children.sweep();
            alarm::sleep(Duration::from_millis(1)).await;
        }
    };
    block_on(async { alarm::timeout(AMPLE, gone).await })
        .unwrap_or_else(|_| panic!("{pid} is there: {:?}", fs::read_to_string(format!("/proc/{pid}/stat"))));
}

/// Until `path` holds a whole line.
async fn line_in(path: &Path) -> String {
    let line = async {
        loop {
            if let Some(line) = fs::read_to_string(path).unwrap_or_default().strip_suffix('\n') {
                return line.to_owned();
            }
            alarm::sleep(Duration::from_millis(1)).await;
        }
    };
    alarm::timeout(AMPLE, line).await.unwrap()
}

/// That process has ended, whether anybody waited for it or not: an orphan of a test is not ours to wait for.
#[track_caller]
fn wait_until_dead(pid: &str) {
    let begin = Clock::now();
    loop {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) if !stat.contains(") Z ") => {}
            _ => return,
        }
        assert!(begin.elapsed() < AMPLE, "{pid} runs on");
        std::thread::yield_now();
    }
}

#[test]
fn both_outputs_and_the_way_it_ended_are_handed_back() {
    let finished = sh("echo one; echo two >&2; exit 3");
    assert_eq!((output(&finished), finished.end, finished.timed_out), ("one\ntwo\n", End::Exited(3), false));
    assert_eq!(sh("kill -SEGV $$").end, End::Killed { signal: 11 });
    assert_eq!(sh("exec true"), Finished { end: End::Exited(0), output: Vec::new(), timed_out: false });
}

#[test]
fn output_beyond_the_limit_is_thrown_away_and_does_not_hold_the_command_up() {
    let finished = sh("head -c 10000000 /dev/zero; exit 4");
    assert_eq!((finished.output.len(), finished.end), (4096, End::Exited(4)));
}

#[test]
fn at_the_deadline_the_whole_group_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; echo waiting; trap '' TERM; wait", file.display());
    let (children, start) = (Children::new(), Clock::now());
    let argv = words(&["sh", "-c", &script]);
    let timeout = Duration::from_secs(1);
    let finished = block_on(run(&argv, &children, alarm::after(timeout), 4096)).unwrap();
    assert!(start.elapsed() >= timeout && start.elapsed() < AMPLE);
    assert_eq!(
        (finished.timed_out, finished.end, output(&finished)),
        (true, End::Killed { signal: 9 }, "waiting\n")
    );
    wait_until_dead(&block_on(line_in(&file)));
}

#[test]
fn stragglers_of_a_command_that_ended_are_killed_and_not_waited_for() {
    let finished = sh("sleep 1000 & echo $!; exit 5");
    assert_eq!((finished.end, finished.timed_out), (End::Exited(5), false));
    wait_until_dead(output(&finished).trim());
}

#[test]
fn a_process_that_left_the_group_holds_up_nothing() {
    // It lives as long as the test, and holds the output open.
    let finished = sh("setsid sleep 1000 & echo $!; exit 6");
    assert_eq!((finished.end, finished.timed_out), (End::Exited(6), false));
    let pid = rustix::process::Pid::from_raw(output(&finished).trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_dropped_future_kills_the_group_and_its_leader_is_waited_for_later() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let script = format!("sleep 1000 & echo $$ $! > {}; wait", file.display());
    let (children, argv) = (Children::new(), words(&["sh", "-c", &script]));
    let pids = block_on(async {
        tokio::select! {
            finished = run(&argv, &children, alarm::after(AMPLE), 0) => panic!("{finished:?}"),
            pids = line_in(&file) => pids,
        }
    });
    let (leader, straggler) = pids.split_once(' ').unwrap();
    wait_until_gone(leader, &children);
    wait_until_dead(straggler);
}

#[test]
fn what_cannot_be_run_is_an_error_that_says_what_to_do() {
    let error = |argv: &[&str]| run_for(AMPLE, argv).unwrap_err().to_string();
    let message = error(&["no-such-command"]);
    assert!(
        message.starts_with("\"no-such-command\" not found in PATH (")
            && message.ends_with("give its full path"),
        "{message}"
    );
    let message = error(&["/etc/passwd"]);
    assert!(
        message.starts_with("\"/etc/passwd\" cannot be run: Permission denied (os error 13); ")
            && message.contains("look at its mode"),
        "{message}"
    );
    assert!(error(&["true", "\0"]).contains("NUL byte"));
}

#[test]
fn it_gets_no_input_no_descriptor_no_blocked_or_ignored_signal_and_nothing_said_to_a_service() {
    // As those are that a manager passes on.
    let _inheritable = rustix::io::dup(rustix::stdio::stderr()).unwrap();
    let finished =
        sh("readlink /proc/self/fd/0; ls /proc/self/fd; grep -E '^Sig(Blk|Ign)' /proc/self/status");
    // The fourth is of ls itself.
    let (descriptors, masks) = output(&finished).split_once("SigBlk:").unwrap();
    assert_eq!(descriptors, "/dev/null\n0\n1\n2\n3\n");
    let (blocked, ignored) = masks.split_once("SigIgn:").unwrap();
    let mask = |text: &str| u64::from_str_radix(text.trim(), 16).unwrap();
    // 32 and 33 are the C library's own: nobody else can set them.
    assert_eq!((mask(blocked), mask(ignored) & !(0b11 << 31)), (0, 0));
    let finished = sh("ps -o pid=,pgid= -p $$; echo $$");
    let numbers: Vec<_> = output(&finished).split_whitespace().collect();
    assert!(numbers[0] == numbers[2] && numbers[1] == numbers[2], "it leads its group: {numbers:?}");
}
