//! `tracelink inspect-queue`: what is in the broker, and what is wrong with it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::broker_look::{BrokerLook, broker_url};
use super::interruption::interruption;
use super::progress::Progress;
use super::{Exit, Outputs, called, quoted, say, tell_skipped, usage};
use crate::broker::redis::BrokerUrl;
use crate::bundle::{BundleError, EvidenceOptions, Skipped, read_evidence};
use crate::cli::{self, Output};
use crate::diagnosis::{Listing, report};
use crate::evidence::{Evidence, Keep, RequestedQueues};
use crate::model::Report;
use crate::policy::suggest::near;
use crate::report::Subject;
use crate::report::text::{count, safe};
use crate::wire::celery::ReadOptions;
use crate::wire::celery::redis_layout::Naming;

/// How long `--watch` waits between two looks.
const WATCH: Duration = Duration::from_secs(2);
/// How long Ctrl-C may wait for an answer.
const MOMENT: Duration = Duration::from_millis(50);

pub fn run(args: &cli::InspectQueue, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    no_url(&args.queues)?;
    if let Some(snapshot) = &args.snapshot {
        return inspect_snapshot(snapshot, args, output, outputs);
    }
    // The first Ctrl-C ends with the report.
    let interrupted = interruption()?;
    let url = broker_url(&args.broker, args.sentinel_master.as_deref())?;
    loop {
        let progress = Progress::new(output);
        let evidence = look(args, output, &url, &interrupted, &progress, &mut |what| say(&what))?;
        progress.done();
        let report = outputs.policy.apply(report(&evidence, evidence.clock(), listing(output)));
        let is_interrupted = interrupted.load(Ordering::Relaxed);
        let exit = exit_of(&evidence, &report, output).unless_interrupted(is_interrupted);
        if args.watch {
            clear_screen();
        }
        outputs.report(&report, Subject::Queue, Some(url.to_string()), exit)?;
        missing(&evidence).iter().for_each(|missing| say(&format!("tracelink: {missing}")));
        if !args.watch || is_interrupted {
            return Ok(exit);
        }
        // A sleep goes on after a signal.
        for _ in 0..WATCH.as_millis() / MOMENT.as_millis() {
            if interrupted.load(Ordering::Relaxed) {
                return Ok(Exit::Interrupted);
            }
            std::thread::sleep(MOMENT);
        }
        outputs.again();
    }
}

fn inspect_snapshot(
    snapshot: &Path,
    args: &cli::InspectQueue,
    output: &Output,
    outputs: &mut Outputs,
) -> anyhow::Result<Exit> {
    outputs.read_from(&[snapshot.to_owned()]);
    let (evidence, skipped) = read_snapshot(snapshot, args)?;
    tell_skipped(&skipped, output);
    let report = outputs.policy.apply(report(&evidence, evidence.clock(), Listing::default()));
    let exit = exit_of(&evidence, &report, output);
    outputs.report(&report, Subject::Queue, Some(snapshot.display().to_string()), exit)?;
    missing(&evidence).iter().for_each(|missing| say(&format!("tracelink: {missing}")));
    Ok(exit)
}

/// Reads a saved look. Returns what it holds, and what was skipped.
///
/// # Errors
///
/// [`BundleError`], where it cannot be read or holds no evidence.
pub fn read_snapshot(
    snapshot: &Path,
    args: &cli::InspectQueue,
) -> Result<(Evidence, Vec<Skipped>), BundleError> {
    let mut evidence = Evidence::default();
    evidence.show_messages(args.reports.show_messages);
    let reading = EvidenceOptions {
        keep: Keep::Counted,
        options: ReadOptions { args: args.show_args },
        naming: Naming::from(&args.naming),
        queues: args.queues.clone(),
        longest: EvidenceOptions::LONGEST,
    };
    let skipped = read_evidence(&[snapshot.to_owned()], &reading, &mut evidence)?;
    Ok((evidence, skipped))
}

fn clear_screen() {
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        anstream::print!("\x1b[2J\x1b[H");
    }
}

/// Refuses the URL of a broker in place of a queue's name.
pub fn no_url(queues: &[String]) -> anyhow::Result<()> {
    match queues.iter().find(|queue| queue.contains("://")) {
        None => Ok(()),
        // If the URL cannot be read, nothing of it is repeated: it may contain a password.
        Some(url) => Err(usage(match BrokerUrl::parse(url) {
            Ok(url) => {
                let (program, typed) = (called(), quoted(&url.to_string()));
                format!("{url} is no queue but a broker: {program} inspect-queue --broker {typed}")
            }
            Err(_) => {
                "a URL stands where the name of a queue should be: a broker is named with --broker".to_owned()
            }
        })),
    }
}

/// What was requested of the last look.
fn requested(evidence: &Evidence) -> impl Iterator<Item = &RequestedQueues> {
    evidence.brokers.last_looks().filter_map(|look| look.requested.as_ref())
}

pub fn exit_of(evidence: &Evidence, report: &Report, output: &Output) -> Exit {
    let is_missing = requested(evidence).any(|asked| asked.missing().next().is_some());
    Exit::of_queues(report, output.fail_on).unless_missing(is_missing)
}

/// A sentence for each name that is not a queue, with the one that may have been meant.
pub fn missing(evidence: &Evidence) -> Vec<String> {
    const SHOWN: usize = 4;
    let sentence = |asked: &RequestedQueues, name: &str| {
        let near = near(name, asked.others());
        let (what, names) =
            if near.is_empty() { ("there are", asked.others().collect()) } else { ("did you mean", near) };
        let listed: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{}`", safe(name))).collect();
        let hint = match names.len().saturating_sub(SHOWN) {
            _ if names.is_empty() => "no other queue is there either".to_owned(),
            0 => format!("{what} {}", listed.join(", ")),
            more => format!("{what} {} and {} more", listed.join(", "), count(more as u64)),
        };
        format!("`{}` is neither a list nor bound, and no worker holds a message of it: {hint}", safe(name))
    };
    requested(evidence).flat_map(|asked| asked.missing().map(move |name| sentence(asked, name))).collect()
}

/// Looks once at the broker, until it is done or `interrupted`. `tell` takes what a user should
/// know of the look itself.
///
/// # Errors
///
/// Why the broker or the result backend cannot be read, or the snapshot not be written.
pub fn look(
    args: &cli::InspectQueue,
    output: &Output,
    url: &BrokerUrl,
    interrupted: &AtomicBool,
    progress: &Progress,
    tell: &mut dyn FnMut(String),
) -> anyhow::Result<Evidence> {
    let mut evidence = Evidence::default();
    evidence.show_messages(args.reports.show_messages);
    let look = BrokerLook {
        url,
        naming: Naming::from(&args.naming),
        queues: &args.queues,
        limit: (!args.all).then_some(args.limit),
        show_args: args.show_args,
        save: args.save.as_deref(),
    };
    let looked = look.take(output, &mut evidence, interrupted, progress, tell)?;
    let backend = args.result_backend.as_ref().map(|url| broker_url(url, args.sentinel_master.as_deref()));
    looked.join_results(&mut evidence, usize::MAX, backend.transpose()?.as_ref())?;
    Ok(evidence)
}

/// How much a report lists: a sample for a person, everything that was kept for users that
/// want it.
fn listing(output: &Output) -> Listing {
    const ALL: usize = 100_000;
    if output.verbose {
        Listing { messages: ALL, handoffs: ALL, ..Listing::default() }
    } else {
        Listing::default()
    }
}
