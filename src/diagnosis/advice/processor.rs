//! What stands between a span and its exporter: the provider with its span
//! processors, which hold spans, drop some, and flush.

use super::export::{self, ExportTarget, Exporter};
use super::plain_name::plain_name;
use super::setup;
use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// Mends TL504: one provider with one processor, as this service is set up.
pub fn one_exporter(receiver: ExportTarget<'_>, side: Side, service: &SdkSetup) -> Vec<Fix> {
    match service.language.code() {
        Some(Language::Python) if service.is_zero_code == Some(true) => vec![
            Fix::new("let the program's own code export").environment(side, ["OTEL_TRACES_EXPORTER=none"]).needing(
                "the program adds a span processor to the provider that opentelemetry-instrument made",
            ),
            Fix::new("export once").environment(side, ["OTEL_TRACES_EXPORTER=otlp"]).needing(
                "no code of the program adds a span processor, and the variable names two exporters",
            ),
        ],
        Some(Language::Python) => vec![anew("export once", Exporter::as_others(receiver), side, "BatchSpanProcessor", &[])],
        _ => vec![Fix::new("export once").by_hand(
            side,
            "look for a second exporter or span processor, and for a launcher around a program that sets up the SDK itself: keep one of them",
        )],
    }
}

/// The provider made anew, with one processor that takes these arguments.
fn anew(
    does: &'static str,
    exporter: Exporter<'_>,
    side: Side,
    processor: &'static str,
    arguments: &[&str],
) -> Fix {
    let imports: [Text; 3] = [
        exporter.import().into(),
        "from opentelemetry.sdk.trace import TracerProvider".into(),
        format!("from opentelemetry.sdk.trace.export import {processor}").into(),
    ];
    let provider = [
        "provider = TracerProvider(",
        "    resource=provider.resource,",
        "    sampler=provider.sampler,",
        ")",
    ];
    let added: Vec<Text> = if arguments.is_empty() {
        vec![format!("provider.add_span_processor({processor}(exporter))").into()]
    } else {
        let called = format!("    {processor}(").into();
        let head = ["provider.add_span_processor(".into(), called, "        exporter,".into()];
        let arguments = arguments.iter().map(|argument| format!("        {argument},").into());
        head.into_iter().chain(arguments).chain(["    )".into(), ")".into()]).collect()
    };
    let lines = imports.into_iter().chain(exporter.made());
    let lines = lines.chain(provider.map(Text::from)).chain(added);
    let fix = Fix::new(does).python(side, FixPlace::SetProvider, lines).installing([exporter.package()]);
    exporter.located(fix)
}

/// Mends TL509. The environment is read by code too, where that names no size.
pub fn larger_queue(receiver: ExportTarget<'_>, side: Side, service: &SdkSetup) -> Vec<Fix> {
    let environment = Fix::new("let more spans wait to be sent, by environment")
        .environment(side, ["OTEL_BSP_MAX_QUEUE_SIZE=16384", "OTEL_BSP_SCHEDULE_DELAY=1000"]);
    let in_code = service.may_be_python_code().then(|| {
        anew(
            "let more spans wait to be sent, in code",
            Exporter::as_others(receiver),
            side,
            "BatchSpanProcessor",
            &["max_queue_size=16384", "schedule_delay_millis=1000"],
        )
        .needing("the program gives its span processor a size: else the environment is enough")
    });
    let fewer = Fix::new("make fewer spans")
        .by_hand(side, "make one span for a batch of items instead of one for each");
    std::iter::once(environment).chain(in_code).chain([fewer]).collect()
}

/// Mends TL508 where a generator of the program's own makes ids.
pub fn ids_of_the_sdk(side: Side, service: &SdkSetup) -> Vec<Fix> {
    let generator = (service.language.code() == Some(Language::Python)).then(|| {
        Fix::new("let the SDK make the ids")
            .python(
                side,
                FixPlace::Provider,
                [
                    "from opentelemetry.sdk.trace import TracerProvider",
                    "from opentelemetry.sdk.trace.id_generator import RandomIdGenerator",
                    "provider = TracerProvider(",
                    "    resource=provider.resource,",
                    "    sampler=provider.sampler,",
                    "    id_generator=RandomIdGenerator(),",
                    ")",
                ],
            )
            .needing("the program has an `id_generator=` of its own")
    });
    std::iter::once(update(side)).chain(generator).collect()
}

/// Mends TL508 otherwise.
pub fn valid_spans(side: Side) -> [Fix; 1] {
    [update(side)]
}

fn update(side: Side) -> Fix {
    Fix::new("send valid spans").by_hand(
        side,
        "take out what sets ids or times by hand, in the program or in a processor on the way; where nothing does, update the SDK and the exporter",
    )
}

/// Mends TL501 and TL503: a child of the pool ends without what Python does at exit.
pub fn flush_at_exit() -> Fix {
    let imports =
        ["from celery.signals import worker_process_shutdown", "from opentelemetry import trace", "", ""];
    Fix::new("send what a child of the pool holds when it ends").python(
        Side::Worker,
        FixPlace::WorkerModule,
        imports.into_iter().chain(setup::STOP),
    )
}

