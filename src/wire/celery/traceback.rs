//! What a traceback says about the code that failed. Nothing else is kept of it: its lines
//! are the application's own, and may contain its values.

use super::text::tail;
use crate::model::FailedAt;

/// How much of a traceback's end is read, in bytes: the last frames.
const READ: usize = 1024;

/// What kind of reading the last lines of a traceback show. Words of the application's
/// business prove nothing: shipping an order needs a carrier too.
pub fn failed_at(traceback: &str) -> Option<FailedAt> {
    let tail = tail(traceback, READ);
    if tail.is_empty() {
        return None;
    }
    // The frames from the last one on, without those inside a JSON parser: the code that
    // called the parser counts. Their first line names the file.
    let mut frames = tail.rsplit("File \"").filter(|frame| !is_json_parsers(frame)).map(read_in);
    let last = frames.next().unwrap_or(FailedAt::Elsewhere);
    // What a function reads headers for often shows only in its caller.
    let mut is_for_context = || frames.next() == Some(FailedAt::Context);
    Some(if last == FailedAt::Headers && is_for_context() { FailedAt::Context } else { last })
}

/// A traceback that shows the same, and nothing else.
pub const fn redacted(failed_at: FailedAt) -> &'static str {
    match failed_at {
        FailedAt::Context => "  File \"***\"\n    trace_context",
        FailedAt::Headers => "  File \"***\"\n    request.headers",
        FailedAt::Elsewhere => "  File \"***\"\n    ***",
    }
}

fn is_json_parsers(frame: &str) -> bool {
    let file = frame.split('"').next().unwrap_or_default();
    ["/json/", "\\json\\", "/simplejson/"].iter().any(|folder| file.contains(folder))
}

fn read_in(frame: &str) -> FailedAt {
    let frame = frame.to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| frame.contains(word));
    let reads_headers = holds(&["request.headers", "headers.get", "headers["]);
    let reads_context = holds(&[
        "traceparent",
        "trace_context",
        "trace-context",
        "tracecontext",
        "propagate.extract",
        "propagator",
        "/opentelemetry/propagate/",
        "/opentelemetry/trace/propagation/",
    ]);
    if reads_context || (holds(&["extract("]) && (reads_headers || holds(&["carrier"]))) {
        FailedAt::Context
    } else if reads_headers {
        FailedAt::Headers
    } else {
        FailedAt::Elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_traceback_says_the_same() {
        let context = "  File \"/srv/tasks.py\", line 9, in pay\n    ctx = self.request.headers[\"traceparent\"]\nKeyError: 'traceparent'\n";
        let by_caller = "  File \"/srv/otel.py\", line 3, in load\n    extract(carrier)\n  File \"/srv/a.py\", line 1, in get\n    headers.get(key)\n  File \"/usr/lib/json/decoder.py\", line 1\n";
        let headers = "  File \"/srv/tasks.py\", line 9, in pay\n    self.request.headers.get('tenant')\n";
        let none =
            "  File \"/srv/tasks.py\", line 9, in pay\n    charge('bob', password='4111')\nValueError: bob";
        for (traceback, expected) in [
            (context, Some(FailedAt::Context)),
            (by_caller, Some(FailedAt::Context)),
            (headers, Some(FailedAt::Headers)),
            (none, Some(FailedAt::Elsewhere)),
            ("bob", Some(FailedAt::Elsewhere)),
            ("", None),
        ] {
            let found = failed_at(traceback);
            assert_eq!(found, expected, "{traceback}");
            assert_eq!(found.map(redacted).and_then(failed_at), found);
        }
    }

    #[test]
    fn the_end_is_what_speaks() {
        let long = "  File \"/srv/a.py\", line 1\n    headers.get(key)\n".repeat(100);
        let ends = format!("{long}  File \"/srv/b.py\", line 1\n    charge()\n");
        assert_eq!(failed_at(&ends), Some(FailedAt::Elsewhere));
    }
}
