//! Small scenes: what a broker held and what an exporter sent, written down in
//! the terms of the wire, and read by the same code as real evidence.

#![allow(dead_code, reason = "each test plays some of it")]

mod message;
#[path = "../sentence/mod.rs"]
mod sentence;
mod span;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tracelink::diagnosis::{Listing, LiveJudge, Pace, report_expecting};
use tracelink::evidence::{BrokerIntake, Endpoints, Evidence, Keep, Moment, Outcome, SpanIntake};
use tracelink::live::MemoryPlan;
use tracelink::model::{Finding, Report, Timestamp};
use tracelink::wire::broker::Completeness;
use tracelink::wire::celery::ReadOptions;
use tracelink::wire::celery::redis_layout::{Naming, RedisReader};
use tracelink::wire::otlp::decode_json;
use tracelink::wire::snapshot::{KeyContent, KeyLine};

pub use message::{MessageBuilder, message};
pub use span::{SpanBuilder, span};

/// When scenes play: their times are milliseconds after this.
const START: u64 = 1_795_376_994_000_000_000;

fn time(millis: u64) -> u64 {
    START + millis * 1_000_000
}

#[derive(Default)]
pub struct Scene {
    evidence: Evidence,
    expected: Option<u64>,
}

impl Scene {
    /// A look at the broker.
    pub fn look(mut self, millis: u64, build: impl FnOnce(Look) -> Look) -> Self {
        let look = build(Look::default());
        let at = Timestamp::from_nanos(time(millis));
        let text = |text: String| Cow::Owned(text.into_bytes());
        let line = |key: &str, content: KeyContent<'static>| KeyLine {
            db: 0,
            key: text(key.to_owned()),
            pttl: -1,
            content,
            len: None,
            from: 0,
            complete: true,
        };
        let bound = |exchange: &str, member: String| {
            line(&format!("_kombu.binding.{exchange}"), KeyContent::Set(vec![text(member)]))
        };
        let mut bindings = vec![bound("celery", "celery\u{6}\u{16}\u{6}\u{16}celery".to_owned())];
        let exchanges = look.worker.then_some("celery").into_iter().chain(look.control_exchange);
        bindings.extend(exchanges.map(|exchange| {
            let mailbox = format!("{exchange}.pidbox");
            bound(&mailbox, format!("\u{6}\u{16}\u{6}\u{16}celery@w.{mailbox}"))
        }));
        let list = |messages: &[Value]| {
            KeyContent::List(messages.iter().map(|message| text(message.to_string())).collect())
        };
        let mut lines = vec![line("celery", list(&look.ready))];
        lines.extend(
            look.elsewhere.iter().map(|(queue, message)| line(queue, list(std::slice::from_ref(message)))),
        );
        let held =
            look.held.iter().zip(1..).map(|(message, tag)| {
                (text(format!("{tag}")), text(json!([message, "", "celery"]).to_string()))
            });
        lines.push(line("unacked", KeyContent::Hash(held.collect())));
        lines.extend(look.hashes.iter().map(|(key, (field, value))| {
            line(key, KeyContent::Hash(vec![(text(field.clone()), text(value.clone()))]))
        }));
        lines.extend(look.results.iter().map(|(id, result)| {
            line(&format!("celery-task-meta-{id}"), KeyContent::String(text(result.to_string())))
        }));
        let mut intake = BrokerIntake::new(&mut self.evidence, &look.broker, at, Keep::Each);
        let mut reader = RedisReader::new(Naming::default(), ReadOptions::default());
        reader.begin_look(&mut intake);
        bindings.iter().for_each(|line| reader.announce(line, &mut intake));
        lines.iter().for_each(|line| reader.take(line, &mut intake));
        reader.end_look(
            Completeness { held: true, since: Some(at), left_out: 0, ended_early: false },
            &mut intake,
        );
        self
    }

    /// A span in a request of its own.
    pub fn span(self, span: SpanBuilder) -> Self {
        self.request([span])
    }

    /// A request with several spans.
    pub fn request(mut self, spans: impl IntoIterator<Item = SpanBuilder>) -> Self {
        let resource_spans: Vec<_> = spans
            .into_iter()
            .map(|span| json!({"resource": {"attributes": span.resource()}, "scopeSpans": [{"scope": span.scope(), "spans": [span.value]}]}))
            .collect();
        let mut intake = SpanIntake::new(&mut self.evidence);
        intake.next_request();
        decode_json(json!({"resourceSpans": resource_spans}).to_string().as_bytes(), &mut intake)
            .expect("a request");
        self
    }

    /// A request that ended at the receiver's door.
    pub fn received(mut self, outcome: &str) -> Self {
        let outcome = Outcome::parse(outcome).expect("an outcome");
        self.evidence.note_request(outcome, "OTel-OTLP-Exporter-Python/1.45.2", "POST /");
        self
    }

    /// Exports that it took, of such a client at such an address.
    pub fn took(mut self, agent: &str, target: &str) -> Self {
        self.evidence.note_request(Outcome::Accepted, agent, target);
        self
    }

    /// It listens at the usual ports of 10.0.0.5.
    pub fn listening(self) -> Self {
        self.listening_at_known_ports(false)
    }

    fn listening_at_known_ports(mut self, are_told: bool) -> Self {
        let url = |port: u16| format!("http://10.0.0.5:{port}");
        self.evidence.note_endpoints(Endpoints { grpc: url(4317), http: url(4318), are_told });
        self
    }

    /// What it listens to was started under it, so that its environment says where.
    pub fn told(self) -> Self {
        self.listening_at_known_ports(true)
    }

    /// A receiver was up for so long.
    pub fn listened(mut self, seconds: u64) -> Self {
        self.evidence.note_listening_time(Duration::from_secs(seconds));
        self
    }

    /// So many traces were let go for want of memory.
    pub fn evicted(mut self, traces: u64) -> Self {
        self.evidence.count_evicted_traces(traces);
        self
    }

    /// A receiver's log is part of what was saved.
    pub fn kept_log(mut self) -> Self {
        self.evidence.note_receiver_log();
        self
    }

    /// Evidence that comes in while it is watched, all of it in the first moment.
    pub fn watched() -> Self {
        let mut scene = Self::default();
        scene.evidence.watch(&MemoryPlan::for_evidence(1 << 30));
        scene
    }

    /// What a watch has said, so many seconds after all of it came.
    pub fn findings_after(self, seconds: u64) -> Vec<Finding> {
        let mut watch = LiveJudge::new(Duration::from_secs(6), MemoryPlan::for_evidence(1 << 30));
        watch.evidence = self.evidence;
        watch.evidence.settle_after(Duration::from_secs(6));
        let pace = Pace { shown: 100, again: 100, work: Pace::WORK, thorough: true };
        for second in [10, seconds] {
            watch.round(Moment::at(Duration::from_secs(second)), pace);
        }
        let findings: Vec<_> = watch.findings().cloned().collect();
        sentence::assert_made_of_contexts(&findings);
        findings
    }

    /// The report of a watch that ended so many seconds after all of it came.
    pub fn report_after(self, seconds: u64) -> Report {
        let mut watch = LiveJudge::new(Duration::from_secs(6), MemoryPlan::for_evidence(1 << 30));
        watch.evidence = self.evidence;
        watch.evidence.settle_after(Duration::from_secs(6));
        watch.end(Moment::at(Duration::from_secs(seconds)));
        let report = watch.report(Listing::default());
        sentence::assert_made_of_contexts(&report.findings);
        report
    }

    /// Asks for so many whole hand-offs.
    pub fn expecting(mut self, handoffs: u64) -> Self {
        self.expected = Some(handoffs);
        self
    }

    pub fn report(self) -> Report {
        let clock = self.evidence.clock();
        let report = report_expecting(&self.evidence, clock, Listing::default(), self.expected);
        sentence::assert_made_of_contexts(&report.findings);
        sentence::assert_names_no_other_broker(&report);
        report
    }
}

