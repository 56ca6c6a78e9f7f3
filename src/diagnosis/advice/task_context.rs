//! What a task opens its span in: the lines that several fixes of a task share.

use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Language, Side, Text};

pub const IMPORTS: [&str; 2] = [
    "from celery import current_task as running",
    "from opentelemetry.propagate import extract as read_context",
];

/// Adds that the task reads flat headers, whatever it has read before.
pub fn read_flat(fix: Fix, worker: &SdkSetup) -> Fix {
    if worker.language.code() != Some(Language::Python) {
        return fix.by_hand(
            Side::Worker,
            "extract the context from the headers of the message, and open the task's span in it",
        );
    }
    fix.python(Side::Worker, FixPlace::TaskContext, lines([&IMPORTS[..], &[""], &reading()[..]]))
}

/// Adds that the task opens its span below the run's, which is current.
pub fn keep_the_run(fix: Fix, worker: &SdkSetup) -> Fix {
    if worker.language.code() != Some(Language::Python) {
        return fix.by_hand(Side::Worker, "open the task's span in the context that is current");
    }
    fix.python(Side::Worker, FixPlace::TaskContext, CURRENT)
}

const CURRENT: [&str; 3] =
    ["from opentelemetry.context import get_current as current_context", "", "ctx = current_context()"];

pub const fn reading() -> [&'static str; 3] {
    ["ctx = read_context(", "    running.request.headers or vars(running.request)", ")"]
}

pub fn lines<const N: usize>(parts: [&[&'static str]; N]) -> Vec<Text> {
    parts.into_iter().flatten().copied().map(Text::from).collect()
}
