//! Where in the message the context lies, and in which form: where it is published.

use super::carrier_shape::CarrierShape;
use super::injection::by_signal;
use super::task_context;
use crate::diagnosis::known::{Reader, Sides};
use crate::model::{CarriedContext, ContextFormat, Fix, FixPlace, Language, Side, Text};

/// What a hand-made context is wrong for, by its place: an instrumentor reads flat
/// headers, and whoever reads by hand reads what is there now.
fn shape_for(carried: &CarriedContext, sides: &Sides) -> Option<CarrierShape> {
    CarrierShape::under_its_key(carried).filter(|_| sides.reader != Reader::Instrumentor)
}

/// Mends TL201: a context that the propagator writes, in place of the malformed one.
pub fn well_formed(carried: &CarriedContext, sides: &Sides) -> Vec<Fix> {
    shape_for(carried, sides).map_or_else(|| flat(sides), |shape| under_key(&shape, sides))
}

/// Mends TL205: the carrier is encoded once, as JSON text, for a reader that calls
/// `json.loads`.
pub fn encoded_once(carried: &CarriedContext, sides: &Sides) -> Vec<Fix> {
    let Some(shape) = shape_for(carried, sides) else { return flat(sides) };
    let written = under_key(&shape.into_json(), sides);
    // A task that fails over what is there now fails over it still.
    let is_alive = sides.reader == Reader::ByHand;
    written.into_iter().chain(is_alive.then(|| flat(sides)).into_iter().flatten()).collect()
}

/// Mends TL203: the context lies in the headers too. `is_followed` says whether the
/// task takes it up from its arguments inside of an instrumentor's run: there its
/// spans belong below the run.
pub fn not_in_arguments(is_followed: bool, sides: &Sides) -> Vec<Fix> {
    let fixes = flat(sides);
    if !(is_followed && sides.reader == Reader::Instrumentor) {
        return fixes;
    }
    fixes.into_iter().map(|fix| task_context::keep_the_run(fix, &sides.worker)).collect()
}

/// Mends TL202, TL204, TL207 and TL303: the context lies flat in the headers, under the
/// names that every propagator reads. A task that reads by hand reads it there.
pub fn flat(sides: &Sides) -> Vec<Fix> {
    let read = |fix: Fix| match sides.reader {
        Reader::ByHand => task_context::read_flat(fix, &sides.worker),
        Reader::Instrumentor | Reader::Unseen => fix,
    };
    let fix = Fix::new("write the context flat into the headers, where it is published");
    match sides.producer.language.code() {
        Some(Language::Python) => {
            let at_publish = fix.python(Side::Producer, FixPlace::Publish, INJECT);
            let by_signal = Fix::new("write the context flat into each message that Celery publishes")
                .python(Side::Producer, FixPlace::BeforeApp, by_signal(&CarrierShape::Flat));
            std::iter::once(at_publish).chain(sides.is_celery.then_some(by_signal)).map(read).collect()
        }
        Some(Language::JavaScript) => {
            vec![read(in_javascript(fix, &CarrierShape::Flat))]
        }
        None => vec![read(fix.by_hand(
            Side::Producer,
            "inject the span that is current with a W3C propagator, and put its `traceparent` and `tracestate` among the headers of the message",
        ))],
    }
}

/// The context under the key that the message has, in the shape that is read there;
/// flat, where that is no key.
pub fn under_key(shape: &CarrierShape, sides: &Sides) -> Vec<Fix> {
    let (key, is_json) = match shape {
        CarrierShape::Object(key) => (key, false),
        CarrierShape::Json(key) => (key, true),
        CarrierShape::Flat | CarrierShape::Other => return flat(sides),
    };
    let fix = Fix::new("write the context of the current span under its key, as a propagator writes it");
    let fix = match sides.producer.language.code() {
        Some(Language::Python) => {
            let mut lines: Vec<Text> = Vec::new();
            lines.extend(is_json.then_some("from json import dumps as to_json".into()));
            lines.push("from opentelemetry.propagate import inject as write_context".into());
            lines.extend(["", "carrier = {}", "write_context(carrier)"].map(Text::from));
            let value = if is_json { "to_json(carrier)" } else { "carrier" };
            lines.push(format!("headers[\"{key}\"] = {value}").into());
            fix.python(Side::Producer, FixPlace::Publish, lines)
        }
        Some(Language::JavaScript) => in_javascript(fix, shape),
        None => fix.by_hand(
            Side::Producer,
            format!(
                "inject the span that is current with a W3C propagator into an empty carrier, and put it under the header {key} {}",
                if is_json { "as JSON text, encoded once" } else { "as it is" },
            ),
        ),
    };
    vec![fix]
}

/// Mends TL208: the headers of another trace go. Where none that stay are the sender's
/// own, its context is written.
pub fn one_owner(dropped: &[ContextFormat], stays: Option<ContextFormat>, sides: &Sides) -> Vec<Fix> {
    let names: Vec<_> = dropped.iter().flat_map(|format| headers_of(*format)).copied().collect();
    let listed = names.join(", ");
    let title = match stays {
        Some(own) => format!("leave the headers to {}", own.label()),
        None => "drop the headers of other traces, and write the context of the current span".to_owned(),
    };
    if sides.producer.language.code() != Some(Language::Python) {
        let what = format!(
            "let one of them write the headers: leave out {listed}, which {} of another trace",
            if names.len() == 1 { "is" } else { "are" },
        );
        return vec![Fix::new(title).by_hand(Side::Producer, what)];
    }
    let mut lines: Vec<Text> = Vec::new();
    if stays.is_none() {
        lines.extend(["from opentelemetry.propagate import inject as write_context", ""].map(Text::from));
    }
    lines.extend(names.iter().map(|name| format!("headers.pop(\"{name}\", None)").into()));
    lines.extend(stays.is_none().then_some("write_context(headers)".into()));
    vec![Fix::new(title).python(Side::Producer, FixPlace::Publish, lines)]
}

/// The headers in which a format travels, as propagators write them.
const fn headers_of(format: ContextFormat) -> &'static [&'static str] {
    match format {
        ContextFormat::W3c => &["traceparent", "tracestate"],
        ContextFormat::B3 => &["b3"],
        ContextFormat::B3Multi => {
            &["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"]
        }
        ContextFormat::Jaeger => &["uber-trace-id"],
        ContextFormat::OtTrace => &["ot-tracer-traceid", "ot-tracer-spanid", "ot-tracer-sampled"],
        ContextFormat::XRay => &["X-Amzn-Trace-Id"],
        ContextFormat::Datadog | ContextFormat::Sentry | ContextFormat::Elastic | ContextFormat::Ids => &[],
    }
}

const INJECT: [&str; 3] =
    ["from opentelemetry.propagate import inject as write_context", "", "write_context(headers)"];

/// Adds JavaScript that writes the context of the active span by the global propagator,
/// as the lines of Python do.
fn in_javascript(fix: Fix, shape: &CarrierShape) -> Fix {
    fix.javascript(Side::Producer, FixPlace::Publish, shape.javascript().unwrap_or_default())
        .installing(["@opentelemetry/api"])
        .needing("the span that publishes is the active one; in an ES module, import what is required here")
}
