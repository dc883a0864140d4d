use zbus::zvariant::Value;

use super::*;
use crate::systemd::own_unit::tests::{UNIT_PATH, asked, object};

const JOB_PATH: &str = "/org/freedesktop/systemd1/job/7";

#[test]
fn a_unit_is_being_stopped_when_it_is_on_its_way_down_or_is_to_go_there() {
    for (state, job, expected) in [
        ("active", "", Course::RunsOn),
        ("active", "reload", Course::RunsOn),
        ("active", "start", Course::RunsOn),
        ("active", "stop", Course::IsToStop),
        ("active", "restart", Course::IsToStop),
        ("activating", "start", Course::RunsOn),
        ("reloading", "", Course::RunsOn),
        ("deactivating", "stop", Course::Stops),
        ("deactivating", "", Course::Stops),
    ] {
        let properties = |path: &str, property: &str| match (path, property) {
            (UNIT_PATH, "ActiveState") => Value::from(state),
            (UNIT_PATH, "Job") if job.is_empty() => Value::from((0_u32, object("/"))),
            (UNIT_PATH, "Job") => Value::from((7_u32, object(JOB_PATH))),
            (JOB_PATH, "JobType") => Value::from(job),
            other => panic!("{other:?} was asked for"),
        };
        for by_bus in [false, true] {
            let course = asked(by_bus, &properties, async |unit| stands(unit).await.expect("an answer"));
            assert_eq!(course, expected, "{state} {job} {by_bus}");
        }
    }
}
