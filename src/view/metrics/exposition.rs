//! The text in which figures are exposed: Prometheus' own
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>) and OpenMetrics 1.0
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>).
//! Here they differ in the name of a counter's family and in the last line.

use std::fmt::{Display, Write};

use crate::report::text::safe;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syntax {
    Prometheus,
    OpenMetrics,
}

impl Syntax {
    /// The one that a client asks for by `Accept`.
    pub fn accepted(accept: &str) -> Self {
        let is_open = accept.split(',').any(|kind| {
            kind.trim().split(';').next().is_some_and(|kind| kind.trim() == "application/openmetrics-text")
        });
        if is_open { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The labels of one figure. Their values may come from outside.
pub type Labels<'l> = &'l [(&'static str, &'l str)];

/// The text so far.
pub struct Exposition {
    syntax: Syntax,
    text: String,
}

impl Exposition {
    pub const fn new(syntax: Syntax) -> Self {
        Self { syntax, text: String::new() }
    }

    /// Begins a family. Its figures follow, and no other's before they are complete. A
    /// counter's name is without `_total`; its figures have it.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let total = if kind == Kind::Counter && self.syntax == Syntax::Prometheus { "_total" } else { "" };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name}{total} {help}\n# TYPE {name}{total} {kind}"));
    }

    /// A figure of the family, by its whole name.
    pub fn figure(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let mut written = String::new();
        for (label, value) in labels {
            let comma = if written.is_empty() { "" } else { "," };
            let _ = write!(written, "{comma}{label}=\"{}\"", escaped(value));
        }
        if written.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{written}}} {value}"));
        }
    }

    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "{line}");
    }

    pub fn end(mut self) -> String {
        if self.syntax == Syntax::OpenMetrics {
            self.line("# EOF");
        }
        self.text
    }
}

/// What a terminal would act on is made visible first: the text is read with `curl` too.
fn escaped(value: &str) -> String {
    safe(value).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_ask_for_open_metrics() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(Syntax::accepted(prometheus), Syntax::OpenMetrics);
        for other in ["", "*/*", "text/plain", "application/openmetrics-textual"] {
            assert_eq!(Syntax::accepted(other), Syntax::Prometheus, "{other}");
        }
    }

    #[test]
    fn labels_cannot_end_their_line() {
        let mut exposition = Exposition::new(Syntax::Prometheus);
        exposition.figure("x", &[("task", "a\"} 1\nx{task=\"b\\")], 2);
        let text = exposition.end();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("x{task=\"a\\\"} 1") && text.ends_with("\\\\\"} 2\n"), "{text}");
    }
}
