//! What a diagnosis reports.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Fix, Mark, Sentence};

/// How bad it is. The worst comes first in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The trace is broken.
    Error,
    /// It is damaged, or will break.
    Warning,
    /// Worth knowing; nothing is broken.
    Note,
}

impl Severity {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// How sure we are. The surest comes first in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// No other cause can leave this evidence.
    Certain,
    /// The most likely of several causes; the others are named.
    Likely,
    /// A hint.
    Possible,
}

impl Confidence {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// The five stations that a trace passes on its way through a queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Station {
    /// The API's span is there.
    Request,
    /// The producer hands the context over.
    Inject,
    /// The message carries it in a form that can be read.
    Carry,
    /// The worker takes it up.
    Extract,
    /// The spans leave their processes.
    Export,
}

impl Station {
    pub const ALL: [Self; 5] = [Self::Request, Self::Inject, Self::Carry, Self::Extract, Self::Export];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Inject => "inject",
            Self::Carry => "carry",
            Self::Extract => "extract",
            Self::Export => "export",
        }
    }
}

/// What is known about one station of one hand-off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StationState {
    Intact,
    Broken,
    /// It should have been seen by now, but was not.
    NotSeen,
    /// This evidence cannot show it.
    #[default]
    CannotSee,
}

impl StationState {
    /// The mark by which every view shows it.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Intact => "✓",
            Self::Broken => "✗",
            Self::NotSeen => "?",
            Self::CannotSee => "·",
        }
    }
}

/// The five states of one hand-off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize)]
pub struct Stations {
    pub request: StationState,
    pub inject: StationState,
    pub carry: StationState,
    pub extract: StationState,
    pub export: StationState,
}

impl Stations {
    pub const fn get(&self, station: Station) -> StationState {
        match station {
            Station::Request => self.request,
            Station::Inject => self.inject,
            Station::Carry => self.carry,
            Station::Extract => self.extract,
            Station::Export => self.export,
        }
    }

    pub const fn set(&mut self, station: Station, state: StationState) {
        match station {
            Station::Request => self.request = state,
            Station::Inject => self.inject = state,
            Station::Carry => self.carry = state,
            Station::Extract => self.extract = state,
            Station::Export => self.export = state,
        }
    }
}

/// A quoted piece of evidence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub struct Quote {
    /// Where it was read: a JSON path in a queue (`celery[3].headers.traceparent`),
    /// a span (`span run/process_order`), a Redis key.
    pub at: String,
    /// The characters themselves, or the fact, in one line. Hostile: a report
    /// makes it safe for where it goes.
    pub text: String,
    /// The characters that are wrong, as byte ranges of `text`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// What is wrong with them, in a few words; empty if the text says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Another cause that could leave the same evidence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Alternative {
    pub slug: &'static str,
    /// Why it cannot be ruled out, and what would tell the two apart.
    pub why: String,
}

/// Whether the report given by `--baseline` has a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InBaseline {
    Known,
    New,
}

/// One cause, however many messages it affects.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    /// Stable within a run: the slug, and the variant if there is one.
    pub id: String,
    pub code: &'static str,
    pub slug: &'static str,
    /// What the fix depends on, such as `upper-case` or `b3multi-to-w3c`.
    pub variant: Option<String>,
    pub severity: Severity,
    /// Its original severity, if the configuration changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity_without_config: Option<Severity>,
    pub confidence: Confidence,
    pub station: Option<Station>,
    /// Whether an earlier report has it, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<InBaseline>,
    /// The cause, in one sentence without a full stop: `sentence` with its parts filled in.
    pub message: String,
    /// What the message is made of. In JSON its parts are `context`.
    #[serde(flatten)]
    pub sentence: Sentence,
    /// Fixes, the best first.
    pub fixes: Vec<Fix>,
    /// The lines of the first fix.
    pub fix: Vec<String>,
    /// What evidence would make it certain.
    pub needs: Vec<String>,
    /// How many hand-offs, messages, traces or spans it was seen in.
    pub count: u64,
    pub tasks: BTreeSet<String>,
    pub services: BTreeSet<String>,
    pub queues: BTreeSet<String>,
    pub origins: BTreeSet<String>,
    pub evidence: Vec<Quote>,
    /// Task ids, [`Finding::EXAMPLES`] at most.
    pub handoffs: BTreeSet<String>,
    pub alternatives: Vec<Alternative>,
}

impl Finding {
    /// How many examples a finding names.
    pub const EXAMPLES: usize = 10;

    /// The order of a report: severity; then what is about the application before what is
    /// about the run as a whole; then confidence, station (a finding without one first) and
    /// the count, most first. The id breaks ties.
    ///
    /// A finding about the run as a whole, such as too few whole hand-offs, is a
    /// consequence of what the others say, however sure it is. A cause comes before its
    /// consequence.
    pub fn rank(&self) -> impl Ord + use<'_> {
        let rank = (self.confidence, self.station, std::cmp::Reverse(self.count), self.id.as_str());
        (self.severity, self.is_about_the_run(), rank)
    }

    /// Whether it is about the run as a whole: it belongs to no station, and names nothing
    /// of the application.
    fn is_about_the_run(&self) -> bool {
        let names = [&self.tasks, &self.services, &self.queues, &self.handoffs];
        self.station.is_none() && names.into_iter().all(BTreeSet::is_empty)
    }
}
