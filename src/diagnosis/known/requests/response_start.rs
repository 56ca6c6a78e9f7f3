//! When requests began to answer, according to the spans of what was sent.
//!
//! A middleware outside of the instrumentation goes on after the response has begun, while
//! the request's span is still open.

use rustc_hash::FxHashMap;

use crate::evidence::{Evidence, Process, StoredSpan, Trace};
use crate::model::{SpanId, SpanKind, Timestamp};

/// The name that the ASGI instrumentor gives to a span for sending.
const SENT: &str = " http send";
/// A request that started before this many others is not looked for.
const OVERLAPPING: usize = 1_000;

/// A request with a span for something that it sent.
#[derive(Debug)]
struct Answered {
    start: Timestamp,
    end: Timestamp,
    first_sent: Timestamp,
}

/// The requests of each process with the time when their answers began, by start.
#[derive(Debug)]
pub struct ResponseStarts<'e>(FxHashMap<&'e Process, Vec<Answered>>);

impl<'e> ResponseStarts<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let mut answers = FxHashMap::<&Process, Vec<Answered>>::default();
        for trace in evidence.spans.traces() {
            for (server, first_sent) in answered(trace) {
                let Some(server) = trace.get(server).filter(|span| span.kind == SpanKind::Server) else {
                    continue;
                };
                let answered = Answered { start: server.start, end: server.end, first_sent };
                answers.entry(&server.process).or_default().push(answered);
            }
        }
        answers
            .values_mut()
            .for_each(|of| of.sort_unstable_by_key(|answered| (answered.start, answered.end)));
        Self(answers)
    }

    /// Whether a request was open at `time`, and each one that was had begun to answer.
    pub(super) fn had_begun(&self, process: &Process, time: Timestamp) -> bool {
        let Some(requests) = self.0.get(process) else { return false };
        let started = requests.partition_point(|request| request.start <= time);
        let latest = requests[..started].iter().rev().take(OVERLAPPING);
        let mut open = latest.filter(|request| request.end >= time).peekable();
        open.peek().is_some() && open.all(|request| request.first_sent <= time)
    }
}

/// The spans of a trace below which something was sent, each with when that began.
fn answered(trace: &Trace) -> FxHashMap<SpanId, Timestamp> {
    let is_sent = |span: &&StoredSpan| span.kind == SpanKind::Internal && span.name.ends_with(SENT);
    let mut first = FxHashMap::default();
    for span in trace.spans.iter().filter(is_sent) {
        if let Some(parent) = span.parent {
            let known = first.entry(parent).or_insert(span.start);
            *known = (*known).min(span.start);
        }
    }
    first
}
