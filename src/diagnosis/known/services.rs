//! What services do, as far as their spans show it: who publishes, who works, and
//! who does so without saying it.

use super::{Known, Sends};
use crate::evidence::{Activity, Broker, Handoff, Process, Service};
use crate::model::MissingParts;

impl<'e> Known<'e> {
    /// Services that serve requests and publish nothing that is seen, while tasks
    /// run of which no sender was seen: what an API without an active instrumentor
    /// of Celery looks like (TL101), and any other API too.
    pub fn uninstrumented_publishers(&self) -> impl Iterator<Item = &'e str> {
        let silent = self.services.iter().filter(|(_, service)| service.serves() && !service.produces());
        silent.map(|(name, _)| *name)
    }

    /// What a message of this service lacks, where every message of it that was
    /// seen lacks something without which no worker of Celery's can take it.
    pub fn always_lacks(&self, service: &str) -> Option<MissingParts> {
        let sent = self.flow().shapes.get(service)?;
        (sent.whole == 0).then_some(sent.missing).filter(|missing| !missing.is_empty())
    }

    /// The services that publish or serve: those that do either, and those
    /// that run no task while others do.
    pub fn producer_side(&self) -> Vec<&'e str> {
        let somebody_consumes = self.services.values().any(Service::consumes);
        let is_producer = |service: &Service<'_>| {
            service.serves() || service.produces() || (somebody_consumes && !service.consumes())
        };
        self.services.iter().filter(|(_, service)| is_producer(service)).map(|(name, _)| *name).collect()
    }

    /// Services that sent a span before the broker of this hand-off had any worker:
    /// an SDK is at work where tasks are published, not where they are run.
    pub fn before_any_worker(&self, handoff: &Handoff<'_>) -> Vec<&'e str> {
        let until = self.broker_of(handoff).and_then(Broker::without_worker_until);
        let sent = |activity: &Activity| activity.first_end.is_some_and(|end| Some(end) <= until);
        let services = self.services.iter().filter(|(_, service)| {
            !service.consumes() && service.processes.iter().any(|(_, activity)| sent(activity))
        });
        services.map(|(name, _)| *name).collect()
    }

    /// Whether a service was seen to publish under the instrumentor.
    pub fn instruments_celery(&self, service: &str) -> bool {
        self.services.get(service).is_some_and(Service::produces)
    }

    /// Services that do work without a consumer span around it, and neither
    /// serve nor publish: what a worker without an instrumentor looks like.
    pub fn uninstrumented_workers(&self) -> impl Iterator<Item = (&'e str, &Service<'e>)> {
        self.services
            .iter()
            .filter(|(_, service)| {
                !service.consumes()
                    && !service.serves()
                    && !service.produces()
                    && service.total(|activity| activity.work_roots) > 0
            })
            .map(|(name, service)| (*name, service))
    }

    /// Processes like that, of services whose other processes run tasks, serve or
    /// publish: a name that several programs share tells none of them.
    pub fn uninstrumented_processes(&self) -> impl Iterator<Item = (&'e Process, &'e Activity)> {
        let does_more = |service: &&Service<'_>| service.consumes() || service.serves() || service.produces();
        let processes = self.services.values().filter(does_more).flat_map(|service| {
            let is_silent = |activity: &Activity| {
                activity.consumers == 0
                    && activity.servers == 0
                    && activity.producers == 0
                    && activity.work_roots > 0
            };
            let apart = service.processes.iter().filter(|(process, _)| process.is_identified());
            apart.filter(move |(_, activity)| is_silent(activity))
        });
        processes.map(|(process, activity)| (*process, *activity))
    }

    /// Where a service publishes to, as far as its other tasks show it.
    pub fn sends_of(&self, service: &str) -> Sends {
        self.flow().sends.get(service).copied().unwrap_or_default()
    }
}
