//! The tools, with the arguments that each takes: what a client lists, and what a call is read
//! by.

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use super::name::Name;
use super::output_schema;

/// What a tool is.
pub struct Spec {
    pub name: Name,
    title: &'static str,
    /// When an agent should call it, and what it answers.
    about: &'static str,
    pub arguments: &'static [Argument],
    /// Whether it changes nothing at all. None of them changes what an application has.
    is_read_only: bool,
    /// Whether it speaks to something on the network.
    is_open_world: bool,
}

/// An argument of a tool.
pub struct Argument {
    pub name: &'static str,
    pub takes: Takes,
    pub goes: Goes,
    about: &'static str,
    pub is_required: bool,
}

/// The type of an argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    Text,
    /// A file that is there, or will be.
    File,
    /// At least one.
    Texts,
    /// Of at least 0.
    Number,
    Flag,
}

/// Where an argument goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goes {
    /// To this option of the command.
    Option(&'static str),
    /// To what the command takes without an option.
    Words,
    /// To the tool itself.
    Tool,
}

/// What only the findings of one task are listed by.
pub const TASK: &str = "task";
/// Whether `listen_stop` ends without waiting.
pub const NOW: &str = "now";
/// What `explain` explains.
pub const NAME: &str = "name";

impl Spec {
    pub fn find(name: &str) -> Option<&'static Self> {
        TOOLS.iter().find(|tool| tool.name.label() == name)
    }

    fn tool(&self) -> Tool {
        let hints = ToolAnnotations::with_title(self.title)
            .read_only(self.is_read_only)
            .destructive(false)
            .open_world(self.is_open_world);
        Tool::new(self.name.label(), self.about, self.input_schema())
            .with_title(self.title)
            .with_annotations(hints)
            .with_raw_output_schema(output_schema::of(self.name).into())
    }

    fn input_schema(&self) -> JsonObject {
        let properties = self.arguments.iter().map(|argument| {
            let mut schema = match argument.takes {
                Takes::Text | Takes::File => json!({"type": "string"}),
                Takes::Texts => json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
                Takes::Number => json!({"type": "integer", "minimum": 0}),
                Takes::Flag => json!({"type": "boolean"}),
            };
            schema["description"] = argument.about.into();
            (argument.name.to_owned(), schema)
        });
        let required = self.arguments.iter().filter(|argument| argument.is_required);
        let required: Vec<_> = required.map(|argument| argument.name).collect();
        let schema = json!({
            "type": "object",
            "properties": properties.collect::<JsonObject>(),
            "required": required,
            "additionalProperties": false,
        });
        match schema {
            Value::Object(schema) => schema,
            _ => unreachable!("it was written as an object"),
        }
    }
}

/// The tools, as a client lists them.
pub fn all() -> Vec<Tool> {
    TOOLS.iter().map(Spec::tool).collect()
}

/// The names of the tools, for a sentence.
pub fn names() -> String {
    TOOLS.iter().map(|tool| tool.name.label()).collect::<Vec<_>>().join(", ")
}

const fn option(name: &'static str, takes: Takes, option: &'static str, about: &'static str) -> Argument {
    Argument { name, takes, goes: Goes::Option(option), about, is_required: false }
}

const ONE_TASK: Argument = Argument {
    name: TASK,
    takes: Takes::Text,
    goes: Goes::Tool,
    about: "List only the findings of this task, such as shop.process_order, and those of no task. The verdict is on everything all the same.",
    is_required: false,
};
const SELECT: Argument = option(
    "select",
    Takes::Texts,
    "--select",
    "Only these diagnoses: slugs, codes, or the beginning of codes such as TL3.",
);
const IGNORE: Argument =
    option("ignore", Takes::Texts, "--ignore", "All diagnoses but these; the answer says what was ignored.");
const KEY_PREFIX: Argument = option(
    "key_prefix",
    Takes::Text,
    "--key-prefix",
    "`global_keyprefix` of the application; found by itself if a queue is bound.",
);
const EXPECT_HANDOFFS: Argument = option(
    "expect_handoffs",
    Takes::Number,
    "--expect-handoffs",
    "How many whole hand-offs there must be: fewer are a finding.",
);
const RESULT_BACKEND: Argument = option(
    "result_backend",
    Takes::Text,
    "--result-backend",
    "URL of the result backend, if it is not the broker.",
);
const SENTINEL_MASTER: Argument =
    option("sentinel_master", Takes::Text, "--sentinel-master", "The name of Sentinel's master.");

