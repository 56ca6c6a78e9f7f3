//! Applies a user's choices to a report: findings that are selected or ignored,
//! severities that are changed, and an earlier report to compare with.
//!
//! It runs after the report is made and before the exit code is chosen. It judges no
//! evidence, reads no file and has no clock: today's date is an argument. Nothing that it
//! takes out is lost: the report says what was ignored, how often, and why.

mod baseline;
mod entry;
mod selector;
pub mod suggest;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::model::{Event, Expired, Finding, HandoffReport, Ignored, IgnoredBy, Report, Severity, Status};
use crate::model::{Unproven, Verdict};

pub use self::baseline::{Baseline, BaselineError};
pub use self::entry::Entry;
pub use self::selector::Selector;

/// The reason in `verdict.unproven` when the only findings are ignored: what they are
/// about is not healthy.
pub const IGNORED: &str = "ignored";

/// What the user has chosen.
#[derive(Clone, Default, Debug)]
pub struct Policy {
    /// From `--select`; all findings if it is empty.
    pub select: Vec<Selector>,
    /// From `--ignore`.
    pub ignore: Vec<Selector>,
    /// From the configuration.
    pub entries: Vec<Entry>,
    /// By slug.
    pub severities: BTreeMap<&'static str, Severity>,
    pub baseline: Option<Baseline>,
    /// Decides whether an entry still applies.
    pub today: Date,
    /// The ids of the findings that were left out of the events; none at first.
    pub withheld: BTreeSet<String>,
}

/// Why a finding is ignored.
struct Why<'p> {
    by: IgnoredBy,
    reason: &'p str,
    entry: Option<&'p Entry>,
}

impl Policy {
    /// Whether every report stays as it is.
    fn is_empty(&self) -> bool {
        let Self { select, ignore, entries, severities, baseline, .. } = self;
        select.is_empty()
            && ignore.is_empty()
            && entries.is_empty()
            && severities.is_empty()
            && baseline.is_none()
    }

    /// The report as the user wants it: with the severities of the configuration, without
    /// the ignored findings, compared with the baseline, and with a new verdict.
    pub fn apply(&self, mut report: Report) -> Report {
        if self.is_empty() || report.error.is_some() {
            return report;
        }
        report.findings.iter_mut().for_each(|finding| self.regrade(finding));
        if let Some(baseline) = &self.baseline {
            // A finding that is ignored has not disappeared.
            report.baseline = Some(baseline.compare(&mut report.findings));
        }
        let mut kept = Vec::new();
        for finding in std::mem::take(&mut report.findings) {
            report.expired.extend(self.expired(&finding));
            match self.why_ignored(&finding) {
                Some(why) => report.ignored.push(ignored(finding, &why)),
                None => kept.push(finding),
            }
        }
        kept.sort_by(|one, other| one.rank().cmp(&other.rank()));
        report.findings = kept;
        if let Some(comparison) = &mut report.baseline {
            Baseline::recount(comparison, &report.findings);
        }
        let loud = |ignored: &&Ignored| ignored.severity < Severity::Note;
        let withheld: BTreeSet<_> =
            report.ignored.iter().filter(loud).map(|ignored| ignored.id.clone()).collect();
        mark(&mut report.handoffs, &withheld);
        let unproven = std::mem::take(&mut report.verdict.unproven);
        report.verdict = Verdict::of(&report.findings, &report.inputs, unproven);
        if report.verdict.status == Status::Healthy && !withheld.is_empty() {
            // A hand-off whose finding is ignored is still not whole.
            report.verdict.status = Status::Unproven;
            report.verdict.unproven.push(Unproven {
                reason: IGNORED,
                what: "nothing else is wrong, but what is ignored is not whole",
                count: 0,
                needs: "the same without --select, --ignore and the `ignore` entries of the configuration",
                command: None,
            });
        }
        report
    }

    /// The events as the user wants them. An ignored finding raises no event, and a
    /// finding that was never reported is not resolved either.
    pub fn events(&mut self, events: &[Event]) -> Option<Vec<Event>> {
        if self.is_empty() {
            return None;
        }
        Some(events.iter().filter_map(|event| self.event(event.clone())).collect())
    }

    /// Whether a finding that was left out of the events has become one that is no longer
    /// ignored.
    pub fn tells_after_all(&self, finding: &Finding) -> bool {
        self.withheld.contains(&finding.id) && self.why_ignored(finding).is_none()
    }

    fn event(&mut self, mut event: Event) -> Option<Event> {
        match &mut event {
            Event::Finding { finding, handoffs, .. } => {
                self.regrade(finding);
                if self.why_ignored(finding).is_some() {
                    self.withheld.insert(finding.id.clone());
                    return None;
                }
                self.withheld.remove(&finding.id);
                if let Some(baseline) = &self.baseline {
                    baseline.classify(finding);
                }
                mark(handoffs, &self.withheld);
            }
            Event::Resolved(finding) if self.withheld.remove(&finding.id) => return None,
            Event::Resolved(finding) => self.regrade(finding),
            Event::Traces { handoffs, .. } => mark(handoffs, &self.withheld),
            Event::Limit(_) => {}
        }
        Some(event)
    }

    fn regrade(&self, finding: &mut Finding) {
        if let Some(severity) = self.severities.get(finding.slug)
            && *severity != finding.severity
        {
            finding.severity_without_config = Some(finding.severity);
            finding.severity = *severity;
        }
    }

    /// Why a finding is ignored, if it is.
    fn why_ignored(&self, finding: &Finding) -> Option<Why<'_>> {
        let names = |selectors: &[Selector]| selectors.iter().any(|selector| selector.names(finding.code));
        if !self.select.is_empty() && !names(&self.select) {
            return Some(Why { by: IgnoredBy::Select, reason: "not among those of --select", entry: None });
        }
        if names(&self.ignore) {
            return Some(Why { by: IgnoredBy::Ignore, reason: "among those of --ignore", entry: None });
        }
        let entry = self.entries.iter().find(|entry| entry.holds_on(self.today) && entry.covers(finding))?;
        Some(Why { by: IgnoredBy::Config, reason: &entry.reason, entry: Some(entry) })
    }

    /// The entries that would ignore it if they had not expired.
    fn expired(&self, finding: &Finding) -> impl Iterator<Item = Expired> {
        let over = self.entries.iter().filter(|entry| !entry.holds_on(self.today) && entry.covers(finding));
        over.map(|entry| Expired {
            id: finding.id.clone(),
            code: finding.code,
            slug: finding.slug,
            reason: entry.reason.clone(),
            at: entry.at.clone(),
            until: entry.until.map(|date| date.to_string()).unwrap_or_default(),
        })
    }
}

/// Marks the hand-offs of ignored findings: they are not whole.
fn mark(handoffs: &mut [HandoffReport], withheld: &BTreeSet<String>) {
    for handoff in handoffs {
        if handoff.finding.as_ref().is_some_and(|id| withheld.contains(id)) {
            handoff.unproven = Some(IGNORED);
        }
    }
}

fn ignored(finding: Finding, why: &Why<'_>) -> Ignored {
    Ignored {
        id: finding.id,
        code: finding.code,
        slug: finding.slug,
        variant: finding.variant,
        severity: finding.severity,
        count: finding.count,
        by: why.by,
        reason: why.reason.to_owned(),
        at: why.entry.map(|entry| entry.at.clone()),
        until: why.entry.and_then(|entry| entry.until).map(|date| date.to_string()),
    }
}
