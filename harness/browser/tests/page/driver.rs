//! chromedriver, a child of this program for as long as it is held.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(60);

/// One for all tests, each of which has it start a browser.
pub struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Started on a port that was free, to end with this thread at the latest; or why that cannot be.
    pub fn start() -> Result<Self, String> {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "chromedriver", "--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("chromedriver cannot be started: {error}. ci/setup.sh --browser installs it")
            })?;
        let said = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let (ports, started) = channel();
        // To its end: chromedriver is not to wait for somebody who reads.
        thread::spawn(move || {
            said.lines()
                .map_while(Result::ok)
                .filter_map(|line| port(&line))
                .for_each(|port| ports.send(port).unwrap_or_default())
        });
        let driver = |port| Self { child, port };
        match started.recv_timeout(PATIENCE) {
            Ok(port) => Ok(driver(port)),
            Err(error) => {
                drop(driver(0));
                Err(format!("chromedriver names no port: {error}. ci/setup.sh --browser installs it"))
            }
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let child = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        // Not killed: it ends the browsers that are left.
        let _ = kill_process(child, Signal::TERM);
        let _ = self.child.wait();
    }
}

/// "ChromeDriver was started successfully on port 41233."
fn port(line: &str) -> Option<u16> {
    line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
}
