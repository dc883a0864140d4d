use std::os::unix::fs::symlink;

use super::*;

#[test]
fn figures_are_written_at_once_when_the_state_changes_and_else_every_15_s() {
    let last = Instant::now();
    for (ago, changed, expected) in [
        (None, false, true),
        (None, true, true),
        (Some(REFRESH), false, true),
        (Some(Duration::from_millis(14_999)), false, false),
        (Some(Duration::ZERO), false, false),
        (Some(Duration::ZERO), true, true),
    ] {
        let now = last + ago.unwrap_or_default();
        assert_eq!(is_due(ago.map(|_| last), now, changed), expected, "{ago:?} {changed}");
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not {what}");
        std::thread::yield_now();
    }
}

fn close(file: &MetricsFile) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(file.remove());
}

#[test]
fn the_file_has_the_newest_figures_for_all_to_read_and_is_gone_at_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.prom");
    let (mut file, metrics) =
        (MetricsFile::new(&path).expect("nothing in the way"), Metrics::new(None, None));
    let now = Instant::now();
    for _ in 0..100 {
        metrics.ping();
        file.update(&metrics, now, true);
    }
    file.update(&Metrics::new(None, None), now, false);
    let has_all =
        || fs::read_to_string(&path).is_ok_and(|text| text.contains("\nsd_watchdog_pings_total 100\n"));
    wait_until("written", has_all);
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o644);
    close(&file);
    wait_until("removed", || names(directory.path()).is_empty());
}

#[test]
fn removing_comes_after_the_write_that_is_under_way() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.prom");
    for _ in 0..200 {
        let mut file = MetricsFile::new(&path).expect("nothing in the way");
        file.update(&Metrics::new(None, None), Instant::now(), true);
        close(&file);
        wait_until("idle", || !file.shared.desk.lock().expect("a desk").at_work);
        assert_eq!(names(directory.path()), [""; 0]);
    }
}

#[test]
fn a_directory_that_comes_later_is_written_to_then() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("later/x.prom");
    let (mut file, metrics) =
        (MetricsFile::new(&path).expect("nothing in the way"), Metrics::new(None, None));
    let is_idle = |file: &MetricsFile| !file.shared.desk.lock().expect("a desk").at_work;
    file.update(&metrics, Instant::now(), true);
    wait_until("idle", || is_idle(&file));
    assert!(file.shared.desk.lock().expect("a desk").complained);
    fs::create_dir(directory.path().join("later")).expect("a directory");
    file.update(&metrics, Instant::now(), true);
    wait_until("idle", || is_idle(&file));
    assert!(path.exists() && !file.shared.desk.lock().expect("a desk").complained);
}

#[test]
fn neither_a_link_beside_nor_a_failed_write_leaves_anything_behind() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, victim) = (directory.path().join("x.prom"), directory.path().join("victim"));
    fs::write(&victim, "precious").expect("a file");
    let beside = directory.path().join(format!(".x.prom.{}~", std::process::id()));
    symlink(&victim, &beside).expect("a link");
    replace(&path, PAGE).expect("replaced");
    assert_eq!(fs::read_to_string(&path).expect("a file"), PAGE);
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "precious");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a directory in the way");
    assert!(replace(&path, PAGE).is_err());
    assert!(!beside.exists());
}

const PAGE: &str = "# HELP sd_watchdog_build_info Which sd-watchdog this is.\n";

/// What there is that is no page of ours, and what it is called.
fn in_the_way(directory: &Path) -> Vec<(PathBuf, &'static str)> {
    let at = |name: &str| directory.join(name);
    fs::create_dir(at("directory")).expect("a directory");
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
    drop(std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket"));
    symlink(at("fifo"), at("to-fifo")).expect("a link");
    symlink(at("nothing"), at("to-nothing")).expect("a link");
    fs::write(at("page"), PAGE).expect("a file");
    symlink(at("page"), at("to-page")).expect("a link");
    fs::write(at("token"), "secret").expect("a file");
    fs::write(at("metrics"), "# HELP node_load1 1m load average.\n").expect("a file");
    fs::write(at("cut"), &PAGE[..10]).expect("a file");
    [
        ("directory", "a directory"),
        ("fifo", "a FIFO"),
        ("socket", "a socket"),
        ("to-fifo", "a link"),
        ("to-nothing", "a link"),
        ("to-page", "a link"),
        ("token", "a file of something else"),
        ("metrics", "a file of something else"),
        ("cut", "a file of something else"),
    ]
    .map(|(name, what)| (at(name), what))
    .into()
}

#[test]
fn what_is_no_page_of_ours_is_refused_and_never_replaced() {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, what) in in_the_way(directory.path()) {
        let error = MetricsFile::new(&path).expect_err("in the way").to_string();
        assert_eq!(
            error,
            format!(
                "{} is {what}, which is not replaced; give the path of a file that is to be made",
                path.display()
            )
        );
        let before = identity(&fs::symlink_metadata(&path).expect("it is there"));
        assert_eq!(replace(&path, PAGE).expect_err("came since").to_string(), error);
        assert_eq!(identity(&fs::symlink_metadata(&path).expect("it is there")), before);
    }
}

#[test]
fn a_page_of_an_earlier_run_is_replaced_and_so_is_one_without_content() {
    let directory = tempfile::tempdir().expect("a directory");
    let metrics = Metrics::new(None, None);
    let page = metrics.encode();
    for (name, old) in [("page", page.as_str()), ("empty", "")] {
        let path = directory.path().join(name);
        fs::write(&path, old).expect("a file");
        metrics.ping();
        let mut file = MetricsFile::new(&path).expect("a file as it should be");
        file.update(&metrics, Instant::now(), true);
        wait_until("written", || fs::read_to_string(&path).is_ok_and(|text| text == metrics.encode()));
    }
}

#[test]
fn only_the_file_that_was_written_is_removed() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.prom");
    fs::write(&path, PAGE).expect("a file");
    let mut file = MetricsFile::new(&path).expect("a file as it should be");
    let is_idle = |file: &MetricsFile| !file.shared.desk().at_work;
    close(&file);
    wait_until("idle", || is_idle(&file));
    assert_eq!(fs::read_to_string(&path).expect("it was never written to"), PAGE);
    file.update(&Metrics::new(None, None), Instant::now(), true);
    wait_until("idle", || is_idle(&file));
    fs::write(&path, "of another").expect("written over");
    close(&file);
    wait_until("idle", || is_idle(&file));
    assert_eq!(fs::read_to_string(&path).expect("it is another's"), "of another");
    fs::remove_file(&path).expect("removed");
    file.update(&Metrics::new(None, None), Instant::now(), true);
    wait_until("idle", || is_idle(&file));
    // Made beside it first: an inode that is free is soon another file's.
    fs::write(directory.path().join("another"), "of another").expect("a file");
    fs::rename(directory.path().join("another"), &path).expect("renamed");
    close(&file);
    wait_until("idle", || is_idle(&file));
    assert_eq!(fs::read_to_string(&path).expect("it is another's"), "of another");
}

#[test]
fn a_complaint_stands_until_a_write_succeeds_whichever_thread_makes_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("later/x.prom");
    let mut file = MetricsFile::new(&path).expect("nothing in the way");
    file.shared.desk().complained = true;
    // As at the start of each worker: nothing has been tried.
    file.shared.work();
    assert!(file.shared.desk().complained, "a new thread has not made it good");
    fs::create_dir(directory.path().join("later")).expect("a directory");
    file.update(&Metrics::new(None, None), Instant::now(), true);
    wait_until("idle", || !file.shared.desk().at_work);
    assert!(!file.shared.desk().complained);
}
