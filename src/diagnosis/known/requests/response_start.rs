//! When requests began to answer, by the spans of what was sent.
//!
//! A middleware that lies outside of the instrumentation goes on when the response
//! has begun, while the request's span is still open.

use rustc_hash::FxHashMap;

use crate::evidence::{Evidence, Process, StoredSpan, Trace};
use crate::model::{SpanId, SpanKind, Timestamp};

/// How the instrumentor of ASGI calls what it sends.
const SENT: &str = " http send";
/// Requests that started later than so many others are not looked for.
const OVERLAPPING: usize = 1_000;

/// A request of which something was seen to be sent.
#[derive(Debug)]
struct Answered {
    start: Timestamp,
    end: Timestamp,
    first_sent: Timestamp,
}

/// The requests of each process whose answers were seen to begin, by their start.
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

    /// Whether a request was open at `time`, and each that was had begun to answer.
    pub(super) fn had_begun(&self, process: &Process, time: Timestamp) -> bool {
        let Some(requests) = self.0.get(process) else { return false };
        let started = requests.partition_point(|request| request.start <= time);
        let latest = requests[..started].iter().rev().take(OVERLAPPING);
        let mut open = latest.filter(|request| request.end >= time).peekable();
        open.peek().is_some() && open.all(|request| request.first_sent <= time)
    }
}

/// The parents of what was sent in a trace, each with when that began first.
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
