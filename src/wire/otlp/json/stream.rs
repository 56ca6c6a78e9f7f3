//! Requests in JSON that are too long to be held, read from a reader: of one request only
//! the resource, the scope and the span at which the reader is are held.

use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};
use serde_json::value::RawValue;

use super::others::{self, Counted};
use super::request::JsonSpan;
use super::span::Ids;
use super::walk::{Resources, Source, Walk, walks};
use crate::wire::json::{Allowance, Object, Step, without_lone_halves};
use crate::wire::otlp::count::{ResourceLogs, ResourceMetrics, ResourceProfiles};
use crate::wire::otlp::{Counts, DecodeError, OtherSignal, PIECE, Sink};

/// Decodes one document of a reader: a request, or a list of requests, each of which may be
/// wrapped as backends do. `next` is called before each request, and between the pieces of
/// a long one. No more than `most` bytes are held of a span, of a resource, or of anything
/// that is no request.
///
/// The reader is left right behind the document.
///
/// # Errors
///
/// [`DecodeError`], and what came before that place has gone to the sink.
pub fn decode_json_stream<S: Sink>(
    reader: impl Read,
    most: usize,
    sink: &mut S,
    next: impl FnMut(&mut S),
) -> Result<Counts, DecodeError> {
    let allowance = Allowance::new(most);
    let (mut counts, mut lacks) = (Counts::default(), None);
    let mut walk = Walk { sink, counts: &mut counts, source: Streamed { allowance: &allowance, next } };
    let mut json = serde_json::Deserializer::from_reader(allowance.apply(reader));
    let document = Document { walk: &mut walk, lacks: &mut lacks, ids: Ids::Hex, is_wrapped: false };
    let walked = document.deserialize(&mut json);
    DecodeError::of_walk(walked, &allowance)?;
    lacks.map_or(Ok(counts), Err)
}

/// A reader, of which no more than an allowance is held.
struct Streamed<'a, N> {
    allowance: &'a Allowance,
    next: N,
}

impl<S, N: FnMut(&mut S)> Source<'_, S> for Streamed<'_, N> {
    type Text = Box<RawValue>;
    type Span = Box<RawValue>;

    fn with_span(span: Box<RawValue>, read: impl FnOnce(JsonSpan<'_>) -> Step<()>) -> Step<()> {
        let text = without_lone_halves(span.get().as_bytes());
        let Object(span) = serde_json::from_slice(&text)?;
        read(span)
    }

    fn part_ended(&mut self, held: usize) {
        self.allowance.renew(held);
    }

    fn pauses(&mut self, sink: &mut S, taken: u64) -> bool {
        let is_due = taken.is_multiple_of(PIECE);
        if is_due {
            (self.next)(sink);
        }
        is_due
    }
}

/// What counts the records of a list.
fn counted<'c, S, N, T>(walk: &'c mut Walk<'_, S, Streamed<'_, N>>, signal: OtherSignal) -> Counted<'c, T> {
    Counted::new(signal, &mut walk.counts.others, walk.source.allowance)
}

/// A request, what wraps one, or a list of these.
struct Document<'s, 'w, 'a, S, N> {
    walk: &'s mut Walk<'w, S, Streamed<'a, N>>,
    /// Why the answer is not whole, if whoever wrote it says so.
    lacks: &'s mut Option<DecodeError>,
    ids: Ids,
    is_wrapped: bool,
}

walks!([S: Sink, N: FnMut(&mut S)] Document<'_, '_, '_, S, N>, "a request", visit_map: MapAccess => map, visit_seq: SeqAccess => list);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum DocumentKey {
    #[serde(alias = "resource_spans")]
    ResourceSpans,
    Batches,
    Trace,
    Result,
    Status,
    #[serde(alias = "resource_logs")]
    ResourceLogs,
    #[serde(alias = "resource_metrics")]
    ResourceMetrics,
    #[serde(alias = "resource_profiles")]
    ResourceProfiles,
    Error,
    #[serde(other)]
    Other,
}

impl<S: Sink, N: FnMut(&mut S)> Document<'_, '_, '_, S, N> {
    fn list<'de, A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { walk, lacks, ids, .. } = self;
        while list
            .next_element_seed(Document { walk: &mut *walk, lacks: &mut *lacks, ids, is_wrapped: false })?
            .is_some()
        {
            walk.source.allowance.renew(0);
        }
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        use OtherSignal::{Logs, Metrics, Profiles};
        let Self { walk, lacks, ids, is_wrapped } = self;
        if !is_wrapped {
            (walk.source.next)(walk.sink);
        }
        while let Some(key) = map.next_key()? {
            match key {
                DocumentKey::ResourceSpans => map.next_value_seed(Resources { walk: &mut *walk, ids })?,
                DocumentKey::Batches => {
                    map.next_value_seed(Resources { walk: &mut *walk, ids: Ids::HexOrBase64 })?;
                }
                DocumentKey::Trace | DocumentKey::Result if !is_wrapped => {
                    let ids = Ids::HexOrBase64;
                    map.next_value_seed(Document {
                        walk: &mut *walk,
                        lacks: &mut *lacks,
                        ids,
                        is_wrapped: true,
                    })?;
                }
                DocumentKey::Status => {
                    let status: Box<RawValue> = map.next_value()?;
                    if super::is_partial(Some(&status)) {
                        lacks.get_or_insert(DecodeError::Partial);
                    }
                }
                DocumentKey::ResourceLogs => {
                    map.next_value_seed(counted::<_, _, ResourceLogs>(walk, Logs))?
                }
                DocumentKey::ResourceMetrics => {
                    map.next_value_seed(counted::<_, _, ResourceMetrics>(walk, Metrics))?;
                }
                DocumentKey::ResourceProfiles => {
                    map.next_value_seed(counted::<_, _, ResourceProfiles>(walk, Profiles))?;
                }
                DocumentKey::Error => {
                    let error: Box<RawValue> = map.next_value()?;
                    *lacks = others::failure(Some(&error)).or(lacks.take());
                }
                DocumentKey::Trace | DocumentKey::Result | DocumentKey::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
