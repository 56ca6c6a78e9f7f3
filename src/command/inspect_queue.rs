//! `tracelink inspect-queue`: what lies in the broker, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;

use super::progress::Progress;
use super::{Exit, Outputs, say, tell_notices};
use crate::broker::redis::{BrokerUrl, Connection, Plan, Survey, UrlError, read, read_results, survey};
use crate::bundle::{Reading, SnapshotWriter, read_evidence};
use crate::cli::{self, Output};
use crate::diagnosis::{Listing, report};
use crate::evidence::{BrokerIntake, Evidence, Keep};
use crate::model::{Report, Timestamp};
use crate::report::Subject;
use crate::report::text::safe;
use crate::wire::broker::{BrokerSink, Completeness};
use crate::wire::celery::ReadOptions;
use crate::wire::celery::redis_layout::{Naming, RedisReader};
use crate::wire::snapshot::KeyLine;

/// How long `--watch` waits between two looks.
const WATCH: Duration = Duration::from_secs(2);
/// How long Ctrl-C may wait for an answer.
const MOMENT: Duration = Duration::from_millis(50);

pub fn run(args: &cli::InspectQueue, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    if let Some(snapshot) = &args.snapshot {
        return inspect_snapshot(snapshot, args, output, outputs);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    // The first Ctrl-C ends with the report; the second at once, for who waits for
    // an answer that does not come. It looks before the first one is noted.
    signal_hook::flag::register_conditional_shutdown(
        signal_hook::consts::SIGINT,
        Exit::Interrupted.code().into(),
        Arc::clone(&interrupted),
    )
    .context("cannot listen for Ctrl-C")?;
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))
        .context("cannot listen for Ctrl-C")?;
    let url = broker_url(&args.broker, args)?;
    loop {
        let (report, missing) = inspect(args, output, &url, &interrupted)?;
        let is_interrupted = interrupted.load(Ordering::Relaxed);
        let exit = Exit::of_queues(&report, output.fail_on).unless_interrupted(is_interrupted);
        if args.watch {
            clear_screen();
        }
        outputs.report(&report, Subject::Queue, Some(url.to_string()), exit)?;
        tell_missing(&missing, &report);
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
    let mut evidence = Evidence::default();
    let reading = Reading {
        keep: Keep::Counted,
        options: ReadOptions { args: args.show_args },
        naming: Naming::from(&args.naming),
    };
    let notices = read_evidence(&[snapshot.to_owned()], &reading, &mut evidence)?;
    tell_notices(&notices, output);
    let report = report(&evidence, evidence.clock(), Listing::default());
    let exit = Exit::of_queues(&report, output.fail_on);
    outputs.report(&report, Subject::Queue, Some(snapshot.display().to_string()), exit)?;
    Ok(exit)
}

fn clear_screen() {
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        anstream::print!("\x1b[2J\x1b[H");
    }
}

