//! One turn of a watch over a store: what it has since the last one is asked for, and what is
//! new of it is filed.
//!
//! Spans come to a store seconds or minutes after they began, and not in that order. So each
//! turn reaches back by an overlap. It also asks again for the traces of which something is
//! missing ([`LiveJudge::awaited`]), since a task may run for longer than any overlap.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::choosing::{Chosen, Counting, SAMPLED_TRACES, Selection, Together, choose, fetch_whole, together};
use super::session::Session;
use crate::diagnosis::{LiveJudge, RequestSink};
use crate::evidence::{Moment, SpanSource};
use crate::model::{Invalid, Resource, Scope, Span, Timestamp, TraceId};
use crate::query::clickhouse::{QueryError, Store, Window};
use crate::wire::otlp::Sink;

/// What each turn asks for.
#[derive(Clone, Debug)]
pub struct Reach {
    pub selection: Selection,
    /// How far beyond the time of a turn the other side of a hand-off is looked for, and for
    /// how long what is missing is asked for again.
    pub margin: Duration,
    /// How far a turn reaches back before the end of the last one.
    pub overlap: Duration,
    /// How far the first turn reaches back.
    pub since: Duration,
}

/// How far the turns have come.
#[derive(Default, Debug)]
pub(super) struct Turns {
    /// From when to when the store was asked, by its clock; `None` before the first answer.
    asked: Option<(Timestamp, Timestamp)>,
    /// Traces whose partners nobody has looked for yet.
    open: BTreeSet<TraceId>,
    /// Whether any turn fetched a part of what there was.
    pub is_sample: bool,
}

impl Turns {
    /// Asks for what the store has now, and files what is new.
    ///
    /// # Errors
    ///
    /// [`QueryError`], at the first question that is not answered. What came before is filed,
    /// and the next turn asks for all of it again.
    pub fn next(
        &mut self,
        store: &mut Store<'_>,
        reach: &Reach,
        session: &Session,
    ) -> Result<(), QueryError> {
        let age = session.age();
        store.tell_time()?;
        let now = store.now;
        let (first, from) = match self.asked {
            // Nothing is asked for that lies before the first turn.
            Some((first, until)) => (first, until.before(reach.overlap).max(first)),
            None => (now.before(reach.since), now.before(reach.since)),
        };
        let window = Window { from, to: now, margin: reach.margin };
        let awaited = {
            let mut watch = session.watch();
            watch.evidence.note_asked(first, Timestamp::from_nanos(u64::MAX));
            watch.awaited(Moment::at(age.saturating_sub(reach.margin)), SAMPLED_TRACES)
        };
        let Chosen { traces, is_sample, .. } =
            choose(store, &window, &reach.selection, Counting::ForSamples)?;
        let begin = traces.into_iter().chain(awaited).chain(self.open.iter().copied()).collect();
        let Together { mut traces, open } = together(store, begin, &window.padded())?;
        {
            let mut watch = session.watch();
            if is_sample {
                watch.evidence.note_sample();
            }
            // They would only come to be let go again.
            traces.retain(|id| !watch.evidence.has_let_go_trace(*id));
        }
        let mut filing = NewSpans::begin(session, Moment::at(age));
        let fetched = fetch_whole(store, &traces, &window.padded(), &mut filing);
        let news = filing.news;
        drop(filing);
        fetched?;
        self.is_sample |= is_sample;
        self.open = open;
        self.asked = Some((first, self.asked.map_or(now, |(_, until)| until.max(now))));
        session.answered(age);
        if news > 0 {
            session.arrived();
        }
        Ok(())
    }

    /// All that was asked for, with this margin; `None` before the first answer.
    pub fn window(&self, margin: Duration) -> Option<Window> {
        self.asked.map(|(from, to)| Window { from, to, margin })
    }
}

/// Files the spans of an answer that are not held yet. That a span is in two answers says
/// nothing about its exporter. It ends when this is dropped.
struct NewSpans<'s> {
    session: &'s Session,
    /// There until it ends.
    source: Option<SpanSource>,
    /// How many spans were new.
    news: u64,
}

impl<'s> NewSpans<'s> {
    fn begin(session: &'s Session, asked: Moment) -> Self {
        let mut watch = session.watch();
        watch.set_time(asked);
        let source = Some(watch.begin_request());
        Self { session, source, news: 0 }
    }

    /// Takes one thing, and gives the lock to whoever waits for it.
    fn take(&mut self, take: impl FnOnce(&mut LiveJudge, &mut SpanSource) -> bool) {
        let Some(source) = &mut self.source else { return };
        let mut watch = self.session.watch();
        self.news += u64::from(take(&mut watch, source));
        MutexGuard::unlock_fair(watch);
    }

    fn pass_on(&mut self, pass_on: impl FnOnce(&mut RequestSink<'_>)) {
        self.take(|watch, source| {
            pass_on(&mut watch.request_sink(source));
            false
        });
    }
}

impl Sink for NewSpans<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.pass_on(|taking| taking.resource(resource));
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.pass_on(|taking| taking.scope(scope));
    }

    fn span(&mut self, span: &Span<'_>) {
        self.take(|watch, source| {
            let is_new = !source.is_known(&mut watch.evidence, span);
            if is_new {
                watch.request_sink(source).span(span);
            }
            is_new
        });
    }

    // It would be counted again in each answer: nothing tells it from another.
    fn refused(&mut self, _: Invalid, _: &str) {}
}

impl Drop for NewSpans<'_> {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            self.session.watch().end_request(source);
        }
    }
}
