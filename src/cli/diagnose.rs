//! `tracelink diagnose`.

use std::path::PathBuf;

use clap::Args;

use super::broker::Naming;
use super::output::Reports;

/// The same diagnosis from saved evidence
///
/// Broker snapshots, OTLP JSON or protobuf, and bundle folders, in any mix and
/// order; they are told apart by their content.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink diagnose spans.jsonl                            OTLP/JSON, a request a line
  tracelink diagnose before.jsonl after.jsonl spans.binpb   two looks at a broker, and spans
  tracelink diagnose bundle/ --format json")]
pub struct Diagnose {
    /// Files and folders
    #[arg(required = true, value_name = "EVIDENCE")]
    pub evidence: Vec<PathBuf>,
    /// Fail where fewer whole hand-offs than this were seen
    #[arg(long, value_name = "N")]
    pub expect_handoffs: Option<u64>,
    #[command(flatten)]
    pub naming: Naming,
    #[command(flatten)]
    pub reports: Reports,
}
