//! Publishes that began a trace of their own just outside of requests: a little before the
//! request's span began, or after it ended.
//!
//! A streaming response goes on after its request's span has ended; a middleware may run
//! outside of the instrumentation; a listener drains its queue a moment later. Each leaves
//! pairs of a request and a root close to it. That all of them are close shows that the
//! request is the cause: some of a scheduler's roots would lie far from any request.

use std::collections::BTreeMap;
use std::time::Duration;

use super::publisher_roots::{ByPublisher, Roots};
use crate::diagnosis::known::even_intervals::is_even;
use crate::evidence::{Evidence, Process, SpanKey};
use crate::model::{Map, Set, SpanKind, Timestamp, TraceId};

/// Fewer pairs than this may be chance, however close they are.
const PAIRS: usize = 3;
/// A publish later than this is not just outside of the request.
const CLOSE: Duration = Duration::from_secs(2);
/// The first publish of a process imports modules and connects, and may be this late.
const COLD: Duration = Duration::from_secs(10);
/// How many publishes of one task each request may have, at most.
const EACH: usize = 4;
/// How many routes of a process are looked at, and how many tasks.
const ROUTES: usize = 20;
const PUBLISHERS: usize = 100;
/// Up to this probability, chance is ruled out, if each root falls independently of the
/// others.
const ACCIDENT: f64 = 0.01;
/// The same if both roots and requests are evenly spaced. Then a single coincidence puts
/// most of them equally close, and its probability is this fraction of the time between
/// requests.
const ONE_ACCIDENT: f64 = 0.05;

/// Where the publishes lie: before the requests or after them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    Before,
    After,
}

/// Publishes of one task, each close to a request of one process.
#[derive(Clone, Copy, Debug)]
pub struct JustOutside<'e> {
    pub position: Position,
    /// The distance of the farthest one, without a late first one.
    pub within: Duration,
    /// The distance of the first one, if it is later than all others.
    pub late_first: Option<Duration>,
    pub requests: usize,
    pub publishes: usize,
    /// The route, if all of these requests have the same.
    pub route: Option<&'e str>,
}

#[derive(Clone, Copy)]
struct Request<'e> {
    start: Timestamp,
    end: Timestamp,
    route: &'e str,
    answered_well: bool,
    trace: TraceId,
}

/// A published root, with what is known of the task.
#[derive(Clone, Copy)]
struct Root {
    start: Timestamp,
    /// When a run of it began.
    run: Option<Timestamp>,
}

/// The PRODUCER roots close to requests, where the same is true of all roots of their task.
pub(super) fn just_outside<'e>(
    evidence: &'e Evidence,
    roots: &ByPublisher<'e>,
) -> Map<SpanKey, JustOutside<'e>> {
    let mut roots: Vec<_> = roots.iter().map(|(publisher, roots)| (*publisher, roots)).collect();
    roots.retain(|((process, _), roots)| {
        let activity = evidence.processes.of(process);
        roots.len() >= PAIRS
            && activity.is_some_and(|activity| {
                activity.servers > 0 && !roots.iter().all(|(start, _)| activity.has_open_request(*start))
            })
    });
    if roots.is_empty() {
        return Map::default();
    }
    roots.sort_by_key(|((process, task), _)| (&process.service, &process.instance, process.pid, *task));
    roots.truncate(PUBLISHERS);
    let processes: Set<_> = roots.iter().map(|((process, _), _)| *process).collect();
    let requests = requests(evidence, &processes);
    let mut found = Map::default();
    for ((process, task), roots) in roots {
        let Some(requests) = requests.get(process) else { continue };
        if let Some(beside) = outside_which(evidence, task, roots, requests) {
            found.extend(roots.iter().map(|(_, key)| (*key, beside)));
        }
    }
    found
}

fn requests<'e>(evidence: &'e Evidence, processes: &Set<&'e Process>) -> Map<&'e Process, Vec<Request<'e>>> {
    let mut requests = Map::<&Process, Vec<Request<'_>>>::default();
    for trace in evidence.spans.traces() {
        for span in trace.spans.iter().filter(|span| span.kind == SpanKind::Server) {
            if processes.contains(&*span.process) {
                requests.entry(&span.process).or_default().push(Request {
                    start: span.start,
                    end: span.end,
                    route: &span.name,
                    answered_well: span.http_status.is_none_or(|status| status < 400),
                    trace: trace.id,
                });
            }
        }
    }
    requests
}

