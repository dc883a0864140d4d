//! `--http URL` and `--http-unix PATH:URLPATH`: a request over a new connection, as a new client would.
//!
//! - Every probe makes its own connection. A kept one would go on working where new clients are no longer let in, and
//!   that a connection was accepted proves nothing: the kernel accepts for a process that is stuck. Only an answer does.
//! - The deadline covers connecting, TLS, the request, and the whole answer, redirects included; where a text in the body
//!   decides, the answer up to that.
//! - Redirects are an answer (status 200–399 is healthy). Those that stay on scheme, host and port are followed if
//!   asked. Proxy variables are not read.

use super::deadline::Deadline;
use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::pin;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use self::answer::{Answer, Progress, Question};
pub use self::data::with_data;
pub use self::expected::Expected;
pub use self::file::FileError;
pub use self::header_file::{HeaderFileError, with_file};
use self::redirect::Origin;
pub use self::request::{Form, FormError};
pub use self::shown::{refused, shown};
pub use self::statuses::StatusError;
pub use self::target::{Target, TargetError};
use super::broken::broken;
use super::connect::Endpoint;
use super::course::{Course, Stage};
use super::tls::Tls;
use crate::words::outcome::{Cause, Outcome, Reason};

pub(crate) mod answer;
mod data;
pub(crate) mod expected;
mod file;
mod header_file;
pub(crate) mod redirect;
mod request;
mod shown;
mod statuses;
mod target;

/// How many redirects in a row are followed.
const MAX_REDIRECTS: usize = 10;

/// Probes one [`Target`].
pub struct HttpProbe {
    endpoint: Endpoint,
    tls: Option<Tls>,
    form: Form,
    authority: String,
    path: String,
    /// What is sent first; later ones only follow redirects.
    request: Vec<u8>,
    expected: Expected,
    /// Redirects to here are followed.
    origin: Option<Origin>,
}

/// What an answer calls for.
enum Next {
    Nothing,
    Follow { status: u16, path: String },
}

/// Without what is asked, in which there may be secrets.
impl fmt::Debug for HttpProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, form, expected, .. } = self;
        f.debug_struct("HttpProbe")
            .field("endpoint", endpoint)
            .field("form", form)
            .field("expected", expected)
            .finish_non_exhaustive()
    }
}

impl HttpProbe {
    /// A probe of `target`, over `tls` if it wants that, which is asked as `form` says.
    pub fn new(target: Target, tls: Option<Tls>, form: Form, expected: Expected) -> Self {
        let Target { endpoint, origin, tls_host: _, authority, path } = target;
        let origin = expected.follow.then(|| origin.with_alias(form.host()));
        let request = form.request(form.method(), true, &authority, &path);
        Self { endpoint, tls, form, authority, path, request, expected, origin }
    }

    /// Does it speak TLS?
    #[cfg(feature = "tls")]
    pub fn is_over_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Probes once, until `deadline` at most. Needs a Tokio runtime with I/O.
    pub async fn run(&self, deadline: &Deadline) -> Outcome {
        let course = Course::new(deadline.timeout());
        let overdue = |waited| self.endpoint.overdue(&course, &waited);
        self.endpoint.within(deadline, pin!(self.attempt(&course)), overdue).await
    }

    fn question<'a>(&'a self, method: &'a str, path: &'a str) -> Question<'a> {
        Question { expected: &self.expected, follow: self.origin.as_ref(), method, path }
    }

    async fn attempt(&self, course: &Course) -> Result<(), Reason> {
        match self.ask(course, &self.request, self.question(self.form.method(), &self.path)).await? {
            Next::Nothing => Ok(()),
            // Apart, so that the ordinary probe stays small.
            Next::Follow { status, path } => Box::pin(self.follow(course, status, path)).await,
        }
    }

    async fn follow(&self, course: &Course, mut status: u16, mut path: String) -> Result<(), Reason> {
        let (mut method, mut with_body) = (self.form.method(), true);
        for _ in 0..MAX_REDIRECTS {
            (method, with_body) = after(status, method, with_body);
            let request = self.form.request(method, with_body, &self.authority, &path);
            match self.ask(course, &request, self.question(method, &path)).await? {
                Next::Nothing => return Ok(()),
                Next::Follow { status: next_status, path: next_path } => {
                    (status, path) = (next_status, next_path);
                }
            }
        }
        Err(Reason::new(Cause::Status, format!("status {status} again after {MAX_REDIRECTS} redirects")))
    }

    async fn ask(&self, course: &Course, request: &[u8], question: Question<'_>) -> Result<Next, Reason> {
        let stream = self.endpoint.connect(course).await?;
        if let Some(tls) = &self.tls {
            // The state of TLS is big, and would be part of every plain probe too.
            return Box::pin(async {
                let stream = tls.handshake(stream, course).await?;
                exchange(stream, course, request, question).await.map_err(|reason| tls.unknown(reason))
            })
            .await;
        }
        exchange(stream, course, request, question).await
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    course: &Course,
    request: &[u8],
    question: Question<'_>,
) -> Result<Next, Reason> {
    course.reach(Stage::Wait);
    let mut answer = Answer::new(question);
    // Who does not want all of it may answer, and close, before it has read it.
    let refused = match send(&mut stream, request).await {
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            Some(error)
        }
        sent => sent.map_err(|error| broken(&error, false)).map(|()| None)?,
    };
    loop {
        match (stream.read_buf(answer.buffer()).await, &refused) {
            (Ok(1..), _) => course.reach(Stage::Read),
            (_, Some(refused)) if !answer.has_begun() => return Err(broken(refused, false)),
            (Ok(0), _) => return answer.closed().map(|()| Next::Nothing),
            (Err(error), _) if is_end(&error) => return answer.closed().map(|()| Next::Nothing),
            (Err(error), _) => return Err(broken(&error, answer.has_begun())),
        }
        match answer.progress()? {
            Progress::Complete => return Ok(Next::Nothing),
            Progress::Redirect { status, path } => return Ok(Next::Follow { status, path }),
            Progress::Incomplete => {}
        }
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), request: &[u8]) -> io::Result<()> {
    stream.write_all(request).await?;
    stream.flush().await
}

/// Many servers end a TLS connection without saying so. No secret hangs on it that an answer be cut off.
fn is_end(error: &io::Error) -> bool {
    error.kind() == ErrorKind::UnexpectedEof
}

/// With which method, and whether with the body, a redirect is followed: as browsers and curl have it.
fn after(status: u16, method: &str, with_body: bool) -> (&str, bool) {
    match (status, method) {
        (303, "HEAD") => (method, false),
        (303, _) | (301 | 302, "POST") => ("GET", false),
        _ => (method, with_body),
    }
}

#[cfg(test)]
mod tests;
