//! `tracelink diagnose`.

use std::ffi::OsString;
use std::net::SocketAddr;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::broker::{BesideBroker, Naming};
use super::evidence::EvidencePlace;
use super::output::Reports;
use super::store::OfStore;
use crate::config::values::{address, memory};

/// The same diagnosis from saved evidence
///
/// Broker snapshots, OTLP in JSON or protobuf, what the Collector's file exporter writes,
/// downloads from Jaeger, Tempo and Zipkin, and bundle folders, in any mix and order,
/// packed with gzip or zstd or not. They are told apart by their content. And one URL of a
/// ClickHouse that spans are exported to, and --broker for what waits now, which are only read.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink diagnose spans.jsonl                            OTLP/JSON, a request a line
  tracelink diagnose before.jsonl after.jsonl spans.binpb   two looks at a broker, and spans
  tracelink diagnose bundle/ --format json
  tracelink diagnose 'traces-*.json.zst'                    what the Collector rotated
  tracelink diagnose --web 4319 bundle/                     read the report in a browser, until Ctrl-C
  curl -s http://localhost:16686/api/traces/ID | tracelink diagnose -
  tracelink diagnose clickhouse://user:password@host:8123/otel --since 1h
  tracelink diagnose spans.jsonl --broker redis://localhost:6379/0    and what waits now")]
pub struct Diagnose {
    /// Files, folders and patterns; - for standard input; the URL of a ClickHouse
    #[arg(
        required = true,
        value_name = "EVIDENCE",
        value_parser = OsStringValueParser::new().map(|typed: OsString| EvidencePlace::from(typed)),
        value_hint = clap::ValueHint::AnyPath
    )]
    pub evidence: Vec<EvidencePlace>,
    /// Fail if fewer whole hand-offs than this were seen
    #[arg(long, value_name = "N")]
    pub expect_handoffs: Option<u64>,
    /// How much memory evidence may take; what is whole is let go where it does not fit
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "1GiB")]
    pub max_memory: usize,
    /// Show the report in a browser's page too, until Ctrl-C: a port, or an address with a port
    ///
    /// 127.0.0.1:0 takes a free port. Nobody is asked for a password: whoever reaches the
    /// address reads the page, so leave it on the loopback.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub web: Option<SocketAddr>,
    #[command(flatten)]
    pub beside: BesideBroker,
    #[command(flatten)]
    pub naming: Naming,
    #[command(flatten)]
    pub reports: Reports,
    #[command(flatten)]
    pub store: OfStore,
}
