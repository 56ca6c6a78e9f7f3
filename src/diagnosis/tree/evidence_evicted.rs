use crate::diagnosis::advice::tracelink;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};

diagnosis! {
    /// ## What it means
    /// tracelink itself let evidence go, because its memory was full. No
    /// diagnosis is built on the absence of what it let go.
    ///
    /// ## What shows it
    /// The number of traces and of spans that were let go. A trace that takes
    /// a third of the memory keeps its first spans, and is not judged. What is let
    /// go leaves a mark; once marks were forgotten too, nothing is said of what
    /// begins and lacks its other half.
    ///
    /// ## How to fix it
    /// ```sh
    /// tracelink listen --max-memory 1GiB
    /// ```
    /// Of files, `tracelink diagnose` holds more by the same option.
    pub static EVIDENCE_EVICTED = {
        code: "TL903",
        slug: "evidence-evicted",
        station: None,
        severity: Note,
        summary: "tracelink let evidence go because memory was short: nothing is concluded from its absence",
        fixes: || tracelink::more_memory(tracelink::HOLD_MORE.into()).into(),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let evidence = known.evidence;
    if !evidence.has_let_go() {
        return;
    }
    let ways = [
        (evidence.counts().evicted_traces, "traces let go"),
        (evidence.spans.let_go(), "spans let go"),
        (evidence.spans.left_out(), "of them past the third of the memory that one trace may have"),
        (evidence.forgotten_marks(), "marks of what was let go forgotten: counts are partial"),
    ];
    let mut occurrence = Occurrence::certain().counting(evidence.counts().evicted_traces.max(1));
    for (count, what) in ways.into_iter().filter(|(count, _)| *count > 0) {
        occurrence = occurrence.quote(quote::fact("tracelink", format!("{count} {what}")));
    }
    found(occurrence.mend(tracelink::more_memory(tracelink::hold_more(evidence))));
}
