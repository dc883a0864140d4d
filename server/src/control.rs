//! The control endpoint: where a fault is ordered, and where the server still answers when it hangs.
//!
//! One request per connection, each within a deadline, so that no client can hold on to it; [`guard`] keeps out the
//! browsers of people who only visit a web page; [`api`] is what it does.

pub mod address;
pub mod api;
pub mod guard;
mod reserve;
pub mod token;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

pub use self::address::{ControlAddress, ControlListener, ControlStream};
use self::guard::Guard;
pub use self::reserve::Reserve;
use self::reserve::is_exhausted;
pub use self::token::Token;
use crate::condition::ConditionReader;
use crate::injector::InjectorHandle;
use crate::setback::Setback;
use crate::vitals::Vitals;

/// How long a client may take to send its request.
const READ_DEADLINE: Duration = Duration::from_secs(2);
/// How long a connection may last, whatever happens on it.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(10);

/// The control endpoint.
#[derive(Debug)]
pub struct Control {
    vitals: Arc<Vitals>,
    condition: ConditionReader,
    injector: InjectorHandle,
    token: Option<Token>,
    reserve: Mutex<Reserve>,
}

impl Control {
    /// An endpoint that reports these and commands that injector, for those who have the token.
    pub fn new(
        reserve: Reserve,
        vitals: Arc<Vitals>,
        condition: ConditionReader,
        injector: InjectorHandle,
        token: Option<Token>,
    ) -> Arc<Self> {
        Arc::new(Self { vitals, condition, injector, token, reserve: Mutex::new(reserve) })
    }

    /// Serves for ever.
    pub async fn serve(self: &Arc<Self>, listener: &ControlListener) -> Infallible {
        let guard = Arc::new(Guard::new(listener.address(), self.token.clone()));
        let mut setback = Setback::default();
        loop {
            self.reserve().refill();
            if !setback.pause().is_zero() {
                sleep(setback.pause()).await;
            }
            let accepted = match listener.accept().await {
                Err(error) if is_exhausted(&error) => {
                    let Some(accepted) = self.accept_on_reserve(listener, error).await else { continue };
                    accepted
                }
                accepted => accepted,
            };
            match accepted {
                Ok(stream) => {
                    setback.succeeded();
                    match stream {
                        ControlStream::Tcp(stream) => self.spawn_connection(stream, &guard),
                        ControlStream::Unix(stream) => self.spawn_connection(stream, &guard),
                    }
                }
                Err(error) => {
                    if let Some(line) = setback.failed(&error, Instant::now()) {
                        warn!("cannot accept a control connection: {line}");
                    }
                }
            }
        }
    }

    fn spawn_connection<S>(self: &Arc<Self>, stream: S, guard: &Arc<Guard>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (control, guard) = (Arc::clone(self), Arc::clone(guard));
        let endpoint = Arc::clone(self);
        // Dropped with the connection, that is, when the answer is out: a crash waits for that.
        let (connection_lives, answered) = watch::channel(());
        let service = service_fn(move |request| {
            let (control, guard, answered) = (Arc::clone(&control), Arc::clone(&guard), answered.clone());
            async move { Ok::<_, Infallible>(api::answer(&control, &guard, request, answered).await) }
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(READ_DEADLINE)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            let _ = timeout(CONNECTION_DEADLINE, connection).await;
            // The descriptor is free now, and goes back to where it may have come from.
            endpoint.reserve().refill();
            drop(connection_lives);
        });
    }

    /// Accepts a connection in a place of the reserve, or gives `error` where that is used up; nothing if nobody has knocked,
    /// for the kernel looks for a descriptor first, and then at who is there.
    async fn accept_on_reserve(
        &self,
        listener: &ControlListener,
        error: io::Error,
    ) -> Option<io::Result<ControlStream>> {
        // Somebody else may take a place first, but hardly every one.
        while self.reserve().give_up_one() {
            match listener.accept_now().await {
                Some(Err(error)) if is_exhausted(&error) => {}
                accepted => return accepted,
            }
        }
        Some(Err(error))
    }

    /// Only this thread ever locks it, and never for longer than a moment.
    fn reserve(&self) -> MutexGuard<'_, Reserve> {
        self.reserve.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
