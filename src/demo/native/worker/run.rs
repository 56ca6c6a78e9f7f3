//! One run of one task: what Celery's tracer, the instrumentor and the application's own
//! code do around it and in it.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use redis::RedisResult;
use serde_json::{Value, json};

use crate::demo::clock;
use crate::demo::native::process_protocol::ProcessEvent;
use crate::demo::native::publisher::{CELERY, Publisher, Sending, worker_name};
use crate::demo::native::setup::{Email, Reader, Reads, RunSpan, Setup, Worker};
use crate::demo::native::task_message::{TaskMessage, repr};
use crate::demo::native::telemetry::{Carrier, Context, OpenSpan, Parent, Tracer};
use crate::demo::timing;

/// The scope of the application's own spans.
const SHOP: &str = "order-tasks";
/// `max_retries` of the task.
const MOST_RETRIES: u32 = 3;

/// How a run ended if it failed.
enum Raised {
    Exception(Exception),
    /// `raise self.retry(exc=…, countdown=…)`.
    Retry(Exception, Duration),
}

/// A Python exception, as the task would have raised it.
struct Exception {
    kind: &'static str,
    module: &'static str,
    message: String,
    /// The line of the task that raised it.
    line: &'static str,
}

impl Exception {
    /// Its type with its module, as spans record it and tracebacks end.
    fn qualified(&self) -> String {
        if self.module == "builtins" {
            self.kind.to_owned()
        } else {
            format!("{}.{}", self.module, self.kind)
        }
    }

    fn traceback(&self) -> String {
        format!(
            "Traceback (most recent call last):\n  File \"tasks.py\", in process_order\n    {}\n{}: {}\n",
            self.line,
            self.qualified(),
            self.message
        )
    }

    fn result(&self) -> Value {
        json!({"exc_type": self.kind, "exc_message": [self.message], "exc_module": self.module})
    }
}

impl Raised {
    /// The type, the message and the traceback, as they are recorded.
    fn described(&self) -> (String, String, String) {
        match self {
            Self::Exception(exception) => {
                (exception.qualified(), exception.message.clone(), exception.traceback())
            }
            Self::Retry(exception, countdown) => {
                let reason = retry_reason(exception, *countdown);
                let traceback = format!("{}celery.exceptions.Retry: {reason}\n", exception.traceback());
                ("celery.exceptions.Retry".to_owned(), reason, traceback)
            }
        }
    }
}

fn retry_reason(exception: &Exception, countdown: Duration) -> String {
    let seconds = countdown.as_secs_f64();
    format!("Retry in {seconds}s: {}({})", exception.kind, repr(&Value::String(exception.message.clone())))
}

/// Runs tasks in a child of the pool.
pub struct Runner {
    publisher: Publisher,
    worker: Worker,
    pace: f64,
}

impl Runner {
    /// # Errors
    ///
    /// If the broker cannot be reached.
    pub fn open(setup: &Setup, worker: &Worker) -> RedisResult<Self> {
        let tracer = Tracer::new(&setup.telemetry);
        let publisher = Publisher::open(setup, tracer, worker.instrumentor.is_some())?;
        Ok(Self { publisher, worker: worker.clone(), pace: setup.pace })
    }

    pub fn tracer(&self) -> &Tracer {
        &self.publisher.tracer
    }

    /// Runs a task to its end, and stores the result. If the broker is gone, nobody is left
    /// to notify.
    pub fn run(&self, task: TaskMessage) {
        let mut run = self.worker.instrumentor.map(|how| self.start_run(how, &task));
        let current = run.as_ref().map_or(Parent::None, OpenSpan::as_parent);
        let ended = self.body(&task, current);
        let state = match &ended {
            Ok(_) => "SUCCESS",
            Err(Raised::Retry(..)) => "RETRY",
            Err(Raised::Exception(_)) => "FAILURE",
        };
        let stored = self.settle(&task, &ended, current);
        if let (Ok(()), Some(mut run)) = (stored, run.take()) {
            run.set("celery.state", state);
            match &ended {
                Ok(_) => {}
                Err(Raised::Retry(exception, countdown)) => {
                    run.set("celery.retry.reason", retry_reason(exception, *countdown));
                }
                Err(raised) => {
                    let (kind, message, traceback) = raised.described();
                    run.fail(&message);
                    run.record(&kind, &message, &traceback);
                }
            }
            run.end();
        }
        ProcessEvent::Ended { id: task.id, task: task.task, attempt: task.retries, state: state.to_owned() }
            .send();
    }

