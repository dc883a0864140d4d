//! The control endpoint: where a fault is ordered, and where the server still answers when it hangs.
//!
//! One request per connection, each within a deadline, so that no client can hold on to it; [`guard`] keeps out the
//! browsers of people who only visit a web page; [`api`] is what it does.

pub mod address;
pub mod api;
pub mod guard;
pub mod token;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

pub use self::address::{ControlAddress, ControlListener};
use self::guard::Guard;
pub use self::token::Token;
use crate::condition::ConditionReader;
use crate::injector::InjectorHandle;
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
}

impl Control {
    /// An endpoint that reports these and commands that injector, for those who have the token.
    pub fn new(
        vitals: Arc<Vitals>,
        condition: ConditionReader,
        injector: InjectorHandle,
        token: Option<Token>,
    ) -> Arc<Self> {
        Arc::new(Self { vitals, condition, injector, token })
    }

    /// Serves for ever.
    pub async fn serve(self: &Arc<Self>, listener: &ControlListener) -> Infallible {
        let guard = Arc::new(Guard::new(listener.address(), self.token.clone()));
        loop {
            let accepted = match listener {
                ControlListener::Tcp(listener, _) => {
                    listener.accept().await.map(|(stream, _)| self.spawn_connection(stream, &guard))
                }
                ControlListener::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| self.spawn_connection(stream, &guard))
                }
            };
            if let Err(error) = accepted {
                warn!("cannot accept a control connection: {error}");
                // Out of file descriptors, most likely. Asking again at once would only burn CPU time.
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    fn spawn_connection<S>(self: &Arc<Self>, stream: S, guard: &Arc<Guard>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (control, guard) = (Arc::clone(self), Arc::clone(guard));
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
            drop(connection_lives);
        });
    }
}
