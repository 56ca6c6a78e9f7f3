//! Answers: the verdict with its evidence, as a value for a program and as a text, both
//! bounded. Spans, messages and hand-offs are counted in it, and never listed.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value};

use super::bounded::{self, LeftOut};
use super::output_schema::OF_A_REPORT;
use crate::cli;
use crate::command::outputs::{in_plain_text, view_of_text};
use crate::command::{Exit, called};
use crate::model::{Finding, Report};
use crate::policy::suggest::near;
use crate::report::text::{clip, safe, safe_lines};
use crate::report::{FormatName, Subject, Verbosity, View};

/// The most bytes of `structuredContent`, about eight thousand tokens.
pub const STRUCTURED: usize = 24 << 10;
/// The most bytes of the text beside it.
pub const TEXT: usize = 6 << 10;
/// The most findings that are looked at for room: no more fit.
const FINDINGS: usize = 200;
/// The most notes, and characters of one.
const NOTES: (usize, usize) = (20, 500);

/// What is to be answered.
pub struct Said<'s> {
    pub report: Report,
    pub subject: Subject,
    /// Where it was read from, for people.
    pub source: Option<String>,
    pub exit: Exit,
    /// The only task whose findings are listed.
    pub task: Option<&'s str>,
    /// What else the agent should know.
    pub notes: Vec<String>,
    /// What is said of the session of `listen`, if it is about one.
    pub session: Option<Value>,
}

impl Said<'_> {
    /// The answer.
    ///
    /// # Errors
    ///
    /// That the report could not be written.
    pub fn answer(self, output: &cli::Output) -> anyhow::Result<CallToolResult> {
        let Self { mut report, subject, source, exit, task, mut notes, session } = self;
        let mut left_out = LeftOut::new();
        if let Some(task) = task {
            let before = report.findings.len();
            notes.extend(only(&mut report.findings, task));
            bounded::count(&mut left_out, "findings_of_other_tasks", before - report.findings.len());
        }
        let view = View {
            program: called(),
            verbosity: Verbosity::Quiet,
            broker: source,
            exit_code: exit.code(),
            ..view_of_text(output)
        };
        let text = in_plain_text(FormatName::Human, &report, subject, &view)?;
        let mut text = String::from_utf8_lossy(&text).into_owned();
        let shown = notes.iter().take(NOTES.0).map(|note| clip(note, NOTES.1)).collect::<Vec<_>>();
        bounded::count(&mut left_out, "notes", notes.len() - shown.len());
        shown.iter().for_each(|note| text = format!("{text}note: {note}\n"));

        let findings = report.findings.len();
        report.findings.truncate(FINDINGS);
        bounded::count(&mut left_out, "findings", findings - report.findings.len());
        report = Report {
            messages: Vec::new(),
            handoffs: Vec::new(),
            traces: Vec::new(),
            tasks: Vec::new(),
            ..report
        };
        let document = in_plain_text(FormatName::Json, &report, subject, &view)?;
        let mut fields: Map<String, Value> = serde_json::from_slice(&document)?;
        fields.retain(|field, _| OF_A_REPORT.contains(&field.as_str()));
        fields.insert("exit_code".to_owned(), exit.code().into());
        fields.insert("notes".to_owned(), shown.into());
        fields.extend(session.map(|session| ("session".to_owned(), session)));
        bounded::fit(&mut fields, STRUCTURED, &mut left_out);
        fields.insert("left_out".to_owned(), left_out.into());
        Ok(structured(fields.into(), &text))
    }
}

/// Leaves the findings of that task and those of none. Says where no finding is of that task.
fn only(findings: &mut Vec<Finding>, task: &str) -> Option<String> {
    let is_found = findings.iter().any(|finding| finding.tasks.contains(task));
    let others: Vec<_> = findings.iter().flat_map(|finding| &finding.tasks).cloned().collect();
    findings.retain(|finding| finding.tasks.is_empty() || finding.tasks.contains(task));
    let hint = match near(task, others.iter().map(String::as_str)).first() {
        Some(name) => format!(": there are some of `{}`", safe(name)),
        None => String::new(),
    };
    (!is_found).then(|| format!("no finding is about the task `{}`{hint}", safe(task)))
}

/// An answer of a value, and a text for those who read no values.
pub fn structured(value: Value, text: &str) -> CallToolResult {
    let mut answer = CallToolResult::structured(value);
    answer.content = vec![ContentBlock::text(cut(text))];
    answer
}

/// What went wrong, and what to do about it.
pub fn error(what: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(cut(&safe_lines(what)))])
}

/// As many whole lines as there is room for.
fn cut(text: &str) -> String {
    const REST: &str = "… the rest is left out: structuredContent has it, as far as there is room\n";
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let room = text.floor_char_boundary(TEXT - REST.len());
    let end = text[..room].rfind('\n').map_or(room, |end| end + 1);
    format!("{}{REST}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_lines() {
        let long = "é line of a report\n".repeat(1_000);
        let cut = cut(&long);
        assert!(cut.len() <= TEXT && cut.len() > TEXT - 200);
        let lines: Vec<_> = cut.lines().collect();
        let (last, others) = lines.split_last().expect("lines");
        assert!(
            last.starts_with("… the rest is left out")
                && others.iter().all(|line| *line == "é line of a report")
        );
        assert!(super::cut(&"é".repeat(TEXT)).len() <= TEXT, "a single line is cut too");
        assert_eq!(super::cut("short\n"), "short\n");
    }
}
