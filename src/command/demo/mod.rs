//! `tracelink demo`: a sample order, end to end, healthy or broken in every way.

mod case;
mod labelled_lines;
mod list;
mod live_page;
mod matrix;
mod mend;
mod narrator;
mod run_case;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::case::{Case, ReadyApp};
use self::live_page::PageOptions;
use self::narrator::Narrator;
use self::run_case::{RunOptions, run_case};
use super::outputs::view_of_text;
use super::{Exit, Outputs, called, usage};
use crate::broker::redis::{BrokerUrl, Connection};
use crate::cli::{self, App, Output};
use crate::demo::{DemoError, native};
use crate::diagnosis;
use crate::policy::suggest::did_you_mean;

/// A process of the native application. It reports to its parent.
pub fn run_process() -> anyhow::Result<Exit> {
    match native::run_process() {
        Ok(()) => Ok(Exit::Fine),
        Err(error @ DemoError::NotAlone) => Err(error.into()),
        // The parent got the error and shows it, unless it is gone.
        Err(_) => Ok(Exit::Environment),
    }
}

pub fn run(args: &cli::Demo, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    if args.list_faults {
        can_hold_a_table(outputs, "a list of faults")?;
        list::list(args.app, outputs)?;
        return Ok(Exit::Fine);
    }
    let cases = chosen(args.app, &args.fault)?;
    if cases.len() != 1 {
        can_hold_a_table(outputs, "a table of faults")?;
    }
    if &*args.broker != "embedded" {
        check(&args.broker)?;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).context("cannot listen for signals")?;
    }
    if args.keep && cases.len() > 1 {
        return Err(usage("--keep leaves one application running: name one fault, or none"));
    }
    if args.web.is_some() && cases.len() > 1 {
        return Err(usage("--web shows one application: name one fault, or none"));
    }
    if args.mend {
        mend::check(&cases)?;
    }
    let Some(app) = ReadyApp::prepare(args, output, &interrupted)? else { return Ok(Exit::Interrupted) };
    let page = args.web.map(|address| PageOptions {
        address,
        policy: outputs.policy.clone(),
        view: view_of_text(output),
    });
    let how = RunOptions { args, app: &app, interrupted: &interrupted, fix: None, page: page.as_ref() };
    match &cases[..] {
        [case] if args.mend => mend::one(case, &how, output, outputs),
        [case] => one(case, &how, output, outputs),
        cases => matrix::run(cases, &how, output, outputs),
    }
}

/// Whether every output can hold something other than a report.
fn can_hold_a_table(outputs: &Outputs, what: &str) -> anyhow::Result<()> {
    match outputs.only_reports() {
        Some(format) => Err(usage(format!("{} is for reports, and this is {what}", format.name()))),
        None => Ok(()),
    }
}

/// Checks that the demo can use the user's broker, before anything is started.
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

/// Runs one case, and shows what happens as it happens.
fn one(case: &Case, how: &RunOptions<'_>, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    let mut narrator = Narrator::new(how.args, output, outputs);
    narrator.begin(case)?;
    let mut ran = run_case(case, how, &mut narrator)?;
    let report = narrator.told(&ran.report);
    let exit = Exit::of_report(&report, output.fail_on).unless_interrupted(ran.was_interrupted);
    narrator.end(case, &ran, exit)?;
    if let Some(page) = ran.page.take() {
        // A person has only begun to read it; a script has its report.
        let is_read = io::stdin().is_terminal() && io::stderr().is_terminal();
        let stays = || is_read && !how.interrupted.load(Ordering::Relaxed);
        page.end(report, stays);
    }
    Ok(exit)
}

/// The cases that were asked for; without any, the healthy one.
fn chosen(app: App, slugs: &[String]) -> anyhow::Result<Vec<Case>> {
    if slugs.iter().any(|slug| slug == "all") {
        return Ok(Case::all(app));
    }
    if slugs.is_empty() {
        return Ok(vec![Case::healthy(app)]);
    }
    let find = |slug: &String| match Case::find(app, slug).or_else(|| of_code(app, slug)) {
        Some(case) => Ok(case),
        None => {
            let (other, of_app, app_of_other) = match app {
                App::Native => (App::Python, "", "python"),
                App::Python => (App::Native, " --app python", "native"),
            };
            if Case::find(other, slug).or_else(|| of_code(other, slug)).is_some() {
                return Err(usage(format!(
                    "only the other application acts `{slug}` out: --app {app_of_other}"
                )));
            }
            let cases = Case::all(app);
            let hint = did_you_mean(slug, cases.iter().map(Case::slug));
            Err(usage(format!(
                "no fault is called `{slug}`{hint}\n  {} demo{of_app} --list-faults says which there are",
                called()
            )))
        }
    };
    slugs.iter().map(find).collect()
}

/// The case that shows the diagnosis with this code: the one with the same name, or the
/// first.
fn of_code(app: App, code: &str) -> Option<Case> {
    let diagnosis = diagnosis::all().into_iter().find(|known| known.code.eq_ignore_ascii_case(code))?;
    let is_shown = |case: &Case| case.expects().iter().any(|slug| slug == diagnosis.slug);
    Case::find(app, diagnosis.slug).filter(is_shown).or_else(|| Case::all(app).into_iter().find(is_shown))
}

/// The values of `--fault`, with what they break: the slugs of both applications, the codes
/// that they show, and `all`.
pub fn fault_names() -> BTreeMap<String, String> {
    let cases = || [App::Native, App::Python].into_iter().flat_map(Case::all);
    let shown: BTreeSet<_> = cases().flat_map(|case| case.expects()).collect();
    let codes = diagnosis::all().into_iter().filter(|known| shown.contains(known.slug));
    let codes = codes.map(|known| (known.code.to_owned(), known.summary.to_owned()));
    let slugs = cases().map(|case| (case.slug().to_owned(), case.what().to_owned()));
    let all = ("all".to_owned(), "every fault, right or wrong".to_owned());
    slugs.chain(codes).chain([all]).collect()
}
