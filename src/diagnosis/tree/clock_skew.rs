use std::time::Duration;

use crate::diagnosis::advice::identity;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Continuity, Handoff};

diagnosis! {
    /// ## What it means
    /// The clocks of two machines differ: the run starts before the task was
    /// published. The trace is whole; its times mislead.
    ///
    /// ## What shows it
    /// A run that starts before its PRODUCER span, in another process. Times
    /// are annotated, never altered.
    ///
    /// ## How to fix it
    /// Let both machines keep their time with NTP (`chronyc tracking`).
    pub static CLOCK_SKEW = {
        code: "TL902",
        slug: "clock-skew",
        station: None,
        severity: Note,
        summary: "the clocks of two processes differ: a run starts before its task was published",
        fixes: || identity::set_the_clocks().into(),
        check: Remark(check),
    }
}

/// Less than this is the jitter of two synchronised clocks.
const TOLERANCE: Duration = Duration::from_millis(50);

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    let (Some(producer), Some(consumer)) = (handoff.producer, handoff.consumer()) else {
        return Judgment::Clean;
    };
    let ahead = producer.span.start.since(consumer.span.start);
    if ahead <= TOLERANCE
        || handoff.continuity() != Some(Continuity::Whole)
        || !producer.span.process.differs_from(&consumer.span.process)
    {
        return Judgment::Clean;
    }
    let (sender, runner) = (producer.span.service(), consumer.span.service());
    Occurrence::certain()
        .about(handoff)
        .quote(quote::fact(
            format!("{sender} and {runner}"),
            format!("the run starts {} ms before its task was published", ahead.as_millis()),
        ))
        .mend(identity::set_the_clocks())
        .into()
}
