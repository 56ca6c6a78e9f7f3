//! `tracelink demo`: a sample order, end to end, healthy or broken in every way.

mod act;
mod apps;
mod lines;
mod list;
mod matrix;
mod mend;
mod teller;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::act::{Act, act};
use self::apps::{Part, Stage};
use self::teller::Teller;
use super::suggest::did_you_mean;
use super::{Exit, Outputs, usage};
use crate::broker::redis::{BrokerUrl, Connection};
use crate::cli::{self, App, Output};
use crate::demo::{self, DemoError};

/// A process of the demo: what it says goes to the stage, which started it.
pub fn run_process() -> anyhow::Result<Exit> {
    match demo::run_process() {
        Ok(()) => Ok(Exit::Fine),
        Err(error @ DemoError::NotAlone) => Err(error.into()),
        // The stage was told, and may be gone: nobody else is to hear of it.
        Err(_) => Ok(Exit::Environment),
    }
}

pub fn run(args: &cli::Demo, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    if args.list_faults {
        can_hold_a_table(outputs, "a list of faults")?;
        list::list(args.app, outputs)?;
        return Ok(Exit::Fine);
    }
    let parts = chosen(args.app, &args.fault)?;
    if parts.len() != 1 {
        can_hold_a_table(outputs, "a table of faults")?;
    }
    if &*args.broker != "embedded" {
        check(&args.broker)?;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("cannot listen for signals")?;
    }
    if args.keep && parts.len() > 1 {
        return Err(usage("--keep leaves one application running: name one fault, or none"));
    }
    if args.mend {
        mend::check(&parts)?;
    }
    let Some(stage) = Stage::prepare(args, output, &interrupted)? else { return Ok(Exit::Interrupted) };
    let act = Act { args, stage: &stage, interrupted: &interrupted, fix: None };
    match &parts[..] {
        [part] if args.mend => mend::one(part, &act, output, outputs),
        [part] => one(part, &act, output, outputs),
        parts => matrix::run(parts, &act, output, outputs),
    }
}

/// Whether every output can hold what is not a report.
fn can_hold_a_table(outputs: &Outputs, what: &str) -> anyhow::Result<()> {
    match outputs.only_reports() {
        Some(format) => Err(usage(format!("{} is for reports, and this is {what}", format.name()))),
        None => Ok(()),
    }
}

/// Whether the demo can use a broker of the user's, before anything is started.
fn check(broker: &str) -> anyhow::Result<()> {
    let url = BrokerUrl::parse(broker)?;
    if !["redis://", "rediss://"].iter().any(|scheme| broker.starts_with(scheme)) {
        return Err(usage(
            "the demo publishes over redis:// and rediss:// only: name a Redis in one of these ways",
        ));
    }
    if broker.split_once('?').is_some_and(|(_, parameters)| parameters.contains("ssl_")) {
        return Err(usage(
            "the demo's own connection knows no ssl_ parameters: let it bring its broker, or name one without them",
        ));
    }
    Connection::open(&url)?;
    Ok(())
}

/// One part, told as it goes.
fn one(part: &Part, act_as: &Act<'_>, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    let mut teller = Teller::new(act_as.args, output, outputs);
    teller.begin(part)?;
    let acted = act(part, act_as, &mut teller)?;
    let exit = Exit::of_report(&acted.report, output.fail_on).unless_interrupted(acted.was_interrupted);
    teller.end(part, &acted, exit)?;
    Ok(exit)
}

/// The parts that were asked for; without any, the healthy one.
fn chosen(app: App, slugs: &[String]) -> anyhow::Result<Vec<Part>> {
    if slugs.iter().any(|slug| slug == "all") {
        return Ok(Part::all(app));
    }
    if slugs.is_empty() {
        return Ok(vec![Part::healthy(app)]);
    }
    let find = |slug: &String| match Part::find(app, slug) {
        Some(part) => Ok(part),
        None => {
            let (other, of_app, app_of_other) = match app {
                App::Native => (App::Python, "", "python"),
                App::Python => (App::Native, " --app python", "native"),
            };
            if Part::find(other, slug).is_some() {
                return Err(usage(format!(
                    "only the other application acts `{slug}` out: --app {app_of_other}"
                )));
            }
            let parts = Part::all(app);
            let hint = did_you_mean(slug, parts.iter().map(Part::slug));
            Err(usage(format!(
                "no fault is called `{slug}`{hint}\n  tracelink demo{of_app} --list-faults says which there are"
            )))
        }
    };
    slugs.iter().map(find).collect()
}
