//! `--notify`: the server tells systemd itself how it is, as sd_notify(3) has it, through the crate sd-notify.
//!
//! This is what `sd-watchdog` is an alternative to: a watchdog that is built into the service. Whether it is worth
//! anything depends on what a ping vouches for, and there are two kinds of it to compare, [`Pings`]. Both come from a
//! thread of their own, since telling systemd blocks where its socket is full; they differ in what it does before it
//! says `WATCHDOG=1`:
//!
//! | | before a ping | a worker hangs |
//! |---|---|---|
//! | `gated` | a request of its own went the way of every other one: socket, accept loop, gate, worker | no ping, a restart |
//! | `ungated` | nothing | pings go on, and systemd believes them |
//!
//! The second is a mistake, and the one that most native watchdogs make. It is here to be seen, not to be copied.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use sd_notify::NotifyState;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::error::Error;
use crate::exchange;

/// How often the server asks itself whether it is ready where there is no watchdog to give the time.
const UNWATCHED: Duration = Duration::from_secs(1);
/// How long systemd may take to be told of the end, which comes all the same.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What `WATCHDOG=1` vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pings {
    /// A request of the server's own was answered by its workers.
    Gated,
    /// A thread lives that has nothing to do with the workers. A mistake.
    Ungated,
}

/// The thread that tells systemd.
#[derive(Debug)]
pub struct Notifier {
    stop: oneshot::Sender<&'static str>,
    told: oneshot::Receiver<()>,
}

impl Notifier {
    /// Starts it, for a server that listens there. Without `NOTIFY_SOCKET` there is nobody to tell: says so.
    pub fn start(pings: Pings, listen: SocketAddr) -> Result<Option<Self>, Error> {
        if std::env::var_os("NOTIFY_SOCKET").is_none_or(|address| address.is_empty()) {
            warn!(
                "--notify: NOTIFY_SOCKET is not set, so there is nobody to tell; a unit with Type=notify sets it"
            );
            return Ok(None);
        }
        let watchdog = sd_notify::watchdog_enabled().filter(|watchdog| !watchdog.is_zero());
        if let Some(watchdog) = watchdog {
            info!(?pings, ?watchdog, "telling systemd");
        } else {
            info!("telling systemd, without pings: the watchdog is off (WatchdogSec=)");
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let work = move || {
            runtime.block_on(until_stopped(pings, listen, watchdog, stopped));
            // Nobody waits for that where the server has ended otherwise.
            let _ = tell.send(());
        };
        thread::Builder::new().name("notify".to_owned()).spawn(work).map_err(Error::Start)?;
        Ok(Some(Self { stop, told }))
    }

    /// Tells systemd that the server stops, on this `occasion`. No ping comes after that.
    pub async fn stopping(self, occasion: &'static str) {
        if self.stop.send(occasion).is_err() || timeout(LAST_WORDS, self.told).await.is_err() {
            warn!("systemd could not be told that the server stops");
        }
    }
}

async fn until_stopped(
    pings: Pings,
    listen: SocketAddr,
    watchdog: Option<Duration>,
    stopped: oneshot::Receiver<&'static str>,
) {
    let mut systemd = Systemd::default();
    let occasion = tokio::select! {
        biased;
        occasion = stopped => occasion,
        never = vouch(pings, listen, watchdog, &mut systemd) => match never {},
    };
    // Without an occasion the server has failed, which systemd sees by itself.
    if let Ok(occasion) = occasion {
        systemd.tell(&[NotifyState::Stopping, NotifyState::Status(&format!("stopping on {occasion}"))]);
    }
}

/// Says READY once, and pings at half of the time that systemd waits for a ping, as sd_watchdog_enabled(3) has it.
async fn vouch(
    pings: Pings,
    listen: SocketAddr,
    watchdog: Option<Duration>,
    systemd: &mut Systemd,
) -> std::convert::Infallible {
    let every = watchdog.map_or(UNWATCHED, |watchdog| watchdog / 2);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut course = Course::new(listen, watchdog.is_some());
    while !course.is_over() {
        ticks.tick().await;
        let answered = match pings {
            Pings::Gated => ask_itself(listen, every).await,
            // Here is the mistake: nobody has looked.
            Pings::Ungated => Ok(()),
        };
        if let Err(reason) = &answered
            && course.is_well()
        {
            warn!("the server does not answer itself, so systemd gets no ping: {reason}");
        }
        let words = course.next(answered);
        systemd.tell(&words.iter().map(Word::state).collect::<Vec<_>>());
    }
    std::future::pending().await
}

/// Whether the server answers a request of its own, and if not, what happens instead. A new connection each time, as a
/// new client has it.
async fn ask_itself(listen: SocketAddr, deadline: Duration) -> Result<(), String> {
    let address = reachable(listen);
    let exchange = async {
        let request = Request::get("/healthz").header(HOST, address.to_string());
        let request = request.body(Full::new(Bytes::new())).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        exchange::send(stream, request).await.map_err(|error| error.to_string())
    };
    match timeout(deadline, exchange).await {
        Ok(Ok((StatusCode::OK, _))) => Ok(()),
        Ok(Ok((status, _))) => Err(format!("status {}", status.as_u16())),
        Ok(Err(reason)) => Err(reason),
        Err(_) => Err(format!("no answer within {deadline:?}")),
    }
}

/// Where a client on this machine finds a server that listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let loopback: IpAddr = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(loopback, listen.port())
}

