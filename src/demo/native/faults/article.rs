//! The "common issues" of the article that this began with, by what it says of them.

use super::hand_made::{KEY, by_hand, hand};
use crate::demo::native::fault::Fault;
use crate::demo::native::setup::{Form, HandMade, Propagator, Reader, Reads, Source};

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "article-propagators-differ",
        what: "\"Spans appear but Celery tasks are orphaned\": the propagators of the two sides differ",
        seen: "two traces: the request with its publishing, and the task as a root",
        expects: Some("propagator-mismatch"),
        also: &[],
        change: |scenario| {
            scenario.api_sdk.propagators = vec![Propagator::B3Multi];
            scenario.worker_sdk.propagators = vec![Propagator::W3c];
        },
    },
    Fault {
        slug: "article-two-consumer-spans",
        what: "\"CeleryInstrumentor creates duplicate spans\": it stands beside the hand-made span",
        seen: "one trace, in which every task stands twice",
        expects: Some("duplicate-consumer-spans"),
        also: &[],
        change: |scenario| {
            scenario.api.by_hand =
                Some(HandMade { source: Source::Current, form: Form::Json(KEY.to_owned()) });
            scenario.worker.by_hand =
                Some(Reader { reads: Reads::Json(KEY.to_owned()), drops_context: false, leaks: false });
        },
    },
    Fault {
        slug: "article-empty-context",
        what: "\"Trace context arrives empty in the worker\": it was injected where no span was current",
        seen: "two traces: the request, and the task as a root",
        expects: Some("empty-carrier"),
        also: &[],
        change: |scenario| {
            by_hand(scenario);
            hand(scenario, Source::Nothing, Form::Json(KEY.to_owned()));
        },
    },
    Fault {
        slug: "article-wrong-header-key",
        what: "\"Worker spans show a different trace ID\": the header's key is another one",
        seen: "two traces: the request, and the task as a root",
        expects: Some("carrier-key-mismatch"),
        also: &[],
        change: |scenario| {
            by_hand(scenario);
            hand(scenario, Source::Current, Form::Json("tracecontext".to_owned()));
        },
    },
];
