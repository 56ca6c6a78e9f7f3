//! `tracelink inspect-queue`.

use std::path::PathBuf;

use clap::Args;

use super::broker::{LOCAL_REDIS, Naming, or_local_redis};
use super::output::Reports;
use super::secret::Secret;

/// Peek at queued Celery messages and validate their trace headers; consumes nothing
///
/// Reads only: no message is taken, moved, acknowledged or written.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tracelink inspect-queue                                   all queues of redis://127.0.0.1:6379/0
  tracelink inspect-queue orders --all                      one queue, every message
  tracelink inspect-queue --broker rediss://:pw@host:6380/1
  tracelink inspect-queue --save before.jsonl               keep a snapshot for `tracelink diagnose`")]
pub struct InspectQueue {
    /// Queues to look at; without any, tracelink finds them itself
    pub queues: Vec<String>,
    /// The broker, as Celery writes its URL: redis://, rediss://, redis+socket://, sentinel://
    #[arg(
        long,
        env = "TRACELINK_BROKER",
        default_value = LOCAL_REDIS,
        value_parser = or_local_redis,
        hide_env_values = true,
        value_name = "URL"
    )]
    pub broker: Secret,
    /// The result backend, if it is not the broker; results are read by known task id only
    #[arg(long, value_name = "URL")]
    pub result_backend: Option<Secret>,
    /// Read this broker snapshot instead of a broker
    #[arg(long, value_name = "FILE", conflicts_with_all = ["result_backend", "watch", "save"])]
    pub snapshot: Option<PathBuf>,
    /// How many messages to read of each queue, the next ones to be consumed first
    #[arg(long, default_value_t = 100, value_name = "N", conflicts_with = "all")]
    pub limit: u64,
    /// Read every message
    #[arg(long)]
    pub all: bool,
    /// Look again every two seconds, until interrupted
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub naming: Naming,
    /// The name of Sentinel's master
    #[arg(long, value_name = "NAME")]
    pub sentinel_master: Option<String>,
    /// Show the arguments of tasks, which may be private
    #[arg(long)]
    pub show_args: bool,
    /// Save what was read as a broker snapshot; bodies are left out unless --show-args
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    #[command(flatten)]
    pub reports: Reports,
}
