//! One thread files every request that brings spans, piece by piece.
//!
//! A request of 3 MiB may hold a million spans, and takes seconds. So the lock of the
//! evidence is held for one span at a time, and then given to whoever waits for it. After a
//! piece of a request comes a much shorter request, if one waits. So a short export waits
//! for a piece of each longer one, not for the whole.
//!
//! It is one thread because of the allocator: it returns memory that one thread allocated
//! and freed, but what other threads free for it stays until that thread allocates again.
//! When the receiver's two threads took turns at filing, twice the evidence was resident.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::diagnosis::{LiveJudge, RequestSink};
use crate::evidence::{Moment, SpanSource};
use crate::model::{Invalid, Resource, Scope, Span};
use crate::receiver::OtlpEncoding;
use crate::wire::otlp::{Counts, DecodeError, Sink, decode_json, decode_protobuf};

/// Hands requests to the thread.
#[derive(Debug)]
pub struct Filing {
    queue: Arc<Queue>,
}

type Filed = Result<Counts, DecodeError>;

/// A request that is to be filed, and who is told the result.
#[derive(Debug)]
struct Job {
    body: Bytes,
    encoding: OtlpEncoding,
    now: Moment,
    filed: oneshot::Sender<Filed>,
}

impl Filing {
    /// Starts the thread. It ends when this is dropped and nothing waits any more.
    pub fn start(watch: Arc<Mutex<LiveJudge>>) -> Self {
        let queue = Arc::new(Queue::default());
        let jobs = Arc::clone(&queue);
        thread::spawn(move || {
            let filer = Filer { queue: &jobs, watch: &watch };
            while let Some((class, job)) = jobs.next() {
                filer.file(class, job);
            }
        });
        Self { queue }
    }

    /// Files a request that came now. The result is sent when all of it is filed; if filing
    /// panicked, nothing is sent.
    pub fn file(&self, body: Bytes, encoding: OtlpEncoding, now: Moment) -> oneshot::Receiver<Filed> {
        let (filed, done) = oneshot::channel();
        self.queue.join(Job { body, encoding, now, filed });
        done
    }

    /// Waits until everything that came is filed.
    pub fn finish(&self) {
        let mut state = self.queue.state.lock();
        self.queue.changed.wait_while(&mut state, |state| state.in_hand > 0);
    }
}

impl Drop for Filing {
    fn drop(&mut self) {
        self.queue.state.lock().is_over = true;
        self.queue.changed.notify_all();
    }
}

/// The waiting requests, by their length.
#[derive(Default, Debug)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default, Debug)]
struct Waiting {
    /// By class, each with its number.
    classes: [VecDeque<(u64, Job)>; CLASSES],
    /// How many came.
    came: u64,
    /// How many wait or are being filed.
    in_hand: usize,
    is_over: bool,
}

/// The most bytes of a request in each class; the last class has no limit. One piece of
/// each class may be under way at a time, so there are few classes.
const LENGTHS: [usize; 4] = [64 << 10, 256 << 10, 1 << 20, 8 << 20];
const CLASSES: usize = LENGTHS.len() + 1;

impl Queue {
    fn join(&self, job: Job) {
        let class = LENGTHS.partition_point(|most| *most < job.body.len());
        let mut state = self.state.lock();
        state.came += 1;
        state.in_hand += 1;
        let number = state.came;
        state.classes[class].push_back((number, job));
        self.changed.notify_all();
    }

    /// Takes the request that has waited longest, and its class. `None` at the end.
    fn next(&self) -> Option<(usize, Job)> {
        let mut state = self.state.lock();
        loop {
            let first = |class: &VecDeque<(u64, Job)>| class.front().map(|(number, _)| *number);
            let waiting =
                state.classes.iter().enumerate().filter_map(|(class, jobs)| Some((first(jobs)?, class)));
            if let Some((_, class)) = waiting.min() {
                let (_, job) = state.classes[class].pop_front()?;
                return Some((class, job));
            }
            if state.is_over {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Takes the first of the shortest ones below this class.
    fn next_below(&self, class: usize) -> Option<(usize, Job)> {
        let mut state = self.state.lock();
        let found = state.classes[..class].iter_mut().enumerate();
        found.into_iter().find_map(|(class, jobs)| Some((class, jobs.pop_front()?.1)))
    }

    fn done(&self) {
        self.state.lock().in_hand -= 1;
        self.changed.notify_all();
    }
}

/// Files one request, and shorter ones between its pieces.
#[derive(Clone, Copy)]
struct Filer<'f> {
    queue: &'f Queue,
    watch: &'f Mutex<LiveJudge>,
}

impl Filer<'_> {
    fn file(self, class: usize, Job { body, encoding, now, filed }: Job) {
        // A panic concerns one request: its sender gets no result, and the next one is
        // filed.
        let decoded = catch_unwind(AssertUnwindSafe(|| {
            let mut pieces = Pieces::begin(self, class, now);
            match encoding {
                OtlpEncoding::Protobuf => decode_protobuf(&body, &mut pieces),
                OtlpEncoding::Json => decode_json(&body, &mut pieces),
            }
        }));
        // Before it is answered, since its place in the budget ends then.
        drop(body);
        if let Ok(decoded) = decoded {
            let _ = filed.send(decoded);
        }
        self.queue.done();
    }
}

/// A request that is being filed. It ends when this is dropped.
struct Pieces<'f> {
    filer: Filer<'f>,
    class: usize,
    /// There until it ends.
    source: Option<SpanSource>,
    /// What was filed since the last pause.
    filed: u32,
}

