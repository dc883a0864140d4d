//! `--metrics ADDR`: a listener whose clients cannot hold anything up.
//!
//! All of it is one future, polled by the one loop: nothing is spawned, and no timer runs while there is no client. At
//! most [`CLIENTS`] are served at a time. Who does not ask within [`ASKING`] is sent away; where all places are taken, whoever
//! has been there longest makes room for the next, so that idle clients keep nobody from the figures.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Metrics;
use super::request::{self, LIMIT};

use crate::kernel::alarm::{At, sleep, timeout};

/// Clients served at a time.
const CLIENTS: usize = 8;
/// How long one of them may take to ask …
const ASKING: Duration = Duration::from_secs(1);
/// … and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// After an error of accept(2), most likely EMFILE, which lasts.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    asking: Duration,
}

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl Server {
    /// Listens on `address`.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, asking: ASKING })
    }

    /// Where it listens.
    #[cfg(test)]
    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }

    /// Serves `metrics` for as long as it is polled. Needs a Tokio runtime with I/O.
    pub async fn serve(&self, metrics: &Metrics) -> Infallible {
        let listener = self.listener.try_clone().and_then(tokio::net::TcpListener::from_std);
        let listener = match listener {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!("--metrics cannot be served: {error}; going on without");
                return pending().await;
            }
        };
        if let Ok(address) = listener.local_addr() {
            tracing::info!("figures are at http://{address}/metrics");
        }
        let asking = self.asking;
        let mut door =
            Door { listener, asking, metrics, clients: Vec::new(), back_off: None, complained: false };
        poll_fn(move |context| door.poll(context)).await
    }
}

/// Who is inside, and whether more are let in.
struct Door<'a> {
    listener: tokio::net::TcpListener,
    asking: Duration,
    metrics: &'a Metrics,
    /// In the order in which they came.
    clients: Vec<Boxed<'a>>,
    back_off: Option<At>,
    complained: bool,
}

impl Door<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Infallible> {
        self.clients.retain_mut(|client| client.as_mut().poll(context).is_pending());
        for _ in 0..CLIENTS {
            if let Some(back_off) = &mut self.back_off {
                if Pin::new(back_off).poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.back_off = None;
            }
            match self.listener.poll_accept(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok((stream, _))) => {
                    let mut client: Boxed = Box::pin(serve(stream, self.asking, self.metrics));
                    if client.as_mut().poll(context).is_pending() {
                        if self.clients.len() == CLIENTS {
                            drop(self.clients.remove(0));
                        }
                        self.clients.push(client);
                    }
                }
                Poll::Ready(Err(error)) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        tracing::warn!("--metrics cannot accept a connection: {error}; trying again");
                    }
                    self.back_off = Some(sleep(BACK_OFF));
                }
            }
        }
        // There may be more, who are not to hold up the rest of the loop.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn serve(mut stream: TcpStream, asking: Duration, metrics: &Metrics) {
    // What goes wrong is the client's to see.
    let _ = converse(&mut stream, asking, metrics).await;
}

async fn converse(stream: &mut TcpStream, asking: Duration, metrics: &Metrics) -> io::Result<()> {
    let Some(answer) = timeout(asking, hear(stream, metrics)).await?? else { return Ok(()) };
    timeout(PATIENCE, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await?
}

/// The answer to what is asked; [`None`] if it is not asked to the end.
async fn hear(stream: &mut TcpStream, metrics: &Metrics) -> io::Result<Option<String>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if let Some(answer) = request::answer(&head, metrics) {
            return Ok(Some(answer));
        }
        let room = (LIMIT - head.len()) as u64;
        if (&mut *stream).take(room).read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net;

    use super::*;

    const AMPLE: Duration = Duration::from_secs(20);

    /// Serves while `client` runs in a thread of its own.
    fn while_serving<T: Send + 'static>(client: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
        while_asking_may_take(ASKING, client)
    }

    fn while_asking_may_take<T: Send + 'static>(
        asking: Duration,
        client: impl FnOnce(SocketAddr) -> T + Send + 'static,
    ) -> T {
        let address = "127.0.0.1:0".parse().expect("an address");
        let server = Server { asking, ..Server::bind(address).expect("a port") };
        let metrics = Metrics::new(None, None);
        let address = server.address();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let client = tokio::task::spawn_blocking(move || client(address));
            tokio::select! {
                never = server.serve(&metrics) => match never {},
                result = client => result.expect("no panic"),
            }
        })
    }

    fn connect(address: SocketAddr) -> net::TcpStream {
        let stream = net::TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(AMPLE)).expect("a timeout");
        stream
    }

    fn get(address: SocketAddr) -> String {
        let mut stream = connect(address);
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    #[test]
    fn a_client_gets_the_figures_and_the_end_of_the_connection() {
        let answer = while_serving(get);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\nsd_watchdog_pings_total 0\n"), "{answer}");
    }

    #[test]
    fn a_request_in_pieces_is_put_together() {
        let answer = while_serving(|address| {
            let mut stream = connect(address);
            stream.set_nodelay(true).expect("no delay");
            for byte in b"GET / HTTP/1.1\r\n\r\n" {
                stream.write_all(&[*byte]).expect("sent");
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        });
        assert!(answer.ends_with("the figures are at /metrics\n"), "{answer}");
    }

    #[test]
    fn a_body_is_not_waited_for() {
        let answer = while_serving(|address| {
            let mut stream = connect(address);
            stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 50000\r\n\r\nbegin").expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            answer
        });
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }

    #[test]
    fn a_silent_client_is_sent_away() {
        while_asking_may_take(Duration::from_millis(50), |address| {
            assert_eq!(connect(address).read(&mut [0; 1]).expect("an end"), 0);
        });
    }

    #[test]
    fn where_all_places_are_taken_whoever_came_first_makes_room() {
        let hour = Duration::from_secs(3600);
        while_asking_may_take(hour, |address| {
            let mut silent: Vec<_> = (0..3 * CLIENTS).map(|_| connect(address)).collect();
            // Pending too, so it needs a place of its own.
            let mut asking = connect(address);
            asking.write_all(b"GET /metrics HTTP/1.1\r\n").expect("sent");
            assert_eq!(silent[2 * CLIENTS].read(&mut [0; 1]).expect("an end"), 0);
            asking.write_all(b"\r\n").expect("sent");
            assert_eq!(asking.read(&mut [0; 1]).expect("an answer"), 1);
            let answer = get(address);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        });
    }
}