const TOOLS: &[Spec] = &[
    Spec {
        name: Name::Diagnose,
        title: "Diagnose saved evidence",
        about: "Says from saved evidence where and why a distributed trace breaks between a web API and its \
                Celery worker, with quoted evidence and fixes to paste. Takes spans (OTLP, Jaeger, Zipkin, \
                Tempo), broker snapshots and bundles. Reads files only.",
        arguments: &[
            Argument {
                name: "evidence",
                takes: Takes::Texts,
                goes: Goes::Words,
                about: "Files, folders and patterns (`traces-*.json`), in any mix and order. Their format is told by their content.",
                is_required: true,
            },
            ONE_TASK,
            SELECT,
            IGNORE,
            option(
                "baseline",
                Takes::File,
                "--baseline",
                "An earlier report (json or jsonl): the exit code is 1 only for what it does not have.",
            ),
            EXPECT_HANDOFFS,
            option(
                "max_memory",
                Takes::Text,
                "--max-memory",
                "How much memory evidence may take, such as 512MiB. 1GiB by default.",
            ),
            KEY_PREFIX,
        ],
        is_read_only: true,
        is_open_world: false,
    },
    Spec {
        name: Name::InspectQueue,
        title: "Look into the queues",
        about: "Looks into Celery's queues in Redis, and says which waiting messages carry no trace context, a \
                broken one or a useless one. Nothing is taken, moved or written. Without `broker` it looks at \
                that of the configuration, or at redis://127.0.0.1:6379/0.",
        arguments: &[
            Argument {
                name: "queues",
                takes: Takes::Texts,
                goes: Goes::Words,
                about: "The queues to look at. All of them by default.",
                is_required: false,
            },
            option(
                "broker",
                Takes::Text,
                "--broker",
                "URL as Celery writes it: redis://, rediss://, redis+socket://, sentinel://.",
            ),
            option(
                "snapshot",
                Takes::File,
                "--snapshot",
                "A saved look (`tracelink inspect-queue --save`) to read instead of a broker.",
            ),
            option(
                "limit",
                Takes::Number,
                "--limit",
                "How many messages to read of each queue, the next ones to be consumed first. 100 by default.",
            ),
            option("all", Takes::Flag, "--all", "Read every message; not together with `limit`."),
            SELECT,
            IGNORE,
            RESULT_BACKEND,
            SENTINEL_MASTER,
            KEY_PREFIX,
        ],
        is_read_only: true,
        is_open_world: true,
    },
    Spec {
        name: Name::Explain,
        title: "Explain a diagnosis",
        about: "Says what a diagnosis means, what shows it and how to fix it. Without a name it lists them all, \
                by the station of the hand-off at which the context is lost.",
        arguments: &[Argument {
            name: NAME,
            takes: Takes::Text,
            goes: Goes::Tool,
            about: "A code such as TL301, or a slug such as propagator-mismatch.",
            is_required: false,
        }],
        is_read_only: true,
        is_open_world: false,
    },
    Spec {
        name: Name::ListenStart,
        title: "Begin to listen",
        about: "Opens a receiver of OTLP on a free port of this machine and answers with its address. Run the \
                application with the environment of the answer, let it do what breaks, then call listen_stop \
                for the verdict. One session at a time.",
        arguments: &[
            option(
                "broker",
                Takes::Text,
                "--broker",
                "URL of the broker to watch too, read-only. Without it what happens to a message in the queue is not seen.",
            ),
            option(
                "settle",
                Takes::Text,
                "--settle",
                "How long nothing may come for a hand-off before what it lacks counts as missing. 6s by default: Python's exporter holds spans for five seconds.",
            ),
            option(
                "save",
                Takes::Text,
                "--save",
                "A new folder to keep the evidence in, redacted, for diagnose.",
            ),
            option(
                "grpc",
                Takes::Text,
                "--grpc",
                "A port for OTLP over gRPC as well, or an address with a port.",
            ),
            option(
                "http",
                Takes::Text,
                "--http",
                "A port for OTLP over HTTP as well, or an address with a port.",
            ),
            option("for", Takes::Text, "--for", "End by itself after this time, such as 10m."),
            option("idle", Takes::Text, "--idle", "End by itself when nothing has come for this long."),
            EXPECT_HANDOFFS,
            SELECT,
            IGNORE,
            option(
                "max_memory",
                Takes::Text,
                "--max-memory",
                "How much memory evidence and requests may take. 256MiB by default.",
            ),
            RESULT_BACKEND,
            SENTINEL_MASTER,
            KEY_PREFIX,
        ],
        is_read_only: false,
        is_open_world: true,
    },
    Spec {
        name: Name::ListenStatus,
        title: "The verdict so far",
        about: "Says where the session listens and the verdict as of now. What has not settled is not judged yet.",
        arguments: &[ONE_TASK],
        is_read_only: true,
        is_open_world: false,
    },
    Spec {
        name: Name::ListenStop,
        title: "End listening",
        about: "Ends the session and gives its verdict. It first waits for hand-offs that are not whole yet, for \
                the settling time at most.",
        arguments: &[
            Argument {
                name: NOW,
                takes: Takes::Flag,
                goes: Goes::Tool,
                about: "Do not wait. What has not settled is not judged then.",
                is_required: false,
            },
            ONE_TASK,
        ],
        is_read_only: false,
        is_open_world: false,
    },
];
