//! `github`: annotations of GitHub Actions, a workflow command a line
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).
//!
//! The runner takes any line that begins with `::` for a command. Only commands are
//! written, and line breaks are escaped, so no text from outside begins a line.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::format::{Format, Subject, View};
use super::quoted::underlined;
use super::text::{clip, count, plural};
use super::verdict::{of_handoffs, of_queues};
use crate::model::{Finding, InBaseline, Report, Severity, Status};

/// Writes annotations.
#[derive(Default)]
pub struct Github;

/// How many annotations of one kind GitHub shows for a step. The last one says how many
/// more there are.
const SHOWN: usize = 10;

impl Format for Github {
    fn report(
        &mut self,
        report: &Report,
        subject: Subject,
        view: &View,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        const LETTERS: usize = 4_000;
        if let Some(error) = &report.error {
            return annotate(Severity::Error, "tracelink", &lines_of(error, LETTERS), out);
        }
        verdict(report, subject, view, out)?;
        for severity in [Severity::Error, Severity::Warning, Severity::Note] {
            let of_this = || report.findings.iter().filter(|finding| kind_of_finding(finding) == severity);
            // The verdict is an annotation too.
            let room = SHOWN - usize::from(kind_of(report.verdict.status) == severity);
            let left_out = match of_this().count() {
                all if all <= room => 0,
                all => all + 1 - room,
            };
            for finding in of_this().take(of_this().count() - left_out) {
                let title = format!("{} {}", finding.code, finding.slug);
                annotate(severity, &title, &in_short(finding), out)?;
            }
            if left_out > 0 {
                let text = format!("{}: --format json has all", plural(left_out as u64, "more finding"));
                annotate(severity, "tracelink", &text, out)?;
            }
        }
        Ok(())
    }
}

/// How a finding is annotated. Findings of the baseline fail no run.
fn kind_of_finding(finding: &Finding) -> Severity {
    if finding.baseline == Some(InBaseline::Known) { Severity::Note } else { finding.severity }
}

/// How the verdict is annotated. What fails no run by itself is a notice.
const fn kind_of(status: Status) -> Severity {
    match status {
        Status::Broken | Status::NoEvidence => Severity::Error,
        Status::Damaged => Severity::Warning,
        Status::Unproven | Status::Healthy => Severity::Note,
    }
}

/// Writes the verdict, and what would settle what is unproven.
fn verdict(report: &Report, subject: Subject, view: &View, out: &mut dyn Write) -> io::Result<()> {
    let status = report.verdict.status;
    let is_empty = subject == Subject::Queue && view.exit_code == 0 && report.inputs.messages == 0;
    let (kind, mut text) = match subject {
        Subject::Queue if is_empty && report.verdict.unproven.is_empty() => {
            (Severity::Note, "no messages are queued".to_owned())
        }
        Subject::Queue if report.inputs.messages > 0 => (kind_of(status), of_queues(report)),
        _ => (kind_of(status), of_handoffs(report)),
    };
    for gap in &report.verdict.unproven {
        let what = match gap.count {
            0 => gap.what.to_owned(),
            number => format!("{} {}", plural(number, "hand-off"), gap.what),
        };
        let _ = write!(text, "\n{what}\nto know: {}", gap.needs);
        text.extend(gap.command.as_ref().map(|command| format!("\n    {command}")));
    }
    annotate(kind, &format!("tracelink: {}", status.label()), &text, out)
}

/// A finding, as much of it as fits into an annotation.
fn in_short(finding: &Finding) -> String {
    const LETTERS: usize = 500;
    const QUOTES: usize = 3;
    const LINES: usize = 40;
    let mut lines = vec![clip(&finding.message, LETTERS)];
    let tasks: Vec<_> = finding.tasks.iter().take(QUOTES).map(|task| clip(task, 80)).collect();
    let station = finding.station.map(|station| format!("at {}", station.label()));
    let times = (finding.count > 1).then(|| format!("{} times", count(finding.count)));
    let tasks = (!tasks.is_empty()).then(|| format!("task {}", tasks.join(", ")));
    let known = (finding.baseline == Some(InBaseline::Known)).then(|| "known by the baseline".to_owned());
    let whom: Vec<_> = station.into_iter().chain(times).chain(tasks).chain(known).collect();
    if !whom.is_empty() {
        lines.push(whom.join(" · "));
    }
    for quote in finding.evidence.iter().take(QUOTES) {
        let (text, _) = underlined(quote, 200);
        lines.push(format!("{}: {text}", clip(&quote.at, 120)));
    }
    if let Some(fix) = finding.fixes.first() {
        lines.push(format!("fix: {}", clip(&fix.title, 200)));
        lines.extend(fix.lines().iter().take(LINES).map(|line| format!("    {}", clip(line, 400))));
    }
    lines.push(format!("{} · tracelink explain {}", finding.confidence.label(), finding.code));
    lines.join("\n")
}

/// The lines of a text, safe.
fn lines_of(text: &str, letters: usize) -> String {
    text.lines().take(40).map(|line| clip(line, letters)).collect::<Vec<_>>().join("\n")
}

/// Writes one command. The text is safe except for its line breaks.
fn annotate(severity: Severity, title: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let command = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    writeln!(out, "::{command} title={}::{}", property(title), data(text))
}

/// Escaped as the runner unescapes a message
/// (<https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escaped as the runner unescapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_part_is_escaped() {
        let mut written = Vec::new();
        annotate(Severity::Note, "a,b:c%", "50 %\r\n::error::x", &mut written).expect("memory");
        let text = String::from_utf8(written).expect("UTF-8");
        assert_eq!(text, "::notice title=a%2Cb%3Ac%25::50 %25%0D%0A::error::x\n");
    }
}
