//! `tracelink diagnose`: from saved evidence.

use std::sync::atomic::AtomicBool;

use super::broker_beside::BrokerBeside;
use super::evidence_files::{is_store, paths, read, session};
use super::progress::Progress;
use super::stored_page::{ShownPage, StoredPage};
use super::{Exit, Outputs, diagnose_store, tell_skipped, usage};
use crate::bundle::{BytesRead, Store as _, bytes_to_read};
use crate::cli::{self, EvidencePlace, Output};
use crate::diagnosis::Listing;
use crate::live::FilePlan;
use crate::report::Subject;

pub fn run(args: &cli::Diagnose, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    let shown: Vec<_> = args.evidence.iter().map(EvidencePlace::shown).collect();
    outputs.read_from(&shown);
    let (stores, files): (Vec<_>, Vec<_>) = args.evidence.iter().cloned().partition(is_store);
    match &*stores {
        [] => {}
        [store] => return diagnose_store::run(store, &files, args, output, outputs),
        _ => return Err(usage("one ClickHouse can be asked at a time")),
    }
    if let Some(option) = args.store.first_given() {
        return Err(usage(format!("{option} is for a ClickHouse, and the evidence is files")));
    }
    let paths = paths(&args.evidence)?;
    let plan = FilePlan::new(args.max_memory, args.web.is_some());
    let page = args.web.map(|address| StoredPage::open(address, &shown, &plan, output)).transpose()?;
    let progress = Progress::new(output);
    let bytes = bytes_to_read(&paths);
    progress.begin_files(bytes);
    let has_read = |read: BytesRead, spans: u64| {
        progress.read_files(read, spans);
        page.iter().for_each(|page| page.has_read(read.stored, bytes, spans));
    };
    let mut session = session(args, &plan, Box::new(has_read));
    // It is over before the files are read, so Ctrl-C ends all.
    let broker = BrokerBeside::look(args, output, session.evidence(), &AtomicBool::new(false))?;
    let skipped = read(args, &paths, &plan, &mut session).inspect_err(|_| progress.done())?;
    let broker = broker.map(|broker| broker.join_results(session.evidence())).transpose()?;
    progress.judging();
    let judging = page.as_ref().map(StoredPage::judges).transpose()?;
    let report = session.report(Listing::default());
    drop(judging);
    progress.done();
    tell_skipped(&skipped, output);
    let report = outputs.policy.apply(report);
    let exit = Exit::of_report(&report, output.fail_on);
    let read = session.into_judge();
    // Pages that wait have it first.
    let page = page.map(|page| page.show(&report, read)).transpose()?;
    outputs.report(&report, Subject::Handoffs, broker, exit)?;
    page.into_iter().for_each(ShownPage::stay);
    Ok(exit)
}
