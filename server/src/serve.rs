//! Both planes, from start to stop.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::app::{self, App};
use crate::cli::{ControlOptions, ServeOptions};
use crate::control::{Control, ControlListener, Reserve, Token};
use crate::error::Error;
use crate::fault::Fault;
use crate::gate::gate;
use crate::injector::Injector;
use crate::notify::Notifier;
use crate::plan::Plan;
use crate::signals::Ears;
use crate::vitals::Vitals;
use crate::workers::{self, Workers};

/// How long requests that are under way get to finish once the server was told to stop.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, or until the fault `exit`; gives the exit code.
///
/// The calling thread becomes the control plane. Nothing that happens to the workers can keep it from answering, from
/// drawing the next hang, or from stopping.
pub fn serve(options: ServeOptions, control: &ControlOptions) -> Result<ExitCode, Error> {
    let worker_count = options.workers.map_or_else(default_workers, usize::from);
    let data_plane = workers::start(worker_count).map_err(Error::Start)?;
    let control_plane = runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    let workers = Workers::new(data_plane.handle().clone(), worker_count);
    let outcome = control_plane.block_on(run(options, control, workers, data_plane.handle()));
    // Stuck workers never come back; waiting for them would be one more hang.
    data_plane.shutdown_background();
    outcome
}

async fn run(
    options: ServeOptions,
    control: &ControlOptions,
    workers: Workers,
    data_plane: &runtime::Handle,
) -> Result<ExitCode, Error> {
    let (ears, mut heard) = Ears::open().map_err(Error::Start)?;
    let token = control.control_token_file.as_deref().map(Token::from_file).transpose()?;
    let control_listener = ControlListener::bind(&control.control, token.is_some())?;
    let reserve = Reserve::new(&control_listener);
    let listener = {
        let _on_the_data_plane = data_plane.enter();
        app::listen(options.listen)?
    };

    // Drawn from 32 bits, so that people can type it and JavaScript can hold it.
    let seed = options.seed.unwrap_or_else(|| rand::rng().random::<u32>().into());
    let vitals = Arc::new(Vitals::new(seed, workers.count()));
    let plan = options.mean_time_to_hang.map(|mean| Plan::new(seed, mean, options.faults));
    let address = listener.local_addr().map_err(Error::Start)?;
    info!(
        listen = %address,
        control = %control_listener.address(),
        pid = vitals.pid,
        seed,
        workers = vitals.workers,
        "serving"
    );

    let (gate, entrance) = gate();
    let (exit, exits) = oneshot::channel();
    let (injector, handle, condition) = Injector::new(gate, workers, ears, plan, exit);
    let control = Control::new(reserve, vitals.clone(), condition.clone(), handle, token);
    let app = App { vitals, condition: condition.clone(), entrance };
    let (stop, stopped) = oneshot::channel::<()>();
    let drained = data_plane.spawn(app.serve(listener, async {
        let _ = stopped.await;
    }));
    tokio::spawn(injector.run());
    let notifier = options.notify.map(|pings| Notifier::start(pings, address)).transpose()?.flatten();

    let (occasion, code) = tokio::select! {
        never = control.serve(&control_listener) => match never {},
        Some(name) = heard.recv() => (name, 0),
        Ok(code) = exits => (Fault::Exit.name(), code),
    };
    info!("stopping on {occasion}");
    if let Some(notifier) = notifier {
        notifier.stopping(occasion).await;
    }
    drop(stop);
    let fault = condition.borrow().fault();
    if let Some(fault) = fault.filter(|fault| Fault::is_hang(*fault)) {
        warn!(%fault, "nothing will finish in a server that hangs; stopping at once");
    } else if timeout(DRAIN, drained).await.is_err() {
        warn!("requests were still under way after {DRAIN:?}; stopping all the same");
    }
    Ok(code.into())
}

/// One per CPU, and at least two: it takes two to deadlock.
fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}
