//! What one page is told: what changed on the board since it was told last. Nothing waits
//! for a page that is slow; it is told less often, and of what changed twice only how it is
//! now.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxBuildHasher;

use super::feed::{Feed, Phase};
use super::pieces;
use super::sse::Events;
use crate::local_http::{EventSource, Next};
use crate::view::board::{KnownFinding, Passage};

/// What one page is told.
pub struct Changes {
    feed: Arc<Feed>,
    /// Up to which version of the board it was told; `None` if it must load anew.
    after: Option<u64>,
    /// As of when the pieces beside the passages were told.
    tick: Option<u64>,
    /// A digest of each of those pieces as it was told.
    pieces: BTreeMap<&'static str, u64>,
    has_ended: bool,
}

/// What is new on the board.
struct News {
    /// Those that changed first come first.
    passages: Vec<Arc<Passage>>,
    findings: Vec<KnownFinding>,
    /// The ids of passages that are not held any more.
    gone: Vec<u64>,
    /// Up to which version of the board it goes.
    upto: u64,
    /// Whether more is new.
    is_part: bool,
}

impl News {
    /// Passages that are told in one text.
    const AT_ONCE: usize = 100;
    /// If more passages changed than a page lists, it is less to load it anew.
    const MOST: usize = pieces::LISTED;

    /// `None` if a page that knows no more than this version must load anew.
    fn since(feed: &Feed, version: u64) -> Option<Self> {
        let board = feed.board().lock();
        let gone = board.gone_since(version)?.collect();
        let mut passages: Vec<_> = board.changed_since(version).take(Self::MOST + 1).cloned().collect();
        if passages.len() > Self::MOST {
            return None;
        }
        let is_part = passages.len() > Self::AT_ONCE;
        passages.truncate(Self::AT_ONCE);
        let upto = passages.last().filter(|_| is_part).map_or(board.version(), |last| last.version);
        let is_new = |known: &&KnownFinding| known.version > version && known.version <= upto;
        let findings = board.findings().filter(is_new).cloned().collect();
        Some(Self { passages, findings, gone, upto, is_part })
    }
}

impl Changes {
    /// For a page that was made when `number` was reached. Without one it is told everything.
    pub fn after(feed: Arc<Feed>, number: Option<&str>) -> Self {
        let after = number.map_or(Some(0), |number| feed.version(number));
        Self { feed, after, tick: None, pieces: BTreeMap::new(), has_ended: false }
    }

    fn load_anew(&mut self) -> Next {
        let version = self.feed.board().lock().version();
        self.after = Some(version);
        let mut events = Events::default();
        events.push("reload", "this page is too old");
        events.reached(self.feed.number(version));
        Next::Text(Bytes::from(events.into_text()))
    }

    /// Tells of the pieces beside the passages which differ from what was told.
    fn tell_pieces(&mut self, events: &mut Events) {
        for (name, piece) in pieces::beside(&self.feed) {
            let digest = FxBuildHasher.hash_one(&piece);
            if self.pieces.insert(name, digest) != Some(digest) {
                events.push("piece", &piece);
            }
        }
    }
}

