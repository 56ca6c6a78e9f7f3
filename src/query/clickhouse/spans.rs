//! Fetches the spans of traces, and finds the traces that belong to others.

use std::collections::BTreeSet;

use super::error::QueryError;
use super::schema::Store;
use super::sql::{Question, name, text, texts};
use super::window::Window;
use crate::model::{Timestamp, TraceId};
use crate::wire::clickhouse::SpanRows;
use crate::wire::otlp::{Counts, Sink};

/// How many traces one question is about: its text stays below `max_query_size`, which is
/// 256 KiB unless a server sets another.
const BATCH: usize = 1_000;

/// What is asked for beside a time.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filter {
    /// The name of a task.
    pub task: Option<String>,
    /// The name of a service, on either side.
    pub service: Option<String>,
}

impl Filter {
    pub const fn is_empty(&self) -> bool {
        self.task.is_none() && self.service.is_none()
    }
}

/// How many spans and traces began within a time.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Extent {
    pub spans: u64,
    pub traces: u64,
}

/// What came of fetching.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Fetched {
    pub spans: u64,
    /// Spans with ids that are none.
    pub refused: u64,
}

impl std::ops::AddAssign<Counts> for Fetched {
    fn add_assign(&mut self, counts: Counts) {
        self.spans += counts.spans;
        self.refused += counts.refused;
    }
}