/// Mends TL502 where nothing came of the process that publishes. `is_short` says that
/// it looks like a script, which most likely ended with what it held.
pub fn publisher_sends(receiver: ExportTarget<'_>, publisher: &SdkSetup, is_short: bool) -> Vec<Fix> {
    let elsewhere = export::to_the_receiver(receiver, Side::Producer, publisher);
    let mut fixes = at_once(receiver, publisher);
    let place = usize::from(is_short && publisher.may_be_python_code());
    fixes.splice(place..place, elsewhere);
    fixes
}

/// Mends TL502 where its exporter works: it ended, or was forked, with spans that
/// waited to be sent.
pub fn at_once(receiver: ExportTarget<'_>, publisher: &SdkSetup) -> Vec<Fix> {
    let in_code = publisher.may_be_python_code().then(|| {
        let exporter = Exporter::without_threads(receiver);
        anew("send each span when it ends", exporter, Side::Producer, "SimpleSpanProcessor", &[])
            .needing("the process is short, is killed, or forks after it has made its provider")
    });
    let forked = Fix::new("make the provider after the fork").by_hand(
        Side::Producer,
        "set OpenTelemetry up in gunicorn's `post_fork`, or below uwsgi's `@postfork` with `enable-threads`: a thread that exports is not forked",
    );
    in_code.into_iter().chain([forked]).collect()
}

/// Mends TL501 where a process of the worker was killed with the spans that it held: what
/// is held for a shorter time is less.
pub fn sooner(receiver: ExportTarget<'_>, worker: &SdkSetup) -> Vec<Fix> {
    let by_environment = Fix::new("hold spans for a tenth of a second, by environment")
        .environment(Side::Worker, ["OTEL_BSP_SCHEDULE_DELAY=100"])
        .needing("the program gives its span processor no delay of its own");
    let in_code = worker.may_be_python_code().then(|| {
        let exporter = Exporter::without_threads(receiver);
        anew("send each span of the worker when it ends", exporter, Side::Worker, "SimpleSpanProcessor", &[])
    });
    std::iter::once(by_environment).chain(in_code).collect()
}

/// Mends TL502 where other spans of the same sender came.
pub fn without_a_filter(receiver: ExportTarget<'_>, sender: &SdkSetup) -> Vec<Fix> {
    let unfiltered = sender.may_be_python_code().then(|| {
        let exporter = Exporter::as_others(receiver);
        anew("export without a filter", exporter, Side::Producer, "BatchSpanProcessor", &[])
            .needing("a span processor or an exporter of the program drops spans: this one takes its place")
    });
    let collectors = Fix::new("let a collector pass these spans").by_hand(
        Side::Producer,
        "where a collector stands between, look for its `filter` and its `tail_sampling` processor",
    );
    let queue = larger_queue(receiver, Side::Producer, sender).into_iter().take(1);
    let queue = queue.map(|fix| fix.needing("no filter drops them: the queue was full, which the SDK logs"));
    unfiltered.into_iter().chain([collectors]).chain(queue).collect()
}

/// Mends TL502 where a vendor's agent wrote the context.
pub fn one_tracer() -> [Fix; 1] {
    [Fix::new("let one tracer serve both sides").by_hand(
        Side::Producer,
        "the agent that wrote the context sends its spans to its vendor: set OpenTelemetry up in its place, or let the worker's spans go to that vendor too",
    )]
}

/// Mends TL503: `task` is that of the run, where it is one, and `is_run` tells whether
/// the span that is missing is the run's own.
pub fn ended(task: Option<&str>, is_run: bool, setting: &SdkSetup) -> Vec<Fix> {
    let task = task.filter(|_| setting.language.code() == Some(Language::Python));
    let Some(task) = task.map(|task| plain_name(task, b"-_./: ", "task")) else {
        let what = "open it so that the end of its block ends it, or end it in a `finally`";
        return vec![Fix::new("end each span that is started by hand").by_hand(Side::Both, what)];
    };
    let opens = if is_run {
        vec![
            "from opentelemetry import trace".to_owned(),
            "consumer = trace.SpanKind.CONSUMER".to_owned(),
            format!("with tracer.start_as_current_span(\"{task}\", context=ctx, kind=consumer) as span:"),
        ]
    } else {
        vec![format!("with tracer.start_as_current_span(\"{task}\") as span:")]
    };
    let ends = Fix::new("open the span so that it ends by itself");
    let flushed = flush_at_exit().needing("the span ended, and its process right after it");
    vec![ends.python(Side::Worker, FixPlace::TaskSpan, opens), flushed]
}

/// Mends TL503 where a publish that failed left its span current.
pub fn publish_in_its_own_context(publisher: &SdkSetup, side: Side) -> [Fix; 1] {
    let fix = Fix::new("publish in a context that ends with the publish");
    [match publisher.language.code() {
        Some(Language::Python) => fix.python(
            side,
            FixPlace::BeforeApp,
            [
                "from celery import Celery",
                "from opentelemetry import context",
                "",
                "send_task = Celery.send_task",
                "",
                "",
                "def send_in_its_own_context(self, *args, **options):",
                "    token = context.attach(context.get_current())",
                "    try:",
                "        return send_task(self, *args, **options)",
                "    finally:",
                "        context.detach(token)",
                "",
                "",
                "Celery.send_task = send_in_its_own_context",
            ],
        ),
        _ => fix
            .by_hand(side, "end the span of a publish that fails, and make the one before it current again"),
    }]
}
