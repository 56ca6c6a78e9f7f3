//! What spans of one place in a program have in common, kept once.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use hashbrown::HashTable;

use crate::evidence::names::Names;
use crate::evidence::processes::Process;
use crate::model::memory_size::{allocation, in_map};
use crate::model::{CeleryAction, MapHash, ParentOrigin, Span, SpanKind, SpanStatus};

/// What the spans of one place in a program have in common.
///
/// A million spans come from some dozens of places, so a span refers to this with eight
/// bytes instead of repeating it: with FastAPI and Celery that is 80 bytes a span less.
#[derive(Debug)]
pub struct SpanShape {
    pub name: Arc<str>,
    pub process: Arc<Process>,
    /// What most shapes do not have.
    attributes: Option<Box<SpanAttributes>>,
    pub http_status: Option<u16>,
    pub kind: SpanKind,
    pub status: SpanStatus,
    pub parent_origin: ParentOrigin,
}

/// The attributes that diagnoses read and that spans share.
#[derive(Default, Debug)]
pub struct SpanAttributes {
    pub task: Option<Arc<str>>,
    pub destination: Option<Arc<str>>,
    pub exchange: Option<Arc<str>>,
    pub celery_hostname: Option<Arc<str>>,
    pub retries: Option<u32>,
    pub action: Option<CeleryAction>,
    pub redelivered: bool,
    pub will_retry: bool,
    pub rejected: bool,
    /// Whether a consumer span says that its message came from a messaging system other
    /// than Celery's.
    pub is_foreign: bool,
}

static NO_ATTRIBUTES: LazyLock<SpanAttributes> = LazyLock::new(SpanAttributes::default);

impl SpanShape {
    pub fn attributes(&self) -> &SpanAttributes {
        self.attributes.as_deref().unwrap_or(&NO_ATTRIBUTES)
    }

    /// What it takes, with its place among the shapes, without its names.
    fn weight(&self) -> usize {
        const PLACE: usize = in_map(size_of::<Arc<SpanShape>>());
        let attributes = self.attributes.as_ref().map_or(0, |_| allocation(size_of::<SpanAttributes>()));
        allocation(size_of::<Self>() + 2 * size_of::<usize>()) + attributes + PLACE
    }

    /// Whether a span that `process` sent has this shape.
    fn is_of(&self, span: &Span<'_>, process: &Arc<Process>) -> bool {
        *self.name == *span.name
            && Arc::ptr_eq(&self.process, process)
            && self.http_status == span.http_status
            && (self.kind, self.status, self.parent_origin) == (span.kind, span.status, span.parent_origin)
            && self.attributes().are_of(span)
    }

    fn new(span: &Span<'_>, process: &Arc<Process>, names: &mut Names) -> Self {
        Self {
            name: names.share(&span.name),
            process: Arc::clone(process),
            attributes: SpanAttributes::of(span, names).map(Box::new),
            http_status: span.http_status,
            kind: span.kind,
            status: span.status,
            parent_origin: span.parent_origin,
        }
    }
}

impl SpanAttributes {
    /// Those of a span, if it has any.
    fn of(span: &Span<'_>, names: &mut Names) -> Option<Self> {
        if NO_ATTRIBUTES.are_of(span) {
            return None;
        }
        let [task, destination, exchange, celery_hostname] =
            texts(span).map(|text| text.map(|text| names.share(text)));
        Some(Self {
            task,
            destination,
            exchange,
            celery_hostname,
            retries: span.retries,
            action: span.action,
            redelivered: span.redelivered,
            will_retry: span.will_retry,
            rejected: span.rejected,
            is_foreign: is_foreign(span),
        })
    }

    fn are_of(&self, span: &Span<'_>) -> bool {
        let own = [&self.task, &self.destination, &self.exchange, &self.celery_hostname];
        own.map(Option::as_deref) == texts(span)
            && self.retries == span.retries
            && self.action == span.action
            && [self.redelivered, self.will_retry, self.rejected, self.is_foreign] == flags(span)
    }
}

fn texts<'s>(span: &'s Span<'_>) -> [Option<&'s str>; 4] {
    [&span.task, &span.destination, &span.exchange, &span.celery_hostname].map(Option::as_deref)
}

fn flags(span: &Span<'_>) -> [bool; 4] {
    [span.redelivered, span.will_retry, span.rejected, is_foreign(span)]
}

fn is_foreign(span: &Span<'_>) -> bool {
    span.kind == SpanKind::Consumer && !span.may_be_celery()
}

/// Every shape that is held.
///
/// What a shape holds comes from outside, so there may be any number of them, and chosen
/// ones must not collide: the hash is seeded. Shapes that are no longer used are dropped
/// when they have doubled.
#[derive(Default, Debug)]
pub(super) struct Shapes {
    known: HashTable<Arc<SpanShape>>,
    hasher: MapHash,
    sweep_at: usize,
    bytes: usize,
}

