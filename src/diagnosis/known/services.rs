//! What services do, according to their spans: which ones publish, which ones run tasks,
//! and which ones do so without instrumentation.

use std::collections::BTreeMap;

use super::sdk_setup::SdkSetup;
use crate::evidence::{Activity, Broker, Evidence, Handoff, Process, Service};
use crate::model::Side;

/// The services of the evidence, by their names.
#[derive(Default, Debug)]
pub struct Services<'e> {
    by_name: BTreeMap<&'e str, Service<'e>>,
    is_sample: bool,
}

impl<'e> Services<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        Self { by_name: evidence.processes.services(), is_sample: evidence.is_sample() }
    }

    pub fn get(&self, name: &str) -> Option<&Service<'e>> {
        self.by_name.get(name)
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'e str, &Service<'e>)> {
        self.by_name.iter().map(|(name, service)| (*name, service))
    }

    pub fn values(&self) -> impl Iterator<Item = &Service<'e>> {
        self.by_name.values()
    }

    /// Every process of every service.
    pub fn processes(&self) -> impl Iterator<Item = (&'e Process, &'e Activity)> {
        self.by_name.values().flat_map(|service| &service.processes).copied()
    }

    /// Services that serve requests and visibly publish nothing, while tasks run whose
    /// sender was not seen. An API without an active Celery instrumentor looks like this
    /// (TL101), and so does any other API.
    pub fn uninstrumented_publishers(&self) -> impl Iterator<Item = &'e str> {
        let silent = self.by_name.iter().filter(|(_, service)| service.serves() && !service.produces());
        silent.map(|(name, _)| *name)
    }

    /// The services that publish or serve, and those that run no task while others do.
    pub fn producer_side(&self) -> Vec<&'e str> {
        let somebody_consumes = self.by_name.values().any(Service::consumes);
        let is_producer = |service: &Service<'_>| {
            service.serves() || service.produces() || (somebody_consumes && !service.consumes())
        };
        self.by_name.iter().filter(|(_, service)| is_producer(service)).map(|(name, _)| *name).collect()
    }

    /// Services that sent a span before this broker had any worker: there is an SDK where
    /// tasks are published, not where they are run.
    pub fn before_any_worker(&self, broker: Option<&Broker>) -> Vec<&'e str> {
        let until = broker.and_then(Broker::without_worker_until);
        let sent = |activity: &Activity| activity.first_end.is_some_and(|end| Some(end) <= until);
        let services = self.by_name.iter().filter(|(_, service)| {
            !service.consumes() && service.processes.iter().any(|(_, activity)| sent(activity))
        });
        services.map(|(name, _)| *name).collect()
    }

    /// Whether a service was seen to publish under the instrumentor.
    pub fn instruments_celery(&self, service: &str) -> bool {
        self.by_name.get(service).is_some_and(Service::produces)
    }

    /// Services that do work without a consumer span around it, and neither serve nor
    /// publish. A worker without an instrumentor looks like this.
    pub fn uninstrumented_workers(&self) -> impl Iterator<Item = (&'e str, &Service<'e>)> {
        self.by_name
            .iter()
            .filter(|(_, service)| {
                !service.consumes()
                    && !service.serves()
                    && !service.produces()
                    && service.total(|activity| activity.work_roots) > 0
            })
            .map(|(name, service)| (*name, service))
    }

    /// Services that take messages from a broker, and send no span of a run, a request or a
    /// publish: their SDK is at work, and nothing in them speaks to Celery.
    pub fn uninstrumented_takers(&self) -> impl Iterator<Item = (&'e str, &Service<'e>)> {
        let is_taker = |service: &Service<'_>| {
            !service.consumes()
                && !service.serves()
                && !service.produces()
                && service.total(|activity| activity.taken) > 0
        };
        self.by_name
            .iter()
            .filter(move |(_, service)| is_taker(service))
            .map(|(name, service)| (*name, service))
    }

    /// One of these that sends nothing of a pool's children: a task was run whose result
    /// was stored in Redis, and of no task is that call there, though calls to Redis are traced.
    pub fn silent_pool(&self, handoff: &Handoff<'_>) -> Option<(&'e str, &Service<'e>)> {
        handoff.result?;
        self.uninstrumented_takers().find(|(_, service)| service.total(|activity| activity.stored) == 0)
    }

    /// Such processes of services whose other processes run tasks, serve or publish. The
    /// name of the service cannot tell them apart. A sample has something of each service, and
    /// not of each process: there, none is said to be one.
    pub fn uninstrumented_processes(&self) -> impl Iterator<Item = (&'e Process, &'e Activity)> {
        let is_sample = self.is_sample;
        let does_more = |service: &&Service<'_>| service.consumes() || service.serves() || service.produces();
        let processes = self.by_name.values().filter(does_more).flat_map(move |service| {
            let is_silent = move |activity: &Activity| {
                !is_sample
                    && activity.consumers == 0
                    && activity.servers == 0
                    && activity.producers == 0
                    && activity.work_roots > 0
            };
            let apart = service.processes.iter().filter(|(process, _)| process.is_identified());
            apart.filter(move |(_, activity)| is_silent(activity))
        });
        processes.map(|(process, activity)| (*process, *activity))
    }

    /// How a service is set up.
    pub fn setting_of(&self, service: Option<&str>) -> SdkSetup {
        service.and_then(|service| self.by_name.get(service)).map(SdkSetup::of_service).unwrap_or_default()
    }

    /// On which side a service stands. One that does both counts as publishing.
    pub fn side_of(&self, service: &str) -> Side {
        let runs = self.by_name.get(service).is_some_and(|of| of.consumes() && !of.serves());
        if runs || self.uninstrumented_workers().any(|(name, _)| name == service) {
            Side::Worker
        } else {
            Side::Producer
        }
    }

    /// How the workers that were seen are set up.
    pub fn workers_setting(&self) -> SdkSetup {
        let workers = self.processes();
        SdkSetup::of_all(workers.filter(|(_, seen)| seen.consumers > 0).map(|(process, _)| process))
    }

    /// The sides that sent no span: requests that the receiver refused may be theirs. Both,
    /// if both were seen; then the requests are somebody else's.
    pub fn unheard(&self) -> Vec<(Side, SdkSetup)> {
        let publishes = self.by_name.values().any(|service| service.serves() || service.produces());
        let runs = self.by_name.values().any(Service::consumes);
        let sides: &[Side] = match (publishes, runs) {
            (true, false) => &[Side::Worker],
            (false, true) => &[Side::Producer],
            _ => &[Side::Producer, Side::Worker],
        };
        let processes = self.processes();
        let others = SdkSetup::of_all(processes.map(|(process, _)| process));
        sides.iter().map(|side| (*side, SdkSetup::default().beside(&others))).collect()
    }
}
