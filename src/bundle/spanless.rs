//! What people take for spans and is none: what it is, and what to do instead.

use std::fmt;

use memchr::memmem;

use crate::wire::otlp::{OtherSignal, api_error};

/// Something known that has no spans.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Spanless {
    /// Requests of other signals, with the number of their records.
    Signals(Vec<(OtherSignal, u64)>),
    /// A query that found nothing.
    Empty,
    /// A list of traces, without their spans.
    Search,
    /// An API says that it failed, with its message where one can be read.
    Failed(Option<Box<str>>),
    /// A page for a browser.
    Page,
    /// What a browser recorded.
    Har,
    /// The whole file is a line of text.
    Line(Box<str>),
}

impl fmt::Display for Spanless {
    /// What it contains, and how to get spans instead.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Signals(signals) => {
                let told: Vec<_> = signals.iter().map(|(signal, records)| in_words(*signal, *records)).collect();
                let told = told.join(" and ");
                return write!(formatter, "{told}, and no spans: give the file of the traces pipeline");
            }
            Self::Empty => {
                "an empty result: the query found no trace. Widen its time, or ask for the trace by its id"
            }
            Self::Search => {
                "the result of a search, which names traces and holds no spans: download each of them by its id"
            }
            Self::Failed(Some(message)) => {
                return write!(
                    formatter,
                    "an error that an API answered, and no spans: \"{message}\". Mend the query, and save its answer again"
                );
            }
            Self::Failed(None) => {
                "an error that an API answered, and no spans: its message says why. Mend the query, and save its answer again"
            }
            Self::Page => {
                "a page for a browser (HTML), as a proxy or a login answers, and no spans: ask the API itself; curl --fail says what went wrong"
            }
            Self::Har => {
                "what a browser recorded (HAR), and no spans: save the answer of the API, not the recording of the request"
            }
            Self::Line(line) => {
                return write!(
                    formatter,
                    "a line of text, and no spans: \"{line}\". If an API answered it, its address or its query is wrong"
                );
            }
        })
    }
}

/// `logs (3 records)`.
pub fn in_words(signal: OtherSignal, records: u64) -> String {
    let plural = if records == 1 { "" } else { "s" };
    format!("{} ({records} {}{plural})", signal.name(), signal.record())
}

/// How many characters of a line are told.
const TOLD: usize = 200;

/// A page, or a line of text that is the whole file.
pub fn page_or_line(text: &[u8]) -> Option<Spanless> {
    let begins_with =
        |word: &[u8]| text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    if [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].into_iter().any(begins_with) {
        return Some(Spanless::Page);
    }
    let line = std::str::from_utf8(text).ok()?.trim_end();
    let is_told = line.contains(' ') && line.chars().count() <= TOLD && !line.contains(char::is_control);
    (is_told && line.starts_with(char::is_alphanumeric)).then(|| Spanless::Line(line.into()))
}

/// An answer without a trace: a query that found nothing, or one that failed.
pub fn empty_or_failed(text: &[u8]) -> Spanless {
    let value = memmem::find(text, b"\"errors\"").map(|at| text[at + 8..].trim_ascii_start());
    let errors = value.and_then(|value| value.strip_prefix(b":")).map(<[u8]>::trim_ascii_start);
    match errors.and_then(|list| list.strip_prefix(b"[")).map(<[u8]>::trim_ascii_start) {
        Some(first) if !first.starts_with(b"]") => failed(text),
        _ => Spanless::Empty,
    }
}

/// An answer that says what went wrong.
pub fn failed(text: &[u8]) -> Spanless {
    Spanless::Failed(api_error(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_the_words_of_its_api() {
        for text in [
            r#"{"error": "trace not found"}"#,
            r#"{"error": {"httpCode": 404, "message": "trace not found"}}"#,
            r#"{"data": null, "total": 0, "errors": [{"code": 404, "msg": "trace not found"}]}"#,
        ] {
            assert_eq!(failed(text.as_bytes()), Spanless::Failed(Some("trace not found".into())), "{text}");
        }
        assert_eq!(failed(br#"{"error": {"code": 5}, "#), Spanless::Failed(None));
    }

    #[test]
    fn an_empty_answer_is_no_error() {
        assert_eq!(empty_or_failed(br#"{"data": [], "errors": null}"#), Spanless::Empty);
        assert_eq!(empty_or_failed(br#"{"data": [], "errors": []}"#), Spanless::Empty);
        assert!(matches!(empty_or_failed(br#"{"data": null, "errors": [{}]}"#), Spanless::Failed(None)));
    }

    #[test]
    fn a_line_is_told_if_it_is_the_whole_file() {
        assert_eq!(page_or_line(b"404 page not found\n"), Some(Spanless::Line("404 page not found".into())));
        for other in [&b"PK"[..], b"\x0a\x03 a b", b"two lines\nof text", br#"{"a": 1}"#] {
            assert_eq!(page_or_line(other), None);
        }
    }
}
