//! The findings of a session, with what became of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::bytes::of_finding;
use crate::model::{Finding, Severity};

/// A finding, and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownFinding {
    pub finding: Arc<Finding>,
    /// Whether it does not hold any more.
    pub is_resolved: bool,
    /// The passage that was told with it.
    pub example: Option<u64>,
    /// When it was first said, since the session began.
    pub first: Duration,
    /// The version of the board at which it changed last.
    pub version: u64,
}

/// All of them, by id.
#[derive(Debug)]
pub struct Findings {
    all: BTreeMap<String, KnownFinding>,
    bytes: usize,
    bound: usize,
    let_go: u64,
}

impl Findings {
    pub const fn new(bound: usize) -> Self {
        Self { all: BTreeMap::new(), bytes: 0, bound, let_go: 0 }
    }

    /// Takes a finding that holds. One that finds no room takes that of those that do not
    /// hold any more.
    pub fn insert(&mut self, finding: &Finding, now: Duration, version: u64) {
        let known = self.remove(&finding.id);
        let bytes = of_finding(finding);
        while self.bytes + bytes > self.bound {
            let resolved = self.all.values().filter(|known| known.is_resolved);
            let Some(oldest) =
                resolved.min_by_key(|known| known.version).map(|known| known.finding.id.clone())
            else {
                self.let_go += 1;
                return;
            };
            self.remove(&oldest);
            self.let_go += 1;
        }
        self.bytes += bytes;
        let (first, example) = known.map_or((now, None), |known| (known.first, known.example));
        let finding = Arc::new(finding.clone());
        let known = KnownFinding { finding, is_resolved: false, example, first, version };
        self.all.insert(known.finding.id.clone(), known);
    }

    fn remove(&mut self, id: &str) -> Option<KnownFinding> {
        let known = self.all.remove(id)?;
        self.bytes -= of_finding(&known.finding);
        Some(known)
    }

    pub fn exemplify(&mut self, id: &str, passage: u64) {
        if let Some(known) = self.all.get_mut(id) {
            known.example = Some(passage);
        }
    }

    pub fn resolve(&mut self, finding: &Finding, now: Duration, version: u64) {
        if !self.all.contains_key(&finding.id) {
            self.insert(finding, now, version);
        }
        if let Some(known) = self.all.get_mut(&finding.id) {
            known.is_resolved = true;
            known.version = version;
        }
    }

    pub fn get(&self, id: &str) -> Option<&KnownFinding> {
        self.all.get(id)
    }

    /// How bad a finding is that holds.
    pub fn severity(&self, id: &str) -> Option<Severity> {
        self.get(id).filter(|known| !known.is_resolved).map(|known| known.finding.severity)
    }

    pub fn iter(&self) -> impl Iterator<Item = &KnownFinding> {
        let mut all: Vec<_> = self.all.values().collect();
        all.sort_by_key(|known| (known.first, known.version));
        all.into_iter()
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub const fn let_go(&self) -> u64 {
        self.let_go
    }
}

#[cfg(test)]
pub mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::{Confidence, Sentence};

    /// A finding about nothing.
    pub fn a_finding(id: &str, severity: Severity) -> Finding {
        let rule = crate::diagnosis::find("propagator-mismatch").expect("a rule");
        Finding {
            id: id.to_owned(),
            code: rule.code,
            slug: rule.slug,
            variant: None,
            severity,
            severity_without_config: None,
            confidence: Confidence::Certain,
            station: None,
            baseline: None,
            message: "why".to_owned(),
            sentence: Sentence::plain("why"),
            fixes: Vec::new(),
            fix: Vec::new(),
            needs: Vec::new(),
            count: 1,
            tasks: BTreeSet::default(),
            services: BTreeSet::default(),
            queues: BTreeSet::default(),
            origins: BTreeSet::default(),
            evidence: Vec::new(),
            handoffs: BTreeSet::default(),
            alternatives: Vec::new(),
        }
    }
}
