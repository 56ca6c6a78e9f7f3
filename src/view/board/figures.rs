//! How much came, and how fast it comes.

use std::collections::VecDeque;
use std::time::Duration;

use super::queues::QueueNow;

/// How much came so far, and what the queues hold, as of one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Figures {
    /// All spans that came, held or not.
    pub spans: u64,
    /// Traces that are held.
    pub traces: u64,
    pub queues: Vec<QueueNow>,
}

/// The sums of a board.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Totals {
    /// All spans that came, held or not.
    pub spans: u64,
    /// Traces that the session holds.
    pub traces: u64,
    pub spans_per_second: f64,
    /// Passages that the board holds.
    pub passages: u64,
    /// How many of them are broken or damaged.
    pub broken: u64,
    /// Their hand-offs, and those of which not both sides were seen.
    pub handoffs: u64,
    pub unproven: u64,
    /// Groups of traces that were judged and never came to the board: too many came at
    /// once.
    pub not_shown: u64,
    /// Passages that the board let go to make room.
    pub let_go: u64,
    /// Findings that found no room or made room. The report has them.
    pub findings_let_go: u64,
}

/// How fast spans come.
#[derive(Default, Debug)]
pub struct Rate {
    samples: VecDeque<(Duration, u64)>,
}

impl Rate {
    /// Over how long a time it is taken.
    const OVER: Duration = Duration::from_secs(5);
    /// How many samples are kept at most.
    const MOST: usize = 64;

    pub fn sample(&mut self, spans: u64, now: Duration) {
        while self.samples.len() >= Self::MOST
            || self.samples.front().is_some_and(|(at, _)| now.saturating_sub(*at) > Self::OVER)
        {
            self.samples.pop_front();
        }
        self.samples.push_back((now, spans));
    }

    /// 0 as long as there are no two samples.
    #[allow(clippy::cast_precision_loss, reason = "a rate is rounded when it is shown")]
    pub fn per_second(&self) -> f64 {
        let (Some((began, before)), Some((ended, after))) = (self.samples.front(), self.samples.back())
        else {
            return 0.0;
        };
        let seconds = ended.saturating_sub(*began).as_secs_f64();
        if seconds > 0.0 { after.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}
