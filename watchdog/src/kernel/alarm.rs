//! Waiting for a moment, by a timer of the kernel's.
//!
//! Tokio's own timers are made for thousands: they are kept in a wheel, are due to the millisecond, and wake the process
//! in between to turn the wheel. Here there are two at a time, which decide how fast a hang is told and how often an idle
//! process wakes up. A timerfd(2) is due to the microsecond, and wakes once.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};

use crate::kernel::raw;

/// One timer, to be set again and again.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
    set_for: Cell<Option<Instant>>,
}

impl Alarm {
    /// Needs a Tokio runtime with I/O, and a descriptor.
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { timer: raw::readable(timer)?, set_for: Cell::new(None) })
    }

    /// Waits until then. Dropped before, the timer stays set: to wait for the same moment again costs no system call.
    pub async fn at(&self, moment: Instant) {
        loop {
            let now = Instant::now();
            if now >= moment {
                return;
            }
            if self.set_for.get() != Some(moment) && self.set(moment - now).is_ok() {
                self.set_for.set(Some(moment));
            }
            let Ok(mut guard) = self.timer.readable().await else { return std::future::pending().await };
            // Nothing is there to read where it was set anew meanwhile.
            let _ = rustix::io::read(guard.get_inner(), &mut [0; 8]);
            guard.clear_ready();
            self.set_for.set(None);
        }
    }

    /// Zero unsets it.
    fn set(&self, after: Duration) -> io::Result<()> {
        let value = Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

/// The time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// For [`until`]: `time` from now on.
pub fn after(time: Duration) -> impl FnMut(Instant) -> Option<Instant> {
    let end = Instant::now() + time;
    move |now| (now < end).then_some(end)
}

/// Lets `future` take its time until `next` says that it is over: given a moment, it names the next at which to ask again.
/// Looks at the future before the clock: what is there counts, however late we come to look. Needs a Tokio runtime with
/// I/O and time.
pub async fn until<F: Future>(
    mut next: impl FnMut(Instant) -> Option<Instant>,
    mut future: Pin<&mut F>,
) -> Result<F::Output, Elapsed> {
    // Without one, no descriptor is left.
    let alarm = Lent::new().ok();
    let over = async {
        while let Some(moment) = next(Instant::now()) {
            match &alarm {
                Some(alarm) => alarm.at(moment).await,
                None => tokio::time::sleep_until(moment.into()).await,
            }
        }
    };
    tokio::select! {
        biased;
        output = &mut future => Ok(output),
        () = over => Err(Elapsed),
    }
}

thread_local! {
    /// Alarms that nobody waits for, with the runtime that each belongs to.
    static IDLE: RefCell<Vec<(Id, Alarm)>> = const { RefCell::new(Vec::new()) };
}

/// An alarm for a while: making one takes four system calls more than setting it.
struct Lent(Option<(Id, Alarm)>);

impl Lent {
    fn new() -> io::Result<Self> {
        let runtime = Handle::current().id();
        let idle = IDLE.with_borrow_mut(|idle| {
            // Those of a runtime that is gone wake nobody.
            idle.retain(|(id, _)| *id == runtime);
            idle.pop()
        });
        Ok(Self(Some(match idle {
            Some(alarm) => alarm,
            None => (runtime, Alarm::new()?),
        })))
    }

    async fn at(&self, moment: Instant) {
        match &self.0 {
            Some((_, alarm)) => alarm.at(moment).await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((id, alarm)) = self.0.take() {
            // It would wake us for nothing.
            if alarm.set_for.take().is_none() || alarm.set(Duration::ZERO).is_ok() {
                IDLE.with_borrow_mut(|idle| idle.push((id, alarm)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn an_alarm_never_goes_off_early_and_can_be_set_again() {
        run(async {
            let alarm = Alarm::new().expect("a timer");
            for after in [5 * MS, MS / 10, Duration::ZERO, 3 * MS] {
                let moment = Instant::now() + after;
                alarm.at(moment).await;
                assert!(Instant::now() >= moment);
            }
        });
    }

    #[test]
    fn an_alarm_that_was_set_for_another_moment_is_set_anew() {
        run(async {
            let alarm = Alarm::new().expect("a timer");
            let (soon, late) = (Instant::now() + 5 * MS, Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                biased;
                () = alarm.at(late) => panic!("an hour has passed"),
                () = alarm.at(soon) => {}
            }
            assert!(Instant::now() >= soon);
        });
    }

    /// Lets it take `time` at most.
    async fn timeout<F: Future>(time: Duration, future: Pin<&mut F>) -> Result<F::Output, Elapsed> {
        until(after(time), future).await
    }

    #[test]
    fn an_end_can_be_put_off_each_time_it_comes() {
        run(async {
            let (began, mut asked) = (Instant::now(), 0);
            let next = |now| {
                asked += 1;
                (asked <= 3).then_some(now + 2 * MS)
            };
            assert_eq!(until(next, pin!(pending::<()>())).await, Err(Elapsed));
            assert_eq!(asked, 4);
            assert!(began.elapsed() >= 6 * MS);
        });
    }

    #[test]
    fn what_is_there_counts_and_what_is_not_is_given_up() {
        run(async {
            assert_eq!(timeout(Duration::ZERO, pin!(ready(7))).await, Ok(7));
            let began = Instant::now();
            assert_eq!(timeout(5 * MS, pin!(pending::<()>())).await, Err(Elapsed));
            assert!(began.elapsed() >= 5 * MS);
        });
    }

    #[test]
    fn one_alarm_serves_one_timeout_after_the_other_and_is_silent_in_between() {
        run(async {
            for _ in 0..3 {
                assert_eq!(timeout(20 * MS, pin!(ready(()))).await, Ok(()));
                assert_eq!(timeout(MS, pin!(pending::<()>())).await, Err(Elapsed));
            }
            IDLE.with_borrow(|idle| {
                assert_eq!(idle.len(), 1);
                assert_eq!(idle[0].1.set_for.get(), None);
            });
        });
        run(async { assert_eq!(timeout(MS, pin!(pending::<()>())).await, Err(Elapsed)) });
    }
}
