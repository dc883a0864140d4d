//! Waiting for a moment, by a timer of the kernel's.
//!
//! Tokio's own timers are made for thousands: they are kept in a wheel, are due to the millisecond, and wake the process
//! in between to turn the wheel. Here a handful at a time decide how fast a hang is told and how often an idle process wakes
//! up. All of a runtime share one timerfd(2), which is due to the microsecond and wakes once. It is set for the earliest
//! moment that anybody waits for, and left alone while that stays the same.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};

use crate::kernel::raw;

/// Waits until `moment`; [`None`] never comes. Needs a Tokio runtime with I/O.
///
/// # Panics
///
/// Where the runtime has no timer yet and no descriptor is left for one ([`prepare`]): to wait for ever in silence would be
/// worse.
pub fn at(moment: impl Into<Option<Instant>>) -> At {
    At { moment: moment.into(), place: None }
}

/// Waits for `time` from now on; as [`at`].
pub fn sleep(time: Duration) -> At {
    at(Instant::now() + time)
}

/// Lets `future` take `time` from now on; as [`until`].
pub async fn timeout<F: Future>(time: Duration, future: F) -> Result<F::Output, Elapsed> {
    until(after(time), pin!(future)).await
}

/// Lets `future` take its time until `end`; as [`until`].
pub async fn timeout_at<F: Future>(end: Instant, future: F) -> Result<F::Output, Elapsed> {
    until(|now| (now < end).then_some(end), pin!(future)).await
}

/// The time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not within its time")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// For [`until`]: `time` from now on.
pub fn after(time: Duration) -> impl FnMut(Instant) -> Option<Instant> {
    let end = Instant::now() + time;
    move |now| (now < end).then_some(end)
}

/// Lets `future` take its time until `next` says that it is over: given a moment, it names the next at which to ask again.
/// Looks at the future before the clock: what is there counts, however late we come to look. Needs a Tokio runtime with
/// I/O.
pub async fn until<F: Future>(
    mut next: impl FnMut(Instant) -> Option<Instant>,
    mut future: Pin<&mut F>,
) -> Result<F::Output, Elapsed> {
    let mut alarm: Option<At> = None;
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        loop {
            if let Some(alarm) = &mut alarm {
                ready!(Pin::new(alarm).poll(context));
            }
            match next(Instant::now()) {
                Some(moment) => alarm.get_or_insert_with(|| at(moment)).reset(moment),
                None => return Poll::Ready(Err(Elapsed)),
            }
        }
    })
    .await
}

/// Makes the timer of the runtime that is entered, on this thread. Fails where no descriptor is left.
pub fn prepare() -> io::Result<()> {
    Clock::here().map(drop)
}

/// A moment to be waited for.
#[derive(Debug)]
#[must_use = "nothing waits until it is polled"]
pub struct At {
    moment: Option<Instant>,
    /// While it is waited for.
    place: Option<Place>,
}

impl At {
    /// Waits for another moment from now on.
    pub fn reset(&mut self, moment: Instant) {
        *self = at(moment);
    }
}

impl Future for At {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(moment) = self.moment else { return Poll::Pending };
        if Instant::now() >= moment {
            self.place = None;
            return Poll::Ready(());
        }
        self.place.get_or_insert_with(Place::new).wait(moment, context.waker());
        Poll::Pending
    }
}

/// A place among those who wait. It is left when this is dropped.
#[derive(Debug)]
struct Place {
    clock: Rc<Clock>,
    number: u64,
}

impl Place {
    fn new() -> Self {
        let clock = Clock::here().expect("a descriptor for the timer");
        let number = clock.next_number.replace(clock.next_number.get() + 1);
        Self { clock, number }
    }

    fn wait(&self, moment: Instant, waker: &Waker) {
        self.clock.sleepers.enter(self.number, moment, waker);
        self.clock.wait();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clock.sleepers.leave(self.number);
    }
}

thread_local! {
    /// That of the runtime which was last here.
    static CLOCK: RefCell<Option<(Id, Rc<Clock>)>> = const { RefCell::new(None) };
}

/// The timer of a runtime, and who waits for it.
#[derive(Debug)]
struct Clock {
    timer: AsyncFd<OwnedFd>,
    set_for: Cell<Option<Instant>>,
    next_number: Cell<u64>,
    sleepers: Arc<Sleepers>,
    /// Wakes them all.
    bell: Waker,
}

impl Clock {
    fn here() -> io::Result<Rc<Self>> {
        let runtime = Handle::current().id();
        CLOCK.with_borrow_mut(|clock| match clock {
            Some((id, clock)) if *id == runtime => Ok(Rc::clone(clock)),
            _ => {
                let new = Rc::new(Self::new()?);
                *clock = Some((runtime, Rc::clone(&new)));
                Ok(new)
            }
        })
    }

    fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = raw::readable(timerfd_create(TimerfdClockId::Monotonic, flags)?)?;
        let sleepers = Arc::<Sleepers>::default();
        let bell = Waker::from(Arc::clone(&sleepers));
        Ok(Self { timer, set_for: Cell::new(None), next_number: Cell::new(0), sleepers, bell })
    }

    /// Sees to it that the bell rings at the earliest moment.
    fn wait(&self) {
        while let Some(earliest) = self.sleepers.earliest() {
            if self.set_for.get() != Some(earliest) {
                self.set(earliest);
            }
            let Poll::Ready(Ok(mut ready)) = self.timer.poll_read_ready(&mut Context::from_waker(&self.bell))
            else {
                return;
            };
            // Nothing is there to read where it was set anew meanwhile.
            let _ = rustix::io::read(ready.get_inner(), &mut [0; 8]);
            ready.clear_ready();
            self.set_for.set(None);
        }
    }

    fn set(&self, moment: Instant) {
        // Zero would unset it.
        let left = moment.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let value = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // Fails for other arguments only: timerfd_settime(2).
        if timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once).is_ok() {
            self.set_for.set(Some(moment));
        }
    }
}

