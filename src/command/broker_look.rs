//! One look at a live broker, which takes nothing out of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use super::progress::Progress;
use crate::broker::redis::{
    BrokerUrl, Connection, Discovery, ReadPlan, UrlError, discover, read, read_results,
};
use crate::bundle::SnapshotWriter;
use crate::cli::Output;
use crate::evidence::{BrokerIntake, Evidence, Keep, RequestedQueues};
use crate::model::Timestamp;
use crate::report::text::{count, safe};
use crate::wire::broker::{BrokerSink, Completeness};
use crate::wire::celery::ReadOptions;
use crate::wire::celery::redis_layout::{Naming, RedisReader};
use crate::wire::snapshot::KeyLine;

/// What is looked at, and how much of it.
pub struct BrokerLook<'a> {
    pub url: &'a BrokerUrl,
    pub naming: Naming,
    /// Only these queues; all without any.
    pub queues: &'a [String],
    /// The most messages of each queue, those first that are taken next. They are kept, so
    /// that results and spans can be joined to them. `None` is for all, which are counted.
    pub limit: Option<u64>,
    pub show_args: bool,
    /// Where it is saved as a snapshot.
    pub save: Option<&'a Path>,
}

/// A look that was taken, to which results may be joined.
pub struct Looked {
    connection: Connection,
    broker: String,
    at: Timestamp,
    saver: Option<SnapshotWriter>,
    /// Whether results are of use: each message was kept, and nobody broke the look off.
    takes_results: bool,
}

impl BrokerLook<'_> {
    /// Looks, until it is done or `interrupted`, and files what is there. `tell` takes what a
    /// user should know of the look itself.
    ///
    /// # Errors
    ///
    /// Why the broker cannot be read, or the snapshot not be written.
    pub fn take(
        &self,
        output: &Output,
        evidence: &mut Evidence,
        interrupted: &AtomicBool,
        progress: &Progress,
        tell: &mut dyn FnMut(String),
    ) -> anyhow::Result<Looked> {
        let go_on = || {
            if interrupted.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let Self { url, .. } = *self;
        let mut connection = Connection::open(url)?;
        let discovery = discover(&mut connection, self.queues, &mut |passed, _| {
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
        let keep = if self.limit.is_some() { Keep::Each } else { Keep::Counted };
        let mut intake = BrokerIntake::new(evidence, &url.name(), now, keep);
        let mut reader = RedisReader::new(self.naming.clone(), ReadOptions { args: self.show_args });
        let plan = self.plan(&mut reader, &mut intake, &discovery);
        if !self.queues.is_empty() {
            let requested = reader.requested(self.queues, &mut intake);
            intake.only(RequestedQueues::new(requested));
        }
        let is_part = plan.queues.iter().map(Vec::len).sum::<usize>() < discovery.lists.len();
        let complete = discovery.complete && !is_part;
        let mut saver = self.saver(now, complete, output, tell)?;
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
        let takes_results = keep == Keep::Each && !reading.stopped;
        Ok(Looked { connection, broker: url.name(), at: now, saver, takes_results })
    }

    /// Takes the bindings and the names of the lists, and plans which of them to read.
    fn plan(&self, reader: &mut RedisReader, sink: &mut impl BrokerSink, discovery: &Discovery) -> ReadPlan {
        let wanted = self.queues;
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
            limit: self.limit,
            all_held: !wanted.is_empty(),
        }
    }

    fn saver(
        &self,
        now: Timestamp,
        complete: bool,
        output: &Output,
        tell: &mut dyn FnMut(String),
    ) -> anyhow::Result<Option<SnapshotWriter>> {
        let Some(path) = self.save else { return Ok(None) };
        if !output.quiet {
            let what = if self.show_args {
                "messages whole, which may be private"
            } else {
                "what diagnoses read, redacted: no arguments, results or messages of exceptions (--show-args keeps messages whole)"
            };
            tell(format!("saving to {}: {what}", path.display()));
        }
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let out: Box<dyn Write> = Box::new(BufWriter::new(file));
        Ok(Some(SnapshotWriter::new(out, &self.url.name(), now, complete, self.show_args)?))
    }
}

impl Looked {
    /// Reads the results of the tasks that are known, at most of `most`, and only by their
    /// ids; from `backend`, if that is not the broker.
    ///
    /// # Errors
    ///
    /// Why the result backend cannot be read, or the snapshot not be written.
    pub fn join_results(
        mut self,
        evidence: &mut Evidence,
        most: usize,
        backend: Option<&BrokerUrl>,
    ) -> anyhow::Result<()> {
        if self.takes_results {
            self.read_results(evidence, most, backend)?;
        }
        Ok(self.saver.map_or(Ok(()), SnapshotWriter::finish)?)
    }

    fn read_results(
        &mut self,
        evidence: &mut Evidence,
        most: usize,
        backend: Option<&BrokerUrl>,
    ) -> anyhow::Result<()> {
        let ids: Vec<String> = evidence.tasks.iter().take(most).map(|task| task.id.to_string()).collect();
        let mut intake = BrokerIntake::new(evidence, &self.broker, self.at, Keep::Each);
        let mut reader = RedisReader::new(Naming::default(), ReadOptions::default());
        let mut saved = Ok(());
        let mut other;
        let connection = match backend {
            Some(url) => {
                other = Connection::open(url)?;
                &mut other
            }
            None => &mut self.connection,
        };
        let saver = &mut self.saver;
        read_results(connection, "", ids.iter().map(String::as_str), &mut |result| {
            reader.take(&result, &mut intake);
            saved = keep_line(saver.as_mut(), &result);
            if saved.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(saved?)
    }
}

/// The URL with the name of Sentinel's master, which has no place in a URL.
pub fn broker_url(url: &str, sentinel_master: Option<&str>) -> Result<BrokerUrl, UrlError> {
    let url = BrokerUrl::parse(url)?;
    Ok(match sentinel_master {
        Some(master) => url.with_sentinel_master(master),
        None => url,
    })
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
