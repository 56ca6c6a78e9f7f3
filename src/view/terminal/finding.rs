//! The pane below the tree: the finding with evidence and fix, why a hand-off is unproven,
//! or what is kept of a span.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint;
use super::styled_text;
use super::theme::Theme;
use crate::diagnosis::unproven_handoff;
use crate::model::{Severity, SpanReport, TraceReport};
use crate::report::View;
use crate::report::human::finding_in_full;
use crate::report::text::{duration, safe, width, wrap};
use crate::view::SpanFacts;
use crate::view::board::{KnownFinding, Passage};

/// What the pane shows, as lines that fit it.
#[derive(Clone, Default, Debug)]
pub struct DetailLines {
    pub title: Vec<Span<'static>>,
    pub hint: &'static str,
    pub lines: Vec<Line<'static>>,
}

impl DetailLines {
    /// Of a finding: what it says everywhere.
    pub fn of_finding(known: &KnownFinding, view: &View, theme: Theme, has_colour: bool) -> Self {
        let finding = &known.finding;
        let mut title = vec![
            Span::styled(finding.code, theme.by_severity(finding.severity)),
            Span::styled(format!(" {}  {}", finding.confidence.label(), finding.slug), theme.faint()),
        ];
        if known.is_resolved {
            title.push(Span::styled("  resolved", theme.intact()));
        }
        let text = finding_in_full(finding, view);
        let lines = styled_text::lines(text.trim_end(), has_colour);
        let hint = if finding.fix.is_empty() { "" } else { "y copies the fix" };
        Self { title, hint, lines }
    }

    /// Why a hand-off of it is not called whole; `None` if each is.
    pub fn of_unproven(passage: &Passage, saw_broker: bool, view: &View, theme: Theme) -> Option<Self> {
        let reason = passage.handoffs.iter().find_map(|handoff| handoff.unproven)?;
        let unproven = unproven_handoff(reason, saw_broker)?;
        let room = view.width.saturating_sub(14).max(20);
        let mut lines = labelled("unproven", unproven.what, room, theme);
        lines.extend(labelled("to know", unproven.needs, room, theme));
        if let Some(command) = unproven.command {
            lines.extend(labelled("", &view.as_typed(&command), room, theme));
        }
        let title = vec![Span::styled("unproven", theme.by_severity(Severity::Warning))];
        Some(Self { title, hint: "", lines })
    }

    /// What is kept of a span.
    pub fn of_span(
        trace: &TraceReport,
        span: &SpanReport,
        facts: Option<&SpanFacts>,
        view: &View,
        theme: Theme,
    ) -> Self {
        let room = view.width.saturating_sub(32).max(20);
        let mut lines = Vec::new();
        let mut fact = |name: &'static str, value: &str| {
            for (number, part) in wrap(&safe(value), room).into_iter().enumerate() {
                let name = if number == 0 { name } else { "" };
                let label = Span::styled(format!("  {name:<29} "), theme.faint());
                lines.push(Line::from(vec![label, Span::raw(part)]));
            }
        };
        fact("trace id", &trace.trace_id.to_string());
        fact("span id", &span.span_id.to_string());
        fact("parent id", &span.parent_id.map_or_else(|| "none: a root".to_owned(), |id| id.to_string()));
        fact("kind", span.kind);
        fact("start", &span.start.to_string());
        fact("duration", &duration(span.duration_ms));
        let facts = facts.map_or_else(|| Cow::Owned(of_report(span)), Cow::Borrowed);
        for (name, value) in facts.attributes.iter().chain(&facts.resource) {
            fact(name, value);
        }
        for event in &facts.events {
            fact("event", event);
        }
        for (trace, span) in &facts.links {
            fact("link", &format!("{trace} {span}"));
        }
        let title = vec![
            Span::styled(safe(&span.name), theme.strong()),
            Span::styled("  what is kept: what rules read, without private texts", theme.faint()),
        ];
        Self { title, hint: "t copies the trace id", lines }
    }

    /// Draws it from this line on.
    pub fn draw(&self, top: usize, has_focus: bool, theme: Theme, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width);
        let rows = usize::from(area.height).saturating_sub(1);
        let below = self.lines.len().saturating_sub(top + rows);
        let hint = if below > 0 && !has_focus { "Tab, ↓ more" } else { self.hint };
        let style = if has_focus { theme.strong() } else { theme.faint() };
        paint::line(buffer, area, 0, &paint::rule(columns, self.title.clone(), hint, style));
        for (at, line) in self.lines.iter().skip(top).take(rows).enumerate() {
            paint::line(buffer, area, at + 1, line);
        }
    }
}

/// What the events said of a span that is not held any more.
fn of_report(span: &SpanReport) -> SpanFacts {
    let task = span.task_id.clone().map(|task| ("messaging.message.id", task));
    let retries = span.retries.map(|retries| ("celery.retries", retries.to_string()));
    let status = Some(("status", span.status.to_owned()));
    SpanFacts {
        attributes: task.into_iter().chain(retries).chain(status).collect(),
        resource: vec![("service.name", span.service.clone())],
        events: span.exception.iter().map(|exception| format!("exception {exception}")).collect(),
        links: span.links.clone(),
    }
}

fn labelled(label: &'static str, text: &str, room: usize, theme: Theme) -> Vec<Line<'static>> {
    let lines = wrap(&safe(text), room).into_iter().enumerate();
    lines
        .map(|(number, line)| {
            let label = if number == 0 { label } else { "" };
            let missing = 11_usize.saturating_sub(width(label));
            let label = format!("  {label}{}", " ".repeat(missing));
            Line::from(vec![Span::styled(label, theme.faint()), Span::raw(line)])
        })
        .collect()
}
