//! `tracelink inspect-queue`: what is in the broker, and what is wrong with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;

use super::interruption::interruption;
use super::progress::Progress;
use super::{Exit, Outputs, called, quoted, say, tell_skipped, usage};
use crate::broker::redis::{
    BrokerUrl, Connection, Discovery, ReadPlan, UrlError, discover, read, read_results,
};
use crate::bundle::{BundleError, EvidenceOptions, Skipped, SnapshotWriter, read_evidence};
use crate::cli::{self, Output};
use crate::diagnosis::{Listing, report};
use crate::evidence::{BrokerIntake, Evidence, Keep, RequestedQueues};
use crate::model::{Report, Timestamp};
use crate::policy::suggest::near;
use crate::report::Subject;
use crate::report::text::{count, safe};
use crate::wire::broker::{BrokerSink, Completeness};
use crate::wire::celery::ReadOptions;
use crate::wire::celery::redis_layout::{Naming, RedisReader};
use crate::wire::snapshot::KeyLine;

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
    let url = broker_url(&args.broker, args)?;
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

/// The URL with the name of Sentinel's master, which has no place in a URL.
pub fn broker_url(url: &str, args: &cli::InspectQueue) -> Result<BrokerUrl, UrlError> {
    let url = BrokerUrl::parse(url)?;
    Ok(match &args.sentinel_master {
        Some(master) => url.with_sentinel_master(master),
        None => url,
    })
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
    let go_on = || {
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut connection = Connection::open(url)?;
    let discovery = discover(&mut connection, &args.queues, &mut |passed, _| {
        progress.scanned(passed);
        go_on()
    })?;
    if discovery.is_cluster_node && !output.quiet {
        tell(format!(
            "tracelink: {url} is a node of a Redis Cluster: keys on its other nodes are not seen, and nothing is \
             concluded from what is not on this one"
        ));
    }
    let now = discovery.at;
    let mut evidence = Evidence::default();
    evidence.show_messages(args.reports.show_messages);
    // A limited look keeps each message, so that results can be joined to it;
    // a look at everything counts them.
    let keep = if args.all { Keep::Counted } else { Keep::Each };
    let options = ReadOptions { args: args.show_args };
    let mut intake = BrokerIntake::new(&mut evidence, &url.name(), now, keep);
    let mut reader = RedisReader::new(Naming::from(&args.naming), options);
    let limit = if args.all { None } else { Some(args.limit) };
    let plan = plan(&mut reader, &mut intake, &discovery, &args.queues, limit);
    if !args.queues.is_empty() {
        let requested = reader.requested(&args.queues, &mut intake);
        intake.only(RequestedQueues::new(requested));
    }
    let is_part = plan.queues.iter().map(Vec::len).sum::<usize>() < discovery.lists.len();
    let complete = discovery.complete && !is_part;
    if let Some(path) = args.save.as_deref().filter(|_| !output.quiet) {
        let what = if args.show_args {
            "messages whole, which may be private"
        } else {
            "what diagnoses read, redacted: no arguments, results or messages of exceptions (--show-args keeps messages whole)"
        };
        tell(format!("saving to {}: {what}", path.display()));
    }
    let create = |path| create(path, url, now, complete, args.show_args);
    let mut saver = args.save.as_deref().map(create).transpose()?;
    progress.begin(plan.entries());
    discovery.bindings.iter().try_for_each(|binding| keep_line(saver.as_mut(), binding))?;
    let mut saved = Ok(());
    let reading = read(&mut connection, &plan, &mut |page| {
        reader.take(&page, &mut intake);
        saved = keep_line(saver.as_mut(), &page);
        progress.read(page.content.len() as u64);
        if saved.is_ok() { go_on() } else { ControlFlow::Break(()) }
    })?;
    saved?;
    intake.read_twice(reading.seen_twice);
    tell_moved(&reading.moved, output, tell);
    let passed_over = connection.take_passed_over();
    if passed_over > 0 {
        tell(format!("tracelink: passed over what is longer than 64 MiB: {} values", count(passed_over)));
    }
    let is_whole = complete && !reading.stopped;
    let seen = Completeness {
        held: is_whole,
        since: is_whole.then_some(now),
        left_out: 0,
        ended_early: !discovery.complete || reading.stopped,
    };
    for (key, (count, why)) in reader.end_look(seen, &mut intake) {
        if output.verbose {
            tell(format!("tracelink: {count} entries of `{}` passed over: {why}", safe(&key)));
        }
    }
    if keep == Keep::Each && !reading.stopped {
        join_results(args, connection, &mut evidence, &url.name(), now, saver.as_mut())?;
    }
    if let Some(saver) = saver {
        saver.finish()?;
    }
    Ok(evidence)
}

fn keep_line(saver: Option<&mut SnapshotWriter>, line: &KeyLine<'_>) -> io::Result<()> {
    saver.map_or(Ok(()), |saver| saver.key(line))
}

fn tell_moved(lists: &[String], output: &Output, tell: &mut dyn FnMut(String)) {
    for list in lists.iter().filter(|_| !output.quiet) {
        tell(format!(
            "tracelink: workers took messages from `{}` while it was read: some are told that are gone now",
            safe(list)
        ));
    }
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

/// Takes the bindings and the names of the lists, and plans which of them to read.
fn plan(
    reader: &mut RedisReader,
    sink: &mut impl BrokerSink,
    discovery: &Discovery,
    wanted: &[String],
    limit: Option<u64>,
) -> ReadPlan {
    reader.begin_look(sink);
    for binding in &discovery.bindings {
        reader.announce(binding, sink);
    }
    for list in &discovery.lists {
        reader.announce_list(&list.key);
    }
    let mut queues: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for list in &discovery.lists {
        let (queue, step) = reader.queue_of(&list.key, sink);
        if wanted.is_empty() || wanted.iter().any(|name| **name == *queue || *name == list.key) {
            queues.entry(queue).or_default().insert((step, &list.key), list.clone());
        }
    }
    ReadPlan {
        queues: queues.into_values().map(|lists| lists.into_values().collect()).collect(),
        held: discovery.held.clone(),
        held_since: discovery.held_since.clone(),
        limit,
        all_held: !wanted.is_empty(),
    }
}

/// Reads the results of the tasks that were seen, only by their ids.
fn join_results(
    args: &cli::InspectQueue,
    mut connection: Connection,
    evidence: &mut Evidence,
    broker: &str,
    now: Timestamp,
    mut saver: Option<&mut SnapshotWriter>,
) -> anyhow::Result<()> {
    let ids: Vec<String> = evidence.tasks.iter().map(|task| task.id.to_string()).collect();
    let mut intake = BrokerIntake::new(evidence, broker, now, Keep::Each);
    let mut reader = RedisReader::new(Naming::default(), ReadOptions::default());
    let mut saved = Ok(());
    if let Some(url) = &args.result_backend {
        connection = Connection::open(&broker_url(url, args)?)?;
    }
    read_results(&mut connection, "", ids.iter().map(String::as_str), &mut |result| {
        reader.take(&result, &mut intake);
        saved = keep_line(saver.as_deref_mut(), &result);
        if saved.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(saved?)
}

fn create(
    path: &Path,
    url: &BrokerUrl,
    now: Timestamp,
    complete: bool,
    with_args: bool,
) -> anyhow::Result<SnapshotWriter> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let out: Box<dyn Write> = Box::new(BufWriter::new(file));
    Ok(SnapshotWriter::new(out, &url.name(), now, complete, with_args)?)
}