impl Store<'_> {
    /// Counts what began within the time.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn extent(&self, window: &Window) -> Result<Extent, QueryError> {
        let table = &self.table;
        let sql = format!(
            "SELECT count(), uniq({})\nFROM {}\nWHERE {}",
            table.trace_id(),
            table.path(),
            table.within(window)
        );
        let mut extent = Extent::default();
        self.client.rows(&Question::new("how many spans there are", sql), |(spans, traces)| {
            extent = Extent { spans: number(&spans), traces: number(&traces) };
        })?;
        Ok(extent)
    }

    /// The traces with a span within the time, those of a task or a service only where one
    /// is asked for. At most `most`, the latest.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn traces_within(
        &self,
        window: &Window,
        filter: &Filter,
        most: usize,
    ) -> Result<Vec<TraceId>, QueryError> {
        let table = &self.table;
        let trace = table.trace_id();
        let mut having = Vec::new();
        if let Some(service) = &filter.service {
            having.push(format!("countIf({} = {}) > 0", table.service(), text(service)));
        }
        if let Some(task) = &filter.task {
            having.push(format!("countIf({}) > 0", self.is_of_task(task)));
        }
        let having =
            if having.is_empty() { String::new() } else { format!("\nHAVING {}", having.join(" AND ")) };
        let sql = format!(
            "SELECT toString({trace})\nFROM {}\nWHERE {}\nGROUP BY {trace}{having}\n\
             ORDER BY max({}) DESC, {trace}\nLIMIT {most}",
            table.path(),
            table.within(window),
            table.start(),
        );
        let mut traces = Vec::new();
        self.trace_ids(Question::new("which traces there are", sql), &mut |trace| traces.push(trace))?;
        Ok(traces)
    }

    /// Whether a span is a task's: by its attribute, or by its name as instrumentors and
    /// people write it.
    pub(super) fn is_of_task(&self, task: &str) -> String {
        let table = &self.table;
        let names = [task.to_owned(), format!("run/{task}"), format!("apply_async/{task}")];
        format!(
            "({} = {} OR {} IN {})",
            table.attribute("celery.task_name"),
            text(task),
            table.span_name(),
            texts(names.iter().map(String::as_str))
        )
    }

    /// The traces that belong to these, by what was sent from one to another: they have a
    /// producer or a consumer of the same message, or one of them links to another. They are
    /// looked for within the time.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn partners(
        &self,
        traces: &BTreeSet<TraceId>,
        window: &Window,
    ) -> Result<BTreeSet<TraceId>, QueryError> {
        let table = &self.table;
        let (trace, path, id) = (table.trace_id(), table.path(), table.message_id());
        let (within, links) = (table.within(window), table.links(false));
        let sides = self.is_side();
        let mut found = BTreeSet::new();
        for batch in batches(traces) {
            let ids = texts(batch.iter().map(String::as_str));
            let list = ids.trim_start_matches('(').trim_end_matches(')');
            let is_in = table.is_in();
            let by_message = format!(
                "SELECT DISTINCT toString({trace})\nFROM {path}\nWHERE {within} AND {sides} AND {id} {is_in} (\n  \
                 SELECT {id} FROM {path} WHERE {within} AND {sides} AND {id} != '' AND {trace} IN {ids}\n)"
            );
            let linking = format!(
                "SELECT DISTINCT toString({trace})\nFROM {path}\nWHERE {within} AND hasAny({links}, [{list}])"
            );
            let linked = format!(
                "SELECT DISTINCT arrayJoin({links})\nFROM {path}\nWHERE {within} AND {trace} IN {ids}"
            );
            let sql = [by_message, linking, linked].join("\nUNION ALL\n");
            let question = Question::new("which traces belong together", sql);
            self.trace_ids(question, &mut |trace| {
                if !traces.contains(&trace) {
                    found.insert(trace);
                }
            })?;
        }
        Ok(found)
    }

    /// The traces within the time that have a side of these tasks.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn traces_of_messages(
        &self,
        tasks: &BTreeSet<String>,
        window: &Window,
    ) -> Result<BTreeSet<TraceId>, QueryError> {
        let table = &self.table;
        let mut traces = BTreeSet::new();
        let ids: Vec<_> = tasks.iter().map(String::as_str).collect();
        for batch in ids.chunks(BATCH) {
            let sql = format!(
                "SELECT DISTINCT toString({})\nFROM {}\nWHERE {} AND {} AND {} IN {}",
                table.trace_id(),
                table.path(),
                table.within(window),
                self.is_side(),
                table.message_id(),
                texts(batch.iter().copied()),
            );
            self.trace_ids(Question::new("which traces messages belong to", sql), &mut |trace| {
                traces.insert(trace);
            })?;
        }
        Ok(traces)
    }

    /// Whether a span is one side of a hand-off by its kind. Old exporters write whole names.
    pub(super) fn is_side(&self) -> String {
        let kind = self.table.kind_name();
        format!("{kind} IN ('Producer', 'Consumer', 'SPAN_KIND_PRODUCER', 'SPAN_KIND_CONSUMER')")
    }

    /// From the first start to the last start of a span of these traces, whenever that was;
    /// `None` where there are none.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn lifetime(&self, traces: &BTreeSet<TraceId>) -> Result<Option<Window>, QueryError> {
        let mut lifetime: Option<Window> = None;
        for batch in batches(traces) {
            let ids = texts(batch.iter().map(String::as_str));
            let table = &self.table;
            let sql = match &table.times {
                // To the second, and the end is that of the last start.
                Some(times) => format!(
                    "SELECT count(), toString(toUnixTimestamp(min({start}))), toString(toUnixTimestamp(max({end})) + 1)\n\
                     FROM {}.{}\nWHERE {} IN {ids}",
                    name(&table.database),
                    name(&times.table),
                    times.trace,
                    start = times.start,
                    end = times.end,
                ),
                None => format!(
                    "SELECT count(), toString(intDiv(min({at}), 1000000000)), toString(intDiv(max({at}), 1000000000) + 1)\n\
                     FROM {}\nWHERE {} IN {ids}",
                    table.path(),
                    table.trace_id(),
                    at = table.start(),
                ),
            };
            let question = Question::new("when the traces were", sql);
            self.client.rows(&question, |(count, start, end): (serde_json::Value, String, String)| {
                let [from, to] = [start, end].map(|seconds| {
                    Timestamp::from_nanos(
                        seconds.parse::<u64>().unwrap_or_default().saturating_mul(1_000_000_000),
                    )
                });
                if number(&count) > 0 {
                    let of_batch = Window { from, to, margin: std::time::Duration::ZERO };
                    lifetime = Some(lifetime.map_or(of_batch, |known| known.with(&of_batch)));
                }
            })?;
        }
        Ok(lifetime)
    }

    /// Fetches every span of these traces that began within the time, and gives them to the
    /// sink as they come. `each` is called after every span, for who makes room.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question. What came before has gone to the sink.
    pub fn fetch<S: Sink>(
        &self,
        traces: &BTreeSet<TraceId>,
        window: &Window,
        sink: &mut S,
    ) -> Result<Fetched, QueryError> {
        let table = &self.table;
        let mut fetched = Fetched::default();
        for batch in batches(traces) {
            let sql = format!(
                "SELECT\n  {}\nFROM {}\nWHERE {} AND {} IN {}",
                table.row(),
                table.path(),
                table.within(window),
                table.trace_id(),
                texts(batch.iter().map(String::as_str)),
            );
            let mut rows = SpanRows::default();
            self.client.ask(&Question::new("for the spans of traces", sql), &mut |row| {
                fetched += rows.read(row, sink).map_err(|error| error.to_string())?;
                Ok(())
            })?;
        }
        Ok(fetched)
    }

    /// Asks for trace ids. What is none is passed over.
    pub(super) fn trace_ids(
        &self,
        question: Question,
        each: &mut dyn FnMut(TraceId),
    ) -> Result<(), QueryError> {
        self.client.rows(&question, |(id,): (String,)| {
            if let Some(id) = TraceId::parse_hex(id.as_bytes()).filter(|id| !id.is_zero()) {
                each(id);
            }
        })
    }
}

/// The ids as texts, in lists that are short enough for a question.
fn batches(traces: &BTreeSet<TraceId>) -> Vec<Vec<String>> {
    let ids: Vec<_> = traces.iter().map(ToString::to_string).collect();
    ids.chunks(BATCH).map(<[String]>::to_vec).collect()
}

/// A number, which servers before 25.8 write as a text if it has 64 bits.
pub(super) fn number(value: &serde_json::Value) -> u64 {
    let text = || value.as_str().and_then(|text| text.parse().ok());
    value.as_u64().or_else(text).unwrap_or_default()
}
