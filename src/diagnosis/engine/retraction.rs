//! Findings that a part of the evidence alone would give, and that the whole does not: more
//! evidence never makes a finding disappear silently.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::speaker;
use crate::diagnosis::known::Known;
use crate::evidence::{Continuity, Evidence, Handoff, JoinedBy, Presence};
use crate::model::{Finding, Retracted, Severity, Timestamp};

/// What was retracted so far, by slug and by what speaks against it.
pub struct Retractions<'e> {
    broker: Known<'e>,
    known: BTreeMap<(&'static str, &'static str), Retracted>,
}

impl<'e> Retractions<'e> {
    /// With only one kind of evidence there is nothing that could contradict it.
    pub fn of(evidence: &'e Evidence, now: Timestamp) -> Option<Self> {
        let has_both = !evidence.brokers.is_empty() && evidence.spans.span_count() > 0;
        has_both.then(|| Self { broker: Known::of_broker(evidence, now), known: BTreeMap::new() })
    }

    /// Takes a hand-off without a finding at warning or above.
    pub fn saw(&mut self, handoff: &Handoff<'e>, known: &Known<'e>) {
        if is_plain(handoff) {
            return;
        }
        let of_broker = broker_part(handoff).and_then(|part| fault(&part, &self.broker));
        let of_spans = spans_part(handoff).and_then(|part| fault(&part, known));
        for slug in of_broker.into_iter().chain(of_spans) {
            let evidence = against(handoff, known);
            let retracted = self.known.entry((slug, evidence)).or_insert_with(|| Retracted {
                slug,
                evidence,
                count: 0,
                handoffs: BTreeSet::new(),
            });
            retracted.count += 1;
            retracted.handoffs.insert(handoff.task_id.to_owned());
            if retracted.handoffs.len() > Finding::EXAMPLES {
                retracted.handoffs.pop_last();
            }
        }
    }

    pub fn into_list(self) -> Vec<Retracted> {
        self.known.into_values().collect()
    }
}

/// Whether neither part could give a finding: the run continues the only context of its
/// message, in a format that everybody reads.
fn is_plain(handoff: &Handoff<'_>) -> bool {
    let is_read = |message: &crate::model::Message| matches!(&message.contexts[..], [only] if only.is_flat_header() && only.context().is_some() && !only.format.is_vendor());
    handoff.continuity() == Some(Continuity::Whole)
        && handoff.joined_by == Some(JoinedBy::TaskId)
        && handoff.message().is_some_and(is_read)
        && handoff.attempt == 0
}

/// What a rule at warning or above finds in a part.
fn fault(part: &Handoff<'_>, known: &Known<'_>) -> Option<&'static str> {
    let (diagnosis, occurrence) = speaker(part, known)?;
    let severity = occurrence.severity.unwrap_or(diagnosis.severity);
    (severity <= Severity::Warning).then_some(diagnosis.slug)
}

/// The hand-off as its queue shows it while the message waits.
fn broker_part<'e>(handoff: &Handoff<'e>) -> Option<Handoff<'e>> {
    let delivery = handoff.delivery?;
    Some(Handoff {
        producer: None,
        consumers: Vec::new(),
        candidate_runs: Vec::new(),
        linked: None,
        result: None,
        presence: Presence::Waiting(delivery.first().state),
        joined_by: None,
        was_retried: false,
        ..*handoff
    })
}

/// The hand-off as its spans show it.
fn spans_part<'e>(handoff: &Handoff<'e>) -> Option<Handoff<'e>> {
    let has_spans = handoff.producer.is_some() || handoff.consumer().is_some();
    let adds_nothing = handoff.delivery.is_none() && handoff.result.is_none();
    (has_spans && !adds_nothing).then(|| Handoff {
        consumers: handoff.consumers.clone(),
        candidate_runs: handoff.candidate_runs.clone(),
        delivery: None,
        result: None,
        presence: Presence::Unknown,
        ..*handoff
    })
}

/// What speaks against it.
fn against(handoff: &Handoff<'_>, known: &Known<'_>) -> &'static str {
    let is_whole = handoff.continuity() == Some(Continuity::Whole);
    match () {
        () if is_whole && handoff.linked.is_some() => "the run links to where it was sent from",
        () if is_whole => "the run continues the trace that was handed to it",
        () if handoff.message().is_some_and(|message| message.from_beat) => {
            "the message says that a scheduler published it, which has no context to send"
        }
        () if known.evidence.scheduler_entry(handoff.task).is_some() => {
            "a scheduler keeps an entry for the task in the broker, and has no context to send"
        }
        () if known.schedules().includes(handoff) => {
            "the runs come at even intervals, as those of a scheduler, which has no context to send"
        }
        () if handoff.consumer().is_some() => "the run that was seen does not bear it out",
        () if handoff.result.is_some() => "the result says what became of the task",
        () => "the rest of the evidence does not bear it out",
    }
}
