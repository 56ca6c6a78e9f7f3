//! Whether a message says that nobody is to record its trace.

use crate::model::{CarriedContext, Message, Sampling};

/// The first context of a message that OpenTelemetry reads, where it and all others
/// that are read say that the trace is not sampled. What a vendor's agent wrote says
/// nothing of what OpenTelemetry records.
pub fn unsampled_context(message: &Message) -> Option<&CarriedContext> {
    let is_read = |carried: &&CarriedContext| !carried.format.is_vendor() && carried.context().is_some();
    let mut read = message.contexts.iter().filter(is_read);
    let first = read.next()?;
    (is_unsampled(first) && read.all(is_unsampled)).then_some(first)
}

fn is_unsampled(carried: &CarriedContext) -> bool {
    carried.context().is_some_and(|context| context.sampling == Sampling::NotSampled)
}
