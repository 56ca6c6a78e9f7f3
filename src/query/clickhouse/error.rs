//! Why ClickHouse does not answer, and what to do about it.

use std::io;
use std::time::Duration;

use crate::model::{Blame, Blamed};

/// Why a question was not answered. What the server said is shortened, and no password is
/// in it: it is in no request but as a header.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error(
        "this is no URL of a ClickHouse: {why}. Write clickhouse://user:password@host:8123/database, or clickhouses:// for TLS"
    )]
    Url { why: &'static str },
    #[error(
        "{url} cannot be reached: {why}. Is it the HTTP interface (8123, or 8443 with TLS), and can this machine connect to it?"
    )]
    Unreachable { url: String, why: String },
    #[error(
        "{url}: no TLS with it: {why}. Is 8443 its port, and does this machine trust its certificate? Without TLS write clickhouse://"
    )]
    Tls { url: String, why: String },
    #[error(
        "this machine has no certificate authorities to check {url} against: {source}. Install ca-certificates"
    )]
    Roots { url: String, source: io::Error },
    #[error(
        "{url} refuses the user or the password. Write them as clickhouse://user:password@host, and `@`, `:`, `/`, `?` and `#` in them as %40, %3A, %2F, %3F and %23"
    )]
    Denied { url: String },
    #[error("{url}: the user may not read this: {said}. Grant it: GRANT SELECT ON database.table TO user")]
    NotGranted { url: String, said: String },
    #[error(
        "{url} is no HTTP interface of a ClickHouse: it answers with {said}. Its port is usually 8123, or 8443 with TLS; 9000 is another protocol"
    )]
    NotClickhouse { url: String, said: String },
    #[error(
        "{url} is ClickHouse {version}, and {oldest} is the oldest that understands the questions. Ask a newer replica, or export the traces to a file"
    )]
    TooOld { url: String, version: String, oldest: &'static str },
    #[error("{url}: there is no database `{database}`. {hint}")]
    NoDatabase { url: String, database: String, hint: String },
    #[error("{url}: there is no table of spans{place}. {hint}")]
    NoTable { url: String, place: String, hint: String },
    #[error(
        "{url}: `{table}` is no table of spans that is known: it has no {lacks}. Known are otel_traces of the Collector's exporter and signoz_index_v3 of SigNoz"
    )]
    NotSpans { url: String, table: String, lacks: String },
    #[error(
        "{url}: the question {what} would read more rows than {limit}. Ask for less time (--since) or one service (--service), or raise --max-query-rows"
    )]
    Rows { url: String, what: &'static str, limit: u64 },
    #[error(
        "{url}: the question {what} would read more bytes than {limit}. Ask for less time (--since) or one service (--service), or raise --max-query-bytes"
    )]
    Bytes { url: String, what: &'static str, limit: u64 },
    #[error(
        "{url}: the question {what} took longer than {limit:?}. Ask for less time (--since), or raise --max-query-time"
    )]
    Time { url: String, what: &'static str, limit: Duration },
    #[error(
        "{url}: the question {what} needed more memory than {limit} bytes, or than the server has. Ask for less time (--since), or raise --max-query-memory"
    )]
    Memory { url: String, what: &'static str, limit: u64 },
    #[error(
        "{url}: the user's profile does not allow these limits: {said}. Give limits that it allows (--max-query-rows, -bytes, -time, -memory)"
    )]
    Constraint { url: String, said: String },
    #[error(
        "{url} has no room for the question {what}: {said}. Ask again later, or as a user with another quota"
    )]
    Busy { url: String, what: &'static str, said: String },
    #[error("{url}: the answer to the question {what} does not end: {most} bytes were read, and given up")]
    Endless { url: String, what: &'static str, most: u64 },
    #[error(
        "{url}: the answer to the question {what} is broken: {why}. Is a proxy between, or did the server stop?"
    )]
    Broken { url: String, what: &'static str, why: String },
    #[error("{url} refuses the question {what}: {said}")]
    Refused { url: String, what: &'static str, said: String },
    #[error("{url}: the questions were ended by Ctrl-C")]
    Interrupted { url: String },
    #[error("no thread could be started to ask: {0}")]
    Runtime(io::Error),
}

impl QueryError {
    /// Whether the user ended it.
    pub const fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }
}

impl Blamed for QueryError {
    fn blame(&self) -> Blame {
        match self {
            Self::Url { .. } => Blame::Usage,
            _ => Blame::Environment,
        }
    }
}
