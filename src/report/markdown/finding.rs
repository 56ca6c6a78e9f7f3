//! One finding: the cause, where and what it hit, the fix, and the evidence.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::escape::{block, code, html, prose};
use super::pieces::{folded, mark};
use crate::model::{Finding, Fix, InBaseline, Language, Quote, Report, Step, StepKind, Value};
use crate::report::format::View;
use crate::report::human;
use crate::report::quoted::underlined;
use crate::report::text::{clip, count, plural};

/// How many characters of a name, of a sentence and of a line of code are written,
/// how many quotes, and how many lines of a drawing.
const NAME: usize = 100;
const SENTENCE: usize = 500;
const LINE: usize = 2_000;
const QUOTES: usize = 8;
const DRAWN: usize = 40;

/// All of it.
pub fn in_full(finding: &Finding, report: &Report, view: &View) -> String {
    let head = format!("{} {} {}", mark(finding.severity), finding.code, finding.slug);
    let mut text = format!("#### {}\n\n**{}**\n\n", prose(&head, NAME), sentence(finding));
    text.push_str(&whom(finding));
    let mut fixes = finding.fixes.iter();
    if let Some(fix) = fixes.next() {
        let _ = write!(text, "Fix: {}\n\n{}", prose(&fix.title, SENTENCE), steps(fix));
    }
    for fix in fixes {
        text.push_str(&folded(&format!("Or {}", html(&fix.title, SENTENCE)), &steps(fix)));
    }
    text.push_str(&folded("Evidence", &evidence(finding, report, view)));
    let others = finding
        .alternatives
        .iter()
        .map(|other| format!("- It could be `{}` too: {}\n", other.slug, prose(&other.why, SENTENCE)));
    let needs = finding.needs.iter().map(|need| format!("- To be sure: {}\n", prose(need, SENTENCE)));
    let list: String = others.chain(needs).collect();
    if !list.is_empty() {
        let _ = writeln!(text, "{list}");
    }
    text
}

/// The cause alone.
pub fn in_a_line(finding: &Finding) -> String {
    let times =
        if finding.count > 1 { format!(" ({})", plural(finding.count, "time")) } else { String::new() };
    format!("- {} **{}** {}{times}\n", mark(finding.severity), finding.code, sentence(finding))
}

/// The sentence, with names as code.
fn sentence(finding: &Finding) -> String {
    let parts = finding.sentence.parts().map(|(text, part)| {
        let part = part.map(|part| match part {
            Value::Number(number) => count(*number),
            Value::Text(_) | Value::List(_) => code(&part.to_string(), SENTENCE),
        });
        let part = part.unwrap_or_default();
        // What is already code stays so.
        let pieces = text.split('`').enumerate().map(|(number, piece)| {
            if number % 2 == 1 { code(piece, SENTENCE) } else { prose(piece, SENTENCE) }
        });
        pieces.collect::<String>() + &part
    });
    parts.collect()
}

/// Where, how many times, and which tasks and services it concerns.
fn whom(finding: &Finding) -> String {
    let station = finding.station.map(|station| format!("at **{}**", station.label()));
    let times = (finding.count > 1).then(|| plural(finding.count, "time"));
    let groups = [
        ("task", &finding.tasks),
        ("from", &finding.origins),
        ("service", &finding.services),
        ("queue", &finding.queues),
    ];
    let names = groups.into_iter().filter(|(_, names)| !names.is_empty());
    let names = names.map(|(label, names)| format!("{label} {}", listed(names)));
    let sure = format!("{}, `tracelink explain {}`", finding.confidence.label(), finding.code);
    let baseline = finding.baseline.map(|baseline| match baseline {
        InBaseline::Known => "known by the baseline".to_owned(),
        InBaseline::New => "**new**".to_owned(),
    });
    let parts: Vec<_> = station.into_iter().chain(times).chain(names).chain(baseline).chain([sure]).collect();
    format!("{}\n\n", parts.join(" · "))
}

fn listed(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| code(name, NAME)).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The steps of a fix, each in a block of its language. Installing packages is for a shell,
/// whatever the language.
fn steps(fix: &Fix) -> String {
    let mut text = String::new();
    for step in &fix.steps {
        let Step { kind, language, .. } = *step;
        let code = Step { installs: Vec::new(), ..step.clone() };
        let coloured = match (kind, language) {
            (StepKind::Code, Some(Language::Python)) => "python",
            (StepKind::Code, Some(Language::JavaScript)) => "javascript",
            _ => "sh",
        };
        if kind != StepKind::Install {
            push(&mut text, coloured, &code);
        }
        if kind == StepKind::Install || !step.installs.is_empty() {
            let needs = if kind == StepKind::Install { step.needs.clone() } else { Vec::new() };
            push(
                &mut text,
                "sh",
                &Step { kind: StepKind::Install, lines: Vec::new(), needs, ..step.clone() },
            );
        }
    }
    text
}

fn push(text: &mut String, language: &str, step: &Step) {
    let lines: Vec<_> = step.lines().iter().map(|line| clip(line, LINE)).collect();
    text.push_str(&block(language, &lines));
    text.push('\n');
}

/// The tree with the gap, then the quotes.
fn evidence(finding: &Finding, report: &Report, view: &View) -> String {
    let mut lines: Vec<_> = human::tree_of(finding, report, view).lines().map(str::to_owned).collect();
    if lines.len() > DRAWN {
        let more = lines.len() - DRAWN;
        lines.truncate(DRAWN);
        lines.push(format!("… and {} more", plural(more as u64, "line")));
    }
    for quote in finding.evidence.iter().take(QUOTES) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(quoted(quote));
    }
    if let Some(more) = finding.evidence.len().checked_sub(QUOTES).filter(|more| *more > 0) {
        lines.push(format!("… and {} more", plural(more as u64, "quote")));
    }
    block("text", &lines)
}

fn quoted(quote: &Quote) -> Vec<String> {
    let (text, carets) = underlined(quote, SENTENCE);
    let mut lines = vec![clip(&quote.at, SENTENCE), format!("  {text}")];
    if !carets.trim().is_empty() {
        lines.push(format!("  {}", carets.trim_end()));
    }
    if !quote.note.is_empty() {
        lines.push(format!("  {}", clip(&quote.note, SENTENCE)));
    }
    lines
}