#[derive(Default)]
pub struct Look {
    broker: String,
    worker: bool,
    control_exchange: Option<&'static str>,
    ready: Vec<Value>,
    /// In other queues, one message each.
    elsewhere: BTreeMap<String, Value>,
    held: Vec<Value>,
    results: BTreeMap<String, Value>,
    /// Hashes of one field.
    hashes: BTreeMap<String, (String, String)>,
}

impl Look {
    /// At another broker.
    pub fn of(mut self, broker: &str) -> Self {
        broker.clone_into(&mut self.broker);
        self
    }

    pub fn worker(mut self) -> Self {
        self.worker = true;
        self
    }

    /// A mailbox is bound at a control exchange of this name.
    pub fn controlled_by(mut self, exchange: &'static str) -> Self {
        self.control_exchange = Some(exchange);
        self
    }

    pub fn ready(mut self, message: MessageBuilder) -> Self {
        self.ready.push(message.build());
        self
    }

    /// Ready in a queue of another name.
    pub fn ready_in(mut self, queue: &str, message: MessageBuilder) -> Self {
        self.elsewhere.insert(queue.to_owned(), message.build());
        self
    }

    pub fn held(mut self, message: MessageBuilder) -> Self {
        self.held.push(message.build());
        self
    }

    /// A hash with one field, of another program or of a scheduler.
    pub fn hash(mut self, key: &str, field: &str, value: &str) -> Self {
        self.hashes.insert(key.to_owned(), (field.to_owned(), value.to_owned()));
        self
    }

    pub fn result(mut self, id: &str, result: Value) -> Self {
        self.results.insert(id.to_owned(), result);
        self
    }
}
