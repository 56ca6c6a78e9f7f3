//! Where in the message the context lies, and in which form: where it is published.

use super::injection::{Shape, by_signal};
use super::{plain, task_context};
use crate::diagnosis::known::{Reader, Sides};
use crate::model::{CarriedContext, ContextFormat, Encoding, Fix, FixPlace, Language, Place, Side, Text};

/// A carrier under a key of the application's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keyed<'m> {
    pub key: &'m str,
    /// Whether it is JSON text, and not an object.
    pub is_json: bool,
}

impl<'m> Keyed<'m> {
    /// As the message has it. `None` where its key may not stand in a line.
    pub fn of(carried: &'m CarriedContext) -> Option<Self> {
        let Place::Carrier(key) = &carried.place else { return None };
        let is_json = carried.encoding != Encoding::Object;
        Some(Self { key: plain(key, b"-_.", "").trim(), is_json }).filter(|keyed| !keyed.key.is_empty())
    }
}

/// What a hand-made context is wrong for, by its place: an instrumentor reads flat
/// headers, and whoever reads by hand reads what is there now.
fn keyed_for<'m>(carried: &'m CarriedContext, sides: &Sides) -> Option<Keyed<'m>> {
    Keyed::of(carried).filter(|_| sides.reader != Reader::Instrumentor)
}

/// Mends TL201: a context that the propagator writes, in place of the malformed one.
pub fn well_formed(carried: &CarriedContext, sides: &Sides) -> Vec<Fix> {
    keyed_for(carried, sides).map_or_else(|| flat(sides), |keyed| vec![under_key(keyed, sides)])
}

/// Mends TL205: the carrier is encoded once, as JSON text, for a reader that calls
/// `json.loads`.
pub fn encoded_once(carried: &CarriedContext, sides: &Sides) -> Vec<Fix> {
    let Some(keyed) = keyed_for(carried, sides) else { return flat(sides) };
    let first = under_key(Keyed { is_json: true, ..keyed }, sides);
    // A task that fails over what is there now fails over it still.
    let is_alive = sides.reader == Reader::ByHand;
    std::iter::once(first).chain(is_alive.then(|| flat(sides)).into_iter().flatten()).collect()
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
                .python(Side::Producer, FixPlace::BeforeApp, by_signal(&Shape::Flat));
            std::iter::once(at_publish).chain(sides.is_celery.then_some(by_signal)).map(read).collect()
        }
        Some(Language::JavaScript) => {
            vec![read(in_javascript(fix, "headers", None))]
        }
        None => vec![read(fix.by_hand(
            Side::Producer,
            "inject the span that is current with a W3C propagator, and put its `traceparent` and `tracestate` among the headers of the message",
        ))],
    }
}

/// The context under the key that the message has, in the shape that is read there.
pub fn under_key(keyed: Keyed<'_>, sides: &Sides) -> Fix {
    let Keyed { key, is_json } = keyed;
    let fix = Fix::new("write the context of the current span under its key, as a propagator writes it");
    match sides.producer.language.code() {
        Some(Language::Python) => {
            let mut lines: Vec<Text> = Vec::new();
            lines.extend(is_json.then_some("from json import dumps as to_json".into()));
            lines.push("from opentelemetry.propagate import inject as write_context".into());
            lines.extend(["", "carrier = {}", "write_context(carrier)"].map(Text::from));
            let value = if is_json { "to_json(carrier)" } else { "carrier" };
            lines.push(format!("headers[\"{key}\"] = {value}").into());
            fix.python(Side::Producer, FixPlace::Publish, lines)
        }
        Some(Language::JavaScript) => {
            let value = if is_json { "JSON.stringify(carrier)" } else { "carrier" };
            in_javascript(fix, "carrier", Some(format!("headers['{key}'] = {value};")))
        }
        None => fix.by_hand(
            Side::Producer,
            format!(
                "inject the span that is current with a W3C propagator into an empty carrier, and put it under the header {key} {}",
                if is_json { "as JSON text, encoded once" } else { "as it is" },
            ),
        ),
    }
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

/// Adds JavaScript that writes the context of the active span in W3C's format, which
/// needs no propagator that the program has registered. A block keeps its names apart.
fn in_javascript(fix: Fix, target: &str, then: Option<String>) -> Fix {
    let mut lines: Vec<Text> = vec![
        "{".into(),
        "  const { context, defaultTextMapSetter } =".into(),
        "    require('@opentelemetry/api');".into(),
        "  const { W3CTraceContextPropagator } =".into(),
        "    require('@opentelemetry/core');".into(),
    ];
    lines.extend(then.is_some().then_some("  const carrier = {};".into()));
    lines.push("  new W3CTraceContextPropagator()".into());
    lines.push(format!("    .inject(context.active(), {target}, defaultTextMapSetter);").into());
    lines.extend(then.map(|line| format!("  {line}").into()));
    lines.push("}".into());
    fix.javascript(Side::Producer, FixPlace::Publish, lines)
        .installing(["@opentelemetry/api", "@opentelemetry/core"])
        .needing("the span that publishes is the active one; in an ES module, import what is required here")
}
