//! What is told of a unit that is followed over such a connection.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::guard::follow::{News, follow};
use crate::guard::unit::Job;

/// What was told next, in words.
async fn next(news: &mut UnboundedReceiver<News>) -> String {
    loop {
        match news.recv().await.expect("the follower lives") {
            News::Connected(_) => {}
            News::Settings(settings) => return format!("Restart={}", settings.restart.setting),
            News::Unit(Unit { active, main_pid, job, .. }) => {
                let job = match job {
                    None => "no job".to_owned(),
                    Some(Job { id, kind: None }) => format!("{id} over"),
                    Some(Job { id, kind: Some(kind) }) => format!("{id} {kind:?}"),
                };
                return format!("{active} {main_pid} {job}");
            }
            News::Lost(why) => return why,
        }
    }
}

/// Plays what happens to the unit, from its first news on.
async fn followed(test: impl AsyncFnOnce(&Systemd, &mut UnboundedReceiver<News>)) {
    let (systemd, bus, changes) = Systemd::with_bus().await;
    let (sender, mut news) = unbounded_channel();
    let name = nginx();
    let played = async {
        assert_eq!(next(&mut news).await, "active 42 no job");
        assert_eq!(next(&mut news).await, "Restart=on-failure");
        test(&systemd, &mut news).await;
    };
    let followed = async {
        tokio::select! {
            () = played => {}
            () = follow(Scope::System, &name, (bus, changes), &sender) => {}
        }
    };
    tokio::select! {
        ended = timeout(Duration::from_secs(20), followed) => ended.expect("it ends"),
        () = async { systemd.serve().await; std::future::pending::<()>().await } => {}
    }
}

fn job(id: u32) -> Value<'static> {
    let path = if id == 0 { "/".to_owned() } else { format!("/org/freedesktop/systemd1/job/{id}") };
    Value::from((id, ObjectPath::try_from(path).expect("a path")))
}

impl Systemd {
    /// The unit changes so, and has this job.
    async fn changed_to(&self, active: &'static str, id: u32) {
        self.now.borrow_mut().insert("ActiveState", active.into());
        self.now.borrow_mut().insert("Job", job(id));
        self.changed(UNIT_PATH, UNIT, &[("ActiveState", active.into()), ("Job", job(id))]).await;
    }

    async fn job_new(&self, id: u32, unit: &str) {
        self.say(MANAGER_PATH, MANAGER, "JobNew", &(id, job_path(), unit)).await;
    }

    async fn job_removed(&self, id: u32, unit: &str, result: &str) {
        self.say(MANAGER_PATH, MANAGER, "JobRemoved", &(id, job_path(), unit, result)).await;
    }

    fn job_is(&self, id: u32, answer: Result<&'static str, &'static str>) {
        self.jobs.borrow_mut().insert(id, answer);
        self.job_known.notify_one();
    }
}

#[tokio::test]
async fn news_are_of_whole_changes_of_this_unit_and_tell_when_the_connection_ends() {
    followed(async |systemd, news| {
        // Of another unit, and of another kind.
        systemd.changed("/org/freedesktop/systemd1/unit/x", UNIT, &[("ActiveState", "failed".into())]).await;
        systemd.job_new(7, "x.service").await;
        systemd.say(MANAGER_PATH, MANAGER, "Reloading", &true).await;
        // In two parts, the first of which would make a service without a main process of it.
        systemd.changed(UNIT_PATH, SERVICE, &[("MainPID", 0_u32.into()), ("StatusText", "x".into())]).await;
        systemd.changed(UNIT_PATH, UNIT, &[("ActiveState", "failed".into())]).await;
        assert_eq!(next(news).await, "failed 0 no job");
        // Everything is read again.
        for _ in 0..2 {
            systemd.say(MANAGER_PATH, MANAGER, "Reloading", &false).await;
            assert_eq!(next(news).await, "active 42 no job");
            assert_eq!(next(news).await, "Restart=on-failure");
        }
        // Of the next life too.
        systemd.changed(UNIT_PATH, SERVICE, &[("MainPID", 43_u32.into())]).await;
        systemd.changed(UNIT_PATH, UNIT, &[("InvocationID", vec![9_u8].into())]).await;
        assert_eq!(next(news).await, "active 43 no job");
        assert_eq!(next(news).await, "Restart=on-failure");
        systemd.connection.clone().close().await.expect("closed");
        assert_eq!(next(news).await, "the connection was closed");
    })
    .await;
}

