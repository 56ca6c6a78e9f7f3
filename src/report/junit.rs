//! `junit`: a test case for each hand-off, a suite for each task, as CI servers show
//! them (<https://github.com/jenkinsci/xunit-plugin>, `junit-10.xsd`).
//!
//! What belongs to no hand-off, such as two services with one name, is a case of the suite
//! `tracelink`. What is unproven is skipped, with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::database::looked_at;
use super::format::{Format, Subject, View};
use super::quoted::underlined;
use super::text::{clip, plural, which_try};
use super::verdict::of_handoffs;
use crate::model::{self, Finding, HandoffReport, InBaseline, MessageReport, Report, Unproven};

/// Writes JUnit's XML.
#[derive(Default)]
pub struct Junit;

/// The suite for what belongs to no task.
const OWN: &str = "tracelink";
/// How many characters of a name, of a sentence and of a text are written.
const NAME: usize = 200;
const SENTENCE: usize = 500;
const TEXT: usize = 4_000;

impl Format for Junit {
    fn media_type(&self) -> &'static str {
        "application/xml"
    }

    fn report(
        &mut self,
        report: &Report,
        subject: Subject,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut suites = Suites::default();
        if let Some(error) = &report.error {
            suites.own.push(case("environment", error_of("environment", error)));
        } else {
            cases(report, subject, view, &mut suites);
        }
        suites.write(out)
    }
}

/// The cases of a run.
#[derive(Default)]
struct Suites {
    /// By the name of their task.
    tasks: BTreeMap<String, Vec<Case>>,
    /// Those that belong to no task.
    own: Vec<Case>,
}

struct Case {
    name: String,
    status: Status,
    /// Further findings.
    out: Option<String>,
}

enum Status {
    Success,
    /// The element that says why it did not pass, with its type, its message and its text.
    Other {
        element: &'static str,
        kind: String,
        message: String,
        text: String,
    },
}

impl Suites {
    fn add(&mut self, task: &str, case: Case) {
        let name = clip(if task.is_empty() { "(no task)" } else { task }, NAME);
        self.tasks.entry(name).or_default().push(case);
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let own = (!self.own.is_empty()).then_some((OWN, &self.own));
        let suites: Vec<_> = self.tasks.iter().map(|(task, cases)| (&**task, cases)).chain(own).collect();
        let all = || suites.iter().flat_map(|(_, cases)| cases.iter());
        let root = xml.create_element("testsuites").with_attribute(("name", OWN));
        let root = root.with_attributes(totals(all()).iter().map(|(name, number)| (*name, number.as_str())));
        let written = root.write_inner_content(|xml| {
            suites.iter().try_for_each(|(task, cases)| {
                let totals = totals(cases.iter());
                let suite = xml.create_element("testsuite").with_attribute(("name", *task));
                let suite =
                    suite.with_attributes(totals.iter().map(|(name, number)| (*name, number.as_str())));
                let skipped = number_of(cases.iter(), "skipped").to_string();
                let suite = suite.with_attribute(("skipped", skipped.as_str()));
                let written =
                    suite.write_inner_content(|xml| cases.iter().try_for_each(|case| case.write(task, xml)));
                written.map(drop)
            })
        });
        written?.get_mut().write_all(b"\n")
    }
}

/// How many cases there are, and how many of each kind.
fn totals<'c>(cases: impl Iterator<Item = &'c Case> + Clone) -> [(&'static str, String); 3] {
    [
        ("tests", cases.clone().count().to_string()),
        ("failures", number_of(cases.clone(), "failure").to_string()),
        ("errors", number_of(cases, "error").to_string()),
    ]
}

fn number_of<'c>(cases: impl Iterator<Item = &'c Case>, kind: &str) -> usize {
    cases.filter(|case| matches!(case.status, Status::Other { element, .. } if element == kind)).count()
}

impl Case {
    fn write(&self, task: &str, xml: &mut Writer<&mut dyn Write>) -> io::Result<()> {
        let element =
            xml.create_element("testcase").with_attributes([("name", &*self.name), ("classname", task)]);
        let written = match (&self.status, &self.out) {
            (Status::Success, None) => element.write_empty(),
            (status, told) => element.write_inner_content(|xml| {
                if let Status::Other { element, kind, message, text } = status {
                    xml.create_element(*element)
                        .with_attributes([("type", &**kind), ("message", message)])
                        .write_text_content(BytesText::new(text))?;
                }
                if let Some(told) = told {
                    xml.create_element("system-out").write_text_content(BytesText::new(told))?;
                }
                Ok(())
            }),
        };
        written.map(drop)
    }
}

