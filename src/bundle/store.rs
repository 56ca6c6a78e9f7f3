//! Where evidence from files goes.

use std::ops::Add;

use crate::evidence::{Evidence, SpanSource};
use crate::model::{Invalid, Resource, Scope, Span};
use crate::wire::otlp::Sink;

/// Evidence that files are read into, and a check of its size meanwhile.
pub trait Store {
    fn evidence(&mut self) -> &mut Evidence;

    /// Called after each span: lets go of what finds no room.
    fn keep_room(&mut self) {}

    /// Called between two requests, and between two files.
    fn between_requests(&mut self) {}

    /// Called with how much of all files was read so far.
    fn has_read(&mut self, _read: BytesRead) {}
}

/// How many bytes of files were read.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct BytesRead {
    /// As they lie there.
    pub stored: u64,
    /// As they are decompressed; the same where nothing is compressed.
    pub decompressed: u64,
}

impl Add for BytesRead {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { stored: self.stored + other.stored, decompressed: self.decompressed + other.decompressed }
    }
}

/// Everything is kept.
impl Store for Evidence {
    fn evidence(&mut self) -> &mut Evidence {
        self
    }
}

/// Files the spans of requests in a store.
pub struct StoreSink<'s> {
    store: &'s mut dyn Store,
    source: SpanSource,
    /// Whether a resource stands for all processes of its service.
    merges_processes: bool,
    /// How many spans follow until the store is called as between two requests; `None`
    /// where requests end.
    until_pause: Option<usize>,
}

impl<'s> StoreSink<'s> {
    /// How many spans there are between two pauses, where no request ends.
    const PAUSE: usize = 1_024;

    pub fn new(store: &'s mut dyn Store) -> Self {
        Self { store, source: SpanSource::default(), merges_processes: false, until_pause: None }
    }

    /// For the rows of a database, which come in no requests: they are one request here, and
    /// the store is called now and then as between two. [`Self::end`] ends it.
    pub fn of_rows(store: &'s mut dyn Store) -> Self {
        let source = SpanSource::of_next_request(store.evidence());
        Self { source, until_pause: Some(Self::PAUSE), ..Self::new(store) }
    }

    /// For a source that keeps one resource for all processes of a service. What the
    /// resource says of its process is true of one of them, so it is left out.
    pub fn of_merged_processes(store: &'s mut dyn Store) -> Self {
        Self { merges_processes: true, ..Self::new(store) }
    }

    /// The spans that follow come from another request.
    pub fn next_request(&mut self) {
        self.store.between_requests();
        self.source.next_request(self.store.evidence());
    }

    /// No span follows.
    pub fn end(self) {
        self.source.close(self.store.evidence());
        self.store.between_requests();
    }
}

impl Sink for StoreSink<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        if self.merges_processes {
            let service = Resource { instance: None, pid: None, host: None, ..resource.clone() };
            return self.source.resource(self.store.evidence(), &service);
        }
        self.source.resource(self.store.evidence(), resource);
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.source.scope(self.store.evidence(), scope);
    }

    fn span(&mut self, span: &Span<'_>) {
        self.source.span(self.store.evidence(), span);
        self.store.keep_room();
        if let Some(left) = &mut self.until_pause {
            *left -= 1;
            if *left == 0 {
                *left = Self::PAUSE;
                self.store.between_requests();
            }
        }
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.source.refused(self.store.evidence(), why, at);
    }
}
