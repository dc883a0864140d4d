use std::time::Duration;

use crate::kernel::cgroup::{Psi, Stall};
use crate::kernel::gap::Gap;
use crate::kernel::sockets::Socket;
use crate::kernel::syscall::Call;
use crate::report::tests::{call, process, snapshot, thread};
use crate::report::{Glance, Throttled};

use super::*;

fn asleep(tid: i32, name: &'static str, wait_channel: &str) -> Thread {
    thread(tid, 'S', wait_channel, Some(call(name, None)))
}

fn in_futex(count: i32) -> Vec<Thread> {
    (1..=count).map(|tid| asleep(tid, "futex", "futex_wait_queue")).collect()
}

fn events() -> Thread {
    thread(90, 'S', "ep_poll", Some(call("epoll_wait", Some((3, "anon_inode:[eventpoll]")))))
}

fn busy(tid: i32, percent: u8) -> Thread {
    Thread { busy: Some(percent), ..thread(tid, 'R', "", Some(Call::Running)) }
}

fn one(threads: Vec<Thread>) -> Snapshot {
    let state = threads.first().map_or('S', |thread| thread.state);
    snapshot(vec![process(1, state, threads)])
}

fn with(figures: Figures) -> Snapshot {
    Snapshot { figures: Some(figures), ..one(vec![thread(1, 'R', "", None)]) }
}

fn pressed(resource: Resource, avg10: f32) -> Vec<(Resource, Psi)> {
    vec![(resource, Psi { some: Stall { avg10, total_usec: 0 }, full: None })]
}

#[test]
fn what_threads_do_tells_why_they_hang() {
    let write = thread(2, 'S', "pipe_write", Some(call("write", Some((1, "pipe:[5]")))));
    let read = thread(1, 'S', "pipe_read", Some(call("read", Some((0, "pipe:[5]")))));
    let join = |threads: Vec<Thread>, more: Thread| threads.into_iter().chain([more]).collect::<Vec<_>>();
    for (threads, expected) in [
        (in_futex(8), Some("all 8 threads wait in futex: looks like a deadlock")),
        (in_futex(1), Some("its only thread waits in futex, for a lock or a condition")),
        (
            join(in_futex(7), events()),
            Some("7 of 8 threads wait in futex, 1 for events: idle, or waiting for each other"),
        ),
        (
            join(in_futex(3), thread(9, 'S', "?", Some(call("rt_sigreturn", None)))),
            Some("3 of 4 threads wait in futex: perhaps a deadlock"),
        ),
        (
            join(in_futex(3), write),
            Some("1 of 4 threads waits in write(fd 1 → pipe:[5]): the other end does not read"),
        ),
        (
            join(in_futex(3), asleep(8, "flock", "flock_lock_inode_wait")),
            Some("1 of 4 threads waits in flock: somebody else holds the lock on the file"),
        ),
        (
            vec![asleep(1, "fsync", "jbd2_log_wait_commit")],
            Some("its only thread waits in fsync: the disk is slow or stuck"),
        ),
        (
            vec![asleep(1, "connect", "inet_stream_connect")],
            Some("its only thread waits in connect: the peer does not answer"),
        ),
        (vec![read], Some("its only thread waits in read(fd 0 → pipe:[5]), for data that does not come")),
        (
            vec![asleep(1, "clock_nanosleep", "hrtimer_nanosleep")],
            Some("its only thread waits in clock_nanosleep, sleeping"),
        ),
        (vec![asleep(1, "wait4", "do_wait")], Some("its only thread waits in wait4, for a child process")),
        (vec![events(), events()], Some("all 2 threads wait for events or data, as an idle service does")),
        // Where system calls may not be seen, the wait channel helps.
        (
            vec![thread(1, 'S', "futex_wait_queue", None), thread(2, 'S', "futex_wait_queue_me", None)],
            Some("all 2 threads wait in futex: looks like a deadlock"),
        ),
        (
            vec![thread(1, 'S', "anon_pipe_write", None)],
            Some("its only thread waits in anon_pipe_write: the other end does not read"),
        ),
        (
            vec![thread(1, 'D', "nfs_wait_bit_killable", None), events()],
            Some(
                "1 of 2 threads waits uninterruptibly (state D in nfs_wait_bit_killable): for a disk or another device",
            ),
        ),
        (
            vec![thread(1, 'D', "rwsem_down_write_slowpath", None)],
            Some(
                "its only thread waits uninterruptibly (state D in rwsem_down_write_slowpath): for a lock in the kernel",
            ),
        ),
        (vec![thread(1, 'S', "?", None)], None),
        (vec![busy(1, 20)], None),
        (Vec::new(), None),
    ] {
        let told = diagnose(&one(threads.clone()));
        assert_eq!(told.as_deref(), expected, "{threads:?}");
    }
}

