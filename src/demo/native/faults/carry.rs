//! The context is in the message, but not in a form that can be read.

use super::hand_made::{KEY, by_hand, hand, reader};
use crate::demo::native::fault::Fault;
use crate::demo::native::setup::{Form, Propagator, Reads, Source};
use crate::demo::orders::Incoming;

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "malformed-traceparent",
        what: "the API formats the ids of its traceparent in upper case",
        seen: "two traces: the request, and the task as a root",
        expects: Some("malformed-traceparent"),
        also: &[],
        change: |scenario| hand(scenario, Source::Current, Form::UpperCase),
    },
    Fault {
        slug: "malformed-traceparent-zero",
        what: "the API formats the ids of the invalid span: all zeros",
        seen: "two traces: the request, and the task as a root",
        expects: Some("malformed-traceparent"),
        also: &[],
        change: |scenario| hand(scenario, Source::Current, Form::Zero),
    },
    Fault {
        slug: "header-name-case",
        what: "the API calls the header Traceparent",
        seen: "two traces: the request, and the task as a root",
        expects: Some("header-name-case"),
        also: &[],
        change: |scenario| hand(scenario, Source::Current, Form::Capitalised),
    },
    Fault {
        slug: "context-in-body",
        what: "the API passes its carrier as an argument of the task, the worker reads the headers",
        seen: "two traces: the request, and the task as a root",
        expects: Some("context-in-body"),
        also: &[],
        change: |scenario| {
            hand(scenario, Source::Current, Form::Kwargs(KEY.to_owned()));
            reader(scenario, Reads::Flat);
        },
    },
    Fault {
        slug: "context-in-properties",
        what: "the API calls apply_async(**carrier): the context lies in the message's properties",
        seen: "two traces: the request, and the task as a root",
        expects: Some("context-in-properties"),
        also: &[],
        change: |scenario| {
            hand(scenario, Source::Current, Form::Properties);
            reader(scenario, Reads::Flat);
        },
    },
    Fault {
        slug: "carrier-encoding",
        what: "the API writes str(carrier) where the worker calls json.loads",
        seen: "the request alone: the task fails before its span begins",
        expects: Some("carrier-encoding"),
        also: &[],
        change: |scenario| {
            by_hand(scenario);
            hand(scenario, Source::Current, Form::Repr(KEY.to_owned()));
        },
    },
    Fault {
        slug: "carrier-encoding-object",
        what: "the API sends the carrier as a dict where the worker calls json.loads",
        seen: "the request alone: the task fails before its span begins",
        expects: Some("carrier-encoding"),
        also: &[],
        change: |scenario| {
            by_hand(scenario);
            hand(scenario, Source::Current, Form::Object(KEY.to_owned()));
        },
    },
    Fault {
        slug: "foreign-context-only",
        what: "the API is traced by Sentry alone, the worker by OpenTelemetry",
        seen: "the task as a root; the request in another product",
        expects: Some("foreign-context-only"),
        also: &[],
        change: |scenario| {
            scenario.api_sdk.sdk = false;
            scenario.api.sentry = true;
        },
    },
    Fault {
        slug: "nested-context-only",
        what: "the API sends headers={\"headers\": carrier}, and the worker has the instrumentor",
        seen: "two traces: the request, and the task as a root",
        expects: Some("nested-context-only"),
        also: &[],
        change: |scenario| hand(scenario, Source::Current, Form::Nested),
    },
    Fault {
        slug: "conflicting-contexts",
        what: "the API forwards the caller's b3 header beside its own traceparent, and the worker reads both",
        seen: "the request with its publishing; the task in the trace of somebody else",
        expects: Some("conflicting-contexts"),
        also: &[],
        change: |scenario| {
            scenario.api.copies = vec!["b3".to_owned()];
            scenario.order.incoming = Incoming::B3;
            scenario.worker_sdk.propagators = vec![Propagator::W3c, Propagator::Baggage, Propagator::B3];
        },
    },
];
