//! Which figures there are, and their names: <https://prometheus.io/docs/practices/naming/>.

use std::time::Duration;

use super::exposition::{Exposition, Kind, Syntax};
use crate::diagnosis::{HandoffCounts, Waits};
use crate::model::{Severity, SpanAccount};

/// The figures at one moment.
#[derive(Clone, Default, Debug)]
pub struct Figures {
    pub handoffs: HandoffCounts,
    pub findings: Vec<OpenFinding>,
    pub spans: SpanAccount,
    /// Traces that are held.
    pub traces: u64,
    /// Requests to the receiver, by how they ended.
    pub requests: Vec<(&'static str, u64)>,
    /// What was let go or did not get through, by what it is.
    pub losses: Vec<(&'static str, u64)>,
    /// How far the store that is watched was last asked for; `None` without one.
    pub store_lag: Option<Duration>,
}

/// A finding that holds now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OpenFinding {
    pub slug: &'static str,
    pub code: &'static str,
    pub severity: Severity,
}

impl Figures {
    /// All families as text.
    pub fn written(&self, syntax: Syntax) -> String {
        let mut to = Exposition::new(syntax);
        to.family("tracelink_build_info", Kind::Gauge, "The version of tracelink; always 1.");
        to.figure("tracelink_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.handoffs(&mut to);
        self.waits(&mut to);
        self.findings(&mut to);
        self.received(&mut to);
        if let Some(lag) = self.store_lag {
            let help = "How long ago the store was asked for what it has last answered.";
            to.family("tracelink_store_lag_seconds", Kind::Gauge, help);
            to.figure("tracelink_store_lag_seconds", &[], lag.as_secs_f64());
        }
        to.end()
    }

    fn handoffs(&self, to: &mut Exposition) {
        let help = format!(
            "Hand-offs of tasks by what was said of them when they were judged first. Tasks beyond the \
             first {} names are one: {}.",
            HandoffCounts::TASKS,
            HandoffCounts::OTHER
        );
        to.family("tracelink_handoffs", Kind::Counter, &help);
        for (outcome, count) in self.handoffs.outcomes() {
            let labels = [("task", &*outcome.task), ("verdict", outcome.verdict), ("slug", outcome.slug)];
            to.figure("tracelink_handoffs_total", &labels, count);
        }
    }

    fn waits(&self, to: &mut Exposition) {
        const NAME: &str = "tracelink_queue_wait_seconds";
        let help =
            "From the end of the PRODUCER span to the start of the run, of hand-offs of which both came.";
        to.family(NAME, Kind::Histogram, help);
        for (task, waits) in self.handoffs.waits() {
            let mut so_far = 0;
            for (bound, count) in Waits::BOUNDS.iter().zip(waits.by_bound) {
                so_far += count;
                let bound = format!("{bound:?}");
                to.figure("tracelink_queue_wait_seconds_bucket", &[("task", task), ("le", &bound)], so_far);
            }
            to.figure("tracelink_queue_wait_seconds_bucket", &[("task", task), ("le", "+Inf")], waits.count);
            to.figure("tracelink_queue_wait_seconds_sum", &[("task", task)], waits.seconds);
            to.figure("tracelink_queue_wait_seconds_count", &[("task", task)], waits.count);
        }
    }

    fn findings(&self, to: &mut Exposition) {
        to.family(
            "tracelink_findings",
            Kind::Gauge,
            "Findings that hold now, without those that are ignored.",
        );
        let mut findings = self.findings.clone();
        findings.sort_unstable();
        for same in findings.chunk_by(|one, other| one == other) {
            let OpenFinding { slug, code, severity } = same[0];
            let labels = [("slug", slug), ("code", code), ("severity", severity.label())];
            to.figure("tracelink_findings", &labels, same.len());
        }
    }

    fn received(&self, to: &mut Exposition) {
        let SpanAccount { received, held, evicted, rejected, duplicates } = self.spans;
        let counters = [
            ("tracelink_spans_received", "Spans that came.", received),
            ("tracelink_spans_evicted", "Spans that were let go because memory was short.", evicted),
            ("tracelink_spans_rejected", "Spans that were refused because of an invalid id.", rejected),
            ("tracelink_spans_duplicate", "Spans whose id had come before.", duplicates),
        ];
        for (name, help, count) in counters {
            to.family(name, Kind::Counter, help);
            to.figure(&format!("{name}_total"), &[], count);
        }
        for (name, help, count) in [
            ("tracelink_spans_held", "Spans in memory.", held),
            ("tracelink_traces_held", "Traces in memory.", self.traces),
        ] {
            to.family(name, Kind::Gauge, help);
            to.figure(name, &[], count);
        }
        let help =
            "Requests to the receiver by how they ended; all but the accepted were refused or cut short.";
        to.family("tracelink_requests", Kind::Counter, help);
        for (outcome, count) in &self.requests {
            to.figure("tracelink_requests_total", &[("outcome", outcome)], count);
        }
        let help = "What was let go, left out or did not get through, by what it is.";
        to.family("tracelink_losses", Kind::Counter, help);
        for (what, count) in &self.losses {
            to.figure("tracelink_losses_total", &[("what", what)], count);
        }
    }
}
