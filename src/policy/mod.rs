//! What a user wants to hear of a report, and to fail on: findings that are
//! selected or ignored, severities that are changed, and an earlier report to
//! compare with.
//!
//! It stands between the report and the exit code. It judges no evidence, reads
//! no file and knows no clock: today's date is an argument. Nothing that it sets
//! aside is lost: the report says what, how often and why.

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

/// The reason of `verdict.unproven` for which nothing is healthy of which a
/// finding is ignored.
pub const IGNORED: &str = "ignored";

/// What a user wants to hear.
#[derive(Clone, Default, Debug)]
pub struct Policy {
    /// Of `--select`; all, where there is none.
    pub select: Vec<Selector>,
    /// Of `--ignore`.
    pub ignore: Vec<Selector>,
    /// Of the configuration.
    pub entries: Vec<Entry>,
    /// By slug.
    pub severities: BTreeMap<&'static str, Severity>,
    pub baseline: Option<Baseline>,
    /// Until when an entry holds is a question of the date.
    pub today: Date,
    /// The ids of the findings that were withheld from the events: none at first.
    pub withheld: BTreeSet<String>,
}

/// Why a finding is set aside.
struct Why<'p> {
    by: IgnoredBy,
    reason: &'p str,
    entry: Option<&'p Entry>,
}

impl Policy {
    /// Whether it leaves every report as it is.
    fn is_empty(&self) -> bool {
        let Self { select, ignore, entries, severities, baseline, .. } = self;
        select.is_empty()
            && ignore.is_empty()
            && entries.is_empty()
            && severities.is_empty()
            && baseline.is_none()
    }

    /// The report as the user wants it: with the severities of the configuration,
    /// without what is ignored, compared with the baseline, and with the verdict
    /// of what is left.
    pub fn apply(&self, mut report: Report) -> Report {
        if self.is_empty() || report.error.is_some() {
            return report;
        }
        report.findings.iter_mut().for_each(|finding| self.regrade(finding));
        if let Some(baseline) = &self.baseline {
            // What is ignored is not gone.
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
            // What is ignored is still not whole.
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

    /// The events as the user wants them: what is ignored is no alarm, and what
    /// was never told is not taken back.
    pub fn events(&mut self, events: &[Event]) -> Option<Vec<Event>> {
        if self.is_empty() {
            return None;
        }
        Some(events.iter().filter_map(|event| self.event(event.clone())).collect())
    }

    /// Whether a finding was withheld from the events, and as it is now is about more
    /// than what is ignored.
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
                    baseline.place(finding);
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

    /// By what a finding is set aside, if by anything.
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

    /// The entries that would set it aside, were their date not over.
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

/// Hand-offs of which an ignored finding speaks are not whole.
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
