//! `tracelink inspect-queue`: what lies in the broker, and what is wrong with it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::progress::Progress;
use super::{Exit, exit_of, print, save::Saver, tell_notices};
use crate::broker::{BrokerUrl, Client, Found, ListReader, Page, Read, Survey, survey};
use crate::bundle::{Reading, read_evidence};
use crate::cli::{self, Output};
use crate::diagnosis::{Listing, report};
use crate::evidence::{Evidence, Keep, Looker, Naming};
use crate::model::{Report, Timestamp};
use crate::report::Subject;
use crate::wire::celery::ReadOptions;

/// How long `--watch` waits between two looks.
const WATCH: Duration = Duration::from_secs(2);

pub fn run(args: &cli::InspectQueue, output: &Output) -> anyhow::Result<Exit> {
    if let Some(snapshot) = &args.snapshot {
        return inspect_snapshot(snapshot, args, output);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))
        .context("cannot listen for Ctrl-C")?;
    let url = BrokerUrl::parse(&args.broker, args.sentinel_master.as_deref())?;
    loop {
        let (report, missing) = inspect(args, output, &url, &interrupted)?;
        let is_interrupted = interrupted.load(Ordering::Relaxed);
        let exit = if is_interrupted { Exit::Interrupted } else { inspected(&report, output) };
        if args.watch {
            clear_screen();
        }
        print(&report, output, Subject::Queue, Some(url.to_string()), exit)?;
        tell_missing(&missing, &report);
        if !args.watch || is_interrupted {
            return Ok(exit);
        }
        std::thread::sleep(WATCH);
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Exit::Interrupted);
        }
    }
}

/// An empty queue is no missing evidence: it is looked at, and it is empty.
fn inspected(report: &Report, output: &Output) -> Exit {
    match exit_of(report, output.fail_on) {
        Exit::NoEvidence => Exit::Fine,
        other => other,
    }
}

fn inspect_snapshot(snapshot: &Path, args: &cli::InspectQueue, output: &Output) -> anyhow::Result<Exit> {
    let mut evidence = Evidence::default();
    let reading = Reading {
        keep: Keep::Counted,
        options: ReadOptions { args: args.show_args },
        naming: Naming::from(&args.naming),
    };
    let notices = read_evidence(&[snapshot.to_owned()], &reading, &mut evidence)?;
    tell_notices(&notices, output);
    let report = report(&evidence, evidence.clock(), Listing::default());
    let exit = inspected(&report, output);
    print(&report, output, Subject::Queue, Some(snapshot.display().to_string()), exit)?;
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
        anstream::eprintln!(
            "tracelink: no queue `{queue}` is bound, and no such list is there (known: {known})"
        );
    }
}