impl Shapes {
    /// They are swept no earlier than at this number.
    const FIRST_SWEEP: usize = 1024;

    /// The shape of a span that `process` sent.
    pub fn share(&mut self, span: &Span<'_>, process: &Arc<Process>, names: &mut Names) -> Arc<SpanShape> {
        let hash = hash_of_span(&self.hasher, span, process);
        if let Some(known) = self.known.find(hash, |shape| shape.is_of(span, process)) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at.max(Self::FIRST_SWEEP) {
            self.sweep();
        }
        let shape = Arc::new(SpanShape::new(span, process, names));
        self.bytes += shape.weight();
        let hasher = &self.hasher;
        self.known.insert_unique(hash, Arc::clone(&shape), |shape| hash_of(hasher, shape));
        shape
    }

    /// Drops the shapes that are no longer used.
    pub fn sweep(&mut self) {
        self.known.retain(|shape| Arc::strong_count(shape) > 1);
        self.sweep_at = self.known.len() * 2;
        self.bytes = self.known.iter().map(|shape| shape.weight()).sum();
    }

    /// About how many bytes they take, without their names.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

fn hash_of_span(hasher: &MapHash, span: &Span<'_>, process: &Arc<Process>) -> u64 {
    let kinds = (span.kind, span.status, span.parent_origin);
    hash(hasher, &span.name, process, kinds, (span.http_status, span.retries), texts(span))
}

fn hash_of(hasher: &MapHash, shape: &SpanShape) -> u64 {
    let kinds = (shape.kind, shape.status, shape.parent_origin);
    let known = shape.attributes();
    let texts = [&known.task, &known.destination, &known.exchange, &known.celery_hostname];
    let numbers = (shape.http_status, known.retries);
    hash(hasher, &shape.name, &shape.process, kinds, numbers, texts.map(Option::as_deref))
}

/// Of the flags nothing: they make hardly any difference between shapes.
fn hash(
    hasher: &MapHash,
    name: &str,
    process: &Arc<Process>,
    (kind, status, origin): (SpanKind, SpanStatus, ParentOrigin),
    (http_status, retries): (Option<u16>, Option<u32>),
    texts: [Option<&str>; 4],
) -> u64 {
    let mut state = hasher.build_hasher();
    name.hash(&mut state);
    // Nobody outside chooses an address. A fuzzer needs the same hash in each run.
    let of_process = if cfg!(fuzzing) { process.mark() } else { Arc::as_ptr(process).addr() as u64 };
    state.write_u64(of_process);
    let kinds = u32::from_le_bytes([kind as u8, status as u8, origin as u8, u8::from(http_status.is_some())]);
    state.write_u64((u64::from(kinds) << 32) | u64::from(http_status.unwrap_or_default()));
    state.write_u32(retries.unwrap_or(u32::MAX));
    texts.iter().flatten().for_each(|text| text.hash(&mut state));
    state.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Resource;

    /// Two spans of one shape share it; whatever differs in anything has its own.
    #[test]
    fn a_shape_is_shared_by_spans_that_differ_in_nothing_that_it_holds() {
        let plain = Span { name: "run/t".into(), ..Span::default() };
        let spans = [
            plain.clone(),
            Span { name: "run/u".into(), ..plain.clone() },
            Span { kind: SpanKind::Consumer, ..plain.clone() },
            Span { kind: SpanKind::Consumer, system: Some("kafka".into()), ..plain.clone() },
            Span { status: SpanStatus::Error, ..plain.clone() },
            Span { parent_origin: ParentOrigin::Remote, ..plain.clone() },
            Span { http_status: Some(200), ..plain.clone() },
            Span { retries: Some(0), ..plain.clone() },
            Span { action: Some(CeleryAction::Run), ..plain.clone() },
            Span { task: Some("t".into()), ..plain.clone() },
            Span { destination: Some("t".into()), ..plain.clone() },
            Span { exchange: Some("t".into()), ..plain.clone() },
            Span { celery_hostname: Some("t".into()), ..plain.clone() },
            Span { redelivered: true, ..plain.clone() },
            Span { will_retry: true, ..plain.clone() },
            Span { rejected: true, ..plain },
        ];
        let (mut shapes, mut names) = (Shapes::default(), Names::default());
        let processes =
            [1, 2].map(|pid| Arc::new(Process::from(&Resource { pid: Some(pid), ..Resource::default() })));
        let mut held = Vec::new();
        for _ in 0..2 {
            for process in &processes {
                held.extend(spans.iter().map(|span| shapes.share(span, process, &mut names)));
            }
        }
        let (first, again) = held.split_at(spans.len() * 2);
        assert!(first.iter().zip(again).all(|(one, other)| Arc::ptr_eq(one, other)));
        assert_eq!(shapes.known.len(), spans.len() * 2);
        held.truncate(1);
        shapes.sweep();
        assert_eq!(shapes.known.len(), 1);
        assert_eq!(shapes.bytes(), held[0].weight());
    }
}