fn outside_which<'e>(
    evidence: &Evidence,
    task: &str,
    roots: &Roots,
    requests: &[Request<'e>],
) -> Option<JustOutside<'e>> {
    // A request that publishes the task in its own trace lacks no publish. One that lies in
    // a root's trace is a consequence of what the root began.
    let mut traces: Set<TraceId> = roots.iter().map(|(_, key)| key.trace_id).collect();
    let producers = evidence.tasks.iter().filter(|other| other.name(evidence) == task);
    traces.extend(producers.flat_map(|other| &other.producers).map(|key| key.trace_id));
    let requests: Vec<_> =
        requests.iter().filter(|request| !traces.contains(&request.trace)).copied().collect();
    let mut published: Vec<_> =
        roots.iter().map(|(start, key)| Root { start: *start, run: first_run(evidence, *key) }).collect();
    published.sort_by_key(|root| root.start);

    let mut routes = BTreeMap::<&str, Vec<Request<'_>>>::new();
    for request in &requests {
        routes.entry(request.route).or_default().push(*request);
    }
    let is_one = routes.len() == 1;
    let all = (!is_one).then_some((None, requests.clone()));
    let by_route = routes.into_iter().take(ROUTES).map(|(route, requests)| (Some(route), requests));
    by_route.chain(all).find_map(|(route, requests)| {
        let well: Vec<_> = requests.iter().filter(|request| request.answered_well).copied().collect();
        let sets = if well.len() < requests.len() { vec![well, requests] } else { vec![requests] };
        sets.into_iter().find_map(|requests| {
            let Fit { position, within, late_first } = fit(&published, requests.clone())?;
            let (requests, publishes) = (requests.len(), published.len());
            Some(JustOutside { position, within, late_first, requests, publishes, route })
        })
    })
}

/// When the run of the task that this span published began.
fn first_run(evidence: &Evidence, producer: SpanKey) -> Option<Timestamp> {
    let id = evidence.spans.get(producer)?.span.task_id()?;
    let runs = &evidence.tasks.get(id)?.consumers;
    runs.iter().filter_map(|key| evidence.spans.get(*key)).map(|run| run.span.start).min()
}

/// On which side of its requests a task's roots lie, and how close.
#[derive(Clone, Copy)]
struct Fit {
    position: Position,
    within: Duration,
    late_first: Option<Duration>,
}

/// On which side of these requests the roots lie, and how close, if that is not chance.
fn fit(roots: &[Root], mut requests: Vec<Request<'_>>) -> Option<Fit> {
    if requests.len() < PAIRS {
        return None;
    }
    [Position::After, Position::Before].into_iter().find_map(|position| {
        requests.sort_by_key(|request| match position {
            Position::After => (request.end, request.start),
            Position::Before => (request.start, request.end),
        });
        let all = Pairing { roots, requests: &requests, position };
        let found = all.closeness(all, ACCIDENT).map(|within| Fit { position, within, late_first: None });
        found.or_else(|| all.fit_but_for_the_first())
    })
}

/// Roots, and the requests that they may belong to.
#[derive(Clone, Copy)]
struct Pairing<'a, 'e> {
    roots: &'a [Root],
    requests: &'a [Request<'e>],
    position: Position,
}

impl Pairing<'_, '_> {
    /// The fit of all but the first publish, if that one is late.
    fn fit_but_for_the_first(self) -> Option<Fit> {
        let (first, caller) = (self.roots.first()?, self.requests.first()?);
        let is_after = self.position == Position::After && first.start > caller.end;
        let late = is_after.then(|| first.start.since(caller.end))?;
        let each = self.roots.len() / self.requests.len();
        let roots = self.roots.get(each.max(1)..)?;
        let requests = if each == 0 { self.requests } else { &self.requests[1..] };
        // A second attempt on the same evidence, so it has to be surer.
        let within = Self { roots, requests, position: self.position }.closeness(self, ACCIDENT / 2.0)?;
        (late > within && late <= COLD).then_some(Fit {
            position: self.position,
            within,
            late_first: Some(late),
        })
    }

    /// The distance of the farthest root from its request, if each root is close to one and
    /// chance would not put so many of `all` there.
    fn closeness(self, all: Pairing<'_, '_>, accident: f64) -> Option<Duration> {
        if self.roots.is_empty() || self.requests.is_empty() {
            return None;
        }
        let distances = distances(self.roots, self.requests, self.position)?;
        let within = *distances.last()?;
        let is_close = !within.is_zero() && within <= CLOSE;
        let alone = self.roots.len().min(self.requests.len());
        (is_close && !is_by_chance(all, &distances, alone, accident)).then_some(within)
    }
}

