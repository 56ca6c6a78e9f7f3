//! `faults.json`: how each fault is run, and what must be said of it. The
//! keys are explained in the application's README.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::assets;
use crate::model::{Report, Severity};

/// All entries, the healthy first.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub entries: Vec<Entry>,
}

/// A fault, or a healthy look-alike, and how it is run.
#[derive(Deserialize, Clone, Debug)]
pub struct Entry {
    pub slug: String,
    /// The slug of the first finding at warning or above; `None` for none.
    pub expect: Option<String>,
    /// Slugs that are right as well.
    #[serde(default)]
    pub or: Vec<String>,
    /// Further slugs that may be found, at warning or above.
    #[serde(default)]
    pub also: Vec<String>,
    /// Slugs that must be among the notes.
    #[serde(default)]
    pub notes: Vec<String>,
    /// One of the twelve that CI runs.
    #[serde(default)]
    pub dozen: bool,
    /// Only a live receiver can tell; files cannot.
    #[serde(default)]
    pub live: bool,
    /// What is broken, in a sentence.
    pub what: String,
    /// What a user sees in a tracing backend.
    pub seen: String,
    /// Variables for all processes; they win over the run's own.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// With those that every such entry has.
    #[serde(default)]
    pub(super) processes: BTreeMap<String, Program>,
    /// By process, with those that every entry has.
    #[serde(default)]
    sides: BTreeMap<String, Vec<Side>>,
    #[serde(default)]
    pub(super) steps: Vec<Step>,
    /// The steps of every entry without steps of its own.
    #[serde(skip)]
    is_plain: bool,
}

/// A side of a hand-off.
#[derive(Deserialize, Clone, Copy, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Producer,
    Worker,
}

impl Side {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Worker => "worker",
        }
    }
}

/// A process of an entry.
#[derive(Deserialize, Clone, Debug)]
pub struct Program {
    /// What comes after `python`.
    pub args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// It gets a port, and is ready when that answers.
    #[serde(default)]
    pub http: bool,
    /// It is ready when this Redis key exists.
    pub ready: Option<String>,
    /// It may end by itself.
    #[serde(default)]
    pub may_fail: bool,
}

/// A step. Times are seconds.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(untagged)]
pub enum Step {
    Start {
        start: String,
    },
    Run {
        run: String,
    },
    Orders {
        orders: u32,
        #[serde(default = "api")]
        to: String,
        #[serde(default = "sample_quantity")]
        quantity: i64,
    },
    Look {
        look: String,
    },
    Results {
        results: usize,
        within: f64,
    },
    Key {
        key: String,
        within: f64,
    },
    Sleep {
        sleep: f64,
    },
    Stop {
        stop: String,
    },
    Kill {
        kill: String,
    },
}

fn api() -> String {
    "api".to_owned()
}

fn sample_quantity() -> i64 {
    2
}

#[derive(Deserialize)]
struct Document {
    #[serde(flatten)]
    by_code: Kit,
    #[serde(rename = "zero-code")]
    zero_code: Kit,
    #[serde(default)]
    sides: BTreeMap<String, Vec<Side>>,
    steps: Vec<Step>,
    faults: Vec<Value>,
}

/// What entries build on.
#[derive(Deserialize)]
struct Kit {
    processes: Value,
}

/// The manifest of the included application.
pub fn manifest() -> &'static Manifest {
    static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
        let text = assets::text("faults.json").expect("it is among the assets, which are fixed");
        Manifest::parse(text).expect("it is part of the program, and read by a test of this module")
    });
    &MANIFEST
}

impl Manifest {
    fn parse(text: &str) -> serde_json::Result<Self> {
        let document: Document = serde_json::from_str(text)?;
        let entries = document.faults.into_iter().map(|mut entry| {
            let kit = if entry["zero-code"] == true { &document.zero_code } else { &document.by_code };
            let mut processes = kit.processes.clone();
            lay_over(&mut processes, &entry["processes"]);
            entry["processes"] = processes;
            let mut entry: Entry = serde_json::from_value(entry)?;
            for (process, sides) in &document.sides {
                entry.sides.entry(process.clone()).or_insert_with(|| sides.clone());
            }
            entry.is_plain = entry.steps.is_empty();
            if entry.is_plain {
                entry.steps.clone_from(&document.steps);
            }
            Ok(entry)
        });
        Ok(Self { entries: entries.collect::<serde_json::Result<_>>()? })
    }

    /// The entry of that slug.
    pub fn find(&self, slug: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.slug == slug)
    }

    /// The twelve that CI runs.
    pub fn dozen(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.dozen)
    }
}

/// Merges one value into another: objects key by key, anything else as a whole.
fn lay_over(base: &mut Value, own: &Value) {
    match (base, own) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(own)) => {
            for (key, own) in own {
                lay_over(base.entry(key.clone()).or_insert(Value::Null), own);
            }
        }
        (base, own) => *base = own.clone(),
    }
}

impl Entry {
    /// Whether a report says what it must about this entry, and no more than it may.
    pub fn is_right(&self, report: &Report) -> bool {
        let is_wanted = |slug: Option<&str>| {
            slug == self.expect.as_deref() || self.or.iter().any(|other| Some(&**other) == slug)
        };
        let may_be_said = |slug: &str| is_wanted(Some(slug)) || self.also.iter().any(|other| other == slug);
        let (loud, notes): (Vec<_>, Vec<_>) =
            report.findings.iter().partition(|finding| finding.severity <= Severity::Warning);
        let notes: BTreeSet<_> = notes.into_iter().map(|finding| finding.slug).collect();
        is_wanted(report.verdict.slug)
            && loud.iter().all(|finding| may_be_said(finding.slug))
            && self.notes.iter().all(|slug| notes.contains(&**slug))
    }

