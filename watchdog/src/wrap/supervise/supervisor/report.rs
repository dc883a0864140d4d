//! Before a hang is told: what can be found out about it, beside the loop.

use std::rc::Rc;
use std::time::Instant;

use super::Supervisor;
use crate::report;
use crate::report::{Order, Scope};
use crate::systemd::stopping::{self, Course};
use crate::wrap::state::ReportRequest;

impl Supervisor<'_> {
    /// Makes the report, and asks systemd whether it is stopping the unit: both at the same time.
    pub(super) fn report(&mut self, request: Option<ReportRequest>, ask: Option<Instant>) {
        // Of one that is under way, and of a hang.
        if self.report.is_some() && request.as_ref().is_some_and(|request| !request.is_certain) {
            return;
        }
        let main = Some(self.child.pid());
        let report = request.map(|ReportRequest { deadline, reason, is_certain }| {
            let order = Order {
                unit: None,
                scope: self
                    .once
                    .witness_pid()
                    .into_iter()
                    .fold(Scope::of(self.cgroup.clone(), main), Scope::without),
                main,
                reason,
                is_certain,
                probes: self.recent.records(),
                exec: self.service.config.on_hang_exec.clone(),
                deadline,
            };
            report::make(order, Rc::clone(self.service.children))
        });
        self.report = Some(Box::pin(both(report, ask.map(stopping::course))));
    }
}

/// Waits for the report and the answer. What is stopped needs no report: the rest of it is not waited for.
async fn both(report: Option<impl Future<Output = ()>>, ask: Option<impl Future<Output = Course>>) -> Course {
    let report = async {
        if let Some(report) = report {
            report.await;
        }
    };
    let ask = async {
        match ask {
            Some(ask) => ask.await,
            None => Course::RunsOn,
        }
    };
    tokio::pin!(report, ask);
    tokio::select! {
        biased;
        course = &mut ask => {
            if course == Course::RunsOn {
                report.await;
            }
            course
        }
        () = &mut report => ask.await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn run(report: Option<impl Future<Output = ()>>, ask: Option<impl Future<Output = Course>>) -> Course {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(both(report, ask))
    }

    #[test]
    fn a_report_is_waited_for_unless_systemd_is_stopping_the_unit() {
        assert_eq!(run(Some(pending()), Some(ready(Course::Stops))), Course::Stops);
        assert_eq!(run(None::<std::future::Ready<()>>, Some(ready(Course::Stops))), Course::Stops);
        assert_eq!(run(Some(ready(())), None::<std::future::Ready<Course>>), Course::RunsOn);
        for course in [Course::RunsOn, Course::IsToStop, Course::Stops] {
            let mut is_made = false;
            let report = async {
                tokio::task::yield_now().await;
                is_made = true;
            };
            assert_eq!(run(Some(report), Some(ready(course))), course);
            assert_eq!(is_made, course == Course::RunsOn);
        }
    }
}
