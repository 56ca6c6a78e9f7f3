//! `tracelink demo`: a sample order, end to end, healthy or broken in every way.

mod act;
mod apps;
mod matrix;
mod teller;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::act::{Act, act};
use self::apps::{Part, Stage};
use self::teller::Teller;
use super::{Exit, exit_of};
use crate::cli::{self, App, Format, Output};
use crate::demo;
use crate::report::text::{fit, pad};

/// A process of the demo: what it says goes to the stage, which started it.
pub fn run_process() -> anyhow::Result<Exit> {
    demo::run_process()?;
    Ok(Exit::Fine)
}

pub fn run(args: &cli::Demo, output: &Output) -> anyhow::Result<Exit> {
    if args.list_faults {
        list(args.app)?;
        return Ok(Exit::Fine);
    }
    let parts = chosen(args.app, &args.fault)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("cannot listen for signals")?;
    }
    let Some(stage) = Stage::prepare(args, output, &interrupted)? else { return Ok(Exit::Interrupted) };
    let act = Act { args, stage: &stage, interrupted: &interrupted };
    match &parts[..] {
        [part] => one(part, &act, output),
        parts => matrix::run(parts, &act, output),
    }
}

/// One part, told as it goes.
fn one(part: &Part, act_as: &Act<'_>, output: &Output) -> anyhow::Result<Exit> {
    let mut teller = Teller::new(output);
    teller.begin(part)?;
    let acted = act(part, act_as, &mut teller)?;
    let exit = if acted.was_interrupted { Exit::Interrupted } else { exit_of(&acted.report, output.fail_on) };
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
        None => bail!("no fault is called `{slug}`\n  tracelink demo --list-faults says which there are"),
    };
    slugs.iter().map(find).collect()
}

/// Says what each fault is.
fn list(app: App) -> io::Result<()> {
    const SLUG: usize = 34;
    let width = super::terminal_width();
    let mut out = io::BufWriter::new(anstream::stdout());
    for part in Part::all(app) {
        let room = width.saturating_sub(SLUG + 2);
        writeln!(out, "{}  {}", pad(part.slug(), SLUG), fit(part.what(), room))?;
        let expected = part.expects();
        let named = expected.first().map_or("nothing: it is healthy", String::as_str);
        writeln!(out, "{}  → {}", pad("", SLUG), fit(named, room.saturating_sub(2)))?;
    }
    out.flush()
}

/// Whether a person reads along.
fn is_for_people(output: &Output) -> bool {
    output.format == Format::Human
}
