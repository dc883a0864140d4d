//! The registry of processes, where it may wait for every child of its process: nothing else is started here, and one
//! test runs at a time.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;
use watchdog::kernel::alarm;
use watchdog::kernel::raw::SigPipe;
use watchdog::kernel::variable::Value;
use watchdog::service::child::{Child, Start};
use watchdog::service::children::{Children, FollowError};
use watchdog::service::command;
use watchdog::service::end::End;
use watchdog::service::signals::Received;

/// Long enough for a machine that is busy with everything else.
const AMPLE: Duration = Duration::from_secs(30);

const USR1: Received = Received { number: 10, by_kernel: false, by_manager: false, value: None };

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Asks again until the answer is there.
#[track_caller]
fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + AMPLE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < deadline, "in vain: waited until {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

struct Wrapped {
    children: Rc<Children>,
    command: Child,
    directory: tempfile::TempDir,
    runtime: Runtime,
}

impl Wrapped {
    /// `sh -c SCRIPT`, in which `$D` is a directory of its own.
    fn sh(script: &str) -> Self {
        Self::with(script, &[])
    }

    fn with(script: &str, extra: &[(&str, Value)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let children = Children::new();
        children.become_subreaper().unwrap();
        let mut extra = extra.to_vec();
        extra.push(("D", Value::Text(directory.path().into())));
        let command = words(&["sh", "-c", script]);
        let mask = SigSet::empty();
        let start = Start { command: &command, mask: &mask, sigpipe: SigPipe::Default, extra: &extra };
        let command = Child::spawn(&start, &children).unwrap();
        Self { children, command, directory, runtime: runtime() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The pid that is written there.
    #[track_caller]
    fn pid_in(&self, name: &str) -> i32 {
        until(name, || self.pid_already_in(name))
    }

    /// The same, if it is written already.
    fn pid_already_in(&self, name: &str) -> Option<i32> {
        fs::read_to_string(self.path(name)).ok()?.strip_suffix('\n')?.parse().ok()
    }

    fn follow(&self, pid: i32) -> Result<(), FollowError> {
        let _runtime = self.runtime.enter();
        self.command.follow(pid)
    }

    #[track_caller]
    fn end(&self) -> End {
        until("COMMAND has ended", || self.children.reap().end)
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        // Whatever it left behind is our child, or will be.
        until("nothing is left", || {
            let _ = self.children.reap();
            let own = std::process::id().cast_signed();
            let left: Vec<i32> = all_processes().filter(|pid| parent(*pid) == Some(own)).collect();
            for pid in &left {
                signal(*pid, Signal::KILL);
            }
            left.is_empty().then_some(())
        });
    }
}

fn signal(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn all_processes() -> impl Iterator<Item = i32> {
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.to_str()?.parse().ok())
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Ends with 7 when it gets SIGUSR1, and writes its pid to `$D/server` when that is so.
const SERVER: &str = r#"sh -c 'trap "exit 7" USR1; echo $$ > $D/server; while :; do sleep 0.01; done'"#;

#[test]
fn a_command_that_forks_away_and_names_its_main_process_is_followed() {
    let _alone = alone();
    let wrapped = Wrapped::sh(&format!("{SERVER} & until test -e $D/go; do sleep 0.01; done; exit 1"));
    let (first, server) = (wrapped.command.pid(), wrapped.pid_in("server"));
    wrapped.follow(server).unwrap();
    assert_eq!(wrapped.command.pid(), server);
    // The first process ends now: that is the end of a stranger.
    fs::write(wrapped.path("go"), "").unwrap();
    until("the first process is waited for", || {
        assert_eq!(wrapped.children.reap().end, None);
        (!Path::new("/proc").join(first.to_string()).exists()).then_some(())
    });
    assert_eq!((wrapped.command.pid(), parent(server)), (server, Some(std::process::id().cast_signed())));
    assert!(wrapped.command.pass_on(&USR1));
    assert_eq!(wrapped.end(), End::Exited(7));
}

#[test]
fn a_main_process_that_ended_already_when_it_is_named_has_ended() {
    let _alone = alone();
    let wrapped = Wrapped::sh(&format!("{SERVER} & until test -e $D/go; do sleep 0.01; done; exit 1"));
    let server = wrapped.pid_in("server");
    fs::write(wrapped.path("go"), "").unwrap();
    until("the server is ours", || (parent(server) == Some(std::process::id().cast_signed())).then_some(()));
    // Nobody has looked yet: both the first process's end and that of the server are there to be seen.
    signal(server, Signal::USR1);
    wrapped.follow(server).unwrap();
    assert_eq!(wrapped.end(), End::Exited(7));
}

#[test]
fn where_another_takes_the_status_of_the_main_process_our_child_stands_for_it_again() {
    let _alone = alone();
    let wrapped = Wrapped::sh(&format!("{SERVER} & wait; until test -e $D/go; do sleep 0.01; done; exit 9"));
    let (first, server) = (wrapped.command.pid(), wrapped.pid_in("server"));
    wrapped.follow(server).unwrap();
    assert!(wrapped.command.pass_on(&USR1));
    let ended = async { tokio::time::timeout(AMPLE, wrapped.children.followed_ended()).await };
    wrapped.runtime.block_on(ended).unwrap();
    assert_eq!(wrapped.children.reap().end, None);
    assert_eq!(wrapped.command.pid(), first);
    fs::write(wrapped.path("go"), "").unwrap();
    assert_eq!(wrapped.end(), End::Exited(9));
}

#[test]
fn nobody_waits_for_a_followed_process_where_sigchld_tells_of_it() {
    let _alone = alone();
    let wrapped = Wrapped::sh("sleep 1000");
    let waited =
        async { tokio::time::timeout(Duration::from_millis(20), wrapped.children.followed_ended()).await };
    assert!(block_on(waited).is_err());
}

#[test]
fn only_a_process_of_the_commands_can_be_its_main_process() {
    let _alone = alone();
    let wrapped = Wrapped::sh("sleep 1000");
    let own = std::process::id().cast_signed();
    let helper = async {
        let argv = words(&["sleep", "1000"]);
        let helper = command::run(&argv, &wrapped.children, alarm::after(AMPLE), 0);
        let refused = async {
            until("the helper is there", || {
                let mut ours = all_processes().filter(|pid| parent(*pid) == Some(own));
                let helper = ours.find(|pid| *pid != wrapped.command.pid())?;
                Some(wrapped.follow(helper))
            })
        };
        tokio::select! {
            biased;
            finished = helper => panic!("{finished:?}"),
            refused = refused => refused,
        }
    };
    assert!(matches!(block_on(helper), Err(FollowError::NotOfCommand { .. })));
    let first = wrapped.command.pid();
    for pid in [1, own, 0, -1, -first, i32::MAX, std::os::unix::process::parent_id().cast_signed()] {
        let refused = wrapped.follow(pid);
        assert!(
            matches!(refused, Err(FollowError::NotOfCommand { pid: refused }) if refused == pid),
            "{refused:?}"
        );
    }
    assert_eq!(wrapped.command.pid(), first);
    wrapped.follow(first).unwrap();
}

#[test]
fn a_command_that_exits_at_once_has_ended_when_it_is_looked_at() {
    let _alone = alone();
    assert_eq!(Wrapped::sh("exit 3").end(), End::Exited(3));
    assert_eq!(Wrapped::sh("kill -40 $$").end(), End::Killed { signal: 40 });
}

#[test]
fn the_command_finds_itself_named_where_it_is_to() {
    let _alone = alone();
    let extra = [
        ("NOTIFY_SOCKET", Value::Text("@private".into())),
        ("WATCHDOG_USEC", Value::Text("5000000".into())),
        ("WATCHDOG_PID", Value::OwnPid),
    ];
    let script = "test $NOTIFY_SOCKET $WATCHDOG_USEC $WATCHDOG_PID = @private 5000000 $$ 2>/dev/null; \
        case \"$NOTIFY_SOCKET $WATCHDOG_USEC $WATCHDOG_PID\" in \"@private 5000000 $$\") exit 5; esac";
    assert_eq!(Wrapped::with(script, &extra).end(), End::Exited(5));
}

#[test]
fn a_thread_that_started_the_command_takes_it_with_it_only_if_it_is_the_main_one() {
    let _alone = alone();
    let thread = std::thread::spawn(|| {
        let wrapped = std::mem::ManuallyDrop::new(Wrapped::sh("exec sleep 1000"));
        (wrapped.command.pid(), fs::read_link("/proc/thread-self").unwrap())
    });
    let (pid, thread) = thread.join().unwrap();
    until("the thread is gone", || (!Path::new("/proc").join(&thread).exists()).then_some(()));
    // A SIGTERM that came before this would be what it died of.
    signal(pid, Signal::VTALARM);
    assert_eq!(block_on(Children::new().end_of(pid)), End::Killed { signal: Signal::VTALARM.as_raw() });
}

#[test]
fn helpers_and_the_reaper_do_not_take_each_others_ends() {
    let _alone = alone();
    let wrapped = Wrapped::sh("exec sleep 1000");
    let reaping = async {
        loop {
            assert_eq!(wrapped.children.reap().end, None);
            tokio::task::yield_now().await;
        }
    };
    let helping = async {
        for code in 0..50_u8 {
            let script = format!("sleep 1000 & echo $!; exit {code}");
            let argv = words(&["sh", "-c", &script]);
            let finished = command::run(&argv, &wrapped.children, alarm::after(AMPLE), 100).await.unwrap();
            assert_eq!((finished.end, finished.timed_out), (End::Exited(code), false));
            // The straggler was killed with its group, became ours and was waited for.
            let straggler = String::from_utf8(finished.output).unwrap();
            let gone = async {
                while Path::new("/proc").join(straggler.trim()).exists() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(AMPLE, gone).await.unwrap();
        }
    };
    block_on(async {
        tokio::select! {
            () = helping => {}
            () = reaping => {}
        }
    });
}

#[test]
fn many_helpers_leave_neither_descriptors_nor_processes_behind() {
    let _alone = alone();
    let children = Children::new();
    let own = std::process::id().cast_signed();
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    block_on(async {
        // The timer of the first is kept for those that follow.
        let _ = command::run(&words(&["true"]), &children, alarm::after(AMPLE), 0).await;
        let before = open();
        for _ in 0..20 {
            for argv in [
                &["true"][..],
                &["no-such-command"],
                &["sh", "-c", "echo more than ten bytes"],
                &["sleep", "1000"],
            ] {
                let _ =
                    command::run(&words(argv), &children, alarm::after(Duration::from_millis(50)), 10).await;
            }
            // One that is given up.
            let argv = words(&["sleep", "1000"]);
            let given_up = command::run(&argv, &children, alarm::after(AMPLE), 10);
            let _ = tokio::time::timeout(Duration::from_millis(1), given_up).await;
        }
        assert_eq!(open(), before);
    });
    // Each look waits for what was given up before: the last of them is all that can be left, and not for long.
    until("none is left", || {
        block_on(async { command::run(&words(&["true"]), &children, alarm::after(AMPLE), 0).await }).unwrap();
        let left = all_processes().filter(|pid| parent(*pid) == Some(own)).count();
        (left == 0).then_some(())
    });
}

/// Gone: it was killed and waited for.
fn is_gone(pid: i32) -> bool {
    !Path::new("/proc").join(pid.to_string()).exists()
}

#[test]
fn what_left_a_helpers_group_is_killed_when_the_helper_ends_and_nothing_of_the_commands_is() {
    let _alone = alone();
    let daemon = |name: &str| format!("setsid -f sh -c 'echo $$ > $D/{name}; exec sleep 1000'");
    let wait = |name: &str| format!("until test -s $D/{name}; do sleep 0.01; done");
    let wrapped = Wrapped::sh(&format!("{}; exec sleep 1000", daemon("own")));
    let own = wrapped.pid_in("own");
    let directory = wrapped.directory.path().display();
    for (name, then) in [
        ("ended", "exit 0"),
        ("late", "sleep 1000"),
        // Its own daemon has no mark, and is found below one that has.
        ("bare", "setsid sh -c 'env -i D=$D sh -c \"echo \\$\\$ > $D/below; exec sleep 1000\" & wait'"),
    ] {
        let script = format!("D={directory}; export D; {}; {}; {then}", daemon(name), wait(name));
        let argv = words(&["sh", "-c", &script]);
        // It is told that its time is up as soon as all is there that it is to leave behind.
        let last = if name == "bare" { "below" } else { name };
        let deadline = Instant::now() + AMPLE;
        let next = |now| {
            let goes_on = name == "ended" || wrapped.pid_already_in(last).is_none();
            (goes_on && now < deadline).then(|| now + Duration::from_millis(10))
        };
        let finished = block_on(command::run(&argv, &wrapped.children, next, 100)).unwrap();
        assert_eq!(finished.timed_out, name != "ended", "{finished:?}");
        let mut left = vec![wrapped.pid_in(name)];
        if name == "bare" {
            left.push(wrapped.pid_in("below"));
        }
        until(name, || {
            assert_eq!(wrapped.children.reap().end, None);
            left.iter().all(|pid| is_gone(*pid)).then_some(())
        });
    }
    assert!(!is_gone(own) && !is_gone(wrapped.command.pid()));
}

#[test]
fn where_nobody_reaps_the_next_helper_is_the_occasion_for_it() {
    let _alone = alone();
    let children = Children::new();
    children.become_subreaper_alone().unwrap();
    let script = "setsid -f sleep 1000; echo; exec true";
    let run =
        |argv: &[&str]| block_on(command::run(&words(argv), &children, alarm::after(AMPLE), 100)).unwrap();
    run(&["sh", "-c", script]);
    until("nothing is left", || {
        run(&["true"]);
        Children::all().is_empty().then_some(())
    });
}