#[test]
fn a_process_that_is_stuck_stands_out_among_others_the_main_one_first() {
    let main = |threads| process(1, 'S', threads);
    let helper =
        process(2, 'S', vec![thread(2, 'S', "pipe_read", Some(call("read", Some((0, "pipe:[5]")))))]);
    let worker = process(3, 'S', in_futex(4));
    let told = |processes| diagnose(&snapshot(processes));
    for (processes, expected) in [
        (
            vec![main(in_futex(8)), helper.clone(), worker.clone()],
            "all 8 threads of server (1) wait in futex: looks like a deadlock",
        ),
        (
            vec![main(vec![asleep(1, "wait4", "do_wait")]), helper.clone(), worker],
            "all 4 threads of server (3) wait in futex: looks like a deadlock",
        ),
        (
            vec![main(in_futex(1)), helper.clone()],
            "the only thread of server (1) waits in futex, for a lock or a condition",
        ),
        (
            vec![main(vec![events()]), helper],
            "all 2 threads wait for events or data, as an idle service does",
        ),
    ] {
        assert_eq!(told(processes).as_deref(), Some(expected));
    }
}

#[test]
fn running_threads_are_told_with_what_they_use() {
    let measured = Some(Duration::from_millis(50));
    let mut snapshot = Snapshot { measured, ..one(vec![busy(1, 98)]) };
    let told = diagnose(&snapshot);
    let expected = "its only thread is busy (98 % of a CPU for 50 ms): an endless loop, or too much work";
    assert_eq!(told.as_deref(), Some(expected));
    snapshot.processes[0].threads = vec![busy(1, 40)];
    assert_eq!(diagnose(&snapshot), None);
    let pressure = pressed(Resource::Cpu, 90.0);
    snapshot.figures = Some(Figures { pressure, ..Figures::default() });
    let told = diagnose(&snapshot).unwrap();
    assert!(told.starts_with("its only thread is busy (40 % of a CPU for 50 ms)"), "{told}");
    snapshot.figures = None;
    snapshot.processes[0].threads = vec![events(), busy(2, 90), busy(3, 99)];
    let told = diagnose(&snapshot);
    let expected =
        "2 of 3 threads are busy (up to 99 % of a CPU each for 50 ms): endless loops, or too much work";
    assert_eq!(told.as_deref(), Some(expected));
}

#[test]
fn stopped_traced_and_ended_processes_are_told() {
    let stopped = |pid, state| process(pid, state, vec![thread(pid, state, "do_signal_stop", None)]);
    let traced = Process { tracer: Some(77), ..stopped(1, 't') };
    let ended = process(1, 'Z', vec![thread(1, 'Z', "", None)]);
    let unseen = Snapshot {
        gaps: vec![Gap { field: Field::Processes, why: "hidden".to_owned() }],
        ..snapshot(Vec::new())
    };
    assert_eq!(diagnose(&unseen), None);
    for (processes, expected) in [
        (vec![stopped(1, 'T')], "server (1) is stopped by a signal (state T); SIGCONT would let it go on"),
        (
            vec![stopped(1, 'T'), stopped(2, 'T')],
            "all 2 processes are stopped by a signal (state T); SIGCONT would let it go on",
        ),
        (
            vec![process(1, 'S', vec![thread(1, 'S', "?", None)]), stopped(2, 'T'), stopped(3, 'T')],
            "2 of 3 processes are stopped by a signal (state T); SIGCONT would let it go on",
        ),
        (vec![traced], "server (1) is held by process 77, a debugger or tracer (state t)"),
        (vec![ended], "server (1) has ended (state Z)"),
        (Vec::new(), "no process is left"),
    ] {
        assert_eq!(diagnose(&snapshot(processes)).as_deref(), Some(expected));
    }
    // Of those that there was no time for, a glance still tells.
    let part = Snapshot {
        total: Some(401),
        late: 399,
        glance: Some(Glance { processes: 401, threads: 2_005, stopped: 401 }),
        ..snapshot(vec![stopped(1, 'T'), stopped(2, 'T')])
    };
    let told = diagnose(&part);
    let expected = "all 401 processes are stopped by a signal (state T); SIGCONT would let it go on (read were 2 of 401 processes)";
    assert_eq!(told.as_deref(), Some(expected));
    // A main thread that has ended, while others go on, is not the end of the process.
    let threads = vec![thread(1, 'Z', "", None), events()];
    let told = diagnose(&snapshot(vec![process(1, 'Z', threads)]));
    assert_eq!(told.as_deref(), Some("its only thread waits for events or data, as an idle service does"));
}

