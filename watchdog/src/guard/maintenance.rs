//! Whether UNIT is under maintenance: whether a file exists, which may be on a file system that does not answer.
//!
//! So a thread asks, one at a time. It is waited for, since on all others the answer is there at once; but not for long, and
//! not again until it has come.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::kernel::alarm::timeout;
use crate::kernel::aside;

/// How long the loop waits for an answer: much less than anything that it has to be in time for.
const PATIENCE: Duration = Duration::from_millis(50);
/// Bytes; a `stat` needs few.
const STACK: usize = 128 << 10;

/// What is asked, on a thread.
type Ask = Box<dyn FnOnce() -> bool + Send>;

/// `--maintenance-file`
#[derive(Debug)]
pub struct Maintenance {
    path: PathBuf,
    /// As it was known last. Until it is, UNIT is left alone.
    last: bool,
    /// The answer that has not come yet.
    pending: Option<oneshot::Receiver<bool>>,
    is_complaint_made: bool,
}

impl Maintenance {
    /// By the file at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path, last: true, pending: None, is_complaint_made: false }
    }

    /// Whether it exists, as far as can be known by now.
    pub async fn is_on(&mut self) -> bool {
        let path = self.path.clone();
        self.is_on_by(Box::new(move || path.exists())).await
    }

    /// The same, with the question.
    async fn is_on_by(&mut self, ask: Ask) -> bool {
        match self.pending.as_mut().map(oneshot::Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return self.last,
            Some(Ok(answer)) => self.last = answer,
            Some(Err(TryRecvError::Closed)) | None => {}
        }
        self.pending = None;
        match in_a_thread(ask) {
            Ok(mut answer) => match timeout(PATIENCE, &mut answer).await {
                Ok(Ok(answer)) => {
                    self.last = answer;
                    self.is_complaint_made = false;
                }
                Ok(Err(_)) => self.complain("its thread has ended"),
                Err(_) => {
                    self.pending = Some(answer);
                    self.complain("no answer");
                }
            },
            Err(error) => self.complain(&format!("no thread for it: {error}")),
        }
        self.last
    }

    fn complain(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_complaint_made, true) {
            let (path, then) = (self.path.display(), if self.last { "left alone" } else { "guarded" });
            tracing::warn!(
                "cannot find out whether there is {path} ({why}): until then the unit is {then}, as before"
            );
        }
    }
}

fn in_a_thread(ask: Ask) -> io::Result<oneshot::Receiver<bool>> {
    let (sender, answer) = oneshot::channel();
    let work = move || {
        // Nobody waits any more when the program ends.
        let _ = sender.send(ask());
    };
    aside::start("maintenance", Some(STACK), work)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::task::yield_now;

    use super::*;

    fn answers(answer: bool) -> Ask {
        Box::new(move || answer)
    }

    #[tokio::test]
    async fn it_is_on_while_the_file_exists() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.service.maintenance");
        let mut maintenance = Maintenance::new(path.clone());
        assert!(!maintenance.is_on().await);
        std::fs::write(&path, "").expect("written");
        assert!(maintenance.is_on().await);
        std::fs::remove_file(&path).expect("removed");
        assert!(!maintenance.is_on().await);
    }

    /// Whoever waits for a file system that does not answer would do so for ever.
    async fn in_time<T>(question: impl Future<Output = T>) -> T {
        timeout(Duration::from_secs(20), question).await.expect("not held up")
    }

    #[tokio::test]
    async fn a_file_system_that_does_not_answer_is_asked_once_and_holds_up_nobody() {
        for before in [false, true] {
            let mut maintenance = Maintenance::new(PathBuf::new());
            assert_eq!(maintenance.is_on_by(answers(before)).await, before);
            let (release, released) = channel::<()>();
            let (asked, questions) = channel();
            let count = || -> Ask {
                let asked = asked.clone();
                Box::new(move || {
                    let _ = asked.send(());
                    true
                })
            };
            let stuck: Ask = Box::new(move || released.recv().is_err() || !before);
            assert_eq!(in_time(maintenance.is_on_by(stuck)).await, before, "as it was known last");
            for _ in 0..100 {
                assert_eq!(in_time(maintenance.is_on_by(count())).await, before);
            }
            assert!(questions.try_recv().is_err(), "asked again while there is no answer");
            release.send(()).expect("the thread lives");
            in_time(async {
                while maintenance.pending.as_ref().is_some_and(oneshot::Receiver::is_empty) {
                    yield_now().await;
                }
            })
            .await;
            // The next question has no answer either, so it is that one's which counts.
            let (_until_the_end, never) = channel::<()>();
            let stuck: Ask = Box::new(move || never.recv().is_err() && before);
            assert_eq!(in_time(maintenance.is_on_by(stuck)).await, !before, "it has come, late as it is");
        }
    }

    #[tokio::test]
    async fn until_there_is_an_answer_the_unit_is_left_alone() {
        let mut maintenance = Maintenance::new(PathBuf::new());
        let (release, released) = channel::<()>();
        assert!(in_time(maintenance.is_on_by(Box::new(move || released.recv().is_err()))).await);
        drop(release);
    }
}