/// The distance of each root from its request, the closest first. Either every request has
/// the same number of roots, in order; or most have one, and each root belongs to the
/// nearest. Nothing if a root has no request of its own.
fn distances(roots: &[Root], requests: &[Request<'_>], position: Position) -> Option<Vec<Duration>> {
    let distance = |root: &Root, request: &Request<'_>| match position {
        Position::After => (root.start >= request.start).then(|| root.start.since(request.end)),
        Position::Before => (root.start <= request.end).then(|| request.start.since(root.start)),
    };
    let each = roots.len() / requests.len();
    let pairs: Vec<(&Root, &Request<'_>)> = if roots.len().is_multiple_of(requests.len()) && each <= EACH {
        roots.iter().enumerate().map(|(place, root)| (root, &requests[place / each])).collect()
    } else if roots.len() < requests.len() && roots.len() * 2 >= requests.len() {
        let mut last = None;
        let mut pairs = Vec::with_capacity(roots.len());
        for root in roots {
            let place = match position {
                Position::After => {
                    requests.partition_point(|request| request.end <= root.start).checked_sub(1)?
                }
                Position::Before => requests.partition_point(|request| request.start < root.start),
            };
            if last.is_some_and(|last| place <= last) {
                return None;
            }
            last = Some(place);
            pairs.push((root, requests.get(place)?));
        }
        pairs
    } else {
        return None;
    };
    let is_called_back =
        |(root, request): &(&Root, &Request<'_>)| root.run.is_some_and(|run| run <= request.start);
    if position == Position::Before && pairs.iter().all(is_called_back) {
        // The task itself calls the API.
        return None;
    }
    let mut distances =
        pairs.iter().map(|(root, request)| distance(root, request)).collect::<Option<Vec<_>>>()?;
    distances.sort_unstable();
    Some(distances)
}

/// Whether unrelated roots might lie so: the probability that this many all fall as close
/// to a request as the farthest does.
fn is_by_chance(all: Pairing<'_, '_>, distances: &[Duration], alone: usize, accident: f64) -> bool {
    let Pairing { roots, requests, position } = all;
    let mut of_roots: Vec<_> = roots.iter().map(|root| root.start).collect();
    let mut of_requests: Vec<_> = requests.iter().map(|request| request.start).collect();
    if is_even(&mut of_roots) && is_even(&mut of_requests) {
        let middle = |of: &[Duration]| of.get(of.len() / 2).copied().unwrap_or_default();
        let mut gaps: Vec<_> = of_requests.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        gaps.sort_unstable();
        return middle(distances) > middle(&gaps).mul_f64(ONE_ACCIDENT);
    }
    let within = distances.last().copied().unwrap_or_default();
    let first = requests.iter().map(|request| request.start).chain(roots.iter().map(|root| root.start)).min();
    let last = requests.iter().map(|request| request.end).chain(roots.iter().map(|root| root.start)).max();
    let (Some(first), Some(last)) = (first, last) else { return true };
    let mut spans: Vec<_> = requests
        .iter()
        .map(|request| match position {
            Position::After => (request.start, request.end.after(within).min(last)),
            Position::Before => (request.start.before(within).max(first), request.end),
        })
        .collect();
    spans.sort_unstable();
    let (mut covered, mut until) = (0.0, first);
    for (start, end) in spans {
        let from = until.max(start);
        if end > from {
            covered += end.millis_since(from);
            until = end;
        }
    }
    let total = last.millis_since(first);
    let share = if total > 0.0 { covered / total } else { 1.0 };
    share.powi(i32::try_from(alone).unwrap_or(i32::MAX)) > accident
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn fits(requests: &[(u64, u64)], roots: &[u64]) -> Option<Position> {
        let request = |(start, end): &(u64, u64)| Request {
            start: at(*start),
            end: at(*end),
            route: "GET /",
            answered_well: true,
            trace: TraceId::default(),
        };
        let roots: Vec<_> = roots.iter().map(|start| Root { start: at(*start), run: None }).collect();
        fit(&roots, requests.iter().map(request).collect()).map(|fit| fit.position)
    }

    #[test]
    fn each_request_has_a_root_close_by() {
        let requests = [(0, 10), (1_300, 1_310), (2_000, 2_010), (4_000, 4_010)];
        assert_eq!(fits(&requests, &[60, 1_360, 2_050, 4_080]), Some(Position::After));
        assert_eq!(fits(&requests[1..], &[1_290, 1_998, 3_995]), Some(Position::Before));
        // Two for each request.
        assert_eq!(fits(&requests[..3], &[20, 30, 1_320, 1_330, 2_020, 2_040]), Some(Position::After));
        // One of four requests published nothing.
        assert_eq!(fits(&requests, &[60, 2_050, 4_080]), Some(Position::After));
        // The first publish of a process imports modules and connects.
        assert_eq!(fits(&requests, &[1_250, 1_360, 2_050, 4_080]), Some(Position::After));
        assert_eq!(fits(&requests[1..], &[1_990, 2_030, 4_040]), Some(Position::After));
        assert_eq!(fits(&requests[1..], &[1_990, 2_550, 5_080]), None);
        // One lies far from all requests.
        assert_eq!(fits(&requests, &[60, 1_360, 2_050, 3_500]), None);
        // Roots inside of requests are another matter.
        assert_eq!(fits(&requests, &[5, 1_305, 2_005, 4_005]), None);
        assert_eq!(fits(&requests[..2], &[60, 1_360]), None);
    }

    #[test]
    fn a_scheduler_that_keeps_step_is_close_by_one_accident() {
        let polled: Vec<_> = (0..8).map(|n| (n * 2_000, n * 2_000 + 10)).collect();
        let ticks = |after: u64| (0..8).map(|n| n * 2_000 + after).collect::<Vec<_>>();
        assert_eq!(fits(&polled, &ticks(900)), None);
        assert_eq!(fits(&polled, &ticks(40)), Some(Position::After));
        // The first one is slow, since it imports modules.
        let mut slow = ticks(40);
        slow[0] = 150;
        assert_eq!(fits(&polled, &slow), Some(Position::After));
    }
}
