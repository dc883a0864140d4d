//! What a visitor wants done, on its way to the stage.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crate::page::server::deed::Deed;
use crate::page::server::stage::Refused;
use crate::run::inputs::{Input, Sender};

/// How many may wait.
const WAITING: usize = 8;
/// How long a visitor waits for an answer. What is done takes a moment; a fault that fills a disk takes some.
const PATIENCE: Duration = Duration::from_secs(30);

/// A deed, and whom to tell what came of it.
pub struct Call {
    /// What is wanted.
    pub deed: Deed,
    /// Who hears of it.
    pub said: Said,
}

/// Whoever waits for what came of a deed.
pub struct Said(SyncSender<Result<String, Refused>>);

impl Said {
    /// This came of it. Nobody may be there any more.
    pub fn say(self, says: Result<String, Refused>) {
        let _ = self.0.send(says);
    }
}

/// Where visitors call.
pub struct Calls {
    calls: SyncSender<Call>,
    bell: Sender,
}

impl Calls {
    /// Both ends. The stage is told by its own inputs that somebody has called.
    pub fn new(bell: Sender) -> (Self, Receiver<Call>) {
        let (calls, taken) = sync_channel(WAITING);
        (Self { calls, bell }, taken)
    }

    /// Has it done, and waits for what comes of it.
    pub fn call(&self, deed: Deed) -> Result<String, Refused> {
        let over = || Refused::Failed("the demo is over".into());
        let (say, said) = sync_channel(1);
        self.calls.try_send(Call { deed, said: Said(say) }).map_err(|error| match error {
            TrySendError::Full(_) => Refused::NotNow("not now: too much is to be done already".into()),
            TrySendError::Disconnected(_) => over(),
        })?;
        if !self.bell.send(Input::Visited) {
            return Err(over());
        }
        said.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            Err(match error {
                RecvTimeoutError::Timeout => {
                    Refused::Failed("it is not done yet after 30 s: the machine is busy".into())
                }
                RecvTimeoutError::Disconnected => over(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::inputs::Inputs;

    #[test]
    fn who_calls_is_told_what_came_of_it() {
        let inputs = Inputs::default();
        let (calls, taken) = Calls::new(inputs.sender());
        std::thread::scope(|scope| {
            let called = scope.spawn(|| calls.call(Deed::Restart));
            let Call { deed, said } = taken.recv().expect("somebody calls");
            assert_eq!(deed, Deed::Restart);
            said.say(Ok("done".into()));
            assert_eq!(called.join().expect("it returns"), Ok("done".into()));
        });
        let until = crate::model::clock::Usec::now() + Duration::from_secs(20);
        assert!(matches!(inputs.receive(until), Some((_, Input::Visited))), "the bell rang");
    }

    #[test]
    fn who_calls_too_often_or_too_late_is_refused() {
        let inputs = Inputs::default();
        let (calls, taken) = Calls::new(inputs.sender());
        for _ in 0..WAITING {
            let (say, _) = sync_channel(1);
            calls.calls.try_send(Call { deed: Deed::Restart, said: Said(say) }).expect("there is room");
        }
        assert!(matches!(calls.call(Deed::Restart), Err(Refused::NotNow(_))));
        drop(taken);
        assert_eq!(calls.call(Deed::Restart), Err(Refused::Failed("the demo is over".into())));
    }
}
