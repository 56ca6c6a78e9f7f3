//! Groups occurrences: one finding for each cause.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnosis::occurrence::Occurrence;
use crate::diagnosis::rule::Diagnosis;
use crate::model::{Confidence, Finding, Fix, Quote, Sentence};

/// The findings so far, one for each slug and variant.
#[derive(Clone, Default, Debug)]
pub struct Findings {
    known: BTreeMap<String, Finding>,
    /// The fixes of each, by their index among the alternatives of an occurrence.
    fixes: BTreeMap<String, BTreeSet<(usize, Fix)>>,
}

impl Findings {
    /// How many names of tasks, services, queues and origins a finding lists.
    const NAMES: usize = 50;
    /// How many lines a finding lists of each kind: what would make it certain, and what
    /// else it may be. Some name a queue or a service.
    const LINES: usize = 12;
    /// How many fixes a finding has.
    const FIXES: usize = 8;
    /// How many quotes a finding shows.
    const QUOTES: usize = 6;

    /// The id of a finding: stable within a run, and readable.
    pub fn id(diagnosis: &Diagnosis, variant: Option<&str>) -> String {
        match variant {
            Some(variant) => format!("{}:{variant}", diagnosis.slug),
            None => diagnosis.slug.to_owned(),
        }
    }

    /// Adds an occurrence to its finding, and returns the finding's id.
    ///
    /// The order of occurrences does not matter: the finding takes the gravest severity,
    /// the highest confidence, and the first examples in their own order. A finding that
    /// names another cause is not certain; the causes it names are those of its surest
    /// occurrences.
    pub fn add(&mut self, diagnosis: &'static Diagnosis, mut occurrence: Occurrence) -> String {
        if !occurrence.alternatives.is_empty() {
            occurrence.confidence = occurrence.confidence.max(Confidence::Likely);
        }
        let id = Self::id(diagnosis, occurrence.variant.as_deref());
        let severity = occurrence.severity.unwrap_or(diagnosis.severity);
        let sentence = occurrence.sentence.unwrap_or_else(|| Sentence::plain(diagnosis.summary));
        let message = sentence.to_string();
        let finding = self.known.entry(id.clone()).or_insert_with(|| Finding {
            id: id.clone(),
            code: diagnosis.code,
            slug: diagnosis.slug,
            variant: occurrence.variant,
            severity,
            severity_without_config: None,
            confidence: occurrence.confidence,
            station: diagnosis.station,
            baseline: None,
            message: message.clone(),
            sentence: sentence.clone(),
            fixes: Vec::new(),
            fix: Vec::new(),
            needs: Vec::new(),
            count: 0,
            tasks: BTreeSet::new(),
            services: BTreeSet::new(),
            queues: BTreeSet::new(),
            origins: BTreeSet::new(),
            evidence: Vec::new(),
            handoffs: BTreeSet::new(),
            alternatives: Vec::new(),
        });
        let rank = (severity, occurrence.confidence);
        if rank < (finding.severity, finding.confidence) {
            finding.alternatives.clear();
        }
        if rank <= (finding.severity, finding.confidence) {
            extend(&mut finding.alternatives, occurrence.alternatives);
            let is_first = (&message, &sentence) < (&finding.message, &finding.sentence);
            if rank < (finding.severity, finding.confidence) || is_first {
                (finding.message, finding.sentence) = (message, sentence);
            }
            (finding.severity, finding.confidence) = rank;
        }
        finding.count += occurrence.count;
        let fixes = self.fixes.entry(id.clone()).or_default();
        add_fixes(fixes, finding, occurrence.fixes);
        extend(&mut finding.needs, occurrence.needs);
        for (names, more, most) in [
            (&mut finding.tasks, occurrence.tasks, Self::NAMES),
            (&mut finding.services, occurrence.services, Self::NAMES),
            (&mut finding.queues, occurrence.queues, Self::NAMES),
            (&mut finding.origins, occurrence.origins, Self::NAMES),
            (&mut finding.handoffs, occurrence.handoffs, Finding::EXAMPLES),
        ] {
            names.extend(more);
            while names.len() > most {
                names.pop_last();
            }
        }
        keep_quotes(&mut finding.evidence, occurrence.evidence);
        id
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        /// One with a handful of names and quotes.
        const FINDING: usize = 8 << 10;
        self.known.len() * FINDING
    }

    /// In the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.known.values()
    }

    /// In the order of a report.
    pub fn ranked(self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.known.into_values().collect();
        findings.sort_by(|one, other| one.rank().cmp(&other.rank()));
        findings
    }
}

/// Adds what is not there yet. Lines that come from one occurrence keep the order in which
/// they were written.
fn extend<T: PartialEq>(lines: &mut Vec<T>, more: Vec<T>) {
    for line in more {
        if lines.len() < Findings::LINES && !lines.contains(&line) {
            lines.push(line);
        }
    }
}

/// Adds fixes. If occurrences differ, the first choices of all come before any second
/// choice, whatever the order of arrival.
fn add_fixes(known: &mut BTreeSet<(usize, Fix)>, finding: &mut Finding, more: Vec<Fix>) {
    let mut is_new = false;
    for (place, fix) in more.into_iter().enumerate() {
        is_new |= known.insert((place, fix));
        if known.len() > Findings::FIXES {
            known.pop_last();
        }
    }
    if is_new {
        finding.fixes.clear();
        extend(&mut finding.fixes, known.iter().map(|(_, fix)| fix.clone()).collect());
        finding.fix = finding.fixes.first().map(Fix::lines).unwrap_or_default();
    }
}

/// Keeps the quotes of the smallest occurrence, so that what is shown belongs together and
/// does not depend on the order of arrival.
fn keep_quotes(quotes: &mut Vec<Quote>, more: Vec<Quote>) {
    if quotes.is_empty() || (!more.is_empty() && more < *quotes) {
        *quotes = more;
        quotes.truncate(Findings::QUOTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::extract::PROPAGATOR_MISMATCH;
    use crate::model::key;

    #[test]
    fn the_context_is_that_of_the_sentence_in_any_order() {
        let found = |format: &'static str| {
            Occurrence::likely().says_with("it carries {formats}", [(key::FORMATS, vec![format])])
        };
        let surer = || Occurrence::certain().says("it carries something");
        let add_all = |occurrences: Vec<Occurrence>| {
            let mut findings = Findings::default();
            for occurrence in occurrences {
                findings.add(&PROPAGATOR_MISMATCH, occurrence);
            }
            findings.ranked().remove(0)
        };
        let finding = add_all(vec![found("jaeger"), found("b3")]);
        assert_eq!(finding, add_all(vec![found("b3"), found("jaeger")]));
        assert_eq!(finding.message, "it carries b3");
        assert_eq!(finding.sentence.context()[&key::FORMATS], vec!["b3"].into());
        // The surer sentence is kept, and the context holds nothing that the sentence does
        // not say.
        for occurrences in [vec![found("b3"), surer()], vec![surer(), found("b3")]] {
            let finding = add_all(occurrences);
            assert_eq!((&*finding.message, finding.sentence.context().len()), ("it carries something", 0));
        }
    }
}
