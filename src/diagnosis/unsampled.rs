//! Whether a message says that its trace is not to be recorded.

use crate::model::{CarriedContext, Message, Sampling};

/// The first context of a message that OpenTelemetry reads, if all such contexts say that
/// the trace is not sampled. A vendor's context says nothing about what OpenTelemetry
/// records.
pub fn unsampled_context(message: &Message) -> Option<&CarriedContext> {
    let is_read = |carried: &&CarriedContext| !carried.format.is_vendor() && carried.context().is_some();
    let mut read = message.contexts.iter().filter(is_read);
    let first = read.next()?;
    (is_unsampled(first) && read.all(is_unsampled)).then_some(first)
}

fn is_unsampled(carried: &CarriedContext) -> bool {
    carried.context().is_some_and(|context| context.sampling == Sampling::NotSampled)
}
