//! The processes that send spans, and what each service is seen to do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::age::Moment;
use super::instrumentors::{Instrumentor, Library};
use crate::model::{Map, ParentOrigin, Resource, Span, SpanKind, Timestamp};

/// One sending process: what its resource says of it.
///
/// SDKs before Python's 1.40 send no `service.instance.id`; all processes of
/// such a service look like one.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Process {
    pub service: Arc<str>,
    pub instance: Option<Box<str>>,
    pub pid: Option<i64>,
    pub host: Option<Box<str>>,
    pub language: Option<Box<str>>,
    pub sdk_version: Option<Box<str>>,
    pub distribution: Option<Box<str>>,
    /// Whether a launcher set OpenTelemetry up, and not the program.
    pub is_zero_code: bool,
}

impl Process {
    /// Whether two spans can be told to come from two processes.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.service != other.service
            || (self.instance.is_some() && other.instance.is_some() && self.instance != other.instance)
            || (self.pid.is_some() && other.pid.is_some() && self.pid != other.pid)
            || (self.host.is_some() && other.host.is_some() && self.host != other.host)
    }

    /// Whether it is the one that Celery calls `gen<pid>@<host>`, as far as its
    /// resource says. A server that forks may have told its number before.
    pub fn is_origin(&self, origin: &str) -> bool {
        let Some((pid, host)) = origin.strip_prefix("gen").and_then(|node| node.split_once('@')) else {
            return false;
        };
        self.host.as_deref() == Some(host) && self.pid.is_none_or(|known| pid.parse() == Ok(known))
    }

    /// Whether the SDK lets processes of one service be told apart.
    pub fn is_identified(&self) -> bool {
        self.instance.is_some() || self.pid.is_some()
    }
}

impl From<&Resource<'_>> for Process {
    fn from(resource: &Resource<'_>) -> Self {
        Self {
            service: resource.service.as_ref().into(),
            instance: resource.instance.as_deref().map(Into::into),
            pid: resource.pid,
            host: resource.host.as_deref().map(Into::into),
            language: resource.language.as_deref().map(Into::into),
            sdk_version: resource.sdk_version.as_deref().map(Into::into),
            distribution: resource.distribution.as_deref().map(Into::into),
            is_zero_code: resource.is_zero_code,
        }
    }
}

/// What a process was seen to do: running totals that cost O(1) a span and
/// stay when the spans themselves are let go.
#[derive(Default, Debug)]
pub struct Activity {
    pub spans: u64,
    pub servers: u64,
    pub producers: u64,
    pub consumers: u64,
    /// Those of them that are no part of something else in their process: a task
    /// that is called in the process of its caller is. Those of another messaging
    /// system are no tasks' runs.
    pub runs: u64,
    /// Roots that are INTERNAL, or CLIENT calls of something else than the
    /// broker: a worker without an instrumentor leaves these.
    pub work_roots: u64,
    pub first_work_root: Option<Timestamp>,
    pub last_work_root: Timestamp,
    /// PRODUCER roots.
    pub producer_roots: u64,
    /// The end of the span that ended first.
    pub first_end: Option<Timestamp>,
    pub last_start: Timestamp,
    pub last_end: Timestamp,
    /// When a span of it came last.
    pub heard: Moment,
    /// When requests were open, by start: the latest [`Activity::INTERVALS`].
    requests: Vec<(Timestamp, Timestamp)>,
    /// The instrumentors that sent spans of it, one for each library.
    instrumentors: Vec<Instrumentor>,
    /// Services that this one calls, by `peer.service` or address.
    pub peers: BTreeSet<Box<str>>,
}

impl Activity {
    /// How many requests are remembered a process, to tell whether one was open.
    pub const INTERVALS: usize = 10_000;
    /// How many peers are remembered a process.
    const NAMES: usize = 64;

