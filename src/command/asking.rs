//! What the options say about how a store is asked, for `diagnose` and `listen` alike.

use std::time::Duration;

use crate::cli::Asking;
use crate::live::Selection;
use crate::query::clickhouse::{Filter, Limits};

/// Longer than most tasks wait.
const MARGIN: Duration = Duration::from_mins(15);
const SAMPLE: usize = 20;
/// These fit into memory together.
const ALL_UP_TO: u64 = 20_000;

impl Asking {
    /// How far beyond the time that is asked for the other side of a hand-off is looked for.
    pub fn margin(&self) -> Duration {
        self.margin.unwrap_or(MARGIN)
    }

    /// How much is looked at.
    pub fn selection(&self) -> Selection {
        Selection {
            filter: Filter { task: self.task.clone(), service: self.service.clone() },
            sample: self.sample.unwrap_or(SAMPLE).max(1),
            all_up_to: self.all_up_to.unwrap_or(ALL_UP_TO),
        }
    }

    /// What a question may cost.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            rows: self.max_query_rows.unwrap_or(default.rows),
            bytes: self.max_query_bytes.unwrap_or(default.bytes),
            time: self.max_query_time.unwrap_or(default.time),
            memory: self.max_query_memory.unwrap_or(default.memory),
            ..default
        }
    }
}