/// Who waits, for what.
#[derive(Debug, Default)]
struct Sleepers(Mutex<Vec<Sleeper>>);

#[derive(Debug)]
struct Sleeper {
    number: u64,
    moment: Instant,
    waker: Waker,
}

impl Sleepers {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<Sleeper>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn enter(&self, number: u64, moment: Instant, waker: &Waker) {
        self.with(|sleepers| match sleepers.iter_mut().find(|sleeper| sleeper.number == number) {
            Some(sleeper) => {
                sleeper.moment = moment;
                sleeper.waker.clone_from(waker);
            }
            None => sleepers.push(Sleeper { number, moment, waker: waker.clone() }),
        });
    }

    fn leave(&self, number: u64) {
        self.with(|sleepers| sleepers.retain(|sleeper| sleeper.number != number));
    }

    fn earliest(&self) -> Option<Instant> {
        self.with(|sleepers| sleepers.iter().map(|sleeper| sleeper.moment).min())
    }
}

impl Wake for Sleepers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    /// Wakes all. Those whose time has come are forgotten: one that nobody polls any more would have the timer go off for ever.
    /// Who is polled is over then, or comes in anew.
    fn wake_by_ref(self: &Arc<Self>) {
        let now = Instant::now();
        self.with(|sleepers| {
            sleepers.retain(|sleeper| {
                sleeper.waker.wake_by_ref();
                sleeper.moment > now
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime").block_on(future)
    }

    const MS: Duration = Duration::from_millis(1);
    const HOUR: Duration = Duration::from_secs(3600);

    fn clock() -> Rc<Clock> {
        Clock::here().expect("a timer")
    }

    #[test]
    fn a_moment_is_never_waited_for_too_short_and_can_be_waited_for_again() {
        run(async {
            for time in [5 * MS, MS / 10, Duration::ZERO, 3 * MS] {
                let moment = Instant::now() + time;
                at(moment).await;
                assert!(Instant::now() >= moment);
            }
        });
    }

    #[test]
    fn the_earliest_moment_decides_whoever_came_first() {
        run(async {
            let soon = Instant::now() + 5 * MS;
            tokio::select! {
                biased;
                () = sleep(HOUR) => panic!("an hour has passed"),
                () = at(None) => panic!("what never comes has come"),
                () = at(soon) => {}
                () = sleep(HOUR) => panic!("an hour has passed"),
            }
            assert!(Instant::now() >= soon);
        });
    }

    #[test]
    fn everybody_is_woken_whichever_task_looked_at_the_timer_last() {
        run(async {
            let tasks = tokio::task::LocalSet::new();
            let sleepers = [3, 9, 6, 1].map(|count| tasks.spawn_local(sleep(count * MS)));
            tasks
                .run_until(async {
                    // The last to look at it leaves, and looks no more.
                    let mut gone = sleep(12 * MS);
                    assert!(
                        poll_fn(|context| Poll::Ready(Pin::new(&mut gone).poll(context))).await.is_pending()
                    );
                    tokio::task::yield_now().await;
                    drop(gone);
                    for sleeper in sleepers {
                        sleeper.await.expect("it ends");
                    }
                })
                .await;
        });
    }

    #[test]
    fn a_moment_can_be_put_off_and_brought_forward_while_it_is_waited_for() {
        run(async {
            let mut alarm = sleep(HOUR);
            assert!(poll_fn(|context| Poll::Ready(Pin::new(&mut alarm).poll(context))).await.is_pending());
            let moment = Instant::now() + 2 * MS;
            alarm.reset(moment);
            alarm.await;
            assert!(Instant::now() >= moment);
        });
    }

    #[test]
    fn a_moment_that_has_passed_and_that_nobody_looks_at_wakes_once() {
        run(async {
            let mut unseen = sleep(MS);
            assert!(poll_fn(|context| Poll::Ready(Pin::new(&mut unseen).poll(context))).await.is_pending());
            let (mut seen, mut polls) = (sleep(30 * MS), 0);
            poll_fn(|context| {
                polls += 1;
                Pin::new(&mut seen).poll(context)
            })
            .await;
            assert!(polls <= 5, "{polls}");
            unseen.await;
        });
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
            assert_eq!(timeout(Duration::ZERO, ready(7)).await, Ok(7));
            let began = Instant::now();
            assert_eq!(timeout(5 * MS, pending::<()>()).await, Err(Elapsed));
            assert!(began.elapsed() >= 5 * MS);
            assert_eq!(timeout_at(began, pending::<()>()).await, Err(Elapsed));
        });
    }

    #[test]
    fn the_timer_is_left_alone_while_the_earliest_moment_stays_the_same_and_wakes_nobody_who_has_left() {
        run(async {
            let first = Instant::now() + HOUR;
            let mut early = at(first);
            let poll = async |alarm: &mut At| {
                poll_fn(|context| Poll::Ready(Pin::new(&mut *alarm).poll(context))).await
            };
            assert!(poll(&mut early).await.is_pending());
            assert_eq!(clock().set_for.get(), Some(first));
            let mut late = at(first + HOUR);
            assert!(poll(&mut late).await.is_pending());
            assert_eq!(clock().set_for.get(), Some(first));
            drop(early);
            assert!(poll(&mut late).await.is_pending());
            assert_eq!(clock().set_for.get(), Some(first + HOUR));
            drop(late);
            assert_eq!(clock().sleepers.earliest(), None);
        });
        run(async { assert_eq!(timeout(MS, pending::<()>()).await, Err(Elapsed)) });
    }
}
