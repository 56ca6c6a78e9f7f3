use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::injection;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// The application hands a carrier over, and it is empty: `inject()` ran
    /// where no span was current, or was never called.
    ///
    /// ## What shows it
    /// A header with a carrier's name that holds `{}` or an empty string, and
    /// no valid context anywhere in the message. Certain only where another
    /// message of the same process holds one: an SDK that is disabled, and
    /// propagators without a trace format, leave the same.
    ///
    /// ## How to fix it
    /// Inject right before the task is published, while the request's span is
    /// current. A thread or an executor does not inherit it by itself: an
    /// instrumentor carries it there. Where the process has no SDK, nothing fills the
    /// carrier until it has one.
    pub static EMPTY_CARRIER = {
        code: "TL103",
        slug: "empty-carrier",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the carrier is there and holds nothing: inject() ran where no span was current, or never ran",
        fixes: || {
            let shape = CarrierShape::Json("trace_context".to_owned());
            vec![injection::while_a_span_is_current(&shape, &SdkSetup::default(), false)]
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(message) = handoff.message() else { return Judgment::Clean };
    let Some(empty) = message.empty_carriers.first() else { return Judgment::Clean };
    // Beat has no request behind it, so it has nothing to hand over.
    if handoff.contexts().next().is_some() || handoff.is_whole() || message.from_beat {
        return Judgment::Clean;
    }
    let origin = message.origin.as_deref().zip(handoff.delivery);
    let tally = origin.map(|(origin, delivery)| known.origins().tally(&delivery.broker, origin));
    // Another message of the same process holds a context: its SDK and its
    // propagators are at work.
    let injects = tally.is_some_and(|tally| tally.sampled + tally.unsampled > 0);
    let found = if injects {
        Occurrence::certain()
    } else {
        Occurrence::likely()
            .unless(
                slug::PRODUCER_SDK_DISABLED,
                "without an SDK, or with OTEL_SDK_DISABLED, inject() writes nothing",
            )
            .unless(
                slug::PRODUCER_PROPAGATOR_OMITS_TRACE,
                "OTEL_PROPAGATORS without a trace format (baggage, none) writes nothing",
            )
            .needs("the environment of the producing process: OTEL_PROPAGATORS, OTEL_SDK_DISABLED")
    };
    found
        .about(handoff)
        .quote(quote::fact(format!("{}.{}", quote::place(message), empty.at), &*empty.text))
        .mend([injection::while_a_span_is_current(
            &CarrierShape::of_empty(empty),
            &SdkSetup::of_producer(handoff),
            message.hand_made,
        )])
        .into()
}
