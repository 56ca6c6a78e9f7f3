//! Publishes that began a trace of their own, paired with requests that
//! published nothing.
//!
//! In a busy API some request is always open, so every root falls into one: a scheduler's
//! as well as that of a request that lost its context. But a request that lost its context
//! leaves a pair: itself, with nothing published, and the root. The number and the times of
//! a scheduler's roots have nothing to do with requests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::publisher_roots::ByPublisher;
use super::without_publish::{Open, requests_without_publish};
use crate::evidence::{Evidence, Process, SpanKey};
use crate::model::{Map, Set, Timestamp};

/// Fewer requests than this may pair up by chance, even if they come one after the other.
const REQUESTS: usize = 6;
/// The same holds for fewer than this many times the number that are open at once. With
/// twenty random roots and twenty requests, four of them open at once, 1 in 50 sets pairs
/// up; and having equally many of both is chance already.
const REQUESTS_EACH: f64 = 5.0;
/// How many publishes of one task each request may have, at most.
const EACH: usize = 4;
/// How many routes with the same number of requests are looked at.
const ROUTES: usize = 20;

/// The requests of each route, by process and number.
type Routes<'e> = Map<(&'e Process, usize), Vec<Vec<Open>>>;

/// The PRODUCER roots that pair up with requests of their process: all roots of a task with
/// all requests of a route that published nothing and answered well.
pub(super) fn paired(evidence: &Evidence, roots: &ByPublisher<'_>) -> Set<SpanKey> {
    let mut roots: Vec<_> = roots.iter().filter(|(_, roots)| roots.len() >= REQUESTS).collect();
    if roots.is_empty() {
        return Set::default();
    }
    let routes = silent_routes(evidence);
    let pairs_up = |process: &Process, roots: &[(Timestamp, SpanKey)]| {
        (1..=EACH).filter(|each| roots.len().is_multiple_of(*each)).any(|each| {
            let alike = routes.get(&(process, roots.len() / each)).into_iter().flatten().take(ROUTES);
            alike.into_iter().any(|requests| is_one_for_each(requests, roots, each))
        })
    };
    roots.retain(|((process, _), roots)| pairs_up(process, roots));
    roots.into_iter().flat_map(|(_, roots)| roots).map(|(_, key)| *key).collect()
}

/// The requests of routes that published nothing, by their number, if there are enough.
fn silent_routes(evidence: &Evidence) -> Routes<'_> {
    let mut routes = Routes::default();
    for ((process, _), requests) in requests_without_publish(evidence) {
        if is_enough(&requests) {
            routes.entry((process, requests.len())).or_default().push(requests);
        }
    }
    // Only some are looked at, the same ones each time.
    routes.values_mut().for_each(|alike| alike.sort_unstable());
    routes
}

/// Whether there are so many requests, compared to how many are open at once, that
/// unrelated roots would not pair up with them.
fn is_enough(requests: &[Open]) -> bool {
    let (Some((first, _)), Some(last)) = (requests.first(), requests.iter().map(|(_, end)| *end).max())
    else {
        return false;
    };
    let open: f64 = requests.iter().map(|(start, end)| end.millis_since(*start)).sum();
    let total = last.millis_since(*first);
    #[allow(clippy::cast_precision_loss, reason = "compared with a share")]
    let count = requests.len() as f64;
    requests.len() >= REQUESTS && total > 0.0 && count >= REQUESTS_EACH * (open / total)
}

/// Whether each request can be given the same number of roots, all of which began while it
/// was open. Both are sorted by start.
fn is_one_for_each(requests: &[Open], roots: &[(Timestamp, SpanKey)], each: usize) -> bool {
    let mut waiting = requests.iter().peekable();
    // The request that ends first takes its roots first, so that no root is taken from one
    // that could not wait.
    let mut open = BinaryHeap::new();
    for (time, _) in roots {
        while let Some((_, end)) = waiting.next_if(|(start, _)| start <= time) {
            open.push(Reverse((*end, each)));
        }
        let Some(Reverse((end, left))) = open.pop() else { return false };
        if end < *time {
            // It ended with too few.
            return false;
        }
        if left > 1 {
            open.push(Reverse((end, left - 1)));
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanId, TraceId};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn pairs(requests: &[(u64, u64)], roots: &[u64], each: usize) -> bool {
        let requests: Vec<_> = requests.iter().map(|(start, end)| (at(*start), at(*end))).collect();
        let key = SpanKey { trace_id: TraceId::default(), span_id: SpanId::default() };
        let roots: Vec<_> = roots.iter().map(|time| (at(*time), key)).collect();
        is_one_for_each(&requests, &roots, each)
    }

    #[test]
    fn each_request_gets_its_root() {
        assert!(pairs(&[(0, 10), (10, 20)], &[5, 15], 1));
        assert!(!pairs(&[(0, 10), (10, 20)], &[15, 16], 1));
        assert!(!pairs(&[(0, 10), (10, 20)], &[5, 25], 1));
        // The short one has to be served first, although it began later.
        assert!(pairs(&[(0, 100), (10, 20)], &[15, 50], 1));
        assert!(pairs(&[(0, 10), (10, 20)], &[1, 2, 11, 12], 2));
        assert!(!pairs(&[(0, 10), (10, 20)], &[1, 11, 12, 13], 2));
    }

    #[test]
    fn many_at_once_need_many() {
        let requests = |count: u64, length: u64| -> Vec<_> {
            (0..count).map(|number| (at(number * 10), at(number * 10 + length))).collect()
        };
        assert!(is_enough(&requests(6, 9)));
        assert!(!is_enough(&requests(5, 9)));
        assert!(!is_enough(&requests(10, 40)));
        assert!(is_enough(&requests(30, 40)));
    }
}
