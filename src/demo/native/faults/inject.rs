//! The producer does not hand the context over.

use super::hand_made::{KEY, by_hand, hand, reader};
use crate::demo::native::fault::Fault;
use crate::demo::native::scenario::PublishedBy;
use crate::demo::native::setup::{Email, Form, Propagator, Reads, Source};
use crate::demo::orders::Incoming;

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "producer-not-instrumented",
        what: "the API has no CeleryInstrumentor, and injects nothing by hand",
        seen: "two traces: the request, and the task as a root",
        expects: Some("producer-not-instrumented"),
        also: &[],
        change: |scenario| scenario.api.instrumentor = false,
    },
    Fault {
        slug: "producer-sdk-disabled",
        what: "the API's SDK is disabled, so that its instrumentors have nothing to inject",
        seen: "the worker's spans alone, as roots",
        expects: Some("producer-sdk-disabled"),
        also: &[],
        change: |scenario| scenario.api_sdk.sdk = false,
    },
    Fault {
        slug: "empty-carrier",
        what: "the API injects where no span is current: the carrier is an empty object",
        seen: "two traces: the request, and the task as a root",
        expects: Some("empty-carrier"),
        also: &[],
        change: |scenario| {
            by_hand(scenario);
            hand(scenario, Source::Nothing, Form::Json(KEY.to_owned()));
        },
    },
    Fault {
        slug: "context-lost-before-publish",
        what: "the API publishes in a thread, which starts without the request's context",
        seen: "two traces: the request, and the publishing with its task",
        expects: Some("context-lost-before-publish"),
        also: &[],
        change: |scenario| scenario.api.in_a_thread = true,
    },
    Fault {
        slug: "protocol-1",
        what: "the API sends message protocol 1, which has no headers to inject into",
        seen: "two traces: the request with its publishing, and the task as a root",
        expects: Some("protocol-1"),
        also: &[],
        change: |scenario| scenario.api.protocol = 1,
    },
    Fault {
        slug: "context-lost-on-retry",
        what: "a retry drops the custom headers, as Celery before 5.3 does",
        seen: "the first attempt in the trace, the second as a root of its own",
        expects: Some("context-lost-on-retry"),
        also: &[],
        change: |scenario| {
            hand(scenario, Source::Current, Form::Flat);
            reader(scenario, Reads::Flat);
            scenario.worker.email = Email::Fails(1);
            scenario.worker.retries_forget_headers = true;
        },
    },
    Fault {
        slug: "context-not-forwarded",
        what: "the task publishes another task and hands no context on",
        seen: "the order's trace whole, the receipt as a root of its own",
        expects: Some("context-not-forwarded"),
        also: &[],
        change: |scenario| {
            hand(scenario, Source::Current, Form::Flat);
            reader(scenario, Reads::Flat);
            scenario.worker.follow_up = true;
        },
    },
    Fault {
        slug: "some-producers-not-instrumented",
        what: "one of two instances of the API runs without its CeleryInstrumentor",
        seen: "some orders whole, the others in two traces",
        expects: Some("some-producers-not-instrumented"),
        also: &[],
        change: |scenario| {
            let mut old = scenario.api.clone();
            old.instrumentor = false;
            scenario.published_by = PublishedBy::TwoApis(Box::new(old));
            scenario.orders = 4;
        },
    },
    Fault {
        slug: "stale-carrier",
        what: "the API makes its carrier once, at its first request, and uses it for all",
        seen: "one trace that collects everybody's tasks, and requests that lead to none",
        expects: Some("stale-carrier"),
        also: &[],
        change: |scenario| {
            hand(scenario, Source::First, Form::Flat);
            reader(scenario, Reads::Flat);
            scenario.orders = 3;
        },
    },
    Fault {
        slug: "incoming-context-forwarded",
        what: "the API copies the caller's traceparent into the message, instead of its own context",
        seen: "the task beside the request instead of under it",
        expects: Some("incoming-context-forwarded"),
        also: &[],
        change: |scenario| {
            scenario.api.instrumentor = false;
            scenario.api.copies = vec!["traceparent".to_owned()];
            scenario.order.incoming = Incoming::TraceParent;
        },
    },
    Fault {
        slug: "producer-propagator-omits-trace",
        what: "the API runs with OTEL_PROPAGATORS=baggage",
        seen: "two traces: the request with its publishing, and the task as a root",
        expects: Some("producer-propagator-omits-trace"),
        also: &[],
        change: |scenario| scenario.api_sdk.propagators = vec![Propagator::Baggage],
    },
    Fault {
        slug: "request-not-instrumented",
        what: "the API's web framework is not instrumented: it has no SERVER span",
        seen: "the storefront's call ends at the API; saving and publishing are traces of their own",
        expects: Some("request-not-instrumented"),
        also: &[],
        change: |scenario| {
            scenario.api.serves_spans = false;
            scenario.published_by = PublishedBy::Storefront;
        },
    },
];
