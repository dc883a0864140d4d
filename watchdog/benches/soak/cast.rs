//! Who is guarded.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::resolver::NAME;
use super::schedule::PATIENTS;

/// How a client of the soak asks, to see that a service serves.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Over HTTP.
    Http(SocketAddr),
    /// PING, over a Unix socket.
    Unix(PathBuf),
    /// It has no clients.
    Nobody,
}

/// One service.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name, and what it is like.
    pub name: String,
    /// Options of `sd-watchdog`.
    pub options: Vec<String>,
    /// What it is: arguments of the role `serve`.
    pub service: Vec<String>,
    /// How it is asked.
    pub ask: Ask,
    /// By how many at a time; more than one ask without a pause.
    pub clients: usize,
    /// It hangs on command.
    pub is_patient: bool,
    /// Where another one like it stands, with clients of its own and without `sd-watchdog`: the control. What that one can do,
    /// this one must be able to do behind `sd-watchdog`.
    pub control: Option<SocketAddr>,
}

impl Part {
    /// The control's arguments of the role `serve`.
    pub fn control_service(&self) -> Option<Vec<String>> {
        let address = self.control?.to_string();
        Some(
            self.service
                .iter()
                .enumerate()
                .map(|(place, text)| if place == 1 { &address } else { text })
                .cloned()
                .collect(),
        )
    }
}

/// The first port.
const PORT: u16 = 18_100;
/// From a service's port to its control's.
const CONTROL: u16 = 500;

/// All of them. Sockets are made in `directory`; `file` is larger than what the archive may keep in memory.
pub fn cast(program: &Path, directory: &Path, file: &Path, has_resolver: bool) -> Vec<Part> {
    let mut ports = PORT..;
    let mut web = |name: &str, kind: &str, more: &[&str]| {
        let address = SocketAddr::from(([127, 0, 0, 1], ports.next().unwrap_or(PORT)));
        let mut service = vec![kind.to_owned(), address.to_string()];
        service.extend(more.iter().map(|&more| more.to_owned()));
        Part {
            name: name.to_owned(),
            options: vec!["--http".to_owned(), format!("http://{address}/")],
            service,
            ask: Ask::Http(address),
            clients: 1,
            is_patient: false,
            control: None,
        }
    };
    let with_control = |part: Part| {
        let Ask::Http(address) = part.ask else { return part };
        Part { control: Some(SocketAddr::new(address.ip(), address.port() + CONTROL)), ..part }
    };
    let unix = |name: &str, options: &dyn Fn(&str) -> Vec<String>| {
        let path = directory.join(name);
        Part {
            name: name.to_owned(),
            options: options(&path.display().to_string()),
            service: vec!["unix".to_owned(), path.display().to_string()],
            ask: Ask::Unix(path),
            clients: 1,
            is_patient: false,
            control: None,
        }
    };
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();

    let mut all = vec![
        web("threads", "threads", &[]),
        // One at a time: what probes leave behind stands in its clients' way.
        with_control(web("slow-0.10s", "single", &["100"])),
        with_control(web("slow-0.15s", "single", &["150"])),
        Part { clients: 3, ..web("queue", "queue", &["50"]) },
        web("prefork", "prefork", &["4"]),
        web("chatty", "threads", &[]),
        web("archive", "archive", &[&file.display().to_string()]),
        unix("unix", &|path| texts(&["--unix", path, "--send=PING", "--expect=PONG"])),
        unix("exec", &|path| texts(&["--exec", &format!("'{}' --as ask '{path}'", program.display())])),
        Part {
            name: "own-pings".to_owned(),
            options: texts(&["--child-pings=require"]),
            service: texts(&["pinger"]),
            ask: Ask::Nobody,
            clients: 0,
            is_patient: false,
            control: None,
        },
    ];
    if cfg!(feature = "grpc") {
        let grpc = web("grpc", "grpc", &[]);
        let options = texts(&["--grpc", &grpc.service[1]]);
        all.push(Part { options, ask: Ask::Nobody, clients: 0, ..grpc });
    }
    if has_resolver {
        let named = web("named", "threads", &[]);
        let port = named.service[1].rsplit(':').next().unwrap_or_default();
        let options = texts(&["--http", &format!("http://{NAME}:{port}/")]);
        all.push(Part { options, ..named });
    }
    for number in 1..=PATIENTS {
        let name = format!("patient-{number}");
        all.push(Part { ask: Ask::Nobody, clients: 0, is_patient: true, ..web(&name, "threads", &[]) });
    }
    all
}