    /// Takes a span; `intervals` is how many requests may be remembered.
    fn add_span(&mut self, span: &Span<'_>, now: Moment, intervals: usize) {
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
        /// Requests that started later than this many others and are still
        /// open when those have come and gone are not looked for.
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

    /// The same of the time from `first` to `last`, and of that between its first
    /// and its last request, where this is longer.
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

/// A root that is work of the application: INTERNAL, or a CLIENT call. The
/// calls that a worker makes to its own broker are noise, and so is a root
/// that belongs to a task by its attributes.
pub fn is_work_root(span: &Span<'_>) -> bool {
    span.parent_id.is_none()
        && match span.kind {
            SpanKind::Internal | SpanKind::Unspecified => true,
            SpanKind::Client => span.system.as_deref() != Some("redis"),
            _ => false,
        }
}

/// The sender of the spans that follow, looked up once for all of them.
#[derive(Clone, Debug)]
pub struct Sender {
    pub process: Arc<Process>,
    /// Its place among the processes; `None` for one past [`Processes::LIMIT`].
    number: Option<usize>,
    /// The place of its service among those that export.
    pub(super) service: usize,
}

/// Every process that was heard of, by what its resource says.
#[derive(Default, Debug)]
pub struct Processes {
    numbers: Map<Arc<Process>, usize>,
    known: Vec<(Arc<Process>, Activity)>,
    /// Further processes, past [`Processes::LIMIT`], of which only the number is kept.
    pub beyond: u64,
    /// How many bytes they may take; `None` where there is no bound.
    bound: Option<usize>,
}

impl Processes {
    /// How many processes are told apart. A resource is hostile input too.
    pub const LIMIT: usize = 10_000;
    /// About what a process takes beside the requests that are remembered of it.
    const EACH: usize = 1024;
    /// How many requests are remembered of each process, be there ever so many.
    const FEWEST: usize = 16;

    /// From now on they take at most about so many bytes. Processes come first;
    /// the requests that are remembered share what is left.
    pub const fn bound(&mut self, bytes: usize) {
        self.bound = Some(bytes);
    }

    /// How many processes are told apart.
    fn limit(&self) -> usize {
        const LEAST: usize = Processes::EACH + Processes::FEWEST * size_of::<(Timestamp, Timestamp)>();
        self.bound.map_or(Self::LIMIT, |bytes| Self::LIMIT.min(bytes / LEAST))
    }

    /// How many requests are remembered of each.
    fn intervals(&self) -> usize {
        let Some(bytes) = self.bound else { return Activity::INTERVALS };
        let left = bytes.saturating_sub(self.known.len() * Self::EACH);
        let each = left / size_of::<(Timestamp, Timestamp)>() / self.known.len().max(1);
        each.clamp(Self::FEWEST, Activity::INTERVALS)
    }

    /// The sender that a resource speaks of; `service` is the place of its
    /// service among those that export.
    pub fn sender(&mut self, resource: &Resource<'_>, service: impl FnOnce(&Arc<str>) -> usize) -> Sender {
        let process = Process::from(resource);
        let known = self.numbers.get_key_value(&process).map(|(known, number)| (Arc::clone(known), *number));
        let (process, number) = match known {
            Some((process, number)) => (process, Some(number)),
            None => self.insert(process),
        };
        Sender { service: service(&process.service), process, number }
    }

    fn insert(&mut self, process: Process) -> (Arc<Process>, Option<usize>) {
        let process = Arc::new(process);
        if self.known.len() >= self.limit() {
            self.beyond += 1;
            return (process, None);
        }
        let number = self.known.len();
        self.numbers.insert(Arc::clone(&process), number);
        self.known.push((Arc::clone(&process), Activity::default()));
        (process, Some(number))
    }

    pub fn add_span(&mut self, sender: &Sender, span: &Span<'_>, now: Moment) {
        let intervals = self.intervals();
        if let Some((_, activity)) = sender.number.and_then(|number| self.known.get_mut(number)) {
            activity.add_span(span, now, intervals);
        }
    }

    /// Takes that an instrumentor is at work in the sender.
    pub fn has_instrumentor(&mut self, sender: &Sender, found: Instrumentor) {
        let known = sender.number.and_then(|number| self.known.get_mut(number));
        let Some((_, activity)) = known else { return };
        match activity.instrumentors.iter_mut().find(|known| known.library == found.library) {
            // Processes that cannot be told apart may differ: the oldest speaks.
            Some(known) => known.release = known.release.min(found.release),
            None => activity.instrumentors.push(found),
        }
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.known.len() * Self::EACH
            + self.known.iter().map(|(_, activity)| activity.requests.capacity() * 16).sum::<usize>()
    }

    pub fn of(&self, process: &Process) -> Option<&Activity> {
        self.numbers.get(process).map(|number| &self.known[*number].1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Process>, &Activity)> {
        self.known.iter().map(|(process, activity)| (process, activity))
    }

    /// What the processes of each service do together, in the order of names.
    pub fn services(&self) -> std::collections::BTreeMap<&str, Service<'_>> {
        let mut services = std::collections::BTreeMap::<&str, Service<'_>>::new();
        for (process, activity) in &self.known {
            services.entry(&process.service).or_default().processes.push((process, activity));
        }
        for service in services.values_mut() {
            service.processes.sort_by_key(|(process, _)| (&process.instance, process.pid, &process.host));
        }
        services
    }
}

/// The processes of one service.
#[derive(Default, Debug)]
pub struct Service<'e> {
    pub processes: Vec<(&'e Process, &'e Activity)>,
}

impl Service<'_> {
    pub fn total(&self, count: impl Fn(&Activity) -> u64) -> u64 {
        self.processes.iter().map(|(_, activity)| count(activity)).sum()
    }

    pub fn serves(&self) -> bool {
        self.total(|activity| activity.servers) > 0
    }

    pub fn consumes(&self) -> bool {
        self.total(|activity| activity.consumers) > 0
    }

    pub fn produces(&self) -> bool {
        self.total(|activity| activity.producers) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_bound_is_shared_by_all_processes() {
        const BYTES: usize = 64 << 10;
        let mut processes = Processes::default();
        processes.bound(BYTES);
        for start in 0..100_u64 {
            for number in 0..20 {
                let resource = Resource { pid: Some(number), ..Resource::default() };
                let sender = processes.sender(&resource, |_| 0);
                (0..10).for_each(|of| {
                    processes.add_span(
                        &sender,
                        &request(start * 10 + of, start * 10 + of),
                        Moment::default(),
                    );
                });
            }
        }
        assert_eq!((processes.known.len(), processes.beyond), (20, 0));
        assert!(processes.bytes() <= BYTES * 5 / 4, "{} bytes", processes.bytes());
        assert!(
            processes.known.iter().all(|(_, activity)| activity.has_open_request(Timestamp::from_nanos(999)))
        );
        (20..200).for_each(|number| {
            processes.sender(&Resource { pid: Some(number), ..Resource::default() }, |_| 0);
        });
        assert!(processes.beyond > 0 && processes.known.len() < 64);
    }

    #[test]
    fn a_workers_own_polling_is_not_work() {
        let polling = Span { kind: SpanKind::Client, system: Some("redis".into()), ..Span::default() };
        assert!(!is_work_root(&polling));
        assert!(is_work_root(&Span { system: Some("postgresql".into()), ..polling }));
    }
}
