//! `OTEL_PROPAGATORS`: in which formats a process writes and reads contexts. In
//! the environment, of whichever side is named.

use std::collections::BTreeSet;

use super::setting_fix::{SettingFix, Way};
use crate::diagnosis::known::SdkSetup;
use crate::model::{ContextFormat, Fix, FixPlace, Side, Text};

/// Mends TL113, and TL102 where the propagators may be the cause: the default of
/// OpenTelemetry, where the process that publishes makes the setting.
pub fn write_the_trace(producer: &SdkSetup) -> Vec<Fix> {
    let ways = SettingFix {
        does: "let the propagators write the trace",
        place: FixPlace::Propagators,
        python: composite(std::iter::empty()),
        environment: vec!["OTEL_PROPAGATORS=tracecontext,baggage".into()],
        installs: Vec::new(),
    };
    ways.by(&[(Side::Producer, producer)])
}

/// Mends TL201 where half of an id is written, TL206 under instrumentors, and TL301:
/// every format that the producer writes is read, and written, on both sides. Where it is not known which format that is, the default of OpenTelemetry.
pub fn same_on_both_sides(
    formats: &BTreeSet<ContextFormat>,
    producer: &SdkSetup,
    worker: &SdkSetup,
) -> Vec<Fix> {
    all_of("set the same propagators on both sides", formats)
        .by(&[(Side::Producer, producer), (Side::Worker, worker)])
}

/// Mends TL308 where a propagator makes the parent up: those of OpenTelemetry, in the
/// worker.
pub fn in_the_worker(formats: &BTreeSet<ContextFormat>, worker: &SdkSetup) -> Vec<Fix> {
    all_of("set OpenTelemetry's propagators in the worker", formats).by(&[(Side::Worker, worker)])
}

/// Mends TL304 where the worker's propagators lack the format of the message.
pub fn read_what_is_written(format: ContextFormat, worker: &SdkSetup) -> Vec<Fix> {
    let ways = all_of("read what is written in the worker", &BTreeSet::from([format]));
    let lacking = |fix: Fix| fix.needing("the worker's propagators lack the format of the message");
    ways.by(&[(Side::Worker, worker)]).into_iter().map(lacking).collect()
}

/// W3C, its baggage and these formats besides.
fn all_of<'w>(does: &'w str, formats: &BTreeSet<ContextFormat>) -> SettingFix<'w> {
    let others = || formats.iter().copied().filter(|format| *format != ContextFormat::W3c);
    let named: BTreeSet<_> = others().filter_map(ContextFormat::propagator).collect();
    let listed: Vec<_> = ["tracecontext", "baggage"].into_iter().chain(named).collect();
    let packages: BTreeSet<_> = others().filter_map(ContextFormat::package).collect();
    SettingFix {
        does,
        place: FixPlace::Propagators,
        python: composite(others()),
        environment: vec![format!("OTEL_PROPAGATORS={}", listed.join(",")).into()],
        installs: packages.into_iter().map(Into::into).collect(),
    }
}

/// Sets W3C, its baggage and further formats as the global propagator.
fn composite(others: impl Iterator<Item = ContextFormat>) -> Vec<Text> {
    let (modules, classes): (Vec<_>, Vec<_>) = others.filter_map(class).unzip();
    let imports = modules.iter().zip(&classes).map(|(module, class)| format!("from {module} import {class}"));
    let made = ["TraceContextTextMapPropagator", "W3CBaggagePropagator"].iter().chain(&classes);
    let made: Vec<_> = made.map(|class| format!("    {class}(),")).collect();
    let first = [
        "from opentelemetry.baggage.propagation import W3CBaggagePropagator",
        "from opentelemetry.propagate import set_global_textmap",
        "from opentelemetry.propagators.composite import CompositePropagator",
        "from opentelemetry.trace.propagation.tracecontext import (",
        "    TraceContextTextMapPropagator,",
        ")",
    ];
    let first = first.into_iter().map(Text::from).chain(imports.map(Text::from));
    let set = std::iter::once("set_global_textmap(CompositePropagator([".into());
    first.chain(set).chain(made.into_iter().map(Text::from)).chain(["]))".into()]).collect()
}

/// The module and the name of a propagator's class in Python.
const fn class(format: ContextFormat) -> Option<(&'static str, &'static str)> {
    match format {
        ContextFormat::B3 => Some(("opentelemetry.propagators.b3", "B3SingleFormat")),
        ContextFormat::B3Multi => Some(("opentelemetry.propagators.b3", "B3MultiFormat")),
        ContextFormat::Jaeger => Some(("opentelemetry.propagators.jaeger", "JaegerPropagator")),
        ContextFormat::OtTrace => Some(("opentelemetry.propagators.ot_trace", "OTTracePropagator")),
        ContextFormat::XRay => Some(("opentelemetry.propagators.aws", "AwsXRayPropagator")),
        ContextFormat::W3c
        | ContextFormat::Datadog
        | ContextFormat::Sentry
        | ContextFormat::Elastic
        | ContextFormat::Ids => None,
    }
}

/// Mends TL301 where a distribution keeps the worker from following what comes. Logfire
/// wraps the propagator that is set when it is configured; one that is set later is as
/// it is. Of other distributions the switch is not known.
pub fn of_distribution(name: &str, formats: &BTreeSet<ContextFormat>, worker: &SdkSetup) -> Vec<Fix> {
    if name != "logfire" {
        let told =
            "where a distribution of OpenTelemetry sets the propagators by itself, its own switch decides";
        return all_of("read what is written in the worker", formats)
            .by(&[(Side::Worker, worker)])
            .into_iter()
            .map(|fix| fix.needing(told))
            .collect();
    }
    let ways = all_of("follow the context in the worker, whatever logfire was told", formats);
    let title = "let logfire follow the context";
    vec![
        ways.fix(&[Way { side: Side::Worker, is_in_environment: false, is_python: true }]).needing(
            "the lines go after logfire.configure(); distributed_tracing=True in its call does the same",
        ),
        Fix::new(format!("{title}, by environment"))
            .environment(Side::Worker, ["LOGFIRE_DISTRIBUTED_TRACING=true"])
            .needing("no call of logfire.configure() says distributed_tracing=False: code wins"),
        Fix::new(format!("{title}, in its own call"))
            .by_hand(Side::Worker, "call logfire.configure() with distributed_tracing=True"),
    ]
}

/// Mends TL801: the trace is written as it is now, and no baggage.
pub fn without_baggage(formats: &BTreeSet<ContextFormat>, producer: &SdkSetup) -> Vec<Fix> {
    let mut ways = all_of("write no baggage", formats);
    let is_baggage = |line: &Text| line.contains("W3CBaggagePropagator");
    ways.python.retain(|line| !is_baggage(line));
    for line in &mut ways.environment {
        *line = line.replace(",baggage", "").into();
    }
    let lost = "nothing behind this process reads its baggage any more: tasks, services that it calls, span processors that copy baggage into attributes";
    ways.by(&[(Side::Producer, producer)]).into_iter().map(|fix| fix.needing(lost)).collect()
}

/// Mends TL206 where OpenTelemetry has a propagator for the vendor's format: in the
/// worker.
pub fn read_vendor(format: ContextFormat, worker: &SdkSetup) -> Vec<Fix> {
    all_of("read the vendor's context in the worker", &BTreeSet::from([format])).by(&[(Side::Worker, worker)])
}
