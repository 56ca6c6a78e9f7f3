//! Which request brought which spans, to tell a resend from a second exporter.
//!
//! A client that got no answer sends its request again, unchanged. OTLP requires receivers
//! to cope with that, and it is no fault of the application. Two exporters, or two span
//! processors, send each span twice as well, but they batch the spans by timers of their
//! own.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::spans::{Arrival, SpanKey};
use crate::model::Span;

/// The requests that brought spans, and the spans that came more than once.
#[derive(Default, Debug)]
pub struct Exports {
    requests: BTreeMap<u32, Request>,
    /// The requests that are being read, by number. The one that brought the latest span is
    /// the last.
    open: Vec<(u32, Request)>,
    services: Vec<(Arc<str>, ServiceExports)>,
    /// How many bytes they may take; `None` where there is no bound.
    bound: Option<usize>,
    /// Pairs of requests, over all services.
    pairs: usize,
}

#[derive(Clone, Copy, Default, Debug)]
struct Request {
    /// A sum over its spans, so that their order inside the request does not matter.
    digest: u64,
    spans: u32,
    /// The index of the service of its first span.
    service: usize,
    /// Whether it also holds spans of another service: then a Collector made it.
    is_mixed: bool,
}

#[derive(Default, Debug)]
struct ServiceExports {
    requests: BTreeSet<u32>,
    last_request: Option<u32>,
    /// Spans that came again with the same content: how many for each pair of requests.
    pairs: BTreeMap<(u32, u32), u64>,
    rewritten: u64,
    /// The smallest keys, so that the order of arrival does not matter.
    examples: BTreeSet<SpanKey>,
}

/// In which ways the spans of one service came more than once, resends left out.
#[derive(Default, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Spans that appear twice in one request.
    pub within: u64,
    /// Spans that came again in a different request.
    pub regrouped: u64,
    /// Spans whose id came again with different content.
    pub rewritten: u64,
    /// The number of different requests, if there are two or more and each came twice. If a
    /// Collector mixes services in one request, this counts the requests of all services.
    pub all_twice: u64,
    pub examples: Vec<SpanKey>,
}

impl Repeats {
    pub fn spans(&self) -> u64 {
        self.within + self.regrouped + self.rewritten
    }

    pub fn is_finding(&self) -> bool {
        self.spans() > 0 || self.all_twice > 0
    }
}

/// How many different requests there are, if there are two or more and each came twice.
fn all_twice<'e>(requests: impl Iterator<Item = &'e Request>) -> Option<u64> {
    let mut times = BTreeMap::<u64, u64>::new();
    for request in requests {
        *times.entry(request.digest).or_default() += 1;
    }
    (times.len() >= 2 && times.values().all(|times| *times == 2)).then_some(times.len() as u64)
}

impl Exports {
    /// How many requests are remembered. A resend comes within seconds.
    const REQUESTS: usize = 20_000;
    const PAIRS: usize = 10_000;
    const EXAMPLES: usize = 5;
    const SERVICES: usize = 1_000;
    /// How many requests may be open at a time. It is more than a receiver reads at a time;
    /// a reader of files does not say where each one ends.
    const OPEN: usize = 64;

    /// A request, with its index among all requests and among those of its service.
    const REQUEST: usize = 2 * (size_of::<(u32, Request)>() + 16);
    const PAIR: usize = 2 * size_of::<((u32, u32), u64)>();

    /// From now on they take at most about this many bytes. The oldest requests are
    /// forgotten first.
    pub const fn bound(&mut self, bytes: usize) {
        self.bound = Some(bytes);
    }

    /// How many of something may be kept: `most` without a bound, otherwise as many as fit
    /// into half of it. The other half is for the other kind.
    fn most(&self, most: usize, bytes_of_each: usize) -> usize {
        self.bound.map_or(most, |bound| most.min(bound / 2 / bytes_of_each))
    }

    /// The index of a service, for filing its spans. Services past [`Exports::SERVICES`]
    /// share the last index.
    pub fn service(&mut self, name: &Arc<str>) -> usize {
        if let Some(place) = self.services.iter().position(|(known, _)| known == name) {
            return place;
        }
        if self.services.len() < Self::SERVICES {
            self.services.push((Arc::clone(name), ServiceExports::default()));
        }
        self.services.len() - 1
    }

    /// Takes a span of the service with this index.
    pub fn add_span(&mut self, span: &Span<'_>, service: usize, request: u32, arrival: &Arrival) {
        let key = SpanKey { trace_id: span.trace_id, span_id: span.span_id };
        let mark = (span.fingerprint, key.trace_id, key.span_id);
        let digest = BuildHasherDefault::<FxHasher>::default().hash_one(mark);
        let current = self.request(request);
        if current.spans == 0 {
            current.service = service;
        }
        current.is_mixed |= current.service != service;
        current.digest = current.digest.wrapping_add(digest);
        current.spans += 1;
        let has_room = self.bound.is_none_or(|bound| self.pairs < bound / 2 / Self::PAIR);
        let Some((_, sender)) = self.services.get_mut(service) else { return };
        if sender.last_request != Some(request) {
            sender.last_request = Some(request);
            sender.requests.insert(request);
        }
        // Of two contents the one that gave way is told of, whichever came first.
        let told = match arrival {
            Arrival::Rewritten { before: Some(before) } => self.service(&before.process.service),
            _ => service,
        };
        let (_, service) = &mut self.services[told];
        match arrival {
            Arrival::New | Arrival::NoRoom => return,
            Arrival::Again { first_request } => {
                let pair = ((*first_request).min(request), (*first_request).max(request));
                let has_room = has_room && service.pairs.len() < Self::PAIRS;
                match service.pairs.get_mut(&pair) {
                    Some(spans) => *spans += 1,
                    None if has_room => {
                        service.pairs.insert(pair, 1);
                        self.pairs += 1;
                    }
                    None => {}
                }
            }
            Arrival::Rewritten { .. } => service.rewritten += 1,
        }
        service.examples.insert(key);
        if service.examples.len() > Self::EXAMPLES {
            service.examples.pop_last();
        }
    }

