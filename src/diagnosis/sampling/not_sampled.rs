use crate::diagnosis::advice::sampling;
use crate::diagnosis::known::{MessageCounts, SdkSetup};
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::diagnosis::unsampled::unsampled_context;
use crate::evidence::Handoff;
use crate::model::{Confidence, Severity, Station};

diagnosis! {
    /// ## What it means
    /// The producer decided not to sample the trace and says so in the message.
    /// A worker with the usual parent-based sampler follows, and sends nothing.
    ///
    /// ## What shows it
    /// Bit 0 of the flags is 0; a worker that samples by itself sends half a
    /// trace then. Where all messages of a producer are unsampled
    /// it is a warning: tracing is switched off there, knowingly or not, or a ratio
    /// left them out. The finding says how likely that is: one trace in ten leaves three of
    /// three unsampled in 73 of 100 cases. Where some are sampled, by their messages
    /// or by the exported spans that published them, it is a ratio by choice, and a
    /// note that says which.
    ///
    /// ## How to fix it
    /// Another sampler in the API: where code makes the provider, or by environment.
    /// Or look at whoever calls the API, whose decision it follows; the API may keep
    /// its traces all the same.
    ///
    /// ## What it is not
    /// Flags `02` and `03` are of W3C level 2: the second bit says that the
    /// trace id is random, and nothing about sampling.
    pub static NOT_SAMPLED = {
        code: "TL401",
        slug: "not-sampled",
        station: Some(Station::Export),
        severity: Warning,
        summary: "the producer does not sample: its messages say so, and a parent-based worker sends nothing",
        fixes: || sampling::keep_every_trace(&SdkSetup::default()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let (Some(message), Some(delivery)) = (handoff.message(), handoff.delivery) else {
        return Judgment::Clean;
    };
    let Some(carried) = unsampled_context(message) else { return Judgment::Clean };
    // A worker that samples by itself sends the other half of the trace. If the sender's
    // span is there, it was sampled after all.
    let runs_alone = !handoff.consumers.is_empty();
    if runs_alone && handoff.contexts().any(|sender| known.evidence.spans.get(sender).is_some()) {
        return Judgment::Clean;
    }
    let mut tally = message.origin.as_deref().map_or_else(
        || known.origins().nameless(&delivery.broker),
        |origin| known.origins().tally(&delivery.broker, origin),
    );
    // A message that was taken before a look saw it shows in the span that sent it.
    tally.sampled += message.origin.as_deref().map_or(0, |origin| known.origins().exported(origin));
    let sender = message
        .origin
        .as_deref()
        .map_or_else(|| "messages without an origin".to_owned(), |origin| format!("origin {origin}"));
    let worker = if runs_alone { SdkSetup::of_worker(handoff) } else { known.services().workers_setting() };
    let found = Occurrence::likely()
        .about(handoff)
        .quote(quote::context(message, carried))
        .mend(sampling::keep_every_trace(&SdkSetup::of_producer(handoff).beside(&worker)));
    if is_a_ratio(tally, known.origins().of_broker(&delivery.broker)) {
        return Occurrence { confidence: Confidence::Certain, ..found }
            .severity(Severity::Note)
            .variant(if runs_alone { "ratio-and-worker" } else { "ratio" })
            .says("some messages of this producer are sampled and this one is not: a ratio, by choice")
            .quote(quote::fact(
                sender,
                format!("{} of {} sampled", tally.sampled, (tally.sampled + tally.unsampled).max(1)),
            ))
            .into();
    }
    let found = if runs_alone {
        found
            .variant("worker-samples")
            .says("the producer does not sample, its messages say so, and the worker samples by itself: traces lack the producer's half")
            .quote(handoff.consumer().map(quote::span))
    } else {
        found
    };
    let unsampled = tally.unsampled.max(1);
    let says = |text: String| quote::fact(sender, text);
    let Some((one_in, chance)) = likely_ratio(unsampled) else {
        return Occurrence { confidence: Confidence::Certain, ..found }
            .quote(says(format!("0 of {unsampled} sampled")))
            .into();
    };
    let confidence = if one_in == RATIOS[0].0 { Confidence::Possible } else { Confidence::Likely };
    let leaves = format!(
        "a ratio of 1 in {one_in} leaves {unsampled} of {unsampled} unsampled in {chance} of 100 cases"
    );
    Occurrence { confidence, ..found }
        .quote(says(format!("0 of {unsampled} sampled; {leaves}")))
        .unless(slug::NOT_SAMPLED, format!("a ratio, by choice: {leaves}"))
        .needs("more messages of the same process")
        .into()
}

/// Ratios that people choose (one trace in so many), and the probability, in percent, from
/// which on a ratio may well explain what is seen.
const RATIOS: [(u32, f64); 2] = [(10, 5.0), (100, 1.0)];

/// The ratio that may well have left this many messages unsampled and none sampled, and its
/// probability in percent.
fn likely_ratio(unsampled: u64) -> Option<(u32, String)> {
    let count = i32::try_from(unsampled).unwrap_or(i32::MAX);
    RATIOS.into_iter().find_map(|(one_in, least)| {
        let chance = (1.0 - 1.0 / f64::from(one_in)).powi(count) * 100.0;
        (chance > least).then(|| (one_in, format!("{chance:.0}")))
    })
}

/// Whether this one is unsampled because of a ratio, under which others are sampled: the
/// producer's own messages show so; or it sent too few to tell it from the other producers
/// of the broker, and some of those sample.
fn is_a_ratio(own: MessageCounts, all: MessageCounts) -> bool {
    /// Up to this probability of chance, a silent sampler is named.
    const ACCIDENT: f64 = 0.05;
    if own.sampled > 0 {
        return true;
    }
    #[allow(clippy::cast_precision_loss, reason = "a chance, not a count")]
    let dropped = all.unsampled as f64 / (all.sampled + all.unsampled).max(1) as f64;
    let chance = dropped.powi(i32::try_from(own.unsampled).unwrap_or(i32::MAX));
    all.sampled > 0 && chance > ACCIDENT
}