fn tell_missing(missing: &[String], report: &Report) {
    if missing.is_empty() {
        return;
    }
    let known: Vec<_> = report.queues.iter().map(|queue| queue.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    for queue in missing {
        let (queue, known) = (safe(queue), safe(&known));
        say(&format!("tracelink: no queue `{queue}` is bound, and no such list is there (known: {known})"));
    }
}

/// The URL with the name of Sentinel's master, which it has no place for.
fn broker_url(url: &str, args: &cli::InspectQueue) -> Result<BrokerUrl, UrlError> {
    let url = BrokerUrl::parse(url)?;
    Ok(match &args.sentinel_master {
        Some(master) => url.with_sentinel_master(master),
        None => url,
    })
}

/// Looks once at the broker, and judges. Returns the queues that were asked
/// for and are not there as well.
fn inspect(
    args: &cli::InspectQueue,
    output: &Output,
    url: &BrokerUrl,
    interrupted: &AtomicBool,
) -> anyhow::Result<(Report, Vec<String>)> {
    let go_on = || {
        if interrupted.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut connection = Connection::open(url)?;
    let progress = Progress::new(output);
    let survey = survey(&mut connection, &args.queues, &mut |passed, _| {
        progress.scanned(passed);
        go_on()
    })?;
    let now = survey.at;
    let mut evidence = Evidence::default();
    // A limited look keeps each message, so that results can be joined to it;
    // a look at everything counts them.
    let keep = if args.all { Keep::Counted } else { Keep::Each };
    let options = ReadOptions { args: args.show_args };
    let mut intake = BrokerIntake::new(&mut evidence, &url.name(), now, keep);
    let mut reader = RedisReader::new(Naming::from(&args.naming), options);
    let limit = if args.all { None } else { Some(args.limit) };
    let plan = plan(&mut reader, &mut intake, &survey, &args.queues, limit);
    let missing = missing_queues(&plan, &mut reader, &mut intake, &args.queues);
    let is_part = plan.queues.iter().map(Vec::len).sum::<usize>() < survey.lists.len();
    let complete = survey.complete && !is_part;
    let create = |path| create(path, url, now, complete, args.show_args);
    let mut saver = args.save.as_deref().map(create).transpose()?;
    progress.begin(plan.entries());
    survey.bindings.iter().try_for_each(|binding| keep_line(saver.as_mut(), binding))?;
    let mut saved = Ok(());
    let reading = read(&mut connection, &plan, &mut |page| {
        reader.take(&page, &mut intake);
        saved = keep_line(saver.as_mut(), &page);
        progress.read(page.content.len() as u64);
        if saved.is_ok() { go_on() } else { ControlFlow::Break(()) }
    })?;
    saved?;
    intake.seen_twice(reading.seen_twice);
    tell_moved(&reading.moved, output);
    let is_whole = complete && !reading.stopped;
    let seen = Completeness { held: is_whole, since: is_whole.then_some(now), left_out: 0 };
    for (key, (count, why)) in reader.end_look(seen, &mut intake) {
        if output.verbose {
            say(&format!("tracelink: {count} entries of `{}` passed over: {why}", safe(&key)));
        }
    }
    if keep == Keep::Each && !reading.stopped {
        join_results(args, connection, &mut evidence, &url.name(), now, saver.as_mut())?;
    }
    if let Some(saver) = saver {
        saver.finish()?;
    }
    progress.done();
    Ok((report(&evidence, now, listing(output)), missing))
}

fn keep_line(saver: Option<&mut SnapshotWriter>, line: &KeyLine<'_>) -> io::Result<()> {
    saver.map_or(Ok(()), |saver| saver.key(line))
}

fn tell_moved(lists: &[String], output: &Output) {
    for list in lists.iter().filter(|_| !output.quiet) {
        say(&format!(
            "tracelink: workers took messages from `{}` while it was read: some are told that are gone now",
            safe(list)
        ));
    }
}

/// How much a report lists: a sample for a person, all that was kept for who
/// asks for it.
fn listing(output: &Output) -> Listing {
    const ALL: usize = 100_000;
    if output.verbose {
        Listing { messages: ALL, handoffs: ALL, ..Listing::default() }
    } else {
        Listing::default()
    }
}

/// Takes the bindings and the names of the lists, and plans what to read of them.
fn plan(
    reader: &mut RedisReader,
    sink: &mut impl BrokerSink,
    survey: &Survey,
    wanted: &[String],
    limit: Option<u64>,
) -> Plan {
    reader.begin_look(sink);
    for binding in &survey.bindings {
        reader.announce(binding, sink);
    }
    for list in &survey.lists {
        reader.announce_list(&list.key);
    }
    let mut queues: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for list in &survey.lists {
        let (queue, step) = reader.queue_of(&list.key, sink);
        if wanted.is_empty() || wanted.iter().any(|name| **name == *queue || *name == list.key) {
            queues.entry(queue).or_default().insert((step, &list.key), list.clone());
        }
    }
    Plan {
        queues: queues.into_values().map(|lists| lists.into_values().collect()).collect(),
        held: survey.held.clone(),
        held_since: survey.held_since.clone(),
        limit,
    }
}

fn missing_queues(
    plan: &Plan,
    reader: &mut RedisReader,
    sink: &mut impl BrokerSink,
    wanted: &[String],
) -> Vec<String> {
    let mut there = BTreeSet::new();
    for list in plan.queues.iter().flatten() {
        there.insert(list.key.clone());
        there.insert(reader.queue_of(&list.key, sink).0.to_string());
    }
    wanted.iter().filter(|queue| !there.contains(*queue) && !reader.map().is_bound(queue)).cloned().collect()
}

/// Reads the results of the tasks that were seen, by their ids alone.
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
