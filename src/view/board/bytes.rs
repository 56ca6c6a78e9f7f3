//! About how many bytes take what a board holds.

use crate::model::memory_size::allocation;
use crate::model::{Finding, Fix, HandoffReport, Quote, SpanId, SpanReport, TraceId, TraceReport};

pub fn of_trace(trace: &TraceReport) -> usize {
    allocation(size_of::<TraceReport>()) + trace.spans.iter().map(of_span).sum::<usize>()
}

pub fn of_span(span: &SpanReport) -> usize {
    let texts = [Some(&span.service), Some(&span.name)];
    let maybe = [span.task_id.as_ref(), span.orphan.as_ref(), span.exception.as_ref()];
    let texts = texts.into_iter().chain(maybe).flatten().map(|text| allocation(text.len()));
    size_of::<SpanReport>()
        + texts.sum::<usize>()
        + allocation(span.links.len() * size_of::<(TraceId, SpanId)>())
}

pub fn of_handoff(handoff: &HandoffReport) -> usize {
    let texts =
        [Some(&handoff.task_id), Some(&handoff.task), handoff.finding.as_ref(), handoff.result.as_ref()];
    let texts = texts.into_iter().flatten().map(|text| allocation(text.len()));
    size_of::<HandoffReport>()
        + texts.sum::<usize>()
        + allocation(handoff.consumers.len() * size_of::<(TraceId, SpanId)>())
}

pub fn of_finding(finding: &Finding) -> usize {
    let quote = |quote: &Quote| size_of::<Quote>() + quote.at.len() + quote.text.len() + quote.note.len();
    let fix = |fix: &Fix| size_of::<Fix>() + fix.lines().iter().map(String::len).sum::<usize>() * 2;
    let names = [&finding.tasks, &finding.services, &finding.queues, &finding.origins, &finding.handoffs];
    let names = names.into_iter().flatten().map(|name| allocation(name.len()) + 32);
    size_of::<Finding>()
        + finding.message.len() * 2
        + finding.evidence.iter().map(quote).sum::<usize>()
        + finding.fixes.iter().map(fix).sum::<usize>()
        + names.sum::<usize>()
        + finding.alternatives.iter().map(|other| other.why.len() + 64).sum::<usize>()
}