    fn start_run(&self, how: RunSpan, task: &TaskMessage) -> OpenSpan {
        let sender = self.tracer().extract(&task.text_headers());
        let parent = match (how, sender) {
            (RunSpan::Child, Some(sender)) => Parent::Remote(sender),
            _ => Parent::None,
        };
        let mut run = self.tracer().start(CELERY, SpanKind::Consumer, &format!("run/{}", task.task), parent);
        if let (RunSpan::Link, Some(sender)) = (how, sender) {
            run.link(sender);
        }
        let redelivered = if task.redelivered { "True" } else { "False" };
        run.set("celery.action", "run");
        run.set("messaging.message.id", &*task.id);
        run.set("messaging.conversation_id", &*task.id);
        run.set("messaging.destination", self.publisher.queue());
        run.set("celery.task_name", &*task.task);
        run.set(
            "celery.delivery_info",
            format!(
                "{{'exchange': '', 'routing_key': {}, 'priority': 0, 'redelivered': {redelivered}}}",
                repr(&Value::String(self.publisher.queue().to_owned()))
            ),
        );
        run.set("celery.reply_to", &*task.reply_to);
        // Protocol 1 has no origin: the instrumentor finds the worker's name there.
        let host = if task.protocol == 1 { worker_name(std::process::id()) } else { task.origin.clone() };
        run.set("celery.hostname", host);
        if task.retries > 0 {
            run.set("celery.retries", i64::from(task.retries));
        }
        if let Some(eta) = &task.eta {
            run.set("celery.eta", &**eta);
        }
        run
    }

    /// What the task itself does, inside a hand-written consumer span if there is one.
    fn body(&self, task: &TaskMessage, current: Parent) -> Result<Value, Raised> {
        let Some(reader) = &self.worker.by_hand else { return self.work(task, current) };
        let carried = self.read(reader, task)?;
        let parent = match carried.filter(|_| !reader.drops_context) {
            Some(context) => Parent::Remote(context),
            None => current,
        };
        let mut span = self.tracer().start(SHOP, SpanKind::Consumer, &task.task, parent);
        span.set("messaging.system", "celery");
        span.set("messaging.operation", "process");
        span.set("task.retry_count", i64::from(task.retries));
        let ended = self.work(task, span.as_parent());
        if let Err(raised) = &ended {
            let (kind, message, traceback) = raised.described();
            let short = kind.rsplit('.').next().unwrap_or_default();
            span.fail(&format!("{short}: {message}"));
            span.record(&kind, &message, &traceback);
        }
        if !reader.leaks {
            span.end();
        }
        ended
    }

