use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::*;
use crate::systemd::relay::meeting_point::{MeetingPoint, Surroundings};
use crate::systemd::relay::tests::is_root;

#[test]
fn a_path_ends_at_roots_and_mounts_and_an_abstract_name_at_the_network_namespace() {
    let ours = Place { root: "/".into(), mounts: "mnt:[1]".into(), network: "net:[2]".into() };
    let jailed = Place { root: "/srv".into(), ..ours.clone() };
    let mounted = Place { mounts: "mnt:[3]".into(), ..ours.clone() };
    let cut_off = Place { network: "net:[4]".into(), ..ours.clone() };
    for (theirs, path, abstract_name) in [
        (&ours, Reach::Yes, Reach::Yes),
        (&jailed, Reach::Perhaps, Reach::Yes),
        (&mounted, Reach::Perhaps, Reach::Yes),
        (&cut_off, Reach::Yes, Reach::No(Obstacle::Network)),
    ] {
        assert_eq!((reach(true, &ours, theirs), reach(false, &ours, theirs)), (path, abstract_name));
    }
}

#[test]
fn what_is_said_names_the_place_and_the_remedy() {
    let said =
        |address: &str, obstacle| Unreachable { pid: 7, address: address.into(), obstacle }.to_string();
    for (address, obstacle, expected) in [
        (
            "/run/sd-watchdog/a.service.notify",
            Obstacle::Root("/srv/jail".into()),
            "NOTIFY_SOCKET=/run/sd-watchdog/a.service.notify is not in its root directory /srv/jail; \
             BindPaths=/run/sd-watchdog:/srv/jail/run/sd-watchdog puts it there",
        ),
        (
            "/tmp/.a.service.notify",
            Obstacle::Mounts,
            "NOTIFY_SOCKET=/tmp/.a.service.notify is hidden by mounts of its own; leave /tmp visible",
        ),
        (
            "@sd-watchdog/1/2",
            Obstacle::Network,
            "NOTIFY_SOCKET=@sd-watchdog/1/2 is not in its network namespace; RuntimeDirectory= gives it a path, which is",
        ),
    ] {
        let start = "COMMAND, process 7, has said nothing to systemd, and from where it is it cannot: ";
        assert_eq!(said(address, obstacle), format!("{start}{expected}"));
    }
}

/// A process that has gone somewhere, and is there.
struct Gone(Child);

impl Gone {
    /// `script` ends in `exec … cat`.
    fn where_it_leads(script: &str, jail: &Path) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", script]).env("JAIL", jail);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        child.stdin.as_mut().expect("its input").write_all(b"there\n").expect("written");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
        assert_eq!(line, "there\n", "{script}");
        Self(child)
    }

    fn obstacle(&self, point: &MeetingPoint) -> Option<Obstacle> {
        let pid = self.0.id().cast_signed();
        let (ours, theirs) = (Place::of("self").expect("ours"), Place::of(&pid.to_string()).expect("theirs"));
        match (reach(point.file().is_some(), &ours, &theirs), point.file()) {
            (Reach::No(obstacle), _) => Some(obstacle),
            (Reach::Perhaps, Some((path, identity))) => look_there(pid, &theirs, &ours, &path, identity),
            _ => None,
        }
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn whether_a_process_finds_the_socket_is_looked_up_where_it_is() {
    if !is_root("chroots and namespaces") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let (runtime, jail) = (directory.path().join("runtime"), directory.path().join("jail"));
    let inside = jail.join(runtime.strip_prefix("/").expect("absolute"));
    for made in [&runtime, &jail.join("usr"), inside.parent().expect("a parent")] {
        fs::create_dir_all(made).expect("a directory");
    }
    for name in ["bin", "lib", "lib64"] {
        symlink(Path::new("usr").join(name), jail.join(name)).expect("a link");
    }
    // Followed from outside the jail, this leads to the right place.
    let misleading = directory.path().join("misleading");
    symlink(&runtime, &misleading).expect("a link");
    symlink(&misleading, &inside).expect("a link");

    let surroundings = Surroundings {
        unit: Some("a.service".to_owned()),
        runtime_directory: Some(runtime.clone().into()),
        ..Surroundings::default()
    };
    let bound = |surroundings| {
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
        let socket = socket.expect("a socket");
        let point = MeetingPoint::find(&socket, surroundings).expect("an address");
        (socket, point)
    };
    let ((_one, path), (_other, abstract_name)) = (bound(&surroundings), bound(&Surroundings::default()));
    assert!(path.file().is_some() && abstract_name.file().is_none());

    let jailed = "mount --bind /usr $JAIL/usr; exec chroot $JAIL cat";
    let runtime = runtime.display();
    let bound_there = format!(
        "mount --bind /usr $JAIL/usr; rm $JAIL{runtime}; mkdir $JAIL{runtime}; mount --bind {runtime} $JAIL{runtime}; \
         exec chroot $JAIL cat"
    );
    let another_file =
        format!("mount --bind /usr $JAIL/usr; touch $JAIL{runtime}/.a.service.notify; exec chroot $JAIL cat");
    let hidden = format!("mount -t tmpfs none {runtime}; exec cat");
    for (script, at_path, at_abstract_name) in [
        ("exec cat", None, None),
        ("exec unshare --net cat", None, Some(Obstacle::Network)),
        (&hidden, Some(Obstacle::Mounts), None),
        (jailed, Some(Obstacle::Root(jail.clone())), None),
        (&bound_there, None, None),
        (&another_file, Some(Obstacle::Root(jail.clone())), None),
    ] {
        let gone = Gone::where_it_leads(script, &jail);
        let found = (gone.obstacle(&path), gone.obstacle(&abstract_name));
        assert_eq!(found, (at_path, at_abstract_name), "{script}");
    }
    let mut beside = Command::new("cat").stdin(Stdio::piped()).spawn().map(Gone).expect("a process");
    assert_eq!((beside.obstacle(&path), beside.obstacle(&abstract_name)), (None, None));
    beside.0.kill().and_then(|()| beside.0.wait()).expect("its end");
}
