//! What a store is asked for: by `diagnose`, where the evidence is a store's URL, and by
//! `listen`, where it watches one.

use std::time::Duration;

use clap::Args;

use super::secret::Secret;
use crate::config::values::{duration, size};
use crate::model::{Timestamp, TraceId};

/// Above the options of a store in `--help`.
pub(super) const HEADING: &str = "For a ClickHouse (clickhouse://)";

/// Which traces `diagnose` asks for.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = HEADING)]
pub struct OfStore {
    /// Ask for the traces since so long ago; 1h without any other time
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with_all = ["from", "to", "trace"])]
    pub since: Option<Duration>,
    /// Ask for the traces from this time on, such as 2026-11-29T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "trace")]
    pub from: Option<Timestamp>,
    /// Ask for the traces before this time; until now without it
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "trace", requires = "from")]
    pub to: Option<Timestamp>,
    /// Ask for this trace, and for those that belong to it
    #[arg(long, value_name = "ID", value_parser = trace, conflicts_with_all = ["task", "service"])]
    pub trace: Option<TraceId>,
    /// Print each question's SQL on standard error, and what it cost
    #[arg(long)]
    pub explain_queries: bool,
    #[command(flatten)]
    pub asking: Asking,
}

/// Which store `listen` watches.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = HEADING)]
pub struct WatchedStore {
    /// Watch a ClickHouse that spans are exported to, instead of ports: clickhouse://user:password@host:8123/database
    ///
    /// It is only read. A finding is said once, and taken back when what was missing comes.
    /// While the store does not answer, nothing counts as missing.
    #[arg(long, value_name = "URL")]
    pub from: Option<Secret>,
    /// How often it is asked, from 1s to 2m [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = every)]
    pub every: Option<Duration>,
    /// How far each question reaches back before the end of the last one, for spans that come late [default: 2m]
    ///
    /// What a hand-off lacks counts as missing after twice the time of --every and this one,
    /// or after --settle if that is longer.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub overlap: Option<Duration>,
    /// Begin with what it has since so long ago; the time of --overlap without it
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub since: Option<Duration>,
    #[command(flatten)]
    pub asking: Asking,
}

/// What is of no use beside one: the ids of options, and why.
pub const OF_PORTS: [(&str, &str); 9] = [
    ("grpc", "--grpc is a port of the receiver, and --from opens none"),
    ("http", "--http is a port of the receiver, and --from opens none"),
    ("forward", "--forward sends on what is received, and --from receives nothing"),
    ("forward_headers", "--forward-headers is of --forward, and --from receives nothing to send on"),
    ("forward_certificate", "--forward-certificate is of --forward, and --from receives nothing to send on"),
    (
        "save",
        "--save keeps what is received; what --from asks for lies in the store already, and \
         `tracelink diagnose clickhouse://…` asks it again",
    ),
    ("save_attributes", "--save-attributes is of --save, and --from receives nothing to keep"),
    ("save_limit", "--save-limit is of --save, and --from receives nothing to keep"),
    (
        "command",
        "a command after `--` runs under a receiver, and --from opens none: run the command by itself",
    ),
];

/// How a store is asked, and at what cost.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = HEADING)]
pub struct Asking {
    /// How far beyond that time the other side of a hand-off is looked for [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub margin: Option<Duration>,
    /// Ask for this task alone
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Ask for what this service publishes or runs alone
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// The table of spans, as TABLE or DATABASE.TABLE, if it has another name than usual
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// How many hand-offs of each group are looked at, where there are too many for all [default: 20]
    #[arg(long, value_name = "N")]
    pub sample: Option<usize>,
    /// Up to this many spans, all of them are looked at [default: 20000]
    #[arg(long, value_name = "N")]
    pub all_up_to: Option<u64>,
    /// The most rows that a question may read (max_rows_to_read) [default: 2000000000]
    #[arg(long, value_name = "N")]
    pub max_query_rows: Option<u64>,
    /// The most bytes that a question may read (max_bytes_to_read) [default: 200GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_query_bytes: Option<u64>,
    /// The longest that a question may take (max_execution_time) [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_query_time: Option<Duration>,
    /// The most memory that a question may take of the server (max_memory_usage) [default: 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_query_memory: Option<u64>,
}

impl OfStore {
    /// The first of these options that was given: a file has no use for it.
    pub fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--since", self.since.is_some()),
            ("--from", self.from.is_some()),
            ("--to", self.to.is_some()),
            ("--trace", self.trace.is_some()),
            ("--explain-queries", self.explain_queries),
        ];
        first(given).or_else(|| self.asking.first_given())
    }
}

impl WatchedStore {
    /// The first of these options that was given beside `--from`: without that, nothing has a use
    /// for it.
    pub fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--every", self.every.is_some()),
            ("--overlap", self.overlap.is_some()),
            ("--since", self.since.is_some()),
        ];
        first(given).or_else(|| self.asking.first_given())
    }
}

impl Asking {
    /// The first of these options that was given.
    pub fn first_given(&self) -> Option<&'static str> {
        first([
            ("--margin", self.margin.is_some()),
            ("--task", self.task.is_some()),
            ("--service", self.service.is_some()),
            ("--table", self.table.is_some()),
            ("--sample", self.sample.is_some()),
            ("--all-up-to", self.all_up_to.is_some()),
            ("--max-query-rows", self.max_query_rows.is_some()),
            ("--max-query-bytes", self.max_query_bytes.is_some()),
            ("--max-query-time", self.max_query_time.is_some()),
            ("--max-query-memory", self.max_query_memory.is_some()),
        ])
    }
}

fn first<const N: usize>(given: [(&'static str, bool); N]) -> Option<&'static str> {
    given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
}

/// How often a store is asked. Its own buffers hold spans for a second or so; and what has not
/// been heard of for minutes counts as silent.
fn every(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    let is_sensible = (Duration::from_secs(1)..=Duration::from_mins(2)).contains(&every);
    is_sensible.then_some(every).ok_or_else(|| "a duration from 1s to 2m".to_owned())
}

/// An RFC 3339 time.
fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "a time such as 2026-11-29T12:00:00Z".to_owned())
}

/// The id of a trace, in hexadecimal.
fn trace(text: &str) -> Result<TraceId, String> {
    let id = TraceId::parse_hex(text.trim().as_bytes()).filter(|id| !id.is_zero());
    id.ok_or_else(|| "the id of a trace, which is 32 hexadecimal digits".to_owned())
}