fn cases(report: &Report, subject: Subject, view: &View, suites: &mut Suites) {
    let mut told = BTreeSet::new();
    let find = |id: &String| report.findings.iter().find(|finding| finding.id == *id);
    if subject == Subject::Queue {
        for message in &report.messages {
            let findings: Vec<_> = message.findings.iter().filter_map(find).collect();
            told.extend(findings.iter().map(|finding| finding.id.as_str()));
            let mut case = judged(&of_message(message), &findings, view);
            let ignored = report.ignored.iter().find(|ignored| message.findings.contains(&ignored.id));
            if let (Some(ignored), Status::Success) = (ignored, &case.status) {
                let why = format!("{} is ignored: {}", ignored.slug, clip(&ignored.reason, SENTENCE));
                case.status = skipped("ignored", &why, "");
            }
            suites.add(&message.task, case);
        }
    }
    for handoff in report.handoffs.iter().filter(|_| subject != Subject::Queue) {
        let of_this = |finding: &&Finding| {
            handoff.finding.as_ref() == Some(&finding.id) || finding.handoffs.contains(&handoff.task_id)
        };
        let findings: Vec<_> = report.findings.iter().filter(of_this).collect();
        told.extend(findings.iter().map(|finding| finding.id.as_str()));
        let mut case = judged(&of_handoff(handoff), &findings, view);
        if handoff.unproven.is_some() && matches!(case.status, Status::Success) {
            case.status = unproven(report, handoff);
        }
        suites.add(&handoff.task, case);
    }
    for finding in report.findings.iter().filter(|finding| !told.contains(finding.id.as_str())) {
        suites.own.push(judged(&clip(&finding.id, NAME), &[finding], view));
    }
    for gap in report.verdict.unproven.iter().filter(|gap| gap.count == 0) {
        suites.own.push(case(gap.reason, of_gap(gap)));
    }
    let is_empty = suites.tasks.is_empty() && suites.own.is_empty();
    if is_empty && report.verdict.status == model::Status::NoEvidence && view.exit_code != 0 {
        suites.own.push(case("evidence", error_of("no-evidence", &of_handoffs(report))));
    } else if is_empty {
        suites.own.push(case("messages", Status::Success));
    }
    let limits = &report.limits;
    let (left_out, what) = match subject {
        Subject::Queue => (limits.messages_not_listed + limits.messages_not_read, "message"),
        _ => (limits.handoffs_not_listed, "hand-off"),
    };
    if left_out > 0 {
        let text = format!("{} not listed", plural(left_out, what));
        suites.own.push(case("left-out", skipped("left-out", &text, "")));
    }
    if let Some(told) = report.database.as_ref().and_then(looked_at) {
        suites.own.push(case("sample", skipped("sample", &told, "")));
    }
}

fn case(name: &str, status: Status) -> Case {
    Case { name: name.to_owned(), status, out: None }
}

fn of_handoff(handoff: &HandoffReport) -> String {
    let id = if handoff.task_id.is_empty() { "(no id)".to_owned() } else { clip(&handoff.task_id, NAME) };
    if handoff.attempt > 0 { format!("{id} try {}", which_try(handoff.attempt)) } else { id }
}

fn of_message(message: &MessageReport) -> String {
    let place = message.index.map(|index| format!("[{index}]")).unwrap_or_default();
    format!("{}{place} {}", clip(&message.queue, NAME), clip(&message.id, NAME))
}

/// A case fails if one of the findings fails the run; otherwise the findings are listed
/// beside the success.
fn judged(name: &str, findings: &[&Finding], view: &View) -> Case {
    let (failing, others): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|finding| {
        finding.severity <= view.fails_at && finding.baseline != Some(InBaseline::Known)
    });
    let texts = |findings: &[&Finding]| {
        findings.iter().map(|finding| in_full(finding)).collect::<Vec<_>>().join("\n\n")
    };
    let status = match failing.first() {
        Some(first) => Status::Other {
            element: "failure",
            kind: format!("{} {}", first.code, first.slug),
            message: clip(&first.message, SENTENCE),
            text: texts(&failing),
        },
        None => Status::Success,
    };
    Case { name: name.to_owned(), status, out: (!others.is_empty()).then(|| texts(&others)) }
}

fn error_of(kind: &str, text: &str) -> Status {
    let lines: Vec<_> = text.lines().take(40).map(|line| clip(line, TEXT)).collect();
    Status::Other {
        element: "error",
        kind: kind.to_owned(),
        message: lines.first().cloned().unwrap_or_default(),
        text: lines.join("\n"),
    }
}

fn unproven(report: &Report, handoff: &HandoffReport) -> Status {
    let gaps = &report.verdict.unproven;
    match gaps.iter().find(|gap| handoff.unproven == Some(gap.reason)) {
        Some(gap) => of_gap(gap),
        None => skipped(handoff.unproven.unwrap_or_default(), "unproven", ""),
    }
}

fn of_gap(gap: &Unproven) -> Status {
    skipped(gap.reason, &format!("unproven: {}", gap.what), &format!("to know: {}", gap.needs))
}

fn skipped(kind: &str, message: &str, text: &str) -> Status {
    let [kind, message, text] = [kind, message, text].map(str::to_owned);
    Status::Other { element: "skipped", kind, message, text }
}

/// A finding as text.
fn in_full(finding: &Finding) -> String {
    const QUOTES: usize = 10;
    let mut lines = vec![clip(&finding.message, SENTENCE)];
    if let Some(station) = finding.station {
        lines.push(format!("at {}, {}", station.label(), plural(finding.count, "time")));
    }
    for quote in finding.evidence.iter().take(QUOTES) {
        let (text, carets) = underlined(quote, SENTENCE);
        lines.extend([clip(&quote.at, NAME), format!("    {text}")]);
        if !carets.trim().is_empty() {
            lines.push(format!("    {}", carets.trim_end()));
        }
        if !quote.note.is_empty() {
            lines.push(format!("    {}", clip(&quote.note, SENTENCE)));
        }
    }
    for fix in finding.fixes.iter().take(1) {
        lines.push(format!("fix: {}", clip(&fix.title, SENTENCE)));
        lines.extend(fix.lines().iter().map(|line| format!("    {}", clip(line, SENTENCE))));
    }
    for other in &finding.alternatives {
        lines.push(format!("or else {}: {}", other.slug, clip(&other.why, SENTENCE)));
    }
    lines.extend(finding.needs.iter().map(|need| format!("to be sure: {}", clip(need, SENTENCE))));
    lines.push(format!("{} · tracelink explain {}", finding.confidence.label(), finding.code));
    lines.join("\n")
}