impl EventSource for Changes {
    fn next(&mut self) -> Next {
        if self.has_ended {
            return Next::Wait;
        }
        let news = self.after.and_then(|after| News::since(&self.feed, after));
        let Some(News { passages, findings, gone, upto, is_part }) = news else { return self.load_anew() };
        let state = self.feed.state();
        let mut events = Events::default();
        if !gone.is_empty() {
            let ids: Vec<_> = gone.iter().map(u64::to_string).collect();
            events.push("gone", &ids.join("\n"));
        }
        for passage in &passages {
            events.push("passage", &pieces::entry(&state, passage));
        }
        for known in &findings {
            events.push("finding", &pieces::known_finding(&self.feed, &state, known));
        }
        if self.tick.replace(state.tick) != Some(state.tick) || !findings.is_empty() {
            self.tell_pieces(&mut events);
        }
        if !events.is_empty() {
            events.reached(self.feed.number(upto));
        }
        self.after = Some(upto);
        if state.phase == Phase::Ended && !is_part {
            self.has_ended = true;
            events.push("end", "the session has ended");
        }
        if events.is_empty() { Next::Wait } else { Next::Text(Bytes::from(events.into_text())) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;
    use crate::model::{Event, Report, Severity, SpanId, SpanReport, Timestamp, TraceId, TraceReport};
    use crate::report::View;
    use crate::view::board::{Board, a_finding};
    use crate::view::web::feed::Reports;

    struct NoReports;

    impl Reports for NoReports {
        fn so_far(&self) -> Option<Report> {
            None
        }

        fn trace(&self, _: TraceId, _: usize) -> Option<TraceReport> {
            None
        }
    }

    fn feed(bytes: usize) -> Arc<Feed> {
        let view = View::default();
        let board = Arc::new(Mutex::new(Board::new(bytes)));
        Arc::new(Feed::new(board, Box::new(NoReports), view, Phase::Listening, 1 << 20, 7))
    }

    /// So many traces more, each of one span called `GET /number`.
    fn come(feed: &Feed, numbers: std::ops::Range<u64>) {
        let trace = |number: u64| {
            let span = SpanReport {
                span_id: SpanId::new((number + 1).to_be_bytes()),
                parent_id: None,
                service: "web".to_owned(),
                name: format!("GET /{number}"),
                kind: "server",
                start: Timestamp::from_nanos(1_000_000 * number),
                duration_ms: 1.0,
                status: "unset",
                task_id: None,
                orphan: None,
                exception: None,
                retries: None,
                links: Vec::new(),
            };
            let trace_id = TraceId::new(u128::from(number + 1).to_be_bytes());
            TraceReport { trace_id, healthy: true, complete: true, span_count: 1, spans: vec![span] }
        };
        let events: Vec<_> = numbers
            .map(|number| Event::Traces { traces: vec![trace(number)], handoffs: Vec::new() })
            .collect();
        feed.board().lock().events(&events, 0, Duration::ZERO);
    }

    /// What is told in the next text.
    fn told(changes: &mut Changes) -> String {
        match changes.next() {
            Next::Text(text) => String::from_utf8(text.to_vec()).expect("UTF-8"),
            other => panic!("{other:?}"),
        }
    }

    fn passages(text: &str) -> usize {
        text.matches("event: passage\n").count()
    }

    fn last_number(text: &str) -> &str {
        let (_, rest) = text.rsplit_once("id: ").expect("a number");
        rest.trim_end()
    }

    #[test]
    fn a_page_is_told_in_parts_and_goes_on_from_the_last_one_that_it_got() {
        let feed = feed(8 << 20);
        come(&feed, 0..150);
        let mut changes = Changes::after(Arc::clone(&feed), None);
        let first = told(&mut changes);
        assert_eq!(passages(&first), News::AT_ONCE);
        let mut again = Changes::after(Arc::clone(&feed), Some(last_number(&first)));
        for changes in [&mut changes, &mut again] {
            assert_eq!(passages(&told(changes)), 50);
            assert_eq!(changes.next(), Next::Wait);
        }
        come(&feed, 150..151);
        let more = told(&mut changes);
        assert!(passages(&more) == 1 && more.contains("GET /150"), "{more}");
    }

    #[test]
    fn a_page_that_missed_too_much_is_told_to_load_anew_and_nothing_else() {
        let feed = feed(8 << 20);
        let mut slow = Changes::after(Arc::clone(&feed), Some(&feed.number(0).to_string()));
        come(&feed, 0..600);
        let text = told(&mut slow);
        assert!(text.starts_with("event: reload\n") && passages(&text) == 0, "{text}");
        let version = feed.board().lock().version();
        assert_eq!(last_number(&text), feed.number(version).to_string());
        let text = told(&mut slow);
        assert_eq!((passages(&text), text.matches("event: reload").count()), (0, 0), "{text}");
        for foreign in ["", "7", "-1", "99999999999999999999"] {
            let mut changes = Changes::after(Arc::clone(&feed), Some(foreign));
            assert!(told(&mut changes).starts_with("event: reload\n"), "{foreign}");
        }
    }

    #[test]
    fn what_the_board_let_go_is_taken_out_of_the_list() {
        let feed = feed(64 << 10);
        come(&feed, 0..1);
        let mut changes = Changes::after(Arc::clone(&feed), None);
        assert_eq!(passages(&told(&mut changes)), 1);
        come(&feed, 1..100);
        let text = told(&mut changes);
        let (_, gone) = text.split_once("event: gone\n").expect("the board is small");
        assert!(gone.starts_with("data: 1\n"), "{gone}");
    }

    /// Until the report is there, nothing says that all is done.
    #[test]
    fn a_page_says_that_what_was_read_is_judged_and_for_how_long() {
        let feed = feed(8 << 20);
        feed.has_read(Some(100), 1_000);
        let state = || pieces::page(&feed).split_once("id=\"status\"").expect("a state").1.to_owned();
        assert!(state().contains("reading "));
        feed.judges(Duration::from_millis(300));
        let told = told(&mut Changes::after(Arc::clone(&feed), None));
        assert!(told.contains("read all, and judges it ") && !told.contains("event: end"), "{told}");
        feed.judges(Duration::from_secs(12));
        assert!(state().contains("judges it for 12 s "), "{}", state());
        feed.end(Report::default());
        assert!(state().contains("ended ") && !state().contains("judges"));
    }

    /// The first answer takes as long as its list does, however many findings there are.
    #[test]
    fn of_many_findings_the_page_has_the_worst_in_full_and_counts_the_rest() {
        let feed = feed(64 << 20);
        let finding = |number: u64| {
            let severity = if number == 250 { Severity::Error } else { Severity::Warning };
            Event::of_finding(a_finding(&format!("cause-{number}"), severity))
        };
        let events: Vec<_> = (0..300).map(finding).collect();
        feed.board().lock().events(&events, 0, Duration::ZERO);
        let page = pieces::page(&feed);
        assert_eq!(page.matches("<details open").count(), 20, "in full");
        assert_eq!(page.matches("article class=\"finding").count(), 200);
        assert!(page.contains("and 100 more"));
        let at = page.find("id=\"finding-cause-250\"").expect("the worst is there");
        assert!(page[at..].starts_with("id=\"finding-cause-250\"><details open"), "{}", &page[at..at + 80]);
        assert!(pieces::finding(&feed, "cause-299").expect("it is held").contains("<details open"));
    }

    #[test]
    fn the_end_is_told_once_and_after_everything_else() {
        let feed = feed(8 << 20);
        let mut changes = Changes::after(Arc::clone(&feed), None);
        come(&feed, 0..150);
        feed.end(Report::default());
        assert!(!told(&mut changes).contains("event: end"));
        let text = told(&mut changes);
        assert!(passages(&text) == 50 && text.contains("event: end\n"), "{text}");
        assert_eq!(changes.next(), Next::Wait);
    }
}
