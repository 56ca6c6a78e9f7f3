//! Who makes spans, and who is to: instrumentors, and the SDK behind them.

use super::setup::{self, Program};
use super::{export, injection};
use crate::diagnosis::known::SdkSetup;
use crate::evidence::OtlpProtocol;
use crate::model::{Fix, FixPlace, Language, Side};

/// What was seen of the process that publishes without a context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublisherSeen {
    /// It sends spans, and none is of Celery's instrumentor: an SDK is there.
    SendsSpans,
    /// Some service does so, and nothing ties the message to it; or no spans at all
    /// were looked at.
    MaySendSpans,
    /// Celery's instrumentor at work in it: it passes over this message.
    Instrumented,
    /// Nothing: it may lack the SDK, the instrumentor, or both.
    Unseen,
}

const PACKAGE: [&str; 1] = ["opentelemetry-instrumentation-celery"];

const INSTRUMENT: [&str; 3] = [
    "from opentelemetry.instrumentation.celery import CeleryInstrumentor",
    "",
    "CeleryInstrumentor().instrument()",
];

/// Since this version of the SDK a program can call what the launcher does.
const CAN_LAUNCH: (u32, u32) = (1, 31);

/// Mends TL101 and TL108, and TL102 together with the SDK's switch: in the process
/// that publishes. `others` are processes that were seen, of the same application.
pub fn publisher(
    seen: PublisherSeen,
    setting: &SdkSetup,
    others: &SdkSetup,
    exports: OtlpProtocol,
) -> Vec<Fix> {
    match (setting.language.code(), seen) {
        (Some(Language::Python), PublisherSeen::SendsSpans) => vec![instrument(), injection::each_message()],
        (Some(Language::Python), PublisherSeen::MaySendSpans) => {
            let unseen = "the process that the message's origin names has no SDK of its own";
            vec![instrument(), whole_set_up(exports).needing(unseen), injection::each_message()]
        }
        (Some(Language::Python), PublisherSeen::Instrumented) => {
            vec![injection::each_message(), newer(Side::Producer)]
        }
        (Some(Language::Python), PublisherSeen::Unseen) => {
            let sdk = "that process has a tracer provider, and its spans go elsewhere";
            let launched = others.is_zero_code == Some(true);
            let launched = launched.then(|| launch(others, exports)).into_iter().flatten();
            launched.chain([whole_set_up(exports), instrument().needing(sdk)]).collect()
        }
        (_, PublisherSeen::SendsSpans | PublisherSeen::MaySendSpans | PublisherSeen::Instrumented) => {
            injection::in_own_message(setting)
        }
        (_, PublisherSeen::Unseen) => {
            vec![Fix::new("set up OpenTelemetry where the task is published").by_hand(
                Side::Producer,
                "set up the SDK of its language, and inject the current context into the message's headers",
            )]
        }
    }
}

/// Mends TL102: in the process that publishes, and its environment.
pub fn sdk_of_publisher(setting: &SdkSetup, others: &SdkSetup, exports: OtlpProtocol) -> Vec<Fix> {
    let fixes = publisher(PublisherSeen::Unseen, setting, others, exports).into_iter();
    let with_switch = |fix: Fix| {
        let is_code = fix.steps.iter().any(|step| step.place == FixPlace::BeforeApp);
        if is_code { fix.environment(Side::Producer, setup::SWITCHED_ON) } else { fix }
    };
    fixes.map(with_switch).collect()
}

fn instrument() -> Fix {
    Fix::new("instrument Celery where the task is published")
        .python(Side::Producer, FixPlace::BeforeApp, INSTRUMENT)
        .installing(PACKAGE)
}

/// Before this version the instrumentor passes over a task that its process does not
/// know, which is published by its name alone (`send_task`).
pub fn newer(side: Side) -> Fix {
    Fix::new("install an instrumentor that knows tasks by their names")
        .install(side, Language::Python, ["opentelemetry-instrumentation-celery>=0.39b0"])
        .needing("the SDK and the other instrumentors are of the same release")
}

fn whole_set_up(exports: OtlpProtocol) -> Fix {
    let fix = Fix::new("set up the SDK and Celery's instrumentor where the task is published");
    setup::in_code(fix, Program::Publisher, exports)
}

/// What reaches a process that `opentelemetry-instrument` did not: one that a
/// server spawned, or that was started without it.
fn launch(others: &SdkSetup, exports: OtlpProtocol) -> Vec<Fix> {
    let by_launcher = Fix::new("start every process under the launcher").by_hand(
        Side::Producer,
        "put opentelemetry-instrument before the command, with the OTEL_ variables of the other processes; a server that spawns its workers (uvicorn --workers) loses it on the way: let gunicorn fork them",
    );
    let in_code = Fix::new("do what the launcher does in the process that publishes")
        .python(
            Side::Producer,
            FixPlace::BeforeApp,
            [
                "from opentelemetry.instrumentation import auto_instrumentation",
                "",
                "auto_instrumentation.initialize()",
            ],
        )
        .installing(["opentelemetry-distro", export::package(exports)])
        .installing(PACKAGE);
    if others.is_older_than(CAN_LAUNCH) { Vec::new() } else { vec![in_code, by_launcher] }
}

/// Shows the scheduler that TL000 and TL108 cannot tell from another publisher: its
/// messages have a context then, of a trace that begins with them.
pub fn scheduler(exports: OtlpProtocol) -> Fix {
    let fix = Fix::new("set up the SDK and Celery's instrumentor in the scheduler, to see it too");
    setup::in_code(fix, Program::Beat, exports).needing("Celery's beat publishes the task")
}

/// Mends TL110: in the web application. Which framework it is, nothing shows.
pub fn web_framework() -> Vec<Fix> {
    let fix = |framework: &str, package: &str, lines: [&'static str; 3]| {
        Fix::new(format!("instrument {framework}"))
            .python(Side::Producer, FixPlace::AfterApp, lines)
            .installing([package.to_owned()])
            .needing(format!(
                "the service is a web application of {framework}: a script has no request to show"
            ))
    };
    vec![
        fix(
            "FastAPI",
            "opentelemetry-instrumentation-fastapi",
            [
                "from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor",
                "",
                "FastAPIInstrumentor.instrument_app(app)",
            ],
        ),
        fix(
            "Flask",
            "opentelemetry-instrumentation-flask",
            [
                "from opentelemetry.instrumentation.flask import FlaskInstrumentor",
                "",
                "FlaskInstrumentor().instrument_app(app)",
            ],
        ),
    ]
}

/// Mends TL305: in the worker, whose SDK is there. Nothing is started by it, so that it
/// need not wait for the fork of a pool's child.
pub fn worker(setting: &SdkSetup) -> Vec<Fix> {
    let fix = Fix::new("instrument Celery in the worker");
    vec![match setting.language.code() {
        Some(Language::Python) if setting.is_zero_code == Some(true) => {
            // The launcher takes what is installed, and leaves out what is named here.
            fix.install(Side::Worker, Language::Python, PACKAGE)
                .environment(Side::Worker, ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="])
                .needing("other names may stay in it; celery may not")
        }
        Some(Language::Python) => {
            fix.python(Side::Worker, FixPlace::WorkerModule, INSTRUMENT).installing(PACKAGE)
        }
        _ => fix.by_hand(
            Side::Worker,
            "extract the context from the headers of each message, and open a span of kind CONSUMER in it around the task",
        ),
    }]
}
