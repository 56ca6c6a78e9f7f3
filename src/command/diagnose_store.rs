//! `tracelink diagnose clickhouse://…`: from a store that is asked.

use std::sync::Arc;
use std::time::Duration;

use super::broker_beside::BrokerBeside;
use super::evidence_files::{paths, read, session};
use super::interruption::interruption;
use super::progress::Progress;
use super::stored_page::{ShownPage, StoredPage};
use super::{Exit, Outputs, say, tell_skipped};
use crate::bundle::Store as _;
use crate::cli::{self, EvidencePlace, OfStore, Output};
use crate::live::{Asked, FilePlan, Inquired, Inquiry, inquire, queried_report};
use crate::model::{DatabaseReport, Timestamp};
use crate::query::clickhouse::{ClickhouseUrl, Client, Store, Told, Window, find};
use crate::report::Subject;
use crate::report::database::to_the_second;
use crate::report::text::{count, plural, safe};

/// The time that is asked for unless another is named.
const SINCE: Duration = Duration::from_hours(1);

/// Asks the store, beside these files.
pub fn run(
    store: &EvidencePlace,
    files: &[EvidencePlace],
    args: &cli::Diagnose,
    output: &Output,
    outputs: &mut Outputs,
) -> anyhow::Result<Exit> {
    // The first Ctrl-C ends the question.
    let interrupted = interruption()?;
    let url = ClickhouseUrl::parse(store.url().unwrap_or_default())?;
    let mut shown = vec![url.to_string().into()];
    shown.extend(files.iter().map(EvidencePlace::shown));
    outputs.read_from(&shown);
    let paths = paths(files)?;
    let plan = if files.is_empty() {
        FilePlan::of_store(args.max_memory, args.web.is_some())
    } else {
        FilePlan::new(args.max_memory, args.web.is_some())
    };
    let page = args.web.map(|address| StoredPage::open(address, &shown, &plan, output)).transpose()?;
    let progress = Progress::new(output);
    let explains = args.store.explain_queries;
    let on_told = |told: Told<'_>| tell(&told, explains, &progress);
    let client = Client::new(url, args.store.asking.limits(), Arc::clone(&interrupted), Box::new(on_told))?;
    let mut session = session(args, &plan, Box::new(|_, _| ()));
    // What messages lead to is asked for, so they come first.
    if !paths.is_empty() {
        tell_skipped(&read(args, &paths, &plan, &mut session)?, output);
    }
    let broker = BrokerBeside::look(args, output, session.evidence(), &interrupted)?;
    let asked = find(client, args.store.asking.table.as_deref()).and_then(|store| {
        let asked = inquire(&store, &inquiry(&args.store, store.now), &mut session)?;
        let is_empty = session.evidence().span_account().received == 0 && asked.interruption.is_none();
        let hint = is_empty.then(|| nothing_there(&args.store, &asked.database));
        Ok((asked, [has_no_limits(&store), hint]))
    });
    progress.done();
    let (database, is_interrupted) = match asked {
        Ok((Asked { database, interruption }, told)) => {
            told.iter().flatten().for_each(|told| say(told));
            if let Some(interruption) = &interruption {
                say(&format!("tracelink: {interruption}"));
            }
            (database, interruption.is_some())
        }
        Err(error) if error.is_interruption() => {
            say(&format!("tracelink: {error}"));
            // Nothing was counted yet.
            session.evidence().found_hole();
            (
                DatabaseReport {
                    url: shown[0].display().to_string(),
                    is_sample: true,
                    ..DatabaseReport::default()
                },
                true,
            )
        }
        Err(error) => return Err(error.into()),
    };
    let broker = broker.map(|broker| broker.join_results(session.evidence())).transpose()?;
    // Where nothing was found, nothing rests on it.
    let is_empty = session.evidence().span_account().received == 0;
    for lack in database.lacks.iter().filter(|_| !is_empty) {
        say(&format!("tracelink: {}: {lack}", database.table));
    }
    let judging = page.as_ref().map(StoredPage::judges).transpose()?;
    let report = outputs.policy.apply(queried_report(&session, database));
    drop(judging);
    let exit = Exit::of_report(&report, output.fail_on).unless_interrupted(is_interrupted);
    let page = page.map(|page| page.show(&report, session.into_judge())).transpose()?;
    outputs.report(&report, Subject::Handoffs, broker, exit)?;
    page.into_iter().for_each(ShownPage::stay);
    Ok(exit)
}

/// What the options ask for, at that time of the server.
fn inquiry(of: &OfStore, now: Timestamp) -> Inquiry {
    let asking = &of.asking;
    let margin = asking.margin();
    let subject = match of.trace {
        Some(id) => Inquired::Trace(id, margin),
        None => {
            let to = of.to.unwrap_or(now);
            let from = of.from.unwrap_or_else(|| to.before(of.since.unwrap_or(SINCE)));
            Inquired::Window(Window { from, to, margin })
        }
    };
    Inquiry { subject, selection: asking.selection() }
}

/// What a user should know whose profile sets the limits.
fn has_no_limits(store: &Store<'_>) -> Option<String> {
    let is_free = store.client().has_own_limits();
    let url = store.client().shown();
    (!is_free).then(|| {
        format!(
            "tracelink: {url}: the user may set nothing (readonly=1), so the limits are those of its profile"
        )
    })
}

/// Why nothing was fetched, and what to ask for instead.
fn nothing_there(of: &OfStore, database: &DatabaseReport) -> String {
    let DatabaseReport { table, from, to, spans, .. } = database;
    let why = match of.trace {
        Some(id) => format!("it has no trace {id}"),
        None if *spans == 0 => {
            let [from, to] = [*from, *to].map(to_the_second);
            format!("no span began between {from} and {to}: ask for another time (--since, --from, --to)")
        }
        None => format!("{} began, and none is of what --task and --service name", plural(*spans, "span")),
    };
    format!("tracelink: {}: {why}", safe(table))
}

/// Shows what the client does, and its SQL if somebody asked for it.
fn tell(told: &Told<'_>, explains: bool, progress: &Progress) {
    match told {
        Told::Asked { what, sql } => {
            progress.asks(what);
            if explains {
                progress.aside(|| say(&format!("-- {what}\n{sql};")));
            }
        }
        Told::Rows { what, rows } => progress.answered(what, *rows),
        Told::Answered { rows, took, read, .. } if explains => {
            let millis = took.as_millis();
            let cost = format!("{} read, {} bytes", plural(read.rows, "row"), count(read.bytes));
            progress.aside(|| say(&format!("-- {}, {millis} ms, {cost}\n", plural(*rows, "row"))));
        }
        Told::Answered { .. } => {}
    }
}