#[tokio::test]
async fn a_job_is_told_with_what_it_does_and_asked_for_again_as_the_unit_changes() {
    followed(async |systemd, news| {
        systemd.job_is(7, Ok("reload"));
        systemd.changed_to("reloading", 7).await;
        assert_eq!(next(news).await, "reloading 42 7 Neither");
        // `systemctl restart` meanwhile is merged into it, without a word of systemd's.
        systemd.job_is(7, Ok("restart"));
        systemd.changed_to("deactivating", 7).await;
        assert_eq!(next(news).await, "deactivating 42 7 Restart");
        systemd.job_is(7, Ok("start"));
        systemd.changed_to("failed", 7).await;
        assert_eq!(next(news).await, "failed 42 7 Start");
        systemd.changed_to("activating", 0).await;
        assert_eq!(next(news).await, "activating 42 no job");
    })
    .await;
}

#[tokio::test]
async fn of_a_job_that_is_over_what_was_known_still_holds_or_else_how_the_unit_stands_is_seen_anew() {
    followed(async |systemd, news| {
        systemd.job_is(7, Ok("reload"));
        systemd.changed_to("reloading", 7).await;
        assert_eq!(next(news).await, "reloading 42 7 Neither");
        systemd.job_is(7, Err(NO_SUCH_JOB));
        systemd.changed_to("failed", 7).await;
        assert_eq!(next(news).await, "failed 42 7 Neither");
        // Of the next nothing was ever known. By now the unit is on its way up.
        systemd.job_is(8, Err(NO_SUCH_JOB));
        systemd.now.borrow_mut().insert("ActiveState", "activating".into());
        systemd.now.borrow_mut().insert("Job", job(0));
        systemd.changed(UNIT_PATH, UNIT, &[("ActiveState", "failed".into()), ("Job", job(8))]).await;
        assert_eq!(next(news).await, "activating 42 8 over");
        // And there may be another.
        systemd.job_is(9, Err(NO_SUCH_JOB));
        systemd.job_is(10, Ok("stop"));
        systemd.now.borrow_mut().insert("Job", job(10));
        systemd.changed(UNIT_PATH, UNIT, &[("Job", job(9))]).await;
        assert_eq!(next(news).await, "activating 42 10 Stop");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_is_announced_alone_counts_unless_it_is_there_already_or_does_nothing() {
    followed(async |systemd, news| {
        // One that is done at once need not be among the unit's properties.
        systemd.job_is(7, Err(NO_SUCH_JOB));
        systemd.now.borrow_mut().insert("ActiveState", "failed".into());
        systemd.job_new(7, "nginx.service").await;
        assert_eq!(next(news).await, "failed 42 7 over");
        systemd.job_is(8, Ok("stop"));
        systemd.changed_to("deactivating", 8).await;
        assert_eq!(next(news).await, "deactivating 42 8 Stop");
        let asked = systemd.calls.borrow().len();
        systemd.job_new(8, "nginx.service").await;
        systemd.job_is(9, Ok("nop"));
        systemd.job_new(9, "nginx.service").await;
        systemd.changed_to("failed", 8).await;
        assert_eq!(next(news).await, "failed 42 8 Stop");
        let calls = systemd.calls.borrow()[asked..].to_vec();
        assert_eq!(calls, [9, 8].map(|id| format!("JobType /org/freedesktop/systemd1/job/{id}")));
    })
    .await;
}

#[tokio::test]
async fn a_reload_of_a_unit_that_is_not_active_is_known_by_how_it_ends() {
    followed(async |systemd, news| {
        for (id, unit, result, expected) in [
            (7, "nginx.service", "invalid", "failed 42 7 Neither"),
            (8, "nginx.service", "done", "failed 42 8 over"),
            (9, "x.service", "invalid", "failed 42 9 over"),
        ] {
            systemd.changed_to("failed", id).await;
            systemd.job_new(id, "nginx.service").await;
            systemd.job_removed(id, unit, result).await;
            systemd.job_is(id, Err(NO_SUCH_JOB));
            systemd.changed_to("failed", 0).await;
            assert_eq!(next(news).await, expected);
            assert_eq!(next(news).await, "failed 42 no job", "what was looked at before its turn has one");
        }
    })
    .await;
}

#[tokio::test]
async fn a_bus_that_does_not_tell_what_a_job_does_is_out_of_reach() {
    for (error, expected) in [
        ("org.freedesktop.DBus.Error.NoReply", "systemd does not answer as expected: No."),
        ("org.freedesktop.DBus.Error.AccessDenied", "active 42 7 over"),
    ] {
        followed(async |systemd, news| {
            systemd.job_is(7, Err(error));
            systemd.changed_to("active", 7).await;
            assert_eq!(next(news).await, expected);
        })
        .await;
    }
}
