//! Machines have limits in common with each other and with their host.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harness::machine::inotify::Usage;
use harness::machine::namespace::{self, NamespaceMachine};
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use crate::lab::{Backend, eventually, hangproof, heard, programs, root};
use crate::leftovers::Apart;

/// `hangproof` in a cgroup, on a host on which there may be so many inotify instances: another file is where the limit is.
/// To really have none left would be felt by everybody on this computer.
fn limited(cgroup: &Path, directory: &TempDir, limit: usize) -> Command {
    let file = directory.path().join("limit");
    fs::write(&file, limit.to_string()).expect("written");
    let script = "echo $$ >\"$1/cgroup.procs\" && mount --bind \"$2\" /proc/sys/fs/inotify/max_user_instances && \
                  shift 2 && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(cgroup).arg(file).arg(hangproof());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

fn run(command: &mut Command) -> &mut Command {
    let directory = programs().path("buggy_server").parent().expect("it is in a directory").to_owned();
    command.args(["run", "crash", "--machine", "namespace", "--root"]).arg(root());
    command.arg("--programs").arg(directory)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

pub fn a_run_that_finds_no_inotify_instance_says_which_limit_it_is_and_what_to_do(_: Backend) {
    let (apart, directory) = (Apart::make(), TempDir::new().expect("a directory"));
    let output = run(&mut limited(&apart.0, &directory, 1)).output().expect("runs");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let doctor = limited(&apart.0, &directory, 1).arg("doctor").output().expect("runs");
    for said in [text(&output), text(&doctor)] {
        assert!(
            said.contains(" of 1 inotify instances (fs.inotify.max_user_instances) are in use"),
            "{said}"
        );
        assert!(said.contains("Raise the limit (`sysctl fs.inotify.max_user_instances=1024`"), "{said}");
    }
    let left = fs::read_dir(&apart.0).expect("a cgroup").flatten().filter(|entry| entry.path().is_dir());
    assert_eq!(left.count(), 0, "a machine that did not boot leaves no cgroup");
}

pub fn a_host_flooded_with_runs_has_them_wait_for_their_turn(_: Backend) {
    let (apart, directory) = (Apart::make(), TempDir::new().expect("a directory"));
    let used = Usage::now().expect("there is a limit").used;
    let runs = [(); 3].map(|()| {
        // Enough for one machine; not for another while there is one.
        run(&mut limited(&apart.0, &directory, used + 8)).spawn().expect("starts")
    });
    let machines = || {
        let directories = fs::read_dir(&apart.0).expect("a cgroup").flatten();
        directories.filter(|entry| entry.path().join("hangproof-commands").exists()).count()
    };
    let mut runs = runs.map(Some);
    let mut at_most = 0;
    eventually("all runs have ended", || {
        at_most = at_most.max(machines());
        for run in &mut runs {
            if run.as_mut().is_some_and(|run| run.try_wait().expect("ours").is_some()) {
                let output = heard(run.take().expect("it is there").wait_with_output().expect("ended"));
                assert!(output.status.success(), "{}", text(&output));
            }
        }
        runs.iter().all(Option::is_none)
    });
    assert_eq!(at_most, 1, "one after the other");
}

pub fn nobody_keeps_a_machine_from_booting_by_a_lock(_: Backend) {
    // Any user can open this directory, and lock it.
    let parent = File::open(namespace::available(&root()).expect("checked")).expect("opened");
    flock(&parent, FlockOperation::LockExclusive).expect("locked");
    drop(NamespaceMachine::boot(&root()).expect("a machine boots"));
}
