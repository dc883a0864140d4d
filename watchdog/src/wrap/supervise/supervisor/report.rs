//! Before a hang is told: what can be found out about it, beside the loop.

use std::rc::Rc;
use std::time::Instant;

use super::Supervisor;
use crate::report;
use crate::report::{Order, Scope};
use crate::systemd::stopping::is_stopping;
use crate::wrap::state::ReportRequest;

impl Supervisor<'_> {
    /// Makes the report, and asks systemd whether it is stopping the unit: both at the same time.
    pub(super) fn report(&mut self, request: Option<ReportRequest>, ask: Option<Instant>) {
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
        self.report = Some(Box::pin(both(report, ask.map(is_stopping))));
    }
}

/// Waits for the report and the answer. What is stopped needs no report: the rest of it is not waited for.
async fn both(report: Option<impl Future<Output = ()>>, ask: Option<impl Future<Output = bool>>) -> bool {
    let report = async {
        if let Some(report) = report {
            report.await;
        }
    };
    let ask = async {
        match ask {
            Some(ask) => ask.await,
            None => false,
        }
    };
    tokio::pin!(report, ask);
    tokio::select! {
        biased;
        is_stopping = &mut ask => {
            if !is_stopping {
                report.await;
            }
            is_stopping
        }
        () = &mut report => ask.await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn run(report: Option<impl Future<Output = ()>>, ask: Option<impl Future<Output = bool>>) -> bool {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(both(report, ask))
    }

    #[test]
    fn a_report_is_waited_for_unless_systemd_is_stopping_the_unit() {
        assert!(run(Some(pending()), Some(ready(true))));
        assert!(run(None::<std::future::Ready<()>>, Some(ready(true))));
        assert!(!run(Some(ready(())), None::<std::future::Ready<bool>>));
        for is_stopping in [false, true] {
            let mut is_made = false;
            let report = async {
                tokio::task::yield_now().await;
                is_made = true;
            };
            assert_eq!(run(Some(report), Some(ready(is_stopping))), is_stopping);
            assert_eq!(is_made, !is_stopping);
        }
    }
}
