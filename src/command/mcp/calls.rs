//! What the tools do that need no session: they call what the commands call.

use std::sync::atomic::AtomicBool;

use rmcp::model::{CallToolResult, JsonObject};
use serde_json::Value;

use super::answer::{Said, structured};
use super::arguments::{Call, is_saved, text};
use super::tools::{self, Spec};
use crate::bundle::Skipped;
use crate::cli::{self, Command};
use crate::command::broker_look::broker_url;
use crate::command::progress::Progress;
use crate::command::stderr::in_words;
use crate::command::{Exit, called, evidence_files, explain, inspect_queue};
use crate::diagnosis::{self, Listing};
use crate::live::FilePlan;
use crate::report::{Subject, explanation};

/// `diagnose`.
///
/// # Errors
///
/// Those of the command.
pub fn diagnose(spec: &Spec, own: &cli::Output, given: &JsonObject) -> anyhow::Result<CallToolResult> {
    let Call { command, output, policy } = Call::read(spec, "diagnose", own, given)?;
    let Command::Diagnose(args) = command else { unreachable!("the subcommand is `diagnose`") };
    let paths = evidence_files::paths(&args.evidence)?;
    paths.iter().try_for_each(|path| is_saved(path))?;
    let plan = FilePlan::new(args.max_memory, false);
    let mut session = evidence_files::session(&args, &plan, Box::new(|_, _| ()));
    let skipped = evidence_files::read(&args, &paths, &plan, &mut session)?;
    let report = policy.apply(session.report(Listing::default()));
    let exit = Exit::of_report(&report, output.fail_on);
    let said = Said {
        report,
        subject: Subject::Handoffs,
        source: None,
        exit,
        task: text(given, tools::TASK),
        notes: skipped_in_words(&skipped),
        session: None,
    };
    said.answer(&output)
}

/// `inspect_queue`. The look ends early once it is `interrupted`.
///
/// # Errors
///
/// Those of the command.
pub fn inspect_queue(
    spec: &Spec,
    own: &cli::Output,
    given: &JsonObject,
    interrupted: &AtomicBool,
) -> anyhow::Result<CallToolResult> {
    let Call { command, output, policy } = Call::read(spec, "inspect-queue", own, given)?;
    let Command::InspectQueue(args) = command else { unreachable!("the subcommand is `inspect-queue`") };
    inspect_queue::no_url(&args.queues)?;
    let mut notes = Vec::new();
    let (evidence, source) = if let Some(snapshot) = &args.snapshot {
        let (evidence, skipped) = inspect_queue::read_snapshot(snapshot, &args)?;
        notes = skipped_in_words(&skipped);
        (evidence, snapshot.display().to_string())
    } else {
        let url = broker_url(&args.broker, args.sentinel_master.as_deref())?;
        let mut tell = |what: String| notes.push(what.trim_start_matches("tracelink: ").to_owned());
        let look = inspect_queue::look(&args, &output, &url, interrupted, &Progress::hidden(), &mut tell)?;
        (look, url.to_string())
    };
    let report = policy.apply(diagnosis::report(&evidence, evidence.clock(), Listing::default()));
    let exit = inspect_queue::exit_of(&evidence, &report, &output);
    notes.extend(inspect_queue::missing(&evidence));
    let said = Said {
        report,
        subject: Subject::Queue,
        source: Some(source),
        exit,
        task: None,
        notes,
        session: None,
    };
    said.answer(&output)
}

/// `explain`.
///
/// # Errors
///
/// That no diagnosis is called so.
pub fn explain(given: &JsonObject) -> anyhow::Result<CallToolResult> {
    let (mut text_out, mut document) = (anstream::StripStream::new(Vec::new()), Vec::new());
    let named = text(given, tools::NAME).map(explain::find).transpose()?;
    if let Some(diagnosis) = named {
        explanation::one(diagnosis, &mut text_out)?;
        explanation::json(&[diagnosis], &mut document)?;
    } else {
        explanation::list(&diagnosis::all(), &called(), &mut text_out)?;
        explanation::json(&diagnosis::all(), &mut document)?;
    }
    let mut document: Value = serde_json::from_slice(&document)?;
    if named.is_none() {
        // The whole catalogue is a book. Each is a call away.
        for diagnosis in document["diagnoses"].as_array_mut().into_iter().flatten() {
            let kept = ["code", "slug", "station", "severity", "summary"];
            *diagnosis = kept.map(|field| (field, diagnosis[field].clone())).into_iter().collect::<Value>();
        }
    }
    Ok(structured(document, &String::from_utf8_lossy(&text_out.into_inner())))
}

/// What was skipped although it should not have been, a few of it.
fn skipped_in_words(skipped: &[Skipped]) -> Vec<String> {
    const SHOWN: usize = 10;
    let told: Vec<_> = skipped.iter().filter(|skipped| !skipped.is_expected).collect();
    let mut lines: Vec<_> = told.iter().take(SHOWN).map(|skipped| in_words(skipped)).collect();
    if told.len() > SHOWN {
        lines.push(format!("{} more places were skipped", told.len() - SHOWN));
    }
    lines
}
