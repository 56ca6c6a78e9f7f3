//! Which traces a process keeps: its sampler.

use super::setting_fix::SettingFix;
use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// Mends TL401 in the process that publishes: first where it decides by itself,
/// then where it follows a caller that keeps nothing.
pub fn keep_every_trace(publisher: &SdkSetup) -> Vec<Fix> {
    let own = sampler(
        "keep every trace",
        "ParentBased(ALWAYS_ON)",
        "from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased",
        "parentbased_always_on",
    );
    let callers = sampler(
        "keep every trace, whatever its caller decided",
        "ALWAYS_ON",
        "from opentelemetry.sdk.trace.sampling import ALWAYS_ON",
        "always_on",
    );
    let sides = [(Side::Producer, publisher)];
    let of_a_caller = |fix: Fix| fix.needing("whoever calls it sends a context that is not sampled");
    own.by(&sides).into_iter().chain(callers.by(&sides).into_iter().map(of_a_caller)).collect()
}

/// Mends TL402 in the worker: what comes with a message is kept where its sender
/// kept it. Of the worker's own traces it keeps as many as before.
pub fn ask_the_parent(worker: &SdkSetup) -> Vec<Fix> {
    sampler(
        "let the worker keep what its sender kept",
        "ParentBased(provider.sampler)",
        "from opentelemetry.sdk.trace.sampling import ParentBased",
        "parentbased_traceidratio",
    )
    .by(&[(Side::Worker, worker)])
}

/// Mends TL501 where the worker keeps nothing.
pub fn keep_in_the_worker(worker: &SdkSetup) -> Vec<Fix> {
    sampler(
        "let the worker keep its traces",
        "ParentBased(ALWAYS_ON)",
        "from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased",
        "parentbased_always_on",
    )
    .by(&[(Side::Worker, worker)])
}

/// Mends TL501 where the message says nothing about sampling: a parent that is made of ids
/// alone is not sampled, so that nothing below it is kept.
pub fn sampled_parent(worker: &SdkSetup) -> Fix {
    let fix = Fix::new("give the parent that is made of the ids the flag of a sampled one");
    if worker.language.code() != Some(Language::Python) {
        return fix.by_hand(Side::Worker, "where the parent is made of the ids, say that it is sampled");
    }
    fix.python(Side::Worker, FixPlace::TaskContext, SAMPLED_PARENT)
}

/// Under names of their own: the task may use `trace` before these lines.
const SAMPLED_PARENT: [&str; 12] = [
    "from opentelemetry.trace import NonRecordingSpan as Parent",
    "from opentelemetry.trace import SpanContext as ParentContext",
    "from opentelemetry.trace import TraceFlags as ParentFlags",
    "from opentelemetry.trace import get_current_span as span_in",
    "from opentelemetry.trace import set_span_in_context as with_span",
    "",
    "named = span_in(ctx).get_span_context()",
    "ctx = with_span(Parent(ParentContext(",
    "    named.trace_id, named.span_id, is_remote=True,",
    "    trace_flags=ParentFlags(ParentFlags.SAMPLED),",
    "    trace_state=named.trace_state,",
    ")), ctx)",
];

fn sampler<'w>(does: &'w str, made: &str, import: &'static str, variable: &str) -> SettingFix<'w> {
    let python: [Text; 6] = [
        "from opentelemetry.sdk.trace import TracerProvider".into(),
        import.into(),
        "provider = TracerProvider(".into(),
        "    resource=provider.resource,".into(),
        format!("    sampler={made},").into(),
        ")".into(),
    ];
    SettingFix {
        does,
        place: FixPlace::Provider,
        python: python.into(),
        environment: vec![format!("OTEL_TRACES_SAMPLER={variable}").into()],
        installs: Vec::new(),
    }
}
