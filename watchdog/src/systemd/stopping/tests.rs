use zbus::zvariant::Value;

use super::*;
use crate::systemd::own_unit::tests::{UNIT_PATH, asked, object};

const JOB_PATH: &str = "/org/freedesktop/systemd1/job/7";

#[test]
fn a_unit_is_being_stopped_when_it_is_on_its_way_down_or_is_to_go_there() {
    for (state, job, expected) in [
        ("active", "", false),
        ("active", "reload", false),
        ("active", "start", false),
        ("active", "stop", true),
        ("active", "restart", true),
        ("activating", "start", false),
        ("reloading", "", false),
        ("deactivating", "stop", true),
        ("deactivating", "", true),
    ] {
        let properties = |path: &str, property: &str| match (path, property) {
            (UNIT_PATH, "ActiveState") => Value::from(state),
            (UNIT_PATH, "Job") if job.is_empty() => Value::from((0_u32, object("/"))),
            (UNIT_PATH, "Job") => Value::from((7_u32, object(JOB_PATH))),
            (JOB_PATH, "JobType") => Value::from(job),
            other => panic!("{other:?} was asked for"),
        };
        for by_bus in [false, true] {
            let is_stopping = asked(by_bus, &properties, async |unit| stands(unit).await.expect("an answer"));
            assert_eq!(is_stopping, expected, "{state} {job} {by_bus}");
        }
    }
}
