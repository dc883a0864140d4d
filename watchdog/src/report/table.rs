//! Threads that do the same, on one line. Pure.

use crate::kernel::process::{Process, Thread};

/// Threads that do the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group<'a> {
    /// One of them.
    pub(super) thread: &'a Thread,
    pub(super) count: usize,
    /// Their names, each once.
    names: Vec<&'a str>,
    /// Of the busiest.
    pub(super) busy: Option<u8>,
}

/// The order in which groups are worth reading: running and stuck ones first, the many before the few.
pub(super) fn rank(state: char) -> u8 {
    match state {
        'R' => 0,
        'D' => 1,
        'T' | 't' => 2,
        _ => 3,
    }
}

/// Groups the threads of a process by state, what they wait for, and their stacks.
pub(super) fn groups(threads: &[Thread]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for thread in threads {
        let same = groups.iter_mut().find(|group| {
            let other = group.thread;
            (other.state, &other.wait_channel, &other.call, &other.stack)
                == (thread.state, &thread.wait_channel, &thread.call, &thread.stack)
        });
        match same {
            Some(group) => {
                group.count += 1;
                group.busy = group.busy.max(thread.busy);
                if !group.names.contains(&&*thread.comm) {
                    group.names.push(&thread.comm);
                }
            }
            None => {
                groups.push(Group { thread, count: 1, names: vec![&thread.comm], busy: thread.busy });
            }
        }
    }
    groups.sort_by_key(|group| (rank(group.thread.state), std::cmp::Reverse(group.count)));
    groups
}

/// One aligned line for each group: how many, state, wait channel, system call, names.
pub(super) fn lines(groups: &[Group<'_>]) -> Vec<String> {
    let rows: Vec<[String; 5]> = groups.iter().map(row).collect();
    align(&rows)
}

fn row(group: &Group<'_>) -> [String; 5] {
    let Group { thread, count, names, busy } = group;
    let call = match (&thread.call, busy) {
        (_, Some(busy)) => format!("running, {busy} % of a CPU"),
        (Some(call), None) => call.to_string(),
        (None, None) => String::new(),
    };
    let names = match &names[..] {
        [a, b, c, _, ..] => format!("{a}, {b}, {c}, …"),
        names => names.join(", "),
    };
    [
        counted(*count, "thread"),
        thread.state.to_string(),
        thread.wait_channel.clone().unwrap_or_else(|| "-".to_owned()),
        call,
        names,
    ]
}

/// Rows as lines: columns two blanks apart, those of no row left out, numbers at the start to the right.
pub(super) fn align<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let mut line = String::new();
        for (text, width) in row.iter().zip(widths).filter(|(_, width)| *width > 0) {
            line.push_str(text);
            let missing = width - text.chars().count();
            line.extend(std::iter::repeat_n(' ', missing + 2));
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

/// `1 thread`, `8 threads`, `2 processes`
pub(super) fn counted(count: usize, noun: &str) -> String {
    match (count, noun.ends_with('s')) {
        (1, _) => format!("1 {noun}"),
        (_, true) => format!("{count} {noun}es"),
        (_, false) => format!("{count} {noun}s"),
    }
}

/// All threads of a process as text: the groups, each with its stack, then how many were not looked at.
pub(super) fn full(process: &Process) -> String {
    let groups = groups(&process.threads);
    let mut text = Vec::new();
    for (line, group) in lines(&groups).into_iter().zip(&groups) {
        text.push(line);
        text.extend(group.thread.stack.iter().map(|frame| format!("    {frame}")));
    }
    let rest = process.thread_count.saturating_sub(process.threads.len());
    if rest > 0 {
        text.push(format!("and {} more, not looked at", counted(rest, "thread")));
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{call, thread};

    #[test]
    fn threads_that_do_the_same_share_a_line_and_the_busy_come_first() {
        let mut threads: Vec<Thread> = (0..14)
            .map(|number| thread(100 + number, 'S', "futex_wait_queue", Some(call("futex", None))))
            .collect();
        threads[3].comm = "b".to_owned();
        threads.push(thread(
            200,
            'S',
            "ep_poll",
            Some(call("epoll_wait", Some((3, "anon_inode:[eventpoll]")))),
        ));
        threads.push(Thread { busy: Some(98), comm: "spin".to_owned(), ..thread(201, 'R', "", None) });
        threads.push(Thread { busy: Some(97), comm: "spin".to_owned(), ..thread(202, 'R', "", None) });
        assert_eq!(
            lines(&groups(&threads)),
            [
                "2 threads   R  -                 running, 98 % of a CPU                        spin",
                "14 threads  S  futex_wait_queue  futex                                         server, b",
                "1 thread    S  ep_poll           epoll_wait(fd 3 → anon_inode:[eventpoll])  server",
            ]
            .map(|line| line.replace("                        spin", "                     spin"))
            .map(|line| line.replace(
                "futex                                         s",
                "futex                                      s"
            ))
        );
    }

    #[test]
    fn columns_that_nobody_fills_take_no_room() {
        let rows = [
            ["a".to_owned(), String::new(), "b".to_owned()],
            ["ää".to_owned(), String::new(), String::new()],
        ];
        assert_eq!(align(&rows), ["a   b", "ää"]);
    }
}