/// What systemd has been told so far, which decides on what it is told next. Pure.
#[derive(Debug)]
struct Course {
    listen: SocketAddr,
    is_watched: bool,
    is_ready: bool,
    /// Why it did not answer itself, the last time.
    trouble: Option<String>,
}

/// What systemd is told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Ready,
    Ping,
    Status(String),
}

impl Course {
    fn new(listen: SocketAddr, is_watched: bool) -> Self {
        Self { listen, is_watched, is_ready: false, trouble: None }
    }

    /// The server is not known to be in trouble.
    fn is_well(&self) -> bool {
        self.trouble.is_none()
    }

    /// There is nothing more to tell, until the server stops.
    fn is_over(&self) -> bool {
        self.is_ready && !self.is_watched
    }

    /// What to tell after the server has answered itself, or not.
    fn next(&mut self, answered: Result<(), String>) -> Vec<Word> {
        let mut words = Vec::new();
        match answered {
            Ok(()) => {
                let was_in_trouble = self.trouble.take().is_some();
                let is_news = was_in_trouble || !self.is_ready;
                if !self.is_ready {
                    self.is_ready = true;
                    words.push(Word::Ready);
                }
                if self.is_watched {
                    words.push(Word::Ping);
                }
                if is_news {
                    words.push(Word::Status(format!("serving on {}", self.listen)));
                }
            }
            Err(reason) if self.trouble.as_ref() != Some(&reason) => {
                words.push(Word::Status(format!("does not answer itself: {reason}")));
                self.trouble = Some(reason);
            }
            Err(_) => {}
        }
        words
    }
}

impl Word {
    fn state(&self) -> NotifyState<'_> {
        match self {
            Self::Ready => NotifyState::Ready,
            Self::Ping => NotifyState::Watchdog,
            Self::Status(text) => NotifyState::Status(text),
        }
    }
}

/// Who is told.
#[derive(Debug, Default)]
struct Systemd {
    is_deaf: bool,
}

impl Systemd {
    /// Blocks where its socket is full. The crate opens a socket for each datagram, so that a systemd that was away is
    /// found again.
    fn tell(&mut self, words: &[NotifyState<'_>]) {
        if words.is_empty() {
            return;
        }
        match sd_notify::notify(words) {
            Ok(()) => self.is_deaf = false,
            Err(error) if !self.is_deaf => {
                self.is_deaf = true;
                let address = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
                warn!("systemd cannot be told at NOTIFY_SOCKET={}: {error}", address.display());
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen() -> SocketAddr {
        ([127, 0, 0, 1], 8080).into()
    }

    fn status(text: &str) -> Word {
        Word::Status(text.to_owned())
    }

    #[test]
    fn ready_and_pings_come_after_an_answer_and_trouble_is_told_once() {
        let silent = || Err("no answer within 500ms".to_owned());
        let refused = || Err("status 500".to_owned());
        let mut course = Course::new(listen(), true);
        for (answered, expected) in [
            (silent(), vec![status("does not answer itself: no answer within 500ms")]),
            (silent(), vec![]),
            (Ok(()), vec![Word::Ready, Word::Ping, status("serving on 127.0.0.1:8080")]),
            (Ok(()), vec![Word::Ping]),
            (silent(), vec![status("does not answer itself: no answer within 500ms")]),
            (refused(), vec![status("does not answer itself: status 500")]),
            (refused(), vec![]),
            (Ok(()), vec![Word::Ping, status("serving on 127.0.0.1:8080")]),
            (Ok(()), vec![Word::Ping]),
        ] {
            assert_eq!(course.next(answered.clone()), expected, "{answered:?}");
            assert!(!course.is_over());
        }
    }

    #[test]
    fn without_a_watchdog_there_is_nothing_to_tell_after_ready() {
        let mut course = Course::new(listen(), false);
        assert!(!course.is_over());
        assert_eq!(course.next(Ok(())), [Word::Ready, status("serving on 127.0.0.1:8080")]);
        assert!(course.is_over());
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_the_loopback_address_of_its_family() {
        for (listens, asked) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.2:80", "127.0.0.2:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
