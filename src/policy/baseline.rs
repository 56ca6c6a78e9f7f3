//! Compares with an earlier report, so that a run fails only on new findings.
//!
//! The ids in a report are stable only within one run. So a finding is recognised by its
//! slug and variant, and by the tasks, queues and services that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::model::{Comparison, Finding, Gone, InBaseline, SCHEMA, Severity};

/// The most findings of a report: more than all diagnoses have variants.
const FINDINGS: usize = 10_000;
/// How many names of each kind a finding lists. A list of this length may lack some.
const NAMES: usize = 50;
/// How many findings that have disappeared are listed.
const GONE: usize = 100;

/// The findings of an earlier report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Baseline {
    file: String,
    /// By slug and variant.
    known: BTreeMap<(String, Option<String>), KnownFinding>,
}

/// What an earlier report says about a cause.
#[derive(Clone, PartialEq, Eq, Debug)]
struct KnownFinding {
    code: String,
    severity: Severity,
    tasks: BTreeSet<String>,
    queues: BTreeSet<String>,
    services: BTreeSet<String>,
}

/// Why a file is not a baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error("it is not a tracelink report: {0}; write one with --output json=FILE")]
    NoReport(serde_json::Error),
    #[error("it follows the schema `{}`, and tracelink reads only `{SCHEMA}`", .0.escape_debug())]
    Schema(String),
    #[error("it says that its run failed: {}", .0.escape_debug())]
    Failed(String),
}

impl Baseline {
    /// Reads a report that `--format json` wrote, or the last line of one that `jsonl`
    /// wrote. Only the fields that are used are kept, and they are bounded.
    ///
    /// # Errors
    ///
    /// Why it is not a report.
    pub fn read(file: String, from: impl Read) -> Result<Self, BaselineError> {
        let mut documents = serde_json::Deserializer::from_reader(from).into_iter::<Document>();
        let mut report = None;
        for document in &mut documents {
            report = Some(document.map_err(BaselineError::NoReport)?);
        }
        let report = report.map(|document| match document {
            Document { report: Some(report), .. } => *report,
            Document { schema, error, findings, .. } => Inner { schema, error, findings },
        });
        let nothing = || BaselineError::NoReport(serde::de::Error::custom("it has no `schema`"));
        let Some(Inner { schema: Some(schema), error, findings }) = report else { return Err(nothing()) };
        if schema != SCHEMA {
            return Err(BaselineError::Schema(schema.chars().take(80).collect()));
        }
        if let Some(error) = error {
            return Err(BaselineError::Failed(error.chars().take(200).collect()));
        }
        let mut known = BTreeMap::new();
        for Found { slug, code, variant, severity, tasks, queues, services } in findings.0 {
            let new = KnownFinding { code, severity: severity.into(), tasks, queues, services };
            known.insert((slug, variant), new);
        }
        Ok(Self { file, known })
    }

    /// Marks a finding as known or new. It is known if the report has its cause, at least
    /// as severe, with everything that the finding names.
    pub fn classify(&self, finding: &mut Finding) {
        let known = self.known.get(&(finding.slug.to_owned(), finding.variant.clone()));
        let has = |known: &BTreeSet<String>, names: &BTreeSet<String>| {
            known.len() >= NAMES || names.is_subset(known)
        };
        let is_known = known.is_some_and(|known| {
            known.severity <= finding.severity
                && has(&known.tasks, &finding.tasks)
                && has(&known.queues, &finding.queues)
                && has(&known.services, &finding.services)
        });
        finding.baseline = Some(if is_known { InBaseline::Known } else { InBaseline::New });
    }

    /// Marks each finding as known or new, and lists the findings of the report that are
    /// not found any more.
    pub fn compare(&self, findings: &mut [Finding]) -> Comparison {
        findings.iter_mut().for_each(|finding| self.classify(finding));
        let mut gone = self.known.iter().filter_map(|((slug, variant), known)| {
            let now =
                findings.iter().find(|finding| finding.slug == slug.as_str() && finding.variant == *variant);
            let left = |then: &BTreeSet<String>, now: &BTreeSet<String>| match () {
                // A full list may lack names.
                () if then.len() >= NAMES || now.len() >= NAMES => BTreeSet::new(),
                () => then.difference(now).cloned().collect(),
            };
            let (tasks, queues, services) = match now {
                Some(now) => (
                    left(&known.tasks, &now.tasks),
                    left(&known.queues, &now.queues),
                    left(&known.services, &now.services),
                ),
                None => (known.tasks.clone(), known.queues.clone(), known.services.clone()),
            };
            let is_gone = now.is_none() || !(tasks.is_empty() && queues.is_empty() && services.is_empty());
            let (slug, code, variant) = (slug.clone(), known.code.clone(), variant.clone());
            is_gone.then_some(Gone { slug, code, variant, tasks, queues, services })
        });
        let listed: Vec<_> = gone.by_ref().take(GONE).collect();
        let gone_not_listed = gone.count() as u64;
        let mut comparison =
            Comparison { file: self.file.clone(), new: 0, known: 0, gone: listed, gone_not_listed };
        Self::recount(&mut comparison, findings);
        comparison
    }

    /// Counts the known and the new findings again.
    pub fn recount(comparison: &mut Comparison, findings: &[Finding]) {
        let of = |place| findings.iter().filter(|finding| finding.baseline == Some(place)).count() as u64;
        (comparison.new, comparison.known) = (of(InBaseline::New), of(InBaseline::Known));
    }
}

/// A report, or a line of the stream that may hold one.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    report: Option<Box<Inner>>,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    findings: Bounded<Found, FINDINGS>,
}

#[derive(Deserialize)]
struct Inner {
    schema: Option<String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    findings: Bounded<Found, FINDINGS>,
}

#[derive(Deserialize)]
struct Found {
    slug: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    variant: Option<String>,
    severity: Grade,
    #[serde(default, deserialize_with = "names")]
    tasks: BTreeSet<String>,
    #[serde(default, deserialize_with = "names")]
    queues: BTreeSet<String>,
    #[serde(default, deserialize_with = "names")]
    services: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Error,
    Warning,
    Note,
}

impl From<Grade> for Severity {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Error => Self::Error,
            Grade::Warning => Self::Warning,
            Grade::Note => Self::Note,
        }
    }
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    let Bounded(names) = Bounded::<String, NAMES>::deserialize(deserializer)?;
    Ok(names.into_iter().collect())
}

/// A list of at most `MOST` items.
struct Bounded<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Default for Bounded<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MOST: usize>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Items<T, MOST> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of {MOST} at most")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < MOST {
                    let Some(item) = items.next_element()? else { return Ok(kept) };
                    kept.push(item);
                }
                match items.next_element::<IgnoredAny>()? {
                    None => Ok(kept),
                    Some(_) => Err(serde::de::Error::invalid_length(MOST + 1, &self)),
                }
            }
        }

        deserializer.deserialize_seq(Items::<T, MOST>(std::marker::PhantomData)).map(Self)
    }
}
