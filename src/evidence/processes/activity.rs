//! What one process was seen to do.

use std::collections::BTreeSet;
use std::time::Duration;

use super::instrumentors::{Instrumentor, Library};
use crate::evidence::age::Moment;
use crate::model::{ParentOrigin, Span, SpanKind, Timestamp};

/// What a process was seen to do: running totals that cost O(1) a span and
/// stay when the spans themselves are let go.
#[derive(Default, Debug)]
pub struct Activity {
    pub spans: u64,
    pub servers: u64,
    pub producers: u64,
    pub consumers: u64,
    /// Those that are not part of something else in their process: a task that is called
    /// directly runs inside its caller. Runs of another messaging system are no runs of
    /// tasks.
    pub runs: u64,
    /// Roots that are INTERNAL, or CLIENT calls to something other than the broker. A
    /// worker without an instrumentor leaves these.
    pub work_roots: u64,
    pub first_work_root: Option<Timestamp>,
    pub last_work_root: Timestamp,
    /// Calls by which a worker notes in Redis which messages it holds. They come from the
    /// worker's own process, and not from the children of its pool.
    pub taken: u64,
    /// Calls by which Celery stores a result in Redis. They come from whichever process ran
    /// the task: of a pool, from its children.
    pub stored: u64,
    /// PRODUCER roots.
    pub producer_roots: u64,
    /// The end of the span that ended first.
    pub first_end: Option<Timestamp>,
    pub last_start: Timestamp,
    pub last_end: Timestamp,
    /// When a span of it last came.
    pub heard: Moment,
    /// When requests were open, by start: the latest [`Activity::INTERVALS`].
    pub(super) requests: Vec<(Timestamp, Timestamp)>,
    /// The instrumentors that sent spans of it, one for each library.
    pub(super) instrumentors: Vec<Instrumentor>,
    /// Services that this one calls, by `peer.service` or address.
    pub peers: BTreeSet<Box<str>>,
}

impl Activity {
    /// How many requests of a process are remembered, to tell whether one was open.
    pub const INTERVALS: usize = 10_000;
    /// How many peers of a process are remembered.
    const NAMES: usize = 64;

    /// Takes a span. `intervals` is how many requests may be remembered.
    pub(super) fn add_span(&mut self, span: &Span<'_>, now: Moment, intervals: usize) {
        self.spans += 1;
        self.heard = now;
        self.first_end = Some(self.first_end.map_or(span.end, |first| first.min(span.end)));
        self.last_start = self.last_start.max(span.start);
        self.last_end = self.last_end.max(span.end);
        match span.kind {
            SpanKind::Server => {
                self.servers += 1;
                if self.requests.len() >= intervals {
                    // The earliest tenth goes at a time, so that each insertion is cheap.
                    self.requests.drain(..self.requests.len() - intervals + intervals / 10);
                    self.requests.shrink_to(intervals);
                }
                let place = self.requests.partition_point(|open| *open <= (span.start, span.end));
                self.requests.insert(place, (span.start, span.end));
            }
            SpanKind::Producer => {
                self.producers += 1;
                self.producer_roots += u64::from(span.parent_id.is_none());
            }
            SpanKind::Consumer => {
                self.consumers += 1;
                let is_within = span.parent_id.is_some() && span.parent_origin == ParentOrigin::Local;
                self.runs += u64::from(!is_within && span.may_be_celery());
            }
            SpanKind::Client => {
                if let Some(peer) = span.peer.as_deref()
                    && self.peers.len() < Self::NAMES
                    && !self.peers.contains(peer)
                {
                    self.peers.insert(peer.into());
                }
            }
            SpanKind::Internal | SpanKind::Unspecified => {}
        }
        self.taken += u64::from(notes_what_is_held(span));
        self.stored += u64::from(stores_a_result(span));
        if is_work_root(span) {
            self.work_roots += 1;
            self.first_work_root =
                Some(self.first_work_root.map_or(span.start, |first| first.min(span.start)));
            self.last_work_root = self.last_work_root.max(span.start);
        }
    }

    /// The instrumentor of a library, where it sent a span.
    pub fn instrumentor(&self, library: Library) -> Option<Instrumentor> {
        self.instrumentors.iter().find(|found| found.library == library).copied()
    }

    /// Whether a request was open at `time`, as far as requests are remembered.
    pub fn has_open_request(&self, time: Timestamp) -> bool {
        self.has_request_within(time, time)
    }

    /// Whether a request that took no longer than `most` was open at `time`, as
    /// far as requests are remembered.
    pub fn has_short_request(&self, time: Timestamp, most: Duration) -> bool {
        self.requests_within(time, time).any(|(start, end)| end.since(start) <= most)
    }