    /// Reads the carrier as the task's code does.
    fn read(&self, reader: &Reader, task: &TaskMessage) -> Result<Option<Context>, Raised> {
        let crash = |kind, module, message: &str, line| {
            Raised::Exception(Exception { kind, module, message: message.to_owned(), line })
        };
        let none =
            |line| crash("AttributeError", "builtins", "'NoneType' object has no attribute 'get'", line);
        match &reader.reads {
            // `extract` of None has nothing to read from.
            Reads::Flat if task.headers.is_empty() => Ok(None),
            Reads::Flat => Ok(self.tracer().extract(&task.text_headers())),
            Reads::Json(key) => {
                const LINE: &str =
                    "carrier = json.loads(self.request.headers.get(\"trace_context\", \"{}\"))";
                if task.headers.is_empty() {
                    return Err(none(LINE));
                }
                let text = match task.headers.get(key) {
                    None => "{}",
                    Some(Value::String(text)) => text,
                    Some(_) => {
                        let message = "the JSON object must be str, bytes or bytearray, not dict";
                        return Err(crash("TypeError", "builtins", message, LINE));
                    }
                };
                let Ok(carrier) = serde_json::from_str::<Value>(text) else {
                    let message =
                        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)";
                    return Err(crash("JSONDecodeError", "json.decoder", message, LINE));
                };
                let carrier = carrier.as_object().into_iter().flatten();
                let carrier: Carrier = carrier
                    .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                    .collect();
                Ok(self.tracer().extract(&carrier))
            }
        }
    }

    fn work(&self, task: &TaskMessage, current: Parent) -> Result<Value, Raised> {
        match &*task.task {
            "process_order" => self.process_order(task, current),
            // Small tasks for canvases.
            _ => {
                timing::work(timing::SMALL_TASK, self.pace);
                Ok(task.args.first().cloned().unwrap_or_default())
            }
        }
    }

    fn process_order(&self, task: &TaskMessage, current: Parent) -> Result<Value, Raised> {
        let order = task.args.get(1).unwrap_or(&Value::Null);
        let mut span = self.start_work("send_confirmation_email", current);
        if let Some(span) = &mut span {
            span.set("email.recipient", order["user_id"].as_str().unwrap_or_default());
        }
        if let Err(raised) = self.send_email(task) {
            // A span that is left with an exception records it.
            if let Some(mut span) = span {
                let (Raised::Exception(exception) | Raised::Retry(exception, _)) = &raised;
                span.fail(&format!("{}: {}", exception.kind, exception.message));
                span.record(&exception.qualified(), &exception.message, &exception.traceback());
                span.end();
            }
            return Err(raised);
        }
        span.into_iter().for_each(OpenSpan::end);

        let mut span = self.start_work("update_inventory", current);
        if let Some(span) = &mut span {
            span.set("inventory.delta", -order["quantity"].as_i64().unwrap_or(0));
        }
        if self.worker.is_killed {
            // How the kernel ends a process that takes too much memory.
            timing::work(timing::KILLED_AFTER, self.pace);
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        timing::work(timing::UPDATE_INVENTORY, self.pace);
        span.into_iter().for_each(OpenSpan::end);

        if self.worker.follow_up {
            let receipt = TaskMessage {
                root_id: task.root_id.clone(),
                parent_id: Some(task.id.clone()),
                // A receipt comes after the confirmation.
                eta: Some(clock::isoformat(clock::now() + timing::RECEIPT_AFTER)),
                ..self.publisher.task("send_receipt", vec![task.args.first().cloned().unwrap_or_default()])
            };
            // The order must not fail because of the receipt.
            let _ = self.publisher.send(receipt, current, Sending::Plain);
        }
        Ok(json!({"order_id": task.args.first()}))
    }

    fn start_work(&self, name: &str, current: Parent) -> Option<OpenSpan> {
        self.worker.work_spans.then(|| self.tracer().start(SHOP, SpanKind::Internal, name, current))
    }

    fn send_email(&self, task: &TaskMessage) -> Result<(), Raised> {
        const LINE: &str = "_send_confirmation_email(order_id, order)";
        match self.worker.email {
            Email::Fails(times) if task.retries < times => {
                timing::work(timing::EMAIL_REFUSED, self.pace);
                let down = Exception {
                    kind: "ConnectionError",
                    module: "builtins",
                    message: "smtp down".to_owned(),
                    line: LINE,
                };
                if task.retries >= MOST_RETRIES {
                    return Err(Raised::Exception(down));
                }
                Err(Raised::Retry(down, timing::RETRY_BACKOFF * 2_u32.pow(task.retries.min(MOST_RETRIES))))
            }
            Email::Declines => {
                timing::work(timing::EMAIL_REFUSED, self.pace);
                Err(Raised::Exception(Exception {
                    kind: "SMTPRecipientsRefused",
                    module: "smtplib",
                    message: "mailbox unavailable".to_owned(),
                    line: LINE,
                }))
            }
            Email::Works | Email::Fails(_) => {
                timing::work(timing::SEND_EMAIL, self.pace);
                Ok(())
            }
        }
    }

    /// What follows a run: retries and further tasks first, then the result.
    fn settle(&self, task: &TaskMessage, ended: &Result<Value, Raised>, current: Parent) -> RedisResult<()> {
        match ended {
            Ok(value) => {
                self.publish_next(task, value, current)?;
                self.publisher.with_channel(|channel| channel.store_result(task, "SUCCESS", value, None))?;
                self.part_done(task, value, current)
            }
            Err(Raised::Retry(exception, countdown)) => {
                self.publish_again(task, *countdown, current)?;
                let (result, traceback) = (exception.result(), exception.traceback());
                self.publisher
                    .with_channel(|channel| channel.store_result(task, "RETRY", &result, Some(&traceback)))
            }
            Err(Raised::Exception(exception)) => {
                let (result, traceback) = (exception.result(), exception.traceback());
                self.publisher
                    .with_channel(|channel| channel.store_result(task, "FAILURE", &result, Some(&traceback)))
            }
        }
    }

    fn publish_again(&self, task: &TaskMessage, countdown: Duration, current: Parent) -> RedisResult<()> {
        let mut again = TaskMessage {
            retries: task.retries + 1,
            parent_id: Some(task.id.clone()),
            eta: Some(clock::isoformat(clock::now() + countdown)),
            redelivered: false,
            ..task.clone()
        };
        if self.worker.retries_forget_headers {
            again.headers.clear();
            again.origin = worker_name(std::process::id());
        }
        self.publisher.send(again, current, Sending::Plain)
    }

    fn publish_next(&self, task: &TaskMessage, value: &Value, current: Parent) -> RedisResult<()> {
        let mut chain = task.chain.clone();
        let Some(mut next) = chain.pop().and_then(|next| TaskMessage::of_signature(&next, task)) else {
            return Ok(());
        };
        next.args.insert(0, value.clone());
        next.chain = chain;
        next.origin.clone_from(&self.publisher.origin);
        self.publisher.send(next, current, Sending::Plain)
    }

    /// The last part of a chord publishes its body.
    fn part_done(&self, task: &TaskMessage, value: &Value, current: Parent) -> RedisResult<()> {
        let (Some(chord), Some((group, index))) = (&task.chord, &task.group) else { return Ok(()) };
        let Some(results) =
            self.publisher.with_channel(|channel| channel.chord_part_done(group, *index, &task.id, value))?
        else {
            return Ok(());
        };
        let Some(mut body) = TaskMessage::of_signature(chord, task) else { return Ok(()) };
        body.args.insert(0, Value::Array(results));
        body.origin.clone_from(&self.publisher.origin);
        self.publisher.send(body, current, Sending::Plain)
    }
}
