use crate::diagnosis::advice::tracelink;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};

diagnosis! {
    /// ## What it means
    /// tracelink itself let evidence go, because its memory was full. No
    /// diagnosis is built on the absence of what it let go.
    ///
    /// ## What shows it
    /// The number of traces that were let go.
    ///
    /// ## How to fix it
    /// ```sh
    /// tracelink listen --max-memory 1GiB
    /// ```
    pub static EVIDENCE_EVICTED = {
        code: "TL903",
        slug: "evidence-evicted",
        station: None,
        severity: Note,
        summary: "tracelink let evidence go for want of memory: nothing is said of its absence",
        fixes: || tracelink::more_memory().into(),
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let evicted = known.evidence.evicted_traces;
    if evicted > 0 {
        found(
            Occurrence::certain()
                .counting(evicted)
                .quote(quote::fact("tracelink", format!("{evicted} traces let go")))
                .mend(tracelink::more_memory()),
        );
    }
}
