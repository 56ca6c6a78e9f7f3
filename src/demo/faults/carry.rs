//! The context is in the message, but not in a form that can be read.

use super::hand_made::{KEY, by_hand, hand, reader};
use crate::demo::fault::Fault;
use crate::demo::play::Incoming;
use crate::demo::setup::{Form, Propagator, Reads, Source};

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "malformed-traceparent",
        what: "the API formats the ids of its traceparent in upper case",
        seen: "two traces: the request, and the task as a root",
        expects: Some("malformed-traceparent"),
        also: &[],
        change: |play| hand(play, Source::Current, Form::UpperCase),
    },
    Fault {
        slug: "malformed-traceparent-zero",
        what: "the API formats the ids of the invalid span: all zeros",
        seen: "two traces: the request, and the task as a root",
        expects: Some("malformed-traceparent"),
        also: &[],
        change: |play| hand(play, Source::Current, Form::Zero),
    },
    Fault {
        slug: "header-name-case",
        what: "the API calls the header Traceparent",
        seen: "two traces: the request, and the task as a root",
        expects: Some("header-name-case"),
        also: &[],
        change: |play| hand(play, Source::Current, Form::Capitalised),
    },
    Fault {
        slug: "context-in-body",
        what: "the API passes its carrier as an argument of the task, the worker reads the headers",
        seen: "two traces: the request, and the task as a root",
        expects: Some("context-in-body"),
        also: &[],
        change: |play| {
            hand(play, Source::Current, Form::Kwargs(KEY.to_owned()));
            reader(play, Reads::Flat);
        },
    },
    Fault {
        slug: "context-in-properties",
        what: "the API calls apply_async(**carrier): the context lies in the message's properties",
        seen: "two traces: the request, and the task as a root",
        expects: Some("context-in-properties"),
        also: &[],
        change: |play| {
            hand(play, Source::Current, Form::Properties);
            reader(play, Reads::Flat);
        },
    },
    Fault {
        slug: "carrier-encoding",
        what: "the API writes str(carrier) where the worker calls json.loads",
        seen: "the request alone: the task fails before its span begins",
        expects: Some("carrier-encoding"),
        also: &[],
        change: |play| {
            by_hand(play);
            hand(play, Source::Current, Form::Repr(KEY.to_owned()));
        },
    },
    Fault {
        slug: "carrier-encoding-object",
        what: "the API sends the carrier as a dict where the worker calls json.loads",
        seen: "the request alone: the task fails before its span begins",
        expects: Some("carrier-encoding"),
        also: &[],
        change: |play| {
            by_hand(play);
            hand(play, Source::Current, Form::Object(KEY.to_owned()));
        },
    },
    Fault {
        slug: "foreign-context-only",
        what: "the API is traced by Sentry alone, the worker by OpenTelemetry",
        seen: "the task as a root; the request in another product",
        expects: Some("foreign-context-only"),
        also: &[],
        change: |play| {
            play.api_sdk.sdk = false;
            play.api.sentry = true;
        },
    },
    Fault {
        slug: "nested-context-only",
        what: "the API sends headers={\"headers\": carrier}, and the worker has the instrumentor",
        seen: "two traces: the request, and the task as a root",
        expects: Some("nested-context-only"),
        also: &[],
        change: |play| hand(play, Source::Current, Form::Nested),
    },
    Fault {
        slug: "conflicting-contexts",
        what: "the API forwards the caller's b3 header beside its own traceparent, and the worker reads both",
        seen: "the request with its publishing; the task in the trace of somebody else",
        expects: Some("conflicting-contexts"),
        also: &[],
        change: |play| {
            play.api.copies = vec!["b3".to_owned()];
            play.incoming = Incoming::B3;
            play.worker_sdk.propagators = vec![Propagator::W3c, Propagator::Baggage, Propagator::B3];
        },
    },
];