impl<'f> Pieces<'f> {
    /// It pauses after this many spans, which take less than a millisecond.
    const PIECE: u32 = 128;

    fn begin(filer: Filer<'f>, class: usize, now: Moment) -> Self {
        let mut watch = filer.watch.lock();
        watch.set_time(now);
        let source = Some(watch.begin_request());
        Self { filer, class, source, filed: 0 }
    }

    /// Takes one thing, and gives the lock to whoever waits for it.
    #[inline]
    fn take(&mut self, take: impl FnOnce(&mut RequestSink<'_>)) {
        let Some(source) = &mut self.source else { return };
        let mut watch = self.filer.watch.lock();
        take(&mut watch.request_sink(source));
        MutexGuard::unlock_fair(watch);
        self.filed += 1;
        if self.filed >= Self::PIECE {
            self.filed = 0;
            // One, so that it makes progress however many come.
            if let Some((class, job)) = self.filer.queue.next_below(self.class) {
                self.filer.file(class, job);
            }
        }
    }
}

impl Sink for Pieces<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.take(|taking| taking.resource(resource));
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.take(|taking| taking.scope(scope));
    }

    fn span(&mut self, span: &Span<'_>) {
        self.take(|taking| taking.span(span));
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.take(|taking| taking.refused(why, at));
    }

    fn announced(&mut self) {
        self.take(|_| ());
    }
}

impl Drop for Pieces<'_> {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            self.filer.watch.lock().end_request(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::live::memory::MemoryPlan;

    fn watch() -> Arc<Mutex<LiveJudge>> {
        let bounds = MemoryPlan::for_evidence(128 << 20);
        Arc::new(Mutex::new(LiveJudge::new(Duration::from_secs(6), bounds)))
    }

    /// A request with this many spans, each in a trace of its own.
    fn request(from: u64, count: u64) -> Bytes {
        let spans: Vec<_> = (from..from + count)
            .map(|number| {
                serde_json::json!({
                    "traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"),
                    "name": "GET /orders", "kind": 2, "startTimeUnixNano": "1000", "endTimeUnixNano": "2000",
                })
            })
            .collect();
        serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string().into()
    }

    /// Regression: an export of a few spans waited for a whole request of a million.
    #[test]
    fn a_short_request_does_not_wait_for_a_long_one() {
        let watch = watch();
        let filing = Filing::start(Arc::clone(&watch));
        let mut long = filing.file(request(1, 60_000), OtlpEncoding::Json, Moment::default());
        for number in 0..20 {
            let short = request(1_000_000 + number * 10, 10);
            let counts = filing.file(short, OtlpEncoding::Json, Moment::default()).blocking_recv();
            assert_eq!(counts.expect("it is answered").expect("it is JSON").spans, 10);
        }
        let is_under_way = matches!(long.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        assert!(is_under_way, "twenty short requests were filed before the long one");
        assert!(!watch.lock().is_at_rest(), "a part of it may be to come");
        filing.finish();
        assert_eq!(long.blocking_recv().expect("it is answered").expect("it is JSON").spans, 60_000);
        let account = watch.lock().evidence.span_account();
        assert_eq!((account.received, account.duplicates), (60_200, 0));
        assert_eq!(account.held + account.evicted, 60_200);
    }

    #[test]
    fn what_waits_longest_is_next_and_what_is_shorter_comes_between() {
        let queue = Queue::default();
        let lengths = [9 << 20, 10, 2 << 20, 100 << 10, 20];
        for length in lengths {
            let (filed, _) = oneshot::channel();
            let (body, now) = (vec![0; length].into(), Moment::default());
            queue.join(Job { body, encoding: OtlpEncoding::Protobuf, now, filed });
        }
        let length = |taken: Option<(usize, Job)>| taken.map(|(class, job)| (class, job.body.len()));
        assert_eq!(length(queue.next()), Some((4, 9 << 20)));
        assert_eq!(length(queue.next_below(1)), Some((0, 10)));
        assert_eq!(length(queue.next_below(4)), Some((0, 20)));
        assert_eq!(length(queue.next_below(1)), None);
        assert_eq!(length(queue.next()), Some((3, 2 << 20)));
        assert_eq!(length(queue.next()), Some((1, 100 << 10)));
    }
}
