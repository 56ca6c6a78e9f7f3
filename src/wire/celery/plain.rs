//! Whether a message is plain, judging by its envelope alone: most of a queue's are.

use std::borrow::Cow;

use super::envelope::Envelope;
use super::lenient::{self, Number};
use super::missing::missing_parts;
use crate::model::SpanContext;
use crate::wire::context::w3c;

impl Envelope<'_> {
    /// The context of a message that needs no further reading: first attempt, first
    /// delivery, and in addition to Celery's own headers one valid, flat `traceparent`,
    /// with or without its `tracestate`. Nothing is allocated.
    ///
    /// `baggage` does not count as plain: a full reading lists its keys.
    pub fn plain_context(&self) -> Option<SpanContext> {
        let Self { headers, properties, .. } = self;
        let is_first = headers.retries == Number(0.0) && !self.is_redelivered();
        let is_celery_task =
            headers.task.0.is_some() && headers.id.0.is_some() && headers.lang.as_deref() == Some("py");
        let is_plain = is_first
            && is_celery_task
            && missing_parts(self).is_empty()
            && properties.others.is_empty()
            && !headers.beat.is_true()
            && headers.expires.0.is_none();
        let value = match &headers.others[..] {
            [(name, value)] if name == "traceparent" => value,
            [(one, value), (other, _)] if one == "traceparent" && other == "tracestate" => value,
            _ => return None,
        };
        if !is_plain {
            return None;
        }
        match lenient::text(value)? {
            Cow::Borrowed(text) => w3c::read(text).ok(),
            Cow::Owned(_) => None,
        }
    }
}
