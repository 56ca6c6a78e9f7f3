//! `apply_async`: puts a task into its queue, inside the instrumentor's span if there is
//! one.

use std::process;
use std::sync::{Mutex, PoisonError};

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use redis::RedisResult;
use serde_json::Value;

use super::channel::Channel;
use super::process_protocol::ProcessEvent;
use super::task_message::{Route, TaskMessage};
use super::telemetry::{Carrier, OpenSpan, Parent, Tracer, uuid};

/// The scope of the spans that the Celery instrumentor makes.
pub const CELERY: &str = "opentelemetry.instrumentation.celery";

/// The machine's name in origins and worker names. Not the real one, so that the demo's
/// traces and brokers reveal nothing about the user's machine.
pub const HOST: &str = "demo";

/// A process that publishes.
pub struct Publisher {
    pub tracer: Tracer,
    channel: Mutex<Channel>,
    queue: String,
    pub origin: String,
    pub reply_to: String,
    instrumentor: bool,
}

/// How a task is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sending {
    /// `task.apply_async`.
    Plain,
    /// `send_task` of a name that is not registered: the instrumentor ends its
    /// span before anything is sent.
    ByName,
}

/// The name under which a worker process is known.
pub fn worker_name(pid: u32) -> String {
    format!("worker{pid}@{HOST}")
}

impl Publisher {
    /// # Errors
    ///
    /// If the broker cannot be reached.
    pub fn open(setup: &super::setup::Setup, tracer: Tracer, instrumentor: bool) -> RedisResult<Self> {
        Ok(Self {
            tracer,
            channel: Mutex::new(Channel::open(&setup.broker)?),
            queue: setup.queue.clone(),
            origin: format!("gen{}@{HOST}", process::id()),
            reply_to: uuid(),
            instrumentor,
        })
    }

    pub fn task(&self, name: &str, args: Vec<Value>) -> TaskMessage {
        TaskMessage::new(name, args, &self.origin, &self.reply_to)
    }

    /// Publishes to the queue of the demo.
    pub fn send(&self, task: TaskMessage, parent: Parent, sending: Sending) -> RedisResult<()> {
        self.send_to(&Route::queue(&self.queue), task, parent, sending)
    }

    /// Publishes along a route.
    ///
    /// # Errors
    ///
    /// Where the broker is gone, or refuses.
    pub fn send_to(
        &self,
        route: &Route,
        mut task: TaskMessage,
        parent: Parent,
        sending: Sending,
    ) -> RedisResult<()> {
        let mut span = self.instrumentor.then(|| self.producer(&task, route, parent));
        // The real code tests `if headers:`, and protocol 1 has none.
        if let Some(span) = span.as_ref().filter(|_| task.protocol == 2) {
            let mut carrier = Carrier::new();
            self.tracer.inject(span.context(), &mut carrier);
            task.headers.extend(carrier.into_iter().map(|(name, value)| (name, Value::String(value))));
        }
        if sending == Sending::ByName {
            span.take().into_iter().for_each(OpenSpan::end);
        }
        let published = self.with_channel(|channel| channel.publish(&task, route));
        span.into_iter().for_each(OpenSpan::end);
        let (tag, is_routed) = published?;
        ProcessEvent::Published { id: task.id, task: task.task, tag, attempt: task.retries, is_routed }
            .send();
        Ok(())
    }

    fn producer(&self, task: &TaskMessage, route: &Route, parent: Parent) -> OpenSpan {
        let name = format!("apply_async/{}", task.task);
        let mut span = self.tracer.start(CELERY, SpanKind::Producer, &name, parent);
        span.set("celery.action", "apply_async");
        span.set("messaging.message.id", &*task.id);
        span.set("celery.task_name", &*task.task);
        span.set("messaging.destination_kind", "queue");
        // Empty values are left out, such as the default exchange's name.
        if !route.exchange.is_empty() {
            span.set("celery.exchange", &*route.exchange);
        }
        span.set("messaging.destination", &*route.routing_key);
        span
    }

    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// Runs something on the connection to the broker.
    pub fn with_channel<R>(&self, act: impl FnOnce(&mut Channel) -> R) -> R {
        act(&mut self.channel.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
