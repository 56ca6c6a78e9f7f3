use crate::diagnosis::advice::tracelink;
use crate::diagnosis::rule::{Occurrence, Tally, diagnosis, quote};
use crate::model::{Value, key};

diagnosis! {
    /// ## What it means
    /// `--expect-handoffs N` asked for at least N whole hand-offs, and fewer were
    /// seen. A test that publishes nothing any more must not pass because nothing
    /// is wrong with nothing.
    ///
    /// ## What shows it
    /// The number of hand-offs that were seen whole on both sides, or of which it
    /// was seen why they have no run: `inputs.handoffs_whole` of the report.
    ///
    /// ## How to fix it
    /// Look at the other findings first, and at `verdict.unproven`, which says
    /// what the other hand-offs lack. Where there is neither, fewer tasks were
    /// published than you expect. Under `listen -- COMMAND` the watch ends with the
    /// command: it has to wait for its tasks, and for its worker.
    ///
    /// ## What it is not
    /// Where nothing was received at all, the run ends with 3 instead.
    pub static TOO_FEW_HANDOFFS = {
        code: "TL904",
        slug: "too-few-handoffs",
        station: None,
        severity: Error,
        summary: "fewer whole hand-offs were seen than were asked for",
        fixes: || vec![tracelink::look_longer(), tracelink::wait_in_the_command()],
        check: Tally(check),
    }
}

fn check(tally: &Tally) -> Option<Occurrence> {
    let expected = tally.expected.filter(|expected| tally.whole < *expected)?;
    let fix = if tally.is_wrapped { tracelink::wait_in_the_command() } else { tracelink::look_longer() };
    let parts = [(key::EXPECTED, expected), (key::SEEN, tally.seen), (key::WHOLE, tally.whole)];
    Some(
        Occurrence::certain()
            .counting(expected - tally.whole)
            .says_with(
                "{expected} whole hand-offs were expected, and {whole} of the {seen} that were seen are whole",
                parts.map(|(key, number)| (key, Value::Number(number))),
            )
            .quote(quote::fact("tracelink", format!("--expect-handoffs {expected}")))
            .mend([fix]),
    )
}