    /// Begins, or goes on with, the request of this number.
    fn request(&mut self, number: u32) -> &mut Request {
        if self.open.last().is_none_or(|(current, _)| *current != number) {
            let request = match self.open.iter().position(|(open, _)| *open == number) {
                Some(place) => self.open.remove(place),
                None => (number, Request::default()),
            };
            if self.open.len() >= Self::OPEN {
                let (oldest, done) = self.open.remove(0);
                self.file(oldest, done);
            }
            self.open.push(request);
        }
        &mut self.open.last_mut().expect("it was put there").1
    }

    /// Ends the request of this number: no more spans come in it.
    pub fn end(&mut self, number: u32) {
        if let Some(place) = self.open.iter().position(|(open, _)| *open == number) {
            let (_, done) = self.open.remove(place);
            self.file(number, done);
        }
    }

    fn file(&mut self, number: u32, request: Request) {
        self.requests.insert(number, request);
        if self.requests.len() > self.most(Self::REQUESTS, Self::REQUEST) {
            self.forget_oldest();
        }
    }

    /// The request of this number, if it is remembered.
    fn get(&self, number: u32) -> Option<&Request> {
        let open = self.open.iter().find(|(open, _)| *open == number);
        open.map(|(_, request)| request).or_else(|| self.requests.get(&number))
    }

    fn forget_oldest(&mut self) {
        let Some((oldest, _)) = self.requests.pop_first() else { return };
        for (_, service) in &mut self.services {
            service.requests.remove(&oldest);
        }
    }

    /// About how many bytes the remembered requests take.
    pub fn bytes(&self) -> usize {
        (self.requests.len() + self.open.len()) * Self::REQUEST + self.pairs * Self::PAIR
    }

    /// How many requests brought spans.
    pub fn requests(&self) -> usize {
        self.requests.len() + self.open.len()
    }

    /// Each service whose spans came more than once, resends left out.
    pub fn repeats(&self) -> impl Iterator<Item = (&Arc<str>, Repeats)> {
        let all_twice = LazyCell::new(|| all_twice(self.all()).is_some());
        // A finding lists what it needs in the order in which it is told of services, so
        // that is not the order in which they came.
        let mut services: Vec<_> = self.services.iter().collect();
        services.sort_by(|(one, _), (other, _)| one.cmp(other));
        services
            .into_iter()
            .map(move |(name, service)| (name, self.repeats_of(service, &all_twice)))
            .filter(|(_, repeats)| repeats.is_finding())
    }

    fn repeats_of(
        &self,
        service: &ServiceExports,
        everything_twice: &LazyCell<bool, impl FnOnce() -> bool>,
    ) -> Repeats {
        let mut repeats = Repeats { rewritten: service.rewritten, ..Repeats::default() };
        for ((first, second), spans) in &service.pairs {
            if first == second {
                repeats.within += spans;
            } else if self.differ(*first, *second) {
                repeats.regrouped += spans;
            }
        }
        let requests = || service.requests.iter().filter_map(|number| self.get(*number));
        if let Some(count) = all_twice(requests())
            && (!requests().any(|request| request.is_mixed) || **everything_twice)
        {
            repeats.all_twice = count;
        }
        repeats.examples = service.examples.iter().copied().collect();
        repeats
    }

    /// All requests that are remembered.
    fn all(&self) -> impl Iterator<Item = &Request> {
        self.requests.values().chain(self.open.iter().map(|(_, request)| request))
    }

    /// Whether two requests certainly hold different spans.
    fn differ(&self, first: u32, second: u32) -> bool {
        match (self.get(first), self.get(second)) {
            (Some(first), Some(second)) => first.digest != second.digest || first.spans != second.spans,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SpanId, TraceId};

    fn span(number: u64) -> Span<'static> {
        let trace_id = TraceId::new([1; 16]);
        let span_id = SpanId::new(number.to_be_bytes());
        Span { trace_id, span_id, fingerprint: number, ..Span::default() }
    }

    /// Regression: a request read in pieces looked like two requests, neither of which
    /// matched the resend.
    #[test]
    fn requests_that_come_by_turns_are_what_they_are_one_by_one() {
        let mut exports = Exports::default();
        let service = exports.service(&"api".into());
        for number in 1..=10 {
            exports.add_span(&span(number), service, 1, &Arrival::New);
            exports.add_span(&span(100 + number), service, 2, &Arrival::New);
        }
        exports.end(1);
        exports.end(2);
        for (again, first) in [(3, 1), (4, 2)] {
            for number in 1..=10 {
                let arrival = Arrival::Again { first_request: first };
                exports.add_span(&span(u64::from(first - 1) * 100 + number), service, again, &arrival);
            }
        }
        assert_eq!(exports.requests(), 4);
        assert!(!exports.differ(1, 3) && !exports.differ(2, 4) && exports.differ(1, 4));
        assert!(exports.repeats().all(|(_, repeats)| repeats.spans() == 0), "they are resends");
    }

    /// Regression: a report depended on which of two services came first.
    #[test]
    fn services_are_told_by_name() {
        let mut exports = Exports::default();
        for name in ["worker", "api"] {
            let service = exports.service(&name.into());
            exports.add_span(&span(1), service, 1, &Arrival::Again { first_request: 1 });
        }
        let names: Vec<_> = exports.repeats().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["api", "worker"]);
    }
}
