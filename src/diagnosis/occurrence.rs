//! One time that a diagnosis found something.

use std::collections::BTreeSet;

use super::slug::Slug;
use crate::evidence::Handoff;
use crate::model::{Alternative, Confidence, Fix, Key, Quote, Sentence, Severity, Value};

/// What a diagnosis found once, before occurrences are grouped into findings.
///
/// The sentence, the fix and the alternatives depend on the variant alone, so that
/// occurrences of one variant make one finding.
#[derive(Clone, Debug)]
pub struct Occurrence {
    pub variant: Option<String>,
    /// If it differs from the diagnosis's own.
    pub severity: Option<Severity>,
    pub confidence: Confidence,
    /// If it differs from the diagnosis's summary.
    pub sentence: Option<Sentence>,
    /// Ways to mend it, the best first.
    pub fixes: Vec<Fix>,
    pub needs: Vec<String>,
    pub alternatives: Vec<Alternative>,
    pub evidence: Vec<Quote>,
    pub tasks: BTreeSet<String>,
    pub services: BTreeSet<String>,
    pub queues: BTreeSet<String>,
    pub origins: BTreeSet<String>,
    pub handoffs: BTreeSet<String>,
    /// How many messages, hand-offs, spans or requests it stands for.
    pub count: u64,
    /// Whether it predicts something that nothing shows yet. Then a later diagnosis that
    /// sees a cause speaks instead.
    pub is_prediction: bool,
}

impl Occurrence {
    pub fn new(confidence: Confidence) -> Self {
        Self {
            variant: None,
            severity: None,
            confidence,
            sentence: None,
            fixes: Vec::new(),
            needs: Vec::new(),
            alternatives: Vec::new(),
            evidence: Vec::new(),
            tasks: BTreeSet::new(),
            services: BTreeSet::new(),
            queues: BTreeSet::new(),
            origins: BTreeSet::new(),
            handoffs: BTreeSet::new(),
            count: 1,
            is_prediction: false,
        }
    }

    pub fn certain() -> Self {
        Self::new(Confidence::Certain)
    }

    pub fn likely() -> Self {
        Self::new(Confidence::Likely)
    }

    pub fn possible() -> Self {
        Self::new(Confidence::Possible)
    }

    /// What the fix depends on.
    #[must_use]
    pub fn variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = Some(variant.into());
        self
    }

    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The cause in one sentence, if the summary is too general. It takes a literal only; a
    /// sentence with variable parts needs [`Self::says_with`].
    #[must_use]
    pub fn says(mut self, text: &'static str) -> Self {
        self.sentence = Some(Sentence::plain(text));
        self
    }

    /// The same, with variable parts. Each appears in the template as its key in braces,
    /// and in the finding's context.
    #[must_use]
    pub fn says_with<V: Into<Value>>(
        mut self,
        template: &'static str,
        parts: impl IntoIterator<Item = (Key, V)>,
    ) -> Self {
        let context = parts.into_iter().map(|(key, value)| (key, value.into())).collect();
        self.sentence = Some(Sentence::new(template, context));
        self
    }

    /// Fixes from `advice`, the best first.
    #[must_use]
    pub fn mend(mut self, fixes: impl IntoIterator<Item = Fix>) -> Self {
        self.fixes.extend(fixes);
        self
    }

    /// Makes it a prediction: a note that holds if the rest is as usual, and that keeps no
    /// later diagnosis from speaking.
    #[must_use]
    pub fn predicted(mut self) -> Self {
        self.is_prediction = true;
        self.severity(Severity::Note)
    }

    /// Evidence that would make it certain.
    #[must_use]
    pub fn needs(mut self, what: impl Into<String>) -> Self {
        self.needs.push(what.into());
        self
    }

    /// Another cause that could leave this evidence.
    #[must_use]
    pub fn unless(mut self, other: Slug, why: impl Into<String>) -> Self {
        self.alternatives.push(Alternative { slug: other.name(), why: why.into() });
        self
    }

    #[must_use]
    pub fn quote(mut self, quote: impl Into<Option<Quote>>) -> Self {
        self.evidence.extend(quote.into());
        self
    }

    #[must_use]
    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.services.insert(service.into());
        self
    }

    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queues.insert(queue.into());
        self
    }

    #[must_use]
    pub fn counting(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// The same for what the run alone shows. If the run may just as well be another
    /// hand-off's, it is not said of this one.
    #[must_use]
    pub fn about_run(self, handoff: &Handoff<'_>) -> Self {
        let mut about = self.about(handoff);
        if handoff.is_ambiguous() {
            about.handoffs.clear();
        }
        about
    }

    /// Adds the task and the services of the hand-off.
    #[must_use]
    pub fn about(mut self, handoff: &Handoff<'_>) -> Self {
        self.count = handoff.alike;
        if !handoff.task.is_empty() {
            self.tasks.insert(handoff.task.to_owned());
        }
        if !handoff.task_id.is_empty() {
            self.handoffs.insert(handoff.task_id.to_owned());
        }
        if let Some(message) = handoff.message() {
            self.queues.insert(message.queue.to_string());
            self.origins.extend(message.origin.as_deref().map(str::to_owned));
        }
        let spans = handoff.producer.iter().chain(&handoff.consumers);
        self.services.extend(spans.map(|found| found.span.service().to_owned()));
        self
    }
}