    /// Whether a request was open at any time from `first` to `last`, as far as
    /// requests are remembered.
    pub fn has_request_within(&self, first: Timestamp, last: Timestamp) -> bool {
        self.requests_within(first, last).next().is_some()
    }

    fn requests_within(
        &self,
        first: Timestamp,
        last: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        /// Requests are missed here if they started before this many others and are still
        /// open after those have ended.
        const OVERLAPPING: usize = 1_000;
        let started = self.requests.partition_point(|(start, _)| *start <= last);
        let latest = self.requests[..started].iter().rev().take(OVERLAPPING).copied();
        latest.filter(move |(_, end)| *end >= first)
    }

    /// The share of the time between its first and its last request in which
    /// at least one was open: 1 where there was only one request.
    pub fn busy_share(&self) -> f64 {
        self.busy_share_of(Timestamp::from_nanos(u64::MAX), Timestamp::UNSET)
    }

    /// The same for the time from `first` to `last`, or between its first and its last
    /// request if that is longer.
    pub fn busy_share_of(&self, first: Timestamp, last: Timestamp) -> f64 {
        let (Some((earliest, _)), Some(latest)) =
            (self.requests.first(), self.requests.iter().map(|(_, end)| *end).max())
        else {
            return 0.0;
        };
        let (first, last) = (first.min(*earliest), last.max(latest));
        let mut open = 0.0;
        let mut until = first;
        for (start, end) in &self.requests {
            let from = until.max(*start);
            if *end > from {
                open += end.millis_since(from);
                until = *end;
            }
        }
        let total = last.millis_since(first);
        if total > 0.0 { open / total } else { 1.0 }
    }

    pub fn request_count(&self) -> usize {
        self.requests.len()
    }
}

/// A root that is work of the application: INTERNAL, or a CLIENT call. A worker's calls to
/// its own broker are noise, and so is a root whose attributes say that it belongs to a
/// task.
pub fn is_work_root(span: &Span<'_>) -> bool {
    span.parent_id.is_none()
        && match span.kind {
            SpanKind::Internal | SpanKind::Unspecified => true,
            SpanKind::Client => span.system.as_deref() != Some("redis"),
            _ => false,
        }
}

/// Whether it is kombu's call that adds a message to `unacked`, or takes one out: a pipeline,
/// which the instrumentor of redis-py names after its commands.
fn notes_what_is_held(span: &Span<'_>) -> bool {
    asks_redis(span) && span.parent_id.is_none() && matches!(&*span.name, "ZADD HSET" | "ZREM HDEL")
}

/// Whether it is the pipeline by which Celery's backend stores a result, with or without
/// `result_expires`.
fn stores_a_result(span: &Span<'_>) -> bool {
    asks_redis(span) && matches!(&*span.name, "SETEX PUBLISH" | "SET PUBLISH")
}

fn asks_redis(span: &Span<'_>) -> bool {
    span.kind == SpanKind::Client && span.system.as_deref() == Some("redis")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SpanId;

    fn request(start: u64, end: u64) -> Span<'static> {
        Span {
            kind: SpanKind::Server,
            start: Timestamp::from_nanos(start),
            end: Timestamp::from_nanos(end),
            ..Span::default()
        }
    }

    #[test]
    fn open_requests_are_found_whatever_the_order_of_arrival() {
        let mut activity = Activity::default();
        for (start, end) in [(50, 60), (10, 40), (20, 30)] {
            activity.add_span(&request(start, end), Moment::default(), Activity::INTERVALS);
        }
        for (time, open) in [(5, false), (10, true), (35, true), (45, false), (55, true), (61, false)] {
            assert_eq!(activity.has_open_request(Timestamp::from_nanos(time)), open, "at {time}");
        }
        assert!((activity.busy_share() - 0.8).abs() < 1e-9);
    }

    #[test]
    fn a_workers_own_polling_is_not_work() {
        let polling = Span { kind: SpanKind::Client, system: Some("redis".into()), ..Span::default() };
        assert!(!is_work_root(&polling));
        assert!(!notes_what_is_held(&polling));
        let holds = Span { name: "ZADD HSET".into(), ..polling.clone() };
        assert!(notes_what_is_held(&holds));
        let below = |span: Span<'static>| Span { parent_id: Some(SpanId::new([1; 8])), ..span };
        assert!(!notes_what_is_held(&below(holds.clone())) && !stores_a_result(&holds));
        // A run of which the span came stores its result below it.
        let stores = Span { name: "SETEX PUBLISH".into(), ..polling.clone() };
        assert!(stores_a_result(&stores) && stores_a_result(&below(stores.clone())));
        assert!(is_work_root(&Span { system: Some("postgresql".into()), ..polling }));
    }
}
