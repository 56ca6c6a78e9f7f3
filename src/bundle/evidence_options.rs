//! How evidence of a broker is to be read, saved or live.

use crate::evidence::Keep;
use crate::wire::celery::ReadOptions;
use crate::wire::celery::redis_layout::Naming;

/// How the evidence is to be read.
#[derive(Clone, Debug)]
pub struct EvidenceOptions {
    pub keep: Keep,
    pub options: ReadOptions,
    pub naming: Naming,
    /// Read only these queues, by name; all if none is named. They apply to snapshots.
    pub queues: Vec<String>,
    /// The most of a file that is held at once, in bytes: a span of a document in JSON, a
    /// message, a line of a snapshot, or a file that is read whole because it has none of
    /// these.
    pub longest: usize,
}

impl EvidenceOptions {
    /// Where nothing else is said: the largest request that a receiver takes (64 MiB) is
    /// some 300 MiB as a line of OTLP/JSON.
    pub const LONGEST: usize = 512 << 20;
}

impl Default for EvidenceOptions {
    fn default() -> Self {
        Self {
            keep: Keep::Each,
            options: ReadOptions::default(),
            naming: Naming::default(),
            queues: Vec::new(),
            longest: Self::LONGEST,
        }
    }
}