/// Looks once at the broker, and judges. Returns the queues that were asked
/// for and are not there as well.
fn inspect(
    args: &cli::InspectQueue,
    output: &Output,
    url: &BrokerUrl,
    interrupted: &AtomicBool,
) -> anyhow::Result<(Report, Vec<String>)> {
    let mut client = Client::connect(url)?;
    let progress = Progress::new(output);
    let survey = survey(&mut client, |met| progress.scanned(met))?;
    if survey.sets.is_empty() && survey.lists.is_empty() && survey.unacked.is_empty() {
        bail!(
            "{url} holds nothing of Celery: no binding, no list, no `unacked`\n  is it the right database number? redis://host:6379/<number>"
        );
    }
    let now = client.time()?;
    let mut evidence = Evidence::default();
    // A limited look keeps each message, so that results can be joined to it;
    // a look at everything counts them.
    let keep = if args.all { Keep::Counted } else { Keep::Each };
    let options = ReadOptions { args: args.show_args };
    let mut saver = args.save.as_deref().map(|path| create(path, url, now, args.show_args)).transpose()?;
    let mut looker = Looker::new(&mut evidence, &url.name(), now, keep, options, Naming::from(&args.naming));
    let lists = announce(&mut looker, &survey, &args.queues, saver.as_mut())?;
    let missing = missing_queues(&lists, &mut looker, &args.queues);
    if lists.len() < survey.lists.len() {
        looker.incomplete();
    }
    let limit = if args.all { u64::MAX } else { args.limit };
    client = read_lists(client, lists, limit, &mut looker, saver.as_mut(), &progress, interrupted)?;
    read_unacked(&mut client, &survey, limit, &mut looker, saver.as_mut())?;
    for (key, (count, why)) in std::mem::take(&mut looker.foreign) {
        if output.verbose {
            anstream::eprintln!(
                "tracelink: {count} entries of `{}` passed over: {why}",
                crate::report::text::safe(&key)
            );
        }
    }
    looker.finish();
    if keep == Keep::Each {
        read_results(args, client, &mut evidence, &url.name(), now, saver.as_mut())?;
    }
    if let Some(saver) = saver {
        saver.finish()?;
    }
    progress.done();
    Ok((report(&evidence, now, listing(output)), missing))
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

/// Takes the bindings, and finds the lists to read.
fn announce(
    looker: &mut Looker<'_>,
    survey: &Survey,
    wanted: &[String],
    mut saver: Option<&mut Saver>,
) -> anyhow::Result<Vec<Found>> {
    looker.looked_for_workers();
    for (key, members) in &survey.sets {
        let members: Vec<_> = members.iter().filter_map(|member| std::str::from_utf8(member).ok()).collect();
        if let Ok(name) = std::str::from_utf8(key) {
            looker.set(name, &members);
            if let Some(saver) = &mut saver {
                saver.set(name, &members)?;
            }
        }
    }
    let mut lists = Vec::new();
    for found in &survey.lists {
        let Ok(name) = std::str::from_utf8(&found.key) else { continue };
        looker.announce(name);
        lists.push((name, found));
    }
    let lists = lists.into_iter().filter(|(name, _)| {
        wanted.is_empty() || wanted.iter().any(|queue| *queue == *looker.queue_of_list(name) || queue == name)
    });
    Ok(lists.map(|(_, found)| found.clone()).collect())
}

fn missing_queues(lists: &[Found], looker: &mut Looker<'_>, wanted: &[String]) -> Vec<String> {
    let there: Vec<_> = lists
        .iter()
        .filter_map(|found| Some(looker.queue_of_list(std::str::from_utf8(&found.key).ok()?)))
        .collect();
    let is_there = |queue: &String| there.iter().any(|known| **known == **queue) || looker.is_bound(queue);
    wanted.iter().filter(|queue| !is_there(queue)).cloned().collect()
}

/// Fields of a hash, and their values.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A page on its way from the thread that fetches to the one that judges.
struct Fetched {
    name: String,
    page: Page,
    length: u64,
    complete: bool,
}

/// Fetches on one thread and judges on this one.
fn read_lists(
    mut client: Client,
    lists: Vec<Found>,
    limit: u64,
    looker: &mut Looker<'_>,
    mut saver: Option<&mut Saver>,
    progress: &Progress,
    interrupted: &AtomicBool,
) -> anyhow::Result<Client> {
    /// Pages that may wait to be judged, of about a megabyte each.
    const AHEAD: usize = 4;
    let total = lists.iter().map(|found| found.length.min(limit)).sum();
    progress.begin(total);
    let (send, fetched) = mpsc::sync_channel::<Fetched>(AHEAD);
    std::thread::scope(|scope| {
        let fetcher = scope.spawn(move || {
            for found in &lists {
                let Ok(name) = std::str::from_utf8(&found.key) else { continue };
                let mut reader = ListReader::new(found, limit);
                while let Some(page) = reader.next(&mut client)? {
                    let page = Fetched {
                        name: name.to_owned(),
                        page,
                        length: found.length,
                        complete: reader.is_complete(),
                    };
                    if interrupted.load(Ordering::Relaxed) || send.send(page).is_err() {
                        return Ok(client);
                    }
                }
            }
            Ok(client)
        });
        for Fetched { name, page, length, complete } in fetched {
            progress.read(page.entries.len() as u64);
            let indexes = (0..=page.first_index).rev();
            let entries = indexes.zip(page.entries.iter().map(Vec::as_slice));
            looker.list(&name, entries, Some(length), complete);
            looker.seen_twice(page.seen_twice);
            if let Some(saver) = &mut saver {
                saver.list(&name, &page, length, complete)?;
            }
        }
        let client: Result<Client, crate::broker::BrokerError> =
            fetcher.join().expect("the fetching thread does not panic");
        Ok(client?)
    })
}

fn read_unacked(
    client: &mut Client,
    survey: &Survey,
    limit: u64,
    looker: &mut Looker<'_>,
    mut saver: Option<&mut Saver>,
) -> anyhow::Result<()> {
    for found in &survey.unacked {
        let name = String::from_utf8_lossy(&found.key);
        let complete = found.length <= limit;
        let (mut cursor, mut read) = (0, 0);
        loop {
            let (next, pairs): (u64, Pairs) = client.ask(Read::HashScan { key: &found.key, cursor })?;
            read += pairs.len() as u64;
            looker.unacked(&name, pairs.iter().map(|(_, value)| value.as_slice()), complete);
            if let Some(saver) = &mut saver {
                saver.unacked(&name, &pairs, complete)?;
            }
            cursor = next;
            if cursor == 0 || read >= limit {
                break;
            }
        }
    }
    Ok(())
}

/// Reads the results of the tasks that were seen, by their ids alone.
fn read_results(
    args: &cli::InspectQueue,
    client: Client,
    evidence: &mut Evidence,
    broker: &str,
    now: Timestamp,
    mut saver: Option<&mut Saver>,
) -> anyhow::Result<()> {
    /// Results that are asked for at a time.
    const AT_ONCE: usize = 500;
    let mut client = match &args.result_backend {
        Some(url) => Client::connect(&BrokerUrl::parse(url, args.sentinel_master.as_deref())?)?,
        None => client,
    };
    let ids: Vec<String> = evidence.tasks.iter().map(|task| task.id.to_string()).collect();
    let mut found = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        let keys: Vec<Vec<u8>> = ids.iter().map(|id| format!("celery-task-meta-{id}").into_bytes()).collect();
        let values: Vec<Option<Vec<u8>>> = client.ask(Read::Values(&keys))?;
        found.extend(ids.iter().cloned().zip(values).filter_map(|(id, value)| Some((id, value?))));
    }
    let mut looker =
        Looker::new(evidence, broker, now, Keep::Each, ReadOptions::default(), Naming::default());
    for (id, value) in &found {
        looker.result(id, value);
        if let Some(saver) = &mut saver {
            saver.result(id, value)?;
        }
    }
    Ok(())
}

fn create(path: &Path, url: &BrokerUrl, now: Timestamp, with_args: bool) -> anyhow::Result<Saver> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let out: Box<dyn Write> = Box::new(BufWriter::new(file));
    Ok(Saver::new(out, &url.name(), url.db, now, with_args)?)
}
