//! `OTEL_PROPAGATORS`: in which formats a process writes and reads contexts. In
//! the environment, of whichever side is named.

use std::collections::BTreeSet;

use super::Ways;
use crate::diagnosis::known::Setting;
use crate::model::{Fix, FixPlace, Format, Side, Text};

/// Mends TL113, and TL102 where the propagators may be the cause: the default of
/// OpenTelemetry, where the process that publishes makes the setting.
pub fn write_the_trace(producer: &Setting) -> Vec<Fix> {
    let ways = Ways {
        does: "let the propagators write the trace",
        place: FixPlace::Propagators,
        python: composite(std::iter::empty()),
        environment: vec!["OTEL_PROPAGATORS=tracecontext,baggage".into()],
        installs: Vec::new(),
    };
    ways.by(&[(Side::Producer, producer)])
}

/// Mends TL206: in the worker's environment. Empty where the vendor's format has
/// no propagator.
pub fn read_vendor(format: Format) -> Vec<String> {
    let Some(propagator) = format.propagator() else { return Vec::new() };
    let read = format!(
        "OTEL_PROPAGATORS=tracecontext,baggage,{propagator}   # in the worker, and best on both sides"
    );
    let package = format.package().map(|package| format!("pip install {package}"));
    [Some(read), package].into_iter().flatten().collect()
}

/// Mends TL201 where half of an id is written, and TL301: every format that the producer writes is read, and written, on both
/// sides. Where it is not known which format that is, the default of OpenTelemetry.
pub fn same_on_both_sides(formats: &BTreeSet<Format>, producer: &Setting, worker: &Setting) -> Vec<Fix> {
    all_of("set the same propagators on both sides", formats)
        .by(&[(Side::Producer, producer), (Side::Worker, worker)])
}

/// Mends TL308 where a propagator makes the parent up: those of OpenTelemetry, in the
/// worker.
pub fn in_the_worker(formats: &BTreeSet<Format>, worker: &Setting) -> Vec<Fix> {
    all_of("set OpenTelemetry's propagators in the worker", formats).by(&[(Side::Worker, worker)])
}

/// W3C, its baggage and these formats besides.
fn all_of<'w>(does: &'w str, formats: &BTreeSet<Format>) -> Ways<'w> {
    let others = || formats.iter().copied().filter(|format| *format != Format::W3c);
    let named: BTreeSet<_> = others().filter_map(Format::propagator).collect();
    let listed: Vec<_> = ["tracecontext", "baggage"].into_iter().chain(named).collect();
    let packages: BTreeSet<_> = others().filter_map(Format::package).collect();
    Ways {
        does,
        place: FixPlace::Propagators,
        python: composite(others()),
        environment: vec![format!("OTEL_PROPAGATORS={}", listed.join(",")).into()],
        installs: packages.into_iter().map(Into::into).collect(),
    }
}

/// Sets W3C, its baggage and further formats as the global propagator.
fn composite(others: impl Iterator<Item = Format>) -> Vec<Text> {
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
const fn class(format: Format) -> Option<(&'static str, &'static str)> {
    match format {
        Format::B3 => Some(("opentelemetry.propagators.b3", "B3SingleFormat")),
        Format::B3Multi => Some(("opentelemetry.propagators.b3", "B3MultiFormat")),
        Format::Jaeger => Some(("opentelemetry.propagators.jaeger", "JaegerPropagator")),
        Format::OtTrace => Some(("opentelemetry.propagators.ot_trace", "OTTracePropagator")),
        Format::XRay => Some(("opentelemetry.propagators.aws", "AwsXRayPropagator")),
        Format::W3c | Format::Datadog | Format::Sentry | Format::Elastic | Format::Ids => None,
    }
}

/// Mends TL301 where a distribution sets the propagators: where the worker sets it
/// up.
pub const LET_A_DISTRIBUTION_FOLLOW: [&str; 1] =
    ["logfire.configure(distributed_tracing=True)   # logfire; another distribution has a switch of its own"];

/// Mends TL801: in the environment of the process that publishes.
pub const NO_BAGGAGE: [&str; 1] =
    ["OTEL_PROPAGATORS=tracecontext            # where its values are not for everyone"];