#[test]
fn limits_that_are_reached_are_told() {
    let open = |descriptors, descriptor_limit| {
        let process = process(1, 'R', vec![thread(1, 'R', "", None)]);
        snapshot(vec![Process { descriptors: Some(descriptors), descriptor_limit, ..process }])
    };
    let tasks = |tasks, tasks_max| with(Figures { tasks: Some(tasks), tasks_max, ..Figures::default() });
    for (snapshot, expected) in [
        (open(1024, Some(1024)), Some("server (1) is out of descriptors (1024 of 1024, LimitNOFILE=)")),
        (open(1023, Some(1024)), None),
        (open(1024, None), None),
        (tasks(512, Some(512)), Some("the unit is out of tasks (512 of 512, TasksMax=)")),
        (tasks(511, Some(512)), None),
        (tasks(511, Some(u64::MAX)), None),
        (
            with(Figures { frozen: true, ..Figures::default() }),
            Some("frozen by the cgroup freezer (systemctl freeze, or a container's pause)"),
        ),
    ] {
        assert_eq!(diagnose(&snapshot).as_deref(), expected);
    }
}

#[test]
fn what_the_unit_is_short_of_is_told() {
    let throttled = |throttled| Some(Throttled { periods: 20, throttled, time: Duration::from_secs(1) });
    let cpu = Figures { pressure: pressed(Resource::Cpu, 83.4), ..Figures::default() };
    let memory =
        Figures { pressure: pressed(Resource::Memory, 50.0), memory: Some(500 << 20), ..Figures::default() };
    for (figures, expected) in [
        (cpu.clone(), Some("the unit is short of CPU time (pressure 83 %)")),
        (
            Figures { pressure_of_machine: true, ..cpu.clone() },
            Some("the machine is short of CPU time (pressure 83 %)"),
        ),
        (
            Figures { throttled: throttled(12), ..cpu.clone() },
            Some("the unit is short of CPU time (pressure 83 %; CPUQuota= held it up in 12 of 20 periods)"),
        ),
        (Figures { throttled: throttled(2), ..cpu }, Some("the unit is short of CPU time (pressure 83 %)")),
        (
            Figures { memory_max: Some(512 << 20), ..memory.clone() },
            Some("the unit is short of memory (pressure 50 %; 500 MiB of 512 MiB, MemoryMax=)"),
        ),
        (
            Figures { memory_max: Some(u64::MAX), ..memory },
            Some("the unit is short of memory (pressure 50 %)"),
        ),
        (Figures { pressure: pressed(Resource::Cpu, 12.0), ..Figures::default() }, None),
        (Figures { pressure: pressed(Resource::Io, 99.0), ..Figures::default() }, None),
    ] {
        assert_eq!(diagnose(&with(figures)).as_deref(), expected);
    }
}

#[test]
fn a_deadlock_explains_more_than_pressure_and_pressure_more_than_rest() {
    let figures = Some(Figures { pressure: pressed(Resource::Cpu, 90.0), ..Figures::default() });
    let told = |threads| diagnose(&Snapshot { figures: figures.clone(), ..one(threads) }).unwrap();
    let (deadlock, short) = (
        "all 2 threads wait in futex: looks like a deadlock",
        "the unit is short of CPU time (pressure 90 %)",
    );
    assert_eq!(told(in_futex(2)), format!("{deadlock}; {short}"));
    assert!(told(vec![events()]).starts_with(&format!("{short}; its only thread waits for events")));
}

#[test]
fn connections_that_nobody_accepts_are_told_the_fullest_queue_first() {
    let socket =
        |address: &str, depth, limit| Socket { address: address.to_owned(), depth, limit, pids: vec![1] };
    for (sockets, expected) in [
        (
            vec![socket("[::]:80", Some(200), Some(4096)), socket("[::]:81", Some(128), Some(128))],
            Some("the accept queue of [::]:81 is full (128 of 128): it does not accept"),
        ),
        (
            vec![socket("[::]:80", Some(1), Some(4096)), socket("/run/a.sock", None, None)],
            Some("1 connection waits to be accepted at [::]:80 (there is room for 4096)"),
        ),
        (vec![socket("[::]:80", Some(3), None)], Some("3 connections wait to be accepted at [::]:80")),
        (vec![socket("[::]:80", Some(0), Some(4096))], None),
        (Vec::new(), None),
    ] {
        let snapshot = Snapshot { sockets, ..one(vec![thread(1, 'R', "", None)]) };
        assert_eq!(diagnose(&snapshot).as_deref(), expected);
    }
}

#[test]
fn an_address_space_that_is_locked_is_told_and_at_most_three_things_in_all() {
    let mut all = one(in_futex(2));
    all.cut = Some(Cut::CommandLine(7));
    let lock = "the address space of process 7 is locked: reading its command line blocks";
    let futex = "all 2 threads wait in futex: looks like a deadlock";
    assert_eq!(diagnose(&all), Some(format!("{lock}; {futex}")));
    let pressure = pressed(Resource::Cpu, 90.0);
    all.figures =
        Some(Figures { frozen: true, tasks: Some(2), tasks_max: Some(2), pressure, ..Figures::default() });
    assert_eq!(diagnose(&all).unwrap_or_default().split("; ").count(), 3);
}
