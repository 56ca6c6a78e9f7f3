//! How the task takes its context up: in the worker's code.

use super::carrier;
use super::carrier_shape::CarrierShape;
use super::plain_name::plain_name;
use super::task_context::{IMPORTS, keep_the_run, lines, read_flat, reading};
use super::threads::into_threads_of_a_task;
use crate::diagnosis::known::{SdkSetup, Sides};
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// The headers of the task's message, of any Celery: before 5.3 `headers` is None, and
/// they lie in the request itself.
const HEADERS: &str = "running.request.headers or vars(running.request)";

/// Mends TL302: the task reads the key, and the shape, that the message has.
pub fn by_key(carried: Option<CarrierShape>, sides: &Sides) -> Vec<Fix> {
    let flat = carrier::flat(sides);
    let (key, is_json) = match carried {
        Some(CarrierShape::Object(key)) => (key, false),
        Some(CarrierShape::Json(key)) => (key, true),
        Some(CarrierShape::Flat | CarrierShape::Other) | None => return flat,
    };
    let fix = Fix::new("read the key that is written");
    if sides.worker.language.code() != Some(Language::Python) {
        let what = format!("extract the context from the header {key}, and open the task's span in it");
        return vec![fix.by_hand(Side::Worker, what)];
    }
    let mut code: Vec<Text> = vec![IMPORTS[0].into()];
    code.extend(is_json.then_some("from json import loads as from_json".into()));
    code.extend([IMPORTS[1], ""].map(Text::from));
    code.push(format!("carried = ({HEADERS})").into());
    code.push(format!("carried = carried.get(\"{key}\")").into());
    let read = if is_json { "from_json(carried)" } else { "carried" };
    code.push(format!("ctx = read_context({read} if carried else {{}})").into());
    std::iter::once(fix.python(Side::Worker, FixPlace::TaskContext, code)).chain(flat).collect()
}

/// Mends TL304, where the task opens its span in another context than the one it
/// read, or reads what is not there. `span` is the span's name.
pub fn use_what_was_read(span: &str, worker: &SdkSetup) -> Vec<Fix> {
    let read = "read the headers of the message, and open the task's span in that";
    if worker.language.code() != Some(Language::Python) {
        return vec![read_flat(Fix::new(read), worker)];
    }
    let span = named(span);
    let mut code = lines([
        &IMPORTS[..],
        &["from opentelemetry.trace import SpanKind as Kind", ""],
        &reading()[..],
        &["opened = tracer.start_as_current_span("],
    ]);
    code.push(format!("    \"{span}\", context=ctx, kind=Kind.CONSUMER").into());
    code.extend([")", "with opened as span:"].map(Text::from));
    let in_place = Fix::new(read).python(Side::Worker, FixPlace::TaskSpan, code);
    let rebound = read_flat(Fix::new("read the headers of the message"), worker)
        .needing("the task opens its span with context=ctx");
    vec![in_place, rebound]
}

/// Mends TL306, TL309 and TL310: the task's span nests in the run's, which is
/// current. `span` is its name.
pub fn nest_in_the_run(span: &str, worker: &SdkSetup) -> Fix {
    let fix = Fix::new("open the task's span below the run's, which is current");
    if worker.language.code() != Some(Language::Python) {
        return fix.by_hand(
            Side::Worker,
            "open the span inside of the run without a context and a kind of its own",
        );
    }
    let line = format!("with tracer.start_as_current_span(\"{}\") as span:", named(span));
    fix.python(Side::Worker, FixPlace::TaskSpan, [line])
}

/// A span's name in a line of Python.
fn named(span: &str) -> &str {
    plain_name(span, b"-_./: ", "task")
}

/// Mends TL309 where a hook of the worker's takes the context up.
pub fn attach_once(span: &str, worker: &SdkSetup) -> Vec<Fix> {
    let nested = nest_in_the_run(span, worker).needing("no task_prerun hook attaches a context");
    let hook = Fix::new("attach no context in a task_prerun hook").by_hand(
        Side::Worker,
        "take context.attach(…) out of the task_prerun hook: the instrumentor has made the run current",
    );
    vec![nested, hook]
}

/// Mends TL310: work inside the run begins below it, in a thread too. `is_threaded`
/// says whether several such spans were open at a time, as in threads.
pub fn keep_the_current_context(span: &str, is_threaded: bool, worker: &SdkSetup) -> Vec<Fix> {
    let nested = nest_in_the_run(span, worker);
    if worker.language.code() != Some(Language::Python) {
        return vec![nested];
    }
    let threads = into_threads_of_a_task();
    if is_threaded { vec![threads, nested] } else { vec![nested, threads] }
}

/// Mends TL308 where the worker's code makes the parent: inside of an instrumentor's
/// run, or in a run that it opens by hand.
pub fn no_parent_of_its_own(is_in_run: bool, worker: &SdkSetup) -> Vec<Fix> {
    let fix = if is_in_run {
        keep_the_run(Fix::new("open the span below the run's, which is current"), worker)
    } else {
        read_flat(Fix::new("take the context that the message carries, and no other"), worker)
    };
    vec![fix]
}

/// Mends TL311. What a batch's task calls its messages only its author knows.
pub fn link_the_batch() -> Vec<Fix> {
    vec![Fix::new("link the batch's span to each message").by_hand(
        Side::Worker,
        "in the task, for each request of the batch: make Link(get_current_span(propagate.extract(request.request_dict)).get_span_context()), and open a span of kind CONSUMER around the work with all of them as links=",
    )]
}

/// Mends TL307 where the task asked for headers that are not there: a context comes,
/// and none is no crash.
pub fn headers_may_be_none(sides: &Sides) -> Vec<Fix> {
    let sides = Sides { reader: crate::diagnosis::known::Reader::ByHand, ..sides.clone() };
    let guard = |fix: Fix| match sides.worker.language.code() {
        Some(Language::Python) => fix.python(Side::Worker, FixPlace::Task, NO_NONE),
        _ => fix.by_hand(Side::Worker, "read the headers only where there are any"),
    };
    carrier::flat(&sides).into_iter().map(guard).collect()
}

const NO_NONE: [&str; 4] = [
    "from celery import current_task as running",
    "",
    "if running.request.headers is None:",
    "    running.request.headers = {}",
];

/// Mends TL307 where the task could not parse its carrier.
pub fn write_what_is_parsed(carried: Option<CarrierShape>, sides: &Sides) -> Vec<Fix> {
    match carried {
        Some(shape) => carrier::under_key(&shape.into_json(), sides),
        None => vec![Fix::new("write the header that the task parses").by_hand(
            Side::Producer,
            "write json.dumps(carrier) once, under the header that the task passes to json.loads; where there is no such header, the task is to read none",
        )],
    }
}