    /// Which sides of a hand-off a process is on.
    pub(super) fn sides_of(&self, process: &str) -> &[Side] {
        self.sides.get(process).map_or(&[], Vec::as_slice)
    }

    /// Whether the user may choose the number of orders.
    pub const fn takes_orders(&self) -> bool {
        self.is_plain
    }

    /// The steps for this many orders, if the entry leaves the number open: one waits in
    /// the queue until a worker comes, the others follow.
    pub(super) fn steps_for(&self, orders: Option<u32>, seconds_each: f64) -> Vec<Step> {
        /// What a worker prints when it is up.
        const WORKER: &str = "_kombu.binding.celery.pidbox";
        let Some(orders) = orders.filter(|orders| *orders > 1 && self.takes_orders()) else {
            return self.steps.clone();
        };
        let mut steps = Vec::new();
        for step in &self.steps {
            let Step::Results { results, within } = step else {
                steps.push(step.clone());
                continue;
            };
            steps.push(Step::Key { key: WORKER.to_owned(), within: *within });
            steps.push(Step::Orders { orders: orders - 1, to: api(), quantity: sample_quantity() });
            let results = results - 1 + orders as usize;
            steps.push(Step::Results { results, within: within + f64::from(orders) * seconds_each });
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slug_that_is_expected_is_a_diagnosis() {
        let mut slugs = BTreeSet::new();
        for entry in &manifest().entries {
            assert!(slugs.insert(&entry.slug), "{} twice", entry.slug);
            assert!(!entry.what.is_empty() && !entry.seen.is_empty(), "{}", entry.slug);
            let named = [&entry.or, &entry.also, &entry.notes].into_iter().flatten().chain(&entry.expect);
            for slug in named {
                assert!(crate::diagnosis::find(slug).is_some(), "{}: {slug}", entry.slug);
            }
        }
        assert_eq!(manifest().dozen().count(), 12);
        assert!(manifest().find("healthy").is_some_and(|entry| entry.expect.is_none() && entry.is_plain));
    }

    /// A fix goes to the processes of its side.
    #[test]
    fn every_process_has_its_sides() {
        for entry in &manifest().entries {
            for name in entry.processes.keys() {
                assert!(entry.sides.contains_key(name), "{}: which side is {name}?", entry.slug);
            }
        }
        let chained = manifest().entries.iter().find(|entry| entry.sides_of("worker").len() == 2);
        assert!(chained.is_some(), "a worker that publishes is both sides");
    }

    #[test]
    fn every_step_can_be_taken() {
        for entry in &manifest().entries {
            let mut started = BTreeSet::new();
            for step in &entry.steps {
                match step {
                    Step::Start { start: name } | Step::Run { run: name } => {
                        let program = entry.processes.get(name);
                        let program = program.unwrap_or_else(|| panic!("{}: no {name}", entry.slug));
                        for argument in program.args.iter().filter(|argument| argument.starts_with('{')) {
                            let of = argument.trim_start_matches('{').split('}').next().unwrap_or_default();
                            assert!(of == "bin" || started.contains(of), "{}: {argument}", entry.slug);
                        }
                        started.insert(name.clone());
                    }
                    Step::Stop { stop: name } | Step::Kill { kill: name } => {
                        assert!(started.remove(name), "{}: {name} does not run", entry.slug);
                    }
                    Step::Orders { to, .. } => {
                        assert!(started.contains(to) && entry.processes[to].http, "{}: {to}", entry.slug);
                    }
                    Step::Results { within: time, .. }
                    | Step::Key { within: time, .. }
                    | Step::Sleep { sleep: time } => {
                        assert!((0.0..=60.0).contains(time), "{}: {time} s", entry.slug);
                    }
                    Step::Look { .. } => {}
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let text = r#"{"manifest": "tracelink-demo/1", "colour": 1,
            "processes": {"api": {"args": ["a"], "http": true, "colour": 1, "env": {"A": "1", "B": "1"}}},
            "zero-code": {"processes": {}},
            "steps": [{"start": "api", "x": 1}],
            "faults": [{"slug": "s", "expect": null, "what": "w", "seen": "s", "steps": [{"orders": 3, "x": []}],
                        "processes": {"api": {"env": {"B": "2"}}, "script": {"args": []}}},
                       {"slug": "t", "expect": "u", "what": "w", "seen": "s"}]}"#;
        let manifest = Manifest::parse(text).expect("it is a manifest");
        let orders = Step::Orders { orders: 3, to: "api".to_owned(), quantity: 2 };
        assert_eq!(manifest.entries[0].steps, [orders]);
        assert_eq!(manifest.entries[1].steps, [Step::Start { start: "api".to_owned() }]);
        assert!(manifest.entries[0].processes["api"].http);
        assert_eq!(manifest.entries[0].processes["api"].env.values().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(manifest.entries[0].processes.len(), 2);
        assert_eq!(manifest.entries[1].processes.len(), 1);
    }

    #[test]
    fn many_orders_follow_the_first() {
        let healthy = manifest().find("healthy").expect("it is there");
        let steps = healthy.steps_for(Some(5), 2.0);
        let orders = steps.iter().filter_map(|step| match step {
            Step::Orders { orders, .. } => Some(*orders),
            _ => None,
        });
        assert_eq!(orders.collect::<Vec<_>>(), [1, 4]);
        assert!(
            steps.iter().any(|step| matches!(step, Step::Results { results: 5, within } if *within > 29.0))
        );
        let chord = manifest().find("healthy-chord").expect("it is there");
        assert_eq!(chord.steps_for(Some(5), 2.0), chord.steps);
    }
}
