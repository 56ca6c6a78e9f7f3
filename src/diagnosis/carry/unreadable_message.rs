use crate::diagnosis::advice::{envelope, tracelink};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Handoff, Presence};
use crate::model::{MissingParts, Part, Severity, Station, Timestamp, key};

diagnosis! {
    /// ## What it means
    /// The message lacks a part without which Celery's worker cannot take it from
    /// Redis. Mostly a program in another language wrote it, by hand or with a
    /// library of its own. What happens depends on the part:
    ///
    /// | part | what the worker does |
    /// |---|---|
    /// | `properties`, `properties.delivery_tag`, `properties.delivery_info` with `exchange` and `routing_key` | it takes the message off the queue and fails on it (`KeyError`; 5.7 says "Connection to broker lost" and goes on, 5.2 stops); the message is gone |
    /// | `properties.body_encoding`, around a body in Base64 | it cannot decode the body and throws the message away (`DecodeError`) |
    /// | `content-type` | it stops ("Unrecoverable error", `ValueError`), and so does the next one that takes the message |
    /// | `headers.id` | it puts the message back, connects again and takes it again, for ever (5.2 stops) |
    ///
    /// Measured with Celery and kombu 5.7.0, 5.2.7 and 5.2.4; 4.4 asks for the same parts. Missing may
    /// be `correlation_id`, `reply_to`, `delivery_mode`, `priority`,
    /// `content-encoding`, and of the headers all but `task` and `id`.
    ///
    /// ## What shows it
    /// The part is not in the message. A warning while the message waits; an error
    /// where it is gone and no run of it was seen, nor a result. A message that was
    /// never seen is told of too, where all that were seen of its producer lack
    /// such a part.
    ///
    /// ## How to fix it
    /// Write the message as Celery does:
    ///
    /// ```json
    /// {
    ///   "body": "<base64 of [args, kwargs, {}]>",
    ///   "content-type": "application/json", "content-encoding": "utf-8",
    ///   "headers": {"lang": "js", "task": "resize", "id": "<uuid>", "traceparent": "00-…"},
    ///   "properties": {
    ///     "body_encoding": "base64", "delivery_tag": "<another uuid>",
    ///     "delivery_info": {"exchange": "", "routing_key": "celery"}
    ///   }
    /// }
    /// ```
    ///
    /// ## What it is not
    /// A message that was run. A worker that is not Celery's own may read what
    /// Celery's cannot, so this is never certain before the message is lost.
    pub static UNREADABLE_MESSAGE = {
        code: "TL209",
        slug: "unreadable-message",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the message lacks a part without which Celery's worker cannot take it",
        fixes: || envelope::with(Part::ALL.into_iter().collect(), &SdkSetup::default()),
        check: Handoff(check),
    }
}

const LOST: &str =
    "the message lacks {missing}: Celery's worker took it from its queue, could not read it, and it is lost";
const WILL_BE_LOST: &str = "the message lacks {missing}: the Celery worker that takes it will fail on it, and the message will be lost";
const WILL_STOP: &str = "the message lacks {missing}: each Celery worker that takes it fails on it, puts it back, and takes nothing else";

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    // Something has read it: whatever ran it, or a hand-made root that may be its run.
    let was_read = handoff.was_run() || handoff.result.is_some() || !handoff.candidate_runs.is_empty();
    if was_read {
        return Judgment::Clean;
    }
    let Some(message) = handoff.message() else { return never_seen(handoff, known) };
    let Some(first) = message.missing.iter().next() else { return Judgment::Clean };
    let at = quote::place(message);
    let found = message.missing.iter().fold(Occurrence::likely().about(handoff), |found, part| {
        // Where the part would be: a place that exists.
        let (parent, name) = part.path().rsplit_once('.').unwrap_or(("", part.path()));
        let parent = if parent.is_empty() { at.clone() } else { format!("{at}.{parent}") };
        found.quote(quote::fact(parent, format!("no {name}")))
    });
    let found = found
        .variant(variant(message.missing))
        .mend(envelope::with(message.missing, &SdkSetup::of_producer(handoff)));
    if handoff.presence == Presence::Gone {
        if known.is_live && known.now.since(last_seen(handoff)) < known.evidence.settling_time() {
            return Judgment::Wait;
        }
        return found
            .says_with(LOST, [(key::MISSING, first.path())])
            .quote(quote::fact("broker", "the message was in the queue, and at a later look it was gone"))
            .unless(
                slug::WORKER_SILENT,
                "a worker in another language may read such a message: then it ran, and sent no span",
            )
            .needs("the worker's log: `Connection to broker lost` or `Can't decode message body`")
            .into();
    }
    found
        .severity(Severity::Warning)
        .says_with(
            if first.loses_the_message() { WILL_BE_LOST } else { WILL_STOP },
            [(key::MISSING, first.path())],
        )
        .needs("the worker's language: one that is not Celery's own may read such a message")
        .into()
}

/// For a message that was taken before a look saw it, if no message of its producer that
/// was seen can be read.
fn never_seen(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(producer) = handoff.producer.filter(|_| handoff.presence == Presence::Gone) else {
        return Judgment::Clean;
    };
    let Some(missing) = known.flow().always_lacks(producer.span.service()) else { return Judgment::Clean };
    let Some(first) = missing.iter().next() else { return Judgment::Clean };
    Occurrence::likely()
        .about(handoff)
        .variant(variant(missing))
        .says_with(LOST, [(key::MISSING, first.path())])
        .quote(quote::span(producer))
        .quote(quote::fact(
            format!("messages of {}", producer.span.service()),
            format!("each that was seen lacks {}", first.path()),
        ))
        .unless(
            slug::WORKER_SILENT,
            "a worker in another language may read such a message: then it ran, and sent no span",
        )
        .needs(tracelink::to_see_the_message(known))
        .mend(envelope::with(missing, &SdkSetup::of(&producer.span.process)))
        .into()
}

fn last_seen(handoff: &Handoff<'_>) -> Timestamp {
    handoff.delivery.map(|delivery| delivery.last().at).unwrap_or_default()
}

/// By the missing part that the worker asks for first: it fails on that one.
fn variant(missing: MissingParts) -> String {
    let first = missing.iter().next().map_or("", |part| part.path());
    first.rsplit('.').next().unwrap_or(first).replace('_', "-")
}
