//! One vendor's context where OpenTelemetry's is wanted: by the vendor's own switch,
//! or beside it.

use super::carrier;
use super::propagators::{read_vendor, same_on_both_sides};
use super::setup::{self, Program};
use crate::diagnosis::known::{SdkSetup, Sides};
use crate::evidence::OtlpProtocol;
use crate::model::{ContextFormat, Fix, FixPlace, Language, Side, Text};

/// What OpenTelemetry was seen to do on the side that publishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Publisher {
    /// Its instrumentor of Celery made the PRODUCER span: only the propagators differ.
    Instrumented,
    /// It sends spans, and nothing of it writes into the message.
    Traced,
    Unseen,
}

/// Mends TL206. Two instrumentors that speak two formats stay as they are, and get the
/// same propagators. Where the vendor is alone, its own switch comes first.
pub fn beside(format: ContextFormat, publisher: Publisher, sides: &Sides, exports: OtlpProtocol) -> Vec<Fix> {
    let reads = format.propagator().map(|_| read_vendor(format, &sides.worker)).unwrap_or_default();
    match publisher {
        Publisher::Instrumented => {
            let formats = format.propagator().map(|_| format).into_iter().collect();
            same_on_both_sides(&formats, &sides.producer, &sides.worker)
        }
        Publisher::Traced => reads.into_iter().chain(carrier::flat(sides)).collect(),
        Publisher::Unseen => {
            let own = own_switch(format, sides).map(|fix| fix.needing(ELSEWHERE));
            reads.into_iter().chain(own).chain([set_up(&sides.producer, exports)]).collect()
        }
    }
}

const ELSEWHERE: &str =
    "the spans of the sender stay with the vendor: here the trace begins with the worker, below one of them";

/// The vendor's agent writes `traceparent` besides, or the worker reads what it writes.
fn own_switch(format: ContextFormat, sides: &Sides) -> Option<Fix> {
    let is_python = |setting: &SdkSetup| setting.language.code() == Some(Language::Python);
    match format {
        ContextFormat::Datadog if is_python(&sides.producer) => Some(
            Fix::new("let ddtrace write traceparent, flat")
                .environment(Side::Producer, ["DD_TRACE_PROPAGATION_STYLE=datadog,tracecontext"])
                .python(Side::Producer, FixPlace::BeforeApp, FLAT_OF_NESTED),
        ),
        ContextFormat::Datadog => Some(
            Fix::new("let the agent of Datadog write traceparent")
                .environment(Side::Producer, ["DD_TRACE_PROPAGATION_STYLE=datadog,tracecontext"]),
        ),
        ContextFormat::Sentry if is_python(&sides.worker) => Some(
            Fix::new("read sentry-trace in the worker")
                .python(Side::Worker, FixPlace::Propagators, SENTRY)
                .installing(["sentry-sdk[opentelemetry]"]),
        ),
        ContextFormat::Elastic if is_python(&sides.producer) => Some(
            Fix::new("write the traceparent of Elastic's transaction, flat")
                .python(Side::Producer, FixPlace::Publish, ELASTIC)
                .installing(["elastic-apm"]),
        ),
        _ => None,
    }
}

/// Ddtrace writes into `headers.headers`, where no instrumentor of OpenTelemetry looks.
const FLAT_OF_NESTED: [&str; 9] = [
    "from celery.signals import before_task_publish",
    "",
    "",
    "@before_task_publish.connect(weak=False)",
    "def lift_context(headers=None, **_):",
    "    nested = headers.get(\"headers\") or {}",
    "    for name in (\"traceparent\", \"tracestate\"):",
    "        if name in nested:",
    "            headers.setdefault(name, nested[name])",
];

/// The propagators that are set read after it: theirs is the last word.
const SENTRY: [&str; 10] = [
    "from opentelemetry.propagate import (",
    "    get_global_textmap,",
    "    set_global_textmap,",
    ")",
    "from opentelemetry.propagators.composite import CompositePropagator",
    "from sentry_sdk.integrations.opentelemetry import SentryPropagator",
    "",
    "set_global_textmap(CompositePropagator([",
    "    SentryPropagator(), get_global_textmap(),",
    "]))",
];

const ELASTIC: [&str; 5] = [
    "from elasticapm import get_trace_parent_header",
    "",
    "traceparent = get_trace_parent_header()",
    "if traceparent:",
    "    headers[\"traceparent\"] = traceparent",
];

/// OpenTelemetry beside the vendor's agent, where the task is published.
fn set_up(producer: &SdkSetup, exports: OtlpProtocol) -> Fix {
    let fix = Fix::new("set up OpenTelemetry beside it, where the task is published");
    match producer.language.code() {
        Some(Language::Python) => setup::in_code(fix, Program::Publisher, exports),
        _ => fix.by_hand(
            Side::Producer,
            Text::from(
                "set up the SDK of its language, and inject the current context into the message's headers",
            ),
        ),
    }
}
