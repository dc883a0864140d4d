//! `hangproof demo`.

use std::sync::Arc;

use super::say;
use crate::cli::Demo;
use crate::demo::call::Calls;
use crate::demo::{Play, front, play, scenario};
use crate::error::Error;
use crate::interrupt;
use crate::machine::here::Here;
use crate::machine::{self, Machine};
use crate::page::assets;
use crate::page::hub::Hub;
use crate::page::server::{Assets, Options, Server};
use crate::plan;
use crate::programs::Programs;
use crate::progress::{self, Progress};
use crate::run::inputs::Interrupts;

/// Where clients reach the server: in a container's own network a published port arrives.
const OWN: &str = "127.0.0.1:8080";
const PUBLISHED: &str = "0.0.0.0:8080";

/// Serves the page, and plays until Ctrl-C.
pub fn demo(options: &Demo) -> Result<(), Error> {
    let progress = progress::on_stderr();
    let interrupts = Interrupts::default();
    let heard = interrupts.clone();
    interrupt::listen(move || heard.interrupt()).map_err(Error::Signals)?;
    let ended = shown(options, &interrupts, progress.as_ref());
    progress.done();
    match ended {
        // That is how it ends.
        Err(_) if interrupts.is_set() => Ok(()),
        ended => ended,
    }
}

fn shown(options: &Demo, interrupts: &Interrupts, progress: &dyn Progress) -> Result<(), Error> {
    let inputs = interrupts.inputs();
    let (calls, visits) = Calls::new(inputs.sender());
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let typed = std::iter::once("hangproof".into()).chain(std::env::args_os().skip(1));
    let typed = plan::call(typed, Some(seed), &[]);
    let hub = Hub::default();
    let url = options.here.then(|| "http://localhost:8080/".to_owned());
    let (mut screen, desk) = front::open(hub.clone(), calls, typed, url);
    let settings = Options {
        listen: options.listen,
        ..Options::new(Assets { script: assets::script(), style: assets::style(), icon: assets::icon() })
    };
    let server = Server::start(&settings, hub, Arc::new(desk))?;
    say(&format!("The page is at {} until Ctrl-C.\n", server.url()))?;
    let scenario = scenario()?;
    let programs = if options.here {
        None
    } else {
        Some(Programs::of(std::slice::from_ref(&scenario), options.programs.as_deref(), progress)?)
    };
    let mut machine = machine(options, progress)?;
    progress.stage("a service hangs now and then");
    let played = play(
        &Play {
            machine: machine.as_ref(),
            scenario: &scenario,
            programs: programs.as_ref(),
            listen: if options.here { PUBLISHED } else { OWN },
            inputs: &inputs,
            calls: &visits,
            seed,
            random: !options.calm,
        },
        &mut screen,
    );
    drop(server);
    let closed = machine.close();
    played?;
    Ok(closed?)
}

fn machine(options: &Demo, progress: &dyn Progress) -> Result<Box<dyn Machine>, Error> {
    if options.here {
        return Ok(Box::new(Here::enter()?));
    }
    Ok(machine::boot(options.machine, &options.root, options.image.as_deref(), progress)?)
}
