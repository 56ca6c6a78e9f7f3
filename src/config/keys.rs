//! The keys of a configuration file.

use super::values::{address, duration, memory};
use crate::broker::redis::BrokerUrl;
use crate::report::FormatName;

/// A key that stands for an option.
#[derive(Debug)]
pub struct Key {
    /// The name of the option, without its dashes.
    pub name: &'static str,
    /// What users read about it.
    pub about: &'static str,
    /// What its value must be, in words that follow "expected".
    pub expected: &'static str,
    /// The default; empty where there is none.
    pub default: &'static str,
    pub takes: Takes,
    /// The subcommands that have the option; all of them if none is listed.
    pub commands: &'static [&'static str],
    /// Whether it may hold a password.
    pub is_secret: bool,
    /// Whether a text is a valid value.
    pub check: fn(&str) -> bool,
}

/// The types that a value may have in TOML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Takes {
    Text,
    TextOrNumber,
    Number,
}

/// Every key but the two tables, `severity` and `ignore`.
pub const KEYS: &[Key] = &[
    Key {
        name: "broker",
        about: "the broker to look at, as Celery writes its URL",
        expected: "a URL such as \"redis://127.0.0.1:6379/0\", or with rediss://, redis+socket:// or sentinel://",
        default: "",
        takes: Takes::Text,
        commands: &["inspect-queue", "listen"],
        is_secret: true,
        check: is_url,
    },
    Key {
        name: "result-backend",
        about: "the result backend, where it is not the broker",
        expected: "a URL such as \"redis://127.0.0.1:6379/1\", or with rediss://, redis+socket:// or sentinel://",
        default: "",
        takes: Takes::Text,
        commands: &["inspect-queue", "listen"],
        is_secret: true,
        check: is_url,
    },
    Key {
        name: "grpc",
        about: "where `listen` takes OTLP over gRPC; with a command it takes a free port",
        expected: "a port, or an address with a port such as \"127.0.0.1:4317\"",
        default: "127.0.0.1:4317",
        takes: Takes::TextOrNumber,
        commands: &["listen"],
        is_secret: false,
        check: |text| address(text).is_ok(),
    },
    Key {
        name: "http",
        about: "where `listen` takes OTLP over HTTP; with a command it takes a free port",
        expected: "a port, or an address with a port such as \"127.0.0.1:4318\"",
        default: "127.0.0.1:4318",
        takes: Takes::TextOrNumber,
        commands: &["listen"],
        is_secret: false,
        check: |text| address(text).is_ok(),
    },
    Key {
        name: "web",
        about: "where `listen` shows its page; not with a command",
        expected: "a port, or an address with a port such as \"127.0.0.1:4319\"",
        default: "",
        takes: Takes::TextOrNumber,
        commands: &["listen"],
        is_secret: false,
        check: |text| address(text).is_ok(),
    },
    Key {
        name: "control",
        about: "where `listen` takes the requests of a script; not with a command",
        expected: "a port, or an address with a port such as \"127.0.0.1:4320\"",
        default: "",
        takes: Takes::TextOrNumber,
        commands: &["listen"],
        is_secret: false,
        check: |text| address(text).is_ok(),
    },
    Key {
        name: "metrics",
        about: "where `listen` exposes figures for Prometheus; not with a command",
        expected: "a port, or an address with a port such as \"127.0.0.1:4321\"",
        default: "",
        takes: Takes::TextOrNumber,
        commands: &["listen"],
        is_secret: false,
        check: |text| address(text).is_ok(),
    },
    Key {
        name: "settle",
        about: "how long nothing may come for a hand-off before what it lacks is absent",
        expected: "a duration such as \"6s\" or \"500ms\", or a number of seconds",
        default: "6s",
        takes: Takes::TextOrNumber,
        commands: &["listen"],
        is_secret: false,
        check: |text| duration(text).is_ok(),
    },
    Key {
        name: "max-memory",
        about: "how much memory evidence and requests may take",
        expected: "a size such as \"256MiB\", or a number of bytes; at least 16 MiB",
        default: "256MiB",
        takes: Takes::TextOrNumber,
        commands: &["listen"],
        is_secret: false,
        check: |text| memory(text).is_ok(),
    },
    Key {
        name: "expect-handoffs",
        about: "how many whole hand-offs there must be at least",
        expected: "a whole number",
        default: "",
        takes: Takes::Number,
        commands: &["listen", "diagnose"],
        is_secret: false,
        check: |text| text.parse::<u64>().is_ok(),
    },
    Key {
        name: "fail-on",
        about: "the lowest severity that makes the exit code 1",
        expected: "\"error\", \"warning\", \"note\" or \"never\"",
        default: "error",
        takes: Takes::Text,
        commands: &[],
        is_secret: false,
        check: |text| ["error", "warning", "note", "never"].contains(&text),
    },
    Key {
        name: "format",
        about: "how a report is written to standard output",
        expected: "the name of a format, such as \"human\" or \"json\"",
        default: "human",
        takes: Takes::Text,
        commands: &[],
        is_secret: false,
        check: |text| FormatName::find(text).is_some(),
    },
];

/// The table of severities by slug.
pub const SEVERITY: &str = "severity";
/// The list of what is ignored.
pub const IGNORE: &str = "ignore";

/// The keys of an entry of `ignore`, with what users are told of them.
pub const IGNORE_KEYS: &[(&str, &str)] = &[
    ("slug", "the diagnosis, by slug or code; required"),
    ("reason", "why, for readers of the report; required"),
    ("task", "only of this task, or of a list of them"),
    ("service", "only of this service, or of a list of them"),
    ("queue", "only of this queue, or of a list of them"),
    ("until", "the last day on which it holds, in UTC, such as 2027-01-31"),
];

/// The key of that name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The names that may stand at the top.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    KEYS.iter().map(|key| key.name).chain([SEVERITY, IGNORE])
}

fn is_url(text: &str) -> bool {
    BrokerUrl::parse(text).is_ok()
}
