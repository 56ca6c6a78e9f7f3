//! A run whose message was not seen, by what its publisher sends otherwise.

use crate::diagnosis::known::{Tally, is_publisher};
use crate::diagnosis::rule::{Known, Occurrence, quote};
use crate::evidence::{Continuity, Handoff, SpanRef};

/// A run that began a trace of its own and whose message was not seen, while
/// those that were seen of the same process carry no context.
pub struct Unseen<'h, 'k> {
    run: SpanRef<'h>,
    pub origin: &'h str,
    pub broker: &'k str,
    tally: Tally,
}

impl<'h, 'k> Unseen<'h, 'k> {
    pub fn of(handoff: &Handoff<'h>, known: &Known<'k>) -> Option<Self> {
        let is_first = handoff.attempt == 0 && handoff.producer.is_none() && handoff.delivery.is_none();
        let is_orphaned = handoff.continuity() == Some(Continuity::Orphaned);
        let run =
            handoff.consumer().filter(|run| is_first && is_orphaned && run.span.is_instrumented_run())?;
        let origin = run.span.detail().celery_hostname.as_deref().filter(|node| is_publisher(node))?;
        let (broker, tally) = known.origins().of_origin(origin)?;
        (tally.without > 0 && tally.with_context == 0).then_some(Self { run, origin, broker, tally })
    }

    /// That the process sends no context, of a message that was not seen. It is the
    /// cause of those that were, and told with them.
    pub fn finding(&self, handoff: &Handoff<'_>, known: &Known<'_>, says: &'static str) -> Occurrence {
        let mut found = Occurrence::likely()
            .about(handoff)
            .says(says)
            .quote(quote::span(self.run))
            .quote(quote::fact("celery.hostname", format!("{} published it", self.origin)))
            .quote(quote::fact(
                format!("origin {}", self.origin),
                format!("0 of {} messages that were seen with context", self.tally.without),
            ))
            .needs(known.to_see_the_message());
        found.origins.insert(self.origin.to_owned());
        found
    }
}
