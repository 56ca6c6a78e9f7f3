//! All processes that send spans, and the services that they belong to.

use std::sync::Arc;

use super::activity::Activity;
use super::instrumentors::Instrumentor;
use super::process::Process;
use crate::evidence::age::Moment;
use crate::model::{Map, Resource, Span, Timestamp};

/// The sender of the spans that follow, looked up once for all of them.
#[derive(Clone, Debug)]
pub struct Sender {
    pub process: Arc<Process>,
    /// Its index among the processes; `None` for one past [`Processes::LIMIT`].
    number: Option<usize>,
    /// The index of its service among those that export.
    pub(in crate::evidence) service: usize,
}

/// Every process that was seen, by what its resource says.
#[derive(Default, Debug)]
pub struct Processes {
    numbers: Map<Arc<Process>, usize>,
    known: Vec<(Arc<Process>, Activity)>,
    /// How many processes came past [`Processes::LIMIT`].
    pub beyond: u64,
    /// How many bytes they may take; `None` where there is no bound.
    bound: Option<usize>,
}

impl Processes {
    /// How many processes are told apart. A resource is hostile input too.
    pub const LIMIT: usize = 10_000;
    /// About what a process takes, without the requests that are remembered.
    const EACH: usize = 1024;
    /// How many requests are remembered for each process at least, however many processes
    /// there are.
    const FEWEST: usize = 16;

    /// From now on they take at most about this many bytes. Processes come first; the
    /// remembered requests share what is left.
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

    /// The sender that a resource describes. `service` is the index of its service among
    /// those that export.
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

    /// Notes that an instrumentor is at work in the sender.
    pub fn has_instrumentor(&mut self, sender: &Sender, found: Instrumentor) {
        let known = sender.number.and_then(|number| self.known.get_mut(number));
        let Some((_, activity)) = known else { return };
        match activity.instrumentors.iter_mut().find(|known| known.library == found.library) {
            // Processes that cannot be told apart may differ: the oldest version counts.
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

    /// What the processes of each service do together, in the order of their names.
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
    use crate::model::{SpanKind, Timestamp};

    fn request(start: u64, end: u64) -> Span<'static> {
        Span {
            kind: SpanKind::Server,
            start: Timestamp::from_nanos(start),
            end: Timestamp::from_nanos(end),
            ..Span::default()
        }
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
}
